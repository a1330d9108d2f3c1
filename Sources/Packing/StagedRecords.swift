import Files
import Records

/// The `.rec` and `.idx` of one run while they are made, and the journal that lets an interrupted run go on.
///
/// The journal holds a line for each list entry that is done: the checksum of its record, or why it was skipped,
/// and the stamp of its file. A later run believes none of it: it goes on after the last record whose bytes have
/// their checksum and whose source is unchanged.
final class StagedRecords {
  let output: String
  private var rec: StagedFile?
  private var idx: StagedFile?
  private var journal: StagedFile?
  private(set) var byteCount = 0
  private var unflushed = 0
  /// An earlier run was interrupted between giving the `.rec` its final name and the end: it is whole.
  private var alreadyPublished = false

  /// - Parameter output: the final path of the `.rec`; the `.idx` stands beside it.
  init(output: String, key: String, resume: Bool) throws(FileError) {
    self.output = output
    let (stem, _) = splitExtension(output)
    rec = try StagedFile(output, keepingContents: resume)
    idx = try StagedFile(stem + ".idx")
    journal = try StagedFile(output + ".journal", keepingContents: resume)
    header = "imrec journal 2\t\(key)\n"
  }

  private let header: String

  /// Starts from nothing.
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

  /// Data go to the system before the journal speaks of them.
  private func checkpoint(every count: Int) throws(FileError) {
    unflushed += 1
    guard unflushed >= count else { return }
    unflushed = 0
    try rec?.flush()
    try journal?.flush()
  }

  /// Finds how much of an earlier run still holds, and stands behind it; from nothing where none of it does.
  ///
  /// - Parameter next: the list's entries from the first, with the paths of their files.
  /// - Returns: what became of the first entries, in the list's order.
  func resume(next: () throws -> (id: UInt64, path: String)?) throws -> [Resumed] {
    var lines = JournalReader(try wholeJournal())
    guard let first = lines.next(), hasSameBytes(first + "\n", header) else {
      try begin()
      return []
    }
    // An earlier run may have been interrupted after the renaming: then the records stand in the final file.
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

  /// Whether an entry is still as its journal line has it; then its record counts as written.
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

  /// Of a file that is there and could not be read, no stamp was taken: it is tried again.
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

  /// Everything is written: waits for the disk, and notes that only the renaming is left.
  func seal() throws(FileError) {
    try rec?.sync()
    try idx?.sync()
    try journal?.append(JournalLine.end(byteCount: byteCount).text)
    try journal?.sync()
  }

  /// Gives both files their final names. Interrupted in between, `resume` finishes it.
  func publish() throws(FileError) {
    try idx.take()?.publish()
    if !alreadyPublished { try rec.take()?.publish() }
    if alreadyPublished { rec.take()?.discard() }
  }

  /// Once all outputs of a run have their names.
  func removeJournal() {
    journal.take()?.discard()
  }

  /// Leaves what is written for a run with `resume`.
  func keepForLater() {
    try? rec?.flush()
    try? journal?.flush()
  }

  /// Removes everything: nothing worth going on from was made.
  func discard() {
    rec.take()?.discard()
    idx.take()?.discard()
    journal.take()?.discard()
  }
}
