import Glibc
import Models
import TestSupport
import Testing

@testable import Networks

/// A network, a batch and what each image should give.
private struct Lesson {
  let graph: Graph
  let parameters: Parameters
  let images: [Float]
  let targets: [Float]
  let count: Int
  let positiveWeights: [Float]?

  init(_ maker: GraphMaker, count: Int, manyLabels: Bool = false, positiveWeights: [Float]? = nil) {
    self.positiveWeights = positiveWeights
    var maker = maker
    graph = maker.graph
    parameters = maker.parameters
    self.count = count
    images = maker.images(count)
    let outputs = graph.outputCount
    targets = (0..<count * outputs).map {
      manyLabels ? ($0 % 3 == 0 ? 1 : 0) : ($0 % outputs == $0 / outputs * 2 % outputs ? 1 : 0)
    }
  }

  func trainer(
    _ optimizer: Optimizer = .sgd(momentum: 0.9, weightDecay: 0.01), kernels: String? = nil, threads: Int = 2,
    batch: Int? = nil
  ) throws -> Trainer {
    try Trainer(
      graph, parameters, batch: batch ?? count, optimizer: optimizer, positiveWeights: positiveWeights,
      workers: Workers(count: threads), kernels: kernels)
  }

  func gradients(_ trainer: Trainer) -> [String: Parameters.Array] {
    var outputs = [Float](repeating: 0, count: targets.count)
    var span = outputs.mutableSpan
    return trainer.gradients(images.span, targets: targets.span, count: count, outputs: &span).arrays
  }

  @discardableResult func step(_ trainer: Trainer, rate: Double = 0.05) throws -> Double {
    var outputs = [Float](repeating: 0, count: targets.count)
    var span = outputs.mutableSpan
    return try trainer.step(
      images.span, targets: targets.span, count: count, learningRate: rate, outputs: &span
    ).loss
  }

  /// The loss of all images in double precision, with some arrays changed.
  func loss(_ changed: [String: [Double]]) throws -> Double {
    var plain = PlainNetwork(graph: graph, parameters: parameters)
    plain.changed = changed
    let size = graph.inputShape.reduce(1, *)
    let batch = (0..<count).map { images[$0 * size..<($0 + 1) * size].map(Double.init) }
    let outputs = try plain.trainingOutputs(batch)[graph.output]
    let isSigmoid = graph.nodes[graph.output].operation == .sigmoid
    var loss = 0.0
    for (image, row) in outputs.enumerated() {
      for (index, probability) in row.enumerated() {
        let target = Double(targets[image * row.count + index])
        let weight = Double(positiveWeights?[index] ?? 1)
        if target != 0 { loss -= weight * target * log(probability) }
        if isSigmoid, target != 1 { loss -= (1 - target) * log(1 - probability) }
      }
    }
    return isSigmoid ? loss / Double(graph.outputCount) : loss
  }

  /// For each learnt array a random direction, and the derivative of the loss along it.
  func slopes() throws -> [String: (direction: [Double], slope: Double)] {
    var random = SplitMix64(seed: 99)
    var slopes: [String: (direction: [Double], slope: Double)] = [:]
    for parameter in learnt {
      let values = try parameters.values(of: parameter.name).map(Double.init)
      let direction = random.floats(values.count).map(Double.init)
      let step = 1e-6
      func moved(_ by: Double) -> [Double] { values.indices.map { values[$0] + by * direction[$0] } }
      let rise = try loss([parameter.name: moved(step)]) - loss([parameter.name: moved(-step)])
      slopes[parameter.name] = (direction, rise / (2 * step))
    }
    return slopes
  }

  private var learnt: [Graph.Parameter] {
    graph.parameters.filter { $0.role != .mean && $0.role != .variance }
  }

  /// That each kernel set, on one thread and on several, finds gradients that have these slopes.
  func expectSlopes() throws {
    let slopes = try slopes()
    for kernels in NetworkKernels.singlePrecision.map(\.name) {
      for threads in [1, 3] {
        let found = gradients(try trainer(kernels: kernels, threads: threads))
        #expect(Set(found.keys) == Set(learnt.map(\.name)))
        for parameter in learnt {
          let gradient = try #require(found[parameter.name])
          let (direction, slope) = try #require(slopes[parameter.name])
          #expect(gradient.shape == parameter.shape)
          let product = direction.indices.reduce(0.0) { $0 + Double(gradient.values[$1]) * direction[$1] }
          let length = gradient.values.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()
          #expect(
            abs(slope - product) <= 2e-4 * max(length, 1e-3),
            "\(kernels), \(threads) threads, \(parameter.name): \(product), not \(slope)")
        }
      }
    }
  }
}

