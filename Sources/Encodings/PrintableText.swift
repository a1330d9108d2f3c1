/// Text for a message, a log or a page: one line in which every character can be seen.
///
/// These are replaced by escapes such as `\n`, `\t` and `\u{202e}`: line ends and other control characters, characters
/// that change the direction of writing, other characters without width or meaning, and those that XML forbids. The
/// joiners U+200C and U+200D stay, because Persian and emoji are written with them. A backslash stays as it is, so the
/// original cannot always be told from the result.
///
/// - Complexity: O(bytes); text of printable ASCII is returned as it is.
public func printable(_ text: String) -> String {
  if text.utf8.allSatisfy({ (0x20..<0x7F).contains($0) }) { return text }
  var result = ""
  for scalar in text.unicodeScalars {
    switch scalar.value {
    case 0..<0x20, 0x7F..<0xA0, 0xAD, 0x61C, 0x180E, 0x200B, 0x200E...0x200F, 0x2028...0x202E,
      0x2060...0x206F,
      0xFDD0...0xFDEF, 0xFEFF, 0xFFF9...0xFFFB, 0xE0000...0xE0FFF:
      result += escaped(scalar)
    case let value where value & 0xFFFE == 0xFFFE: result += escaped(scalar)
    default: result.unicodeScalars.append(scalar)
    }
  }
  return result
}

/// The text of a name that is bytes, such as a path or a cell of a table.
///
/// The control characters of ASCII are escaped, so that the text is one line. Everything else stays, even what cannot
/// be seen, because names are still compared by this text; `printable` makes it fit for display. In a name that is not
/// UTF-8, each byte that is not printable ASCII becomes `\xNN`.
///
/// - Complexity: O(bytes).
@inlinable
public func nameText(_ bytes: some Collection<UInt8>) -> String {
  guard let text = String(validating: bytes, as: UTF8.self) else { return hexEscaped(Array(bytes)) }
  return text.utf8.contains { $0 < 0x20 || $0 == 0x7F } ? controlsEscaped(text) : text
}

@usableFromInline
func controlsEscaped(_ text: String) -> String {
  var result = ""
  for scalar in text.unicodeScalars {
    if scalar.value < 0x20 || scalar.value == 0x7F {
      result += escaped(scalar)
    } else {
      result.unicodeScalars.append(scalar)
    }
  }
  return result
}

@usableFromInline
func hexEscaped(_ bytes: [UInt8]) -> String {
  bytes.map { (0x20..<0x7F).contains($0) ? String(Unicode.Scalar($0)) : "\\x" + hexText([$0]) }.joined()
}

private func escaped(_ scalar: Unicode.Scalar) -> String {
  switch scalar {
  case "\t": "\\t"
  case "\n": "\\n"
  case "\r": "\\r"
  default: "\\u{\(String(scalar.value, radix: 16))}"
  }
}
