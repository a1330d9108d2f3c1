/// Stops a job that does worse than most did at the same point: SageMaker's early stopping of type Auto.
public struct MedianRule: Hashable, Sendable {
  public let direction: Direction
  /// Earlier jobs that must have come as far for a judgement.
  public let fewestJobs: Int
  /// The first epoch, counted from 1, that a job may be stopped at.
  public let firstEpoch: Int

  /// - Precondition: both numbers are at least 1.
  public init(_ direction: Direction, fewestJobs: Int = 5, firstEpoch: Int = 2) {
    precondition(fewestJobs >= 1 && firstEpoch >= 1, "a median of at least one job, at an epoch from 1 on")
    (self.direction, self.fewestJobs, self.firstEpoch) = (direction, fewestJobs, firstEpoch)
  }

  /// Whether a job is to be stopped: its last objective is worse than the median, over the earlier jobs that came as far,
  /// of each one's average up to the same epoch.
  ///
  /// - Parameters:
  ///   - curve: the job's objective after each of its epochs.
  ///   - earlier: the same of the jobs before it, stopped ones too.
  /// - Returns: as good as the median is not worse. NaN is worse than any number, and an earlier job with a NaN up to
  ///   that epoch is left out.
  public func stops(_ curve: [Double], earlier: [[Double]]) -> Bool {
    guard let last = curve.last, curve.count >= firstEpoch else { return false }
    let averages = earlier.filter { $0.count >= curve.count }
      .map { $0.prefix(curve.count).reduce(0, +) / Double(curve.count) }
      .filter(\.isFinite).sorted()
    guard averages.count >= fewestJobs else { return false }
    return last.isNaN || direction.isBetter(Targets.median(of: averages), than: last)
  }
}
