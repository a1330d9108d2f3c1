import ArgumentParser
import Files
import Foundation
import SageMaker
import Search
import Terminal
import Tuning

struct TuneCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "tune",
    abstract: "Search for hyperparameters that train well.",
    discussion: """
      REQUEST is a CreateHyperParameterTuningJob of SageMaker as a file; each job trains in its own process,
      with its share of the threads.
      EXAMPLE: imrec tune request.json --output tuning
      Ctrl-C and SIGTERM stop the jobs cleanly; the same command with --resume continues, even after kill -9.
      """)

  @Argument(help: "A JSON file; an S3Uri in it may be a path or a file:// URL.")
  var request: String
  @Option(
    name: [.short, .long],
    help: ArgumentHelp("The folder for tuning.json, tuning.html and the jobs.", valueName: "folder"))
  var output: String
  @Flag(help: "Continue the tuning in the folder, where an earlier run stopped.")
  var resume = false
  @OptionGroup var threads: ThreadCount
  @OptionGroup(title: "Output") var options: OutputOptions

  func run() async throws {
    let asked = try readRequest()
    let (runner, warnings) = try makeRunner(asked)
    let folder = try TuningFolder(output, asked)
    let record = try start(asked, folder)
    for warning in asked.warnings() + warnings + [folder.lockWarning].compactMap(\.self) {
      options.words.warn(printable(warning))
    }
    let screen = TuningScreen(asked, words: options.words)
    let tuning = try TuningRun(
      asked, record: record, runner: runner, keep: folder.keep, tell: screen.take,
      now: { Date().timeIntervalSince1970 })
    let last = try await tuning.run()
    try finish(last, asked, folder)
  }

  @inline(never)
  private func readRequest() throws -> TuningRequest {
    do {
      return try TuningRequest(json: readFile(request, limit: 1 << 24).bytes)
    } catch let error as FileError {
      throw error
    } catch let error as TuningError {
      throw TuningError("\(request): \(error)", lacks: error.lack)
    } catch {
      throw TuningError("\(request): \(error)")
    }
  }

  /// The record of an earlier run, or a new one.
  @inline(never)
  private func start(_ asked: TuningRequest, _ folder: TuningFolder) throws -> TuningRecord {
    if let record = try folder.record() {
      guard resume else {
        throw TuningError("\(output): this folder already holds a tuning", lacks: .permission)
      }
      return record
    }
    var record = TuningRecord(asked.json)
    record.warmStart = try asked.loadParents(beside: output)
    return record
  }

  /// Checks everything that can be checked before the first job.
  @inline(never)
  private func makeRunner(_ asked: TuningRequest) throws -> (DefinitionRunners, warnings: [String]) {
    try asked.checkHyperparameters()
    var warnings: [String] = []
    let runners = try asked.definitions.map { definition in
      let (runner, more) = try makeRunner(ofDefinition: definition, parallelJobs: asked.parallelJobs)
      for warning in more where !warnings.contains(warning) { warnings.append(warning) }
      return runner
    }
    return (DefinitionRunners(runners), warnings)
  }

  private func makeRunner(
    ofDefinition asked: TuningRequest, parallelJobs: Int
  ) throws -> (TrainingProcess, warnings: [String]) {
    let inputs = try TrainingInputs(asked.channels)
    var runner = TrainingProcess(folder: output, inputs: inputs, objective: try Objective(asked))
    runner.threads = max(1, threads.count / parallelJobs)
    runner.timeLimit = asked.jobSeconds.map { .seconds($0) }
    var warnings: [String] = []
    if let place = asked.outputPath {
      if place.contains("://"), !place.lowercased().hasPrefix("file://") {
        warnings.append("\(place) is not on this machine, so the models stay in \(output)")
      } else {
        runner.outputFolder = try Channel.pathHere(place)
      }
    }
    return (runner, warnings)
  }

  @inline(never)
  private func finish(_ record: TuningRecord, _ asked: TuningRequest, _ folder: TuningFolder) throws {
    switch record.status {
    case .stopped, .inProgress:
      throw StoppedRun(remedy: "Finished jobs are kept; run the same command with --resume to continue.")
    case .failed: throw TuningError(record.failureReason ?? "the tuning failed")
    case .completed: break
    }
    let text =
      options.json ? try folder.description(of: record) : TuningText(asked, record, folder: output).table
    guard writeToOutput(text) else { throw OutputClosed() }
    if record.count(.failed) > 0 { throw ExitCode(ExitStatus.someSkipped) }
  }
}
