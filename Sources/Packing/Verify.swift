public import Files
import Imaging
import Records

/// The result of `verify`.
public struct Verification: Codable, Sendable {
  /// A fault of a record or of the index.
  public struct Bad: Codable, Sendable {
    /// The byte offset of the record's first byte.
    public let offset: Int
    /// `nil` if the record's header cannot be read, or the fault is in the index.
    public let id: UInt64?
    public let reason: String
  }
  /// All records, intact and damaged; 0 if the file contains no record at all.
  public var records = 0
  /// Intact records, including doubtful ones.
  public var ok = 0
  /// Damaged records and faults of the index.
  public var bad: [Bad] = []
  /// Intact records whose image may be damaged; with `keepDamaged` also those whose image is.
  public var doubtful: [Bad] = []
  /// Records with labels but no image; they count as intact.
  public var labelRecords = 0
  /// Lines of the `.idx` file; `nil` if there is none.
  public var indexEntries: Int?
  public var seconds = 0.0
}

/// What `verify` checks and writes.
public struct VerifyOptions: Sendable {
  /// Images decoded concurrently.
  public var jobs = 1
  /// Images with more pixels count as bad.
  public var maximumPixelCount = DecodeOptions.standardMaximumPixelCount
  /// A damaged image that decodes in part is doubtful instead of bad.
  public var keepDamaged = false
  /// The path of a `.rec` file for the intact records; an `.idx` is written beside it. nil: not written.
  public var salvage: String?
  /// Rebuild the `.idx` from the records.
  public var rebuildsIndex = false
  public init() {}
}

/// Checks every frame, header and index entry of a `.rec` file, and decodes every image completely.
///
/// After a damaged record, the check resumes at the next magic number.
/// - Throws: `FileError` if the file cannot be read or an output cannot be written; `PackingError` if an output would
///   overwrite an input; `CancellationError`. Damage is *not* an error: it is in `bad`.
public func verify(
  _ path: String, options: VerifyOptions, progress: (Progress) -> Void = { _ in }
) async throws -> Verification {
  let start = ContinuousClock.now
  var reader = try RecordReader(path)
  let byteCount = reader.byteCount
  let (stem, _) = splitExtension(path)
  let indexPath = stem + ".idx"
  var result = Verification()
  if let out = options.salvage {
    try checkNames(outputs: [out, splitExtension(out).stem + ".idx"], inputs: [path, indexPath])
  }
  var index = options.rebuildsIndex ? nil : try IndexCheck(indexPath)
  var salvage = try options.salvage.map { out throws(FileError) in try RecordOutput(out) }
  var rebuilt = options.rebuildsIndex ? try StagedFile(indexPath) : nil
  let decoding = DecodeOptions(
    keepDamaged: options.keepDamaged, maximumPixelCount: options.maximumPixelCount)

  var foundRecord = false
  do {
    try await inOrder(width: options.jobs) {
      try StreamedRecord.next(&reader)
    } work: { (item: StreamedRecord) -> Judged in
      switch item {
      case .damaged(let error): Judged(error)
      case .whole(let record): judge(record, decoding)
      }
    } take: { item in
      result.records += 1
      foundRecord = foundRecord || item.beginsRecord
      if let reason = item.reason {
        result.bad.append(.init(offset: item.offset, id: item.id, reason: reason))
      } else {
        result.ok += 1
        if item.isLabelRecord { result.labelRecords += 1 }
        if let doubt = item.doubt {
          result.doubtful.append(.init(offset: item.offset, id: item.id, reason: doubt))
        }
        if let record = item.record { try salvage?.append(record, key: item.id ?? 0) }
      }
      if let id = item.id {
        index?.see(offset: item.offset)
        try rebuilt?.append(RecordIndex.line(key: id, offset: item.offset))
      }
      progress(Progress(done: result.records, skipped: result.bad.count, byte: item.offset, of: byteCount))
    }
  } catch {
    salvage.take()?.discard()
    rebuilt.take()?.discard()
    throw error
  }
  // A file without any record is not RecordIO at all; its bytes are not one damaged record.
  if !foundRecord { result.records = 0 }
  if let index {
    result.indexEntries = index.entryCount
    result.bad += index.problems(of: indexPath)
  }
  // An empty `.rec` file would be useless: readers refuse it.
  if result.ok == 0 { salvage.take()?.discard() }
  try salvage.take()?.publish()
  try rebuilt.take()?.publish()
  result.seconds = (ContinuousClock.now - start) / .seconds(1)
  return result
}

private struct Judged: Sendable {
  let offset: Int
  var id: UInt64?
  var reason: String?
  var doubt: String?
  var isLabelRecord = false
  /// Whether a record starts at this offset, intact or not.
  var beginsRecord = true
  let record: Record?
}

extension Judged {
  init(_ error: RecordError) {
    self.init(offset: error.offset, reason: error.sentence, record: nil)
    if case .badMagic = error.reason { beginsRecord = false }
  }
}

private func judge(_ record: Record, _ decoding: DecodeOptions) -> Judged {
  var judged = Judged(offset: record.offset, record: record)
  do throws(RecordError) {
    let content = try ImageRecord(record)
    judged.id = content.header.id
    judged.isLabelRecord = content.isLabelRecord
    guard !content.isLabelRecord else { return judged }
    do throws(ImageError) {
      guard content.imageByteCount > 0 else { throw ImageError(.empty) }
      var doubt: ImageDoubt?
      try content.withImage { (image) throws(ImageError) in _ = try decode(image, decoding, doubt: &doubt) }
      judged.doubt = doubt?.description
    } catch {
      judged.reason = error.reason == .empty ? "the record holds no image" : error.description
    }
  } catch {
    judged.reason = error.sentence
  }
  return judged
}

/// Compares the entries of an index with the records of the file.
private struct IndexCheck {
  let entryCount: Int
  private var offsets: Set<Int>
  private var repeatedKeys: [UInt64] = []
  private var unlisted: [Int] = []
  private var unreadable: String?

  /// - Returns: `nil` if there is no index, which is optional.
  init?(_ path: String) throws {
    guard FileStamp(path: path) != nil else { return nil }
    do throws(RecordError) {
      let index = try RecordIndex(path: path)
      entryCount = index.entries.count
      offsets = Set(index.entries.map(\.offset))
      var ids = IDSet()
      for entry in index.entries where !ids.insert(entry.key) { repeatedKeys.append(entry.key) }
    } catch {
      entryCount = 0
      offsets = []
      unreadable = error.description
    }
  }

  mutating func see(offset: Int) {
    if offsets.remove(offset) == nil { unlisted.append(offset) }
  }

  func problems(of path: String) -> [Verification.Bad] {
    if let unreadable { return [.init(offset: 0, id: nil, reason: unreadable)] }
    let name = baseName(path)
    return offsets.sorted().map {
      .init(
        offset: $0, id: nil, reason: "\(name) has an entry for this offset, but no intact record starts here")
    } + unlisted.map { .init(offset: $0, id: nil, reason: "\(name) has no entry for this record") }
      + repeatedKeys.map { .init(offset: 0, id: $0, reason: "\(name) has more than one entry for this id") }
  }
}
