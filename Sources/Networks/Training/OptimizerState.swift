internal import CNetworks
import Models

/// What an optimiser keeps of the steps before, and its update.
final class OptimizerState: @unchecked Sendable {  // one step at a time
  private let optimizer: Optimizer
  private let learnt: LearntParameters
  /// Momentum, or the gradients' mean; and their mean square. As the parameters lie.
  private let first: FloatBuffer?, second: FloatBuffer?
  /// Parts of about 64 KiB, so that a large layer does not wait for one worker.
  private let pieces: [(range: Range<Int>, decays: Bool)]
  private(set) var updateCount = 0

  init(_ optimizer: Optimizer, _ learnt: LearntParameters) throws(OutOfMemory) {
    self.optimizer = optimizer
    self.learnt = learnt
    pieces = learnt.slots.flatMap { slot in
      stride(from: slot.range.lowerBound, to: slot.range.upperBound, by: 16_384).map {
        ($0..<min($0 + 16_384, slot.range.upperBound), slot.decays)
      }
    }
    let count = learnt.values.count
    switch optimizer {
    case .sgd, .nag: (first, second) = (try FloatBuffer(count: count), nil)
    case .adam: (first, second) = (try FloatBuffer(count: count), try FloatBuffer(count: count))
    case .rmsprop: (first, second) = (nil, try FloatBuffer(count: count))
    }
  }

  /// One update by the mean gradient of `images` images.
  func update(rate: Double, images: Int, _ workers: Workers, _ set: KernelSet) {
    updateCount += 1
    let rate = corrected(rate)
    workers.forEach(pieces.count) { piece, _ in
      let (range, decays) = self.pieces[piece]
      self.update(range, decays: decays, rate: rate, images: images, set)
    }
  }

  /// Adam's means begin at 0 and are too small at first.
  private func corrected(_ rate: Double) -> Double {
    guard case .adam(let beta1, let beta2, _) = optimizer else { return rate }
    var powers = (1.0, 1.0)
    for _ in 0..<min(updateCount, 1_000_000) {
      powers = (powers.0 * beta1, powers.1 * beta2)
      if powers.0 == 0, powers.1 == 0 { break }
    }
    return rate * (1 - powers.1).squareRoot() / (1 - powers.0)
  }

  private func update(_ range: Range<Int>, decays: Bool, rate: Double, images: Int, _ set: KernelSet) {
    var update = unsafe net_update(
      w: learnt.values.start + range.lowerBound, gradient: learnt.gradient.start + range.lowerBound,
      first: first.map { unsafe $0.start + range.lowerBound },
      second: second.map { unsafe $0.start + range.lowerBound }, n: range.count, rescale: 1 / Float(images),
      rate: Float(rate), decay: 0, momentum: 0, beta: 0, epsilon: 0)
    switch optimizer {
    case .sgd(let momentum, let decay):
      unsafe update.momentum = Float(momentum)
      unsafe update.decay = decays ? Float(decay) : 0
      unsafe set.backward.sgd(&update)
    case .nag(let momentum, let decay):
      unsafe update.momentum = Float(momentum)
      unsafe update.decay = decays ? Float(decay) : 0
      unsafe set.backward.nag(&update)
    case .adam(let beta1, let beta2, let epsilon):
      unsafe update.momentum = Float(beta1)
      unsafe update.beta = Float(beta2)
      unsafe update.epsilon = Float(epsilon)
      unsafe set.backward.adam(&update)
    case .rmsprop(let gamma, let epsilon):
      unsafe update.beta = Float(gamma)
      unsafe update.epsilon = Float(epsilon)
      unsafe set.backward.rmsprop(&update)
    }
  }

  /// What each of the two is called in a checkpoint.
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

  func arrays() -> [String: Parameters.Array] {
    var arrays: [String: Parameters.Array] = [:]
    for (name, buffer) in buffers {
      for slot in learnt.slots { arrays["\(name):\(slot.name)"] = learnt.array(slot, in: buffer) }
    }
    return arrays
  }

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
