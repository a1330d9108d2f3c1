public import Hyperparameters

/// The settings of `fit`: everything but the network and the images.
public struct FitOptions: Sendable {
  /// Epochs to train, including those of earlier runs.
  public var epochs = 30
  /// Images in one batch of one rank.
  public var batch = 32
  /// The number of processes that train together.
  public var rankCount = 1
  /// Full batches in an epoch.
  public var batchCount = 0
  /// Whether an image can have several classes.
  public var isMultiLabel = false
  /// Also report top-k accuracy for this k; nil: not reported.
  public var topK: Int?
  /// Store the model after every this many epochs; nil: only the model of the best epoch.
  public var checkpointFrequency: Int?
  /// Write a checkpoint after every this many batches too; nil: only at the end of each epoch.
  public var checkpointEvery: Int?
  /// nil: no early stopping.
  public var earlyStopping: EarlyStopping?
  /// Validate and store a moving average instead of the weights; nil: the weights themselves.
  public var average: MovingAverage?
  /// Written into every checkpoint: the settings that a resumed training must share.
  public var identity: [String: String] = [:]
  /// The learning rate of a batch. Epoch and batch count from 0.
  public var learningRate: @Sendable (_ epoch: Int, _ batch: Int) -> Double = { _, _ in 0.1 }
  /// Channels, height and width of the images in an epoch, which counts from 0.
  public var shape: @Sendable (_ epoch: Int) throws -> [Int] = { _ in [3, 224, 224] }
  /// Batches between two `.speed` events.
  public var reportEvery = 20
  public init() {}
}

/// The result of one validation.
public struct Validation: Hashable, Sendable {
  /// Over the whole validation set and all ranks.
  public var sums: MetricSums

  public init(_ sums: MetricSums) { self.sums = sums }
}
