import Encodings
import Files
import FoundationEssentials
import Glibc
import Hyperparameters
import Jobs
import Models
import Synchronization

/// Runs each job as a child process, `imrec train`, in its own folder.
public struct TrainingProcess: JobRunner {
  /// The tuning's folder. It contains a folder for each job, with the job's name.
  public let folder: String
  let inputs: TrainingInputs
  let objective: Objective
  /// Compute threads per job.
  public var threads = 1
  /// The time limit of each job; nil means none.
  public var timeLimit: Duration?
  /// The folder to write `<job>/output/model.tar.gz` to, as SageMaker does with S3OutputPath; nil to write no archive.
  public var outputFolder: String?
  /// The command that runs imrec; the arguments of a job are appended to it.
  public var program = Command.thisProgram
  /// The time between SIGTERM and SIGKILL when a job is stopped.
  public var gracePeriod = Duration.seconds(120)

  static let modelName = "model", logName = "train.log"

  public init(folder: String, inputs: TrainingInputs, objective: Objective) {
    (self.folder, self.inputs, self.objective) = (folder, inputs, objective)
  }

  public func run(
    _ order: JobOrder, report: @escaping @Sendable (JobProgress) async -> Verdict
  ) async throws -> JobOutcome {
    let place = join(folder, order.name)
    try makeFolder(place)
    try writeFile(
      join(place, "hyperparameters.json"), JSON.text(order.hyperparameters, style: .document))
    let log = join(place, Self.logName)
    let logStart = FileStamp(path: log)?.byteCount ?? 0
    var command = Command(program, arguments(order, place), folder: workingFolder(), logPath: log)
    command.environment = Self.environment
    command.timeLimit = timeLimit
    command.gracePeriod = gracePeriod
    let reader = ObjectiveReader(objective, known: order.known, report: report)
    let handle = ChildHandle()
    let watched =
      switch objective.source {
      case .figure: join(place, "metrics.jsonl")
      case .pattern: log
      }
    let started = command
    let ending = try await followLines(
      of: watched, take: { if await reader.take($0) == .stop { handle.stop() } },
      during: { try await Jobs.run(started, started: { handle.set($0) }) })
    let outcome = outcome(
      ending,
      reason: {
        lastWords(of: log, from: logStart, byteCount: 1 << 16, prefixes: ["imrec: ", "Error: "])
          ?? ending.sentence
      })
    if case .failed = outcome { return outcome }
    try publishModel(order.name, place)
    return outcome
  }

  private func outcome(_ ending: Ending, reason: () -> String) -> JobOutcome {
    switch ending.status {
    // Status 2: the training completed, but some images were skipped.
    case .exited(0), .exited(2): return .completed
    default: break
    }
    return ending.cause == .itself ? .failed(ending.isOutOfMemory ? ending.sentence : reason()) : .stopped
  }

  private func arguments(_ order: JobOrder, _ place: String) -> [String] {
    var arguments = ["train"]
    for (name, source) in [("train", inputs.train), ("validation", inputs.validation)] {
      arguments += ["--\(name)", source.path]
      let prefix = name == "train" ? "--" : "--validation-"
      switch source {
      case .records: break
      case .list(_, let root): arguments += [prefix + "root", root]
      case .manifest(_, let options):
        if let label = options.label { arguments += [prefix + "label-attribute", label] }
      }
    }
    if inputs.train.labelsAreClassIDs { arguments += ["--label-format", "class-id"] }
    if let model = inputs.pretrained { arguments += ["--model", model] }
    return arguments + [
      "--model-dir", join(place, Self.modelName), "--output-dir", place, "--checkpoint-dir",
      join(place, "checkpoints"),
      "--hyperparameters", join(place, "hyperparameters.json"), "--threads", "\(threads)", "--resume",
    ]
  }

  /// The current directory, so that relative paths mean the same to the child process.
  private func workingFolder() -> String { FileManager.default.currentDirectoryPath }

  /// The environment of this process, without the MPI variables that would make a job one rank of a distributed training.
  static var environment: [String: String] {
    ProcessInfo.processInfo.environment.filter { name, _ in
      !["OMPI_", "PMI_", "PMIX_"].contains { name.hasPrefix($0) }
    }
  }

  /// Writes the archive of a job's model to `outputFolder`.
  private func publishModel(_ name: String, _ place: String) throws {
    guard let outputFolder else { return }
    let model = join(place, Self.modelName)
    let names = (try? FileManager.default.contentsOfDirectory(atPath: model).sorted()) ?? []
    let files = names.filter { $0.hasSuffix(".params") || $0.hasSuffix(".json") || $0 == "classes.txt" }
    // A job that was stopped before the end of its first epoch has no parameters.
    guard files.contains(where: { $0.hasSuffix(".params") }) else { return }
    let target = join(outputFolder, "\(name)/output")
    try makeFolder(target)
    try writeModelArchive(join(target, "model.tar.gz"), files: files.map { join(model, $0) })
  }
}

/// A child process that can be asked to stop before it has started.
private final class ChildHandle: Sendable {
  private let state = Mutex<(child: Child?, isStopped: Bool)>((nil, false))

  func set(_ child: Child) {
    let isStopped = state.withLock { state in
      state.child = child
      return state.isStopped
    }
    if isStopped { child.stop() }
  }

  func stop() {
    let child = state.withLock { state in
      state.isStopped = true
      return state.child
    }
    child?.stop()
  }
}
