import Files

/// The values that a hyperparameter accepts: decides how its text is parsed, and what an error lists as expected.
package enum HyperparameterKind: Hashable, Sendable {
  case whole(ClosedRange<Int>)
  case real(ClosedRange<Double>)
  case choice([String])
  /// True or False, case-insensitive; 1 and 0 are accepted too.
  case truth
  /// 0 or 1.
  case flag
  /// Epochs separated by commas, ascending, from 1.
  case epochs
  /// Channels, height, width.
  case shape
  /// One number, or three for red, green and blue.
  case numbers

  /// The accepted values, to follow SageMaker's words "one of the following: ".
  package var expectation: String {
    switch self {
    case .whole(let range) where range.upperBound == .max: "whole numbers of at least \(range.lowerBound)"
    case .whole(let range): "whole numbers from \(range.lowerBound) to \(range.upperBound)"
    case .real(let range): "numbers from \(shortest(range.lowerBound)) to \(shortest(range.upperBound))"
    case .choice(let names): names.map { "'\($0)'" }.joined(separator: ", ")
    case .truth: "'True', 'False'"
    case .flag: "'0', '1'"
    case .epochs: "ascending epochs of at least 1, separated by commas, such as '10,20'"
    case .shape: "channels, height and width, separated by commas, such as '3,224,224'"
    case .numbers: "a number, or three for red, green and blue, separated by commas"
    }
  }
}

extension HyperparameterKind {
  /// The placeholder for a value in help texts.
  var valueName: String {
    switch self {
    case .whole: "count"
    case .real(let range): "\(shortest(range.lowerBound))-\(shortest(range.upperBound))"
    case .choice: "name"
    case .truth: "True|False"
    case .flag: "0|1"
    case .epochs: "epochs"
    case .shape: "c,h,w"
    case .numbers: "r,g,b"
    }
  }
}

/// The parsed value of a hyperparameter.
package enum HyperparameterValue: Hashable {
  case whole(Int)
  case real(Double)
  case name(String)
  case truth(Bool)
  case wholes([Int])
  case reals([Double])

  /// Parses text; nil if it is not a value of this kind. Spaces and tabs at both ends and around commas are ignored.
  package init?(_ text: String, _ kind: HyperparameterKind) {
    let text = trimmed(text)
    switch kind {
    case .whole(let range):
      guard let value = Int(text), range.contains(value) else { return nil }
      self = .whole(value)
    case .real(let range):
      guard let value = decimal(text), range.contains(value) else { return nil }
      self = .real(value)
    case .choice(let names):
      guard let name = names.first(where: { $0 == text }) else { return nil }
      self = .name(name)
    case .truth, .flag:
      switch text.lowercased() {
      case "1": self = .truth(true)
      case "0": self = .truth(false)
      case "true": if case .flag = kind { return nil } else { self = .truth(true) }
      case "false": if case .flag = kind { return nil } else { self = .truth(false) }
      default: return nil
      }
    case .epochs:
      guard let values = wholeNumbers(text), !values.isEmpty, values[0] >= 1,
        zip(values, values.dropFirst()).allSatisfy({ $0 < $1 })
      else { return nil }
      self = .wholes(values)
    case .shape:
      guard let values = wholeNumbers(text), values.count == 3,
        values.allSatisfy({ (1...65_535).contains($0) }),
        values[0] == 1 || values[0] == 3
      else { return nil }
      self = .wholes(values)
    case .numbers:
      let fields = text.split(separator: ",", omittingEmptySubsequences: false).map {
        decimal(trimmed(String($0)))
      }
      guard fields.count == 1 || fields.count == 3 else { return nil }
      let values = fields.compactMap { $0 }
      guard values.count == fields.count else { return nil }
      self = .reals(values.count == 1 ? [values[0], values[0], values[0]] : values)
    }
  }

  /// Text that parses to the same value.
  package var text: String {
    switch self {
    case .whole(let value): "\(value)"
    case .real(let value): shortest(value)
    case .name(let name): name
    case .truth(let value): value ? "True" : "False"
    case .wholes(let values): values.map { "\($0)" }.joined(separator: ",")
    case .reals(let values): values.map { shortest($0) }.joined(separator: ",")
    }
  }
}

/// Parses a finite decimal number; hexadecimal digits, "inf" and "nan" are refused.
private func decimal(_ text: String) -> Double? {
  guard text.utf8.allSatisfy({ "+-.eE0123456789".utf8.contains($0) }), let value = Double(text),
    value.isFinite
  else { return nil }
  return value
}

/// Parses whole numbers separated by commas; nil if one of them is not a whole number.
private func wholeNumbers(_ text: String) -> [Int]? {
  let fields = text.split(separator: ",", omittingEmptySubsequences: false).map { Int(trimmed(String($0))) }
  let values = fields.compactMap { $0 }
  return values.count == fields.count ? values : nil
}

private func trimmed(_ text: String) -> String {
  let rest = text.drop(while: { $0 == " " || $0 == "\t" })
  return String(rest.reversed().drop(while: { $0 == " " || $0 == "\t" }).reversed())
}

/// The shortest text for a number, as Python prints it but without ".0" after a whole number: "0.1", "1e-08", "1".
package func shortest(_ value: Double) -> String {
  if let whole = Int(exactly: value), abs(whole) < 1_000_000 { return "\(whole)" }
  return "\(value)"
}

/// The name with the smallest edit distance, for "did you mean"; nil if more than a third of its characters differ.
/// Dashes count as underscores.
package func nearest(to name: String, among names: [String]) -> String? {
  let wanted = Array(name.lowercased().utf8.map { $0 == UInt8(ascii: "-") ? UInt8(ascii: "_") : $0 })
  // The edit distance takes quadratic time, and text this long is not a misspelt name.
  guard wanted.count <= 256 else { return nil }
  let ranked = names.map { (name: $0, errors: editDistance(wanted, Array($0.utf8))) }
  guard let best = ranked.min(by: { $0.errors < $1.errors }), best.errors <= max(2, best.name.utf8.count / 3)
  else { return nil }
  return best.name
}
