import Files

/// Reads the records of a `.rec` file, in order or by offset.
///
/// Only what a writer can have written is accepted: framing a record's payload again gives exactly the bytes of the
/// file. The format has no checksum, so a changed bit in a payload goes unnoticed, and so does a length that grew
/// into its own zero padding; a length that shrank is noticed where the next record should start. All other damage to
/// heads and padding is an error at the record's own offset.
///
/// Memory: a window of at most 1 MiB, and the record. Every length is checked against the file's size before it is
/// used.
public struct RecordReader: ~Copyable {
  private let file: InputFile
  private var window: FileWindow
  /// Where the record that `next` reads begins. It does not move when `next` throws.
  public private(set) var offset = 0

  /// Opens a file of records.
  ///
  /// - Throws: `.file` where the path does not name a readable regular file; `.otherKind` where the file is of
  ///   another known kind and no record begins in its first MiB. A damaged file of records is *not* an error here.
  public init(_ path: String) throws(RecordError) {
    let file = try Self.open(path)
    var window = FileWindow(capacity: max(RecordLayout.headByteCount, min(1 << 20, file.byteCount)))
    if let kind = try Self.otherKind(of: file, through: &window) {
      throw RecordError(.otherKind(kind.name, remedy: kind.remedy), path: path, offset: 0)
    }
    self.window = window
    self.file = file
  }

  private static func open(_ path: String) throws(RecordError) -> InputFile {
    do throws(FileError) {
      return try InputFile(path)
    } catch {
      throw RecordError(.file(error), path: path, offset: 0)
    }
  }

  private static func otherKind(
    of file: borrowing InputFile, through window: inout FileWindow
  ) throws(RecordError) -> FileKind? {
    // Fewer bytes may be the start of a head.
    guard file.byteCount >= RecordLayout.headByteCount else { return nil }
    let start: [UInt8]
    do throws(FileError) {
      if try window.head(at: 0, of: file).magic == RecordLayout.magic { return nil }
      let count = min(window.capacity, file.byteCount)
      try window.load(count, at: 0, of: file)
      if window.nextHead(from: 0, through: count - RecordLayout.headByteCount) != nil { return nil }
      start = try readBlock(of: file, at: 0)
    } catch {
      throw RecordError(.file(error), path: file.path, offset: 0)
    }
    // A file that begins with zeros may be records that lost only their start.
    guard start.first != 0, let kind = FileKind(start.span) else { return nil }
    return kind == .text ? textKind(start) : kind
  }

  /// Tells apart the text files that usually accompany records.
  private static func textKind(_ start: [UInt8]) -> FileKind {
    let line = Array(start.prefix { $0 != UInt8(ascii: "\n") })
    let columns = ListColumns(ofFileBeginning: start)
    if case .entry = ListLine(parsing: line.span, line: 1, columns: columns) {
      return FileKind("a list of images (.lst)")
    }
    let fields = line.split(whereSeparator: isBlank)
    let isIndex = fields.count == 2 && fields.allSatisfy { wholeNumber($0) != nil }
    return isIndex ? FileKind("an index of records (.idx)") : .text
  }

  /// The path of the file.
  public var path: String { file.path }

  /// The size of the file when it was opened.
  public var byteCount: Int { file.byteCount }

  /// The record at `offset`, which then moves to the next record; `nil` at the end of the file.
  ///
  /// - Throws: what is wrong with the record, again on every call until `resynchronise`. At the end of the file,
  ///   `.file(.changed)` if it was modified meanwhile.
  /// - Complexity: O(record); the file is read in blocks of 1 MiB.
  public mutating func next() throws(RecordError) -> Record? {
    guard offset < file.byteCount else {
      if file.isUnchanged() { return nil }
      throw RecordError(.file(FileError(.changed, path: path)), path: path, offset: offset)
    }
    let record = try Self.record(at: offset, in: file, through: &window)
    offset += record.frameByteCount
    return record
  }

