import Encodings
public import Files
public import Records

public struct ListingOptions: Sendable {
  /// `nil`: one list of everything.
  public var split: Split?
  public var seed = 100
  /// Globs of class folders or images to leave out.
  public var excluding: [String] = []
  /// A file of `path<TAB>group` lines: images of a group stay on one side.
  public var groups: String?
  public var extensions = imageSuffixes
  /// Stop at the first thing that would be left out.
  public var strict = false
  public init() {}
}

/// The lists of a folder of class folders, not yet written.
public struct Listing: Sendable {
  public struct Part: Sendable {
    /// What the split calls it: "train", "val", "fold0-train", ...; "all" without a split.
    public let key: String
    /// Of the `.lst`.
    public let path: String
    public let entries: [ListEntry]
    /// Images of each class, by label.
    public let counts: [Int]
  }
  public let classes: [String]
  /// Images of each class, by label; an image counts once, also where folds list it often.
  public let totalCounts: [Int]
  public let parts: [Part]
  /// What lies in the folder and is in no list.
  public let skipped: [Skip]
  /// Files that were not taken for images that can be read, one entry a kind.
  public let passedOver: [PassedOver]
  public let warnings: [String]
  /// What was passed over and is nobody's loss: files that are no images, and litter.
  public let notes: [String]
  public let imageCount: Int

  public var skippedCount: Int { skipped.count + passedOver.imageCount }
}

/// Scans `root` and divides its images.
///
/// Every folder directly in `root` is a class; its label is its place in code-point order, whether it has images or
/// not. Ids count from 0 in each list, in the order of the walk, and the lines are shuffled as im2rec.py shuffles
/// them, so that a list equals im2rec.py's for a tree of just its images.
///
/// - Throws: `ScanError`, `SplitError`; `PackingError` where there is no image, and with `strict` where one would be
///   left out or the folders are hardly classes.
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
      "\(root): no image found in \(scan.classes.count) class folders; looked for "
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
  if kinds.count > 10 { sentences.append("files of \(kinds.count - 10) more kinds were passed over") }
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
    if empty.passedOver.isEmpty { return "\(empty.name): the class folder has no image; it keeps its label" }
    let kinds = empty.passedOver.sorted { $0.key < $1.key }.map { PassedOver.words($1, of: $0) }
    let verb = empty.passedOver.values.reduce(0, +) == 1 ? "was" : "were"
    return
      "\(empty.name): \(kinds.joined(separator: ", ")) \(verb) passed over, and no image is left; the class keeps its label"
  }
  sentences += folderWarnings(scan)
  for group in scan.lookAlikeClasses {
    let names = group.names.map { "\"\($0)\"" }.joined(separator: " and ")
    sentences.append(
      group.differOnlyInForm
        ? "the class folders \(names) look the same and differ only in how Unicode writes them: they are classes of their own"
        : "the class folders \(names) differ only in upper and lower case: they are classes of their own")
  }
  sentences += scan.unmatchedPatterns.map { "\($0): nothing matches this pattern of what is left out" }
  return sentences
}

/// "60-train" is the file's name; the split is called "train".
private func key(of name: String, _ split: Split?) -> String {
  if name.isEmpty { return "all" }
  if case .perClass(let count, _) = split, name.hasPrefix("\(count)-") {
    return String(name.dropFirst("\(count)-".count))
  }
  return name
}

/// Writes the lists, all or none.
///
/// - Throws: `FileError`, `.held` where another process is at work on outputs of this prefix.
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

/// What `convert` made.
public struct ConvertSummary: Codable, Sendable {
  public struct Split: Codable, Sendable {
    public var list: String
    public var rec: String
    public var idx: String
    public var records: Int
    public var bytes: Int
    public var seconds: Double?
    public var skipped: [Skip]
    public var doubtful: [Skip]
    public var resumed: Int?
  }
  public struct Class: Codable, Sendable {
    public var label: Int
    public var name: String
    /// Listed images, by split.
    public var images: [String: Int]
  }
  public var version = 1
  public var root: String
  public var seed: Int
  public var splits: [String: Split] = [:]
  public var classes: [Class] = []
  /// What lies in the folder and is in no list.
  public var skipped: [Skip] = []
  /// Files that were not taken for images that can be read, one entry a kind.
  public var passedOver: [PassedOver] = []
  public var warnings: [String] = []
  public var report: String?

  public var skippedCount: Int {
    skipped.count + passedOver.imageCount + splits.values.reduce(0) { $0 + $1.skipped.count }
  }
}

/// The main job: lists, records, index, class names and a report, from a folder of class folders.
///
/// All files are made beside their final names first and get them together, at the end. The prefix is locked meanwhile.
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

/// The summary as it stands in the report file: without what differs from run to run.
private func report(_ summary: ConvertSummary) throws -> String {
  var stable = summary
  for key in stable.splits.keys {
    stable.splits[key]?.seconds = nil
    stable.splits[key]?.resumed = nil
  }
  return try JSON.text(stable, style: .document.snakeCase)
}
