public import Files

/// Reads the lines of a `.lst` file one after the other, in memory that does not depend on the size of the file.
///
/// Lines end with LF, CRLF or CR, as in Python's `open`. A UTF-8 byte order mark at the start is skipped. A line of
/// more than 64 KiB is a bad line; only its beginning is kept.
///
/// InsightFace writes the path before the label; see `ListColumns` for how that is recognized.
public struct ListReader: ~Copyable {
  static let maximumLineByteCount = 1 << 16

  private let file: InputFile
  private let range: Range<Int>
  /// `buffer[cursor...]` holds the bytes of the file from `position` on.
  private var buffer: [UInt8] = []
  private var cursor = 0
  private var position: Int
  private var line: Int
  /// The order of the columns, found in the first 64 KiB of the file.
  public let columns: ListColumns

  /// Opens a list.
  ///
  /// - Parameter shard: read only the lines of this shard; `nil` for all lines. Line numbers are those of the whole
  ///   file.
  /// - Throws: where the file cannot be opened or read.
  /// - Complexity: O(1); with a shard, O(bytes before it), which are read to count lines.
  public init(_ path: String, shard: ListShard? = nil) throws(FileError) {
    let file = try InputFile(path)
    let range = try shard?.range(in: file) ?? 0..<file.byteCount
    let columns = ListColumns(ofFileBeginning: try readBlock(of: file, at: 0))
    line = try Self.countLines(before: range.lowerBound, of: file)
    position = range.lowerBound
    self.range = range
    self.columns = columns
    self.file = file
  }

  /// The path of the list.
  public var path: String { file.path }

  /// The size of the file in bytes, or that of the shard.
  public var byteCount: Int { range.count }

  /// How many of the `byteCount` bytes have been read as lines so far.
  public var doneByteCount: Int { position - range.lowerBound }

  /// The next line; `nil` at the end.
  ///
  /// - Throws: `.changed` at the end if the file was modified meanwhile; `.system` where it cannot be read.
  /// - Complexity: O(line); the file is read in blocks of 64 KiB.
  public mutating func next() throws(FileError) -> ListLine? {
    if position == 0 { try skipByteOrderMark() }
    guard let end = try findLineEnd() else {
      if file.isUnchanged() { return nil }
      throw FileError(.changed, path: path)
    }
    line += 1
    defer { advance(by: end.contentByteCount + end.endByteCount) }
    if end.isTooLong {
      let text = printable(buffer[cursor...].prefix(end.contentByteCount), limit: ListLine.shownByteCount)
      return .bad(
        reason: "the line is longer than \(Self.maximumLineByteCount) bytes", line: line, text: text)
    }
    return ListLine(
      parsing: buffer.span.extracting(cursor..<(cursor + end.contentByteCount)), line: line,
      columns: columns)
  }

  private struct LineEnd {
    var contentByteCount: Int
    var endByteCount: Int
    var isTooLong: Bool
  }

  /// Loads the next line; its content then starts at `cursor`. Only the beginning of a line that is too long is kept.
  private mutating func findLineEnd() throws(FileError) -> LineEnd? {
    var searched = 0
    var isTooLong = false
    while true {
      if let found = lineEnd(from: cursor + searched) {
        // Whether a CR is half of a CRLF shows only with the next byte.
        if buffer[found] != UInt8(ascii: "\r") || found + 1 < buffer.count || isAllLoaded {
          let isPair =
            buffer[found] == UInt8(ascii: "\r") && found + 1 < buffer.count
            && buffer[found + 1] == UInt8(ascii: "\n")
          let count = found - cursor
          return LineEnd(
            contentByteCount: count, endByteCount: isPair ? 2 : 1,
            isTooLong: isTooLong || count > Self.maximumLineByteCount)
        }
        searched = found - cursor
      } else {
        searched = buffer.count - cursor
      }
      if searched > Self.maximumLineByteCount {
        // Keep what a message shows, and a CR that may be half of a CRLF.
        isTooLong = true
        let kept = ListLine.shownByteCount + 1
        buffer.removeSubrange((cursor + kept)..<(cursor + searched))
        position += searched - kept
        searched = kept
      }
      if try !load() {
        guard searched > 0 || isTooLong else { return nil }
        return LineEnd(
          contentByteCount: searched, endByteCount: 0,
          isTooLong: isTooLong || searched > Self.maximumLineByteCount)
      }
    }
  }

