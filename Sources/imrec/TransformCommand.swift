import ArgumentParser
import Encodings
import Files
import Inference
import Records
import Terminal

struct TransformCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "transform",
    abstract: "Write a model's probabilities for many images.",
    discussion: """
      SageMaker's batch transform: writes OUTPUT/<path of the image>.out or, for a .rec, OUTPUT/<id>.out. Running
      the command again continues where it stopped: outputs that exist are kept.
      EXAMPLE: imrec transform model.tar.gz photos/ outputs/
      """)

  @Argument(help: "The model: a folder, an archive, or a .safetensors or .onnx file.")
  var model: String
  @Argument(
    help:
      "The images: a folder, a .lst, a .rec, or a manifest: [{\"prefix\": \"photos/\"}, \"a/1.jpg\", ...].")
  var input: String
  @Argument(help: "The folder for the outputs; created if needed.")
  var outputFolder: String
  @Option(
    help: ArgumentHelp(
      "The folder that the paths in a .lst are relative to. (default: its own)", valueName: "folder"))
  var root: String?
  @Option(
    help: ArgumentHelp(
      "jsonlines: {\"prediction\": [...]}; json: the bare array; verbose: with class names. (default: jsonlines)",
      valueName: "format"))
  var accept = PredictionFormat.jsonlines
  @Option(
    help: ArgumentHelp("Skip larger inputs. (default: 6)", valueName: "MiB"), transform: wholeNumber(1...1024)
  )
  var maxPayload = 6
  @Option(
    help: ArgumentHelp(
      "The most images per batch; the next ones are read meanwhile.", valueName: "count"),
    transform: wholeNumber(1...10_000))
  var maxConcurrent: Int?
  @Option(
    help: ArgumentHelp("The same, by the name that other programs use. (default: 32)", valueName: "count"),
    transform: wholeNumber(1...10_000))
  var batch = 32
  @Flag(help: "Rewrite outputs that already exist.")
  var overwrite = false
  @OptionGroup(title: "Model") var options: ModelOptions
  @OptionGroup(title: "Output") var output: OutputOptions

  func validate() throws {
    if root != nil && !input.hasSuffix(".lst") {
      throw ValidationError("--root needs a .lst as input; \(input) is not one")
    }
  }

  func run() async throws {
    let source = try TransformInput(input, root: root, verb: "transform")
    let classifier = try options.load(model, batch: transformOptions.batch, words: output.words)
    let display = ProgressDisplay(unit: "images", quiet: output.quiet)
    let summary: TransformSummary
    do {
      summary = try await transform(
        source, to: outputFolder, with: classifier, options: transformOptions
      ) { display.update($0) }
    } catch is CancellationError {
      throw StoppedRun(remedy: "All written outputs are complete; run the same command again to continue.")
    }
    display.finish()
    try tell(summary)
  }

  @inline(never)
  private func tell(_ summary: TransformSummary) throws {
    for warning in summary.warnings { output.words.warn(printable(warning)) }
    for kind in summary.passedOver where !kind.areImages { output.words.note(printable(kind.sentence)) }
    output.words.skipped(summary.skipped)
    if summary.repeated > 0 {
      output.words.note("\(counted(summary.repeated, "input")) named more than once; each has one output")
    }
    if summary.kept > 0 { output.words.note("\(counted(summary.kept, "output")) kept from an earlier run") }
    let doneCount = summary.written + summary.kept
    if doneCount == 0 && summary.skippedCount == 0 { output.words.warn("\(printable(input)) names no image") }
    try output.finish(summary, skippedCount: summary.skippedCount, doneCount: doneCount) {
      let skipped = summary.skippedCount == 0 ? "" : ", \(summary.skippedCount) skipped"
      return
        "\(outputFolder): \(counted(summary.written, "output")) written, \(oneDecimal(summary.seconds)) s, "
        + "\(oneDecimal(summary.imagesPerSecond)) images/s\(skipped)\n"
    }
  }

  private var transformOptions: TransformOptions {
    var options = TransformOptions()
    options.format = accept
    options.batch = min(batch, maxConcurrent ?? batch)
    options.largestPayload = maxPayload << 20
    options.overwrites = overwrite
    return options
  }
}

extension TransformInput {
  /// A folder, a `.lst`, a `.rec` or a manifest, as the name and the first bytes say.
  ///
  /// - Parameters:
  ///   - root: the folder of a list's paths; nil: the list's own.
  ///   - verb: for messages.
  init(_ path: String, root: String?, verb: String) throws {
    if isFolder(path) {
      self = .folder(path)
      return
    }
    switch splitExtension(path).suffix {
    case ".lst": self = .list(path, root: root ?? folderName(path))
    case ".rec": self = .records(path)
    default:
      let start = try readStart(of: path, byteCount: 512)
      guard start.first(where: { ![0x20, 0x09, 0x0A, 0x0D].contains($0) }) == UInt8(ascii: "[") else {
        let expected = "a folder, a .lst, a .rec or a manifest, which begins with [{\"prefix\": ...}"
        let sentence = FileKind(start.span)?.sentence(expected: expected) ?? "\(expected) is expected"
        throw WrongUsage("\(path): \(sentence)", verb: verb)
      }
      self = .manifest(path)
    }
  }
}

/// A run that a signal ended, with the way to continue it.
struct StoppedRun: Error {
  let remedy: String
}
