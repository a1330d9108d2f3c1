import Glibc

/// Shows how far a run is: a bar that is drawn anew on a terminal, else a line every 10 %.
public final class ProgressDisplay {
  private let isQuiet: Bool
  private let isTerminal: Bool
  private let unit: String
  private let start = ContinuousClock.now
  private var lastDrawn: ContinuousClock.Instant?
  private var lastTenth = 0
  private var lastDone = 0
  private var isDrawn = false
  /// Done when the run began: what an earlier run did says nothing about the speed of this one.
  private var firstDone: Int?

  /// - Parameter unit: what is counted, in the plural: "images".
  public init(unit: String, quiet: Bool) {
    self.unit = unit
    isQuiet = quiet
    isTerminal = isatty(STDERR_FILENO) == 1
  }

  /// - Parameters:
  ///   - total: `nil` where it is not known before the end.
  ///   - fraction: 0...1.
  public func update(done: Int, total: Int?, skipped: Int, fraction: Double, label: String = "") {
    if isQuiet { return }
    let first = firstDone ?? done
    firstDone = first
    if isTerminal {
      let now = ContinuousClock.now
      if let lastDrawn, now - lastDrawn < .milliseconds(100), fraction < 1 { return }
      lastDrawn = now
      isDrawn = true
      let line = barLine(label, done, total, skipped, fraction, first)
      writeToErrorOutput("\r\(line)\u{1B}[K")
    } else {
      let tenth = tenths(of: fraction)
      if tenth == lastTenth { return }
      // A new count from the start: another file of the same run.
      lastTenth = tenth
      if tenth == 0 { return }
      writeToErrorOutput(
        "\(label.isEmpty ? "" : label + ": ")\(tenth * 10) %  \(numbers(done, total, skipped, fraction, first))\n"
      )
    }
    lastDone = done
  }

  /// Leaves the last bar standing and goes to the next line.
  public func finish() {
    if isDrawn { writeToErrorOutput("\r\u{1B}[K") }
    isDrawn = false
    lastTenth = 0
  }

  private func tenths(of fraction: Double) -> Int {
    (1...10).last { Double($0) / 10 <= fraction + 1e-9 } ?? 0
  }

  private func barLine(
    _ label: String, _ done: Int, _ total: Int?, _ skipped: Int, _ fraction: Double, _ first: Int
  ) -> String {
    let width = 24
    let full = (0...width).last { Double($0) <= fraction * Double(width) + 1e-9 } ?? 0
    let bar = String(repeating: "█", count: full) + String(repeating: "░", count: width - full)
    return "\(label.isEmpty ? "" : label + " ")\(bar) \(numbers(done, total, skipped, fraction, first))"
  }

  private func numbers(_ done: Int, _ total: Int?, _ skipped: Int, _ fraction: Double, _ first: Int) -> String
  {
    let elapsed = (ContinuousClock.now - start) / .seconds(1)
    var parts = ["\(done)\(total.map { "/\($0)" } ?? "") \(unit)"]
    if elapsed > 0, done > first { parts.append("\(rounded(Double(done - first) / elapsed))/s") }
    if fraction > 0, fraction < 1, elapsed > 0.5 {
      parts.append("ETA \(clockText(elapsed * (1 - fraction) / fraction))")
    }
    if skipped > 0 { parts.append("\(skipped) skipped") }
    return parts.joined(separator: "  ")
  }
}

/// A count of at most 15 digits without decimals; "0" for what is no number.
public func rounded(_ value: Double) -> String {
  Int64(exactly: value.rounded()).map { "\($0)" } ?? "0"
}

/// Seconds as "0:42" or "1:02:03".
func clockText(_ seconds: Double) -> String {
  let total = Int64(exactly: seconds.rounded()) ?? 0
  func two(_ value: Int64) -> String { value < 10 ? "0\(value)" : "\(value)" }
  let (hours, minutes) = (total / 3600, total / 60 % 60)
  return hours > 0 ? "\(hours):\(two(minutes)):\(two(total % 60))" : "\(minutes):\(two(total % 60))"
}
