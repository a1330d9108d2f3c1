public import Hyperparameters

/// The report of a training as one HTML file; what holds for `ScoreReport` holds for it: complete without its script, no
/// request to anywhere, the same bytes for the same figures.
public struct TrainingReport: Sendable {
  public var epochs: [EpochRecord] = []
  /// The epoch that was stored as the best.
  public var bestEpoch: Int?
  /// The one that was asked for at most.
  public var epochCount = 0
  /// Of the validation's second accuracy.
  public var topK: Int?
  public var isMultiLabel = false
  public var hasStoppedEarly = false
  /// Each value that has an effect, in the order of the log.
  public var hyperparameters: [(name: String, value: String)] = []
  /// Where the figures come from: program, data, processor.
  public var details: [(name: String, value: String)] = []
  public init() {}

  /// The file, UTF-8.
  public func html() -> String { TrainingPage(self).page().html() }

  /// Accuracy, loss, learning rate and speed over the epochs, for another page; nil before the first epoch.
  package var curves: Section? { epochs.isEmpty ? nil : TrainingPage(self).curves }
}
