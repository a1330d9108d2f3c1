import Glibc

/// The learning rate of each update of a training.
public struct Schedule: Hashable, Sendable {
  public enum Shape: String, CaseIterable, Sendable {
    /// MXNet's MultiFactorScheduler: multiplied by a factor after given epochs.
    case step
    /// MXNet's CosineScheduler: half a cosine down to 0.
    case cosine
    /// Up from a 25th and down to a 250,000th of the rate, by half a cosine each (Smith and Topin 2018).
    case oneCycle = "one_cycle"
  }
  public let shape: Shape
  public let rate: Double, factor: Double
  /// Updates after which `.step` multiplies.
  public let steps: [Int]
  /// Updates in which the rate rises.
  public let warmup: Int
  /// Updates of the whole training.
  public let total: Int

  /// - Parameter updatesPerEpoch: full batches of the training set.
  public init(_ hyperparameters: HyperparameterSet, updatesPerEpoch: Int) {
    shape = hyperparameters.lrSchedule
    rate = hyperparameters.learningRate
    factor = hyperparameters.lrSchedulerFactor
    steps = hyperparameters.lrSchedulerStep.map { Self.product($0, updatesPerEpoch) }
    total = Self.product(hyperparameters.epochs, updatesPerEpoch)
    let given = Self.product(hyperparameters.warmupEpochs, updatesPerEpoch)
    warmup = shape == .oneCycle && given == 0 ? total / 10 * 3 + total % 10 * 3 / 10 : given
  }

  /// A step beyond what can be counted never comes.
  private static func product(_ epochs: Int, _ updates: Int) -> Int {
    let (product, overflow) = epochs.multipliedReportingOverflow(by: updates)
    return overflow ? .max : product
  }

  /// - Parameter update: counts from 1 over the whole training, as MXNet's `num_update`: the number of the update that is
  ///   made with this rate.
  public func learningRate(update: Int) -> Double {
    if shape == .oneCycle { return oneCycle(update) }
    if update < warmup { return rate * Double(update) / Double(warmup) }
    if shape == .step {
      var rate = rate
      for step in steps where update > step { rate *= factor }
      return rate
    }
    let part = Double(min(update, total) - warmup) / Double(max(1, total - warmup))
    return rate * (1 + cos(.pi * part)) / 2
  }

  private func oneCycle(_ update: Int) -> Double {
    let least = rate / 25
    if update <= warmup { return least + (rate - least) * (1 - cos(.pi * share(update, of: warmup))) / 2 }
    let last = least / 10_000
    return last + (rate - last) * (1 + cos(.pi * share(min(update, total) - warmup, of: total - warmup))) / 2
  }

  private func share(_ part: Int, of whole: Int) -> Double { Double(part) / Double(max(1, whole)) }
}
