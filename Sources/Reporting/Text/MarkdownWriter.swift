/// Builds a text in GitHub's Markdown that stays below a limit: tables end early, and say so, where it comes near.
///
/// Names come in by `markdownCode` only.
struct MarkdownWriter {
  private(set) var text = ""
  private let limit: Int
  /// Whether something was left out for want of room.
  private(set) var isCut = false
  /// Kept for what closes tables and details, and for the last words.
  private static let reservedByteCount = 4_000

  /// - Parameter limit: UTF-8 bytes, which are at least as many as the characters that a forge counts.
  init(limit: Int) { self.limit = max(0, limit - Self.reservedByteCount) }

  private func hasRoom(for line: String, more: Int = 0) -> Bool {
    text.utf8.count + line.utf8.count + 1 + more <= limit
  }

  /// A line of text, or a heading; left out where there is no room.
  mutating func add(_ line: String = "") {
    guard hasRoom(for: line) else {
      isCut = true
      return
    }
    text += line + "\n"
  }

  enum Alignment: String {
    case left = ":--"
    case right = "--:"
  }

  /// A table under a heading. No heading without a row.
  ///
  /// - Parameters:
  ///   - rows: one string a cell, Markdown; as many as shall be listed at most.
  ///   - total: how many there are.
  mutating func addTable(
    _ heading: String?, _ columns: [(name: String, alignment: Alignment)], rows: some Sequence<[String]>,
    of total: Int
  ) {
    var head = heading.map { "\n\($0)\n" } ?? ""
    head += "\n" + Self.row(columns.map(\.name)) + "\n" + Self.row(columns.map(\.alignment.rawValue))
    var count = 0
    for cells in rows {
      let row = Self.row(cells)
      if count == 0 {
        guard hasRoom(for: head, more: row.utf8.count + 1) else { break }
        text += head + "\n"
      }
      guard hasRoom(for: row) else { break }
      text += row + "\n"
      count += 1
    }
    if count < total {
      if count > 0 { text += "\n*… and \(groupedText(total - count)) more*\n" } else { isCut = true }
    }
  }

  private static func row(_ cells: [String]) -> String { "| " + cells.joined(separator: " | ") + " |" }

  /// Something that a reader opens; nothing where the body has no room.
  mutating func addDetails(_ summary: String, _ body: (inout MarkdownWriter) -> Void) {
    let before = text
    add("\n<details><summary>\(summary)</summary>")
    let start = text.utf8.count
    body(&self)
    if text.utf8.count == start {
      text = before
    } else {
      text += "\n</details>\n"
    }
  }

  /// The whole text.
  consuming func finish(_ whole: String) -> String {
    if isCut { text += "\n*Cut to fit: \(whole) has everything.*\n" }
    return text
  }
}

/// A name from the data as a code span that may stand in a table: in it nothing is a link, a mention, HTML or Markdown.
///
/// - Parameter limit: characters (Unicode scalars) shown of it.
func markdownCode(_ name: String, to limit: Int = 80) -> String {
  if name.isEmpty { return "*(empty)*" }
  var content = ""
  var longestRun = 0
  var run = 0
  var last: Unicode.Scalar = " "
  for scalar in shortened(visible(name), to: limit).unicodeScalars {
    run = scalar == "`" ? run + 1 : 0
    longestRun = max(longestRun, run)
    // A bar would end the cell; what a backslash means before that backslash, parsers do not agree on.
    if scalar == "|" {
      content += last == "\\" ? "\\u{7c}" : "\\|"
    } else {
      content.unicodeScalars.append(scalar)
    }
    last = scalar
  }
  // One blank at both ends is taken away again, but not of blanks alone; it keeps backticks of the name from those of
  // the span.
  let ends = [content.utf8.first, content.utf8.last]
  if ends.contains(UInt8(ascii: "`"))
    || ends.contains(UInt8(ascii: " ")) && content.utf8.contains(where: { $0 != 0x20 })
  {
    content = " \(content) "
  }
  let fence = String(repeating: "`", count: longestRun + 1)
  return fence + content + fence
}
