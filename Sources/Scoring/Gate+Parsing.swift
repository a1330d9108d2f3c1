import Files

extension Gate {
  /// Reads `top1=0.8,class:bathtub.recall=0.5`.
  /// - Parameter classes: the names by which a gate of a class is read.
  /// - Throws: `.badGate` that says which gate cannot be read, and why.
  public static func parse(_ text: String, classes: [String]) throws(ScoringError) -> [Gate] {
    var parser = GateParser(text, metrics: metrics, classMetrics: classMetrics, classes: classes)
    return try parser.gates()
  }

  /// Reads the drops of a comparison: `top1=0.01,class:bathtub.recall=0.1`.
  /// - Throws: `.badGate`.
  public static func parseDrops(_ text: String, classes: [String] = []) throws(ScoringError) -> [Gate] {
    var parser = GateParser(
      text, metrics: Comparison.dropMetrics, classMetrics: ["recall"], classes: classes, isDrop: true)
    return try parser.gates()
  }
}

/// Works on bytes: names are hostile, and in a `String` an accent would swallow the sign before it.
private struct GateParser {
  private var rest: ArraySlice<UInt8>
  private let metrics: [String]
  private let classMetrics: [String]
  /// Longest first, so that the first that fits is the longest.
  private let classes: [[UInt8]]
  /// A drop below 0 asks for a rise.
  private let isDrop: Bool

  init(_ text: String, metrics: [String], classMetrics: [String], classes: [String], isDrop: Bool = false) {
    self.isDrop = isDrop
    rest = Array(text.utf8)[...]
    self.metrics = metrics
    self.classMetrics = classMetrics
    self.classes = classes.map { Array($0.utf8) }.sorted { $0.count > $1.count }
  }

  /// - Throws: `.badGate`; a threshold that no figure can have is told for all gates at once.
  mutating func gates() throws(ScoringError) -> [Gate] {
    var gates: [Gate] = []
    repeat {
      rest = rest.drop { $0 == space }
      gates.append(rest.starts(with: "class:".utf8) ? try classGate() : try wholeGate())
    } while take(",")
    guard rest.isEmpty else { throw bad("a comma is expected before \"\(words(rest))\"") }
    let faults = gates.compactMap { rangeFault($0) }
    if !faults.isEmpty { throw bad(faults.joined(separator: "; ")) }
    return gates
  }

  /// What is wrong with a threshold that its metric cannot have.
  private func rangeFault(_ gate: Gate) -> String? {
    let value = gate.threshold
    let expected: String
    switch gate.metric {
    case "log_loss", "support": expected = value < 0 ? "a number from 0" : ""
    case "brier": expected = (0...2).contains(value) ? "" : "a number from 0 to 2"
    case "kappa", "mcc": expected = (-1...1).contains(value) ? "" : "a number from -1 to 1"
    default:
      expected = ((isDrop ? -1 : 0)...1).contains(value) ? "" : "a fraction from \(isDrop ? -1 : 0) to 1"
    }
    if expected.isEmpty { return nil }
    let isPercentage = expected.hasPrefix("a fraction") && value > 1 && value <= 100
    return "the gate \"\(gate.name)\" has the threshold \(short(value)); \(expected) is expected"
      + (isPercentage ? "; did you mean \(hundredth(value))?" : "")
  }

  /// "70" for 70.0
  private func short(_ value: Double) -> String { Int(exactly: value).map { "\($0)" } ?? "\(value)" }

  /// A hundredth of a percentage, without the digits that binary fractions add.
  private func hundredth(_ value: Double) -> String { "\((value * 1e6).rounded() / 1e8)" }

  private let space = UInt8(ascii: " ")
  private let comma = UInt8(ascii: ",")
  private let equals = UInt8(ascii: "=")
  private let quote = UInt8(ascii: "\"")

  private func words(_ bytes: some Sequence<UInt8>) -> String {
    String(decoding: Array(bytes), as: UTF8.self)
  }
  private func bad(_ words: String) -> ScoringError { ScoringError(.badGate(words)) }

