import Files

/// A value that a run must reach or, for a loss, must not exceed.
///
/// It is written `metric=threshold` or `class:NAME.metric=threshold`, with commas between gates. A class name may hold
/// any character: the text between `class:` and `.metric=` is read as the longest name of the class list that fits
/// there. A name in double quotes (`class:"a,b".recall=0.5`, with `""` for a quote) is taken literally.
public struct Gate: Hashable, Sendable {
  /// One of `Gate.metrics`, or of `Gate.classMetrics` where there is a class.
  public let metric: String
  /// The name of the class; `nil` for a metric of the whole run.
  public let className: String?
  /// The least value that passes; the largest for a loss or a drop.
  public let threshold: Double
  /// The text before the `=`, as the user wrote it.
  public let name: String

  /// Metrics of the whole run: keys of the schema, with those of averages joined by `_`.
  public static let metrics = [
    "top1", "top2", "top3", "top5", "top10", "macro_precision", "macro_recall", "macro_f1",
    "macro_average_precision", "micro_precision", "micro_recall", "micro_f1", "weighted_precision",
    "weighted_recall", "weighted_f1", "weighted_average_precision", "balanced_accuracy", "kappa", "mcc",
    "log_loss", "brier", "ece", "ece_equal_mass", "mce",
  ]
  /// Metrics of one class.
  public static let classMetrics = ["precision", "recall", "f1", "average_precision", "support"]
  /// Metrics where less is better: the threshold is the largest value that passes.
  public static let losses = ["log_loss", "brier", "ece", "ece_equal_mass", "mce"]

  /// Whether less is better.
  public var isLoss: Bool { Gate.losses.contains(metric) }

  func passes(_ value: Double?) -> Bool {
    guard let value else { return false }
    return isLoss ? value <= threshold : value >= threshold
  }
}

/// The result of one gate.
public struct GateResult: Codable, Hashable, Sendable {
  /// The gate without its threshold, as the user wrote it, for example "class:bathtub.recall".
  public var gate: String
  /// The value; `nil` where the metric could not be computed, and the gate then fails.
  @OrNull public var value: Double?
  /// The threshold of the gate.
  public var threshold: Double
  /// Whether the gate passed.
  public var passed: Bool
}

extension Score {
  /// The value of each gate, and whether it passes.
  public func evaluate(_ gates: [Gate]) -> [GateResult] {
    gates.map { gate in
      let value: Double?
      if let name = gate.className {
        value = classes.first { $0.name.utf8.elementsEqual(name.utf8) }.flatMap { $0.value(gate.metric) }
      } else {
        value = self.value(gate.metric)
      }
      return GateResult(gate: gate.name, value: value, threshold: gate.threshold, passed: gate.passes(value))
    }
  }

  /// The value of one of `Gate.metrics`; `nil` where it could not be computed, or there is no such metric.
  public func value(_ metric: String) -> Double? {
    for (prefix, averages) in [("macro_", macro), ("micro_", micro), ("weighted_", weighted)]
    where metric.hasPrefix(prefix) {
      return averages?.value(String(metric.dropFirst(prefix.count)))
    }
    return switch metric {
    case "top1": top1?.value
    case "top2": top2?.value
    case "top3": top3?.value
    case "top5": top5?.value
    case "top10": top10?.value
    case "balanced_accuracy": balancedAccuracy
    case "kappa": kappa
    case "mcc": mcc
    case "log_loss": logLoss
    case "brier": brier
    case "ece": ece
    case "ece_equal_mass": calibration?.eceEqualMass
    case "mce": calibration?.mce
    default: nil
    }
  }
}

extension Averages {
  func value(_ metric: String) -> Double? {
    switch metric {
    case "precision": precision
    case "recall": recall
    case "f1": f1
    case "average_precision": averagePrecision
    default: nil
    }
  }
}

extension ClassScore {
  /// The value of one of `Gate.classMetrics`; `nil` where it could not be computed. The recall of a class that does not
  /// occur is `nil`, not 0, because it was not measured.
  func value(_ metric: String) -> Double? {
    switch metric {
    case "precision": precision
    case "recall": support == 0 ? nil : recall.value
    case "f1": f1
    case "average_precision": support == 0 ? nil : averagePrecision
    case "support": Double(support)
    default: nil
    }
  }
}

extension Comparison {
  /// Metrics whose drop from A to B can be limited.
  public static let dropMetrics = ["top1", "top5", "macro_f1", "balanced_accuracy"]

  /// Whether B is worse than A by more than is allowed. Each result's `value` is the drop A - B, which is negative
  /// where B is better.
  /// - Parameter gates: from `Gate.parseDrops`; a threshold is the largest drop that passes.
  public func evaluate(_ gates: [Gate]) -> [GateResult] {
    gates.map { gate in
      let drop: Double?
      if let name = gate.className {
        drop = classes.first { $0.name.utf8.elementsEqual(name.utf8) && $0.support > 0 }.map {
          -$0.difference
        }
      } else if let before = a.value(gate.metric), let after = b.value(gate.metric) {
        drop = before - after
      } else {
        drop = nil
      }
      // A difference of two rounded quotients may exceed the limit by its last bits.
      let passed = drop.map { $0 <= gate.threshold + 1e-12 } ?? false
      return GateResult(gate: gate.name, value: drop, threshold: gate.threshold, passed: passed)
    }
  }
}

extension RunSummary {
  func value(_ metric: String) -> Double? {
    switch metric {
    case "top1": top1?.value
    case "top5": top5?.value
    case "macro_f1": macroF1
    case "balanced_accuracy": balancedAccuracy
    default: nil
    }
  }
}

extension Gate {
  /// Reads gates such as `top1=0.8,class:bathtub.recall=0.5`.
  /// - Parameter classes: the class names that gates may use.
  /// - Throws: `.badGate` with a sentence that says which gate cannot be read, and why.
  public static func parse(_ text: String, classes: [String]) throws(ScoringError) -> [Gate] {
    var parser = GateParser(text, metrics: metrics, classMetrics: classMetrics, classes: classes)
    return try parser.gates()
  }

  /// Reads the gates of a comparison, which are drops: `top1=0.01,class:bathtub.recall=0.1`.
  /// - Parameter classes: the class names that gates may use.
  /// - Throws: `.badGate` with a sentence that says which gate cannot be read, and why.
  public static func parseDrops(_ text: String, classes: [String] = []) throws(ScoringError) -> [Gate] {
    var parser = GateParser(
      text, metrics: Comparison.dropMetrics, classMetrics: ["recall"], classes: classes, isDrop: true)
    return try parser.gates()
  }
}

/// Parses gates as bytes, because in a `String` a combining mark in a name would merge with the sign before it.
private struct GateParser {
  private var rest: ArraySlice<UInt8>
  private let metrics: [String]
  private let classMetrics: [String]
  /// The class names, longest first, so that the first that fits is the longest.
  private let classes: [[UInt8]]
  /// Whether thresholds are drops, which may be negative: that asks for a rise.
  private let isDrop: Bool

  init(_ text: String, metrics: [String], classMetrics: [String], classes: [String], isDrop: Bool = false) {
    self.isDrop = isDrop
    rest = Array(text.utf8)[...]
    self.metrics = metrics
    self.classMetrics = classMetrics
    self.classes = classes.map { Array($0.utf8) }.sorted { $0.count > $1.count }
  }

  /// - Throws: `.badGate`. Thresholds that are out of range are reported for all gates at once.
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

  /// What is wrong with a threshold that its metric cannot have; `nil` where nothing is.
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

  /// "70" for 70.0.
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

  /// The longest name of the list that is followed by a metric.
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
