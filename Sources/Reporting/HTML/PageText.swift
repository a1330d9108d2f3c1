internal import Mustache

/// How any text gets into a page: the one escape of everything a template prints.
///
/// mustache's own escape compares characters, so `"` with a combining mark behind it passes as it is; this one goes
/// by bytes. What cannot be seen or turns the direction of writing is made visible.
struct PageText: MustacheContentType {
  static let name = "PAGE"
  static func register() { MustacheContentTypes.register(PageText(), named: name) }

  func escapeText(_ text: String) -> String { escapedMarkup(visible(text)) }
}

/// A name of at most `limit` code points: the middle of a longer one is left out.
func clipped(_ name: String, to limit: Int) -> String {
  if name.isEmpty { return "(no name)" }
  // A name of blanks would be a link without words.
  let isBlank = name.unicodeScalars.allSatisfy(\.properties.isWhitespace)
  return isBlank
    ? String(repeating: "␣", count: min(name.unicodeScalars.count, limit)) : shortened(name, to: limit)
}
