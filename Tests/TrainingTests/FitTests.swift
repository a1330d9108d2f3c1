import Models
import TestSupport
import Testing

@testable import Hyperparameters
@testable import Training

@Suite struct FitTests {
  @Test("stopped after any batch and resumed, it ends bit for bit as if undisturbed", arguments: 1...12)
  func resume(_ batches: Int) throws {
    try withScratchFolder { (folder) throws in
      let whole = trial(folder + "/whole")
      let expected = try whole.run()
      let first = trial(folder + "/part")
      first.stopAfter = batches
      var record: TrainingRecord?
      do { record = try first.run() } catch is CancellationError {}
      let second = trial(folder + "/part")
      if record == nil {
        record = try second.run(from: try Checkpoint(path: folder + "/part"))
        let isTold = second.events.contains { if case .resumed = $0 { true } else { false } }
        #expect(isTold)
      } else {
        // The last batch of all: what is left is the validation, which is not waited for twice.
        #expect(batches == 12)
      }
      #expect(record?.timeless == expected.timeless)
      let ends = [try Checkpoint(path: folder + "/part"), try Checkpoint(path: folder + "/whole")]
      #expect(ends[0].weights == ends[1].weights && ends[0].optimizer == ends[1].optimizer)
      #expect(ends[0].average == ends[1].average && ends[0].updateCount == ends[1].updateCount)
      let stored = (first.stored + second.stored).last
      #expect(stored?.weights == whole.stored.last?.weights && stored?.epoch == whole.stored.last?.epoch)
    }
  }

  @Test("ended without warning, it goes on after the last checkpoint", arguments: 3...11)
  func killed(_ batches: Int) throws {
    try withScratchFolder { (folder) throws in
      let expected = try trial(folder + "/whole").run()
      let first = trial(folder + "/part")
      first.options.checkpointEvery = 3
      first.failBefore = batches
      #expect(throws: Trial.Unreadable.self) { try first.run() }
      let checkpoint = try Checkpoint(path: folder + "/part")
      let place = checkpoint.place
      #expect(place.epoch * 4 + place.batch > batches - 4 && place.epoch * 4 + place.batch <= batches)
      #expect(try trial(folder + "/part").run(from: checkpoint).timeless == expected.timeless)
    }
  }

  @Test(
    "stopped in a validation it goes on with that validation, and trains no batch twice", arguments: 0...2)
  func stoppedValidating(_ epoch: Int) throws {
    try withScratchFolder { (folder) throws in
      let expected = try trial(folder + "/whole").run()
      let first = trial(folder + "/part")
      first.stopInValidationOf = epoch
      #expect(throws: CancellationError.self) { try first.run() }
      let checkpoint = try Checkpoint(path: folder + "/part")
      #expect(checkpoint.place == (epoch, 4))
      let second = trial(folder + "/part")
      #expect(try second.run(from: checkpoint).timeless == expected.timeless)
      let ends = [try Checkpoint(path: folder + "/part"), try Checkpoint(path: folder + "/whole")]
      #expect(ends[0].weights == ends[1].weights && ends[0].average == ends[1].average)
    }
  }

  private func trial(_ path: String) -> Trial {
    let trial = Trial()
    trial.options.average = MovingAverage(decay: 0.8)
    trial.checkpointPath = path
    return trial
  }

  @Test("a finished training that is resumed does nothing; with more epochs it goes on")
  func longer() throws {
    try withScratchFolder { (folder) throws in
      let long = trial(folder + "/long")
      long.options.epochs = 5
      let expected = try long.run()
      _ = try trial(folder + "/short").run()
      let again = trial(folder + "/short")
      #expect(try again.run(from: try Checkpoint(path: folder + "/short")).epochs.count == 3)
      #expect(again.stored.isEmpty)
      let more = trial(folder + "/short")
      more.options.epochs = 5
      let record = try more.run(from: try Checkpoint(path: folder + "/short"))
      #expect(record.timeless == expected.timeless)
    }
  }

  @Test("the best epoch is stored, each time in place of the one before")
  func best() throws {
    let trial = Trial()
    trial.options.epochs = 5
    trial.accuracies = [0.3, 0.5, 0.4, 0.5, 0.6]
    let record = try trial.run()
    #expect(trial.stored.map(\.epoch) == [1, 2, 5])
    #expect(trial.stored.allSatisfy { $0.isOnly })
    #expect(record.epochs.map(\.isBest) == [true, true, false, false, true])
    #expect(record.best?.epoch == 4)
  }

  @Test(
    "with a checkpoint frequency every so many epochs is stored, and the last where none was due",
    arguments: [(1, [1, 2, 3, 4, 5]), (2, [2, 4]), (5, [5]), (6, [5])])
  func frequency(_ row: (every: Int, epochs: [Int])) throws {
    let trial = Trial()
    trial.options.epochs = 5
    trial.options.checkpointFrequency = row.every
    #expect(try trial.run().epochs.count == 5)
    #expect(trial.stored.map(\.epoch) == row.epochs)
    #expect(trial.stored.allSatisfy { !$0.isOnly })
  }

