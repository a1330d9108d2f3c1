/// Reads a table as RFC 4180 has it: fields with commas or other separators between them, quoted where they hold one, a
/// quote or a line end; a quote in quotes is doubled. Lines end with LF or CRLF; blank lines are passed over.
///
/// Blanks round a field are no part of it, as people put them behind commas; in quotes they are.
struct TableReader {
  private let bytes: [UInt8]
  private let separator: UInt8
  private var cursor = 0
  /// Of the row that was read last; its first one, counted from 1.
  private(set) var line = 0
  private var nextLine = 1

  init(_ bytes: [UInt8], separator: UInt8) {
    self.bytes = bytes
    self.separator = separator
    if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { cursor = 3 }
  }

  /// The fields of the next row; `nil` at the end.
  /// - Throws: `.openQuote` (without the path).
  mutating func next() throws(TruthError) -> [[UInt8]]? {
    while skipLineEnd() {}
    guard cursor < bytes.count else { return nil }
    line = nextLine
    var fields: [[UInt8]] = []
    while true {
      fields.append(try field())
      if cursor == bytes.count || skipLineEnd() { return fields }
      cursor += 1  // the separator
    }
  }

  private mutating func skipLineEnd() -> Bool {
    if cursor < bytes.count, bytes[cursor] == UInt8(ascii: "\n") {
      cursor += 1
    } else if cursor + 1 < bytes.count, bytes[cursor] == UInt8(ascii: "\r"),
      bytes[cursor + 1] == UInt8(ascii: "\n")
    {
      cursor += 2
    } else {
      return false
    }
    nextLine += 1
    return true
  }

  /// Up to the separator or the end of the line, at which the cursor then is.
  private mutating func field() throws(TruthError) -> [UInt8] {
    var field: [UInt8] = []
    while cursor < bytes.count, isBlank(bytes[cursor]) { cursor += 1 }
    var quotedCount = 0
    if cursor < bytes.count, bytes[cursor] == UInt8(ascii: "\"") {
      try quotedPart(&field)
      quotedCount = field.count
    }
    // What follows a closing quote belongs to the field, as spreadsheets have it.
    while cursor < bytes.count, bytes[cursor] != separator, bytes[cursor] != UInt8(ascii: "\n") {
      if bytes[cursor] == UInt8(ascii: "\r"), cursor + 1 < bytes.count,
        bytes[cursor + 1] == UInt8(ascii: "\n")
      {
        break
      }
      field.append(bytes[cursor])
      cursor += 1
    }
    while field.count > quotedCount, let last = field.last, isBlank(last) { field.removeLast() }
    return field
  }

  private func isBlank(_ byte: UInt8) -> Bool {
    byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") && separator != UInt8(ascii: "\t")
  }

  private mutating func quotedPart(_ field: inout [UInt8]) throws(TruthError) {
    cursor += 1
    while cursor < bytes.count {
      let byte = bytes[cursor]
      cursor += 1
      if byte == UInt8(ascii: "\"") {
        guard cursor < bytes.count, bytes[cursor] == UInt8(ascii: "\"") else { return }
        cursor += 1
      } else if byte == UInt8(ascii: "\n") {
        nextLine += 1
      }
      field.append(byte)
    }
    throw TruthError(.openQuote(line: line), path: "")
  }
}
