import Encodings
public import Files
public import Records

/// How `makeLists` scans and splits a folder.
public struct ListingOptions: Sendable {
  /// `nil`: one list of all images.
  public var split: Split?
  /// Determines the split and the order of the lists.
  public var seed = 100
  /// Glob patterns of class folders or images to leave out.
  public var excluding: [String] = []
  /// The path of a file with `path<TAB>group` lines; the images of a group stay on the same side of the split.
  public var groups: String?
  /// Suffixes of image files, in lower case and with the dot.
  public var extensions = imageSuffixes
  /// Throw at the first input that would be skipped.
  public var strict = false
  public init() {}
}

/// The lists made from a folder of class folders; not yet written.
public struct Listing: Sendable {
  /// One list: a side of the split, or everything.
  public struct Part: Sendable {
    /// The name of the part: "train", "val", "fold0-train", ...; "all" without a split.
    public let key: String
    /// The path of the `.lst` file.
    public let path: String
    public let entries: [ListEntry]
    /// The number of images of each class, by label.
    public let counts: [Int]
  }
  /// Class names in label order.
  public let classes: [String]
  /// The number of images of each class, by label. An image counts once even if several folds list it.
  public let totalCounts: [Int]
  public let parts: [Part]
  /// Files and folders that could not be used, with the reason.
  public let skipped: [Skip]
  /// Files that do not have the suffix of a supported image format, one entry for each kind.
  public let passedOver: [PassedOver]
  public let warnings: [String]
  /// Sentences about files that are not images, and about files of operating systems and editors.
  public let notes: [String]
  /// Images in the folder; each counts once.
  public let imageCount: Int

  /// Inputs that are lost: skipped ones, and images in unsupported formats.
  public var skippedCount: Int { skipped.count + passedOver.imageCount }
}

/// Scans `root` for images and splits them into lists.
///
/// Every folder directly in `root` is a class. Its label is its position in code-point order; a folder without images
/// keeps its label. Ids count from 0 in each list in the order of the walk, and the lines are shuffled as in im2rec.py,
/// so that each list equals the one that im2rec.py makes from a tree of just its images.
///
/// - Throws: `ScanError` if the folder cannot be read; `SplitError` if the split is impossible; `InputError` if there
///   is no image; with `strict`, `PackingError` if an input would be skipped or the folders do not look like classes.
/// - Complexity: O(files); no image is decoded.
public func makeLists(root: String, prefix: String, options: ListingOptions) throws -> Listing {
  let scan = try FolderScan(
    root: root, layout: .classFolders, extensions: options.extensions, excluding: options.excluding)
  try Task.checkCancellation()
  let skipped = scan.problems.map { Skip(path: $0.path, reason: $0.reason) }
  if options.strict {
    if let first = skipped.first { throw PackingError(.strict(first)) }
    if let first = scan.passedOver.first(where: \.areImages) {
      throw PackingError(.strict(Skip(path: first.example, reason: first.sentence)))
    }
  }
  guard !scan.images.isEmpty else {
    throw InputError(
      "\(root): no image found in \(scan.classes.count) class folders; searched for "
        + options.extensions.sorted().joined(separator: ", ")
        + scan.passedOver.filter(\.areImages).map { "; " + $0.sentence }.joined())
  }
  let doubt = scan.layoutDoubt(root: root)
  if options.strict, let doubt, doubt.isAnotherLayout {
    throw PackingError(.layout("\(root): \(doubt)"))
  }
  var warnings = scanWarnings(scan, root: root, doubt)
  var parts = [SplitPart.everything(in: scan)]
  if let rule = options.split {
    let groups = try options.groups.map { try ImageGroups(path: $0) }
    let plan = try split(scan, by: rule, seed: options.seed, groups: groups)
    parts = plan.parts
    warnings += plan.warnings.map(\.description)
  }
  return Listing(
    classes: scan.classes, totalCounts: scan.imageCounts,
    parts: parts.map { part in
      var counts = [Int](repeating: 0, count: scan.classes.count)
      for image in part.images { counts[scan.images[image].classIndex] += 1 }
      return Listing.Part(
        key: key(of: part.name, options.split),
        path: prefix + (part.name.isEmpty ? "" : "-" + part.name) + ".lst",
        entries: listEntries(of: part, in: scan), counts: counts)
    }, skipped: skipped, passedOver: scan.passedOver, warnings: warnings, notes: notes(scan),
    imageCount: scan.images.count)
}

private func notes(_ scan: FolderScan) -> [String] {
  let kinds = scan.passedOver.filter { !$0.areImages }
  var sentences = kinds.prefix(10).map(\.sentence)
  if kinds.count > 10 { sentences.append("files of \(kinds.count - 10) other kinds were passed over") }
  if scan.litterCount > 0 {
    let (files, verb) = scan.litterCount == 1 ? ("file or folder", "was") : ("files and folders", "were")
    sentences.append(
      "\(scan.litterCount) \(files) of operating systems and editors \(verb) passed over, e.g. \(scan.litterExample)"
    )
  }
  return sentences
}

private func scanWarnings(_ scan: FolderScan, root: String, _ doubt: LayoutDoubt?) -> [String] {
  var sentences = doubt.map { ["\(root): \($0)"] } ?? []
  sentences += scan.emptyClasses.map { empty in
    if empty.passedOver.isEmpty {
      return "\(empty.name): the class folder has no image; the class keeps its label"
    }
    let kinds = empty.passedOver.sorted { $0.key < $1.key }.map { PassedOver.words($1, of: $0) }
    let verb = empty.passedOver.values.reduce(0, +) == 1 ? "was" : "were"
    return
      "\(empty.name): \(kinds.joined(separator: ", ")) \(verb) passed over, so the class has no image; it keeps its label"
  }
  sentences += folderWarnings(scan)
  for group in scan.lookAlikeClasses {
    let names = group.names.map { "\"\($0)\"" }.joined(separator: " and ")
    sentences.append(
      group.differOnlyInForm
        ? "the class folders \(names) look the same and differ only in their Unicode normalization: they are separate classes"
        : "the class folders \(names) differ only in upper and lower case: they are separate classes")
  }
  sentences += scan.unmatchedPatterns.map { "\($0): no folder or image matches this pattern to leave out" }
  return sentences
}

