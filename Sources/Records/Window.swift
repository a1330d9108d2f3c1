import Files

/// A stretch of a file in memory: many small records cost one system call.
struct Window {
  struct Head {
    let position: Int
    let lengthWord: UInt32
  }
  private var bytes: [UInt8]
  /// How many of `bytes` are of the file, from `start` on.
  private var filled = 0
  private var start = 0

  init(capacity: Int) {
    bytes = [UInt8](repeating: 0, count: capacity)
  }

  var capacity: Int { bytes.count }

  /// Sees to it that `count` bytes from `offset` are here; what else fits is read along.
  /// - Parameter count: at most `capacity`; the caller has compared it with the file's size.
  /// - Throws: `.changed` if the file became shorter.
  mutating func load(_ count: Int, at offset: Int, of file: borrowing InputFile) throws(FileError) {
    if offset >= start && offset + count <= start + filled { return }
    let wanted = max(count, min(capacity, file.byteCount - offset))
    filled = 0
    var span = bytes.mutableSpan
    try fill(&span, count: wanted, at: offset, of: file)
    filled = wanted
    start = offset
  }

  mutating func head(at offset: Int, of file: borrowing InputFile) throws(FileError) -> (
    magic: UInt32, lengthWord: UInt32
  ) {
    try load(RecordLayout.headByteCount, at: offset, of: file)
    let span = bytes.span
    return (word(span, at: offset - start), word(span, at: offset - start + 4))
  }

  /// A copy of `byteCount` bytes from `offset`, the padding behind them checked.
  mutating func payload(_ byteCount: Int, at offset: Int, of file: borrowing InputFile)
    throws(RecordFault) -> [UInt8]
  {
    let padded = RecordLayout.padded(byteCount)
    guard padded <= capacity else { return try largePayload(byteCount, at: offset, of: file) }
    do throws(FileError) {
      try load(padded, at: offset, of: file)
    } catch {
      throw .file(error)
    }
    let first = offset - start
    guard bytes[(first + byteCount)..<(first + padded)].allSatisfy({ $0 == 0 }) else {
      throw .format(.badPadding)
    }
    return Array(bytes[first..<(first + byteCount)])
  }

  /// What does not fit is read past the window, at once to where it belongs.
  private func largePayload(_ byteCount: Int, at offset: Int, of file: borrowing InputFile)
    throws(RecordFault) -> [UInt8]
  {
    var payload: [UInt8]
    do throws(FileError) {
      payload = try readBytes(RecordLayout.padded(byteCount), at: offset, of: file)
    } catch {
      throw .file(error)
    }
    guard payload[byteCount...].allSatisfy({ $0 == 0 }) else { throw .format(.badPadding) }
    payload.removeLast(payload.count - byteCount)
    return payload
  }

  /// The first head of a record, at any alignment, whose first byte lies in `from...through`.
  /// - Parameter through: 8 bytes from here on are loaded.
  func nextHead(from: Int, through: Int) -> Head? {
    let span = bytes.span
    var index = from - start
    while index <= through - start {
      if span[index] == 0x0a && word(span, at: index) == RecordLayout.magic {
        let lengthWord = word(span, at: index + 4)
        if RecordLayout.flag(lengthWord) <= 1 {
          return Head(position: start + index, lengthWord: lengthWord)
        }
      }
      index += 1
    }
    return nil
  }
}

/// `count` bytes from `offset`.
/// - Throws: `.changed` if the file ends before: its size was taken when it was opened.
private func readBytes(_ count: Int, at offset: Int, of file: borrowing InputFile) throws(FileError)
  -> [UInt8]
{
  var failure: FileError?
  let bytes = unsafe [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
    var span = unsafe MutableSpan(_unsafeElements: buffer)
    do throws(FileError) {
      try fill(&span, count: count, at: offset, of: file)
      initialized = count
    } catch {
      failure = error
    }
  }
  if let failure { throw failure }
  return bytes
}

/// Reads `count` bytes from `offset` into the start of `target`.
func fill(
  _ target: inout MutableSpan<UInt8>, count: Int, at offset: Int, of file: borrowing InputFile
) throws(FileError) {
  let got = try unsafe target.withUnsafeMutableBytes { bytes throws(FileError) in
    var part = unsafe MutableRawSpan(_unsafeBytes: UnsafeMutableRawBufferPointer(rebasing: bytes[..<count]))
    return try file.read(at: offset, into: &part)
  }
  guard got == count else { throw FileError(.changed, path: file.path) }
}
