import Files
import FoundationEssentials
import HTTP
import Predictions
import Reporting
import Scoring
import Synchronization

/// The accuracy report of a transform job, made when it is asked for: one at a time, on a thread of its own.
final class ScoreOnDemand: Sendable {
  /// Why there is no report, in a sentence.
  struct Refusal: Error, CustomStringConvertible {
    let description: String
    var isBusy = false
  }
  /// A truth that was sent: at most so many bytes.
  static let truthByteLimit = 32 << 20

  /// No Mutex: in a release build swiftc 6.3.1 unlocked it as another thread than had locked it, behind the await.
  private let isRunning = Atomic(false)
  private let thread = OwnThreads()

  /// - Parameters:
  ///   - outputs: a folder of `.out` files.
  ///   - truth: a file on this machine.
  ///   - details: what the report says of its origin.
  func report(outputs: String, truth: String, classes: String?, details: [Detail]) async throws -> String {
    let begins = isRunning.compareExchange(expected: false, desired: true, ordering: .acquiringAndReleasing)
    guard begins.exchanged else {
      throw Refusal(description: "Another report is being made; try again when it is done.", isBusy: true)
    }
    defer { isRunning.store(false, ordering: .releasing) }
    return try await withTaskExecutorPreference(thread) {
      do {
        var run = try ScoringRun(outputs: outputs, truth: truth, classes: classes)
        guard run.plan.truth.count > 0 else {
          let first = run.plan.truth.rejections.first.map { ": \($0.path): \($0.reason)" } ?? ""
          throw Refusal(description: "The truth has no image with a label\(first)")
        }
        var options = ScoringOptions()
        options.jobs = 1
        var score = try await run.score(options)
        score.details = details
        return try ScoreReport(score).html()
      } catch let error where error is CancellationError || error is Refusal {
        throw error
      } catch {
        throw Refusal(description: "The outputs cannot be scored: \(error)")
      }
    }
  }

  /// As `report`, with a truth that was sent: it is kept in a file while it is read.
  ///
  /// - Parameter suffix: of the truth's file, which says its format.
  func report(
    outputs: String, sentTruth: [UInt8], suffix: String, classes: String?, details: [Detail]
  ) async throws -> String {
    let path = join(FileManager.default.temporaryDirectory.path, "imrec-truth-\(UUID().uuidString)\(suffix)")
    try Data(sentTruth).write(to: URL(filePath: path))
    defer { try? FileManager.default.removeItem(atPath: path) }
    return try await report(outputs: outputs, truth: path, classes: classes, details: details)
  }
}
