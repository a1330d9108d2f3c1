import ArgumentParser
import Encodings
import Files
import Glibc
import Hyperparameters
import Inference
import Networks
import Terminal
import Training

#if MPI
  import MessagePassing
#endif

struct TrainCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "train",
    abstract: "Train a ResNet on labelled images.",
    discussion: """
      SageMaker's image classification, with its hyperparameters, log and model files.
      EXAMPLE: imrec train --train T.rec --validation V.rec --model-dir m --epochs 10
      Ctrl-C and SIGTERM write a checkpoint; the same command with --resume continues.
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
          "--opt-ml takes everything from its folder: --train, --validation, --model-dir, --overwrite and hyperparameters "
            + "cannot be used with it"
        )
      }
      return
    }
    if running.resume && running.overwrite {
      throw ValidationError(
        "--resume continues a training, --overwrite replaces it: only one of them can be given")
    }
    for (name, value) in [
      ("--train", files.train), ("--validation", files.validation), ("--model-dir", files.modelDir),
    ]
    where value == nil {
      throw ValidationError("\(name) is missing (or --opt-ml, the folder of a container)")
    }
    // The options are checked on their own before anything is read.
    do {
      let given = try HyperparameterSet(hyperparameters.pairs + own.pairs, isComplete: false)
      // Whether they contradict each other is only known together with the values in the file, if there is one.
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
      // Another rank reports the error.
      throw error
    } catch let skipped as ExitCode where skipped.rawValue == ExitStatus.someSkipped {
      // A container either succeeds or fails; skipped images are in the log.
      return
    } catch {
      // The file `failure` belongs to the training that is running in the folder.
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
      throw StoppedRun(remedy: "A checkpoint was written; run the same command with --resume to continue.")
    }
    screen.finish()
    if ranks.isFirst { try tell(summary, request) }
  }

  @inline(never)
  private func introduce(_ job: TrainingJob, _ screen: TrainingScreen, _ log: TrainingLog) {
    for warning in job.warnings { output.words.warn(printable(warning)) }
    if !job.renewed.isEmpty {
      output.words.note(
        "reinitialized, because the classes differ from the model's: \(job.renewed.joined(separator: ", "))")
    }
    screen.write(log.parameterBlock(job.parameterLines))
  }

  @inline(never)
  private func tell(_ summary: TrainingSummary, _ request: TrainingRequest) throws {
    try output.finish(summary, skippedCount: summary.skipped.count) {
      let best = summary.bestValidationAccuracy.map { "\(oneDecimal($0 * 100)) % validation accuracy" }
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
        "--label-attribute and --label-format need an augmented manifest (.manifest, .jsonl, .json); \(path) is not one",
        verb: "train")
    }
    return suffix == ".lst" ? .list(path, root: root ?? folderName(path)) : .records(path)
  }
}

struct TrainFileOptions: ParsableArguments {
  @Option(help: ArgumentHelp("The training set: a .rec, a .lst or an augmented manifest.", valueName: "file"))
  var train: String?
  @Option(help: ArgumentHelp("The validation set, likewise.", valueName: "file"))
  var validation: String?
  @Option(help: ArgumentHelp("The folder for the model; created if needed.", valueName: "folder"))
  var modelDir: String?
  @Option(
    help: ArgumentHelp(
      "A training container's folder.", valueName: "folder"))
  var optMl: String?
}

struct TrainInputOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp("Base of the paths in a .lst. (default: its folder)", valueName: "folder"))
  var root: String?
  @Option(
    help: ArgumentHelp(
      "The same for the validation set. (default: --root)", valueName: "folder", visibility: .rare))
  var validationRoot: String?
  @Option(
    help: ArgumentHelp(
      "The manifest's attribute with the label. (default: the one with metadata, or the only one)",
      valueName: "name",
      visibility: .rare))
  var labelAttribute: String?
  @Option(
    help: ArgumentHelp(
      "The same for the validation set. (default: --label-attribute)", valueName: "name", visibility: .rare))
  var validationLabelAttribute: String?
  @Option(
    help: ArgumentHelp(
      "The format of a manifest's lists of labels: multi-hot or class-id.", valueName: "name",
      visibility: .rare))
  var labelFormat: LabelFormat?
  @Option(help: ArgumentHelp("Class names, one per line, in label order.", valueName: "file"))
  var classes: String?
  @Option(
    help: ArgumentHelp(
      "Start from this model (folder or archive); for other classes, its last layer is replaced.",
      valueName: "model"
    ))
  var model: String?
  @Option(
    help: ArgumentHelp(
      "Hyperparameters as a JSON object, as SageMaker's; options take precedence.", valueName: "file",
      visibility: .rare))
  var hyperparameters: String?

  var isEmpty: Bool {
    [root, validationRoot, labelAttribute, validationLabelAttribute, classes, model, hyperparameters]
      .allSatisfy { $0 == nil } && labelFormat == nil
  }
}

/// SageMaker's `label-format`.
enum LabelFormat: String, ExpressibleByArgument {
  /// A 0 or 1 for each class.
  case multiHot = "multi-hot"
  /// Class IDs.
  case classID = "class-id"
}

struct TrainRunOptions: ParsableArguments {
  @Flag(help: "Continue from the checkpoint, if there is one.")
  var resume = false
  @Flag(help: "Replace a previous training in the same folders.")
  var overwrite = false
  @Option(
    help: ArgumentHelp(
      "Write a checkpoint after this many batches, too. (default: after each epoch)", valueName: "batches",
      visibility: .rare),
    transform: wholeNumber(1...1_000_000_000))
  var checkpointEvery: Int?
  @Option(
    help: ArgumentHelp(
      "The folder for the checkpoint. (default: MODEL-DIR/checkpoints)", valueName: "folder",
      visibility: .rare))
  var checkpointDir: String?
  @Option(
    help: ArgumentHelp(
      "The folder for metrics.jsonl and training.html. (default: MODEL-DIR)", valueName: "folder",
      visibility: .rare))
  var outputDir: String?
  @Flag(
    help: ArgumentHelp(
      "Train on damaged images, too. (default: use others instead, and warn)", visibility: .rare))
  var keepDamaged = false
  @Flag(help: "Also write model.tar.gz, as SageMaker does.")
  var archive = false
  @OptionGroup var threads: ThreadCount
}

/// Shows a training on stderr: SageMaker's log lines and, on a terminal, a progress bar instead of the lines within an
/// epoch. The bar shows the time left for the whole training; without a terminal, a line at every tenth does.
final class TrainingScreen {
  private let log: TrainingLog
  private let isQuiet: Bool
  private let isTerminal = isatty(STDERR_FILENO) == 1
  private let display: ProgressDisplay
  private var run = RunClock()

  init(log: TrainingLog, quiet: Bool) {
    self.log = log
    isQuiet = quiet
    display = ProgressDisplay(unit: "images", quiet: quiet)
  }

  func take(_ event: TrainingEvent) {
    switch event {
    case .progress(let epoch, let epochs, let batch, let batchCount, let images, _):
      let whole = Double(max(1, batchCount)) * Double(max(1, epochs))
      run.advance(to: Double(epoch * batchCount + batch + 1) / whole, by: 1 / whole)
      // Without a terminal, a line every 10 % of each epoch would flood the log.
      guard isTerminal else { return }
      let (done, total) = ((batch + 1) * images, batchCount * images)
      display.update(
        done: done, total: total, skipped: 0, fraction: Double(done) / Double(max(1, total)),
        label: "epoch \(epoch) of \(epochs)", rest: run.timeLeft().map { "ETA of all epochs \($0)" })
    case .validating(let epoch, let epochs, let done, let total):
      guard isTerminal else { return }
      display.update(
        done: done, total: total, skipped: 0, fraction: Double(done) / Double(max(1, total)),
        label: "validation of epoch \(epoch) of \(epochs)",
        rest: run.timeLeft().map { "ETA of all epochs \($0)" })
    case .speed where isTerminal: break
    case .speed, .validated:
      write(log.lines(event))
      if !isTerminal, let words = run.news() { write(log.info([words])) }
    case .warning:
      display.finish()
      for line in log.lines(event) { writeToErrorOutput(printable(line) + "\n") }
    default: write(log.lines(event))
    }
  }

  func write(_ lines: [String]) {
    if isQuiet || lines.isEmpty { return }
    display.finish()
    // Escaped between tabs, because the tabs belong to SageMaker's format.
    for line in lines {
      writeToErrorOutput(
        line.split(separator: "\t").map { printable(String($0)) }.joined(separator: "\t") + "\n")
    }
  }

  func finish() { display.finish() }
}

/// The progress of a whole training, and the time left at its average speed, validations included.
struct RunClock {
  private let start: ContinuousClock.Instant
  /// The fraction of all epochs that was done at the start; above 0 for a resumed training.
  private var firstFraction: Double?
  private var fraction = 0.0
  private var toldTenths = -1

  init(start: ContinuousClock.Instant = .now) { self.start = start }

  /// - Parameters:
  ///   - fraction: the fraction of the training that is done, 0...1.
  ///   - step: the fraction of the training that one batch makes up.
  mutating func advance(to fraction: Double, by step: Double) {
    if firstFraction == nil { firstFraction = fraction - step }
    self.fraction = fraction
  }

  /// The time left, such as "1:02:03"; nil before the first batch and at the end.
  func timeLeft(at time: ContinuousClock.Instant = .now) -> String? {
    guard let firstFraction, fraction > firstFraction, fraction < 1 else { return nil }
    return clockText((time - start) / .seconds(1) * (1 - fraction) / (fraction - firstFraction))
  }

  /// A line about the time left: as soon as it is known, and then once for each further tenth; nil in between.
  mutating func news(at time: ContinuousClock.Instant = .now) -> String? {
    guard let left = timeLeft(at: time) else { return nil }
    let tenths = (1...10).last { Double($0) / 10 <= fraction + 1e-9 } ?? 0
    guard tenths > toldTenths else { return nil }
    toldTenths = tenths
    return "\(rounded(fraction * 100)) % of the training is done; ETA \(left)"
  }
}

/// How the program was started: alone, or by `mpirun` as one of several ranks.
enum RankLaunch {
  /// Runs `body` as one of several ranks if `mpirun` started this process, otherwise alone. An error of all ranks is
  /// reported by one of them, and no rank waits for one that has failed.
  ///
  /// - Throws: alone, what `body` throws; as one of several ranks, `ExitCode` after the error has been reported.
  static func run(_ body: (Ranks) throws -> Void) throws {
    guard let count = number("OMPI_COMM_WORLD_SIZE") ?? number("PMI_SIZE"), count > 1 else {
      return try body(Ranks())
    }
    #if MPI
      guard number("OMPI_COMM_WORLD_SIZE") != nil, let exchange = OpenMPIExchange(),
        exchange.rankCount == count
      else { throw UnusableLaunch(count: count, isBuiltWithMPI: true) }
      let ranks = Ranks(exchange)
      do {
        try body(ranks)
        exchange.leave()
      } catch {
        try end(error, ranks, exchange)
      }
    #else
      throw UnusableLaunch(count: count, isBuiltWithMPI: false)
    #endif
  }

  #if MPI
    private static func end(_ error: any Error, _ ranks: Ranks, _ exchange: OpenMPIExchange) throws -> Never {
      // Rank 0 is done but skipped some images; the other ranks have succeeded.
      if let code = error as? ExitCode {
        exchange.leave()
        throw code
      }
      guard let speaker = ranks.speaker else {
        // The other ranks do not know of this error, and may be waiting for this one.
        let status = Imrec.report(error)
        exchange.abort(status: status)
        throw ExitCode(status)
      }
      let status = speaker == ranks.rank ? Imrec.report(error) : ExitStatus.failed
      exchange.leave()
      throw ExitCode(status)
    }
  #endif

  /// The default number of threads: the cores that this process may use, divided among the ranks on this machine unless
  /// the process is already bound to some of the cores.
  static var threadCount: Int {
    let cores = Workers.coreCount
    guard cores >= sysconf(Int32(_SC_NPROCESSORS_ONLN)), let local = number("OMPI_COMM_WORLD_LOCAL_SIZE")
    else {
      return cores
    }
    return max(1, cores / max(1, local))
  }

  private static func number(_ variable: String) -> Int? {
    guard let text = unsafe getenv(variable) else { return nil }
    return unsafe Int(String(cString: text))
  }
}

/// The processes cannot communicate: each would train by itself and overwrite the others' files.
struct UnusableLaunch: Error {
  let count: Int
  let isBuiltWithMPI: Bool

  var sentence: String {
    "this is one of \(count) processes started to train together, but it "
      + (isBuiltWithMPI ? "cannot reach the others" : "was built without MPI")
      + "; each would overwrite the others' model"
  }

  var remedy: String {
    isBuiltWithMPI
      ? "Start it with the mpirun of the Open MPI version that it was built with."
      : "Build it with: swift build -c release --traits MPI (Debian: install libopenmpi-dev first), or start it without mpirun."
  }
}
