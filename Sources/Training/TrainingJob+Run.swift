import Encodings
public import Files
import Hyperparameters
import Imaging
import Models
import Networks
import Records
import Reporting

extension TrainingJob {
  /// Trains, and writes the model, `metrics.jsonl` and `training.html`; the last two are rewritten after each epoch.
  /// Only rank 0 writes files and sends events.
  ///
  /// - Parameters:
  ///   - tell: called with every event, including warnings about the figures.
  ///   - isStopped: called after each batch; if it returns true, a checkpoint is written and `CancellationError`
  ///     thrown.
  /// - Throws: what `fit` throws; `TrainingError` if the ranks have different inputs; `ModelError` or `FileError` if
  ///   the model's folder or the archive cannot be written.
  public func run(
    tell: @escaping (TrainingEvent) -> Void, isStopped: @escaping () -> Bool
  ) throws -> TrainingSummary {
    let begin = ContinuousClock.now
    try ranks.checkSame(common)
    let artifact = try ranks.together {
      try Artifact(
        network, folder: request.modelFolder, batch: hyperparameters.miniBatchSize, classes: request.classes,
        preset: try hyperparameters.preset(), isResumed: checkpoint != nil)
    }
    let batches = trainingBatches
    let ahead = BatchesAhead(batches, epochs: hyperparameters.epochs, workers: workers) { [self] epoch in
      try hyperparameters.preset(epoch: epoch)
    }
    let evaluation = Evaluation(
      validation, graph: graph, preset: try hyperparameters.preset(), batch: hyperparameters.miniBatchSize,
      topK: topK, positiveWeights: positiveWeights, keepsDamaged: request.keepsDamaged, workers: workers,
      ranks: ranks)
    var summary = TrainingSummary()
    var record = checkpoint?.record ?? TrainingRecord()
    var skipped: Set<ByteName> = []
    var untold: [Batches.Fault] = []
    func note(_ faults: [Batches.Fault]) {
      guard ranks.isFirst else {
        untold += faults
        return
      }
      for fault in faults where skipped.insert(ByteName(fault.name)).inserted {
        summary.skipped.append(Skip(path: fault.name, reason: fault.reason))
        tell(.warning("\(fault)"))
      }
    }
    var parts = FitParts(
      makeEngine: { [self] shape, parameters in
        let graph = shape == network.inputShape ? graph : try resized(to: shape).graph
        return try ranks.together {
          try makeEngine(
            graph, parameters, hyperparameters.miniBatchSize, hyperparameters.mxnetOptimizer, positiveWeights,
            workers, hyperparameters.networkPrecision)
        }
      },
      fill: { [self] epoch, batch, _, images, targets in
        note(
          try ranks.together { try ahead.fill(&images, targets: &targets, epoch: epoch, batch: batch) }.faults
        )
      },
      validate: { [self] parameters, epoch in
        let validation = try evaluation.validation(
          of: parameters,
          tell: { images, count in
            guard ranks.isFirst else { return }
            tell(.validating(epoch: epoch, epochs: hyperparameters.epochs, images: images, of: count))
          }, isStopped: { ranks.any(isStopped()) })
        note(evaluation.faults)
        for faults in faults(ofOthers: untold) { note(faults) }
        untold = []
        return validation
      },
      store: { [self] parameters, epoch, isOnly in
        ranks.isFirst ? try artifact.store(parameters, epoch: epoch, isOnly: isOnly) : ""
      })
    parts.checkpointPath = ranks.isFirst ? checkpointPath : nil
    parts.total = { [self] in $0.total(over: ranks) }
    parts.isStopped = { [self] in ranks.any(isStopped()) }
    parts.tell = { [self] event in
      guard ranks.isFirst else { return }
      tell(event)
      switch event {
      case .stored(let path): summary.model = path
      case .validated(let epoch):
        record.epochs.append(epoch)
        if epoch.isBest { record.best = epoch }
        writeFigures(record, tell)
      default: break
      }
    }
    record = try fitTogether(options(batchCount: batches.plan.batchCount), parts)
    guard ranks.isFirst else { return summary }
    writeFigures(record, tell)
    if request.archives { summary.archive = try artifact.archive() }
    if summary.model == nil, hyperparameters.checkpointFrequency == nil, let best = record.best {
      summary.model = artifact.path(epoch: best.epoch + 1)
    }
    return finished(&summary, record, since: begin)
  }

