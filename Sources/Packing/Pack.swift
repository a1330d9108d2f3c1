public import Files
import Records

/// Packs the images of a list into a `.rec` file at `output`, and writes the `.idx` file beside it.
///
/// The bytes equal those of MXNet's im2rec.py for the same list and options, and do not depend on `jobs`. Both files
/// are renamed from staging files when complete. An interrupted run leaves `<output>.partial`, from which a run with
/// `options.resume` continues.
///
/// - Parameters:
///   - list: the path of a `.lst` file.
///   - root: the folder that the paths of the list are relative to.
/// - Throws: `FileError` if the list cannot be read, an output cannot be written, the disk fails, or the root is
///   moved or removed during the run; `InputError` if no image can be packed; `PackingError` with `strict`, and if an
///   output would overwrite an input; `CancellationError`. An image that cannot be packed is *not* an error: it is in
///   the summary's `skipped`.
/// - Complexity: O(images); about `4 * jobs` images are in memory, whatever the length of the list.
public func pack(
  list: String, root: String, output: String, options: PackOptions, progress: (Progress) -> Void = { _ in }
) async throws -> PackSummary {
  let lock = try OutputLock(prefix: output)
  defer { withExtendedLifetime(lock) {} }
  let (staged, summary) = try await stagePack(
    list: list, root: root, output: output, options: options, progress: progress)
  try staged.publish()
  staged.removeJournal()
  return summary
}

/// As `pack`, but leaves the files unpublished, under their staging names.
func stagePack(
  list: String, root: String, output: String, options: PackOptions, progress: (Progress) -> Void
) async throws -> (staged: StagedRecords, summary: PackSummary) {
  let start = ContinuousClock.now
  try checkNames(outputs: [output, splitExtension(output).stem + ".idx"], inputs: [list])
  let inspection = try ListInspection(list, part: options.part, root: root)
  try Task.checkCancellation()
  guard inspection.entryCount > 0 else { throw noList(list, inspection.firstProblem) }
  let inputs = try InputRoot(root)
  let staged = try StagedRecords(
    output: output, key: "list=\(inspection.checksum) root=\(root) \(options.key)", resume: options.resume)
  do {
    var summary = PackSummary()
    summary.warnings = inspection.warnings(options: options)
    var run = PackRun(
      staged: staged, strict: options.strict, isStrictInDoubt: options.strict && !options.keepDamaged,
      total: inspection.entryCount)
    let resumed = try options.resume ? resume(staged, list: list, root: root, options: options) : nil
    if resumed == nil { try staged.begin() }
    var items = try ListItems(list, options: options)
    for outcome in resumed ?? [] { try run.replay(outcome, of: &items) }
    summary.resumed = run.records
    progress(run.progress)
    try await inOrder(width: options.jobs) {
      try items.next()
    } work: { item in
      switch item {
      case .entry(let entry):
        let (packed, source) = try packImage(entry, root: inputs, options: options)
        return PackedItem(id: entry.id, path: entry.path, packed: packed, source: source, isEntry: true)
      case .unusable(let skip):
        return PackedItem(
          id: 0, path: skip.path, packed: .skipped(reason: skip.reason), source: nil, isEntry: false)
      }
    } take: { item in
      try run.take(item)
      progress(run.progress)
    }
    guard run.records > 0 else {
      staged.discard()
      throw InputError(
        inspection.entryCount == 1
          ? "the only image could not be packed: \(run.firstSkip)"
          : "none of the \(inspection.entryCount) images could be packed; the first is \(run.firstSkip)")
    }
    try staged.seal()
    summary.records = run.records
    summary.bytes = staged.byteCount
    summary.skipped = run.skipped
    summary.doubtful = run.doubtful
    let elapsed = ContinuousClock.now - start
    summary.seconds = elapsed / .seconds(1)
    return (staged, summary)
  } catch {
    staged.keepForLater()
    throw error
  }
}

private func resume(_ staged: StagedRecords, list: String, root: String, options: PackOptions) throws
  -> [Resumed]
{
  var items = try ListItems(list, options: options)
  return try staged.resume {
    while let item = try items.next() {
      if case .entry(let entry) = item { return (entry.id, locate(entry.path, root: root).file) }
    }
    return nil
  }
}

/// What a worker hands to the writer.
private struct PackedItem: Sendable {
  let id: UInt64
  let path: String
  let packed: Packed
  let source: FileStamp?
  /// Whether the item belongs in the journal; unusable lines of the list do not, as every run finds them again.
  let isEntry: Bool
}

/// A line of the list: an entry to pack, or one that is skipped.
enum ListItem: Sendable {
  case entry(ListEntry)
  case unusable(Skip)
}

/// Reads a list, and skips repeated ids if the options say so.
struct ListItems: ~Copyable {
  private var reader: ListReader
  private var ids = IDSet()
  private let list: String
  private let options: PackOptions

  init(_ list: String, options: PackOptions) throws(FileError) {
    reader = try ListReader(list, shard: options.part)
    self.list = list
    self.options = options
  }

  mutating func next() throws(FileError) -> ListItem? {
    switch try reader.next() {
    case nil: return nil
    case .bad(let reason, let line, _):
      return .unusable(Skip(path: "\(list):\(line)", reason: reason))
    case .entry(let entry, let line):
      if !ids.insert(entry.id) && options.duplicateIDs == .skip {
        return .unusable(
          Skip(
            path: "\(list):\(line)",
            reason:
              "an earlier line has the same id \(entry.id); readers find only one record for each id, so "
              + "\(entry.path) would be lost"))
      }
      return .entry(entry)
    }
  }
}

/// The writer of a run: appends records, and counts what was packed and skipped.
private struct PackRun {
  let staged: StagedRecords
  let strict: Bool
  let isStrictInDoubt: Bool
  let total: Int
  var records = 0
  var done = 0
  var skipped: [Skip] = []
  var doubtful: [Skip] = []

  var progress: Progress { Progress(done: done, total: total, skipped: skipped.count) }
  var firstSkip: String { skipped.first.map { "\($0.path): \($0.reason)" } ?? "" }

  mutating func take(_ item: PackedItem) throws {
    done += item.isEntry ? 1 : 0
    switch item.packed {
    case .record(let frame, let checksum, let doubt):
      try note(doubt, of: item.path)
      records += 1
      try staged.append(
        frame: frame.span, checksum: checksum, doubt: doubt, id: item.id, source: item.source)
    case .skipped(let reason):
      let skip = Skip(path: item.path, reason: reason)
      if strict { throw PackingError(.strict(skip)) }
      skipped.append(skip)
      if item.isEntry { try staged.skip(reason: reason, source: item.source) }
    }
  }

  private mutating func note(_ doubt: String?, of path: String) throws {
    guard let doubt else { return }
    let doubtful = Skip(path: path, reason: doubt)
    if isStrictInDoubt { throw PackingError(.strict(doubtful)) }
    self.doubtful.append(doubtful)
  }

  /// Counts one entry that an earlier run has packed or skipped, and the unusable lines before it.
  mutating func replay(_ outcome: Resumed, of items: inout ListItems) throws {
    while let item = try items.next() {
      switch item {
      case .unusable(let skip):
        if strict { throw PackingError(.strict(skip)) }
        skipped.append(skip)
      case .entry(let entry):
        done += 1
        switch outcome {
        case .record(let doubt):
          try note(doubt, of: entry.path)
          records += 1
        case .skipped(let reason):
          let skip = Skip(path: entry.path, reason: reason)
          if strict { throw PackingError(.strict(skip)) }
          skipped.append(skip)
        }
        return
      }
    }
  }
}
