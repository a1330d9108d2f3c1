internal import CNetworks
import Glibc
import Models

/// The end of the network.
extension Trainer {
  /// The last layer, the loss and its gradient.
  func head(
    _ images: Span<Float>, targets: Span<Float>, count: Int, outputs: inout MutableSpan<Float>
  ) -> Double {
    guard let last = plan.layers.last, let step = gradients.steps[plan.layers.count - 1] else { return 0 }
    return unsafe images.withUnsafeBufferPointer { images in
      unsafe outputs.withUnsafeMutableBufferPointer { outputs in
        guard let images = images.baseAddress else { return 0 }
        let execution = unsafe execution(images, worker: 0)
        dense.forward(execution, images: count)
        var loss = 0.0
        // MXNet's LogisticRegressionOutput takes the mean over an image's outputs.
        let share = plan.head == .sigmoid ? 1 / Float(outputCount) : 1
        for image in 0..<count {
          let row = unsafe UnsafeBufferPointer(
            start: execution.read(last.output, image: image), count: outputCount)
          let range = image * outputCount..<(image + 1) * outputCount
          let probabilities = unsafe UnsafeMutableBufferPointer(rebasing: outputs[range])
          switch plan.head {
          case .softmax: unsafe softmax(row, probabilities)
          case .sigmoid: unsafe sigmoid(row, probabilities)
          }
          let gradient = unsafe execution.write(step.gradient, image: image)
          for index in 0..<outputCount {
            let target = targets[range.lowerBound + index]
            let probability = unsafe probabilities[index]
            let weight = positiveWeights[index]
            // Of weight 1 the plain difference, to the bit.
            unsafe gradient[index] = (probability * (1 + (weight - 1) * target) - weight * target) * share
            loss -= crossEntropy(Double(target), Double(probability), Double(weight)) * Double(share)
          }
        }
        return loss / Double(count)
      }
    }
  }

  /// - Returns: a number below 0.
  func crossEntropy(_ target: Double, _ probability: Double, _ weight: Double) -> Double {
    let least = 1e-30
    var sum = target == 0 ? 0 : weight * target * log(max(probability, least))
    if plan.head == .sigmoid, target != 1 { sum += (1 - target) * log(max(1 - probability, least)) }
    return probability.isNaN ? .nan : sum
  }
}
