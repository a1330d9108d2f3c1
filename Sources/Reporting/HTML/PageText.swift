internal import Mustache

/// How any text gets into a page: the one escape of everything a template prints.
///
/// mustache's own escape compares characters, so `"` with a combining mark behind it passes as it is; this one goes
/// by bytes. What cannot be seen or turns the direction of writing is made visible.
struct PageText: MustacheContentType {
  static let name = "PAGE"
  static func register() { MustacheContentTypes.register(PageText(), named: name) }

  func escapeText(_ text: String) -> String {
    var text = visible(text)
    let isPlain = text.withUTF8 { bytes in
      unsafe !bytes.contains(where: Self.isMarkup)
    }
    if isPlain { return text }
    var escaped = ""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "<": escaped += "&lt;"
      case ">": escaped += "&gt;"
      case "&": escaped += "&amp;"
      case "\"": escaped += "&quot;"
      case "'": escaped += "&#39;"
      default: escaped.unicodeScalars.append(scalar)
      }
    }
    return escaped
  }

  private static func isMarkup(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "<"), UInt8(ascii: ">"), UInt8(ascii: "&"), UInt8(ascii: "\""), UInt8(ascii: "'"): true
    default: false
    }
  }
}

/// A name of at most `limit` code points: the middle of a longer one is left out.
func clipped(_ name: String, to limit: Int) -> String {
  if name.isEmpty { return "(no name)" }
  // A name of blanks would be a link without words.
  let isBlank = name.unicodeScalars.allSatisfy(\.properties.isWhitespace)
  return isBlank
    ? String(repeating: "␣", count: min(name.unicodeScalars.count, limit)) : shortened(name, to: limit)
}
