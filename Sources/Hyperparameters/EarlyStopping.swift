/// SageMaker's early stopping.
///
/// An epoch is an improvement where the accuracy rises by at least `tolerance` of the best one so far. After `patience`
/// epochs in a row without one, but not before `leastEpochs`, the training ends.
public struct EarlyStopping: Hashable, Sendable {
  public var leastEpochs = 10
  public var patience = 5
  /// 0...1.
  public var tolerance = 0.0

  public init(leastEpochs: Int = 10, patience: Int = 5, tolerance: Double = 0) {
    self.leastEpochs = leastEpochs
    self.patience = patience
    self.tolerance = tolerance
  }

  /// What it remembers from epoch to epoch.
  public struct State: Hashable, Sendable, Codable {
    public var best: Double?
    /// Epochs in a row without improvement.
    public var waited = 0

    public init() {}
  }

  /// - Parameter epochs: done, this one included.
  /// - Returns: whether to end.
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
