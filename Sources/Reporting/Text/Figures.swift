import Scoring

/// A number with so many decimals, halves rounded away from 0; as it is where it is too large for that.
package func decimalText(_ value: Double, _ count: Int) -> String {
  decimalText(value, count, minus: "-") { "\($0)" }
}

/// The same with another sign and another way to write the whole part.
func decimalText(_ value: Double, _ count: Int, minus: String, whole: (UInt64) -> String) -> String {
  var scale: Int64 = 1
  for _ in 0..<count { scale *= 10 }
  guard let scaled = Int64(exactly: (value * Double(scale)).rounded()) else { return "\(value)" }
  let sign = scaled < 0 ? minus : ""
  let units = whole(scaled.magnitude / UInt64(scale))
  guard count > 0 else { return sign + units }
  let digits = String(scaled.magnitude % UInt64(scale))
  return "\(sign)\(units).\(String(repeating: "0", count: count - digits.utf8.count))\(digits)"
}

/// "67.7 %", of a fraction.
func percentText(_ fraction: Double) -> String { "\(decimalText(100 * fraction, 1)) %" }

/// "66.1 to 69.2 %"
func intervalText(_ estimate: Estimate) -> String {
  "\(decimalText(100 * estimate.low, 1)) to \(decimalText(100 * estimate.high, 1)) %"
}

/// "+1.2", percentage points of a difference of fractions.
func pointsText(_ difference: Double) -> String {
  let text = decimalText(100 * difference, 1)
  return difference < 0 || text == "0.0" ? text : "+\(text)"
}

/// A p-value, for Markdown or HTML.
func probabilityText(_ value: Double) -> String { value < 0.0001 ? "&lt; 0.0001" : decimalText(value, 4) }

/// "30,607"
package func groupedText(_ count: Int) -> String {
  var groups: [String] = []
  var rest = count.magnitude
  repeat {
    let group = String(rest % 1000)
    rest /= 1000
    groups.append(rest == 0 ? group : String(repeating: "0", count: 3 - group.utf8.count) + group)
  } while rest > 0
  return (count < 0 ? "-" : "") + groups.reversed().joined(separator: ",")
}

extension GateResult {
  /// "at least 0.8"; of a loss "at most".
  func bound(isDrop: Bool) -> String {
    isDrop
      ? "a drop of at most \(threshold)"
      : "\(Gate.losses.contains(gate) ? "at most" : "at least") \(threshold)"
  }

  /// The value with all its digits.
  var valueText: String { value.map { "\($0)" } ?? "not computed" }

  /// The value with four decimals, with all where rounding might hide on which side of the threshold it is.
  var roundedText: String {
    guard let value, abs(value - threshold) >= 0.0001 else { return valueText }
    return decimalText(value, 4)
  }
}

/// What the confidence of a run is worth, by its mean against the accuracy.
package enum ConfidenceVerdict: Sendable {
  case fits
  /// Images it is too sure of and others it doubts too much add up to a fitting average.
  case fitsOnAverage
  case tooHigh, tooLow
}

extension Score {
  /// `nil` without probabilities. A gap of less than 2 points counts as none, an ECE of 5 % or more as more than noise.
  package var confidenceVerdict: ConfidenceVerdict? {
    guard let calibration, let top1 else { return nil }
    let gap = calibration.confidence - top1.value
    if abs(gap) < 0.02 { return calibration.eceEqualWidth < 0.05 ? .fits : .fitsOnAverage }
    return gap > 0 ? .tooHigh : .tooLow
  }

  /// The name of a class; its number where it has none.
  func name(_ label: Int) -> String { classes.indices.contains(label) ? classes[label].name : "\(label)" }

  /// The classes that occur, the least recall first, then by label.
  var worstClasses: [ClassScore] {
    classes.filter { $0.support > 0 }.sorted { ($0.recall.value, $0.label) < ($1.recall.value, $1.label) }
  }

  /// How many pairs of classes are confused as often as the first; 0 where none is.
  var mostConfusedCount: Int { pairs.prefix { $0.count == pairs.first?.count }.count }

  /// What a class is most often taken for, where it is.
  func mostTakenFor(_ label: Int) -> DirectedPair? { directedPairs.first { $0.truth == label } }

  /// The inputs that do not count, and why.
  var inputTroubles: [(status: String, path: String, reason: String)] {
    invalid.map { ("invalid", $0.path, $0.reason) } + missing.map { ("missing", $0, "it has no output") }
      + unexpected.map { ("unexpected", $0, "it has no truth") }
  }

  /// The whole account of the inputs.
  var inputSentence: String {
    "\(counted(images, "image")): \(groupedText(scored)) scored, \(groupedText(invalid.count)) invalid, "
      + "\(groupedText(missing.count)) missing; \(counted(unexpected.count, "unexpected output"))"
  }
}

extension Comparison {
  func name(_ label: Int) -> String { classes.indices.contains(label) ? classes[label].name : "\(label)" }

  /// The classes whose recall changed, most changed first, then by label.
  var changedClasses: [ClassChange] {
    classes.filter { $0.support > 0 && $0.difference != 0 }
      .sorted { (-abs($0.difference), $0.label) < (-abs($1.difference), $1.label) }
  }

  func flipCount(_ kind: Flip.Kind) -> Int { flips.count { $0.kind == kind } }
}
