import Endpoints
import Files
import FoundationEssentials
import HTTP
import HTTPTypes
import HummingbirdCore
import Hyperparameters
import NIOCore
import Predictions
import Reporting
import SageMaker
import Scoring
import ServiceLifecycle
import Synchronization

extension DashboardService {
  /// The start page: jobs of all kinds, newest first, and the endpoints in service.
  func overview(_ query: Query) async throws -> SitePage {
    let kind = query["kind"].flatMap { JobKind(rawValue: $0) }
    let listing = try await source.jobs(kind, ListPage(after: query["after"]))
    var page = sitePage("Jobs", in: .jobs)
    var filters = [Block.Link("All", "/", isCurrent: kind == nil)]
    filters += JobKind.allCases.map {
      Block.Link($0.words, "/?kind=\($0.rawValue)", isCurrent: kind == $0)
    }
    let words = kind.map { "\($0.words) jobs, newest first" } ?? "All jobs, newest first"
    var pager: [Block.Link] = []
    if query["after"] != nil {
      pager.append(Block.Link("Newest", "/" + Query.text([("kind", kind?.rawValue)]), rel: "first"))
    }
    if let next = listing.next {
      pager.append(
        Block.Link("Older", "/" + Query.text([("kind", kind?.rawValue), ("after", next)]), rel: "next"))
    }
    page.sections = [
      Section(
        "jobs", words,
        [
          Block.links(filters),
          jobTable("jobs-table", words, listing.rows)
            ?? Block.text(
              kind == nil
                ? "No jobs yet. Set AWS_ENDPOINT_URL to this server and create one with boto3's create_training_job."
                : "No jobs of this kind."), Block.links(pager),
        ])
    ]
    let summaries = fleet.summaries
    if !summaries.isEmpty {
      page.sections.append(Section("endpoints", "Endpoints", [endpointTable(summaries, [])]))
    }
    return page
  }

  func jobTable(_ id: String, _ caption: String, _ rows: [JobRow]) -> Node? {
    var table = Table(
      id, caption, text: ["Name", "Kind", "State", "Created (UTC)"], numbers: ["Duration", "Result"])
    for row in rows {
      table.add([
        Cell.head(row.name, href: Self.address(row)), Cell.text(row.kind.words),
        Cell.state(row.status, Self.mood(row.status)), Cell.text(Self.time(row.created)),
        Cell.number(row.ended == nil ? "" : Self.duration(row)), Cell.number(row.note ?? ""),
      ])
    }
    return Block.table(table)
  }

  /// A job's page with its heading, status, times and failure reason.
  private func jobPage(_ row: JobRow, failure: String?) -> SitePage {
    var page = sitePage(row.name, in: .jobs)
    page.trail = [("Jobs", "/"), (row.kind.words, "/?kind=\(row.kind.rawValue)")]
    page.state = (row.status, Self.mood(row.status))
    if let failure, !failure.isEmpty { page.notice = (failure, false) }
    page.addFact("Created", Self.time(row.created) + " UTC")
    if let ended = row.ended {
      page.addFact("Ended", Self.time(ended) + " UTC")
      page.addFact("Duration", Self.duration(row))
    }
    return page
  }

  func trainingJob(_ name: String) async throws -> SitePage {
    guard let job = try await source.trainingJob(name) else { throw PageError.missing("training job", name) }
    var page = jobPage(job.row, failure: job.failureReason)
    page.addFact("Phase", job.secondaryStatus)
    if let tuning = job.tuningJob {
      page.addFact("Tuning job", tuning, href: Self.address("tuning-jobs", tuning))
    }
    page.addFact("Result", job.row.note)
    Self.add(job.facts, to: &page)
    if Self.mood(job.row.status) == .active {
      page.live = Self.address("training-jobs", name, "events")
    }
    var report = TrainingReport()
    report.epochs = EpochRecord.read(job.metrics, limit: 5000)
    if var curves = report.curves {
      if job.report != nil {
        curves.blocks.append(
          Block.links([Block.Link("Full report", Self.address("training-jobs", name, "report"))]) ?? [:])
      }
      page.sections.append(curves)
    }
    page.sections.append(
      Section(
        "log-section", "Log",
        [
          job.log.isEmpty
            ? Block.note("Nothing has been logged yet.")
            : Block.note("The last \(counted(job.log.count, "line"))."),
          Block.log("log", "Log", job.log),
        ]))
    if let table = Self.factsTable("hyperparameters-table", "As given in the request", job.hyperparameters) {
      page.sections.append(Section("hyperparameters", "Hyperparameters", [table]))
    }
    return page
  }