  private func trimmed(_ bytes: ArraySlice<UInt8>) -> String {
    words(bytes.drop { $0 == space }.reversed().drop { $0 == space }.reversed())
  }

  private mutating func take(_ prefix: String) -> Bool {
    guard rest.starts(with: prefix.utf8) else { return false }
    rest = rest.dropFirst(prefix.utf8.count)
    return true
  }

  private mutating func wholeGate() throws(ScoringError) -> Gate {
    let name = rest.prefix { $0 != equals && $0 != comma }
    let metric = trimmed(name)
    if metric.isEmpty {
      throw bad("a gate is missing before \"\(words(rest))\"; metric=threshold is expected")
    }
    guard metrics.contains(metric) else {
      let near = metrics.map {
        (distance: editDistance(Array(metric.utf8.prefix(40)), Array($0.utf8)), name: $0)
      }
      .filter { $0.distance <= 2 }.min { $0.distance < $1.distance }
      throw bad(
        "there is no gate \"\(metric)\"\(near.map { "; did you mean \"\($0.name)\"?" } ?? ""); the metrics are "
          + "\(shortList(metrics)), and class:NAME with \(suffixes)")
    }
    rest = rest.dropFirst(name.count)
    return Gate(metric: metric, className: nil, threshold: try threshold(metric), name: metric)
  }

  private var suffixes: String { classMetrics.map { ".\($0)" }.joined(separator: ", ") }

  private mutating func classGate() throws(ScoringError) -> Gate {
    let start = rest
    _ = take("class:")
    let className = rest.first == quote ? try quotedName(start) : try listedName(start)
    for metric in classMetrics where rest.starts(with: ".\(metric)=".utf8) {
      rest = rest.dropFirst(metric.utf8.count + 1)
      let name = words(start[..<rest.startIndex])
      return Gate(metric: metric, className: className, threshold: try threshold(name), name: name)
    }
    throw bad(
      "the gate \"\(words(start))\" names the class \"\(className)\"; then one of \(suffixes) and = are expected"
    )
  }

  private mutating func quotedName(_ start: ArraySlice<UInt8>) throws(ScoringError) -> String {
    rest = rest.dropFirst()
    var name: [UInt8] = []
    while let byte = rest.popFirst() {
      if byte != quote {
        name.append(byte)
      } else if rest.first == quote {
        rest = rest.dropFirst()
        name.append(byte)
      } else {
        guard classes.contains(name) else {
          throw bad("the gate \"\(words(start))\" names \"\(words(name))\", which is not on the class list")
        }
        return words(name)
      }
    }
    throw bad("the gate \"\(words(start))\" has a quote that is not closed")
  }

  /// The longest name of the list after which a metric follows.
  private mutating func listedName(_ start: ArraySlice<UInt8>) throws(ScoringError) -> String {
    for name in classes where rest.starts(with: name) {
      let after = rest.dropFirst(name.count)
      if classMetrics.contains(where: { after.starts(with: ".\($0)=".utf8) }) {
        rest = after
        return words(name)
      }
    }
    throw bad(
      "the gate \"\(words(start))\" is not class:NAME.metric=threshold with a name of the class list and one of \(suffixes)"
    )
  }

  private mutating func threshold(_ name: String) throws(ScoringError) -> Double {
    guard take("=") else { throw bad("the gate \"\(name)\" has no threshold; \(name)=NUMBER is expected") }
    let text = rest.prefix { $0 != comma }
    guard let value = Double(trimmed(text)), value.isFinite else {
      if let percentage = Double(
        trimmed(text.last == UInt8(ascii: "%") ? text.dropLast() : text[..<text.startIndex])),
        (0...100).contains(percentage)
      {
        throw bad(
          "the gate \"\(name)\" has the threshold \"\(words(text))\"; a fraction is expected; did you mean \(hundredth(percentage))?"
        )
      }
      throw bad("the gate \"\(name)\" has the threshold \"\(words(text))\"; a number is expected")
    }
    rest = rest.dropFirst(text.count)
    return value
  }
}
