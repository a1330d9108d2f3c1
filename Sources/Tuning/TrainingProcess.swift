import Encodings
import Files
import FoundationEssentials
import Glibc
import Hyperparameters
import Jobs
import Models
import Synchronization

/// Trains each job by `imrec train`, a process of its own, in a folder of its own.
public struct TrainingProcess: JobRunner {
  /// The tuning's folder; a job's is in it, by its name.
  public let folder: String
  let inputs: TrainingInputs
  let objective: Objective
  /// Of each job.
  public var threads = 1
  public var timeLimit: Duration?
  /// A folder that gets `<job>/output/model.tar.gz`, as SageMaker's S3OutputPath does.
  public var outputFolder: String?
  /// The program and what stands before its arguments.
  public var program = Command.thisProgram
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
    // 2: done, but some images were skipped.
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

  /// Relative paths are those of this process.
  private func workingFolder() -> String { FileManager.default.currentDirectoryPath }

  /// This process's, without what would make a training one of several ranks.
  static var environment: [String: String] {
    ProcessInfo.processInfo.environment.filter { name, _ in
      !["OMPI_", "PMI_", "PMIX_"].contains { name.hasPrefix($0) }
    }
  }

  private func publishModel(_ name: String, _ place: String) throws {
    guard let outputFolder else { return }
    let model = join(place, Self.modelName)
    let names = (try? FileManager.default.contentsOfDirectory(atPath: model).sorted()) ?? []
    let files = names.filter { $0.hasSuffix(".params") || $0.hasSuffix(".json") || $0 == "classes.txt" }
    // Stopped before its first epoch was done.
    guard files.contains(where: { $0.hasSuffix(".params") }) else { return }
    let target = join(outputFolder, "\(name)/output")
    try makeFolder(target)
    try writeModelArchive(join(target, "model.tar.gz"), files: files.map { join(model, $0) })
  }
}

/// A child that may be asked to stop before it is there.
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
