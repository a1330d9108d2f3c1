import Files
import Records

/// The format of a truth.
enum TruthFormat: Hashable {
  case list, records, folders, lines, table

  /// Tells the format by the suffix of the name, or by the first bytes where the suffix says nothing.
  /// - Throws: `.file`; `.otherKind` for a file that its first bytes show to be no truth, whatever its name;
  ///   `.encoding`; `.unknownFormat`.
  init(of path: String) throws(TruthError) {
    if isFolder(path) {
      self = .folders
      return
    }
    let start = try readingTruth(path) { () throws(FileError) in try readStart(of: path, byteCount: 4096) }
    let isRecords = start.starts(with: littleEndianBytes(RecordLayout.magic))
    if !isRecords, let kind = foreignKind(start) {
      throw TruthError(.otherKind(kind.sentence(expected: TruthError.expected)), path: path)
    }
    switch splitExtension(path).suffix.lowercased() {
    case ".lst": self = .list
    case ".rec": self = .records
    case ".csv", ".tsv": self = .table
    // An index has two columns of numbers, which would pass for a table of paths and labels.
    case ".idx": throw TruthError(.unknownFormat, path: path)
    case ".jsonl", ".ndjson", ".json", ".manifest": self = .lines
    default: self = isRecords ? .records : try Self(sniffing: start, path)
    }
    if self == .lines, isSpreadOverLines(start) {
      throw TruthError(
        .otherKind(
          "this is one JSON object over several lines; JSON lines, one object a line, or one array are expected"
        ),
        path: path)
    }
    // Lists and JSON lines are read as bytes of UTF-8.
    if self == .list || self == .lines, let encoding = wideEncoding(start) {
      throw TruthError(.encoding(encoding.description), path: path)
    }
  }

  private init(sniffing start: [UInt8], _ path: String) throws(TruthError) {
    guard wideEncoding(start) == nil else {
      self = .table
      return
    }
    let line = start.prefix { $0 != UInt8(ascii: "\n") }
    let fields = line.split(separator: UInt8(ascii: "\t"), omittingEmptySubsequences: false)
    if let first = start.first(where: { $0 > 0x20 }), first == UInt8(ascii: "{") || first == UInt8(ascii: "[")
    {
      self = .lines
    } else if fields.count >= 3, wholeNumber(fields[0]) != nil {
      self = .list
    } else if start.isEmpty || line.contains(where: { TableLayout.separators.contains($0) }) {
      self = .table
    } else {
      throw TruthError(.unknownFormat, path: path)
    }
  }
}

private func littleEndianBytes(_ word: UInt32) -> [UInt8] {
  (0..<4).map { UInt8(truncatingIfNeeded: word >> UInt32(8 * $0)) }
}

/// The kind of a file that can be neither outputs nor a truth, such as a ZIP archive, a Git LFS pointer or an HTML
/// page; `nil` for text, JSON and an empty file.
/// - Parameter start: its first bytes.
func foreignKind(_ start: [UInt8]) -> FileKind? {
  guard wideEncoding(start) == nil, let kind = FileKind(start.span), kind != .empty, kind != .text,
    kind != .json
  else { return nil }
  // A table that happens to begin with two letters such as a bitmap's BM is still a table.
  let isText = start.allSatisfy { $0 >= 0x20 || [0x09, 0x0A, 0x0D].contains($0) }
  let isKnownText =
    ["an HTML page", "an XML document", "an SVG drawing", "a Git LFS pointer"].contains(kind.name)
    || kind == .symbol
  return isText && !isKnownText ? nil : kind
}

/// An encoding of text with units of more than a byte.
enum WideEncoding: Hashable, CustomStringConvertible {
  case utf16(isBigEndian: Bool)
  case utf32

  var description: String {
    switch self {
    case .utf16: "UTF-16"
    case .utf32: "UTF-32"
    }
  }
}

/// The wide encoding of a text; `nil` for UTF-8 and other encodings of single bytes.
///
/// It is recognised by its byte order mark or, without one, by zeros in every second byte of the beginning.
func wideEncoding(_ start: [UInt8]) -> WideEncoding? {
  if start.starts(with: [0xFF, 0xFE, 0, 0]) || start.starts(with: [0, 0, 0xFE, 0xFF]) { return .utf32 }
  if start.starts(with: [0xFF, 0xFE]) { return .utf16(isBigEndian: false) }
  if start.starts(with: [0xFE, 0xFF]) { return .utf16(isBigEndian: true) }
  let first = start.prefix(16)
  guard first.count >= 4 else { return nil }
  let zeros = first.map { $0 == 0 }
  let (even, odd) = (zeros.indices.filter { $0 % 2 == 0 }, zeros.indices.filter { $0 % 2 == 1 })
  if even.allSatisfy({ zeros[$0] }) && odd.allSatisfy({ !zeros[$0] }) { return .utf16(isBigEndian: true) }
  if odd.allSatisfy({ zeros[$0] }) && even.allSatisfy({ !zeros[$0] }) { return .utf16(isBigEndian: false) }
  return nil
}

/// The bytes of a text as UTF-8, without a byte order mark. A text that is neither UTF-16 nor UTF-32 is taken for UTF-8.
/// Where lines end with CR alone, as old spreadsheets write them, they end with LF in what is returned.
///
/// - Throws: `.encoding` for UTF-32, and for UTF-16 that is cut short or has half of a pair.
func utf8Bytes(of text: [UInt8], path: String) throws(TruthError) -> [UInt8] {
  switch wideEncoding(text) {
  case nil: return withLineFeeds(text.starts(with: [0xEF, 0xBB, 0xBF]) ? Array(text.dropFirst(3)) : text)
  case .utf32: throw TruthError(.encoding("UTF-32"), path: path)
  case .utf16(let isBigEndian):
    var units: [UInt16] = []
    units.reserveCapacity(text.count / 2)
    for place in stride(from: 0, to: text.count - 1, by: 2) {
      let (first, second) = (UInt16(text[place]), UInt16(text[place + 1]))
      units.append(isBigEndian ? first << 8 | second : second << 8 | first)
    }
    if units.first == 0xFEFF { units.removeFirst() }
    guard text.count % 2 == 0, let decoded = String(validating: units, as: UTF16.self) else {
      throw TruthError(.encoding("UTF-16 that is cut short or damaged"), path: path)
    }
    return withLineFeeds(Array(decoded.utf8))
  }
}

private func withLineFeeds(_ text: [UInt8]) -> [UInt8] {
  let (feed, carriageReturn) = (UInt8(ascii: "\n"), UInt8(ascii: "\r"))
  guard text.contains(carriageReturn), !text.contains(feed) else { return text }
  return text.map { $0 == carriageReturn ? feed : $0 }
}