  /// The record that begins at `offset` of the file, as an index says. `next` is not affected.
  ///
  /// - Throws: what is wrong with the record; `.truncated` for an offset outside the file.
  /// - Complexity: O(record); two system calls.
  public func read(at offset: Int) throws(RecordError) -> Record {
    guard offset >= 0 && offset < file.byteCount else {
      let left = offset < 0 ? 0 : max(0, file.byteCount - offset)
      throw RecordError(
        .truncated(wanted: RecordLayout.headByteCount, left: left), path: path, offset: offset)
    }
    var window = FileWindow(capacity: 4096)
    return try Self.record(at: offset, in: file, through: &window)
  }

  /// Skips the record that `next` refused, and moves to the next head.
  ///
  /// A head is the magic followed by part flag 0 or 1, at a multiple of 4 bytes from the refused record, as for
  /// dmlc's `SeekRecordBegin`. Where bytes were lost or inserted, the following records are not at such multiples: a
  /// head anywhere else counts if its part ends at another head or at the end of the file.
  ///
  /// - Returns: the new `offset`; `nil` if there is no further head, and `offset` is `byteCount` then.
  /// - Throws: `.file` where the file cannot be read.
  /// - Complexity: O(bytes skipped).
  public mutating func resynchronise() throws(RecordError) -> Int? {
    let faulty = offset
    var position = faulty + 1
    while position + RecordLayout.headByteCount <= file.byteCount {
      let count = min(window.capacity, file.byteCount - position)
      do throws(FileError) {
        try window.load(count, at: position, of: file)
      } catch {
        throw RecordError(.file(error), path: path, offset: faulty)
      }
      let last = position + count - RecordLayout.headByteCount
      while let head = window.nextHead(from: position, through: last) {
        let isAligned = (head.position - faulty) % RecordLayout.alignment == 0
        guard try isAligned ? true : endsWell(head) else {
          position = head.position + 1
          continue
        }
        offset = head.position
        return head.position
      }
      position = last + 1
    }
    offset = file.byteCount
    return nil
  }

  /// Whether the part after an unaligned head ends at another head or at the end of the file.
  private func endsWell(_ head: FileWindow.Head) throws(RecordError) -> Bool {
    let end =
      head.position + RecordLayout.headByteCount
      + RecordLayout.padded(RecordLayout.byteCount(head.lengthWord))
    if end == file.byteCount { return RecordLayout.flag(head.lengthWord) == 0 }
    guard end + RecordLayout.headByteCount <= file.byteCount else { return false }
    var look = FileWindow(capacity: RecordLayout.headByteCount)
    do throws(FileError) {
      return try look.head(at: end, of: file).magic == RecordLayout.magic
    } catch {
      throw RecordError(.file(error), path: path, offset: head.position)
    }
  }

  /// Reads and checks the parts from `offset` on, which lies before the end of the file.
  private static func record(at offset: Int, in file: borrowing InputFile, through window: inout FileWindow)
    throws(RecordError) -> Record
  {
    let path = file.path
    var position = offset
    var payload: [UInt8] = []
    do throws(RecordFault) {
      while true {
        let isFirst = position == offset
        let part = try part(at: position, isFirst: isFirst, in: file, through: &window)
        let total = payload.count + (isFirst ? 0 : 4) + part.byteCount
        guard total <= RecordLayout.maximumPayloadByteCount else {
          throw .format(.tooLarge(byteCount: total))
        }
        let start = position + RecordLayout.headByteCount
        let bytes = try window.payload(part.byteCount, at: start, of: file)
        if let inside = firstMagic(in: bytes.span, from: 0) {
          throw RecordFault.format(.headInside(at: start + inside))
        }
        if isFirst {
          payload = bytes
        } else {
          appendWord(RecordLayout.magic, to: &payload)
          payload.append(contentsOf: bytes)
        }
        position = start + RecordLayout.padded(part.byteCount)
        if part.isLast { break }
      }
    } catch {
      throw RecordError(error.reason, path: path, offset: offset)
    }
    return Record(offset: offset, frameByteCount: position - offset, payload: payload, path: path)
  }

