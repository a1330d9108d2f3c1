public import Hyperparameters
public import Models
import Networks

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
