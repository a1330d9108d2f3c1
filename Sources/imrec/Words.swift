import Encodings
import Files
import Imaging
import Reporting
import Scoring
import Terminal

/// Messages for the person at the terminal. They go to stderr, so that stdout holds only data.
struct Words: Sendable {
  private let isQuiet: Bool

  init(quiet: Bool) { isQuiet = quiet }

  /// Writes a message that is worth knowing; suppressed by `--quiet`.
  func note(_ sentence: String) {
    if !isQuiet { writeLine(sentence) }
  }

  /// Writes a message about something that was lost or looks wrong, also with `--quiet`.
  func warn(_ sentence: String) { writeLine("warning: \(sentence)") }

  /// Lists the inputs that were left out: the first `limit` one by one, then the number of the others. A note names the
  /// option that would accept some of them, if there is one.
  func skipped(_ items: [(path: String, reason: String)], listing limit: Int = 50) {
    list("skipped", items, limit)
    if let remedy = sizeRemedy(items.map(\.reason)) { note(remedy) }
  }

  func skipped(_ items: [Skip]) { skipped(items.map { ($0.path, $0.reason) }) }

  /// Lists the inputs that were used although they may be damaged.
  func doubtful(_ items: [Skip]) { list("doubtful", items.map { ($0.path, $0.reason) }, 50) }

  private func list(_ kind: String, _ items: [(path: String, reason: String)], _ limit: Int) {
    for item in items.prefix(limit) {
      writeLine("\(kind): \(clipped(printable(item.path))): \(item.reason)")
    }
    if items.count > limit { writeLine("\(kind): \(items.count - limit) more; --json lists them all") }
  }

  private func writeLine(_ line: String) { writeToErrorOutput(line + "\n") }
}

/// The remedy for images with more pixels than the limit; nil if none of the reasons is that.
func sizeRemedy(_ reasons: [String]) -> String? {
  let isTooLarge = reasons.contains { $0.contains(ImageError.sizeLimitWords) }
  return isTooLarge ? "--max-pixels COUNT accepts larger images" : nil
}

/// A path, with the middle left out if it would fill the screen; `--json` shows all of it.
private func clipped(_ text: String) -> String {
  text.count <= 240 ? text : "\(text.prefix(100))[...]\(text.suffix(100))"
}

/// Writes a file to a staging file and renames it, so that it appears completely or not at all.
func writeStaged(_ path: String, _ body: (([UInt8]) throws -> Void) throws -> Void) throws {
  var file = try StagedFile(path)
  do {
    try body { chunk in try file.append(chunk.span) }
  } catch {
    file.discard()
    throw error
  }
  try file.publish()
}

/// Parses the gates of a repeatable option; a malformed gate is wrong usage.
func parsedGates(
  _ texts: [String], of option: String, verb: String, _ parse: (String) throws(ScoringError) -> [Gate]
) throws -> [Gate] {
  do throws(ScoringError) {
    var gates: [Gate] = []
    for text in texts { gates += try parse(text) }
    return gates
  } catch {
    throw WrongUsage("\(option): \(error.description)", verb: verb)
  }
}

extension Words {
  /// The most names shown for one reason.
  private static let shownNames = 3
  /// The most reasons shown.
  private static let shownReasons = 6

  /// Warns about inputs that do not count, with one line for all inputs of the same kind of reason.
  func listed(_ kind: String, _ items: [(path: String, reason: String)]) {
    var groups: [(reason: String, isOne: Bool, paths: [String], count: Int)] = []
    var places: [ByteName: Int] = [:]
    var unlistedCount = 0
    for item in items {
      let kind = ByteName(kindOfReason(item.reason))
      if let place = places[kind] {
        groups[place].count += 1
        if !hasSameBytes(groups[place].reason, item.reason) { groups[place].isOne = false }
        if groups[place].paths.count < Self.shownNames { groups[place].paths.append(item.path) }
      } else if groups.count < Self.shownReasons {
        places[kind] = groups.count
        groups.append((item.reason, true, [item.path], 1))
      } else {
        unlistedCount += 1
      }
    }
    for group in groups {
      let limit = group.count > 1 ? 60 : 200
      var names = group.paths.map { printable(shortened($0, to: limit)) }.joined(separator: ", ")
      let moreCount = group.count - group.paths.count
      if moreCount > 0 { names += " and \(groupedText(moreCount)) more" }
      let example = group.isOne ? "" : "such as "
      warn("\(kind): \(names): \(example)\(printable(shortened(group.reason, to: 400)))")
    }
    if unlistedCount > 0 { warn("\(kind): \(groupedText(unlistedCount)) more; --json lists them all") }
  }

  /// A reason without its numbers and quoted parts, which differ from input to input; equal for faults of one kind.
  private func kindOfReason(_ reason: String) -> String {
    var kind: [UInt8] = []
    var quote: UInt8?
    for byte in reason.utf8 {
      if let open = quote {
        if byte == open { quote = nil }
      } else if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "'") && kind.last == UInt8(ascii: " ") {
        quote = byte
      } else if !(UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) {
        kind.append(byte)
      }
    }
    return String(decoding: kind, as: UTF8.self)
  }

  /// Warns about each failed gate, with its value and threshold.
  func failedGates(_ gates: [GateResult], _ bound: (GateResult) -> String) {
    for gate in gates where !gate.passed {
      let value = gate.value.map { "is \($0)" } ?? "could not be computed"
      warn("gate failed: \(printable(gate.gate)) \(value), \(bound(gate)) \(gate.threshold) is required")
    }
  }
}

/// A name of at most `limit` characters; the middle of a longer one is left out.
func shortened(_ name: String, to limit: Int = 200) -> String {
  Reporting.shortened(name, to: limit, mark: "...")
}

/// A name for a table column: escaped, and cut to the column's width.
func cell(_ name: String, _ width: Int) -> String { fitted(printable(shortened(name)), width) }

/// A fraction as "67.7 %", right-aligned to 7 columns.
func percent(_ fraction: Double) -> String { leftPadded("\(decimalText(100 * fraction, 1)) %", 7) }

/// An interval as "66.4 to 72.2 %", right-aligned to 15 columns.
func interval(_ estimate: Estimate) -> String {
  leftPadded("\(decimalText(100 * estimate.low, 1)) to \(decimalText(100 * estimate.high, 1)) %", 15)
}
