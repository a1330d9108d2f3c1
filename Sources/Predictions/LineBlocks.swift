import Encodings
import Files
import Glibc

/// Consecutive whole lines of a file.
struct LineBlock: Sendable {
  let bytes: [UInt8]
  /// The number of the first line, counted from 1.
  let firstLine: Int

  /// Calls `body` with the number and the bytes, without the LF, of each line that is not blank.
  func forEachLine(_ body: (Int, Span<UInt8>) -> Void) {
    let span = bytes.span
    var (line, start) = (firstLine, 0)
    while start < span.count {
      let end = firstLineFeed(in: span, from: start) ?? span.count
      var scanner = JSONScanner(at: start)
      scanner.skipBlanks(span)
      if scanner.cursor < end { body(line, span.extracting(start..<end)) }
      start = end + 1
      line += 1
    }
  }
}

/// Why a file of lines cannot be read to its end.
enum LineError: Error {
  case file(FileError)
  /// The file is one JSON array that is damaged; the fault's offset counts in the file.
  case array(JSONError)
}

/// Reads a file of lines in blocks of about 1 MiB, whatever its size.
///
/// A file that is one JSON array is read as if each element were a line. What the array is, is decided by the first 4
/// KiB.
struct LineBlocks: ~Copyable {
  private static let blockByteCount = 1 << 20
  /// A longer line, or element, is an error.
  private static let maximumLineByteCount = 1 << 24

  private let file: InputFile
  private var offset = 0
  private var line = 1
  /// What is read but not yet returned: the start of a line, or a part of the array.
  private var rest: [UInt8] = []
  /// `nil` for a file of lines.
  private var array: ArrayPlace?

  private struct ArrayPlace {
    /// The index in `rest` up to which elements were returned.
    var cursor = 0
    var isOpen = false
    var isClosed = false
  }

  init(_ path: String) throws(LineError) {
    let isArray = try Self.reading { () throws(FileError) in
      isJSONArray(try readStart(of: path, byteCount: 4096))
    }
    file = try Self.reading { () throws(FileError) in try InputFile(path) }
    array = isArray ? ArrayPlace() : nil
  }

  private static func reading<Result: ~Copyable>(_ body: () throws(FileError) -> Result) throws(LineError)
    -> Result
  {
    do throws(FileError) { return try body() } catch { throw .file(error) }
  }

  /// What messages call a line: "line", or "element" for one of an array.
  var unit: String { array == nil ? "line" : "element" }

  var byteCount: Int { file.byteCount }
  /// The byte count of the blocks returned so far.
  var doneByteCount: Int { offset - rest.count }

  private func read(_ count: Int, to bytes: inout [UInt8], at start: Int) throws(FileError) -> Int {
    var all = bytes.mutableSpan
    return try unsafe all.withUnsafeMutableBytes { buffer throws(FileError) in
      var target = unsafe MutableRawSpan(
        _unsafeBytes: UnsafeMutableRawBufferPointer(rebasing: buffer[start...]))
      return try file.read(at: offset, into: &target)
    }
  }

  /// The next block; `nil` at the end.
  /// - Throws: `.file`: `.tooLarge` for a line of more than 16 MiB, `.changed` at the end if somebody wrote to the
  ///   file; `.array` where the JSON array ends early, is malformed, or is followed by more than blanks.
  mutating func next() throws(LineError) -> LineBlock? {
    if array != nil { return try nextElements() }
    do throws(FileError) {
      return try nextLines()
    } catch {
      throw .file(error)
    }
  }

  private mutating func nextLines() throws(FileError) -> LineBlock? {
    var bytes = rest
    rest = []
    while offset < file.byteCount {
      let start = bytes.count
      try readMore(to: &bytes, about: max(Self.blockByteCount - start, Self.blockByteCount / 4))
      if offset == file.byteCount { break }
      if let end = lastLineFeed(in: bytes.span, from: start) {
        rest = Array(bytes[(end + 1)...])
        bytes.removeLast(bytes.count - end - 1)
        break
      }
      try checkLength(bytes.count)
    }
    if bytes.isEmpty { return try end() }
    let block = LineBlock(bytes: bytes, firstLine: line)
    line += countLineFeeds(in: bytes.span)
    return block
  }

  private mutating func readMore(to bytes: inout [UInt8], about wanted: Int) throws(FileError) {
    let start = bytes.count
    let count = min(wanted, file.byteCount - offset)
    bytes.append(contentsOf: repeatElement(0, count: count))
    guard try read(count, to: &bytes, at: start) == count else {
      throw FileError(.changed, path: file.path)
    }
    offset += count
  }

  private func checkLength(_ byteCount: Int) throws(FileError) {
    guard byteCount > Self.maximumLineByteCount else { return }
    throw FileError(
      .tooLarge(byteCount: byteCount, limit: Self.maximumLineByteCount),
      path: "\(file.path) \(unit) \(line)")
  }

  private func end() throws(FileError) -> LineBlock? {
    if file.isUnchanged() { return nil }
    throw FileError(.changed, path: file.path)
  }

