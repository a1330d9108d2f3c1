/// How an exponential moving average of a network's weights follows them.
///
/// Early on it follows faster, with a decay of (1 + n) / (10 + n) after n updates: it would else be of the first weights.
public struct MovingAverage: Hashable, Sendable {
  /// What stays of the average at each update, 0..<1.
  public var decay: Double

  public init(decay: Double) { self.decay = decay }

  /// What stays of it at an update.
  ///
  /// - Parameter updates: made so far, this one included.
  public func kept(updates: Int) -> Float {
    Float(min(decay, Double(1 + updates) / Double(10 + updates)))
  }
}
