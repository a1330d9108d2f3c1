import Encodings
import Files
import Glibc
public import Hyperparameters
import Imaging
public import Models
public import Networks
import Records
import Reporting

/// A training whose inputs are checked and that is ready to run.
public final class TrainingJob {
  /// The hyperparameters, with `num_classes` and `num_training_samples` filled in.
  public let hyperparameters: HyperparameterSet
  /// Sentences about settings without effect, and about data that looks wrong.
  public let warnings: [String]
  /// Names of the pretrained model's arrays that do not fit the new network and were reinitialized.
  public let renewed: [String]
  let request: TrainingRequest
  let ranks: Ranks
  let makeEngine: TrainingRequest.MakeEngine
  let network: ResNet
  let graph: Graph
  let start: Parameters
  let train: TrainingImages
  let validation: TrainingImages
  /// The weights of `use_weighted_loss`; nil if it is off.
  let positiveWeights: [Float]?
  let workers: Workers
  let checkpoint: Checkpoint?
  let checkpointPath: String
  let outputFolder: String
  /// Held by rank 0 for as long as the job lives.
  private let locks: [FolderLock]

  /// Reads the labels of all images, and checks everything that can be checked before the first step.
  ///
  /// - Parameters:
  ///   - ranks: the processes that train together; each makes its own job from the same request.
  ///   - makeEngine: builds the network; see `TrainingRequest.trainer(with:)`.
  /// - Throws: `TrainingError` for contradictory settings and bad data, in SageMaker's words if it has some, and if a
  ///   previous training would be overwritten; `ModelError` for the pretrained model; `FitError` for the checkpoint;
  ///   `FileError`, with `.held` if another training is running in the same folders.
  public init(
    _ request: TrainingRequest, ranks: Ranks = Ranks(), makeEngine: @escaping TrainingRequest.MakeEngine
  ) throws {
    self.request = request
    self.ranks = ranks
    self.makeEngine = makeEngine
    let folder = request.checkpointFolder ?? join(request.modelFolder, "checkpoints")
    checkpointPath = join(folder, Checkpoint.fileName)
    outputFolder = request.outputFolder ?? request.modelFolder
    if ranks.isFirst { try Self.checkIsFree(request, checkpointPath, outputFolder) }
    workers = Workers(count: request.threads)
    var values = try HyperparameterSet(request.hyperparameters, isComplete: request.isComplete)
    try values.check()
    if values.numClasses == 0 { values.numClasses = try Self.classCount(request, values) }
    train = try TrainingImages(
      request.train, channel: "train", classCount: values.numClasses, isMultiLabel: values.multiLabel)
    validation = try TrainingImages(
      request.validation, channel: "validation", classCount: values.numClasses,
      isMultiLabel: values.multiLabel)
    positiveWeights = values.multiLabel && values.useWeightedLoss ? train.positiveWeights : nil
    if values.numTrainingSamples == 0 { values.numTrainingSamples = train.count }
    if let classes = request.classes, classes.count != values.numClasses {
      throw TrainingError(
        "there are \(classes.count) class names, but num_classes is \(values.numClasses); the numbers must be equal"
      )
    }
    hyperparameters = values
    let known =
      try values.warnings(hosts: ranks.count).map(\.description)
      + values.check(
        train: train, validation: validation, batch: values.miniBatchSize * ranks.count,
        names: request.classes ?? []
      ).map(\.description) + [values.precisionWarning].compactMap(\.self)
    let whole = try values.preset()
    try train.checkSizes(whole, workers: workers)
    try validation.checkSizes(whole, workers: workers)
    network = try ResNet(
      depth: values.numLayers, head: values.multiLabel ? .sigmoid : .softmax, classCount: values.numClasses,
      inputShape: values.imageShape)
    graph = try network.graph
    (start, renewed) = try Self.start(request, values, graph)
    for folder in [request.modelFolder, folder, outputFolder] { try makeFolder(folder) }
    let own = [request.modelFolder, request.checkpointFolder, request.outputFolder]
    locks = ranks.isFirst ? try Self.lock(own) : []
    warnings = known + locks.filter(\.isByFileOnly).map { wordsOfLockFile(in: $0.folder) }
    if ranks.isFirst {
      // Checked again: another training may have run between the first check and the lock.
      try Self.checkIsFree(request, checkpointPath, outputFolder)
      // If this run stopped before its first checkpoint, --resume would continue from the replaced training's.
      if request.replaces, unsafe unlink(checkpointPath) != 0, errno != ENOENT {
        throw FileError(.system(call: "remove", code: errno), path: checkpointPath)
      }
    }
    if request.resumes, FileStamp(path: checkpointPath) != nil {
      let found = try Checkpoint(path: checkpointPath)
      try found.check(
        Self.identity(
          values, images: train.count, ranks: ranks.count, keepsDamaged: request.keepsDamaged),
        path: checkpointPath)
      checkpoint = found
    } else {
      checkpoint = nil
    }
  }

