import TestSupport
import Testing

@testable import Models

@Suite struct ResNetTests {
  /// Arrays and numbers of MXNet's networks for 257 classes and 3x224x224; nodes of their symbols.
  static let counts:
    [(depth: Int, arguments: Int, auxiliaries: Int, numbers: Int, statistics: Int, nodes: Int)] = [
      (18, 61, 38, 11_310_791, 7_942, 173), (34, 109, 70, 21_418_951, 15_366, 309),
      (50, 157, 102, 24_027_079, 45_574, 437), (101, 310, 204, 43_019_207, 97_798, 862),
      (152, 463, 306, 58_662_855, 143_878, 1287), (200, 607, 402, 63_143_879, 168_454, 1687),
      (269, 814, 540, 100_543_431, 245_254, 2262),
    ]

  @Test("each depth has as many arrays, numbers and nodes as MXNet's", arguments: counts)
  func count(
    _ row: (depth: Int, arguments: Int, auxiliaries: Int, numbers: Int, statistics: Int, nodes: Int)
  ) throws {
    let network = try ResNet(depth: row.depth, classCount: 257)
    let symbol = network.symbol
    let parameters = try network.graph.parameters
    let statistics = parameters.filter { $0.role == .mean || $0.role == .variance }
    #expect(symbol.nodes.count == row.nodes)
    #expect(statistics.count == row.auxiliaries)
    #expect(numbers(statistics) == row.statistics)
    // MXNet counts data and label, and the gamma of bn_data, which is fixed: no parameter of the graph.
    #expect(symbol.nodes.filter(\.isVariable).count - row.auxiliaries == row.arguments + 2)
    #expect(parameters.count - statistics.count + 1 == row.arguments)
    #expect(numbers(parameters) - numbers(statistics) + 3 == row.numbers)
  }

  private func numbers(_ parameters: [Graph.Parameter]) -> Int {
    parameters.reduce(0) { $0 + $1.shape.reduce(1, *) }
  }

  @Test("a symbol that is written is read to the same", arguments: ResNet.Version.allCases, [18, 50])
  func roundTrip(_ version: ResNet.Version, _ depth: Int) throws {
    let network = try ResNet(depth: depth, version: version, classCount: 10)
    let symbol = try Symbol(json: Array(network.symbol.json.utf8), label: "written")
    #expect(symbol.nodes == network.symbol.nodes)
    #expect(symbol.head == network.symbol.head)
    #expect(try Graph(symbol, inputShape: network.inputShape) == network.graph)
  }

  @Test("small images get three stages and no pooling in the stem", arguments: ResNet.smallDepths + [164])
  func small(_ depth: Int) throws {
    let graph = try ResNet(depth: depth, classCount: 10, inputShape: [1, 28, 28]).graph
    #expect(graph.inputShape == [1, 28, 28])
    #expect(graph.outputCount == 10)
    #expect(graph.nodes.filter { if case .pooling = $0.operation { true } else { false } }.count == 1)
    let last = try #require(graph.nodes.last { $0.operation == .add })
    #expect(last.shape == [depth < 164 ? 64 : 256, 7, 7])
  }

  @Test("an unknown depth is refused")
  func refused() {
    func message(_ make: () throws -> ResNet) -> String {
      do { return "\(try make())" } catch { return "\(error)" }
    }
    #expect(
      message { try ResNet(depth: 20) }
        == "there is no ResNet of depth 20; 18, 34, 50, 101, 152, 200 or 269 is expected")
    #expect(
      message { try ResNet(depth: 51, inputShape: [3, 28, 28]) }
        == "there is no ResNet of depth 51 for images of height 28 and less; 6 n + 2 below 164, such as 20, 32, 44, 56, 110, or "
        + "9 n + 2 is expected")
    #expect(
      message { try ResNet(depth: 18, classCount: 0) }
        == "there is no ResNet for 0 classes and images of shape (3, 224, 224); 1 class or more and channels, height, width are "
        + "expected")
  }

  @Test(
    "random parameters fit the network and are the same for the same seed", arguments: ResNet.Version.allCases
  )
  func random(_ version: ResNet.Version) throws {
    let graph = try ResNet(depth: 20, version: version, classCount: 10, inputShape: [3, 28, 28]).graph
    var generator = SplitMix64(seed: 7)
    let parameters = Parameters(randomFor: graph, using: &generator)
    try graph.check(parameters)
    #expect(try parameters.nonFiniteNames().isEmpty)
    generator = SplitMix64(seed: 7)
    let again = Parameters(randomFor: graph, using: &generator)
    for name in parameters.names { #expect(try parameters.values(of: name) == again.values(of: name)) }
    #expect(try Set(parameters.values(of: "fc1_bias")).count == 10)
  }
}
