import Encodings
import Files
import Glibc
import Imaging
import Packing
import Records
import Terminal

/// Packs every list that the prefix matches, as im2rec.py does without `--list`.
///
/// - Returns: the exit status, which is 2 if images, lines or an empty list were left out.
/// - Throws: `FileError` if a list cannot be read or an output cannot be written; what `Packing.pack` throws, for
///   example if no image of a list can be packed.
func makeRecords(_ options: Options, _ console: Console) async throws -> Int32 {
  let prefix = absolutePath(options.prefix)
  let found = try FoundLists.find(prefix: prefix)
  guard !found.names.isEmpty else {
    console.fail(
      "no list found: no file in \(found.folder) starts with \(prefix) and ends with .lst",
      remedy: "Make one first: im2rec --list --recursive \(options.prefix) \(options.root)")
    return ExitStatus.failed
  }
  for name in found.doubtful {
    console.warn(
      "\(join(found.folder, name)) is packed because its name starts with '\(baseName(prefix))'; move it away if that is "
        + "not intended")
  }
  var skipped = 0
  var packed = 0
  for name in found.names {
    let list = join(found.folder, name)
    if FileStamp(path: list)?.byteCount == 0 {
      // The last of many chunks may be empty; readers fail on an empty .rec.
      console.skip(list, "the list is empty, so there is nothing to pack")
      skipped += 1
      continue
    }
    if !options.quiet {
      console.words("Creating .rec file from \(printable(list)) in \(printable(found.folder))")
    }
    let summary = try await pack(list, options, console)
    for warning in summary.warnings {
      let remedy =
        warning.hasSuffix(PackSummary.droppedLabelWords) ? " (--pack-label stores all of them)" : ""
      console.warn(warning + remedy)
    }
    for skip in summary.skipped { console.skip(skip.path, skip.reason) }
    if !options.quiet, let remedy = sizeRemedy(summary.skipped.map(\.reason)) { console.words("  " + remedy) }
    for doubt in summary.doubtful { console.doubt(doubt.path, doubt.reason) }
    skipped += summary.skipped.count
    packed += summary.records
    if !options.quiet || !summary.skipped.isEmpty {
      let left = summary.skipped.isEmpty ? "" : ", \(summary.skipped.count) skipped"
      console.words("\(printable(splitExtension(list).stem)).rec: \(summary.records) records\(left)")
    }
  }
  guard packed > 0 else {
    console.fail("nothing was packed: every list that starts with \(prefix) is empty")
    return ExitStatus.failed
  }
  return skipped == 0 ? ExitStatus.done : ExitStatus.someSkipped
}

private func pack(_ list: String, _ options: Options, _ console: Console) async throws -> PackSummary {
  var progress = ProgressLines(options, console)
  defer { progress.finish() }
  return try await Packing.pack(
    list: list, root: absolutePath(options.root), output: splitExtension(list).stem + ".rec",
    options: PackOptions(options)
  ) { progress.update($0) }
}

/// The remedy for images with more pixels than the limit; nil if none of the reasons is that.
func sizeRemedy(_ reasons: [String]) -> String? {
  let isTooLarge = reasons.contains { $0.contains(ImageError.sizeLimitWords) }
  return isTooLarge ? "--max-pixels <n> accepts larger images." : nil
}

extension PackOptions {
  init(_ options: Options) {
    self.init()
    resize = options.resize == 0 ? nil : options.resize
    centerCrop = options.centerCrop
    quality = options.effectiveQuality
    encoding = options.encoding == .png ? .png : .jpg
    color = options.color == 1 ? .rgb : options.color == 0 ? .gray : .unchanged
    passThrough = options.passThrough
    packLabel = options.packLabel
    keepDamaged = options.keepDamaged
    // im2rec.py does not check the bytes at all.
    check = .structure
    strict = options.strict
    jobs = options.threads
    maximumPixelCount = options.maximumPixelCount
    // im2rec.py packs them all; programs that read its files by offset find them.
    duplicateIDs = .keep
  }
}

/// Progress: a bar on a terminal, otherwise the line that im2rec.py prints every 1,000 images.
private struct ProgressLines {
  private let console: Console
  private let isQuiet: Bool
  private let bar: ProgressDisplay?
  private var next = 0
  private var last = ContinuousClock.now

  init(_ options: Options, _ console: Console) {
    self.console = console
    isQuiet = options.quiet
    bar = !options.quiet && isatty(STDERR_FILENO) == 1 ? ProgressDisplay(unit: "images", quiet: false) : nil
  }

  mutating func update(_ progress: Progress) {
    if let bar {
      bar.update(
        done: progress.done, total: progress.total, skipped: progress.skipped, fraction: progress.fraction)
      return
    }
    while !isQuiet, progress.done > next {
      let now = ContinuousClock.now
      console.words("time: \((now - last) / .seconds(1))  count: \(next)")
      last = now
      next += 1000
    }
  }

  func finish() { bar?.finish() }
}

/// The lists that match a prefix, which record mode packs.
struct FoundLists: Equatable {
  /// The folder of the lists; the records are written there, too.
  let folder: String
  /// The file names of the lists, sorted by bytes.
  let names: [String]
  /// Lists whose names begin with the prefix but are not of the form that list mode writes.
  let doubtful: [String]

  /// Finds every file whose path begins with the prefix and ends with `.lst`, as im2rec.py does.
  ///
  /// If the prefix is a folder, the result is the lists in it or, if there are none, those beside it: list mode writes
  /// `photos.lst` beside `photos/`, where im2rec.py would not find it.
  ///
  /// - Parameter prefix: an absolute path.
  static func find(prefix: String) throws(FileError) -> FoundLists {
    if isFolder(prefix) {
      let inside = try find(prefix: prefix, in: prefix)
      if !inside.names.isEmpty { return inside }
      let beside = try find(prefix: prefix, in: folderName(prefix))
      return beside.names.isEmpty ? inside : beside
    }
    return try find(prefix: prefix, in: folderName(prefix))
  }

  private static func find(prefix: String, in folder: String) throws(FileError) -> FoundLists {
    let names = try entryNames(ofFolder: folder).filter { name in
      let path = join(folder, name)
      return path.utf8.starts(with: prefix.utf8) && name.utf8.suffix(4).elementsEqual(".lst".utf8)
        && isRegularFile(path)
    }
    let stem = folder == prefix ? nil : baseName(prefix)
    return FoundLists(
      folder: folder, names: names,
      doubtful: names.filter { name in
        guard let stem else { return false }
        return !isOwn(Substring(name.utf8.dropLast(4).dropFirst(stem.utf8.count)))
      })
  }

  /// Whether list mode writes lists with this suffix: an optional `_<chunk>`, followed by an optional split.
  private static func isOwn(_ suffix: Substring) -> Bool {
    var rest = suffix
    for split in ["_train", "_val", "_test"] where rest.hasByteSuffix(split) {
      rest = Substring(rest.utf8.dropLast(split.utf8.count))
      break
    }
    if rest.isEmpty { return true }
    let digits = rest.dropFirst()
    return rest.first == "_" && !digits.isEmpty && digits.utf8.allSatisfy { (48...57).contains($0) }
  }
}
