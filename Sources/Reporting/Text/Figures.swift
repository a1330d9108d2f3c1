internal import Mustache
import Scoring

/// A number with this many decimals, halves rounded away from 0; one that is too large for that with all its digits.
package func decimalText(_ value: Double, _ count: Int) -> String {
  decimalText(value, count, minus: "-") { "\($0)" }
}

/// The same with another sign, and another way to write the whole part.
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

/// A fraction as "67.7 %".
func percentText(_ fraction: Double) -> String { "\(decimalText(100 * fraction, 1)) %" }

/// The interval of a fraction as "66.1 to 69.2 %".
func intervalText(_ estimate: Estimate) -> String {
  "\(decimalText(100 * estimate.low, 1)) to \(decimalText(100 * estimate.high, 1)) %"
}

/// A difference of fractions in percentage points, "+1.2".
func pointsText(_ difference: Double) -> String {
  let text = decimalText(100 * difference, 1)
  return difference < 0 || text == "0.0" ? text : "+\(text)"
}

/// A p-value, for Markdown or HTML.
func probabilityText(_ value: Double) -> String { value < 0.0001 ? "&lt; 0.0001" : decimalText(value, 4) }

/// A whole number with commas between the thousands, "30,607".
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

/// A number for a page with this many decimals, halves rounded away from 0, and commas between the thousands.
package func decimal(_ value: Double, _ count: Int) -> String {
  decimalText(value, count, minus: "\u{2212}") { groupedText(Int(clamping: $0)) }
}

/// A whole number for a page, "29,780".
package func whole(_ value: Int) -> String { groupedText(value).replacing("-", with: "\u{2212}") }

/// A number with its noun for a page, "29,780 images", "1 image".
package func counted(_ value: Int, _ noun: String, _ plural: String? = nil) -> String {
  "\(whole(value)) \(value == 1 ? noun : plural ?? noun + "s")"
}

/// A fraction for a page, "84.92 %".
package func percent(_ fraction: Double, _ decimals: Int = 2) -> String {
  decimal(100 * fraction, decimals) + "\u{A0}%"
}

/// The interval of a fraction for a page, "84.51 to 85.32 %".
func range(_ estimate: Estimate, _ decimals: Int = 2) -> String {
  "\(decimal(100 * estimate.low, decimals)) to \(percent(estimate.high, decimals))"
}

/// A difference of fractions in percentage points for a page, "+1.25".
func points(_ fraction: Double, _ decimals: Int = 2) -> String {
  let text = decimal(100 * fraction, decimals)
  return fraction > 0 ? "+" + text : text
}

/// A coordinate of a drawing, with as few digits as its place needs.
func coordinate(_ value: Double) -> String {
  guard let tenths = Int64(exactly: (value * 10).rounded()) else { return "0" }
  let sign = tenths < 0 ? "-" : ""
  let (units, rest) = (tenths.magnitude / 10, tenths.magnitude % 10)
  return rest == 0 ? "\(sign)\(units)" : "\(sign)\(units).\(rest)"
}

/// A duration, "4.2 s", "42 s", "3 min 20 s", "2 h 05 min".
package func durationText(_ seconds: Double) -> String {
  let total = Int64(exactly: max(0, seconds).rounded()) ?? 0
  func two(_ value: Int64) -> String { value < 10 ? "0\(value)" : "\(value)" }
  if total < 10 { return decimal(max(0, seconds), 1) + "\u{A0}s" }
  if total < 60 { return "\(total)\u{A0}s" }
  if total < 3600 { return "\(total / 60)\u{A0}min \(two(total % 60))\u{A0}s" }
  return "\(total / 3600)\u{A0}h \(two(total / 60 % 60))\u{A0}min"
}

/// Text for HTML or XML, between tags or in a quoted attribute.
func escapedMarkup(_ text: String) -> String {
  guard text.utf8.contains(where: isMarkup) else { return text }
  var result = ""
  for scalar in text.unicodeScalars {
    switch scalar {
    case "&": result += "&amp;"
    case "<": result += "&lt;"
    case ">": result += "&gt;"
    case "\"": result += "&quot;"
    case "'": result += "&#39;"
    default: result.unicodeScalars.append(scalar)
    }
  }
  return result
}

private func isMarkup(_ byte: UInt8) -> Bool {
  switch byte {
  case UInt8(ascii: "<"), UInt8(ascii: ">"), UInt8(ascii: "&"), UInt8(ascii: "\""), UInt8(ascii: "'"): true
  default: false
  }
}

