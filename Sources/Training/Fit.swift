public import Hyperparameters
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

/// An exponential moving average (EMA) of a network's weights.
///
/// After n updates the decay is at most (1 + n) / (10 + n), so that the initial weights do not dominate the average.
public struct MovingAverage: Hashable, Sendable {
  /// The share of the old average that each update keeps, 0..<1.
  public var decay: Double

  public init(decay: Double) { self.decay = decay }

  /// The share of the old average that an update keeps.
  ///
  /// - Parameter updates: the number of updates so far, including this one.
  public func kept(updates: Int) -> Float {
    Float(min(decay, Double(1 + updates) / Double(10 + updates)))
  }
}

/// An event of a running training. Epochs and batches count from 0.
public enum TrainingEvent: Sendable {
  /// The training continues from a checkpoint, at this epoch and batch.
  case resumed(epoch: Int, batch: Int)
  /// A batch is done; for a progress bar. `images` is the size of a global batch, `sums` those of the epoch so far.
  case progress(epoch: Int, epochs: Int, batch: Int, batchCount: Int, images: Int, sums: MetricSums)
  /// A batch of the validation is done; for a progress bar.
  case validating(epoch: Int, epochs: Int, images: Int, of: Int)
  /// Sent every `FitOptions.reportEvery` batches, with the speed since the previous `.speed` event of the epoch.
  case speed(epoch: Int, batch: Int, imagesPerSecond: Double, sums: MetricSums)
  /// All batches of an epoch are done; the validation figures are not yet filled in.
  case trained(EpochRecord)
  /// The epoch is validated.
  case validated(EpochRecord)
  /// The epoch is the best so far, and its model is about to be stored.
  case best(EpochRecord)
  /// A model file was written.
  case stored(path: String)
  /// A checkpoint was written.
  case checkpoint(path: String)
  /// Early stopping ended the training after this epoch.
  case stoppedEarly(epoch: Int, best: EpochRecord?)
  /// A problem that does not end the training.
  case warning(String)
}

/// Why a training ended without a result, as a sentence for the user.
public struct FitError: Error, Hashable, Sendable, CustomStringConvertible {
  public enum Reason: Hashable, Sendable {
    /// The training loss, or with `batch` nil the validation loss, is NaN or infinite. Epoch and batch count from 0;
    /// `standing` is a sentence about the models and checkpoints that are kept.
    case diverged(epoch: Int, batch: Int?, learningRate: Double, standing: String)
    /// The checkpoint belongs to another training: the setting `name` is `there` in the checkpoint and `here` in this
    /// run.
    case otherTraining(path: String, name: String, there: String, here: String)
    /// The file is not a valid checkpoint.
    case badCheckpoint(path: String, String)
    /// The arguments, the files or the folders contradict each other.
    case contradiction(String)
    /// The model could not be written, and there is no further epoch after which to try again.
    case unwritten(String)
  }
  public let reason: Reason

  public init(_ reason: Reason) { self.reason = reason }

  public var description: String {
    switch reason {
    case .diverged(let epoch, let batch, let learningRate, let standing):
      let place = batch.map { "batch \($0)" } ?? "the validation"
      return "the loss became NaN or infinite: epoch \(epoch), \(place), learning rate "
        + "\(shortText(learningRate)). \(standing)"
    case .otherTraining(let path, let name, let there, let here):
      return "\(path): this checkpoint belongs to a training with \(name) \(there); in this run it is \(here)"
    case .badCheckpoint(let path, let words): return "\(path): not a valid checkpoint: \(words)"
    case .contradiction(let words): return words
    case .unwritten(let words): return words
    }
  }
}

/// A number in single precision, which hides rounding noise: "0.01", "1e-05".
package func shortText(_ value: Double) -> String {
  let rounded = Float(value)
  return rounded.isFinite ? "\(rounded)" : "\(value)"
}

