import Foundation
import Models
import Tensors

/// One operator with its parameters at hand.
struct ReferenceLayer: Sendable {
  private let node: Graph.Node
  /// Channels, height, width of each input; one number after `.flatten`.
  private let inputs: [[Int]]
  /// In the order in which the operator's cases name them.
  private let weights: [[Float]]

  init(_ node: Graph.Node, inputs: [[Int]], _ parameters: Parameters) throws(ModelError) {
    self.node = node
    self.inputs = inputs
    var wanted: [(name: String, count: Int)] = []
    switch node.operation {
    case .convolution(let convolution):
      let (kernel, channels) = (convolution.kernel, inputs[0][0])
      wanted = [(convolution.weight, convolution.filters * channels * kernel.rows * kernel.columns)]
      if let bias = convolution.bias { wanted.append((bias, convolution.filters)) }
    case .dense(let dense):
      wanted = [(dense.weight, dense.outputs * inputs[0].reduce(1, *))]
      if let bias = dense.bias { wanted.append((bias, dense.outputs)) }
    case .batchNorm(let norm):
      wanted = [norm.beta, norm.mean, norm.variance].map { ($0, inputs[0][0]) }
      if let gamma = norm.gamma { wanted.append((gamma, inputs[0][0])) }
    case .input, .relu, .pooling, .add, .flatten, .softmax, .sigmoid: break
    }
    var weights: [[Float]] = []
    for (name, count) in wanted {
      let values = try parameters.values(of: name)
      guard values.count == count else {
        throw ModelError("\(node.name): \(name) has \(values.count) numbers; expected \(count)")
      }
      weights.append(values)
    }
    self.weights = weights
  }

  /// The operator's output for one image.
  func output(of values: [[Float]]) -> [Float] {
    switch node.operation {
    case .input, .flatten: values[0]
    case .convolution(let convolution): convolved(values[0], convolution)
    case .batchNorm(let norm): normalized(values[0], norm)
    // `>` is false for NaN, which therefore stays.
    case .relu: values[0].map { 0 > $0 ? 0 : $0 }
    case .pooling(let pooling):
      PoolingWindows(pooling, input: inputs[0], output: node.shape).pooled(values[0])
    case .add: zip(values[0], values[1]).map { $0 + $1 }
    case .dense(let dense): product(values[0], dense)
    case .softmax: softmax(values[0])
    case .sigmoid: values[0].map { Float(1 / (1 + exp(-Double($0)))) }
    }
  }

  /// im2col: the pixels under each kernel position as a column; then one product of matrices.
  private func convolved(_ values: [Float], _ convolution: Convolution) -> [Float] {
    let columns = Columns(convolution, input: inputs[0], output: node.shape)
    let (height, width) = (node.shape[1], node.shape[2])
    let gathered = columns.gathered(from: values)
    var result = [Float](repeating: 0, count: convolution.filters * height * width)
    let filters = weights[0]
    var out = result.mutableSpan
    Gemm.multiply(
      filters.span, gathered.span, into: &out,
      rows: convolution.filters, inner: columns.rowCount, columns: height * width)
    if convolution.bias != nil { addEach(weights[1], to: &out, times: height * width) }
    return result
  }

  private func product(_ values: [Float], _ dense: Dense) -> [Float] {
    var result = [Float](repeating: 0, count: dense.outputs)
    let rows = weights[0]
    var out = result.mutableSpan
    Gemm.multiply(
      rows.span, values.span, into: &out, rows: dense.outputs, inner: values.count, columns: 1)
    if dense.bias != nil { addEach(weights[1], to: &out, times: 1) }
    return result
  }

  private func addEach(_ biases: [Float], to out: inout MutableSpan<Float>, times area: Int) {
    for (channel, bias) in biases.enumerated() {
      for index in channel * area..<(channel + 1) * area { out[index] += bias }
    }
  }

  private func normalized(_ values: [Float], _ norm: BatchNorm) -> [Float] {
    let (beta, mean, variance) = (weights[0], weights[1], weights[2])
    let area = inputs[0].dropFirst().reduce(1, *)
    var result = values
    for channel in beta.indices {
      let gamma = norm.gamma == nil ? 1 : Double(weights[3][channel])
      let factor = gamma / (Double(variance[channel]) + norm.epsilon).squareRoot()
      for index in channel * area..<(channel + 1) * area {
        result[index] = Float(
          (Double(values[index]) - Double(mean[channel])) * factor + Double(beta[channel]))
      }
    }
    return result
  }
}

/// The softmax in double precision. NaN or infinity among the values makes every result NaN.
package func softmax(_ values: some Collection<Float>) -> [Float] {
  // Without subtracting the largest the powers would overflow.
  let largest = Double(values.reduce(-.greatestFiniteMagnitude) { $1 > $0 ? $1 : $0 })
  let powers = values.map { exp(Double($0) - largest) }
  let sum = powers.reduce(0, +)
  return powers.map { Float($0 / sum) }
}
