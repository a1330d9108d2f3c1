package import Files
import Records

/// The staging files of one run: the `.rec`, the `.idx`, and the journal from which an interrupted run can be resumed.
///
/// The journal has a line for each finished list entry: the checksum of its record or the reason why it was skipped,
/// and the size and time stamp of its image file. A resumed run verifies the journal: it continues after the last
/// record whose bytes match their checksum and whose image file is unchanged.
final class StagedRecords {
  let output: String
  private var rec: StagedFile?
  private var idx: StagedFile?
  private var journal: StagedFile?
  private(set) var byteCount = 0
  private var unflushed = 0
  /// Whether an earlier run was interrupted after it had renamed the complete `.rec`.
  private var alreadyPublished = false

  /// - Parameters:
  ///   - output: the final path of the `.rec`; the `.idx` is written beside it.
  ///   - key: describes the inputs and options; a journal with another key is discarded.
  init(output: String, key: String, resume: Bool) throws(FileError) {
    self.output = output
    let (stem, _) = splitExtension(output)
    rec = try StagedFile(output, keepingContents: resume)
    idx = try StagedFile(stem + ".idx")
    journal = try StagedFile(output + ".journal", keepingContents: resume)
    header = "imrec journal 2\t\(key)\n"
  }

  private let header: String

  /// Discards what an earlier run left, and starts a new journal.
  func begin() throws(FileError) {
    try rec?.truncate(to: 0)
    try idx?.truncate(to: 0)
    try journal?.truncate(to: 0)
    try journal?.append(header)
    byteCount = 0
  }

  func append(
    frame: Span<UInt8>, checksum: UInt64, doubt: String?, id: UInt64, source: FileStamp?
  ) throws(FileError) {
    try rec?.append(frame)
    try idx?.append(RecordIndex.line(key: id, offset: byteCount))
    try journal?.append(
      JournalLine.record(byteCount: frame.count, checksum: checksum, doubt: doubt, source: source).text)
    byteCount += frame.count
    try checkpoint(every: 64)
  }

  func skip(reason: String, source: FileStamp?) throws(FileError) {
    try journal?.append(JournalLine.skip(reason: reason, source: source).text)
    try checkpoint(every: 64)
  }

  /// Flushes records before the journal lines that describe them.
  private func checkpoint(every count: Int) throws(FileError) {
    unflushed += 1
    guard unflushed >= count else { return }
    unflushed = 0
    try rec?.flush()
    try journal?.flush()
  }

  /// Verifies the records of an earlier run and positions all files after the last valid one; starts over if there is
  /// none.
  ///
  /// - Parameter next: returns the list's entries from the first on, with the paths of their image files.
  /// - Returns: the outcomes of the list's first entries, in order.
  func resume(next: () throws -> (id: UInt64, path: String)?) throws -> [Resumed] {
    var lines = JournalReader(try wholeJournal())
    guard let first = lines.next(), hasSameBytes(first + "\n", header) else {
      try begin()
      return []
    }
    // If an earlier run was interrupted after the rename, the records are in the final file.
    let published = rec?.byteCount == 0 ? try? InputFile(output) : nil
    var done: [Resumed] = []
    var journalByteCount = header.utf8.count
    var isComplete = false
    while let text = lines.next(), let line = JournalLine(text) {
      if case .end(byteCount) = line {
        isComplete = true
        break
      }
      guard let entry = try next(), let resumed = try check(line, entry.id, entry.path, published) else {
        break
      }
      done.append(resumed)
      journalByteCount += text.utf8.count + 1
    }
    if let publishedByteCount = published?.byteCount {
      let isAllThere = try isComplete && publishedByteCount == byteCount && next() == nil
      guard isAllThere else {
        try begin()
        return []
      }
      alreadyPublished = true
    } else {
      try self.rec?.truncate(to: byteCount)
    }
    try journal?.truncate(to: journalByteCount)
    return done
  }

