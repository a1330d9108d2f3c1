public import Models
public import Networks

/// The collaborators of `fit`, as closures, so that tests can replace each of them.
public struct FitParts {
  /// Builds the network for images of a shape (channels, height, width), with these weights.
  public var makeEngine: (_ shape: [Int], _ parameters: Parameters) throws -> any TrainingEngine
  /// Fills in the tensors and targets of a batch. Must be a pure function of epoch, batch and shape, or a resumed
  /// training would differ from an uninterrupted one.
  public var fill:
    (
      _ epoch: Int, _ batch: Int, _ shape: [Int], _ images: inout MutableSpan<Float>,
      _ targets: inout MutableSpan<Float>
    ) throws -> Void
  /// Evaluates weights on the whole validation set. If it throws `CancellationError`, `fit` writes a checkpoint first
  /// and then throws it.
  public var validate: (_ parameters: Parameters, _ epoch: Int) throws -> Validation
  /// Writes the model of an epoch, counted from 1, and returns its path. With `isOnly`, models stored before are
  /// removed afterwards.
  public var store: (_ parameters: Parameters, _ epoch: Int, _ isOnly: Bool) throws -> String
  /// The path of the checkpoint; nil: none is written.
  public var checkpointPath: String?
  /// Called with every event, on the training thread.
  public var tell: (TrainingEvent) -> Void = { _ in }
  /// Adds up the sums of a batch over all ranks.
  public var total: (_ sums: MetricSums) -> MetricSums = { $0 }
  /// Called after each batch; true makes `fit` write a checkpoint and throw `CancellationError`.
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
