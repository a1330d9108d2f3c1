import Files
import Records

/// SageMaker's SplitType: how an input is split into records.
package enum RecordSplit: String, Sendable {
  case none = "None"
  case line = "Line"
  case recordIO = "RecordIO"
  case tfRecord = "TFRecord"

  /// The maximum number of bytes that framing adds to a record in a payload.
  fileprivate var frameByteCount: Int {
    switch self {
    case .none: 0
    case .line: 1
    case .recordIO: 11
    case .tfRecord: 16
    }
  }
}

/// Why an input has no output; a sentence.
package struct TransformFault: Error, Hashable, Sendable, CustomStringConvertible {
  package let description: String

  package init(_ description: String) { self.description = description }
}

/// The maximum size of a record.
package struct PayloadLimit: Sendable {
  let byteCount: Int
  /// The setting that it comes from, for messages; nil for the caller's own.
  let setting: String?

  package init(_ byteCount: Int, setting: String? = nil) {
    self.byteCount = byteCount
    self.setting = setting
  }

  func check(_ byteCount: Int) throws(TransformFault) {
    if byteCount > self.byteCount { throw TransformFault("it has \(byteCount) bytes, more than \(words)") }
  }

  fileprivate var words: String {
    setting.map { "\($0) allows (\(byteCount) bytes)" } ?? "the \(byteCount) allowed here"
  }
}

/// Reads the records of one file in order. Only the current record is in memory.
package struct RecordSplitter: ~Copyable {
  private enum Kind { case none, line, tfRecord }
  private let kind: Kind
  private let path: String
  /// nil if the file is read whole or by `recordIO`.
  private let file: InputFile?
  private var fileByteCount: Int {
    switch file {
    case .some(let file): file.byteCount
    case nil: 0
    }
  }
  private let limit: PayloadLimit
  private var offset = 0
  private var block: [UInt8] = []
  private var taken = 0
  private var recordIO: RecordReader?
  private let frameByteCount: Int
  /// A record that was read but did not fit into the previous payload.
  private var held: [UInt8]?

  private let blockByteCount: Int

  /// - Parameters:
  ///   - limit: a larger record is an error.
  ///   - blockByteCount: lines are read in blocks of this many bytes.
  package init(
    _ path: String, _ split: RecordSplit, limit: PayloadLimit, blockByteCount: Int = 1 << 16
  ) throws {
    self.blockByteCount = blockByteCount
    let reader = try Self.reader(path, split)
    file = try Self.file(path, split)
    recordIO = reader
    self.path = path
    self.limit = limit
    frameByteCount = split.frameByteCount
    kind =
      switch split {
      case .none, .recordIO: .none
      case .line: .line
      case .tfRecord: .tfRecord
      }
  }

  private static func reader(_ path: String, _ split: RecordSplit) throws -> RecordReader? {
    if split == .recordIO { return try RecordReader(path) }
    return nil
  }

  private static func file(_ path: String, _ split: RecordSplit) throws(FileError) -> InputFile? {
    if split == .line || split == .tfRecord { return try InputFile(path) }
    return nil
  }

  /// The next records that fit into one payload; empty after the last record.
  ///
  /// - Parameter byteCount: the maximum size of the payload, including the records' framing. A single record may
  ///   exceed it.
  /// - Throws: as `next()`; the records read before the error are lost.
  package mutating func next(atMost count: Int, byteCount: Int) throws -> [[UInt8]] {
    var records: [[UInt8]] = []
    var left = byteCount
    while records.count < count {
      var found = held.take()
      if found == nil { found = try next() }
      guard let record = found else { break }
      let wanted = record.count + frameByteCount
      guard wanted <= left || records.isEmpty else {
        held = record
        break
      }
      left -= min(wanted, left)
      records.append(record)
    }
    return records
  }

  /// The next record; nil after the last one.
  ///
  /// - Throws: `TransformFault` for a record that is too large or cut short; `RecordError`; `FileError`.
  package mutating func next() throws -> [UInt8]? {
    if recordIO != nil {
      guard let record = try recordIO?.next() else { return nil }
      let content = Self.content(of: record)
      try limit.check(content.count)
      return content
    }
    switch kind {
    case .none:
      guard offset == 0 else { return nil }
      offset = 1
      return try whole()
    case .line: return try nextLine()
    case .tfRecord: return try nextTFRecord()
    }
  }

  private func whole() throws -> [UInt8] {
    do throws(FileError) {
      return try readFile(path, limit: limit.byteCount).bytes
    } catch {
      if case .tooLarge(let byteCount, _) = error.reason { try limit.check(byteCount) }
      throw error
    }
  }

  /// The image of an image record, without its header; the whole payload of any other record.
  private static func content(of record: Record) -> [UInt8] {
    guard let (_, start) = try? record.parse() else { return record.payload }
    let image = record.payload.dropFirst(start)
    let isImage = image.starts(with: [0xFF, 0xD8]) || image.starts(with: [0x89, 0x50, 0x4E, 0x47])
    return isImage ? Array(image) : record.payload
  }

  private func checkLine(_ byteCount: Int, atMost most: Int) throws(TransformFault) {
    guard byteCount <= most else { throw TransformFault("a line has more bytes than \(limit.words)") }
  }

  private func read(_ byteCount: Int, at offset: Int) throws -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: byteCount)
    var count = 0
    switch file {
    case .some(let file):
      var elements = bytes.mutableSpan
      var all = unsafe elements.mutableBytes
      count = try file.read(at: offset, into: &all)
    case .none: break
    }
    guard count == byteCount else {
      throw TransformFault("it ends at byte \(offset + count), within a record")
    }
    return bytes
  }

  /// The next line without its terminator, LF or CRLF; nil after the last one. Empty lines are skipped.
  private mutating func nextLine() throws -> [UInt8]? {
    var line: [UInt8] = []
    var hasLine = false
    while true {
      if taken == block.count {
        let count = min(blockByteCount, fileByteCount - offset)
        guard count > 0 else {
          try checkLine(line.count, atMost: limit.byteCount)
          return hasLine && !line.isEmpty ? line : nil
        }
        block = try read(count, at: offset)
        offset += count
        taken = 0
      }
      hasLine = true
      let rest = block[taken...]
      let end = rest.firstIndex(of: UInt8(ascii: "\n"))
      line += rest[..<(end ?? rest.endIndex)]
      taken = end.map { $0 + 1 } ?? block.count
      if end != nil, line.last == UInt8(ascii: "\r") { line.removeLast() }
      // One more byte than the limit: it may be a carriage return whose line feed is in the next block.
      try checkLine(line.count, atMost: end == nil ? limit.byteCount + 1 : limit.byteCount)
      if end != nil, !line.isEmpty { return line }
    }
  }

  /// TensorFlow's framing: the length, its checksum, the data, its checksum. Checksums are not verified.
  private mutating func nextTFRecord() throws -> [UInt8]? {
    guard offset < fileByteCount else { return nil }
    let head = try read(12, at: offset)
    let length = head.prefix(8).reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
    guard let byteCount = Int(exactly: length), byteCount <= fileByteCount - offset - 16 else {
      throw TransformFault(
        "the record at byte \(offset) says it has \(length) bytes, more than are left")
    }
    try limit.check(byteCount)
    let data = try read(byteCount, at: offset + 12)
    offset += 12 + byteCount + 4
    return data
  }
}
