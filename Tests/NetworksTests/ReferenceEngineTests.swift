import Models
import TestSupport
import Testing

@testable import Networks

@Suite("The reference engine") struct ReferenceEngineTests {
  /// The outputs of each node for one image, from the engine and from the plain loops, are equal within `tolerance`.
  private func expectEqual(_ maker: GraphMaker, tolerance: Double = 1e-5) throws {
    var maker = maker
    let image = maker.images(1)
    let engine = try ReferenceEngine(maker.graph, maker.parameters)
    let found = engine.nodeOutputs(image.span)
    let expected = try PlainNetwork(graph: maker.graph, parameters: maker.parameters).outputs(
      image.map(Double.init))
    for (node, (ours, plain)) in zip(maker.nodes, zip(found, expected)) {
      try #require(ours.count == plain.count)
      #expect(ours.count == node.shape.reduce(1, *))
      let worst = zip(ours, plain).map { abs(Double($0) - $1) }.max() ?? 0
      #expect(worst <= tolerance, "\(node.name) \(node.operation)")
    }
  }

  @Test(
    "computes convolutions as the definition does",
    arguments: [(1, 1), (3, 3), (1, 3), (5, 2)], [(1, 1), (2, 2), (3, 1)])
  func convolutions(_ kernel: (Int, Int), _ stride: (Int, Int)) throws {
    for (channels, padding, bias) in [(1, (0, 0), true), (3, (1, 1), false), (5, (2, 0), true)] {
      var maker = GraphMaker(seed: 11, input: [channels, 9, 7])
      _ = maker.convolution(0, filters: 4, kernel: kernel, stride: stride, padding: padding, bias: bias)
      try expectEqual(maker)
    }
  }

  @Test(
    "computes poolings as MXNet defines them",
    arguments: [Pooling.Kind.maximum, .average(countsPadding: true), .average(countsPadding: false)],
    [false, true])
  func poolings(_ kind: Pooling.Kind, _ roundsUp: Bool) throws {
    for (size, kernel, stride, padding) in [(5, 2, 2, 0), (7, 3, 2, 1), (8, 3, 3, 1), (4, 4, 1, 0)] {
      var maker = GraphMaker(seed: 12, input: [3, size, size + 1])
      _ = maker.pooling(
        0, kind, kernel: (kernel, kernel), stride: (stride, stride), padding: (padding, padding),
        roundsUp: roundsUp)
      try expectEqual(maker)
    }
    var whole = GraphMaker(seed: 13, input: [3, 5, 4])
    _ = whole.pooling(0, kind, isGlobal: true)
    try expectEqual(whole)
  }

  /// MXNet 1.9.1: mx.nd.Pooling(mx.nd.arange(25).reshape((1, 1, 5, 5)), stride=(2, 2), kernel=..., pad=...,
  /// pool_type=..., pooling_convention='full' or 'valid').
  @Test("pools a plane to MXNet's sizes")
  func knownPooling() throws {
    let plane = (0..<25).map(Float.init)
    let cases: [(Pooling.Kind, (Int, Int), (Int, Int), Bool, [Float])] = [
      (.maximum, (2, 2), (0, 0), true, [6, 8, 9, 16, 18, 19, 21, 23, 24]),
      (.average(countsPadding: true), (2, 2), (0, 0), true, [3, 5, 6.5, 13, 15, 16.5, 20.5, 22.5, 24]),
      (
        .average(countsPadding: false), (2, 2), (1, 1), true,
        [0, 1.5, 3.5, 0, 7.5, 9, 11, 0, 17.5, 19, 21, 0, 0, 0, 0, 0]
      ),
      (
        .average(countsPadding: true), (2, 2), (1, 1), true,
        [0, 0.75, 1.75, 0, 3.75, 9, 11, 0, 8.75, 19, 21, 0, 0, 0, 0, 0]
      ),
      (
        .average(countsPadding: true), (3, 3), (1, 1), false,
        [12.0 / 9, 27.0 / 9, 24.0 / 9, 63.0 / 9, 12, 81.0 / 9, 72.0 / 9, 117.0 / 9, 84.0 / 9]
      ),
    ]
    for (kind, kernel, padding, roundsUp, expected) in cases {
      var maker = GraphMaker(seed: 1, input: [1, 5, 5])
      _ = maker.pooling(0, kind, kernel: kernel, padding: padding, roundsUp: roundsUp)
      let found = try ReferenceEngine(maker.graph, maker.parameters).nodeOutputs(plane.span)[1]
      #expect(found == expected)
    }
  }

