import Glibc

/// The learning-rate schedule: the learning rate of each update of a training.
public struct Schedule: Hashable, Sendable {
  public enum Shape: String, CaseIterable, Sendable {
    /// MXNet's MultiFactorScheduler: the rate is multiplied by a factor after given epochs.
    case step
    /// MXNet's CosineScheduler: the rate falls to 0 along half a cosine.
    case cosine
    /// One-cycle policy: the rate rises from a 25th and falls to a 250,000th of `rate`, along half a cosine each (Smith
    /// and Topin 2018).
    case oneCycle = "one_cycle"
  }
  public let shape: Shape
  /// The base (or peak) learning rate, and what `.step` multiplies it by.
  public let rate: Double, factor: Double
  /// Updates after which `.step` multiplies the rate.
  public let steps: [Int]
  /// Updates of the warm-up, in which the rate rises.
  public let warmup: Int
  /// Updates of the whole training.
  public let total: Int

  /// - Parameter updatesPerEpoch: full global batches in an epoch.
  public init(_ hyperparameters: HyperparameterSet, updatesPerEpoch: Int) {
    shape = hyperparameters.lrSchedule
    rate = hyperparameters.learningRate
    factor = hyperparameters.lrSchedulerFactor
    steps = hyperparameters.lrSchedulerStep.map { Self.product($0, updatesPerEpoch) }
    total = Self.product(hyperparameters.epochs, updatesPerEpoch)
    let given = Self.product(hyperparameters.warmupEpochs, updatesPerEpoch)
    warmup = shape == .oneCycle && given == 0 ? total / 10 * 3 + total % 10 * 3 / 10 : given
  }

  /// Saturates at `Int.max`: an update with that number is never reached.
  private static func product(_ epochs: Int, _ updates: Int) -> Int {
    let (product, overflow) = epochs.multipliedReportingOverflow(by: updates)
    return overflow ? .max : product
  }

  /// The learning rate of an update.
  ///
  /// - Parameter update: counts from 1 over the whole training, like MXNet's `num_update`.
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
