import Scoring

/// A number with so many decimals, halves rounded away from 0, and commas between the thousands.
package func decimal(_ value: Double, _ count: Int) -> String {
  decimalText(value, count, minus: "\u{2212}") { groupedText(Int(clamping: $0)) }
}

/// "29,780"
package func whole(_ value: Int) -> String { groupedText(value).replacing("-", with: "\u{2212}") }

/// "29,780 images", "1 image"
package func counted(_ value: Int, _ noun: String, _ plural: String? = nil) -> String {
  "\(whole(value)) \(value == 1 ? noun : plural ?? noun + "s")"
}

/// "84.92 %", of a fraction.
package func percent(_ fraction: Double, _ decimals: Int = 2) -> String {
  decimal(100 * fraction, decimals) + "\u{A0}%"
}

/// "84.51 to 85.32 %"
func range(_ estimate: Estimate, _ decimals: Int = 2) -> String {
  "\(decimal(100 * estimate.low, decimals)) to \(percent(estimate.high, decimals))"
}

/// "+1.25", of a fraction, in points.
func points(_ fraction: Double, _ decimals: Int = 2) -> String {
  let text = decimal(100 * fraction, decimals)
  return fraction > 0 ? "+" + text : text
}

/// A coordinate of a drawing: as few digits as its place needs.
func coordinate(_ value: Double) -> String {
  guard let tenths = Int64(exactly: (value * 10).rounded()) else { return "0" }
  let sign = tenths < 0 ? "-" : ""
  let (units, rest) = (tenths.magnitude / 10, tenths.magnitude % 10)
  return rest == 0 ? "\(sign)\(units)" : "\(sign)\(units).\(rest)"
}