  /// The outcome of an entry if its journal line still holds; its record then counts as written. Nil otherwise.
  private func check(_ line: JournalLine, _ id: UInt64, _ path: String, _ published: borrowing InputFile?)
    throws
    -> Resumed?
  {
    switch line {
    case .record(let count, let expected, let doubt, let source):
      guard source != nil, FileStamp(path: path) == source, count <= maximumFrameByteCount else {
        return nil
      }
      let frame = try readBack(count, published)
      guard frame.count == count, checksum(frame.span) == expected else { return nil }
      try idx?.append(RecordIndex.line(key: id, offset: byteCount))
      byteCount += count
      return .record(doubt: doubt)
    case .skip(let reason, let source):
      if FileStamp(path: path) == source { return .skipped(reason: reason) }
      return source == nil ? try stillUnreadable(path) : nil
    case .end: return nil
    }
  }

  /// Tries again to open a file that could not be read before, and therefore has no stamp in the journal. Nil if it can
  /// be opened now.
  private func stillUnreadable(_ path: String) throws(FileError) -> Resumed? {
    do throws(FileError) {
      _ = try InputFile(path)
      return nil
    } catch {
      if error.isOfMachine { throw error }
      return .skipped(reason: error.sentence)
    }
  }

  private func readBack(_ count: Int, _ published: borrowing InputFile?) throws(FileError) -> [UInt8] {
    var frame = [UInt8](repeating: 0, count: count)
    var bytes = frame.mutableSpan
    var raw = unsafe bytes.mutableBytes
    let got: Int
    switch published {
    case .some(let file): got = try file.read(at: byteCount, into: &raw)
    case .none: got = try rec?.read(at: byteCount, into: &raw) ?? 0
    }
    frame.removeLast(count - got)
    return frame
  }

  private func wholeJournal() throws(FileError) -> [UInt8] {
    var text = [UInt8](repeating: 0, count: journal?.byteCount ?? 0)
    var bytes = text.mutableSpan
    var raw = unsafe bytes.mutableBytes
    let got = try journal?.read(at: 0, into: &raw) ?? 0
    text.removeLast(text.count - got)
    return text
  }

  /// Syncs both files to disk, and notes in the journal that only the rename is left.
  func seal() throws(FileError) {
    try rec?.sync()
    try idx?.sync()
    try journal?.append(JournalLine.end(byteCount: byteCount).text)
    try journal?.sync()
  }

  /// Renames both files to their final names. If the run is interrupted in between, `resume` completes it.
  func publish() throws(FileError) {
    try idx.take()?.publish()
    if !alreadyPublished { try rec.take()?.publish() }
    if alreadyPublished { rec.take()?.discard() }
  }

  /// Called after all outputs of a run have their final names.
  func removeJournal() {
    journal.take()?.discard()
  }

  /// Flushes the staging files, so that a run with `resume` can continue from them.
  func keepForLater() {
    try? rec?.flush()
    try? journal?.flush()
  }

  /// Removes the staging files.
  func discard() {
    rec.take()?.discard()
    idx.take()?.discard()
    journal.take()?.discard()
  }
}

/// The outcome of a list entry in an earlier run.
enum Resumed {
  case record(doubt: String?)
  case skipped(reason: String)
}

/// Reads the complete lines of a journal. A last line without a newline was interrupted by a crash and is ignored.
package struct JournalReader {
  private let text: [UInt8]
  private var start = 0

  package init(_ text: [UInt8]) { self.text = text }

  package mutating func next() -> Substring? {
    guard let end = text[start...].firstIndex(of: UInt8(ascii: "\n")) else { return nil }
    defer { start = end + 1 }
    return Substring(decoding: text[start..<end], as: UTF8.self)
  }
}

