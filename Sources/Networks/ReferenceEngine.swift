import Foundation
import Models

/// Computes a network one operator after the other, as MXNet defines each: the oracle of the fast engine, and what runs
/// graphs that the fast engine cannot.
///
/// Values are planes, as MXNet has them (NCHW), nothing is fused or folded, and each image is computed by itself.
/// Convolutions are products of matrices (im2col and gemm); everything else is plain loops in double precision.
struct ReferenceEngine: Sendable {
  private let graph: Graph
  private let layers: [ReferenceLayer]
  /// For each node, the last node that reads it: after that, its output is freed.
  private let lastReader: [Int]

  /// - Throws: a `ModelError` if a parameter is missing, cannot be read, or has another size than its operator needs.
  /// - Complexity: reads every parameter once and keeps it.
  init(_ graph: Graph, _ parameters: Parameters) throws(ModelError) {
    self.graph = graph
    var layers: [ReferenceLayer] = []
    var lastReader = Array(graph.nodes.indices)
    for (index, node) in graph.nodes.enumerated() {
      let shapes = node.inputs.map { graph.nodes[$0].shape }
      layers.append(try ReferenceLayer(node, inputs: shapes, parameters))
      for input in node.inputs { lastReader[input] = index }
    }
    lastReader[graph.output] = graph.nodes.count
    self.layers = layers
    self.lastReader = lastReader
  }

  /// - Parameters:
  ///   - images: `count` tensors of the graph's `inputShape`, one after the other.
  ///   - outputs: `count * outputCount` numbers, an image after the other.
  func run(_ images: Span<Float>, count: Int, into outputs: inout MutableSpan<Float>) {
    let inputCount = graph.inputShape.reduce(1, *)
    let outputCount = graph.outputCount
    precondition(images.count == count * inputCount, "\(count) images of \(inputCount) numbers")
    precondition(outputs.count == count * outputCount, "\(count) outputs of \(outputCount) numbers")
    for image in 0..<count {
      let values = nodeOutputs(
        images.extracting(image * inputCount..<(image + 1) * inputCount), keepingAll: false)
      let result = values[graph.output]
      for index in 0..<outputCount { outputs[image * outputCount + index] = result[index] }
    }
  }

  /// Every node's output for one image, by the node's index.
  func nodeOutputs(_ image: Span<Float>) -> [[Float]] { nodeOutputs(image, keepingAll: true) }

  private func nodeOutputs(_ image: Span<Float>, keepingAll: Bool) -> [[Float]] {
    var values: [[Float]] = []
    for (index, node) in graph.nodes.enumerated() {
      let inputs = node.inputs.map { values[$0] }
      values.append(node.inputs.isEmpty ? image.indices.map { image[$0] } : layers[index].output(of: inputs))
      guard !keepingAll else { continue }
      for input in node.inputs where lastReader[input] == index { values[input] = [] }
    }
    return values
  }
}