  @Test(
    "computes whole networks as the definitions do", arguments: [[3, 20, 20], [1, 17, 23], [4, 9, 31]])
  func networks(_ input: [Int]) throws {
    try expectEqual(.preActivation(seed: 14, input: input, classes: 5), tolerance: 5e-5)
  }

  @Test("computes a head for several labels, and one without biases")
  func heads() throws {
    var maker = GraphMaker(seed: 15, input: [2, 3, 3])
    let features = maker.flatten(0)
    _ = maker.sigmoid(maker.dense(features, outputs: 7))
    _ = maker.softmax(maker.dense(features, outputs: 3, bias: false))
    try expectEqual(maker)
  }

  @Test("gives each image of a batch what it gives the image alone")
  func batches() throws {
    var maker = GraphMaker.preActivation(seed: 16, input: [3, 16, 16], classes: 4)
    let images = maker.images(3)
    let engine = try ReferenceEngine(maker.graph, maker.parameters)
    var together = [Float](repeating: 0, count: 3 * 4)
    var outputs = together.mutableSpan
    engine.run(images.span, count: 3, into: &outputs)
    let each = images.count / 3
    for image in 0..<3 {
      let alone = engine.nodeOutputs(images.span.extracting(image * each..<(image + 1) * each)).last
      #expect(Array(together[image * 4..<(image + 1) * 4]) == alone)
    }
  }

  @Test(
    "lets NaN and infinity pass as MXNet does: through relu, not through max pooling, over all of softmax")
  func specialNumbers() throws {
    let plane: [Float] = [.nan, 1, -1, -.infinity, .infinity, -2, 0, 0, 3, .nan, 2, 1, 0, 1, 2, 3]
    var maker = GraphMaker(seed: 1, input: [1, 4, 4])
    let rectified = maker.relu(0)
    let largest = maker.pooling(0, .maximum, kernel: (2, 2), padding: (0, 0))
    let probabilities = maker.softmax(maker.flatten(0))
    let found = try ReferenceEngine(maker.graph, maker.parameters).nodeOutputs(plane.span)
    let kept = found[rectified].map { $0.isNaN ? -1 : $0 }
    #expect(kept == [-1, 1, 0, 0, .infinity, 0, 0, 0, 3, -1, 2, 1, 0, 1, 2, 3])
    #expect(found[largest] == [.infinity, 0, 3, 3])
    #expect(found[probabilities].allSatisfy { $0.isNaN })
    let nothing = [Float](repeating: -.infinity, count: 16)
    let least = try ReferenceEngine(maker.graph, maker.parameters).nodeOutputs(nothing.span)[largest]
    #expect(least == [Float](repeating: -.greatestFiniteMagnitude, count: 4))
  }

  @Test("does not start with a parameter that is missing or has another size")
  func badParameters() throws {
    var maker = GraphMaker(seed: 17, input: [2, 3, 3])
    _ = maker.dense(maker.flatten(0), outputs: 3)
    #expect(throws: ModelError("there is no parameter node2_weight")) {
      try ReferenceEngine(maker.graph, Parameters([:]))
    }
    var arrays = maker.arrays
    arrays["node2_bias"] = Parameters.Array(shape: [2], values: [0, 0])
    #expect(throws: ModelError("node2: node2_bias has 2 numbers; expected 3")) {
      try ReferenceEngine(maker.graph, Parameters(arrays))
    }
  }
}

@Suite("The engines") struct EngineTests {
  @Test("agree on a small residual network", arguments: [1, 2, 5])
  func agree(_ count: Int) throws {
    var maker = GraphMaker.preActivation(seed: 21, input: [3, 33, 41], classes: 6)
    let images = maker.images(count)
    let found = try Network.Engine.allCases.map { engine in
      let network = try Network(maker.graph, maker.parameters, engine: engine)
      var outputs = [Float](repeating: .nan, count: count * 6)
      var span = outputs.mutableSpan
      network.run(images.span, count: count, into: &span)
      return outputs
    }
    let worst = zip(found[0], found[1]).map { abs($0 - $1) }.max() ?? .infinity
    #expect(worst < 1e-5)
  }
}
