import Models

/// Computes a network one operator after the other, as MXNet defines each: what the fast engine is compared with.
///
/// Planes are kept as MXNet keeps them (NCHW), nothing is fused or folded, and an image does not know of the others of
/// its batch. Convolutions are products of matrices (im2col and gemm); everything else is plain loops in double precision.
struct ReferenceEngine: Sendable {
  private let graph: Graph
  private let layers: [ReferenceLayer]
  /// For each node the last one that reads it: after that, its numbers are let go.
  private let lastReader: [Int]

  /// - Throws: where a parameter is missing, cannot be read or has another size than its operator asks for.
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
