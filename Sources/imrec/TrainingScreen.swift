import Glibc
import Terminal
import Training

/// Shows a training on stderr: SageMaker's lines, and on a terminal a bar in place of those within an epoch.
final class TrainingScreen {
  private let log: TrainingLog
  private let isQuiet: Bool
  private let isTerminal = isatty(STDERR_FILENO) == 1
  private let display: ProgressDisplay

  init(log: TrainingLog, quiet: Bool) {
    self.log = log
    isQuiet = quiet
    display = ProgressDisplay(unit: "images", quiet: quiet)
  }

  func take(_ event: TrainingEvent) {
    switch event {
    case .progress(let epoch, let epochs, let batch, let batchCount, let images, _):
      // A line every 10 % of each epoch would drown the log.
      guard isTerminal else { return }
      let (done, total) = ((batch + 1) * images, batchCount * images)
      display.update(
        done: done, total: total, skipped: 0, fraction: Double(done) / Double(max(1, total)),
        label: "epoch \(epoch) of \(epochs)")
    case .validating(let epoch, let epochs, let done, let total):
      guard isTerminal else { return }
      display.update(
        done: done, total: total, skipped: 0, fraction: Double(done) / Double(max(1, total)),
        label: "validation of epoch \(epoch) of \(epochs)")
    case .speed where isTerminal: break
    case .warning:
      display.finish()
      for line in log.lines(event) { writeToErrorOutput(printable(line) + "\n") }
    default: write(log.lines(event))
    }
  }

  func write(_ lines: [String]) {
    if isQuiet || lines.isEmpty { return }
    display.finish()
    // The lines are made here, of numbers and the user's own paths; their tabs are SageMaker's.
    for line in lines {
      writeToErrorOutput(
        line.split(separator: "\t").map { printable(String($0)) }.joined(separator: "\t") + "\n")
    }
  }

  func finish() { display.finish() }
}