  /// Reads one head, and checks its flag and its length.
  private static func part(
    at position: Int, isFirst: Bool, in file: borrowing InputFile, through window: inout FileWindow
  ) throws(RecordFault) -> (byteCount: Int, isLast: Bool) {
    let left = file.byteCount - position - RecordLayout.headByteCount
    guard left >= 0 else {
      throw .format(.truncated(wanted: RecordLayout.headByteCount, left: file.byteCount - position))
    }
    let head: (magic: UInt32, lengthWord: UInt32)
    do throws(FileError) {
      head = try window.head(at: position, of: file)
    } catch {
      throw .file(error)
    }
    guard head.magic == RecordLayout.magic else {
      throw .format(isFirst ? .badMagic(head.magic) : .missingPart(at: position))
    }
    let flag = RecordLayout.flag(head.lengthWord)
    guard let part = RecordLayout.Part(rawValue: flag),
      (part == .whole || part == .first) == isFirst
    else { throw .format(isFirst ? .badPart(flag: flag) : .missingPart(at: position)) }
    let byteCount = RecordLayout.byteCount(head.lengthWord)
    guard RecordLayout.padded(byteCount) <= left else {
      throw .format(.truncated(wanted: RecordLayout.padded(byteCount), left: left))
    }
    let isLast = part == .whole || part == .last
    guard isLast || byteCount % 4 == 0 else { throw .format(.unalignedPart(byteCount: byteCount)) }
    return (byteCount, isLast)
  }
}

/// A fault without path and offset, which are added where they are known.
enum RecordFault: Error {
  case format(RecordError.Reason)
  case file(FileError)

  var reason: RecordError.Reason {
    switch self {
    case .format(let reason): reason
    case .file(let error): .file(error)
    }
  }
}

/// A stretch of a file in memory, so that one system call reads many small records.
struct FileWindow {
  struct Head {
    let position: Int
    let lengthWord: UInt32
  }
  private var bytes: [UInt8]
  /// How many of `bytes` hold the file from offset `start` on.
  private var filled = 0
  private var start = 0

  init(capacity: Int) {
    bytes = [UInt8](repeating: 0, count: capacity)
  }

  var capacity: Int { bytes.count }

  /// Makes sure that `count` bytes from `offset` on are loaded; as many more as fit are read along.
  ///
  /// - Parameter count: at most `capacity`; the caller has checked it against the file's size.
  /// - Throws: `.changed` if the file became shorter; `.system`.
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

  /// A copy of `byteCount` bytes from `offset` on, after checking that the padding is zero.
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

  /// Reads a payload that does not fit the window directly into its own array.
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

  /// The first head of a record, at any alignment, that begins in `from...through`.
  ///
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

/// Reads `count` bytes from `offset` on.
///
/// - Throws: `.changed` if the file ends before, since its size was taken when it was opened.
func readBytes(_ count: Int, at offset: Int, of file: borrowing InputFile) throws(FileError) -> [UInt8] {
  let bytes = try file.read(at: offset, byteCount: count)
  guard bytes.count == count else { throw FileError(.changed, path: file.path) }
  return bytes
}

/// Reads `count` bytes from `offset` on into the start of `target`.
///
/// - Throws: `.changed` if the file ends before.
private func fill(
  _ target: inout MutableSpan<UInt8>, count: Int, at offset: Int, of file: borrowing InputFile
) throws(FileError) {
  let got = try unsafe target.withUnsafeMutableBytes { bytes throws(FileError) in
    var part = unsafe MutableRawSpan(_unsafeBytes: UnsafeMutableRawBufferPointer(rebasing: bytes[..<count]))
    return try file.read(at: offset, into: &part)
  }
  guard got == count else { throw FileError(.changed, path: file.path) }
}
