public import Files
import Glibc
public import Imaging
public import Records

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
    if let hint = run.lookalike(root: root) { summary.warnings.append(hint) }
    guard run.records > 0 else {
      staged.discard()
      throw InputError(
        inspection.entryCount == 1
          ? "the only image could not be packed: \(run.firstSkip)"
          : "none of the \(inspection.entryCount) images could be packed; the first is \(run.firstSkip)"
            + (run.lookalike(root: root).map { "; \($0)" } ?? ""))
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

  /// A sentence about the first of the missing files in whose place one is that looks like it; nil where there is none
  /// among the first few.
  func lookalike(root: String) -> String? {
    let missing = FileError(.system(call: "open", code: ENOENT), path: "").sentence
    for skip in skipped.lazy.filter({ $0.reason == missing }).prefix(20) {
      guard let other = Records.lookalike(of: skip.path, root: root) else { continue }
      return "\(skip.path) is not there, but \(other) is, which differs only in "
        + (other == skip.path ? "its Unicode normalization" : "case or Unicode normalization")
    }
    return nil
  }

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

/// How images become records. The defaults are those of MXNet's im2rec.py.
public struct PackOptions: Sendable {
  public enum Encoding: String, CaseIterable, Sendable { case jpg, png }
  /// What to do with a line whose id an earlier line has; readers of the `.idx` find only one record for each id.
  public enum DuplicateIDs: Sendable { case skip, keep }
  /// How thoroughly a file is checked that is stored unchanged.
  public enum Check: Sendable {
    /// Decode it, which finds all damage.
    case pixels
    /// Check its header, its end, and a PNG's checksums. Damage inside the compressed data of a JPEG goes unnoticed.
    case structure
  }

  /// Pixels of the shorter edge; `nil` keeps the size.
  public var resize: Int?
  /// Crop the central square before resizing.
  public var centerCrop = false
  /// JPEG quality, 0...100, or PNG compression level; a level above 9 counts as 9.
  public var quality = 95
  /// The format of the stored images.
  public var encoding = Encoding.jpg
  public var color = ColorMode.rgb
  /// The interpolation of `resize`.
  public var filter = Filter.linear
  /// Store the bytes of each file unchanged; the options above have no effect then.
  public var passThrough = false
  /// How `passThrough` checks files.
  public var check = Check.pixels
  /// Store all labels of a line that has several; otherwise only the first.
  public var packLabel = false
  /// Pack truncated or damaged images as far as they can be decoded, as OpenCV does.
  public var keepDamaged = false
  /// Throw at the first input that would be skipped and, without `keepDamaged`, at the first doubtful one.
  public var strict = false
  /// Images processed concurrently.
  public var jobs = 1
  /// Images with more pixels are refused before memory for them is allocated.
  public var maximumPixelCount = DecodeOptions.standardMaximumPixelCount
  /// Continue an interrupted run with the same list and options.
  public var resume = false
  /// Pack only this part of the list; nil: all of it.
  public var part: ListShard?
  public var duplicateIDs = DuplicateIDs.skip

  public init() {}

  /// Every option that influences the output, as text. A run can only resume one with the same key.
  var key: String {
    """
    resize=\(resize ?? 0) crop=\(centerCrop) quality=\(quality) encoding=\(encoding.rawValue) \
    color=\(color.rawValue) filter=\(filter.rawValue) pass=\(passThrough) labels=\(packLabel) \
    damaged=\(keepDamaged) check=\(check) pixels=\(maximumPixelCount) part=\(part.map { "\($0.index)/\($0.count)" } ?? "all") \
    duplicates=\(duplicateIDs)
    """
  }

  var decoding: DecodeOptions {
    DecodeOptions(color: color, keepDamaged: keepDamaged, maximumPixelCount: maximumPixelCount)
  }
}

/// The result of `pack`.
public struct PackSummary: Codable, Sendable {
  public var records = 0
  /// The size of the `.rec` file.
  public var bytes = 0
  public var seconds = 0.0
  /// Inputs that were not packed, with the reason.
  public var skipped: [Skip] = []
  /// Packed images that may be damaged; with `keepDamaged` also those that are.
  public var doubtful: [Skip] = []
  /// Sentences about the list: absolute paths, labels that do not occur, ...
  public var warnings: [String] = []
  /// Records kept from an earlier run.
  public var resumed = 0

  /// The end of the warning about dropped labels, by which a program recognizes it and can suggest `packLabel`.
  package static let droppedLabelWords = "of which only the first is stored"
}

/// Why an operation ended without a result; the description is a sentence for the user.
public struct PackingError: Error, Hashable, Sendable, CustomStringConvertible {
  public enum Reason: Hashable, Sendable {
    /// With `strict`: this input is doubtful, or would have been skipped.
    case strict(Skip)
    /// Inputs that contradict each other or the options.
    case contradiction(String)
    /// With `strict`: the class folders look like another layout of a data set.
    case layout(String)
    /// The files do not look like all parts of one list in the right order.
    case parts(String)
    /// Two records that are to be merged have the same id.
    case repeatedID(String)
  }
  public let reason: Reason

  public init(_ reason: Reason) { self.reason = reason }

  public var description: String {
    switch reason {
    case .strict(let skip): "\(skip.path): \(skip.reason)"
    case .contradiction(let sentence), .layout(let sentence), .parts(let sentence),
      .repeatedID(let sentence):
      sentence
    }
  }
}

/// The outcome of one list entry.
enum Packed: Sendable {
  /// A complete record frame, ready to be appended to the `.rec` file.
  case record([UInt8], checksum: UInt64, doubt: String?)
  case skipped(reason: String)
}

/// Makes the record of one list entry: reads the file, decodes, crops, resizes, encodes and frames it.
///
/// Follows `image_encode` of MXNet's im2rec.py: the central square is cropped before resizing, small images are
/// enlarged, and only the first label is stored unless `packLabel` is set.
/// - Throws: `FileError` for problems that are not the image's fault: too little memory, too many open files, a failing
///   disk, or a root folder that is gone.
func packImage(_ entry: ListEntry, root: InputRoot, options: PackOptions) throws(FileError)
  -> (packed: Packed, source: FileStamp?)
{
  do throws(FileError) {
    // A record holds less than 2^29 bytes, so a file above this limit could not be stored unchanged.
    let file = try readFile(locate(entry.path, root: root.path).file, limit: maximumFileByteCount)
    return (pack(file.bytes, as: entry, options), file.stamp)
  } catch {
    if error.isOfMachine { throw error }
    if error.isMissing { try root.check() }
    return (.skipped(reason: error.sentence), nil)
  }
}

private func pack(_ file: [UInt8], as entry: ListEntry, _ options: PackOptions) -> Packed {
  do {
    var frame: [UInt8] = []
    var doubt: ImageDoubt?
    let header = header(of: entry, options: options)
    if options.passThrough {
      doubt = try checkWhole(file.span, options)
      try appendRecord(header, image: file.span, to: &frame)
    } else {
      let image = try reencode(file.span, options: options, doubt: &doubt)
      try appendRecord(header, image: image.span, to: &frame)
    }
    return .record(frame, checksum: checksum(frame.span), doubt: doubt?.description)
  } catch let error as ImageError {
    return .skipped(reason: error.description)
  } catch let error as RecordError {
    return .skipped(reason: error.sentence)
  } catch {
    return .skipped(reason: "\(error)")
  }
}

/// Checks a file that is to be stored unchanged. With `keepDamaged`, damaged images pass with a doubt; files that are
/// not images never pass.
private func checkWhole(_ file: Span<UInt8>, _ options: PackOptions) throws(ImageError) -> ImageDoubt? {
  do throws(ImageError) {
    switch options.check {
    case .pixels: return try examine(file, options.decoding)
    case .structure:
      try checkStructure(file, options.decoding)
      return nil
    }
  } catch {
    switch error.reason {
    case .truncated, .damaged:
      if !options.keepDamaged || file.count < 4 { throw error }
      return ImageDoubt(error)
    default: throw error
    }
  }
}

let maximumFileByteCount = 1 << 30
/// The upper bound of a record's frame: the largest payload, with a magic number escaped at every fourth byte.
let maximumFrameByteCount = 1 << 31

private func header(of entry: ListEntry, options: PackOptions) -> ImageHeader {
  if options.packLabel && entry.labels.count > 1 {
    return ImageHeader(labels: entry.labels.map { Float($0) }, id: entry.id)
  }
  return ImageHeader(label: Float(entry.labels.first ?? 0), id: entry.id)
}

private func reencode(
  _ file: Span<UInt8>, options: PackOptions, doubt: inout ImageDoubt?
) throws(ImageError) -> [UInt8] {
  let pixels = try decode(file, options.decoding, doubt: &doubt)
  let encoding: Encoding =
    switch options.encoding {
    case .jpg: .jpeg(quality: options.quality)
    case .png: .png(level: options.quality)
    }
  let window = options.centerCrop ? pixels.centralSquare : nil
  if let edge = options.resize {
    let size = try shortEdgeSize(
      width: window?.width ?? pixels.width, height: window?.height ?? pixels.height, edge: edge)
    let limit = 65_500
    if options.encoding == .jpg && max(size.width, size.height) > limit {
      throw ImageError(
        .cannotEncode(
          "with a short edge of \(edge) pixels it would be \(size.width)x\(size.height), but a JPEG has at most "
            + "\(limit) pixels per side"))
    }
    let resized = try pixels.resized(
      width: size.width, height: size.height, filter: options.filter, from: window,
      limit: options.maximumPixelCount)
    return try encode(resized, as: encoding)
  }
  if let window { return try encode(pixels.cropped(to: window), as: encoding) }
  return try encode(pixels, as: encoding)
}