  @Test("early stopping ends it, and a resumed one stays ended")
  func early() throws {
    try withScratchFolder { (folder) throws in
      let trial = Trial()
      trial.checkpointPath = folder + "/checkpoint"
      trial.options.epochs = 9
      trial.options.earlyStopping = EarlyStopping(leastEpochs: 2, patience: 2)
      trial.accuracies = [0.3, 0.5, 0.4, 0.5, 0.6, 0.7]
      let record = try trial.run()
      #expect(record.epochs.count == 4 && record.hasStoppedEarly && record.best?.epoch == 1)
      let again = Trial()
      again.options = trial.options
      #expect(try again.run(from: try Checkpoint(path: folder + "/checkpoint")).epochs.count == 4)
    }
  }

  @Test("a loss of NaN ends it with the last good checkpoint")
  func diverged() throws {
    try withScratchFolder { (folder) throws in
      let trial = Trial()
      trial.checkpointPath = folder + "/checkpoint"
      trial.failingUpdate = 7
      let error = #expect(throws: FitError.self) { try trial.run() }
      #expect(
        error?.description
          == "the loss became NaN or infinite: epoch 1, batch 2, learning rate 0.125. The best model so "
          + "far, of epoch 0, is kept; the last checkpoint is \(folder)/checkpoint.")
      let checkpoint = try Checkpoint(path: folder + "/checkpoint")
      #expect(checkpoint.place.epoch == 1 && checkpoint.place.batch == 0)
    }
  }

  @Test("NaN weights are never stored in a checkpoint")
  func infinite() throws {
    try withScratchFolder { (folder) throws in
      let trial = Trial()
      trial.checkpointPath = folder + "/checkpoint"
      trial.options.learningRate = { epoch, _ in epoch == 1 ? .infinity : 0.1 }
      trial.options.checkpointEvery = 1
      #expect(throws: FitError.self) { try trial.run() }
      let checkpoint = try Checkpoint(path: folder + "/checkpoint")
      #expect(checkpoint.weights.values.allSatisfy { $0.values.allSatisfy(\.isFinite) })
      #expect(checkpoint.place.epoch == 1 && checkpoint.place.batch == 0)
      #expect(trial.warnings.contains { $0.hasPrefix("the weights contain NaN or infinity") })
    }
  }

  @Test("where a checkpoint cannot be written the training goes on, loudly")
  func noCheckpoint() throws {
    let trial = Trial()
    trial.checkpointPath = "/nowhere/checkpoint"
    #expect(try trial.run().epochs.count == 3)
    #expect(trial.warnings.count == 3)
    #expect(trial.warnings.allSatisfy { $0.contains("there is no folder /nowhere to write it in") })
  }

  @Test("a model that cannot be written is kept and tried again; it fails only if it never could be")
  func unwritten() throws {
    let trial = Trial()
    trial.accuracies = [0.5, 0.4, 0.3]
    trial.failingStores = [0]
    _ = try trial.run()
    #expect(trial.stored.map(\.epoch) == [1])
    #expect(trial.stored[0].weights != trial.engines[0].weights, "those of the best epoch, not the last")
    #expect(trial.warnings.count == 1)
    let never = Trial()
    never.accuracies = [0.5, 0.4, 0.3]
    never.failingStores = [0, 1, 2, 3]
    let error = #expect(throws: FitError.self) { try never.run() }
    #expect(error?.description.hasPrefix("the model of epoch 1 could not be written: ") == true)
    #expect(never.stored.isEmpty)
  }

  @Test("images of another size get another engine with the same weights and momentum")
  func sizes() throws {
    let trial = Trial()
    trial.options.shape = { $0 < 1 ? [1, 2, 2] : [1, 2, 4] }
    #expect(try trial.run().epochs.map(\.shape) == [[1, 2, 2], [1, 2, 4], [1, 2, 4]])
    #expect(trial.engines.count == 2)
    let alike = Trial()
    alike.options.epochs = 1
    alike.options.shape = { _ in [1, 2, 2] }
    _ = try alike.run()
    #expect(trial.engines[0].weights == alike.engines[0].weights)
    #expect(try trial.engines[1].optimizerState().updateCount == 12)
  }

  @Test("the moving average is validated and stored in place of the weights, also over a change of size")
  func averaged() throws {
    let trial = Trial()
    trial.options.average = MovingAverage(decay: 0.8)
    trial.options.shape = { $0 < 1 ? [1, 2, 2] : [1, 2, 4] }
    trial.accuracies = [0.1, 0.2, 0.3]
    _ = try trial.run()
    let plain = Trial()
    plain.options.shape = trial.options.shape
    plain.accuracies = trial.accuracies
    plain.options.reportEvery = 1
    _ = try plain.run()
    #expect(trial.engines.map(\.weights) == plain.engines.map(\.weights))
    #expect(trial.stored.map(\.weights) != plain.stored.map(\.weights))
    let end = try #require(try trial.engines[1].average()).values(of: "fc1_weight")
    #expect(trial.stored.last?.weights == end)
    // After the first epoch it is what it would be without another size.
    let short = Trial()
    short.options.average = trial.options.average
    short.options.epochs = 1
    short.options.shape = { _ in [1, 2, 2] }
    _ = try short.run()
    #expect(trial.stored.first?.weights == short.stored.last?.weights)
  }

  @Test("speed is told after batch 20, 40, ... of an epoch, with the accuracy so far")
  func speed() throws {
    let trial = Trial()
    trial.options.batchCount = 45
    trial.options.epochs = 1
    _ = try trial.run()
    let told = trial.events.compactMap { event in
      if case .speed(_, let batch, _, let sums) = event { [batch, sums.images] } else { nil }
    }
    #expect(told == [[20, 42], [40, 82]])
  }
}
