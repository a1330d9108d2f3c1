import Glibc
import Terminal
import Training

/// Shows a training on stderr: SageMaker's log lines and, on a terminal, a progress bar instead of the lines within an
/// epoch. The bar shows the time left for the whole training; without a terminal, a line at every tenth does.
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
      // Without a terminal, a line every 10 % of each epoch would flood the log.
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
    // Escaped between tabs, because the tabs belong to SageMaker's format.
    for line in lines {
      writeToErrorOutput(
        line.split(separator: "\t").map { printable(String($0)) }.joined(separator: "\t") + "\n")
    }
  }

  func finish() { display.finish() }
}

/// The progress of a whole training, and the time left at its average speed, validations included.
struct RunClock {
  private let start: ContinuousClock.Instant
  /// The fraction of all epochs that was done at the start; above 0 for a resumed training.
  private var firstFraction: Double?
  private var fraction = 0.0
  private var toldTenths = -1

  init(start: ContinuousClock.Instant = .now) { self.start = start }

  /// - Parameters:
  ///   - fraction: the fraction of the training that is done, 0...1.
  ///   - step: the fraction of the training that one batch makes up.
  mutating func advance(to fraction: Double, by step: Double) {
    if firstFraction == nil { firstFraction = fraction - step }
    self.fraction = fraction
  }

  /// The time left, such as "1:02:03"; nil before the first batch and at the end.
  func timeLeft(at time: ContinuousClock.Instant = .now) -> String? {
    guard let firstFraction, fraction > firstFraction, fraction < 1 else { return nil }
    return clockText((time - start) / .seconds(1) * (1 - fraction) / (fraction - firstFraction))
  }

  /// A line about the time left: as soon as it is known, and then once for each further tenth; nil in between.
  mutating func news(at time: ContinuousClock.Instant = .now) -> String? {
    guard let left = timeLeft(at: time) else { return nil }
    let tenths = (1...10).last { Double($0) / 10 <= fraction + 1e-9 } ?? 0
    guard tenths > toldTenths else { return nil }
    toldTenths = tenths
    return "\(rounded(fraction * 100)) % of the training is done; ETA \(left)"
  }
}
