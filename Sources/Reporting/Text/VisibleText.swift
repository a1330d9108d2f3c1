/// Text on one line in which everything can be seen: line ends, control characters, what turns the direction of
/// writing, other characters without width or meaning, and those that XML forbids stand as escapes, `\n`, `\u{202e}`.
///
/// The joiners U+200C and U+200D stay: scripts and emoji are written with them.
func visible(_ text: String) -> String {
  if text.utf8.allSatisfy({ (0x20..<0x7F).contains($0) }) { return text }
  var result = ""
  for scalar in text.unicodeScalars {
    switch scalar.value {
    case 0x09: result += "\\t"
    case 0x0A: result += "\\n"
    case 0x0D: result += "\\r"
    case 0..<0x20, 0x7F..<0xA0, 0xAD, 0x61C, 0x180E, 0x200B, 0x200E...0x200F, 0x2028...0x202E,
      0x2060...0x206F,
      0xFDD0...0xFDEF, 0xFEFF, 0xFFF9...0xFFFB, 0xE0000...0xE0FFF:
      result += escape(scalar)
    case let value where value & 0xFFFE == 0xFFFE: result += escape(scalar)
    default: result.unicodeScalars.append(scalar)
    }
  }
  return result
}

/// Text as HTML and XML have it, between tags or in an attribute.
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

private func escape(_ scalar: Unicode.Scalar) -> String { "\\u{\(String(scalar.value, radix: 16))}" }

/// A text of at most `limit` characters (Unicode scalars): the middle of a longer one is left out, and `mark` stands
/// for it.
package func shortened(_ text: String, to limit: Int, mark: String = "…") -> String {
  let scalars = text.unicodeScalars
  guard text.utf8.count > limit, scalars.count > limit else { return text }
  let half = (limit - mark.unicodeScalars.count) / 2
  return String(String.UnicodeScalarView(scalars.prefix(half))) + mark
    + String(String.UnicodeScalarView(scalars.suffix(half)))
}