/// One operator with its parameters.
private struct ReferenceLayer: Sendable {
  private let node: Graph.Node
  /// The shape of each input: channels, height, width; or the length of a vector.
  private let inputs: [[Int]]
  /// The operator's parameters, in the order in which `init` lists them.
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
    // `>` is false for NaN, which stays.
    case .relu: values[0].map { 0 > $0 ? 0 : $0 }
    case .pooling(let pooling):
      PoolingWindows(pooling, input: inputs[0], output: node.shape).pooled(values[0])
    case .add: zip(values[0], values[1]).map { $0 + $1 }
    case .dense(let dense): product(values[0], dense)
    case .softmax: softmax(values[0])
    case .sigmoid: values[0].map { Float(1 / (1 + exp(-Double($0)))) }
    }
  }

  /// One product of the weights and the im2col matrix.
  private func convolved(_ values: [Float], _ convolution: Convolution) -> [Float] {
    let im2col = Im2col(convolution, input: inputs[0], output: node.shape)
    let (height, width) = (node.shape[1], node.shape[2])
    let columns = im2col.columns(of: values)
    var result = [Float](repeating: 0, count: convolution.filters * height * width)
    let filters = weights[0]
    var out = result.mutableSpan
    Gemm.multiply(
      filters.span, columns.span, into: &out,
      rows: convolution.filters, inner: im2col.rowCount, columns: height * width)
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

/// The matrix that makes a convolution a product of matrices: a row for each weight of a filter, a column for each
/// output position.
private struct Im2col {
  private let convolution: Convolution
  /// Channels, height, width.
  private let input: [Int], output: [Int]

  init(_ convolution: Convolution, input: [Int], output: [Int]) {
    self.convolution = convolution
    self.input = input
    self.output = output
  }

  var rowCount: Int { input[0] * convolution.kernel.rows * convolution.kernel.columns }

  /// The matrix of one image, row by row.
  func columns(of values: [Float]) -> [Float] {
    let (kernel, stride, padding) = (convolution.kernel, convolution.stride, convolution.padding)
    let (height, width) = (output[1], output[2])
    var result = [Float](repeating: 0, count: rowCount * height * width)
    var at = 0
    for channel in 0..<input[0] {
      for kernelRow in 0..<kernel.rows {
        for kernelColumn in 0..<kernel.columns {
          for row in 0..<height {
            let y = row * stride.rows + kernelRow - padding.rows
            // Padding stays zero.
            if y >= 0, y < input[1] {
              let line = (channel * input[1] + y) * input[2]
              for column in 0..<width {
                let x = column * stride.columns + kernelColumn - padding.columns
                if x >= 0, x < input[2] { result[at + column] = values[line + x] }
              }
            }
            at += width
          }
        }
      }
    }
    return result
  }
}

/// A pooling by MXNet's rules about where its windows lie.
private struct PoolingWindows {
  private let pooling: Pooling
  /// Channels, height, width.
  private let input: [Int], output: [Int]

  init(_ pooling: Pooling, input: [Int], output: [Int]) {
    self.pooling = pooling
    self.input = input
    self.output = output
  }

  func pooled(_ values: [Float]) -> [Float] {
    let (height, width) = (output[1], output[2])
    var result: [Float] = []
    result.reserveCapacity(output.reduce(1, *))
    for channel in 0..<output[0] {
      for row in 0..<height {
        let rows = span(row, pooling.kernel.rows, pooling.stride.rows, pooling.padding.rows, size: input[1])
        for column in 0..<width {
          let columns = span(
            column, pooling.kernel.columns, pooling.stride.columns, pooling.padding.columns, size: input[2])
          result.append(pooled(values, channel, rows, columns))
        }
      }
    }
    return result
  }

  private func pooled(_ values: [Float], _ channel: Int, _ rows: Window, _ columns: Window) -> Float {
    // MXNet's maximum starts at the least finite number, and NaN is never larger than another number.
    var largest = -Float.greatestFiniteMagnitude
    var sum = 0.0
    for row in rows.inside {
      for column in columns.inside {
        let value = values[(channel * input[1] + row) * input[2] + column]
        if value > largest { largest = value }
        sum += Double(value)
      }
    }
    switch pooling.kind {
    case .maximum: return largest
    case .average(let countsPadding):
      let count = countsPadding ? rows.count * columns.count : rows.inside.count * columns.inside.count
      // A window that lies in the padding as a whole gives 0.
      return count == 0 ? 0 : Float(sum / Double(count))
    }
  }

  /// One axis of a window: the positions within the plane, and how many there are with those of the padding.
  private struct Window {
    let inside: Range<Int>
    let count: Int
  }

  private func span(_ index: Int, _ kernel: Int, _ stride: Int, _ padding: Int, size: Int) -> Window {
    if pooling.isGlobal { return Window(inside: 0..<size, count: size) }
    let start = index * stride - padding
    // If the number of windows was rounded up, the last one may reach beyond the padding, where nothing counts.
    let end = min(start + kernel, size + padding)
    let first = min(max(start, 0), size)
    return Window(inside: first..<max(first, min(end, size)), count: end - start)
  }
}