  func trainingReport(_ name: String) async throws -> Response {
    guard let html = try await source.trainingJob(name)?.report else {
      throw PageError.missing("report of the training job", name)
    }
    return report(html)
  }

  func tuningJob(_ name: String) async throws -> SitePage {
    guard let job = try await source.tuningJob(name) else { throw PageError.missing("tuning job", name) }
    var page = jobPage(job.row, failure: job.failureReason)
    page.addFact("Strategy", job.strategy)
    page.addFact("Objective", "\(job.isMaximized ? "Maximize" : "Minimize") \(job.objective)")
    Self.add(job.facts, to: &page)
    if Self.mood(job.row.status) == .active { page.live = nil }
    let best = job.trials.filter { $0.objective?.isFinite == true }.max {
      let (a, b) = ($0.objective ?? 0, $1.objective ?? 0)
      return job.isMaximized ? a < b : a > b
    }
    if let best {
      page.addFact("Best job", best.row.name, href: Self.address(best.row))
      page.addFact("Best objective", decimal(best.objective ?? 0, 5))
    }
    if let chart = parallelCoordinates(job, best: best?.row.name).chart(
      id: "parallel", title: "Parameters and objective of each job")
    {
      page.sections.append(
        Section(
          "picture", "Parameters and objective",
          [
            Block.chart(
              chart, table: nil,
              note:
                "Each line is a job; the thick line is the best one. Dashed lines are jobs without a result.")
          ]))
    }
    var table = Table(
      "trials-table", "Training jobs of this search", text: ["Name", "State"],
      numbers: [job.objective] + job.parameters.map(\.name))
    for trial in job.trials.prefix(1000) {
      table.add(
        [
          Cell.head(
            trial.row.name + (trial.row.name == best?.row.name ? " (best)" : ""),
            href: Self.address(trial.row)),
          Cell.state(trial.row.status, Self.mood(trial.row.status)), Cell.decimal(trial.objective, 5),
        ] + job.parameters.map { Cell.number(Self.shortNumber(trial.parameters[$0.name])) })
    }
    if job.trials.count > 1000 { table.rest = "The first 1,000 of \(whole(job.trials.count)) jobs." }
    page.sections.append(
      Section(
        "jobs", "Jobs", [Block.table(table) ?? Block.text("No training job of this search has started yet.")])
    )
    return page
  }

  /// A parameter value for a table cell: a long number is rounded, any other text is unchanged.
  private static func shortNumber(_ text: String?) -> String {
    guard let text else { return "–" }
    guard text.count > 9, let value = Double(text), value.isFinite, value != 0 else { return text }
    let size = abs(value)
    if size >= 1e-3 && size < 1e6 { return decimal(value, size >= 100 ? 2 : size >= 1 ? 4 : 6) }
    var (number, power) = (value, 0)
    while abs(number) >= 10 { (number, power) = (number / 10, power + 1) }
    while abs(number) < 1 { (number, power) = (number * 10, power - 1) }
    return "\(decimal(number, 3))e\(power)"
  }

  private func parallelCoordinates(_ job: TuningJobView, best: String?) -> ParallelCoordinates {
    var axes = job.parameters.map { parameter in
      switch parameter.kind {
      case .range(let low, let high, let isLogarithmic):
        ParallelCoordinates.Axis(
          parameter.name, isLogarithmic && low > 0 ? .logarithmic(low, high) : .linear(low, high))
      case .categories(let names): ParallelCoordinates.Axis(parameter.name, .categories(names))
      }
    }
    let values = job.trials.compactMap(\.objective).filter(\.isFinite)
    axes.append(.init(job.objective, .linear(values.min() ?? 0, values.max() ?? 1)))
    let strands = job.trials.prefix(1000).map { trial in
      ParallelCoordinates.Strand(
        job.parameters.map { trial.parameters[$0.name] } + [trial.objective.map { "\($0)" }],
        trial.row.name == best ? .best : trial.objective == nil ? .failed : .usual)
    }
    return ParallelCoordinates(axes: axes, strands: Array(strands))
  }