/// A decimal number without the zeros at the end of its fraction.
func withoutTrailingZeros(_ text: String) -> String {
  text.contains(".") ? String(text.reversed().drop { $0 == "0" }.drop { $0 == "." }.reversed()) : text
}

/// A text of at most `limit` Unicode scalars; of a longer one the middle is replaced by `mark`.
package func shortened(_ text: String, to limit: Int, mark: String = "…") -> String {
  let scalars = text.unicodeScalars
  guard text.utf8.count > limit, scalars.count > limit else { return text }
  let half = (limit - mark.unicodeScalars.count) / 2
  return String(String.UnicodeScalarView(scalars.prefix(half))) + mark
    + String(String.UnicodeScalarView(scalars.suffix(half)))
}

/// A name for a page, of at most `limit` code points, never without visible text.
func clipped(_ name: String, to limit: Int) -> String {
  if name.isEmpty { return "(no name)" }
  // A name of spaces would be a link without visible text.
  let isBlank = name.unicodeScalars.allSatisfy(\.properties.isWhitespace)
  return isBlank
    ? String(repeating: "␣", count: min(name.unicodeScalars.count, limit)) : shortened(name, to: limit)
}

extension GateResult {
  /// What the gate asks for: "at least 0.8", or "at most 0.8" for a loss.
  func bound(isDrop: Bool) -> String {
    isDrop
      ? "a drop of at most \(threshold)"
      : "\(Gate.losses.contains(gate) ? "at most" : "at least") \(threshold)"
  }

  /// The value with all its digits.
  var valueText: String { value.map { "\($0)" } ?? "not computed" }

  /// The value with four decimals, or with all where rounding might hide on which side of the threshold it is.
  var roundedText: String {
    guard let value, abs(value - threshold) >= 0.0001 else { return valueText }
    return decimalText(value, 4)
  }
}

/// Whether the mean confidence of a run fits its accuracy.
package enum ConfidenceVerdict: Sendable {
  /// They differ by less than 2 points, and the calibration error is small.
  case fits
  /// The average fits only because the model is overconfident on some images and underconfident on others.
  case fitsOnAverage
  /// The model is overconfident.
  case tooHigh
  /// The model is underconfident.
  case tooLow
}

extension Score {
  /// `nil` without probabilities. A gap below 2 points counts as none, an ECE of 5 % or more as more than noise.
  package var confidenceVerdict: ConfidenceVerdict? {
    guard let calibration, let top1 else { return nil }
    let gap = calibration.confidence - top1.value
    if abs(gap) < 0.02 { return calibration.eceEqualWidth < 0.05 ? .fits : .fitsOnAverage }
    return gap > 0 ? .tooHigh : .tooLow
  }

  /// The name of a class; its label where it has none.
  func name(_ label: Int) -> String { classes.indices.contains(label) ? classes[label].name : "\(label)" }

  /// The classes that occur, lowest recall first, then by label.
  var worstClasses: [ClassScore] {
    classes.filter { $0.support > 0 }.sorted { ($0.recall.value, $0.label) < ($1.recall.value, $1.label) }
  }

  /// The number of pairs of classes with as many errors as the first; 0 where there are no errors.
  var mostConfusedCount: Int { pairs.prefix { $0.count == pairs.first?.count }.count }

  /// The class that images of a class are most often predicted as, apart from itself; `nil` where there is none.
  func mostMistakenFor(_ label: Int) -> DirectedPair? { directedPairs.first { $0.truth == label } }

  /// The inputs that do not count, each with its reason.
  var inputTroubles: [(status: String, path: String, reason: String)] {
    invalid.map { ("invalid", $0.path, $0.reason) } + missing.map { ("missing", $0, "it has no output") }
      + unexpected.map { ("unexpected", $0, "it belongs to no image") }
  }

  /// The complete account of the inputs.
  var inputSentence: String {
    "\(counted(images, "image")): \(groupedText(scored)) scored, \(groupedText(invalid.count)) invalid, "
      + "\(groupedText(missing.count)) missing; \(counted(unexpected.count, "unexpected output"))"
  }
}

extension Comparison {
  /// The name of a class; its label where it has none.
  func name(_ label: Int) -> String { classes.indices.contains(label) ? classes[label].name : "\(label)" }

  /// The classes whose recall changed, most changed first, then by label.
  var changedClasses: [ClassChange] {
    classes.filter { $0.support > 0 && $0.difference != 0 }
      .sorted { (-abs($0.difference), $0.label) < (-abs($1.difference), $1.label) }
  }

  func flipCount(_ kind: Flip.Kind) -> Int { flips.count { $0.kind == kind } }
}
