/// The early stopping rule of SageMaker's algorithm.
///
/// An epoch is an improvement if its accuracy exceeds the best so far, by at least the fraction `tolerance` of it.
/// Training ends after `patience` epochs in a row without an improvement, but not before `leastEpochs`.
public struct EarlyStopping: Hashable, Sendable {
  /// Epochs before which training never stops early.
  public var leastEpochs = 10
  /// Epochs in a row without an improvement.
  public var patience = 5
  /// The relative improvement that counts, 0...1.
  public var tolerance = 0.0

  public init(leastEpochs: Int = 10, patience: Int = 5, tolerance: Double = 0) {
    self.leastEpochs = leastEpochs
    self.patience = patience
    self.tolerance = tolerance
  }

  /// What the rule remembers between epochs; part of a checkpoint.
  public struct State: Hashable, Sendable, Codable {
    /// The best accuracy so far; nil before the first epoch.
    public var best: Double?
    /// Epochs in a row without an improvement.
    public var waited = 0

    public init() {}
  }

  /// Takes the validation accuracy of an epoch into account.
  ///
  /// - Parameter epochs: completed epochs, including this one.
  /// - Returns: whether training should stop.
  public func isOver(after epochs: Int, accuracy: Double, _ state: inout State) -> Bool {
    if let best = state.best, accuracy <= best || (best > 0 && (accuracy - best) / best < tolerance) {
      state.waited += 1
    } else {
      state.best = accuracy
      state.waited = 0
    }
    return epochs >= leastEpochs && state.waited >= patience
  }
}
