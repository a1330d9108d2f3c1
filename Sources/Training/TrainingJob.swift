import Files
import Glibc
public import Hyperparameters
import Imaging
import Models
import Networks
import Records

/// One training, checked and ready to run.
public final class TrainingJob {
  /// With the numbers of classes and images filled in.
  public let hyperparameters: HyperparameterSet
  /// What does no harm but should be known.
  public let warnings: [String]
  /// The arrays that were made anew, of a pretrained model.
  public let renewed: [String]
  let request: TrainingRequest
  let ranks: Ranks
  let makeEngine: TrainingRequest.MakeEngine
  let network: ResNet
  let graph: Graph
  let start: Parameters
  let train: TrainingImages
  let validation: TrainingImages
  /// Of `use_weighted_loss`.
  let positiveWeights: [Float]?
  let workers: Workers
  let checkpoint: Checkpoint?
  let checkpointPath: String
  let outputFolder: String
  /// Of the first rank; for as long as the job lives.
  private let locks: [FolderLock]

  /// Reads the labels of all images, and checks everything that can be checked before the first step.
  ///
  /// - Parameter ranks: that train together, each with a job of its own of the same request.
  /// - Throws: `TrainingError` in SageMaker's words where it has some, also for folders that another training is in;
  ///   `ModelError` of a pretrained model; `FitError` of a checkpoint; `FileError`, `.held` where a training runs there.
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
        "there are \(classes.count) names of classes, and num_classes is \(values.numClasses); as many are expected"
      )
    }
    hyperparameters = values
    let known =
      try values.warnings(hosts: ranks.count).map(\.description)
      + values.check(
        train: train, validation: validation, batch: values.miniBatchSize * ranks.count,
        names: request.classes ?? []
      ).map(\.description)
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
      // Another may have been there between the look and the lock.
      try Self.checkIsFree(request, checkpointPath, outputFolder)
      // Of the training that is replaced: this one, broken off early, would go on from it.
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

  /// - Throws: where a former training has left something that this one would replace.
  private static func checkIsFree(
    _ request: TrainingRequest, _ checkpointPath: String, _ outputFolder: String
  ) throws(TrainingError) {
    if request.resumes || request.replaces { return }
    let parameters = Artifact.parameterNames(in: request.modelFolder).map { join(request.modelFolder, $0) }
    let others = [checkpointPath, join(outputFolder, metricsName)]
    guard let found = (parameters + others).first(where: { FileStamp(path: $0) != nil }) else { return }
    throw TrainingError(
      "\(found): a former training has left this, and it would be replaced", lacks: .permission)
  }

  /// Keeps two trainings out of the same folders.
  private static func lock(_ folders: [String?]) throws(FileError) -> [FolderLock] {
    var locks: [FolderLock] = []
    for folder in folders.compactMap(\.self)
    where !locks.contains(where: { isSameFile($0.folder, folder) }) {
      locks.append(try FolderLock(folder))
    }
    return locks
  }

  /// As many as there are names, else one more than the largest label.
  private static func classCount(
    _ request: TrainingRequest, _ values: HyperparameterSet
  ) throws(TrainingError) -> Int {
    if let classes = request.classes { return classes.count }
    guard !values.multiLabel else {
      throw TrainingError("num_classes is required with multi_label, or the names of the classes")
    }
    let images = try TrainingImages(request.train, channel: "train", classCount: largestClassCount)
    return (images.histogram.lastIndex { $0 > 0 } ?? 0) + 1
  }

  /// What labels may count up to where nobody says how many classes there are.
  private static let largestClassCount = 100_000

  private static func start(
    _ request: TrainingRequest, _ values: HyperparameterSet, _ graph: Graph
  ) throws -> (Parameters, renewed: [String]) {
    let fresh = Parameters(initialFor: graph, seed: UInt64(values.seed.magnitude))
    guard let path = request.pretrained else {
      if values.usePretrainedModel {
        throw TrainingError("use_pretrained_model is 1, but there is no model to start from", lacks: .model)
      }
      return (fresh, [])
    }
    let model = try Model(path)
    let transfer = try Parameters.transferred(
      from: model.parameters, of: model.graph, to: graph, label: path, fresh: fresh)
    return (transfer.parameters, transfer.renewed)
  }

  /// What has to be the same where a training goes on: all that the result depends on.
  static func identity(
    _ values: HyperparameterSet, images: Int, ranks: Int, keepsDamaged: Bool = false
  ) -> [String: String] {
    // The model of every epoch would be the same with any of these.
    var free: Set = [
      "checkpoint_frequency", "early_stopping", "early_stopping_min_epochs", "early_stopping_patience",
      "early_stopping_tolerance", "kv_store", "recipe", "use_pretrained_model", "num_training_samples",
    ]
    // Where neither the rate nor the size of the images depends on how many there are to come.
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

/// A lock with what it is of, to be kept among others.
private final class FolderLock {
  let folder: String
  private let lock: OutputLock

  init(_ folder: String) throws(FileError) {
    self.folder = folder
    lock = try OutputLock(folder: folder)
  }

  var isByFileOnly: Bool { lock.isByFileOnly }
}
