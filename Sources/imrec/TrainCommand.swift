import ArgumentParser
import Encodings
import Files
import Hyperparameters
import Inference
import Networks
import Terminal
import Training

struct TrainCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "train",
    abstract: "A ResNet from labelled images.",
    discussion: """
      SageMaker's image classification: its hyperparameters, log and model files.
      EXAMPLE: imrec train --train T.rec --validation V.rec --model-dir m --epochs 10
      Ctrl-C and SIGTERM leave a checkpoint; the same command with --resume goes on.
      """)

  @OptionGroup(title: "Files") var files: TrainFileOptions
  @OptionGroup(title: "Input") var input: TrainInputOptions
  @OptionGroup(title: "Running") var running: TrainRunOptions
  @OptionGroup(title: "Hyperparameters") var hyperparameters: HyperparameterOptions
  @OptionGroup(title: "Hyperparameters beyond SageMaker's") var own: OwnHyperparameterOptions
  @OptionGroup(title: "Output") var output: OutputOptions

  func validate() throws {
    if files.optMl != nil {
      guard files.train == nil, files.validation == nil, files.modelDir == nil, hyperparameters.pairs.isEmpty,
        own.pairs.isEmpty,
        input.isEmpty, running.checkpointDir == nil, running.outputDir == nil, !running.overwrite
      else {
        throw ValidationError(
          "--opt-ml takes everything from its folder: no --train, --validation, --model-dir, --overwrite, and no "
            + "hyperparameters"
        )
      }
      return
    }
    if running.resume && running.overwrite {
      throw ValidationError("--resume goes on with a training, --overwrite replaces it: give one of them")
    }
    for (name, value) in [
      ("--train", files.train), ("--validation", files.validation), ("--model-dir", files.modelDir),
    ]
    where value == nil { throw ValidationError("\(name) is missing (or --opt-ml, a container's folder)") }
    // What the options alone say is checked before anything is read.
    do {
      let given = try HyperparameterSet(hyperparameters.pairs + own.pairs, isComplete: false)
      // With a file of them, they contradict each other or not only together.
      if input.hyperparameters == nil { try given.check() }
    } catch { throw ValidationError("\(error)") }
  }

  func run() throws { try RankLaunch.run(run) }

  @inline(never)
  private func run(_ ranks: Ranks) throws {
    guard let optMl = files.optMl else {
      return try run(try ranks.together { try request() }, ranks, hasTime: false)
    }
    let container = TrainingContainer(optMl)
    do {
      try run(try ranks.together { try containerRequest(container) }, ranks, hasTime: true)
    } catch let stopped as StoppedRun {
      throw stopped
    } catch  where ranks.speaker.map({ $0 != ranks.rank }) ?? false {
      // Another rank says it.
      throw error
    } catch let skipped as ExitCode where skipped.rawValue == ExitStatus.someSkipped {
      // A container is either done or failed; the log names what was skipped.
      return
    } catch {
      // The file `failure` is of the training that runs there.
      if case .held? = (error as? FileError)?.reason { throw error }
      let failure = Failure(error)
      let words = [failure.sentence, failure.remedy].compactMap(\.self).joined(separator: ". ")
      for line in TrainingLog(hasTime: true).failure(words) { writeToErrorOutput(printable(line) + "\n") }
      try? container.writeFailure("ClientError: \(words), exit code: 1")
      throw error
    }
  }

  @inline(never)
  private func run(_ request: TrainingRequest, _ ranks: Ranks, hasTime: Bool) throws {
    let job = try ranks.together {
      try TrainingJob(request, ranks: ranks, makeEngine: TrainingRequest.trainer(with: ranks.exchange))
    }
    let log = TrainingLog(hasTime: hasTime, topK: job.topK)
    let screen = TrainingScreen(log: log, quiet: output.quiet)
    if ranks.isFirst { introduce(job, screen, log) }
    let summary: TrainingSummary
    do {
      summary = try job.run(tell: screen.take, isStopped: { Task.isCancelled })
    } catch is CancellationError {
      throw StoppedRun(remedy: "The checkpoint stands: the same command with --resume goes on after it.")
    }
    screen.finish()
    if ranks.isFirst { try tell(summary, request) }
  }

  @inline(never)
  private func introduce(_ job: TrainingJob, _ screen: TrainingScreen, _ log: TrainingLog) {
    for warning in job.warnings { output.words.warn(printable(warning)) }
    if !job.renewed.isEmpty {
      output.words.note("made anew, as the classes are others: \(job.renewed.joined(separator: ", "))")
    }
    screen.write(log.parameterBlock(job.parameterLines))
  }

  @inline(never)
  private func tell(_ summary: TrainingSummary, _ request: TrainingRequest) throws {
    try output.finish(summary, skippedCount: summary.skipped.count) {
      let best = summary.bestValidationAccuracy.map { "\(oneDecimal($0 * 100)) % of the validation right" }
      let epoch = summary.bestEpoch.map { " in epoch \($0)" } ?? ""
      let model = summary.archive ?? summary.model ?? request.modelFolder
      return
        "\(model): \(best ?? "no epoch")\(epoch), \(counted(summary.epochs, "epoch")), "
        + "\(oneDecimal(summary.seconds)) s, \(oneDecimal(summary.imagesPerSecond)) images/s\n"
    }
  }

  @inline(never)
  private func request() throws -> TrainingRequest {
    var request = TrainingRequest(
      train: try source(files.train ?? "", root: input.root, label: input.labelAttribute),
      validation: try source(
        files.validation ?? "", root: input.validationRoot ?? input.root,
        label: input.validationLabelAttribute ?? input.labelAttribute),
      modelFolder: files.modelDir ?? "")
    if let path = input.hyperparameters {
      request.hyperparameters = try HyperparameterSet.pairs(json: readFile(path, limit: 1 << 24).bytes)
    }
    request.hyperparameters += hyperparameters.pairs + own.pairs
    request.pretrained = input.model
    request.classes = try input.classes.map { try classNames(readFile($0, limit: 1 << 26).bytes, path: $0) }
    request.outputFolder = running.outputDir
    request.checkpointFolder = running.checkpointDir
    request.resumes = running.resume
    request.replaces = running.overwrite
    apply(&request)
    return request
  }

  @inline(never)
  private func containerRequest(_ container: TrainingContainer) throws -> TrainingRequest {
    var request = try container.request()
    apply(&request)
    return request
  }

  private func apply(_ request: inout TrainingRequest) {
    request.checkpointEvery = running.checkpointEvery
    request.archives = running.archive
    request.keepsDamaged = running.keepDamaged
    request.threads = running.threads.given ?? RankLaunch.threadCount
    request.details = [("Program", "imrec \(Imrec.configuration.version)")]
  }

  private func source(_ path: String, root: String?, label: String?) throws(WrongUsage) -> TrainingSource {
    let suffix = splitExtension(path).suffix
    let mayBeManifest = suffix != ".lst" && suffix != ".rec"
    if [".manifest", ".jsonl", ".json"].contains(suffix) || label != nil && mayBeManifest {
      var options = ManifestOptions()
      options.label = label
      options.labelsAreClassIDs = input.labelFormat == .classID
      return .manifest(path, options)
    }
    guard label == nil, input.labelFormat == nil else {
      throw WrongUsage(
        "--label-attribute and --label-format go with an augmented manifest (.manifest, .jsonl, .json); \(path) is none",
        verb: "train")
    }
    return suffix == ".lst" ? .list(path, root: root ?? folderName(path)) : .records(path)
  }
}