/// Post-activation units, a shortcut with a BatchNorm of its own, a sum that is read twice.
private func postActivation(seed: UInt64) -> GraphMaker {
  var maker = GraphMaker(seed: seed, input: [3, 7, 6])
  var body = maker.relu(maker.batchNorm(maker.convolution(0, filters: 8)))
  for (filters, stride) in [(20, 2), (20, 1)] {
    var inner = maker.convolution(
      body, filters: filters, kernel: (1, 1), stride: (stride, stride), padding: (0, 0))
    inner = maker.batchNorm(maker.convolution(maker.relu(maker.batchNorm(inner)), filters: filters))
    let short =
      stride == 1
      ? body
      : maker.batchNorm(
        maker.convolution(body, filters: filters, kernel: (1, 1), stride: (2, 2), padding: (0, 0)))
    body = maker.relu(maker.add(inner, short))
  }
  body = maker.pooling(body, .average(countsPadding: true), isGlobal: true)
  _ = maker.softmax(maker.dense(maker.flatten(body), outputs: 5))
  return maker
}

/// Kernels and strides that no ResNet has.
private func oddKernels(seed: UInt64) -> GraphMaker {
  var maker = GraphMaker(seed: seed, input: [2, 17, 19])
  var body = maker.convolution(0, filters: 7, kernel: (2, 3), stride: (1, 2), padding: (0, 1))
  body = maker.convolution(
    maker.relu(maker.batchNorm(body)), filters: 18, kernel: (5, 4), stride: (3, 2), padding: (2, 1))
  body = maker.pooling(
    maker.relu(maker.batchNorm(body)), .average(countsPadding: false), kernel: (2, 2), stride: (1, 1),
    padding: (1, 0))
  body = maker.convolution(body, filters: 33, kernel: (3, 3), padding: (0, 0))
  body = maker.convolution(maker.relu(body), filters: 9, kernel: (2, 2), stride: (3, 3), padding: (1, 1))
  body = maker.pooling(maker.batchNorm(body), .average(countsPadding: true), isGlobal: true)
  _ = maker.sigmoid(maker.dense(maker.flatten(body), outputs: 4, bias: false))
  return maker
}

struct TrainerTests {
  @Test("gradients of a pre-activation network are the slopes of its loss")
  func preActivationGradients() throws {
    try Lesson(.preActivation(seed: 3, input: [3, 19, 14], classes: 6), count: 3).expectSlopes()
  }

  @Test("gradients of a post-activation network are the slopes of its loss")
  func postActivationGradients() throws { try Lesson(postActivation(seed: 5), count: 4).expectSlopes() }

  @Test("gradients of odd kernels, strides and many labels are the slopes of the loss")
  func oddGradients() throws { try Lesson(oddKernels(seed: 8), count: 3, manyLabels: true).expectSlopes() }

  @Test("gradients are the slopes of the loss where each class's yes has a weight of its own")
  func weightedGradients() throws {
    try Lesson(oddKernels(seed: 8), count: 3, manyLabels: true, positiveWeights: [0.25, 1, 7, 30])
      .expectSlopes()
  }

  @Test("the weighted loss is what its gradients are the slopes of")
  func weightedLoss() throws {
    let weights: [Float] = [0.25, 1, 7, 30]
    let lesson = Lesson(oddKernels(seed: 8), count: 3, manyLabels: true, positiveWeights: weights)
    let (found, expected) = (try lesson.step(lesson.trainer()), try lesson.loss([:]) / 3)
    #expect(abs(found - expected) < 1e-4 * expected)
    let plain = Lesson(oddKernels(seed: 8), count: 3, manyLabels: true)
    #expect(try plain.step(plain.trainer()) != found)
  }

