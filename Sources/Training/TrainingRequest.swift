public import Hyperparameters
public import Models
public import Networks

/// Everything that describes a training: hyperparameters, data, and the folders of the results.
public struct TrainingRequest: Sendable {
  /// Names and values as text; the last value of a repeated name counts.
  public var hyperparameters: [(name: String, value: String)] = []
  /// Whether `num_classes` and `num_training_samples` must be given; otherwise they are inferred from the images.
  public var isComplete = false
  public var train: TrainingSource
  public var validation: TrainingSource
  /// The folder for the model.
  public var modelFolder: String
  /// The folder for `metrics.jsonl` and `training.html`; nil: `modelFolder`.
  public var outputFolder: String?
  /// The folder for the checkpoint; nil: `checkpoints` in `modelFolder`.
  public var checkpointFolder: String?
  /// Continue from the checkpoint if there is one.
  public var resumes = false
  /// Overwrite a previous training in the same folders. Without `replaces` and `resumes` such folders are refused.
  public var replaces = false
  /// Batches between two checkpoints within an epoch; nil: only at the end of each epoch.
  public var checkpointEvery: Int?
  /// The folder or archive of a trained model to start from.
  public var pretrained: String?
  /// Class names in label order.
  public var classes: [String]?
  /// Train on damaged images as far as they decode; otherwise other images replace them.
  public var keepsDamaged = false
  /// Also write `model.tar.gz`.
  public var archives = false
  /// Compute threads of this process.
  public var threads = 1
  /// Additional rows of the report, such as the program's version.
  public var details: [(name: String, value: String)] = []

  public init(train: TrainingSource, validation: TrainingSource, modelFolder: String) {
    self.train = train
    self.validation = validation
    self.modelFolder = modelFolder
  }

  /// Builds the network to train; see `trainer(with:)`.
  public typealias MakeEngine = (
    _ graph: Graph, _ parameters: Parameters, _ batch: Int, _ optimizer: Optimizer,
    _ positiveWeights: [Float]?, _ workers: Workers
  ) throws -> any TrainingEngine

  /// Builds a `Trainer` with the fastest kernels of this machine.
  ///
  /// - Parameter exchange: adds up gradients over the ranks; nil: a single process.
  public static func trainer(with exchange: (any GradientExchange)? = nil) -> MakeEngine {
    { graph, parameters, batch, optimizer, positiveWeights, workers in
      try Trainer(
        graph, parameters, batch: batch, optimizer: optimizer, positiveWeights: positiveWeights,
        workers: workers, exchange: exchange)
    }
  }
}
