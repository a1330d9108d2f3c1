import Files
import Scoring

/// Writes one table by RFC 4180: UTF-8, commas, lines that end with CRLF, the column names first.
///
/// Numbers have the shortest form that reads back to the same value; an absent value is an empty cell. Text that a
/// spreadsheet might take for a formula gets an apostrophe in front, as does text that begins with an apostrophe, so
/// that removing one gives back the text. U+0000, which some readers cannot handle, becomes U+2400, and other control
/// characters except tab and line ends likewise.
struct CSVWriter: ~Copyable {
  private var file: StagedFile
  private var buffer: [UInt8]
  private var isAtStart = true
  private static let bufferByteCount = 1 << 16

  init(_ path: String, columns: [String]) throws(FileError) {
    var line: [UInt8] = []
    line.reserveCapacity(Self.bufferByteCount + 4096)
    line.append(contentsOf: columns.joined(separator: ",").utf8)
    line.append(contentsOf: "\r\n".utf8)
    file = try StagedFile(path)
    buffer = line
  }

  mutating func add(text: String) {
    separate()
    append(csvText: text, to: &buffer)
  }

  mutating func add(_ number: Int) {
    separate()
    buffer.append(contentsOf: String(number).utf8)
  }

  mutating func add(_ number: Int?) {
    if let number { add(number) } else { separate() }
  }

  mutating func add(_ number: Double?) {
    separate()
    if let number { buffer.append(contentsOf: number.description.utf8) }
  }

  /// Adds three cells: the value of an estimate and the ends of its interval.
  mutating func add(_ estimate: Estimate?) {
    add(estimate?.value)
    add(estimate?.low)
    add(estimate?.high)
  }

  mutating func add(_ flag: Bool) {
    separate()
    buffer.append(contentsOf: (flag ? "true" : "false").utf8)
  }

  mutating func endRow() throws(FileError) {
    buffer.append(UInt8(ascii: "\r"))
    buffer.append(UInt8(ascii: "\n"))
    isAtStart = true
    if buffer.count >= Self.bufferByteCount { try flush() }
  }

  private mutating func separate() {
    if !isAtStart { buffer.append(UInt8(ascii: ",")) }
    isAtStart = false
  }

  private mutating func flush() throws(FileError) {
    var full: [UInt8] = []
    swap(&full, &buffer)
    try file.append(full.span)
    full.removeAll(keepingCapacity: true)
    buffer = full
  }

  /// Renames the file to its final name.
  consuming func publish() throws(FileError) {
    try flush()
    try file.publish()
  }

  /// Removes the file.
  consuming func discard() { file.discard() }
}

/// Appends a cell with this text to a line of CSV.
func append(csvText text: String, to line: inout [UInt8]) {
  var needsQuotes = false
  var isPlain = true
  for byte in text.utf8 {
    switch byte {
    case UInt8(ascii: ","), UInt8(ascii: "\""), UInt8(ascii: ";"), 0x09, 0x0A, 0x0D: needsQuotes = true
    case 0..<0x20, 0x7F: isPlain = false
    default: continue
    }
  }
  if text.utf8.first == 0x20 || text.utf8.last == 0x20 { needsQuotes = true }
  if needsQuotes { line.append(UInt8(ascii: "\"")) }
  if looksLikeFormula(text) { line.append(UInt8(ascii: "'")) }
  if isPlain && !needsQuotes {
    line.append(contentsOf: text.utf8)
    return
  }
  for byte in text.utf8 {
    switch byte {
    case UInt8(ascii: "\""): line.append(contentsOf: [byte, byte])
    case 0x09, 0x0A, 0x0D: line.append(byte)
    case 0..<0x20: line.append(contentsOf: [0xE2, 0x90, 0x80 + byte])  // the picture of the character
    case 0x7F: line.append(contentsOf: [0xE2, 0x90, 0xA1])
    default: line.append(byte)
    }
  }
  if needsQuotes { line.append(UInt8(ascii: "\"")) }
}

/// Whether a spreadsheet may evaluate the text, or drop its apostrophe.
///
/// Spreadsheets skip blanks and characters without width in front, and take full-width signs for the usual ones.
private func looksLikeFormula(_ text: String) -> Bool {
  // Most names begin with a letter or a digit.
  if let first = text.utf8.first, first > 0x2D && first < 0x80 && first != 0x3D && first != 0x40 {
    return false
  }
  var isFirst = true
  for scalar in text.unicodeScalars {
    switch scalar {
    case "=", "+", "-", "@", "＝", "＋", "－", "＠", "−", "﹢", "﹣", "﹦", "﹫": return true
    case "\t", "\r", "\n", "'": if isFirst { return true }
    default:
      let properties = scalar.properties
      guard
        properties.isWhitespace || properties.isDefaultIgnorableCodePoint
          || properties.generalCategory == .control
      else { return false }
    }
    isFirst = false
  }
  return false
}
