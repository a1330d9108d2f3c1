public import ArgumentParser
import Encodings
import Files
import FoundationEssentials
import Glibc
public import Imaging
public import Inference
import Models
public import Networks
public import Packing
import Records
import Reporting
import Scoring
import Terminal

struct OutputOptions: ParsableArguments {
  @Flag(help: "Print one JSON document on stdout.")
  var json = false
  @Flag(name: [.short, .long], help: "Print no progress and no notes; warnings are still printed.")
  var quiet = false

  var words: Words { Words(quiet: quiet) }

  /// Prints the result to stdout: as JSON with `--json`, otherwise as text for people.
  ///
  /// - Parameter doneCount: the number of inputs that were not skipped, for verbs that fail if it is 0; nil for others.
  /// - Throws: `ExitCode`: 2 if inputs were skipped, 1 if `doneCount` is 0; `OutputClosed`.
  func finish(_ result: some Encodable, skippedCount: Int, doneCount: Int? = nil, text: () -> String) throws {
    if json {
      try emit(JSON.text(result, style: .document.snakeCase))
    } else {
      try emit(text())
    }
    if doneCount == 0 { throw ExitCode(ExitStatus.failed) }
    if skippedCount > 0 { throw ExitCode(ExitStatus.someSkipped) }
  }

  private func emit(_ text: String) throws {
    guard writeToOutput(text) else { throw OutputClosed() }
  }
}

/// Stdout cannot be written: its reader is gone, or its disk is full.
struct OutputClosed: Error, CustomStringConvertible {
  var description: String { "the result could not be written to stdout" }
}

/// Wrong arguments that can only be recognized once the inputs are known; exits with status 64.
struct WrongUsage: Error {
  let sentence: String
  let verb: String

  init(_ sentence: String, verb: String) {
    self.sentence = sentence
    self.verb = verb
  }
}

/// Refuses an output that would overwrite an input.
func checkOutput(_ output: String?, inputs: [String?], verb: String) throws(WrongUsage) {
  guard let output, inputs.contains(where: { $0.map { isSameFile($0, output) } ?? false }) else { return }
  throw WrongUsage("-o \(output) is also an input; choose another name for the output", verb: verb)
}

/// How many inputs a verb works on at once. `--jobs` and `--threads` are one option under two names: verbs that read
/// images document `--jobs`, verbs that run networks `--threads` (`ThreadCount`).
struct JobCount: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Inputs processed at once; the output does not depend on it. (default: number of cores)",
      valueName: "count"),
    transform: wholeNumber(1...4096))
  var jobs: Int?
  @Option(help: .private, transform: wholeNumber(1...4096))
  var threads: Int?

  var count: Int { jobs ?? threads ?? Imrec.coreCount }

  func validate() throws { try refuseBoth(jobs, threads) }
}

/// How many threads a verb computes with; see `JobCount`.
struct ThreadCount: ParsableArguments {
  @Option(
    help: ArgumentHelp("Threads of the computation. (default: number of cores)", valueName: "count"),
    transform: wholeNumber(1...1024))
  var threads: Int?
  @Option(help: .private, transform: wholeNumber(1...1024))
  var jobs: Int?

  /// `nil` where neither is given.
  var given: Int? { threads ?? jobs }
  var count: Int { given ?? Imrec.coreCount }

  func validate() throws { try refuseBoth(jobs, threads) }
}

private func refuseBoth(_ jobs: Int?, _ threads: Int?) throws {
  guard jobs == nil || threads == nil else {
    throw ValidationError("--jobs and --threads are one option under two names: give one of them")
  }
}

struct JobOptions: ParsableArguments {
  @OptionGroup var jobs: JobCount
  @Option(
    name: .customLong("max-pixels"),
    help: ArgumentHelp("Refuse images with more pixels. (default: 178956970)", valueName: "count"),
    transform: wholeNumber(1...1 << 40))
  var maximumPixelCount = DecodeOptions.standardMaximumPixelCount
}

extension Imrec {
  static let coreCount = Workers.coreCount
}

