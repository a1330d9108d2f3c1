public import Hyperparameters

/// What a training does, apart from the network and the images.
public struct FitOptions: Sendable {
  public var epochs = 30
  /// Images of a batch of each rank.
  public var batch = 32
  public var rankCount = 1
  /// Batches of an epoch: whole ones only.
  public var batchCount = 0
  public var isMultiLabel = false
  /// Also counts the images whose class is among so many.
  public var topK: Int?
  /// Keeps the model of every so many epochs; nil: of the best one alone.
  public var checkpointFrequency: Int?
  /// Batches between two checkpoints within an epoch; nil: one at its end.
  public var checkpointEvery: Int?
  public var earlyStopping: EarlyStopping?
  /// The moving average that is validated and stored instead of the weights; nil: the weights themselves.
  public var average: MovingAverage?
  /// What a checkpoint of this training has to have been made with.
  public var identity: [String: String] = [:]
  /// By epoch and batch, from 0.
  public var learningRate: @Sendable (_ epoch: Int, _ batch: Int) -> Double = { _, _ in 0.1 }
  /// Channels, height, width of an epoch's images.
  public var shape: @Sendable (_ epoch: Int) throws -> [Int] = { _ in [3, 224, 224] }
  /// Batches between two events of speed.
  public var reportEvery = 20
  public init() {}
}

/// What a validation found.
public struct Validation: Hashable, Sendable {
  public var sums: MetricSums

  public init(_ sums: MetricSums) { self.sums = sums }
}
