import Glibc

/// Shows the progress of a run on stderr: a bar that is redrawn on a terminal, otherwise a line every 10 %.
public final class ProgressDisplay {
  private let isQuiet: Bool
  private let isTerminal: Bool
  private let unit: String
  private let showsRate: Bool
  private var lastDrawn: ContinuousClock.Instant?
  private var lastTenth = 0
  private var isDrawn = false
  /// A run may count from zero several times, each time with another label.
  private var stage: Stage?

  private struct Stage {
    let label: String
    let start = ContinuousClock.now
    /// The counts when the stage began, because work of an earlier run says nothing about the speed of this one.
    let firstDone: Int
    let firstFraction: Double
  }

  /// - Parameters:
  ///   - unit: what is counted, in the plural: "images".
  ///   - quiet: shows nothing.
  ///   - showsRate: `false` where a rate in these units would mean nothing.
  public init(unit: String, quiet: Bool, showsRate: Bool = true) {
    self.unit = unit
    self.showsRate = showsRate
    isQuiet = quiet
    isTerminal = isatty(STDERR_FILENO) == 1
  }

  // If the run fails, the error message must not follow the bar on the same line.
  deinit { finish() }

  /// Shows the present state; on a terminal at most ten times a second.
  ///
  /// - Parameters:
  ///   - done: how many units are done.
  ///   - total: how many there are; `nil` where that is known only at the end.
  ///   - skipped: how many inputs were skipped.
  ///   - fraction: the progress, 0...1.
  ///   - label: the stage of the run; a new label starts a new count.
  ///   - rest: shown instead of the estimated time until `fraction` is 1, where more work follows after that.
  public func update(
    done: Int, total: Int?, skipped: Int, fraction: Double, label: String = "", rest: String? = nil
  ) {
    if isQuiet { return }
    let stage = stage(label, done, fraction)
    if isTerminal {
      let now = ContinuousClock.now
      if let lastDrawn, now - lastDrawn < .milliseconds(100), fraction < 1 { return }
      lastDrawn = now
      isDrawn = true
      let words = numbers(done, total, skipped, fraction, stage, rest)
      writeToErrorOutput("\r\(barLine(label, words, fraction, width: terminalWidth()))\u{1B}[K")
    } else {
      let tenth = tenths(of: fraction)
      if tenth <= lastTenth { return }
      lastTenth = tenth
      let words = numbers(done, total, skipped, fraction, stage, rest)
      writeToErrorOutput("\(label.isEmpty ? "" : label + ": ")\(tenth * 10) %  \(words)\n")
    }
  }

  /// Removes the bar. The next update starts a new one.
  public func finish() {
    if isDrawn { writeToErrorOutput("\r\u{1B}[K") }
    isDrawn = false
    stage = nil
  }

  private func stage(_ label: String, _ done: Int, _ fraction: Double) -> Stage {
    if let stage, stage.label == label { return stage }
    let new = Stage(label: label, firstDone: done, firstFraction: fraction)
    stage = new
    lastTenth = 0
    lastDrawn = nil
    return new
  }

  private func tenths(of fraction: Double) -> Int {
    (1...10).last { Double($0) / 10 <= fraction + 1e-9 } ?? 0
  }

  private func numbers(
    _ done: Int, _ total: Int?, _ skipped: Int, _ fraction: Double, _ stage: Stage, _ rest: String?
  ) -> String {
    let elapsed = (ContinuousClock.now - stage.start) / .seconds(1)
    var parts = ["\(done)\(total.map { "/\($0)" } ?? "") \(unit)"]
    if showsRate, elapsed > 0, done > stage.firstDone {
      parts.append("\(rounded(Double(done - stage.firstDone) / elapsed))/s")
    }
    let gained = fraction - stage.firstFraction
    if let rest {
      parts.append(rest)
    } else if gained > 0, fraction < 1, elapsed > 0.5 {
      parts.append("ETA \(clockText(elapsed * (1 - fraction) / gained))")
    }
    if skipped > 0 { parts.append("\(skipped) skipped") }
    return parts.joined(separator: "  ")
  }
}

/// A line that fits the terminal, since a wrapped line could not be redrawn. The bar is shortened before the words are.
func barLine(_ label: String, _ words: String, _ fraction: Double, width: Int) -> String {
  let room = width - 1
  let text = label.isEmpty ? words : "\(label) \(words)"
  let barWidth = min(24, room - text.count - 1)
  guard barWidth >= 4 else { return String(text.prefix(room)) }
  let full = (0...barWidth).last { Double($0) <= fraction * Double(barWidth) + 1e-9 } ?? 0
  let bar = String(repeating: "█", count: full) + String(repeating: "░", count: barWidth - full)
  return "\(label.isEmpty ? "" : label + " ")\(bar) \(words)"
}

private func terminalWidth() -> Int {
  var size = winsize()
  guard unsafe ioctl(STDERR_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return 80 }
  return Int(size.ws_col)
}

/// The number rounded to an integer, as text; "0" for NaN, infinity and numbers beyond 64 bits.
public func rounded(_ value: Double) -> String {
  Int64(exactly: value.rounded()).map { "\($0)" } ?? "0"
}

/// Seconds as "0:42" or "1:02:03".
public func clockText(_ seconds: Double) -> String {
  let total = Int64(exactly: seconds.rounded()) ?? 0
  func two(_ value: Int64) -> String { value < 10 ? "0\(value)" : "\(value)" }
  let (hours, minutes) = (total / 3600, total / 60 % 60)
  return hours > 0 ? "\(hours):\(two(minutes)):\(two(total % 60))" : "\(minutes):\(two(total % 60))"
}