/// A parser for whole numbers in a range.
func wholeNumber(_ range: ClosedRange<Int>) -> @Sendable (String) throws -> Int {
  { text in
    guard let value = Int(text), range.contains(value) else {
      throw ValidationError("'\(text)' is not a whole number from \(range.lowerBound) to \(range.upperBound)")
    }
    return value
  }
}

extension Filter: ExpressibleByArgument {}
extension ColorMode: ExpressibleByArgument {}
extension PackOptions.Encoding: ExpressibleByArgument {}
extension TensorType: ExpressibleByArgument {}

/// A number of bytes with a decimal unit: "18.1 MB".
func byteText(_ count: Int) -> String {
  var value = Double(count)
  for unit in ["bytes", "kB", "MB", "GB"] {
    if value < 1000 || unit == "GB" {
      return "\(unit == "bytes" ? rounded(value) : oneDecimal(value)) \(unit)"
    }
    value /= 1000
  }
  return "\(count) bytes"
}

func oneDecimal(_ value: Double) -> String {
  let tenths = Int64(exactly: (value * 10).rounded()) ?? 0
  return "\(tenths / 10).\(abs(tenths % 10))"
}

/// How images become records: the options that `pack` and `convert` share.
struct PackingOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Scale the shorter side to this. (default: keep the size)", valueName: "pixels"),
    transform: wholeNumber(1...65_535))
  var resize: Int?
  @Flag(help: "Crop the central square before resizing.")
  var centerCrop = false
  @Option(
    help: ArgumentHelp("JPEG quality, or PNG level (up to 9). (default: 95)", valueName: "0-100"),
    transform: wholeNumber(0...100))
  var quality = 95
  @Option(help: "Format of the stored images.")
  var encoding = PackOptions.Encoding.jpg
  @Option(help: "unchanged keeps alpha, 16 bits and EXIF orientation.")
  var color = ColorMode.rgb
  @Option(help: "linear is OpenCV's INTER_LINEAR, bit for bit.")
  var filter = Filter.linear
  @Flag(help: "Store the files unchanged; they are still checked for damage.")
  var passThrough = false
  @Flag(help: "Store all labels of a line, not only the first.")
  var packLabel = false
  @Flag(help: "Pack damaged images as far as they decode, and report them.")
  var keepDamaged = false
  @Flag(help: "Continue where an interrupted run stopped.")
  var resume = false
  @Flag(help: "Stop at the first input that is unusable or doubtful.")
  var strict = false

  func options(_ jobs: JobOptions) -> PackOptions {
    var options = PackOptions()
    options.resize = resize
    options.centerCrop = centerCrop
    options.quality = quality
    options.encoding = encoding
    options.color = color
    options.filter = filter
    options.passThrough = passThrough
    options.packLabel = packLabel
    options.keepDamaged = keepDamaged
    options.resume = resume
    options.strict = strict
    options.jobs = jobs.jobs.count
    options.maximumPixelCount = jobs.maximumPixelCount
    return options
  }
}

