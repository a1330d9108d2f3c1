import Models
import RankTestSupport
import TestSupport
import Testing

@testable import Networks

/// Steps of a network whose images lie on several ranks.
private struct Shared {
  let graph: Graph
  let parameters: Parameters
  private(set) var images: [Float]
  let targets: [Float]
  let optimizer: Optimizer
  static let count = 6

  init(_ maker: GraphMaker, _ optimizer: Optimizer = .sgd(momentum: 0.9, weightDecay: 0.01)) {
    var maker = maker
    (graph, parameters) = (maker.graph, maker.parameters)
    images = maker.images(Self.count)
    let width = maker.graph.outputCount
    targets = (0..<Self.count * width).map { $0 % width == $0 / width * 2 % width ? 1 : 0 }
    self.optimizer = optimizer
  }

  /// Makes the images brighter.
  mutating func shift(by brightness: Float) { for place in images.indices { images[place] += brightness } }

  struct Outcome: Sendable {
    var losses: [Double] = []
    var outputs: [Float] = []
    var parameters: [String: Parameters.Array] = [:]
    var begun: [Range<Int>] = []
    var advances = 0
  }

  /// - Parameter parts: of each step, the images that this rank has.
  func learn(_ parts: [Range<Int>], threads: Int = 2, _ exchange: LocalExchange?) throws -> Outcome {
    let trainer = try Trainer(
      graph, parameters, batch: Self.count, optimizer: optimizer, workers: Workers(count: threads),
      exchange: exchange)
    var outcome = Outcome()
    let (size, width) = (graph.inputShape.reduce(1, *), graph.outputCount)
    for part in parts {
      let own = Array(images[part.lowerBound * size..<part.upperBound * size])
      let truths = Array(targets[part.lowerBound * width..<part.upperBound * width])
      outcome.outputs = [Float](repeating: 0, count: part.count * width)
      var span = outcome.outputs.mutableSpan
      let step = try trainer.step(
        own.span, targets: truths.span, count: part.count, learningRate: 0.05, outputs: &span)
      outcome.losses.append(step.loss)
    }
    outcome.parameters = try trainer.parameters().arraysInMemory()
    outcome.begun = exchange?.begun ?? []
    outcome.advances = exchange?.advances ?? 0
    return outcome
  }
}

/// A network whose first layer normalises the images.
private func normalisingImages() -> GraphMaker {
  var maker = GraphMaker(seed: 2, input: [3, 12, 12])
  var body = maker.batchNorm(0, fixesGamma: true)
  body = maker.convolution(body, filters: 8)
  body = maker.pooling(maker.relu(maker.batchNorm(body)), .average(countsPadding: true), isGlobal: true)
  _ = maker.softmax(maker.dense(maker.flatten(body), outputs: 5))
  return maker
}

@Suite("Ranks that learn together")
struct RankTests {
  /// How the six images lie on the ranks.
  private static let splits: [[Range<Int>]] = [
    [0..<3, 3..<6], [0..<5, 5..<6], [0..<6, 6..<6], [0..<0, 0..<6], [0..<2, 2..<4, 4..<6],
    [0..<1, 1..<1, 1..<6],
  ]

  @Test("learn what one learns that has all their images, and all the same bits", arguments: splits)
  func equality(_ split: [Range<Int>]) throws {
    try expectEquality(
      Shared(.preActivation(seed: 4, input: [3, 20, 17], classes: 5)), split, steps: 3)
  }

  @Test(
    "learn the same with every optimizer",
    arguments: [
      Optimizer.nag(momentum: 0.9, weightDecay: 0.01), .adam(beta1: 0.9, beta2: 0.99, epsilon: 1e-2),
      .rmsprop(gamma: 0.9, epsilon: 1e-2),
    ])
  func optimizers(_ optimizer: Optimizer) throws {
    let shared = Shared(.preActivation(seed: 5, input: [3, 20, 20], classes: 5), optimizer)
    try expectEquality(shared, [0..<3, 3..<6], steps: 2)
  }

  @Test("do so where the images are normalised, with a mean that is large beside the deviation")
  func normalisedImages() throws {
    var shared = Shared(normalisingImages())
    shared.shift(by: 2000)
    try expectEquality(shared, [0..<2, 2..<6], steps: 3)
  }

  private func expectEquality(_ shared: Shared, _ split: [Range<Int>], steps: Int) throws {
    let whole = try shared.learn(Array(repeating: 0..<Shared.count, count: steps), nil)
    let ranks = try withLocalRanks(split.count) { exchange in
      try shared.learn(Array(repeating: split[exchange.rank], count: steps), exchange)
    }.map { try $0.get() }
    for rank in ranks {
      #expect(rank.parameters == ranks[0].parameters, "bit for bit")
      for (name, array) in whole.parameters {
        let found = try #require(rank.parameters[name]?.values)
        let scale = array.values.reduce(1e-3) { max($0, abs($1)) }
        let worst = zip(found, array.values).reduce(Float(0)) { max($0, abs($1.0 - $1.1)) }
        #expect(worst <= 2e-5 * scale, "\(name): \(worst) of \(scale)")
      }
      for (loss, expected) in zip(rank.losses, whole.losses) { #expect(abs(loss - expected) < 1e-5) }
    }
    let outputs = ranks.flatMap(\.outputs)
    #expect(zip(outputs, whole.outputs).allSatisfy { abs($0 - $1) < 1e-5 })
    #expect(outputs.count == whole.outputs.count)
  }

  @Test(
    "send the gradient in pieces while the backward pass goes on, each number once",
    arguments: [1, 500, 4000, .max])
  func buckets(_ size: Int) throws {
    let shared = Shared(.preActivation(seed: 4, input: [3, 20, 17], classes: 5))
    let ranks = try withLocalRanks(2, bucketSize: size) { exchange in
      try shared.learn([exchange.rank * 3..<exchange.rank * 3 + 3], exchange)
    }.map { try $0.get() }
    let count = try LearntParameters(shared.graph, .best).gradient.count
    for rank in ranks {
      #expect(rank.begun.first?.upperBound == count && rank.begun.last?.lowerBound == 0)
      for (one, next) in zip(rank.begun, rank.begun.dropFirst()) {
        #expect(next.upperBound == one.lowerBound && one.count >= size)
      }
      // There is a layer to go on beside.
      #expect(rank.begun.count == 1 ? size == .max : rank.begun.count > 2)
      #expect(rank.advances > 5)
    }
  }

  @Test("a single image after a large batch gives the same outputs, on more threads than images")
  func fewerImages() throws {
    let shared = Shared(normalisingImages())
    let (few, many) = (
      try shared.learn([0..<6, 0..<1], threads: 1, nil), try shared.learn([0..<6, 0..<1], threads: 4, nil)
    )
    for (name, array) in few.parameters {
      let found = try #require(many.parameters[name]?.values)
      #expect(zip(found, array.values).allSatisfy { abs($0 - $1) <= 1e-5 * max(1, abs($1)) }, "\(name)")
    }
  }
}