  /// - Throws: `TrainingError` if a previous training left files that this one would overwrite.
  private static func checkIsFree(
    _ request: TrainingRequest, _ checkpointPath: String, _ outputFolder: String
  ) throws(TrainingError) {
    if request.resumes || request.replaces { return }
    let parameters = Artifact.parameterNames(in: request.modelFolder).map { join(request.modelFolder, $0) }
    let others = [checkpointPath, join(outputFolder, metricsName)]
    guard let found = (parameters + others).first(where: { FileStamp(path: $0) != nil }) else { return }
    throw TrainingError(
      "\(found): this file of a previous training would be overwritten", lacks: .permission)
  }

  /// Locks the folders, so that no second training can use them.
  private static func lock(_ folders: [String?]) throws(FileError) -> [FolderLock] {
    var locks: [FolderLock] = []
    for folder in folders.compactMap(\.self)
    where !locks.contains(where: { isSameFile($0.folder, folder) }) {
      locks.append(try FolderLock(folder))
    }
    return locks
  }

  /// The number of class names or, without them, the largest label plus 1.
  private static func classCount(
    _ request: TrainingRequest, _ values: HyperparameterSet
  ) throws(TrainingError) -> Int {
    if let classes = request.classes { return classes.count }
    guard !values.multiLabel else {
      throw TrainingError("multi_label needs num_classes or the class names")
    }
    let images = try TrainingImages(request.train, channel: "train", classCount: largestClassCount)
    return (images.histogram.lastIndex { $0 > 0 } ?? 0) + 1
  }

  /// The most classes that are accepted when their number has to be inferred from the labels.
  private static let largestClassCount = 100_000

  private static func start(
    _ request: TrainingRequest, _ values: HyperparameterSet, _ graph: Graph
  ) throws -> (Parameters, renewed: [String]) {
    let fresh = Parameters(initialFor: graph, seed: UInt64(values.seed.magnitude))
    guard let path = request.pretrained else {
      if values.usePretrainedModel {
        throw TrainingError("use_pretrained_model is 1, but no model to start from is given", lacks: .model)
      }
      return (fresh, [])
    }
    let model = try Model(path)
    let transfer = try Parameters.transferred(
      from: model.parameters, of: model.graph, to: graph, label: path, fresh: fresh)
    return (transfer.parameters, transfer.renewed)
  }

  /// Everything that must not change when a training is resumed, because the result depends on it.
  static func identity(
    _ values: HyperparameterSet, images: Int, ranks: Int, keepsDamaged: Bool = false
  ) -> [String: String] {
    // These do not influence the weights of any epoch.
    var free: Set = [
      "checkpoint_frequency", "early_stopping", "early_stopping_min_epochs", "early_stopping_patience",
      "early_stopping_tolerance", "kv_store", "recipe", "use_pretrained_model", "num_training_samples",
    ]
    // The number of epochs may change if neither the learning rate nor the image size depends on it.
    if values.lrSchedule == .step && values.progressiveStart == nil { free.insert("epochs") }
    var identity: [String: String] = [:]
    for hyperparameter in HyperparameterSet.table where !free.contains(hyperparameter.name) {
      identity[hyperparameter.name] = hyperparameter.get(values)?.text
    }
    identity["training images"] = "\(images)"
    if ranks > 1 { identity["ranks"] = "\(ranks)" }
    if keepsDamaged { identity["damaged images"] = "kept" }
    return identity
  }
}

/// The lock of a folder; a class, because an array cannot hold the noncopyable `OutputLock`.
private final class FolderLock {
  let folder: String
  private let lock: OutputLock

  init(_ folder: String) throws(FileError) {
    self.folder = folder
    lock = try OutputLock(folder: folder)
  }

