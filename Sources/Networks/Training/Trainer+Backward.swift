internal import CNetworks
import Models

/// Backward, from the loss to the gradients of all weights.
extension Trainer {
  func backward(_ images: Span<Float>, count: Int, total: Int) {
    buckets.begin()
    imageShift?.gradient.begin()
    // A rank without images takes part with zeros.
    if count == 0 { unsafe learnt.gradient.start.update(repeating: 0, count: learnt.gradient.count) }
    unsafe images.withUnsafeBufferPointer { images in
      guard let images = images.baseAddress else { return }
      unsafe dense.backward(execution(images, worker: 0), images: count)
    }
    for index in layers.indices.reversed() {
      guard let step = gradients.steps[index] else { continue }
      for view in step.views { normalizations[view.view]?.finishSums(images: total, exchange) }
      let layer = layers[index]
      let shift = imageShift.flatMap { $0.layer == index ? $0.gradient : nil }
      let output = plan.layers[index].output
      let views = step.views.compactMap { view in
        normalizations[view.view].map { (norm: $0, from: view.from, add: view.add) }
      }
      let ready = ready[index]
      for view in ready { view.norm.begin() }
      forEachPart(images, count: count) { part in
        part.forEachFew(layer.imagesBackward) { few in
          for view in views {
            for image in few.images {
              unsafe view.norm.backward(
                few.execution.write(step.gradient, image: image), few.execution.read(view.from, image: image),
                few.execution.read(output, image: image),
                add: view.add.map { unsafe few.execution.read($0, image: image) })
            }
          }
          layer.backward(few)
          shift?.watch(few)
          for view in ready { view.sum(few) }
        }
      }
      if let range = layer.gradientRange { collect(range, count: count) }
      if let bucket = buckets.bucket(after: index) { exchange?.begin(bucket) }
      exchange?.advance()
    }
    if let imageShift {
      for (channel, sum) in imageShift.gradient.finish().enumerated() {
        imageShift.normalization.setBetaGradient(channel, to: sum)
      }
    }
    if let exchange {
      if let bucket = buckets.lastBucket() { exchange.begin(bucket) }
      exchange.finish()
    }
  }

  /// Adds up the parts' sums.
  func collect(_ range: Range<Int>, count: Int) {
    let busy = sums.indices.filter { !images(of: $0, count: count).isEmpty }.map {
      unsafe Shared(sums[$0].start)
    }
    if busy.isEmpty { return }
    let out = unsafe Shared(learnt.gradient.start + range.lowerBound)
    let pieces = workers.count
    let set = set
    workers.forEach(pieces) { piece, _ in
      let part = range.count * piece / pieces..<range.count * (piece + 1) / pieces
      let from = unsafe busy.map { unsafe UnsafePointer($0.pointer + part.lowerBound) }
      unsafe from.withUnsafeBufferPointer { from in
        guard let start = from.baseAddress else { return }
        unsafe set.backward.sum(out.pointer + part.lowerBound, start, from.count, part.count)
      }
    }
  }

  @safe private struct Shared: @unchecked Sendable {  // the pieces write different places
    let pointer: UnsafeMutablePointer<Float>

    init(_ pointer: UnsafeMutablePointer<Float>) { unsafe self.pointer = pointer }
  }
}
