import Files
import Glibc
import Imaging
import Packing
import Records
import Terminal

/// Packs every list that the prefix names, as im2rec.py does without `--list`.
///
/// - Returns: the exit status: 2 where images, lines or a whole empty list were left out.
/// - Throws: where a list or an output cannot be read or written, or no image of a list can be packed.
func makeRecords(_ options: Options, _ console: Console) async throws -> Int32 {
  let prefix = absolutePath(options.prefix)
  let found = try FoundLists.find(prefix: prefix)
  guard !found.names.isEmpty else {
    console.fail(
      "there is no list: no file in \(found.folder) starts with \(prefix) and ends with .lst",
      remedy: "im2rec --list --recursive \(options.prefix) \(options.root) makes one.")
    return ExitStatus.failed
  }
  for name in found.doubtful {
    console.warn(
      "\(join(found.folder, name)) is packed only because its name starts with '\(baseName(prefix))'; move it away if "
        + "that is not meant")
  }
  var skipped = 0
  var packed = 0
  for name in found.names {
    let list = join(found.folder, name)
    if FileStamp(path: list)?.byteCount == 0 {
      // As the last of many chunks may be; an empty .rec would stop what reads it.
      console.skip(list, "the list is empty, so there are no records to make of it")
      skipped += 1
      continue
    }
    if !options.quiet {
      console.words("Creating .rec file from \(printable(list)) in \(printable(found.folder))")
    }
    let summary = try await pack(list, options, console)
    for warning in summary.warnings { console.warn(warning) }
    for skip in summary.skipped { console.skip(skip.path, skip.reason) }
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
    // im2rec.py looks at no byte of them.
    check = .structure
    strict = options.strict
    jobs = options.threads
    maximumPixelCount = options.maximumPixelCount
    // im2rec.py packs them all, and its readers go by the offsets.
    duplicateIDs = .keep
  }
}

/// A bar on a terminal, else the line that im2rec.py prints for every thousand images.
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
