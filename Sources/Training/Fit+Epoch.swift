import Hyperparameters
import Models
import Networks

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