/// One line of the journal of an unfinished `.rec` file.
package enum JournalLine: Hashable {
  /// A record was appended; `byteCount` and `checksum` are those of its frame, `source` is the stamp of the image file.
  case record(byteCount: Int, checksum: UInt64, doubt: String?, source: FileStamp?)
  /// The list entry was skipped.
  case skip(reason: String, source: FileStamp?)
  /// All entries are done; `byteCount` is the size of the `.rec` file.
  case end(byteCount: Int)

  package var text: String {
    switch self {
    case .record(let byteCount, let checksum, let doubt, let source):
      "+\t\(byteCount)\t\(checksum)\t\(Self.text(source))"
        + (doubt.map { "\t" + Self.escaped($0) } ?? "") + "\n"
    case .skip(let reason, let source): "-\t\(Self.text(source))\t\(Self.escaped(reason))\n"
    case .end(let byteCount): "=\t\(byteCount)\n"
    }
  }

  package init?(_ line: some StringProtocol) {
    // Split by bytes: Swift merges a tab and a following combining mark, and CR LF, into one character.
    let fields = line.utf8.split(separator: UInt8(ascii: "\t"), omittingEmptySubsequences: false)
      .map { String(decoding: $0, as: UTF8.self) }
    switch (fields.first, fields.count) {
    case ("+", 5), ("+", 6):
      guard let byteCount = Int(fields[1]), byteCount > 0, let checksum = UInt64(fields[2]) else {
        return nil
      }
      self = .record(
        byteCount: byteCount, checksum: checksum, doubt: fields.count > 5 ? Self.unescaped(fields[5]) : nil,
        source: Self.stamp(fields[3], fields[4]))
    case ("-", 4):
      self = .skip(reason: Self.unescaped(fields[3]), source: Self.stamp(fields[1], fields[2]))
    case ("=", 2):
      guard let byteCount = Int(fields[1]) else { return nil }
      self = .end(byteCount: byteCount)
    default: return nil
    }
  }

  private static func text(_ stamp: FileStamp?) -> String {
    stamp.map { "\($0.byteCount)\t\($0.modifiedNanoseconds)" } ?? "-\t-"
  }

  private static func stamp(_ size: some StringProtocol, _ modified: some StringProtocol) -> FileStamp? {
    guard let size = Int(size), let modified = Int(modified) else { return nil }
    return FileStamp(byteCount: size, modifiedNanoseconds: modified)
  }

  private static func escaped(_ reason: String) -> String {
    var bytes: [UInt8] = []
    for byte in reason.utf8 {
      switch byte {
      case UInt8(ascii: "\\"): bytes += "\\\\".utf8
      case UInt8(ascii: "\n"): bytes += "\\n".utf8
      case UInt8(ascii: "\t"): bytes += "\\t".utf8
      default: bytes.append(byte)
      }
    }
    return String(decoding: bytes, as: UTF8.self)
  }

  private static func unescaped(_ text: String) -> String {
    var bytes: [UInt8] = []
    var afterBackslash = false
    for byte in text.utf8 {
      if afterBackslash {
        bytes.append(byte == UInt8(ascii: "n") ? 0x0A : byte == UInt8(ascii: "t") ? 0x09 : byte)
        afterBackslash = false
      } else if byte == UInt8(ascii: "\\") {
        afterBackslash = true
      } else {
        bytes.append(byte)
      }
    }
    return String(decoding: bytes, as: UTF8.self)
  }
}