/// How a folder of class folders is split: the options that `list` and `convert` share.
struct SplitOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Training images per class; the others are for validation.", valueName: "count"),
    transform: wholeNumber(1...1_000_000_000))
  var perClass: Int?
  @Option(help: ArgumentHelp("Share of each class for training.", valueName: "0-1"))
  var trainRatio: Double?
  @Option(help: ArgumentHelp("Share of each class for validation.", valueName: "0-1"))
  var valRatio: Double?
  @Option(help: ArgumentHelp("Share of each class for testing.", valueName: "0-1"))
  var testRatio: Double?
  @Option(
    help: ArgumentHelp("Cross-validation with this many folds.", valueName: "count"),
    transform: wholeNumber(2...1000))
  var folds: Int?
  @Option(help: ArgumentHelp("Seed of the random split.", valueName: "number"))
  var seed = 100
  @Flag(help: "Give small classes one image for validation, the rest for training.")
  var allowSmallClasses = false
  @Option(
    help: ArgumentHelp("Leave out matching folders or images. (repeatable)", valueName: "glob"))
  var exclude: [String] = []
  @Option(
    help: ArgumentHelp("Lines path<TAB>group; groups are not split.", valueName: "file"))
  var groups: String?

  func validate() throws {
    if [perClass != nil, hasRatios, folds != nil].filter({ $0 }).count > 1 {
      throw ValidationError(
        "--per-class, --train-ratio/--val-ratio/--test-ratio and --folds exclude each other")
    }
    if allowSmallClasses && (hasRatios || folds != nil) {
      throw ValidationError("--allow-small-classes needs --per-class")
    }
    for (name, value) in [("train", trainRatio), ("val", valRatio), ("test", testRatio)] {
      if let value, !(0...1).contains(value) {
        throw ValidationError("--\(name)-ratio takes a number from 0 to 1")
      }
    }
    // Decimal fractions such as 0.7 + 0.2 + 0.1 can add up to slightly more than 1.
    let sum = [trainRatio, valRatio, testRatio].reduce(0) { $0 + ($1 ?? 0) }
    if sum > 1 + 1e-9 { throw ValidationError("the ratios add up to \(sum), which is more than 1") }
  }

  private var hasRatios: Bool { trainRatio != nil || valRatio != nil || testRatio != nil }

  func split(perClassByDefault: Int?) -> Split? {
    if let folds { return .folds(folds) }
    if hasRatios { return .completedRatios(train: trainRatio, validation: valRatio, test: testRatio) }
    return (perClass ?? perClassByDefault).map { .perClass($0, allowSmallClasses: allowSmallClasses) }
  }

  func options(perClassByDefault: Int? = nil, strict: Bool) -> ListingOptions {
    var options = ListingOptions()
    options.split = split(perClassByDefault: perClassByDefault)
    options.seed = seed
    options.excluding = exclude
    options.groups = groups
    options.strict = strict
    return options
  }
}

/// How a model's files become a classifier: the options that `predict`, `transform` and `host` share.
struct ModelOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Class names, one per line, in label order. (default: the model's classes.txt)", valueName: "file"))
  var classes: String?
  @Option(
    help: ArgumentHelp(
      "crop or squash. (default: from the model's preprocess.json, else squash, as SageMaker's endpoint does; crop for torchvision's models)",
      valueName: "mode"))
  var preprocess: Preset.Mode?
  @Option(
    help: ArgumentHelp(
      "With crop: scale the shorter side to this. (default: from preprocess.json; 256 for torchvision's models)",
      valueName: "pixels"),
    transform: wholeNumber(1...65_535))
  var resize: Int?
  @Option(
    help: ArgumentHelp(
      "Channels, height, width of the images. (default: from model-shapes.json, the .onnx or preprocess.json, else 3,224,224)",
      valueName: "c,h,w"),
    transform: numbers(3))
  var imageShape: [Int]?
  @Option(
    help: ArgumentHelp("The NNNN of the .params file. (default: the highest)", valueName: "number"),
    transform: wholeNumber(0...1_000_000_000))
  var epoch: Int?
  @OptionGroup var engine: EngineOptions
  @Option(
    name: .customLong("max-pixels"),
    help: ArgumentHelp(
      "Refuse images with more pixels. (default: 178956970; host: 25000000)", valueName: "count"),
    transform: wholeNumber(1...1 << 40))
  var maximumPixelCount: Int?

  /// Reads the model without planning its network: the model, how its images are prepared, and its class names.
  func parts(_ path: String, words: Words) throws -> (Model, Preset, classes: [String]?) {
    let options = try classifierOptions()
    let model = try Model(path, epoch: epoch, inputShape: imageShape)
    for warning in model.warnings { words.warn(printable(warning)) }
    return (model, try options.preset(of: model), try options.classes(of: model))
  }

  /// Loads the model.
  ///
  /// - Parameter decoding: the decoding limits; `--max-pixels` overrides the pixel limit.
  func load(
    _ model: String, batch: Int = 32, words: Words,
    decoding: DecodeOptions = DecodeOptions()
  ) throws -> Classifier {
    var options = try classifierOptions()
    options.engine = engine.engine
    options.kernels = engine.kernels
    options.precision = try engine.precision()
    options.threads = engine.threads.count
    options.batch = batch
    options.decoding = decoding
    if let maximumPixelCount { options.decoding.maximumPixelCount = maximumPixelCount }
    let classifier = try Classifier(model: model, options: options) { words.warn(printable($0)) }
    if let network = classifier.network as? Network, network.precision != .fp32 || options.precision != nil {
      words.note("the network runs in \(network.precision), \(network.kernels) kernels")
    }
    return classifier
  }

  private func classifierOptions() throws -> ClassifierOptions {
    var options = ClassifierOptions()
    options.mode = preprocess
    options.resize = resize
    options.classes = try classes.map { try classNames(readFile($0, limit: 1 << 26).bytes, path: $0) }
    options.imageShape = imageShape
    options.epoch = epoch
    return options
  }
}