  private func lineEnd(from index: Int) -> Int? {
    let bytes = buffer.span
    var index = index
    while index < bytes.count {
      if bytes[index] == UInt8(ascii: "\n") || bytes[index] == UInt8(ascii: "\r") { return index }
      index += 1
    }
    return nil
  }

  private var isAllLoaded: Bool { position + (buffer.count - cursor) == range.upperBound }

  /// Loads the next block; `false` at the end.
  private mutating func load() throws(FileError) -> Bool {
    buffer.removeSubrange(..<cursor)
    cursor = 0
    let offset = position + buffer.count
    let block = try readBlock(of: file, at: offset).prefix(range.upperBound - offset)
    buffer += block
    return !block.isEmpty
  }

  private mutating func advance(by count: Int) {
    cursor += count
    position += count
  }

  private mutating func skipByteOrderMark() throws(FileError) {
    if buffer.isEmpty { _ = try load() }
    if buffer.starts(with: [0xef, 0xbb, 0xbf]) { advance(by: 3) }
  }

  private static func countLines(before end: Int, of file: borrowing InputFile) throws(FileError) -> Int {
    var (count, position) = (0, 0)
    var isAfterCR = false
    while position < end {
      for byte in try readBlock(of: file, at: position).prefix(end - position) {
        if byte == UInt8(ascii: "\r") || (byte == UInt8(ascii: "\n") && !isAfterCR) { count += 1 }
        isAfterCR = byte == UInt8(ascii: "\r")
        position += 1
      }
    }
    return count
  }
}

/// One of `count` shards of a list, as in dmlc's `num_parts` and `part_index`: the file is cut into equal byte
/// ranges, whose ends are moved to the starts of lines.
///
/// Every line is in exactly one shard. Shards differ in size by a line or so, and may be empty.
public struct ListShard: Hashable, Sendable {
  /// In `0..<count`.
  public let index: Int
  /// How many shards there are; at least 1.
  public let count: Int

  /// - Precondition: `index` is in `0..<count`.
  public init(index: Int, count: Int) {
    precondition(count > 0 && (0..<count).contains(index), "the index of a shard is from 0 to count - 1")
    self.index = index
    self.count = count
  }

  /// The byte range of this shard: `ceil(byteCount / count)` bytes, both ends moved behind the line they fall into.
  ///
  /// A cut exactly at the start of a line also moves, behind that line, as in dmlc's `LineSplitter`.
  func range(in file: borrowing InputFile) throws(FileError) -> Range<Int> {
    let total = file.byteCount
    let step = total / count + (total % count == 0 ? 0 : 1)
    // step * index can overflow only where it is far beyond the end of the file.
    let (first, overflow) = step.multipliedReportingOverflow(by: index)
    let start = overflow ? total : min(first, total)
    let end = min(total, start + min(step, total - start))
    guard start < end else { return total..<total }
    let from = start == 0 ? 0 : try lineStart(after: start, in: file)
    let to = end == total ? total : try lineStart(after: end, in: file)
    return from..<max(from, to)
  }

  /// The offset of the first byte after the line end, or several in a row, that follows `offset`.
  private func lineStart(after offset: Int, in file: borrowing InputFile) throws(FileError) -> Int {
    var position = offset
    var isInLine = true
    while true {
      let block = try readBlock(of: file, at: position)
      if block.isEmpty { return file.byteCount }
      for byte in block {
        let isEnd = byte == UInt8(ascii: "\n") || byte == UInt8(ascii: "\r")
        if !isInLine && !isEnd { return position }
        if isEnd { isInLine = false }
        position += 1
      }
    }
  }
}

/// Up to 64 KiB from `offset` on; empty at the end of the file.
func readBlock(of file: borrowing InputFile, at offset: Int) throws(FileError) -> [UInt8] {
  try readBytes(max(0, min(1 << 16, file.byteCount - offset)), at: offset, of: file)
}