/// A 64-bit checksum, the same on every machine. It detects torn writes and flipped bits, but not deliberate changes.
///
/// Four lanes multiply and rotate 8 bytes each, which takes little time compared with copying the bytes. The length is
/// part of the checksum.
func checksum(_ bytes: Span<UInt8>, from start: UInt64 = 0) -> UInt64 {
  let prime: UInt64 = 0x9E37_79B1_85EB_CA87
  func mixed(_ lane: UInt64, _ word: UInt64) -> UInt64 {
    let sum = lane &+ word &* 0xC2B2_AE3D_27D4_EB4F
    return (sum << 31 | sum >> 33) &* prime
  }
  var lanes: (UInt64, UInt64, UInt64, UInt64) = (start &+ prime, start, ~start, start ^ prime)
  var result = UInt64(bytes.count)
  unsafe bytes.withUnsafeBytes { raw in
    var offset = 0
    while offset + 32 <= raw.count {
      lanes.0 = mixed(lanes.0, unsafe word(raw, offset))
      lanes.1 = mixed(lanes.1, unsafe word(raw, offset + 8))
      lanes.2 = mixed(lanes.2, unsafe word(raw, offset + 16))
      lanes.3 = mixed(lanes.3, unsafe word(raw, offset + 24))
      offset += 32
    }
    for place in offset..<raw.count { result = mixed(result, UInt64(unsafe raw[place])) }
  }
  for lane in [lanes.0, lanes.1, lanes.2, lanes.3] { result = mixed(result, lane) }
  return result ^ result >> 29
}

@inline(__always)
private func word(_ raw: UnsafeRawBufferPointer, _ offset: Int) -> UInt64 {
  UInt64(littleEndian: unsafe raw.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
}

/// Writes a `.rec` file and its `.idx` record by record, without a journal, so that an interrupted run starts over.
struct RecordOutput: ~Copyable {
  private var rec: StagedFile
  private var idx: StagedFile
  private(set) var recordCount = 0

  /// - Parameter path: the path of the `.rec` file; the `.idx` is written beside it.
  init(_ path: String) throws(FileError) {
    let rec = try StagedFile(path)
    do {
      idx = try StagedFile(splitExtension(path).stem + ".idx")
    } catch {
      rec.discard()
      throw error
    }
    self.rec = rec
  }

  var byteCount: Int { rec.byteCount }

  mutating func append(_ record: Record, key: UInt64) throws {
    var frame: [UInt8] = []
    try appendFrame(record.payload.span, to: &frame)
    try append(frame: frame.span, key: key)
  }

  /// - Parameter frame: one complete record, as stored in the file.
  mutating func append(frame: Span<UInt8>, key: UInt64) throws(FileError) {
    try idx.append(RecordIndex.line(key: key, offset: rec.byteCount))
    try rec.append(frame)
    recordCount += 1
  }

  /// Renames both files after both are synced to disk.
  consuming func publish() throws(FileError) {
    do throws(FileError) {
      try rec.sync()
      try idx.sync()
    } catch {
      discard()
      throw error
    }
    try idx.publish()
    try rec.publish()
  }

  consuming func discard() {
    rec.discard()
    idx.discard()
  }
}

/// Several small staging files that are renamed together.
final class StagedSet {
  /// A class, because an array cannot hold the noncopyable `StagedFile`.
  private final class Member {
    var file: StagedFile?
    init(_ file: consuming StagedFile) { self.file = consume file }
  }
  private var members: [Member] = []

  /// - Returns: the path of the staging file, from which the lines can be read until `publish`.
  @discardableResult
  func add(_ path: String, lines: some Sequence<String>) throws(FileError) -> String {
    let member = Member(try StagedFile(path))
    members.append(member)
    for line in lines { try member.file?.append(line) }
    try member.file?.flush()
    return path + ".partial"
  }

  func publish() throws(FileError) {
    for member in members { try member.file?.sync() }
    for member in members { try member.file.take()?.publish() }
  }

  func discard() {
    for member in members { member.file.take()?.discard() }
  }
}

/// Refuses outputs that would overwrite an input or each other.
func checkNames(outputs: [String], inputs: [String]) throws(PackingError) {
  for (place, output) in outputs.enumerated() {
    if let input = inputs.first(where: { isSameFile($0, output) }) {
      throw PackingError(
        .contradiction("\(output): this output would overwrite the input \(input); choose another name"))
    }
    if let other = outputs[..<place].first(where: { isSameFile($0, output) }) {
      throw PackingError(
        .contradiction("\(output): this output and \(other) would be the same file; choose another name"))
    }
  }
}
