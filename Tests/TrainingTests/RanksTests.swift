import Files
import Models
import Networks
import RankTestSupport
import Synchronization
import TestSupport
import Testing

@testable import Training

/// A training whose outcome does not depend on what is in it.
private struct Mishap: Error, Hashable { let rank: Int }

@Suite("Ranks") struct RanksTests {
  @Test("each hears what all have to say, in order", arguments: [1, 2, 3])
  func gathering(_ count: Int) throws {
    let found = try withLocalRanks(count) { exchange in
      let ranks = Ranks(exchange)
      let words = ranks.gather([UInt8](repeating: UInt8(65 + ranks.rank), count: ranks.rank))
      return (ranks.gather(Double(ranks.rank)), words, ranks.any(ranks.rank == 1), ranks.any(false))
    }.map { try $0.get() }
    for (numbers, words, hasSecond, none) in found {
      #expect(numbers == (0..<count).map(Double.init))
      #expect(words == (0..<count).map { [UInt8](repeating: UInt8(65 + $0), count: $0) })
      #expect(hasSecond == (count > 1) && !none)
    }
  }

  @Test(
    "what fails on some fails on all, and one of them says so",
    arguments: [[], [0], [1], [2], [1, 2], [0, 1, 2]] as [Set<Int>])
  func together(_ failing: Set<Int>) throws {
    let found = try withLocalRanks(3) { exchange in
      let ranks = Ranks(exchange)
      var outcome = ""
      do {
        outcome = try ranks.together {
          if failing.contains(ranks.rank) { throw Mishap(rank: ranks.rank) }
          return "done"
        }
      } catch let error as Mishap { outcome = "mishap \(error.rank)" } catch { outcome = "\(error)" }
      return (outcome, ranks.speaker)
    }.map { try $0.get() }
    for (rank, (outcome, speaker)) in found.enumerated() {
      #expect(speaker == failing.min())
      let other = failing.min().map { "rank \($0) has failed" } ?? "done"
      #expect(outcome == (failing.contains(rank) ? "mishap \(rank)" : other))
    }
  }

  @Test("a single rank hears only itself")
  func alone() throws {
    let ranks = Ranks()
    #expect(ranks.isFirst && ranks.count == 1 && ranks.gather(3) == [3] && ranks.gather([7]) == [[7]])
    #expect(throws: Mishap(rank: 0)) { try ranks.together { throw Mishap(rank: 0) } }
    #expect(ranks.speaker == nil)
    try ranks.checkSame("anything")
  }

  @Test("two train as one: each image is counted once, one writes and tells, and a word to one stops both")
  func job() throws {
    try withScratchFolder { (folder) throws in
      // Ten images; of the last, on the second rank's part, nothing can be decoded.
      try writeRecords(folder + "/train.rec", labels: [0, 1, 0, 1, 0, 1, 0, 1])
      try writeRecords(
        folder + "/validation.rec", labels: [0, 1, 0, 1, 0, 1, 0, 1, 0, 1], broken: [3])
      let whole = try train(folder, "whole", ranks: 1, batch: 4)
      let shared = try train(folder, "shared", ranks: 2, batch: 2)
      #expect(shared[0].summary?.skipped == whole[0].summary?.skipped && whole[0].summary?.skipped.count == 1)
      #expect(shared[0].lines == whole[0].lines && !whole[0].lines.isEmpty)
      #expect(shared[1].lines.isEmpty)
      let records = try ["whole", "shared"].map {
        try Checkpoint(path: "\(folder)/\($0)/checkpoints/\(Checkpoint.fileName)").record
      }
      #expect(records.map { $0.epochs.map(\.images) } == [[8, 8], [8, 8]])
      #expect(records.map { $0.epochs.map(\.validationImages) } == [[9, 9], [9, 9]])
      for (one, other) in zip(records[0].epochs, records[1].epochs) {
        #expect(abs(one.trainLoss - other.trainLoss) < 1e-3 && one.trainAccuracy == other.trainAccuracy)
        #expect(abs(one.validationLoss - other.validationLoss) < 1e-2)
      }
      let stopped = try train(folder, "stopped", ranks: 2, batch: 2, stoppedBy: 1)
      #expect(stopped.map(\.summary?.epochs) == [nil, nil])
      #expect(try Checkpoint(path: folder + "/stopped/checkpoints/" + Checkpoint.fileName).place == (0, 1))
      // What one was given the other was not.
      let other = try train(folder, "other", ranks: 2, batch: 2, odd: true)
      #expect(other.map(\.failure).allSatisfy { $0.contains(" of rank 1 differ from those of rank 0") })
    }
  }

  private struct Outcome: Sendable {
    var summary: TrainingSummary?
    var lines: [String] = []
    var failure = ""
  }

  /// - Parameters:
  ///   - stoppedBy: the rank that is asked to stop at once.
  ///   - odd: the last rank has another momentum.
  private func train(
    _ folder: String, _ name: String, ranks count: Int, batch: Int, stoppedBy: Int? = nil, odd: Bool = false
  ) throws -> [Outcome] {
    try withLocalRanks(count) { exchange in
      let ranks = Ranks(exchange)
      var request = TrainingRequest(
        train: .records(folder + "/train.rec"), validation: .records(folder + "/validation.rec"),
        modelFolder: "\(folder)/\(name)")
      request.hyperparameters = [
        ("num_layers", "20"), ("image_shape", "3,8,8"), ("mini_batch_size", "\(batch)"), ("epochs", "2"),
        ("learning_rate", "0.0001"), ("momentum", odd && ranks.rank > 0 ? "0.5" : "0.9"),
      ]
      var outcome = Outcome()
      let log = TrainingLog(hasTime: false)
      do {
        let job = try ranks.together {
          try TrainingJob(request, ranks: ranks, makeEngine: TrainingRequest.trainer(with: ranks.exchange))
        }
        outcome.summary = try job.run(
          tell: { event in
            // What a clock says, or rounding, differs.
            switch event {
            case .best, .warning, .stored:
              outcome.lines += log.lines(event).map { $0.replacing(name, with: "") }
            default: break
            }
          }, isStopped: { stoppedBy == ranks.rank })
      } catch is CancellationError {} catch { outcome.failure = "\(error)" }
      return outcome
    }.map { try $0.get() }
  }
}
