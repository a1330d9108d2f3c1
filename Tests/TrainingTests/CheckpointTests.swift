import Hyperparameters
import Models
import TestSupport
import Testing

@testable import Training

@Suite struct CheckpointTests {
  private var checkpoint: Checkpoint {
    var state = FitState()
    state.epoch = 3
    state.learningRate = 0.1 + 0.2
    state.times.forward = 1.0 / 3
    return Checkpoint(
      identity: ["learning_rate": "0.1", "batch": "32"],
      weights: ["fc1_weight": .init(shape: [1, 2], values: [0.1, -.leastNonzeroMagnitude])],
      optimizer: ["momentum:fc1_weight": .init(shape: [1, 2], values: [1, 2])], updateCount: 17,
      average: ["fc1_weight": .init(shape: [2], values: [3, 4])], state: state)
  }

  @Test("what is written is read to the bit")
  func roundTrip() throws {
    try withScratchFolder { (folder) throws in
      try checkpoint.write(to: folder + "/c")
      let read = try Checkpoint(path: folder + "/c")
      #expect(read.weights == checkpoint.weights && read.optimizer == checkpoint.optimizer)
      #expect(read.average == checkpoint.average && read.updateCount == 17 && read.state == checkpoint.state)
      #expect(read.identity == checkpoint.identity)
    }
  }

  @Test("one of another training is refused, by the first value that differs")
  func other() throws {
    let error = #expect(throws: FitError.self) {
      try checkpoint.check(["learning_rate": "0.2", "batch": "32"], path: "c")
    }
    #expect(
      error?.description
        == "c: this checkpoint belongs to a training with learning_rate 0.1; in this run it is 0.2")
    let missing = #expect(throws: FitError.self) { try checkpoint.check(["batch": "32"], path: "c") }
    #expect(missing?.description.hasSuffix("learning_rate 0.1; in this run it is not set") == true)
    try checkpoint.check(checkpoint.identity, path: "c")
  }

  @Test("one of another precision is refused, and one from before there was a choice is of fp32")
  func precision() throws {
    var values = HyperparameterSet()
    let floats = TrainingJob.identity(values, images: 9, ranks: 1)
    values.precision = .bf16
    let halves = TrainingJob.identity(values, images: 9, ranks: 1)
    var found = checkpoint
    for (identity, other) in [(floats, halves), (halves, floats)] {
      found.identity = identity
      try found.check(identity, path: "c")
      let error = #expect(throws: FitError.self) { try found.check(other, path: "c") }
      #expect(
        error?.description
          == "c: this checkpoint belongs to a training with precision \(identity["precision"] ?? ""); in this run it is "
          + "\(other["precision"] ?? "")")
    }
    found.identity = floats
    found.identity["precision"] = nil
    try found.check(floats, path: "c")
    #expect(throws: FitError.self) { try found.check(halves, path: "c") }
  }

  @Test(
    "a state with counts that no training has is refused", arguments: [(-1, 0, 0), (0, -1, 0), (0, 0, -1)])
  func impossible(_ epoch: Int, _ batch: Int, _ updates: Int) throws {
    try withScratchFolder { (folder) throws in
      var changed = checkpoint
      (changed.state.epoch, changed.state.batch, changed.updateCount) = (epoch, batch, updates)
      try changed.write(to: folder + "/c")
      #expect(throws: FitError.self) { try Checkpoint(path: folder + "/c") }
    }
  }

  @Test("a file that is cut short, or a model in its place, is refused with a sentence")
  func damaged() throws {
    try withScratchFolder { (folder) throws in
      try checkpoint.write(to: folder + "/c")
      let bytes = readScratchBytes(folder + "/c") ?? []
      writeScratchFile(folder + "/cut", bytes.dropLast(40))
      #expect(throws: ModelError.self) { try Checkpoint(path: folder + "/cut") }
      var writer = try ParameterWriter(folder + "/model", count: 1)
      try writer.append("arg:fc1_bias", shape: [1], [1].span)
      try writer.publish()
      let error = #expect(throws: FitError.self) { try Checkpoint(path: folder + "/model") }
      #expect(error?.description == "\(folder)/model: not a valid checkpoint: it holds no training state")
    }
  }
}
