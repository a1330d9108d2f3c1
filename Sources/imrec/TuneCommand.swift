import ArgumentParser
import Encodings
import Files
import Foundation
import Hyperparameters
import Reporting
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
    let folder = try TuningFolder(output, asked, page: { $0.html() })
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

/// Shows the events of a tuning on stderr, one line each.
struct TuningScreen {
  private let request: TuningRequest
  private let words: Words

  init(_ request: TuningRequest, words: Words) { (self.request, self.words) = (request, words) }

  @Sendable func take(_ event: TuningEvent) {
    switch event {
    case .began(let job, let resumes):
      let values = request.definition(of: job).plan.space.parameters.map {
        "\($0.name) \(shownValue(job.tuned[$0.name] ?? ""))"
      }
      let epochs = job.resource.map { ", up to \(counted($0, "epoch"))" } ?? ""
      note("\(title(job)) \(resumes ? "resumes" : "starts"): \(values.joined(separator: ", "))\(epochs)")
    case .progress(let job):
      guard let value = job.curve.last else { return }
      note("\(title(job)), \(counted(job.curve.count, "epoch")): \(metric(job)) \(shownObjective(value))")
    case .ended(let job, let isBest):
      let result = job.score.map { "\(metric(job)) \(shownObjective($0))" } ?? "no \(metric(job))"
      let status = job.wasStoppedEarly ? "was stopped early" : Self.ends[job.status] ?? ""
      if let reason = job.failureReason {
        words.warn(printable("\(title(job)) failed: \(reason)"))
      } else {
        note("\(title(job)) \(status): \(result)\(isBest ? ", the best so far" : "")")
      }
    case .ending(let reason): note("no further job starts: \(reason)")
    case .warning(let sentence): words.warn(printable(sentence))
    }
  }

  private static let ends: [JobRecord.Status: String] = [
    .completed: "is done", .stopped: "was stopped", .failed: "failed",
  ]

  private func title(_ job: JobRecord) -> String {
    let name = request.definitions.count > 1 ? request.definition(of: job).definitionName : nil
    return "job \(job.number)\(request.jobs.map { " of \($0)" } ?? "")\(name.map { " (\($0))" } ?? "")"
  }

  private func metric(_ job: JobRecord) -> String { request.definition(of: job).metric }

  private func note(_ sentence: String) { words.note(printable(sentence)) }
}

/// An objective as the terminal shows it: four decimals.
func shownObjective(_ value: Double) -> String {
  guard value.isFinite else { return value.isNaN ? "nan" : value < 0 ? "-inf" : "inf" }
  return abs(value) < 1e6 ? String(format: "%.4f", value) : String(format: "%.3e", value)
}

/// A hyperparameter's value with four significant digits; whole numbers and words are unchanged.
func shownValue(_ text: String) -> String {
  guard Int(text) == nil, let value = Double(text), value.isFinite else { return text }
  let short = String(format: "%.4g", value)
  return short.utf8.count < text.utf8.count ? short : text
}

/// All jobs of a tuning as a table for the terminal, the best first; at most 100 columns wide.
struct TuningText {
  let table: String

  private static let width = 100
  private static let gap = 2

  init(_ request: TuningRequest, _ record: TuningRecord, folder: String) {
    let isBetter = request.plan.direction.isBetter
    let best = record.best(isBetter)
    var names: [String] = []
    for parameter in request.definitions.flatMap(\.plan.space.parameters)
    where !names.contains(where: { hasSameBytes($0, parameter.name) }) {
      names.append(parameter.name)
    }
    var rows = [["job", request.metric, "status"] + names]
    for job in Self.sorted(record.jobs, best, isBetter) {
      rows.append(
        [
          (job.number == best?.number ? "* " : "  ") + job.name, job.score.map { shownObjective($0) } ?? "-",
          job.wasStoppedEarly ? "Stopped early" : job.status.rawValue,
        ] + names.map { shownValue(job.tuned[$0] ?? "") })
    }
    let widths = Self.widths(of: rows.map { $0.map(printable) })
    var text = ""
    for row in rows {
      var line = zip(row, widths).map { padded(fitted(printable($0), $1), $1) }
        .joined(separator: String(repeating: " ", count: Self.gap))
      while line.last == " " { line.removeLast() }
      text += line + "\n"
    }
    if widths.count < rows[0].count {
      text +=
        "not shown: \(rows[0][widths.count...].map(printable).joined(separator: ", ")); tuning.json has them\n"
    }
    if let best, let score = best.score {
      text +=
        "\nbest: \(printable(best.name)), \(request.definition(of: best).metric) \(shownObjective(score)); its model: "
      text += printable(folder) + "/best\n"
    }
    if let reason = record.completionReason { text += "ended before its last job: \(printable(reason))\n" }
    table = text
  }

  /// Sorts the jobs: the best one first, then the others by their objective, then those without one by number.
  private static func sorted(
    _ jobs: [JobRecord], _ best: JobRecord?, _ isBetter: (Double, Double) -> Bool
  ) -> [JobRecord] {
    jobs.sorted { left, right in
      if left.number == best?.number || right.number == best?.number { return left.number == best?.number }
      switch (left.score, right.score) {
      case (let one?, let other?) where one != other: return isBetter(one, other)
      case (_?, nil): return true
      case (nil, _?): return false
      default: return left.number < right.number
      }
    }
  }

  /// The widths of the columns that fit. The widest column shrinks first; then the last hyperparameters are left out.
  private static func widths(of rows: [[String]]) -> [Int] {
    var widths = rows[0].indices.map { column in rows.map { columnCount($0[column]) }.max() ?? 0 }
    func all() -> Int { widths.reduce(0, +) + gap * (widths.count - 1) }
    while all() > width {
      // A job's name needs more room, because its end tells jobs apart.
      let room = widths.indices.map { widths[$0] - ($0 == 0 ? 30 : 9) }
      if let most = room.max(), most > 0, let column = room.firstIndex(of: most) {
        widths[column] -= 1
      } else if widths.count > 3 {
        widths.removeLast()
      } else {
        break
      }
    }
    return widths
  }
}
