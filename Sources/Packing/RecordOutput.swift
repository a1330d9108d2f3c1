import Files
import Records

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
