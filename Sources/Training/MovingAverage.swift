/// An exponential moving average (EMA) of a network's weights.
///
/// After n updates the decay is at most (1 + n) / (10 + n), so that the initial weights do not dominate the average.
public struct MovingAverage: Hashable, Sendable {
  /// The share of the old average that each update keeps, 0..<1.
  public var decay: Double

  public init(decay: Double) { self.decay = decay }

  /// The share of the old average that an update keeps.
  ///
  /// - Parameter updates: the number of updates so far, including this one.
  public func kept(updates: Int) -> Float {
    Float(min(decay, Double(1 + updates) / Double(10 + updates)))
  }
}