  private mutating func nextElements() throws(LineError) -> LineBlock? {
    var bytes: [UInt8] = []
    let first = line
    while bytes.count < Self.blockByteCount, let element = try nextElement() {
      // JSON allows a line end only between tokens, where a space means the same.
      for byte in rest[element] { bytes.append(byte == 0x0A || byte == 0x0D ? 0x20 : byte) }
      bytes.append(0x0A)
      line += 1
    }
    if !bytes.isEmpty { return LineBlock(bytes: bytes, firstLine: first) }
    do throws(FileError) { return try end() } catch { throw .file(error) }
  }

  /// The range of the next element in `rest`; `nil` after the last.
  private mutating func nextElement() throws(LineError) -> Range<Int>? {
    while true {
      var place = array ?? ArrayPlace()
      do throws(JSONError) {
        let element = try Self.element(in: rest.span, &place, isFirst: line == 1)
        // A number that ends where `rest` ends may continue in what is not read yet.
        if let element, element.upperBound < rest.count || offset == file.byteCount {
          array = place
          return element
        }
        if element == nil, offset == file.byteCount {
          array = place
          return nil
        }
      } catch {
        if offset == file.byteCount {
          throw .array(JSONError(error.reason, offset: offset - rest.count + error.offset))
        }
      }
      do throws(FileError) {
        var bytes: [UInt8] = []
        swap(&bytes, &rest)
        bytes.removeFirst(array?.cursor ?? 0)
        array?.cursor = 0
        try checkLength(bytes.count)
        try readMore(to: &bytes, about: Self.blockByteCount)
        rest = bytes
      } catch {
        throw .file(error)
      }
    }
  }

  private static func element(in bytes: Span<UInt8>, _ place: inout ArrayPlace, isFirst: Bool)
    throws(JSONError) -> Range<Int>?
  {
    var scanner = JSONScanner(at: place.cursor)
    defer { place.cursor = scanner.cursor }
    scanner.skipBlanks(bytes)
    if !place.isOpen {
      guard scanner.skip(UInt8(ascii: "["), bytes) else { throw scanner.fault("'['", bytes) }
      place.isOpen = true
      scanner.skipBlanks(bytes)
    }
    if !place.isClosed, scanner.skip(UInt8(ascii: "]"), bytes) {
      place.isClosed = true
      scanner.skipBlanks(bytes)
    }
    if place.isClosed {
      guard scanner.cursor == bytes.count else { throw scanner.fault("the end of the text", bytes) }
      return nil
    }
    if !isFirst {
      guard scanner.skip(UInt8(ascii: ","), bytes) else { throw scanner.fault("',' or ']'", bytes) }
      scanner.skipBlanks(bytes)
    }
    let start = scanner.cursor
    try scanner.skipValue(bytes)
    return start..<scanner.cursor
  }
}

/// Whether a file that begins with these bytes is one array of objects, arrays or strings. A line of probabilities
/// begins with `[` and a number.
private func isJSONArray(_ start: [UInt8]) -> Bool {
  var marks = start.lazy.filter { $0 != 0x20 && $0 != 0x0A && $0 != 0x0D && $0 != 0x09 }.makeIterator()
  guard marks.next() == UInt8(ascii: "["), let second = marks.next() else { return false }
  return [UInt8(ascii: "{"), UInt8(ascii: "["), UInt8(ascii: "\"")].contains(second)
}

/// Whether a file that begins with these bytes begins with a JSON object that spans several lines.
///
/// An object that is merely cut short in its line is followed by a line with another object, so it does not count.
func isSpreadOverLines(_ start: [UInt8]) -> Bool {
  var lines = start.split(separator: 0x0A).lazy.map { $0.drop { $0 == 0x20 || $0 == 0x09 || $0 == 0x0D } }
    .filter { !$0.isEmpty }.makeIterator()
  guard let first = lines.next(), first.first == UInt8(ascii: "{"), let second = lines.next(),
    second.first != UInt8(ascii: "{")
  else { return false }
  let bytes = Array(first)
  var scanner = JSONScanner()
  do throws(JSONError) {
    try scanner.skipValue(bytes.span)
    return false
  } catch {
    if case .ends = error.reason { return true }
    return false
  }
}

func firstLineFeed(in bytes: Span<UInt8>, from start: Int) -> Int? {
  unsafe bytes.withUnsafeBytes { raw in
    guard let base = raw.baseAddress, let found = unsafe memchr(base + start, 0x0A, raw.count - start) else {
      return nil
    }
    return unsafe UnsafeRawPointer(found) - base
  }
}

private func lastLineFeed(in bytes: Span<UInt8>, from start: Int) -> Int? {
  var index = bytes.count
  while index > start {
    index -= 1
    if bytes[index] == UInt8(ascii: "\n") { return index }
  }
  return nil
}

private func countLineFeeds(in bytes: Span<UInt8>) -> Int {
  var (count, start) = (0, 0)
  while start < bytes.count, let found = firstLineFeed(in: bytes, from: start) {
    count += 1
    start = found + 1
  }
  return count
}