  var isByFileOnly: Bool { lock.isByFileOnly }
}

extension TrainingJob {
  /// A description of everything that must be equal on all ranks.
  var common: String {
    let values = HyperparameterSet.table.map { "\($0.name)=\($0.get(hyperparameters)?.text ?? "")" }
    let sets = [train, validation].map { "\($0.count) \($0.histogram)" }
    let place = checkpoint.map { "\($0.place) \($0.updateCount)" } ?? "the start"
    return (values + sets + [place, Network.availableKernels.last ?? ""]).joined(separator: "\n")
  }

  /// The lines of SageMaker's log between "---- Parameters ----" and the line of dashes.
  public var parameterLines: [String] { hyperparameters.parameterLines(hosts: ranks.count) }

  /// Runs `fit`, and marks the errors that all ranks reach together, so that rank 0 alone reports them.
  func fitTogether(_ options: FitOptions, _ parts: FitParts) throws -> TrainingRecord {
    do { return try fit(options, parts, start: start, from: checkpoint) } catch {
      switch error {
      case is CancellationError: ranks.endTogether()
      case let error as FitError:
        if case .diverged = error.reason { ranks.endTogether() }
      default: break
      }
      throw error
    }
  }

  /// The images that each rank could not decode, in rank order, so that rank 0 can report them.
  func faults(ofOthers own: [Batches.Fault]) -> [[Batches.Fault]] {
    if ranks.count == 1 { return [] }
    let bytes = own.isEmpty ? [] : (try? JSON.encode(own, style: .line)) ?? []
    return ranks.gather(bytes).map { (try? JSON.decode([Batches.Fault].self, from: $0)) ?? [] }
  }
}

extension TrainingJob {
  /// The figures of the training so far, for `training.html`.
  func report(_ record: TrainingRecord) -> TrainingReport {
    var report = TrainingReport()
    report.epochs = record.epochs
    report.bestEpoch = record.best?.epoch
    report.epochCount = hyperparameters.epochs
    report.topK = topK
    report.isMultiLabel = hyperparameters.multiLabel
    report.hasStoppedEarly = record.hasStoppedEarly
    report.hyperparameters = hyperparameters.changes
    report.details =
      [
        ("Training images", "\(request.train.path) (\(train.count))"),
        ("Validation images", "\(request.validation.path) (\(validation.count))"),
        (
          "Network",
          "ResNet-\(network.depth), \(graph.parameters.reduce(0) { $0 + $1.shape.reduce(1, *) }) parameters"
        ),
        ("Threads", "\(request.threads)"),
      ] + (ranks.count > 1 ? [("Ranks", "\(ranks.count)")] : [])
      + (request.pretrained.map { [("Started from", $0)] } ?? []) + request.details
    return report
  }
}

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
    _ positiveWeights: [Float]?, _ workers: Workers, _ precision: Network.Precision
  ) throws -> any TrainingEngine

  /// Builds a `Trainer` with the fastest kernels of this machine.
  ///
  /// - Parameter exchange: adds up gradients over the ranks; nil: a single process.
  public static func trainer(with exchange: (any GradientExchange)? = nil) -> MakeEngine {
    { graph, parameters, batch, optimizer, positiveWeights, workers, precision in
      try Trainer(
        graph, parameters, batch: batch, optimizer: optimizer, positiveWeights: positiveWeights,
        workers: workers, precision: precision, exchange: exchange)
    }
  }
}

extension HyperparameterSet {
  /// The numbers that the network's convolutions multiply.
  var networkPrecision: Network.Precision {
    switch precision {
    case .fp32: .fp32
    case .bf16: .bf16
    }
  }

  /// A warning if this processor has no instructions for the precision.
  package var precisionWarning: String? {
    networkPrecision.isFast
      ? nil
      : "precision \(precision.rawValue) gains nothing here: the processor has no instructions for it"
  }

  /// The optimizer that these hyperparameters describe.
  var mxnetOptimizer: Optimizer {
    switch optimizer {
    case .sgd: .sgd(momentum: momentum, weightDecay: weightDecay)
    case .nag: .nag(momentum: momentum, weightDecay: weightDecay)
    case .adam: .adam(beta1: beta1, beta2: beta2, epsilon: eps)
    case .rmsprop: .rmsprop(gamma: gamma, epsilon: eps)
    }
  }
}
