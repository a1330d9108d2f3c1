import Hyperparameters
import Models
import Networks

extension FitRun {
  /// Validates, stores the model where it is better, and writes the checkpoint.
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

  /// A validation that is broken off begins anew when the training goes on: the epoch's batches are all done.
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
        .warning("the model of epoch \(epoch) could not be written and is kept in memory: \(error)"))
    }
  }

  /// What is still to be written; where no epoch was due, the last one.
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

  /// Of `checkpointFrequency`, whether an epoch was due yet.
  private var hasStoredModel: Bool {
    options.checkpointFrequency.map { state.epoch >= $0 } ?? hasStored
  }

  /// One that cannot be written leaves the former one; the training goes on.
  func writeCheckpoint() {
    guard let path = parts.checkpointPath else { return }
    do {
      let weights = try engine.parameters().arraysInMemory()
      let optimizer = try engine.optimizerState()
      // A step with a loss that is still a number may have made weights that are none.
      guard weights.values.allSatisfy({ $0.values.allSatisfy(\.isFinite) }) else {
        return parts.tell(
          .warning("the weights hold NaN or infinity: no checkpoint is made, the former one stays"))
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
          "the checkpoint could not be written: \(error). The training goes on; ended now, it would lose what it "
            + "learnt since the last one"))
    }
  }
}