struct EngineOptions: ParsableArguments {
  @OptionGroup var threads: ThreadCount
  @Option(
    help: ArgumentHelp(
      "fast, or reference, which runs operator by operator, for comparisons.", valueName: "name",
      visibility: .rare))
  var engine = Network.Engine.fast
  @Option(
    help: ArgumentHelp(
      "Kernels for this CPU: \(Network.availableKernels.joined(separator: ", ")). (default: the last)",
      valueName: "name", visibility: .rare))
  var kernels: String?
  @Option(
    name: .customLong("precision"),
    help: ArgumentHelp(
      "fp32, bf16, int8 (quantized models) or fastest. (default: $IMREC_PRECISION; else int8 if quantized, fp32 if not)",
      valueName: "name"))
  var chosenPrecision: PrecisionChoice?

  func precision() throws -> PrecisionChoice? {
    try chosenPrecision ?? PrecisionChoice(environment: ProcessInfo.processInfo.environment)
  }

  func validate() throws {
    if engine == .reference, let chosenPrecision, chosenPrecision != .fp32 {
      throw ValidationError(
        "--precision \(chosenPrecision) needs the fast engine; the reference engine computes in fp32")
    }
    if let kernels, !Network.availableKernels.contains(kernels) {
      throw ValidationError(
        "this CPU has no kernels '\(kernels)'; it can use \(Network.availableKernels.joined(separator: ", "))"
      )
    }
  }
}

extension Network.Engine: ExpressibleByArgument {}

extension PrecisionChoice: ExpressibleByArgument {}

extension Preset.Mode: ExpressibleByArgument {}
extension PredictionFormat: ExpressibleByArgument {}

/// Which clients a server accepts, and how many at once: the options that `host` and `serve` share.
struct ServerOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Another host name to accept, without a port; *: all. (repeatable)",
      valueName: "name"))
  var allowHost: [String] = []
  @Option(
    help: ArgumentHelp(
      "Another site whose pages may send requests, such as http://localhost:8888. (repeatable)",
      valueName: "origin"))
  var allowOrigin: [String] = []
  @Option(
    help: ArgumentHelp(
      "The most connections with an open request; more get status 503, except for /ping. (default: 1024)",
      valueName: "count"),
    transform: wholeNumber(1...100_000))
  var connections = 1024

  func validate() throws {
    for name in allowHost {
      guard !name.isEmpty, name.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && !"/@?#".utf8.contains($0) }),
        name.utf8.count(where: { $0 == UInt8(ascii: ":") }) != 1
      else {
        throw ValidationError(
          "--allow-host is '\(name)'; a host name or an address is expected, without http:// or a port")
      }
    }
    for site in allowOrigin {
      let rest = ["http://", "https://"].first { site.utf8.starts(with: $0.utf8) }.map {
        site.utf8.dropFirst($0.utf8.count)
      }
      guard let rest, !rest.isEmpty,
        rest.allSatisfy({ $0 > 0x20 && $0 < 0x7F && !"/@?#*".utf8.contains($0) })
      else {
        throw ValidationError(
          "--allow-origin is '\(site)'; http:// or https:// and a host name are expected, with a port if it has one and "
            + "without a path: http://localhost:8888")
      }
    }
  }
}

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