/// The progress of a training. Together with the weights and the optimizer's arrays it is all that a resumed training
/// needs: the order of the images, their augmentation and the learning rate follow from these counters.
package struct FitState: Hashable, Sendable, Codable {
  /// The epoch and the batch to train next; both count from 0.
  package var epoch = 0
  package var batch = 0
  /// The sums of the current epoch so far.
  package var sums = MetricSums()
  package var times = StepTimes()
  package var learningRate = 0.0
  var earlyStopping = EarlyStopping.State()
  package var record = TrainingRecord()
  /// Whether the training is over: all epochs are done, or early stopping ended it.
  var isOver = false

  package init() {}

  /// Whether the counters of a checkpoint are in range, so that a resumed training cannot overflow them.
  var isPossible: Bool {
    let counts = [epoch, batch, earlyStopping.waited] + sums.counts + record.epochs.map(\.epoch)
    return counts.allSatisfy { (0...1 << 53).contains($0) } && sums.correct <= sums.decisions
      && sums.inTop <= sums.images
  }
}

/// Seconds spent on each part of an epoch.
package struct StepTimes: Hashable, Sendable, Codable {
  package var data = 0.0, forward = 0.0, backward = 0.0, update = 0.0
  /// All steps of the epoch together, with the wait for their images.
  var whole = 0.0
}

/// Trains a network. After each epoch it validates, stores the model if it is due, and writes a checkpoint.
///
/// - Parameters:
///   - start: the initial weights; ignored if there is a checkpoint.
///   - checkpoint: where an earlier run stopped. The result equals, bit for bit, that of an uninterrupted run.
/// - Returns: the figures of every epoch, including those of earlier runs.
/// - Throws: `CancellationError` if `parts.isStopped` returned true, after the checkpoint is written;
///   `FitError.diverged` if a loss is NaN or infinite; what the parts throw. A checkpoint or model that cannot be
///   written is *not* an error before the end: it is reported as a warning, and the next epoch tries again.
public func fit(
  _ options: FitOptions, _ parts: FitParts, start: Parameters, from checkpoint: Checkpoint? = nil
) throws -> TrainingRecord {
  let run = try FitRun(options, parts, start: start, from: checkpoint)
  try run.run()
  return run.state.record
}

/// One run of `fit`.
final class FitRun {
  let options: FitOptions
  let parts: FitParts
  var engine: any TrainingEngine
  var state: FitState
  var updateCount: Int
  /// The model to store that could not be written so far.
  var unwritten: (parameters: Parameters, epoch: Int, reason: String)?
  var hasStored: Bool
  private var images: [Float] = []
  private var targets: [Float] = []
  private var outputs: [Float] = []

  init(_ options: FitOptions, _ parts: FitParts, start: Parameters, from checkpoint: Checkpoint?) throws {
    self.options = options
    self.parts = parts
    state = checkpoint?.state ?? FitState()
    // With more epochs than last time the training continues, unless early stopping ended it.
    if !state.record.hasStoppedEarly { state.isOver = state.epoch >= options.epochs }
    updateCount = checkpoint?.updateCount ?? 0
    hasStored = !state.record.epochs.isEmpty
    let weights = checkpoint.map { Parameters($0.weights) } ?? start
    engine = try parts.makeEngine(try options.shape(state.epoch), weights)
    if let checkpoint {
      try engine.restore(weights, optimizerState: checkpoint.optimizer, updateCount: checkpoint.updateCount)
    }
    if options.average != nil {
      try engine.startAverage(checkpoint?.average.map { Parameters($0) } ?? weights)
    }
  }

  func run() throws {
    if state.epoch > 0 || state.batch > 0 {
      parts.tell(.resumed(epoch: state.epoch, batch: state.batch))
    }
    while !state.isOver && state.epoch < options.epochs {
      try changeShape(to: try options.shape(state.epoch))
      try trainEpoch()
      try endEpoch()
    }
    try storeLast()
  }

  private func changeShape(to shape: [Int]) throws {
    guard engine.inputShape != shape else { return }
    let parameters = try engine.parameters()
    let optimizer = try engine.optimizerState()
    let average = try engine.average()
    engine = try parts.makeEngine(shape, parameters)
    try engine.restore(parameters, optimizerState: optimizer.arrays, updateCount: optimizer.updateCount)
    if let average { try engine.startAverage(average) }
  }