  func transformJob(_ name: String) async throws -> SitePage {
    guard let job = try await source.transformJob(name) else {
      throw PageError.missing("transform job", name)
    }
    var page = jobPage(job.row, failure: job.failureReason)
    page.addFact("Model", job.model, href: "/-/models")
    page.addFact("Result", job.row.note)
    Self.add(job.facts, to: &page)
    guard job.outputs != nil else { return page }
    page.sections.append(
      Section(
        "score", "Accuracy",
        lead: "Compare the outputs with the ground truth to get an accuracy report.",
        [
          Block.form(
            "score-form", to: Self.address("transform-jobs", name, "score"), button: "Create report",
            [
              .init(
                "path", "Ground truth on this machine or in S3", .text,
                hint:
                  "A .lst, .rec, CSV or JSON Lines file, or a folder with one folder per class; a path or s3:// URI."
              ),
              .init("file", "Or upload a file", .file(accept: ".lst,.csv,.tsv,.jsonl", isRequired: false)),
            ])
        ]))
    return page
  }

  /// The accuracy report of a transform job, as a response.
  func score(_ name: String, _ request: Request) async throws -> Response {
    let form = try await form(request, limit: ScoreOnDemand.truthByteLimit)
    guard let job = try await source.transformJob(name), let outputs = job.outputs else {
      throw PageError.missing("output of the transform job", name)
    }
    do {
      let details = [Detail("Transform job", name), Detail("Model", job.model)]
      if let file = form.file("file") {
        let suffixes = [".lst", ".csv", ".tsv", ".jsonl", ".json", ".ndjson"]
        let suffix = suffixes.first { file.fileName?.lowercased().hasSuffix($0) == true } ?? ".lst"
        let html = try await scoring.report(
          outputs: outputs, sentTruth: file.bytes, suffix: suffix, classes: job.classes,
          details: details + [Detail("Truth", file.fileName ?? "an uploaded file")])
        return report(Array(html.utf8))
      }
      guard let reference = form.text("path") else {
        throw PageError(.badRequest, "Give a path, or upload a file.")
      }
      guard let path = try await source.localPath(of: reference) else {
        throw PageError(.badRequest, "There is no \(reference) on this machine or in its S3.")
      }
      let html = try await scoring.report(
        outputs: outputs, truth: path, classes: job.classes, details: details + [Detail("Truth", reference)])
      return report(Array(html.utf8))
    } catch let refusal as ScoreOnDemand.Refusal {
      throw PageError(refusal.isBusy ? .serviceUnavailable : .badRequest, refusal.description)
    }
  }
}

extension JobKind {
  var words: String {
    switch self {
    case .training: "Training"
    case .tuning: "Tuning"
    case .transform: "Transform"
    }
  }
}

/// Counts the open event streams and limits their number.
final class LiveStreams: Sendable {
  private let count = Mutex(0)
  private let limit: Int

  init(limit: Int) { self.limit = limit }

  /// Opens a stream; false if the limit is reached.
  func enter() -> Bool {
    count.withLock { count in
      guard count < limit else { return false }
      count += 1
      return true
    }
  }

  var isEmpty: Bool { count.withLock { $0 == 0 } }

  func leave() { count.withLock { $0 -= 1 } }
}

