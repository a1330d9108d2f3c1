import Files
import Glibc

/// Whole lines of a file, as they stand in it.
struct LineBlock: Sendable {
  let bytes: [UInt8]
  /// The number of the first line, counted from 1.
  let firstLine: Int

  /// Calls `body` with the number and the bytes of each line that is not blank; without its LF.
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

/// Reads a file of lines in blocks of about 1 MiB, whatever its size.
struct LineBlocks: ~Copyable {
  private static let blockByteCount = 1 << 20
  /// A longer line is held to be no line.
  private static let maximumLineByteCount = 1 << 24

  private let file: InputFile
  private var offset = 0
  private var line = 1
  /// The start of a line whose end is not yet read.
  private var rest: [UInt8] = []

  init(_ path: String) throws(FileError) { file = try InputFile(path) }

  var byteCount: Int { file.byteCount }
  /// How many bytes the blocks so far have.
  var doneByteCount: Int { offset - rest.count }

  private func read(_ count: Int, to bytes: inout [UInt8], at start: Int) throws(FileError) -> Int {
    var all = bytes.mutableSpan
    return try unsafe all.withUnsafeMutableBytes { buffer throws(FileError) in
      var target = unsafe MutableRawSpan(
        _unsafeBytes: UnsafeMutableRawBufferPointer(rebasing: buffer[start...]))
      return try file.read(at: offset, into: &target)
    }
  }

  /// - Throws: `.tooLarge` for a line of more than 16 MiB; `.changed` at the end if somebody wrote to the file.
  mutating func next() throws(FileError) -> LineBlock? {
    var bytes = rest
    rest = []
    while offset < file.byteCount {
      let start = bytes.count
      let count = min(max(Self.blockByteCount - start, Self.blockByteCount / 4), file.byteCount - offset)
      bytes.append(contentsOf: repeatElement(0, count: count))
      guard try read(count, to: &bytes, at: start) == count else {
        throw FileError(.changed, path: file.path)
      }
      offset += count
      if offset == file.byteCount { break }
      if let end = lastLineFeed(in: bytes.span, from: start) {
        rest = Array(bytes[(end + 1)...])
        bytes.removeLast(bytes.count - end - 1)
        break
      }
      guard bytes.count <= Self.maximumLineByteCount else {
        throw FileError(
          .tooLarge(byteCount: bytes.count, limit: Self.maximumLineByteCount),
          path: "\(file.path) line \(line)")
      }
    }
    if bytes.isEmpty {
      if file.isUnchanged() { return nil }
      throw FileError(.changed, path: file.path)
    }
    let block = LineBlock(bytes: bytes, firstLine: line)
    line += countLineFeeds(in: bytes.span)
    return block
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
