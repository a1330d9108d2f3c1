import Encodings
import Glibc
import Terminal
import Training

/// Shows a training on stderr: SageMaker's lines, and on a terminal a bar in place of those within an epoch. How long the
/// whole training still takes stands in the bar; where there is none, in a line of its own every tenth of the training.
final class TrainingScreen {
  private let log: TrainingLog
  private let isQuiet: Bool
  private let isTerminal = isatty(STDERR_FILENO) == 1
  private let display: ProgressDisplay
  private var run = RunClock()

  init(log: TrainingLog, quiet: Bool) {
    self.log = log
    isQuiet = quiet
    display = ProgressDisplay(unit: "images", quiet: quiet)
  }

  func take(_ event: TrainingEvent) {
    switch event {
    case .progress(let epoch, let epochs, let batch, let batchCount, let images, _):
      let whole = Double(max(1, batchCount)) * Double(max(1, epochs))
      run.advance(to: Double(epoch * batchCount + batch + 1) / whole, by: 1 / whole)
      // A line every 10 % of each epoch would drown the log.
      guard isTerminal else { return }
      let (done, total) = ((batch + 1) * images, batchCount * images)
      display.update(
        done: done, total: total, skipped: 0, fraction: Double(done) / Double(max(1, total)),
        label: "epoch \(epoch) of \(epochs)", rest: run.timeLeft().map { "ETA of all epochs \($0)" })
    case .validating(let epoch, let epochs, let done, let total):
      guard isTerminal else { return }
      display.update(
        done: done, total: total, skipped: 0, fraction: Double(done) / Double(max(1, total)),
        label: "validation of epoch \(epoch) of \(epochs)",
        rest: run.timeLeft().map { "ETA of all epochs \($0)" })
    case .speed where isTerminal: break
    case .speed, .validated:
      write(log.lines(event))
      if !isTerminal, let words = run.news() { write(log.info([words])) }
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

/// How far a whole training is, and how long it still takes at the speed that it has had, validations included.
struct RunClock {
  private let start: ContinuousClock.Instant
  /// Of all epochs; a training that goes on does not begin at 0.
  private var firstFraction: Double?
  private var fraction = 0.0
  private var toldTenths = -1

  init(start: ContinuousClock.Instant = .now) { self.start = start }

  /// - Parameter step: what of it the last batch was.
  mutating func advance(to fraction: Double, by step: Double) {
    if firstFraction == nil { firstFraction = fraction - step }
    self.fraction = fraction
  }

  /// "1:02:03"; nil where nothing is known yet, and at the end.
  func timeLeft(at time: ContinuousClock.Instant = .now) -> String? {
    guard let firstFraction, fraction > firstFraction, fraction < 1 else { return nil }
    return clockText((time - start) / .seconds(1) * (1 - fraction) / (fraction - firstFraction))
  }

  /// A line, the first time that it can be said and then for each further tenth.
  mutating func news(at time: ContinuousClock.Instant = .now) -> String? {
    guard let left = timeLeft(at: time) else { return nil }
    let tenths = (1...10).last { Double($0) / 10 <= fraction + 1e-9 } ?? 0
    guard tenths > toldTenths else { return nil }
    toldTenths = tenths
    return "\(rounded(fraction * 100)) % of the training is done; ETA \(left)"
  }
}