  /// Trains the remaining batches of the epoch.
  private func trainEpoch() throws {
    let size = engine.inputShape.reduce(options.batch, *)
    let width = engine.outputCount
    if images.count != size { images = [Float](repeating: 0, count: size) }
    if targets.count != options.batch * width {
      targets = [Float](repeating: 0, count: options.batch * width)
      outputs = targets
    }
    var mark = (time: ContinuousClock.now, images: state.sums.images)
    while state.batch < options.batchCount {
      let start = ContinuousClock.now
      try step()
      state.times.whole += (.now - start) / .seconds(1)
      parts.tell(
        .progress(
          epoch: state.epoch, epochs: options.epochs, batch: state.batch - 1, batchCount: options.batchCount,
          images: options.batch * options.rankCount, sums: state.sums))
      // MXNet's Speedometer reports after batch 20, 40, ... of the epoch, counted from 0.
      if state.batch > 1, (state.batch - 1) % options.reportEvery == 0 {
        let now = ContinuousClock.now
        let speed = Double(state.sums.images - mark.images) / max((now - mark.time) / .seconds(1), 1e-9)
        parts.tell(
          .speed(epoch: state.epoch, batch: state.batch - 1, imagesPerSecond: speed, sums: state.sums))
        mark = (now, state.sums.images)
      }
      if parts.isStopped() { try end() }
      if let every = options.checkpointEvery, state.batch % every == 0, state.batch < options.batchCount {
        writeCheckpoint()
      }
    }
  }

  private func step() throws {
    let width = engine.outputCount
    // Moved out of the object during the step: a span must not outlive the access to the property.
    var (images, targets, outputs) = (self.images, self.targets, self.outputs)
    (self.images, self.targets, self.outputs) = ([], [], [])
    defer { (self.images, self.targets, self.outputs) = (images, targets, outputs) }
    let begin = ContinuousClock.now
    var imageSpan = images.mutableSpan
    var targetSpan = targets.mutableSpan
    try parts.fill(state.epoch, state.batch, engine.inputShape, &imageSpan, &targetSpan)
    state.times.data += (.now - begin) / .seconds(1)
    state.learningRate = options.learningRate(state.epoch, state.batch)
    var outputSpan = outputs.mutableSpan
    let step = try engine.step(
      images.span, targets: targets.span, count: options.batch, learningRate: state.learningRate,
      outputs: &outputSpan)
    guard step.loss.isFinite else { throw diverged(batch: state.batch) }
    updateCount += 1
    var sums = MetricSums()
    sums.add(
      outputs.span, targets: targets.span, count: options.batch, width: width,
      isMultiLabel: options.isMultiLabel,
      top: options.topK, loss: step.loss * Double(options.batch))
    state.sums.add(parts.total(sums))
    state.times.forward += step.forward / .seconds(1)
    state.times.backward += step.backward / .seconds(1)
    state.times.update += step.update / .seconds(1)
    if let average = options.average { engine.updateAverage(keeping: average.kept(updates: updateCount)) }
    state.batch += 1
  }

  func diverged(batch: Int?) -> FitError {
    let best = state.record.best.map {
      "The best model so far, of epoch \($0.epoch), is kept"
    }
    let checkpoint = lastCheckpoint.map { "the last checkpoint is \($0)" }
    let standing = [best, checkpoint].compactMap(\.self).joined(separator: "; ")
    return FitError(
      .diverged(
        epoch: state.epoch, batch: batch, learningRate: state.learningRate,
        standing: standing.isEmpty ? "No model has been stored yet." : standing + "."))
  }

  /// The path of the latest checkpoint of this run.
  var lastCheckpoint: String?

  /// Ends the run on request, after a checkpoint.
  private func end() throws -> Never {
    if parts.checkpointPath != nil { writeCheckpoint() }
    throw CancellationError()
  }
}

extension FitRun {
  /// Validates, stores the model if it is due or the best so far, and writes the checkpoint.
  func endEpoch() throws {
    var record = trainedRecord()
    parts.tell(.trained(record))
    let start = ContinuousClock.now
    let parameters = try engine.average() ?? engine.parameters()
    let validation = try validated(parameters)
    record.validationSeconds = (.now - start) / .seconds(1)
    let sums = validation.sums
    guard sums.meanLoss.isFinite else { throw diverged(batch: nil) }
    record.validationImages = sums.images
    record.validationLoss = sums.meanLoss
    record.validationAccuracy = sums.accuracy
    record.validationTopAccuracy = options.topK == nil ? nil : sums.topAccuracy
    record.isBest = state.record.best.map { record.validationAccuracy > $0.validationAccuracy } ?? true
    parts.tell(.validated(record))
    state.record.epochs.append(record)
    if record.isBest { state.record.best = record }
    store(parameters, record)
    let isOver =
      options.earlyStopping?.isOver(
        after: state.epoch + 1, accuracy: record.validationAccuracy, &state.earlyStopping) ?? false
    state.epoch += 1
    state.batch = 0
    state.sums = MetricSums()
    state.times = StepTimes()
    state.record.hasStoppedEarly = isOver && state.epoch < options.epochs
    state.isOver = isOver || state.epoch >= options.epochs
    writeCheckpoint()
    if state.record.hasStoppedEarly {
      parts.tell(.stoppedEarly(epoch: record.epoch, best: state.record.best))
    }
    if parts.isStopped() && !state.isOver { throw CancellationError() }
  }

