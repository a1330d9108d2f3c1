public import Files

/// What `train` made.
public struct TrainingSummary: Encodable, Sendable {
  /// Done, those of earlier runs included.
  public var epochs = 0
  /// From 0, as in the log.
  public var bestEpoch: Int?
  public var bestValidationAccuracy: Double?
  public var bestValidationTopAccuracy: Double?
  /// Of the last epoch.
  public var trainAccuracy: Double?
  public var trainLoss: Double?
  public var validationAccuracy: Double?
  public var validationLoss: Double?
  public var stoppedEarly = false
  public var classes = 0
  /// Processes that trained together.
  public var ranks = 1
  public var trainingImages = 0
  public var validationImages = 0
  /// Of this run, validations included.
  public var seconds = 0.0
  /// Of the training of all epochs.
  public var imagesPerSecond = 0.0
  /// The parameters' file that was stored last; nil where this run stored none.
  public var model: String?
  public var archive: String?
  public var metrics = ""
  public var report = ""
  /// Images that cannot be decoded: another was taken in training, none in the validation.
  public var skipped: [Skip] = []
}