extension DashboardService {
  /// The events of a training job as Server-Sent Events. The stream ends with the job, the client or the server.
  func events(_ name: String, _ client: ClientPresence?) async throws -> Response {
    guard try await source.trainingJob(name) != nil else { throw PageError.missing("training job", name) }
    let events = try await source.events(ofTrainingJob: name)
    // For a slow client the oldest pieces are dropped; a reload of the page shows them.
    let (pieces, source) = AsyncStream.makeStream(of: String.self, bufferingPolicy: .bufferingNewest(256))
    client?.onLeaving { source.finish() }
    return Response(
      status: .ok, headers: [.contentType: "text/event-stream", .cacheControl: "no-store"],
      body: ResponseBody { writer in
        guard streams.enter() else {
          // The limit is reached; the client reconnects in a minute.
          try await writer.write(ByteBuffer(string: "retry: 60000\n\n"))
          return try await writer.finish(nil)
        }
        defer {
          streams.leave()
          client?.forget()
        }
        var out = writer
        await withGracefulShutdownHandler {
          await withTaskGroup(of: Void.self) { group in
            group.addTask {
              for await event in events { source.yield(Self.text(event)) }
              source.yield("event: ended\ndata: \n\n")
              source.finish()
            }
            source.yield(": here\n\n")
            for await piece in pieces {
              do { try await out.write(ByteBuffer(string: piece)) } catch { break }
            }
            group.cancelAll()
          }
        } onGracefulShutdown: {
          source.finish()
        }
        writer = out
        try await writer.finish(nil)
      })
  }

  private static func text(_ event: JobEvent) -> String {
    switch event {
    case .changed: return "event: changed\ndata: \n\n"
    case .log(let line):
      // A line feed in the data would start another field.
      let safe = line.unicodeScalars.map { $0.value < 0x20 && $0 != "\t" ? " " : String($0) }.joined()
      return "event: log\ndata: \(safe)\n\n"
    }
  }
}

/// Makes accuracy reports of transform jobs on request, one at a time, on a dedicated thread.
final class ScoreOnDemand: Sendable {
  /// Why no report was made.
  struct Refusal: Error, CustomStringConvertible {
    let description: String
    /// Whether another report is being made, so that a retry may succeed.
    var isBusy = false
  }
  /// The largest ground truth that can be uploaded, in bytes.
  static let truthByteLimit = 32 << 20

  /// Not a Mutex: in release builds swiftc 6.3.1 unlocked it after the await, on another thread than had locked it.
  private let isRunning = Atomic(false)
  private let thread = OwnThreads()

  /// The report as HTML.
  ///
  /// - Parameters:
  ///   - outputs: the folder of the `.out` files.
  ///   - truth: the local path of the ground truth.
  ///   - classes: the path of a file of class names, one per line; nil to take those of the ground truth.
  ///   - details: what the report says about its origin.
  /// - Throws: `Refusal`; `CancellationError`.
  func report(outputs: String, truth: String, classes: String?, details: [Detail]) async throws -> String {
    let begins = isRunning.compareExchange(expected: false, desired: true, ordering: .acquiringAndReleasing)
    guard begins.exchanged else {
      throw Refusal(description: "Another report is being made; try again when it is done.", isBusy: true)
    }
    defer { isRunning.store(false, ordering: .releasing) }
    return try await withTaskExecutorPreference(thread) {
      do {
        var run = try ScoringRun(outputs: outputs, truth: truth, classes: classes)
        guard run.plan.truth.count > 0 else {
          let first = run.plan.truth.rejections.first.map { ": \($0.path): \($0.reason)" } ?? ""
          throw Refusal(description: "The ground truth has no labeled image\(first)")
        }
        var options = ScoringOptions()
        options.jobs = 1
        var score = try await run.score(options)
        score.details = details
        return try ScoreReport(score).html()
      } catch let error where error is CancellationError || error is Refusal {
        throw error
      } catch {
        throw Refusal(description: "The outputs cannot be scored: \(error)")
      }
    }
  }

  /// The report as HTML, for an uploaded ground truth, which is kept in a temporary file while it is read.
  ///
  /// - Parameter suffix: the file name extension of the ground truth, which decides its format.
  func report(
    outputs: String, sentTruth: [UInt8], suffix: String, classes: String?, details: [Detail]
  ) async throws -> String {
    let path = join(FileManager.default.temporaryDirectory.path, "imrec-truth-\(UUID().uuidString)\(suffix)")
    try Data(sentTruth).write(to: URL(filePath: path))
    defer { try? FileManager.default.removeItem(atPath: path) }
    return try await report(outputs: outputs, truth: path, classes: classes, details: details)
  }
}