  @Test("the same steps give the same bits")
  func repeatable() throws {
    let lesson = Lesson(.preActivation(seed: 4, input: [3, 24, 24], classes: 5), count: 5)
    let (one, other) = (try lesson.trainer(), try lesson.trainer())
    for _ in 0..<3 { #expect(try lesson.step(one) == lesson.step(other)) }
    #expect(try one.parameters().bits == other.parameters().bits)
  }

  @Test(
    "a trainer that is given another's state goes on with the same bits",
    arguments: [
      Optimizer.sgd(momentum: 0.9, weightDecay: 0.01), .nag(momentum: 0.9, weightDecay: 0.01),
      .adam(beta1: 0.9, beta2: 0.99, epsilon: 1e-3), .rmsprop(gamma: 0.9, epsilon: 1e-3),
    ])
  func restored(optimizer: Optimizer) throws {
    let lesson = Lesson(.preActivation(seed: 6, input: [3, 20, 20], classes: 5), count: 4)
    let first = try lesson.trainer(optimizer)
    for _ in 0..<2 { try lesson.step(first) }
    let (arrays, updateCount) = first.optimizerState()
    #expect(updateCount == 2)
    let second = try lesson.trainer(optimizer)
    try second.restore(first.parameters(), optimizerState: arrays, updateCount: updateCount)
    for _ in 0..<2 { #expect(try lesson.step(first) == lesson.step(second)) }
    #expect(try first.parameters().bits == second.parameters().bits)
  }

  @Test(
    "the moving average is the sum over the steps' weights and statistics, to the bit", arguments: [1, 3])
  func averaged(_ threads: Int) throws {
    let lesson = Lesson(.preActivation(seed: 6, input: [3, 20, 20], classes: 5), count: 4)
    let trainer = try lesson.trainer(threads: threads)
    #expect(trainer.average() == nil)
    var expected: [String: [Float]] = [:]
    for name in lesson.parameters.names { expected[name] = try lesson.parameters.values(of: name) }
    try trainer.startAverage(lesson.parameters)
    for kept in [0.25, 0.9] as [Float] {
      try lesson.step(trainer)
      trainer.updateAverage(keeping: kept)
      let now = try trainer.parameters()
      for (name, values) in expected {
        expected[name] = try zip(values, now.values(of: name)).map { kept * $0 + (1 - kept) * $1 }
      }
    }
    let found = try #require(trainer.average())
    #expect(try found.bits == expected.mapValues { $0.map(\.bitPattern) })
    let other = try lesson.trainer()
    try other.startAverage(found)
    #expect(try other.average()?.bits == found.bits)
  }

  @Test("a state with an array missing is refused by its name")
  func incomplete() throws {
    let lesson = Lesson(.preActivation(seed: 6, input: [3, 20, 20], classes: 5), count: 4)
    let trainer = try lesson.trainer()
    var arrays = trainer.optimizerState().arrays
    let name = try #require(arrays.keys.sorted().first)
    arrays[name] = nil
    #expect {
      try trainer.restore(lesson.parameters, optimizerState: arrays, updateCount: 0)
    } throws: { "\($0)".contains(name.dropFirst("momentum:".count)) }
  }

  @Test("a loss falls when the same batch is learnt again and again")
  func learns() throws {
    let lesson = Lesson(.preActivation(seed: 7, input: [3, 24, 24], classes: 5), count: 6)
    let trainer = try lesson.trainer()
    let first = try lesson.step(trainer)
    var last = first
    for _ in 0..<15 { last = try lesson.step(trainer) }
    #expect(last < first / 4)
  }

  @Test("moving statistics follow those of the batch by the BatchNorm's momentum")
  func movingStatistics() throws {
    var maker = GraphMaker(seed: 2, input: [3, 8, 8])
    var body = maker.batchNorm(0, fixesGamma: true)
    body = maker.convolution(body, filters: 4)
    body = maker.pooling(maker.relu(maker.batchNorm(body)), .average(countsPadding: true), isGlobal: true)
    _ = maker.softmax(maker.dense(maker.flatten(body), outputs: 3))
    let lesson = Lesson(maker, count: 2)
    let trainer = try lesson.trainer()
    try lesson.step(trainer)
    let after = try trainer.parameters()
    guard case .batchNorm(let norm) = lesson.graph.nodes[1].operation else { return }
    for channel in 0..<3 {
      let plane = [channel, channel + 3].flatMap { plane -> [Double] in
        lesson.images[plane * 64..<(plane + 1) * 64].map(Double.init)
      }
      let mean = plane.reduce(0, +) / Double(plane.count)
      let variance = plane.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(plane.count)
      for (name, value) in [(norm.mean, mean), (norm.variance, variance)] {
        let before = Double(try lesson.parameters.values(of: name)[channel])
        let found = Double(try after.values(of: name)[channel])
        #expect(abs(found - (0.9 * before + 0.1 * value)) < 1e-6)
      }
    }
  }

  @Test("fewer images than a batch form a batch of their own")
  func lastBatch() throws {
    let lesson = Lesson(.preActivation(seed: 9, input: [3, 20, 20], classes: 5), count: 3)
    let (exact, larger) = (try lesson.trainer(), try lesson.trainer(batch: 7))
    #expect(try lesson.step(exact) == lesson.step(larger))
    #expect(try exact.parameters().bits == larger.parameters().bits)
  }

  @Test("a layer that cannot be trained is named")
  func unsupported() throws {
    var maker = GraphMaker(seed: 1, input: [3, 8, 8])
    let body = maker.convolution(0, filters: 4, bias: true)
    let pooled = maker.pooling(body, .average(countsPadding: true), isGlobal: true)
    _ = maker.softmax(maker.dense(maker.flatten(pooled), outputs: 3))
    let lesson = Lesson(maker, count: 1)
    #expect { try lesson.trainer() } throws: { "\($0)".contains("node1") }
  }
}

extension Parameters {
  /// Every number's bits, by name.
  fileprivate var bits: [String: [UInt32]] {
    get throws {
      var found: [String: [UInt32]] = [:]
      for name in names { found[name] = try values(of: name).map(\.bitPattern) }
      return found
    }
  }
}