  /// The k of top-k accuracy; nil: not reported. Multi-label data has none.
  public var topK: Int? { hyperparameters.multiLabel ? nil : hyperparameters.topK }

  private var trainingBatches: Batches {
    let values = hyperparameters
    return Batches(
      train,
      plan: EpochPlan(
        imageCount: train.count, batch: values.miniBatchSize, seed: UInt64(values.seed.magnitude),
        isTraining: true, rank: ranks.rank, rankCount: ranks.count),
      augmentation: values.augmentation,
      targets: TargetOptions(labelSmoothing: values.labelSmoothing, mixupAlpha: values.mixupAlpha),
      keepsDamaged: request.keepsDamaged)
  }

  private func resized(to shape: [Int]) throws(ModelError) -> ResNet {
    try ResNet(
      depth: network.depth, head: network.head, classCount: network.classCount, inputShape: shape)
  }

  private func options(batchCount: Int) -> FitOptions {
    let values = hyperparameters
    var options = FitOptions()
    options.epochs = values.epochs
    options.batch = values.miniBatchSize
    options.rankCount = ranks.count
    options.batchCount = batchCount
    options.isMultiLabel = values.multiLabel
    options.topK = topK
    options.checkpointFrequency = values.checkpointFrequency
    options.checkpointEvery = request.checkpointEvery
    if values.earlyStopping {
      options.earlyStopping = EarlyStopping(
        leastEpochs: values.earlyStoppingMinEpochs, patience: values.earlyStoppingPatience,
        tolerance: values.earlyStoppingTolerance)
    }
    if values.emaDecay > 0 { options.average = MovingAverage(decay: values.emaDecay) }
    options.identity = Self.identity(
      values, images: train.count, ranks: ranks.count, keepsDamaged: request.keepsDamaged)
    let schedule = Schedule(values, updatesPerEpoch: batchCount)
    options.learningRate = { epoch, batch in schedule.learningRate(update: epoch * batchCount + batch + 1) }
    options.shape = { try values.preset(epoch: $0).shape }
    return options
  }

  static let metricsName = "metrics.jsonl"
  private var metricsPath: String { join(outputFolder, Self.metricsName) }
  private var reportPath: String { join(outputFolder, "training.html") }

  /// Rewrites both files, so that a resumed run lists no epoch twice. A failure is only a warning.
  private func writeFigures(_ record: TrainingRecord, _ tell: (TrainingEvent) -> Void) {
    do {
      try writeFile(metricsPath, try record.epochs.map { try $0.line() + "\n" }.joined())
      try writeFile(reportPath, report(record).html())
    } catch {
      tell(.warning("\(Self.metricsName) or training.html could not be written: \(error)"))
    }
  }

  private func finished(
    _ summary: inout TrainingSummary, _ record: TrainingRecord, since begin: ContinuousClock.Instant
  ) -> TrainingSummary {
    summary.epochs = record.epochs.count
    summary.bestEpoch = record.best?.epoch
    summary.bestValidationAccuracy = record.best?.validationAccuracy
    summary.bestValidationTopAccuracy = record.best?.validationTopAccuracy
    summary.trainAccuracy = record.epochs.last?.trainAccuracy
    summary.trainLoss = record.epochs.last?.trainLoss
    summary.validationAccuracy = record.epochs.last?.validationAccuracy
    summary.validationLoss = record.epochs.last?.validationLoss
    summary.stoppedEarly = record.hasStoppedEarly
    summary.classes = hyperparameters.numClasses
    summary.ranks = ranks.count
    summary.trainingImages = train.count
    summary.validationImages = validation.count
    summary.seconds = (.now - begin) / .seconds(1)
    let images = record.epochs.reduce(0) { $0 + $1.images }
    summary.imagesPerSecond = Double(images) / max(record.epochs.reduce(0) { $0 + $1.seconds }, 1e-9)
    summary.metrics = metricsPath
    summary.report = reportPath
    return summary
  }
}

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