  /// A cancelled validation leaves a checkpoint after the epoch's last batch, so that a resumed training starts with
  /// it.
  private func validated(_ parameters: Parameters) throws -> Validation {
    do { return try parts.validate(parameters, state.epoch) } catch let stop as CancellationError {
      writeCheckpoint()
      throw stop
    }
  }

  private func trainedRecord() -> EpochRecord {
    var record = EpochRecord()
    record.epoch = state.epoch
    record.images = state.sums.images
    record.trainLoss = state.sums.meanLoss
    record.trainAccuracy = state.sums.accuracy
    record.trainTopAccuracy = options.topK == nil ? nil : state.sums.topAccuracy
    record.learningRate = state.learningRate
    record.shape = engine.inputShape
    record.seconds = state.times.whole
    record.imagesPerSecond = Double(record.images) / max(record.seconds, 1e-9)
    record.dataSeconds = state.times.data
    record.forwardSeconds = state.times.forward
    record.backwardSeconds = state.times.backward
    record.updateSeconds = state.times.update
    return record
  }

  private func store(_ parameters: Parameters, _ record: EpochRecord) {
    if let frequency = options.checkpointFrequency {
      if (record.epoch + 1) % frequency == 0 { store(parameters, record.epoch + 1, isOnly: false) }
    } else if record.isBest {
      parts.tell(.best(record))
      store(parameters, record.epoch + 1, isOnly: true)
    } else if let unwritten {
      store(unwritten.parameters, unwritten.epoch, isOnly: true)
    }
  }

  private func store(_ parameters: Parameters, _ epoch: Int, isOnly: Bool) {
    do {
      parts.tell(.stored(path: try parts.store(parameters, epoch, isOnly)))
      unwritten = nil
      hasStored = true
    } catch {
      unwritten = (parameters, epoch, "\(error)")
      parts.tell(
        .warning(
          "the model of epoch \(epoch) could not be written: \(error). It is kept in memory and "
            + "tried again later"))
    }
  }

  /// Writes a model that could not be written before; if no epoch was due for storing, the model of the last epoch.
  func storeLast() throws {
    if unwritten == nil, !hasStoredModel {
      store(try engine.average() ?? engine.parameters(), state.epoch, isOnly: false)
    }
    if let unwritten {
      store(unwritten.parameters, unwritten.epoch, isOnly: options.checkpointFrequency == nil)
    }
    if let unwritten {
      throw FitError(
        .unwritten("the model of epoch \(unwritten.epoch) could not be written: \(unwritten.reason)"))
    }
  }

  /// Whether an epoch was stored or, with `checkpointFrequency`, was due.
  private var hasStoredModel: Bool {
    options.checkpointFrequency.map { state.epoch >= $0 } ?? hasStored
  }

  /// Writes a checkpoint. A failure leaves the previous checkpoint in place, and the training continues with a warning.
  func writeCheckpoint() {
    guard let path = parts.checkpointPath else { return }
    do {
      let weights = try engine.parameters().arraysInMemory()
      let optimizer = try engine.optimizerState()
      // A step whose loss is finite can still have produced weights that are not.
      guard weights.values.allSatisfy({ $0.values.allSatisfy(\.isFinite) }) else {
        return parts.tell(
          .warning("the weights contain NaN or infinity: no checkpoint is written, the previous one is kept"))
      }
      try Checkpoint(
        identity: options.identity, weights: weights, optimizer: optimizer.arrays,
        updateCount: optimizer.updateCount, average: try engine.average()?.arraysInMemory(), state: state
      ).write(to: path)
      lastCheckpoint = path
      parts.tell(.checkpoint(path: path))
    } catch {
      parts.tell(
        .warning(
          "the checkpoint could not be written: \(error). Training continues, but stopping it now would lose everything "
            + "since the previous checkpoint"))
    }
  }
}
