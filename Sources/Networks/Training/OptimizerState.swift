internal import CNetworks
import Models

/// An optimiser's update, and what it remembers of the steps before.
final class OptimizerState: @unchecked Sendable {  // one step at a time
  private let optimizer: Optimizer
  private let learnt: LearntParameters
  /// Momentum or the gradients' moving mean, and their moving mean square, in the layout of the parameters.
  private let first: FloatBuffer?, second: FloatBuffer?
  /// Pieces of at most `pieceSize` floats, so that a large layer does not wait for one worker.
  private let pieces: [(range: Range<Int>, decays: Bool)]
  /// Steps that were made.
  private(set) var updateCount = 0

  /// 64 KiB.
  static let pieceSize = 16_384

  /// - Throws: `OutOfMemory`.
  init(_ optimizer: Optimizer, _ learnt: LearntParameters) throws(OutOfMemory) {
    self.optimizer = optimizer
    self.learnt = learnt
    pieces = learnt.slots.flatMap { slot in
      stride(from: slot.range.lowerBound, to: slot.range.upperBound, by: Self.pieceSize).map {
        ($0..<min($0 + Self.pieceSize, slot.range.upperBound), slot.decays)
      }
    }
    let count = learnt.values.count
    switch optimizer {
    case .sgd, .nag: (first, second) = (try FloatBuffer(count: count), nil)
    case .adam: (first, second) = (try FloatBuffer(count: count), try FloatBuffer(count: count))
    case .rmsprop: (first, second) = (nil, try FloatBuffer(count: count))
    }
  }

  /// One step along the mean gradient of `images` images.
  func update(rate: Double, images: Int, _ workers: Workers, _ set: NetworkKernels) {
    updateCount += 1
    let rate = corrected(rate)
    workers.forEach(pieces.count) { piece, _ in
      let (range, decays) = self.pieces[piece]
      self.update(range, decays: decays, rate: rate, images: images, set)
    }
  }

  /// The rate, corrected for Adam's means, which begin at 0 and so are too small at first.
  private func corrected(_ rate: Double) -> Double {
    guard case .adam(let beta1, let beta2, _) = optimizer else { return rate }
    var powers = (1.0, 1.0)
    for _ in 0..<min(updateCount, 1_000_000) {
      powers = (powers.0 * beta1, powers.1 * beta2)
      if powers.0 == 0, powers.1 == 0 { break }
    }
    return rate * (1 - powers.1).squareRoot() / (1 - powers.0)
  }

  private func update(_ range: Range<Int>, decays: Bool, rate: Double, images: Int, _ set: NetworkKernels) {
    var update = unsafe net_update(
      w: learnt.values.start + range.lowerBound, gradient: learnt.gradient.start + range.lowerBound,
      first: first.map { unsafe $0.start + range.lowerBound },
      second: second.map { unsafe $0.start + range.lowerBound }, n: range.count, rescale: 1 / Float(images),
      rate: Float(rate), decay: 0, momentum: 0, beta: 0, epsilon: 0)
    switch optimizer {
    case .sgd(let momentum, let decay):
      unsafe update.momentum = Float(momentum)
      unsafe update.decay = decays ? Float(decay) : 0
      unsafe set.training.sgd(&update)
    case .nag(let momentum, let decay):
      unsafe update.momentum = Float(momentum)
      unsafe update.decay = decays ? Float(decay) : 0
      unsafe set.training.nag(&update)
    case .adam(let beta1, let beta2, let epsilon):
      unsafe update.momentum = Float(beta1)
      unsafe update.beta = Float(beta2)
      unsafe update.epsilon = Float(epsilon)
      unsafe set.training.adam(&update)
    case .rmsprop(let gamma, let epsilon):
      unsafe update.beta = Float(gamma)
      unsafe update.epsilon = Float(epsilon)
      unsafe set.training.rmsprop(&update)
    }
  }

  /// What the optimiser remembers, each with its name in a checkpoint.
  private var buffers: [(name: String, buffer: FloatBuffer)] {
    var found: [(String, FloatBuffer)] = []
    switch optimizer {
    case .sgd, .nag: if let first { found.append(("momentum", first)) }
    case .adam, .rmsprop:
      if let first { found.append(("mean", first)) }
      if let second { found.append(("variance", second)) }
    }
    return found
  }

  /// What a checkpoint needs, under names such as "momentum:NAME".
  func arrays() -> [String: Parameters.Array] {
    var arrays: [String: Parameters.Array] = [:]
    for (name, buffer) in buffers {
      for slot in learnt.slots { arrays["\(name):\(slot.name)"] = learnt.array(slot, in: buffer) }
    }
    return arrays
  }

  /// - Throws: a `ModelError` if an array is missing or has another shape.
  func restore(_ arrays: [String: Parameters.Array], updateCount: Int) throws(ModelError) {
    for (name, buffer) in buffers {
      for slot in learnt.slots {
        guard let array = arrays["\(name):\(slot.name)"] else {
          throw ModelError("the optimiser's \(name) of \(slot.name) is missing")
        }
        try learnt.set(slot, in: buffer, to: array)
      }
    }
    self.updateCount = updateCount
  }
}

/// An exponential moving average of what a network learns, and of its moving statistics. It has the layout of the
/// weights, so that a step is one pass over both.
final class WeightAverage: @unchecked Sendable {  // one step at a time, and each worker its own piece
  private let learnt: LearntParameters
  private let norms: [Normalization]
  private let values: FloatBuffer
  /// For each BatchNorm, its means, then its variances.
  private var statistics: [[Float]]

  /// - Throws: a `ModelError` if an array is missing or has another shape; `OutOfMemory`.
  init(_ learnt: LearntParameters, _ norms: [Normalization], startingAt start: Parameters) throws {
    self.learnt = learnt
    self.norms = norms.filter { $0.statistics != nil }
    values = try FloatBuffer(count: learnt.values.count)
    statistics = []
    try learnt.set(start, in: values)
    for norm in self.norms {
      guard let names = norm.statistics else { continue }
      statistics.append(try start.values(of: names.mean) + start.values(of: names.variance))
    }
  }

  /// average = kept * average + (1 - kept) * current.
  func update(keeping kept: Float, _ workers: Workers) {
    let (count, piece) = (values.count, OptimizerState.pieceSize)
    workers.forEach((count + piece - 1) / piece) { index, _ in
      let (average, now) = unsafe (self.values.start, self.learnt.values.start)
      for place in index * piece..<min(count, (index + 1) * piece) {
        unsafe average[place] = kept * average[place] + (1 - kept) * now[place]
      }
    }
    for (index, norm) in norms.enumerated() {
      for (place, now) in (norm.movingMean + norm.movingVariance).enumerated() {
        statistics[index][place] = kept * statistics[index][place] + (1 - kept) * now
      }
    }
  }

  /// The average, under the parameters' names.
  func arrays() -> [String: Parameters.Array] {
    var arrays = learnt.arrays(in: values)
    for (norm, both) in zip(norms, statistics) {
      guard let names = norm.statistics else { continue }
      let count = both.count / 2
      arrays[names.mean] = Parameters.Array(shape: [count], values: Array(both[..<count]))
      arrays[names.variance] = Parameters.Array(shape: [count], values: Array(both[count...]))
    }
    return arrays
  }
}
