import Files
import Scoring
import Terminal

/// Writes a file whole or not at all.
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

extension Words {
  /// Names shown of the things that have one reason.
  private static let shownNames = 3
  /// Reasons shown.
  private static let shownReasons = 6

  /// Things that do not count, those of one reason in one line; said always.
  func listed(_ kind: String, _ items: [(path: String, reason: String)]) {
    var groups: [(reason: String, paths: [String], count: Int)] = []
    var places: [String: Int] = [:]
    var unlistedCount = 0
    for item in items {
      if let place = places[item.reason] {
        groups[place].count += 1
        if groups[place].paths.count < Self.shownNames { groups[place].paths.append(item.path) }
      } else if groups.count < Self.shownReasons {
        places[item.reason] = groups.count
        groups.append((item.reason, [item.path], 1))
      } else {
        unlistedCount += 1
      }
    }
    for group in groups {
      let limit = group.count > 1 ? 60 : 200
      var names = group.paths.map { printable(shortened($0, to: limit)) }.joined(separator: ", ")
      let moreCount = group.count - group.paths.count
      if moreCount > 0 { names += " and \(grouped(moreCount)) more" }
      warn("\(kind): \(names): \(printable(shortened(group.reason, to: 400)))")
    }
    if unlistedCount > 0 { warn("\(kind): \(grouped(unlistedCount)) more; --json lists them all") }
  }

  /// Each failed gate with value and threshold; said always.
  func failedGates(_ gates: [GateResult], _ bound: (GateResult) -> String) {
    for gate in gates where !gate.passed {
      let value = gate.value.map { "is \($0)" } ?? "could not be computed"
      warn("gate failed: \(printable(gate.gate)) \(value), \(bound(gate)) \(gate.threshold) is asked for")
    }
  }
}

/// A name of at most 200 characters: the middle of a longer one is left out.
func shortened(_ name: String, to limit: Int = 200) -> String {
  let scalars = name.unicodeScalars
  guard scalars.count > limit else { return name }
  let half = (limit - 3) / 2
  return String(String.UnicodeScalarView(scalars.prefix(half))) + "..."
    + String(String.UnicodeScalarView(scalars.suffix(half)))
}

/// A name for a table: escaped, and no wider than its column.
func cell(_ name: String, _ width: Int) -> String { fitted(printable(shortened(name)), width) }

/// "15,187"
func grouped(_ count: Int) -> String {
  var digits = Array("\(count.magnitude)")
  for place in stride(from: digits.count - 3, to: 0, by: -3) { digits.insert(",", at: place) }
  return (count < 0 ? "-" : "") + String(digits)
}

/// "67.7 %", of a fraction.
func percent(_ fraction: Double) -> String { leftPadded("\(decimalText(100 * fraction, 1)) %", 7) }

func interval(_ estimate: Estimate) -> String {
  leftPadded("\(decimalText(100 * estimate.low, 1)) to \(decimalText(100 * estimate.high, 1)) %", 15)
}

/// A number with so many decimals, halves rounded away from 0.
func decimalText(_ value: Double, _ count: Int) -> String {
  var scale: Int64 = 1
  for _ in 0..<count { scale *= 10 }
  guard let scaled = Int64(exactly: (value * Double(scale)).rounded()) else { return "\(value)" }
  let digits = String(scaled.magnitude % UInt64(scale))
  let whole = "\(scaled < 0 ? "-" : "")\(scaled.magnitude / UInt64(scale))"
  return count == 0 ? whole : "\(whole).\(String(repeating: "0", count: count - digits.utf8.count))\(digits)"
}
