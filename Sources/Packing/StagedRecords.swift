import Files
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
