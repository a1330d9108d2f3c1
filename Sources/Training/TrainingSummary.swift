public import Files

/// The result of `imrec train`, printed by `--json`.
public struct TrainingSummary: Encodable, Sendable {
  /// Completed epochs, including those of earlier runs.
  public var epochs = 0
  /// The epoch with the best validation accuracy; counts from 0, as in the log.
  public var bestEpoch: Int?
  public var bestValidationAccuracy: Double?
  public var bestValidationTopAccuracy: Double?
  /// This and the next three are figures of the last epoch.
  public var trainAccuracy: Double?
  public var trainLoss: Double?
  public var validationAccuracy: Double?
  public var validationLoss: Double?
  /// Whether early stopping ended the training.
  public var stoppedEarly = false
  /// The number of classes.
  public var classes = 0
  /// The number of processes that trained together.
  public var ranks = 1
  public var trainingImages = 0
  public var validationImages = 0
  /// Duration of this run, including validations.
  public var seconds = 0.0
  /// Training speed over all epochs, without validations.
  public var imagesPerSecond = 0.0
  /// The path of the parameter file to use; nil if there is none.
  public var model: String?
  /// The path of `model.tar.gz`; nil if it was not requested.
  public var archive: String?
  /// The path of `metrics.jsonl`.
  public var metrics = ""
  /// The path of `training.html`.
  public var report = ""
  /// Images that could not be decoded: training used others instead, the validation left them out.
  public var skipped: [Skip] = []
}
