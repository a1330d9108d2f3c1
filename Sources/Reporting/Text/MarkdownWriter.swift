import Encodings

/// Writes GitHub's Markdown within a byte limit: tables are cut, and say so, where the text comes near it.
///
/// Names from the data must be passed through `markdownCode`.
struct MarkdownWriter {
  private(set) var text = ""
  private let limit: Int
  /// Whether something was left out for lack of room.
  private(set) var isCut = false
  /// Reserved for the ends of tables and details, and for the last line.
  private static let reservedByteCount = 4_000

  /// - Parameter limit: a byte count of UTF-8, which is at least the number of characters that GitHub counts.
  init(limit: Int) { self.limit = max(0, limit - Self.reservedByteCount) }

  private func hasRoom(for line: String, more: Int = 0) -> Bool {
    text.utf8.count + line.utf8.count + 1 + more <= limit
  }

  /// Adds a line of text or a heading, unless there is no room.
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

  /// Adds a table under a heading; nothing where there is no row.
  ///
  /// - Parameters:
  ///   - rows: the cells of each row, as Markdown; as many as are to be listed at most.
  ///   - total: how many rows there are in all.
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

  /// Adds a part that the reader can open; nothing where its body has no room.
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
  /// - Parameter source: what has everything where the text was cut, as Markdown.
  consuming func finish(source: String) -> String {
    if isCut { text += "\n*Cut to fit: \(source) has everything.*\n" }
    return text
  }
}

/// A name from the data as a code span that may be in a table: nothing in it becomes a link, a mention, HTML or
/// Markdown.
///
/// - Parameter limit: how many Unicode scalars of the name are shown.
func markdownCode(_ name: String, to limit: Int = 80) -> String {
  if name.isEmpty { return "*(empty)*" }
  var content = ""
  var longestRun = 0
  var run = 0
  var last: Unicode.Scalar = " "
  for scalar in shortened(printable(name), to: limit).unicodeScalars {
    run = scalar == "`" ? run + 1 : 0
    longestRun = max(longestRun, run)
    // A bar would end the cell, and parsers disagree about a backslash before an escaped bar.
    if scalar == "|" {
      content += last == "\\" ? "\\u{7c}" : "\\|"
    } else {
      content.unicodeScalars.append(scalar)
    }
    last = scalar
  }
  // Parsers remove one space at both ends, unless there are only spaces. The spaces separate backticks of the name from
  // those of the span.
  let ends = [content.utf8.first, content.utf8.last]
  if ends.contains(UInt8(ascii: "`"))
    || ends.contains(UInt8(ascii: " ")) && content.utf8.contains(where: { $0 != 0x20 })
  {
    content = " \(content) "
  }
  let fence = String(repeating: "`", count: longestRun + 1)
  return fence + content + fence
}
