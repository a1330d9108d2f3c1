public import Hyperparameters
public import Models
public import Networks

/// What is to be trained, on what, and where the results go.
public struct TrainingRequest: Sendable {
  /// Names and values as text; of a name that stands more than once the last counts.
  public var hyperparameters: [(name: String, value: String)] = []
  /// Whether `num_classes` and `num_training_samples` have to be given; else the images say them.
  public var isComplete = false
  public var train: TrainingSource
  public var validation: TrainingSource
  /// Gets the model.
  public var modelFolder: String
  /// Gets `metrics.jsonl` and `training.html`; nil: `modelFolder` does.
  public var outputFolder: String?
  /// nil: `checkpoints` in `modelFolder`.
  public var checkpointFolder: String?
  /// Goes on after the checkpoint, if there is one.
  public var resumes = false
  /// A training that is in the folders may be replaced; else, and where it is not gone on with, it is left alone.
  public var replaces = false
  /// Batches between two checkpoints within an epoch.
  public var checkpointEvery: Int?
  /// A trained model to start from: a folder or an archive.
  public var pretrained: String?
  /// Names of the classes, in the order of their labels.
  public var classes: [String]?
  /// Learns from damaged images as far as they decode; else others are taken in their place.
  public var keepsDamaged = false
  public var archives = false
  public var threads = 1
  /// For the report: what else says where it comes from.
  public var details: [(name: String, value: String)] = []

  public init(train: TrainingSource, validation: TrainingSource, modelFolder: String) {
    self.train = train
    self.validation = validation
    self.modelFolder = modelFolder
  }

  /// Makes the network that learns; `Trainer` is the one.
  public typealias MakeEngine = (
    _ graph: Graph, _ parameters: Parameters, _ batch: Int, _ optimizer: Optimizer,
    _ positiveWeights: [Float]?, _ workers: Workers
  ) throws -> any TrainingEngine

  /// `Trainer`, with the last of this machine's kernels.
  ///
  /// - Parameter exchange: with whom it learns.
  public static func trainer(with exchange: (any GradientExchange)? = nil) -> MakeEngine {
    { graph, parameters, batch, optimizer, positiveWeights, workers in
      try Trainer(
        graph, parameters, batch: batch, optimizer: optimizer, positiveWeights: positiveWeights,
        workers: workers, exchange: exchange)
    }
  }
}
