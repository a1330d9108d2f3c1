public import Models
public import Networks

/// What a training works with: so that each part can be tried with another.
public struct FitParts {
  /// Makes the network for images of a shape, with these weights.
  public var makeEngine: (_ shape: [Int], _ parameters: Parameters) throws -> any TrainingEngine
  /// Fills in the tensors and targets of a batch: always the same for an epoch, a batch and a shape.
  public var fill:
    (
      _ epoch: Int, _ batch: Int, _ shape: [Int], _ images: inout MutableSpan<Float>,
      _ targets: inout MutableSpan<Float>
    ) throws -> Void
  /// Over the whole validation set. Where it throws `CancellationError`, a checkpoint is written before `fit` does.
  public var validate: (_ parameters: Parameters, _ epoch: Int) throws -> Validation
  /// Writes the model of an epoch, counted from 1, and says where.
  /// Where `isOnly`, the one stored before goes when this one stands.
  public var store: (_ parameters: Parameters, _ epoch: Int, _ isOnly: Bool) throws -> String
  /// Where checkpoints go; nil: nowhere.
  public var checkpointPath: String?
  public var tell: (TrainingEvent) -> Void = { _ in }
  /// Makes what a batch adds up to that of all ranks.
  public var total: (_ sums: MetricSums) -> MetricSums = { $0 }
  /// Asked after each batch: whether to write a checkpoint and end.
  public var isStopped: () -> Bool = { false }

  public init(
    makeEngine: @escaping (_ shape: [Int], _ parameters: Parameters) throws -> any TrainingEngine,
    fill:
      @escaping (
        _ epoch: Int, _ batch: Int, _ shape: [Int], _ images: inout MutableSpan<Float>,
        _ targets: inout MutableSpan<Float>
      ) throws -> Void,
    validate: @escaping (_ parameters: Parameters, _ epoch: Int) throws -> Validation,
    store: @escaping (_ parameters: Parameters, _ epoch: Int, _ isOnly: Bool) throws -> String
  ) {
    self.makeEngine = makeEngine
    self.fill = fill
    self.validate = validate
    self.store = store
  }
}
