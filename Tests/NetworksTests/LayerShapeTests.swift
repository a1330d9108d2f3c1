import Models
import TestSupport
import Testing

@testable import Networks

/// A convolution with the size of what it reads.
struct LayerShape: Hashable, CustomTestStringConvertible {
  let input: [Int]
  let filters: Int
  let kernel: Extent, stride: Extent, padding: Extent

  var testDescription: String {
    "\(input.map(String.init).joined(separator: "x")) -> \(filters), \(kernel.rows)x\(kernel.columns), stride "
      + "\(stride.rows), padding \(padding.rows)"
  }

  /// Every convolution of the depths given, each once.
  static func of(_ depths: [Int], input: [Int]) -> [LayerShape] {
    var shapes: Set<LayerShape> = []
    for depth in depths {
      for version in ResNet.Version.allCases {
        guard let graph = try? ResNet(depth: depth, version: version, inputShape: input).graph else {
          continue
        }
        for node in graph.nodes {
          guard case .convolution(let convolution) = node.operation else { continue }
          shapes.insert(
            LayerShape(
              input: graph.nodes[node.inputs[0]].shape, filters: convolution.filters,
              kernel: convolution.kernel,
              stride: convolution.stride, padding: convolution.padding))
        }
      }
    }
    return shapes.sorted { $0.testDescription < $1.testDescription }
  }

  static let large = of(ResNet.largeDepths, input: [3, 224, 224])
  static let small = of(ResNet.smallDepths + [164], input: [3, 28, 28])

  /// The convolution, behind one that puts its input into blocks (but the first one), and flattened.
  func trial(seed: UInt64) -> Trial {
    var noise = Noise(seed: seed)
    let taps = input[0] * kernel.rows * kernel.columns
    let weights = noise.floats(filters * taps, scale: (3 / Float(taps)).squareRoot())
    let convolution = Convolution(
      filters: filters, kernel: kernel, stride: stride, padding: padding, weight: "w", bias: "b")
    var arrays = [
      "w": Parameters.Array(shape: [filters, input[0], kernel.rows, kernel.columns], values: weights),
      "b": Parameters.Array(shape: [filters], values: noise.floats(filters)),
    ]
    var nodes = [Graph.Node(name: "data", operation: .input, inputs: [], shape: input)]
    if input[0] > 3 {
      // From 2 planes, so that it costs little.
      nodes = [Graph.Node(name: "data", operation: .input, inputs: [], shape: [2] + input.dropFirst())]
      let one = Extent(rows: 1, columns: 1)
      let spread = Convolution(
        filters: input[0], kernel: one, stride: one, padding: Extent(rows: 0, columns: 0), weight: "spread",
        bias: nil)
      arrays["spread"] = Parameters.Array(shape: [input[0], 2, 1, 1], values: noise.floats(input[0] * 2))
      nodes.append(Graph.Node(name: "spread", operation: .convolution(spread), inputs: [0], shape: input))
    }
    let height = (input[1] + 2 * padding.rows - kernel.rows) / stride.rows + 1
    let width = (input[2] + 2 * padding.columns - kernel.columns) / stride.columns + 1
    nodes.append(
      Graph.Node(
        name: "layer", operation: .convolution(convolution), inputs: [nodes.count - 1],
        shape: [filters, height, width]))
    nodes.append(
      Graph.Node(
        name: "row", operation: .flatten, inputs: [nodes.count - 1], shape: [filters * height * width]))
    return Trial(Graph(nodes: nodes, output: nodes.count - 1), Parameters(arrays))
  }

  func expectAgreement() throws {
    let trial = trial(seed: 41)
    var noise = Noise(seed: 42)
    // A term of the longest sum is some hundred times the bound.
    try trial.expectAgreement(noise.floats(trial.graph.inputShape.reduce(1, *)), tolerance: 3e-5)
  }
}

@Suite("The fast engine computes what the reference engine does") struct LayerShapeTests {
  @Test("for every convolution of the networks for large images", arguments: LayerShape.large)
  func large(_ shape: LayerShape) throws { try shape.expectAgreement() }

  @Test("for every convolution of the networks for small images", arguments: LayerShape.small)
  func small(_ shape: LayerShape) throws { try shape.expectAgreement() }

  @Test("of which there are as many as in the networks' tables")
  func counts() {
    #expect(LayerShape.large.count > 20)
    #expect(LayerShape.small.count > 10)
    #expect(
      LayerShape.large.contains { $0.input == [512, 7, 7] && $0.filters == 512 && $0.kernel.rows == 3 })
  }
}
