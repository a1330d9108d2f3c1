import ArgumentParser
import Files
import Reporting
import Scoring
import Terminal

/// How many images may be missing; the option that `score` and `compare` share.
struct MissingOptions: ParsableArguments {
  @Option(
    name: .customLong("allow-missing"),
    help: ArgumentHelp("Exit 0 if at most this many images are missing. (default: 0)", valueName: "count"),
    transform: wholeNumber(0...Int(Int32.max)))
  var allowed = 0
}

/// The report files of `score` and `compare`.
struct ReportOptions: ParsableArguments {
  @Option(help: ArgumentHelp("A report for people: one self-contained HTML file.", valueName: "file"))
  var html: String?
  @Option(help: ArgumentHelp("Tables for a spreadsheet: a folder of CSV files.", valueName: "dir"))
  var csv: String?
  @Option(help: ArgumentHelp("A summary for a pull request, in GitHub's Markdown.", valueName: "file"))
  var markdown: String?
  @Option(help: ArgumentHelp("The gates as JUnit tests, for a CI server.", valueName: "file"))
  var junit: String?

  /// Refuses reports that would overwrite each other or an input; called before anything is read.
  func check(inputs: [String?], outputs: [String?], verb: String) throws(WrongUsage) {
    var taken: [(name: String, path: String)] = inputs.compactMap { $0.map { ("an input", $0) } }
    taken += outputs.compactMap { $0.map { ("another output", $0) } }
    for (option, path) in [("--html", html), ("--markdown", markdown), ("--junit", junit)] {
      guard let path else { continue }
      if let other = taken.first(where: { isSameFile($0.path, path) }) {
        throw WrongUsage("\(option) \(path) is also \(other.name); choose another name", verb: verb)
      }
      taken.append(("another output", path))
    }
  }

  /// Writes the requested reports; each file is renamed into place when it is complete.
  /// - Parameter thumbnails: of the images that the HTML report shows.
  func write(_ score: Score, _ thumbnails: Thumbnails, _ words: Words) throws {
    if let html {
      try written(html, words) { try writeFile(html, ScoreReport(score).html(thumbnails: thumbnails)) }
    }
    if let csv { try written(csv + "/*.csv", words) { try score.writeCSV(to: csv) } }
    if let markdown {
      try written(markdown, words) {
        try writeFile(markdown, score.markdown(source: "the file of `imrec score -o`"))
      }
    }
    if let junit { try written(junit, words) { try writeFile(junit, score.junit()) } }
  }

  func write(_ comparison: Comparison, of a: Score, _ b: Score, _ thumbnails: Thumbnails, _ words: Words)
    throws
  {
    if let html {
      let report = ComparisonReport(comparison, a: a, b: b)
      try written(html, words) { try writeFile(html, report.html(thumbnails: thumbnails)) }
    }
    if let csv { try written(csv + "/*.csv", words) { try comparison.writeCSV(to: csv) } }
    if let markdown {
      try written(markdown, words) {
        try writeFile(markdown, comparison.markdown(source: "`imrec compare --json`"))
      }
    }
    if let junit { try written(junit, words) { try writeFile(junit, comparison.junit()) } }
  }

  /// Makes thumbnails for the HTML report. Images that cannot be read are left out, with a warning.
  /// - Parameter byteBudget: the most bytes of all thumbnails together.
  func thumbnails(of paths: [String], from source: ImageSource, byteBudget: Int, jobs: Int, _ words: Words)
    async throws -> Thumbnails
  {
    var options = ThumbnailOptions()
    options.byteBudget = byteBudget
    options.jobs = jobs
    let thumbnails = try await Thumbnails(of: paths, from: source, options)
    if let first = thumbnails.unreadable.first {
      let more = thumbnails.unreadable.count - 1
      words.warn(
        "no thumbnail of \(printable(shortened(first.path))): \(printable(first.reason))"
          + (more > 0 ? "; \(counted(more, "more image")) cannot be shown either" : ""))
    }
    return thumbnails
  }

  private func written(_ name: String, _ words: Words, _ body: () throws -> Void) throws {
    try body()
    words.note("written: \(printable(name))")
  }
}

/// The source of the images in a report: the folder or `.rec` file of `--images`, otherwise a truth that is a `.rec`
/// file; nil if there is neither.
func imageSource(images: String?, truth: String) throws -> ImageSource? {
  func isRecords(_ path: String) -> Bool { splitExtension(path).suffix == ".rec" && !isFolder(path) }
  if let images {
    if isRecords(images) { return try ImageSource(records: images) }
    try checkImages(images)
    return ImageSource(folder: images)
  }
  return isRecords(truth) ? try ImageSource(records: truth) : nil
}

/// - Throws: `FileError` if `--images` names neither a folder nor a readable `.rec` file.
func checkImages(_ path: String) throws(FileError) {
  if isFolder(path) { return }
  let file = try InputFile(path)
  guard splitExtension(file.path).suffix == ".rec" else {
    throw FileError(.notRegular("neither a folder nor a .rec"), path: path)
  }
}