struct TrainFileOptions: ParsableArguments {
  @Option(help: ArgumentHelp("A .rec, a .lst, or an augmented manifest.", valueName: "file"))
  var train: String?
  @Option(help: ArgumentHelp("The same, for the validation.", valueName: "file"))
  var validation: String?
  @Option(help: ArgumentHelp("Gets the model; it is made where it is not there.", valueName: "folder"))
  var modelDir: String?
  @Option(
    help: ArgumentHelp(
      "A training container's folder, with all it needs.", valueName: "folder"))
  var optMl: String?
}

struct TrainInputOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp("Where paths of a .lst start. (default: its folder)", valueName: "folder"))
  var root: String?
  @Option(
    help: ArgumentHelp(
      "The same, of the validation. (default: --root)", valueName: "folder", visibility: .rare))
  var validationRoot: String?
  @Option(
    help: ArgumentHelp(
      "The label of a manifest. (default: the one with metadata, or the only one)", valueName: "name",
      visibility: .rare))
  var labelAttribute: String?
  @Option(
    help: ArgumentHelp(
      "The same, of the validation. (default: --label-attribute)", valueName: "name", visibility: .rare))
  var validationLabelAttribute: String?
  @Option(
    help: ArgumentHelp(
      "What a manifest's lists of labels hold: multi-hot, class-id.", valueName: "name", visibility: .rare))
  var labelFormat: LabelFormat?
  @Option(help: ArgumentHelp("Names of the classes, one a line, in label order.", valueName: "file"))
  var classes: String?
  @Option(
    help: ArgumentHelp(
      "Start from this model, a folder or an archive; other classes get a new last layer.", valueName: "model"
    ))
  var model: String?
  @Option(
    help: ArgumentHelp(
      "A JSON object of hyperparameters, as SageMaker's; options come before it.", valueName: "file",
      visibility: .rare))
  var hyperparameters: String?

  var isEmpty: Bool {
    [root, validationRoot, labelAttribute, validationLabelAttribute, classes, model, hyperparameters]
      .allSatisfy { $0 == nil } && labelFormat == nil
  }
}

/// SageMaker's label-format.
enum LabelFormat: String, ExpressibleByArgument {
  /// A 0 or 1 a class.
  case multiHot = "multi-hot"
  /// The numbers of the classes.
  case classID = "class-id"
}

struct TrainRunOptions: ParsableArguments {
  @Flag(help: "Go on after the checkpoint, if there is one.")
  var resume = false
  @Flag(help: "Replace the training that is in the folders already.")
  var overwrite = false
  @Option(
    help: ArgumentHelp(
      "Also a checkpoint after so many batches. (default: after each epoch)", valueName: "batches",
      visibility: .rare),
    transform: wholeNumber(1...1_000_000_000))
  var checkpointEvery: Int?
  @Option(
    help: ArgumentHelp(
      "(default: checkpoints in the model's folder)", valueName: "folder", visibility: .rare))
  var checkpointDir: String?
  @Option(
    help: ArgumentHelp(
      "Gets metrics.jsonl and training.html. (default: the model's folder)", valueName: "folder",
      visibility: .rare))
  var outputDir: String?
  @Flag(
    help: ArgumentHelp(
      "Learn from damaged images too. (default: take others in their place, and say so)", visibility: .rare))
  var keepDamaged = false
  @Flag(help: "Also make model.tar.gz, as SageMaker leaves it.")
  var archive = false
  @OptionGroup var threads: ThreadCount
}