/// The name of a part: "train" for the file name "60-train".
private func key(of name: String, _ split: Split?) -> String {
  if name.isEmpty { return "all" }
  if case .perClass(let count, _) = split, name.hasPrefix("\(count)-") {
    return String(name.dropFirst("\(count)-".count))
  }
  return name
}

/// Writes the lists. All are written to staging files first and then renamed.
///
/// - Throws: `FileError`; its reason is `.held` if another process is writing outputs with this prefix.
public func writeLists(_ listing: Listing, prefix: String) throws {
  let lock = try OutputLock(prefix: prefix)
  defer { withExtendedLifetime(lock) {} }
  let staged = StagedSet()
  do {
    for part in listing.parts { try staged.add(part.path, lines: part.entries.lazy.map(\.line)) }
    try staged.publish()
  } catch {
    staged.discard()
    throw error
  }
}

/// The result of `convert`; without durations, also the content of the report file.
public struct ConvertSummary: Codable, Sendable {
  /// The files of one part of the split.
  public struct Split: Codable, Sendable {
    /// The path of the `.lst`, `.rec` and `.idx` file.
    public var list: String
    public var rec: String
    public var idx: String
    public var records: Int
    /// Bytes of the `.rec` file.
    public var bytes: Int
    public var seconds: Double?
    /// Images that could not be packed, with the reason.
    public var skipped: [Skip]
    /// Packed images that may be damaged.
    public var doubtful: [Skip]
    /// Records kept from an earlier, interrupted run.
    public var resumed: Int?
  }
  /// One class.
  public struct Class: Codable, Sendable {
    public var label: Int
    public var name: String
    /// The number of listed images, by the name of the part.
    public var images: [String: Int]
  }
  /// The version of this schema.
  public var version = 1
  public var root: String
  public var seed: Int
  /// By the name of the part: "train", "val", ...
  public var splits: [String: Split] = [:]
  /// In label order.
  public var classes: [Class] = []
  /// Files and folders that could not be listed, with the reason.
  public var skipped: [Skip] = []
  /// Files that do not have the suffix of a supported image format, one entry for each kind.
  public var passedOver: [PassedOver] = []
  public var warnings: [String] = []
  /// The path of the report file; nil in the report itself.
  public var report: String?

  /// Inputs that are in no `.rec` file.
  public var skippedCount: Int {
    skipped.count + passedOver.imageCount + splits.values.reduce(0) { $0 + $1.skipped.count }
  }
}

/// Converts a folder of class folders into lists, records, indexes, a file of class names, and a report.
///
/// All files are written to staging files and renamed together at the end. The prefix is locked until then.
///
/// - Parameters:
///   - root: holds one folder for each class.
///   - prefix: what the paths of all outputs begin with.
///   - listed: called once, after the scan.
///   - progress: called with the name of the part after each image.
/// - Throws: what `makeLists` and `pack` throw.
public func convert(
  root: String, prefix: String, listing options: ListingOptions, packing: PackOptions,
  listed: (Listing) -> Void = { _ in }, progress: (String, Progress) -> Void = { _, _ in }
) async throws -> ConvertSummary {
  let lock = try OutputLock(prefix: prefix)
  defer { withExtendedLifetime(lock) {} }
  let listing = try makeLists(root: root, prefix: prefix, options: options)
  listed(listing)
  var summary = ConvertSummary(root: root, seed: options.seed)
  summary.skipped = listing.skipped
  summary.passedOver = listing.passedOver
  summary.warnings = listing.warnings
  summary.classes = listing.classes.indices.map { label in
    ConvertSummary.Class(
      label: label, name: listing.classes[label],
      images: Dictionary(uniqueKeysWithValues: listing.parts.map { ($0.key, $0.counts[label]) }))
  }
  let texts = StagedSet()
  var records: [StagedRecords] = []
  do {
    for part in listing.parts {
      let list = try texts.add(part.path, lines: part.entries.lazy.map(\.line))
      let stem = splitExtension(part.path).stem
      let (staged, packed) = try await stagePack(
        list: list, root: root, output: stem + ".rec", options: packing, progress: { progress(part.key, $0) })
      records.append(staged)
      summary.warnings += packed.warnings.map { "\(part.key): \($0)" }
      summary.splits[part.key] = ConvertSummary.Split(
        list: part.path, rec: stem + ".rec", idx: stem + ".idx", records: packed.records, bytes: packed.bytes,
        seconds: packed.seconds, skipped: packed.skipped, doubtful: packed.doubtful, resumed: packed.resumed)
    }
    try texts.add(prefix + "-classes.txt", lines: listing.classes.lazy.map { $0 + "\n" })
    try texts.add(prefix + "-report.json", lines: [report(summary)])
    for staged in records { try staged.publish() }
    try texts.publish()
  } catch {
    texts.discard()
    throw error
  }
  for staged in records { staged.removeJournal() }
  summary.report = prefix + "-report.json"
  return summary
}

/// The content of the report file: the summary without values that differ from run to run.
private func report(_ summary: ConvertSummary) throws -> String {
  var stable = summary
  for key in stable.splits.keys {
    stable.splits[key]?.seconds = nil
    stable.splits[key]?.resumed = nil
  }
  return try JSON.text(stable, style: .document.snakeCase)
}
