import Endpoints
import FoundationEssentials
import HTTP
import Hummingbird
import Hyperparameters
import Reporting
import SageMaker
import Scoring

extension DashboardService {
  /// Jobs of all kinds, newest first, and what endpoints do.
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
                ? "No job yet. With AWS_ENDPOINT_URL set to this server, boto3's create_training_job makes one."
                : "No job of this kind."), Block.links(pager),
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
      id, caption, text: ["Name", "Kind", "State", "Created (UTC)"], numbers: ["Took", "Result"])
    for row in rows {
      table.add([
        Cell.head(row.name, href: Self.address(row)), Cell.text(row.kind.words),
        Cell.state(row.status, Self.mood(row.status)), Cell.text(Self.time(row.created)),
        Cell.number(row.ended == nil ? "" : Self.duration(row)), Cell.number(row.note ?? ""),
      ])
    }
    return Block.table(table)
  }

  /// Heading, state, times and failure of a job.
  private func jobPage(_ row: JobRow, failure: String?) -> SitePage {
    var page = sitePage(row.name, in: .jobs)
    page.trail = [("Jobs", "/"), (row.kind.words, "/?kind=\(row.kind.rawValue)")]
    page.state = (row.status, Self.mood(row.status))
    if let failure, !failure.isEmpty { page.notice = (failure, false) }
    page.addFact("Created", Self.time(row.created) + " UTC")
    if let ended = row.ended {
      page.addFact("Ended", Self.time(ended) + " UTC")
      page.addFact("Took", Self.duration(row))
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
          Block.links([Block.Link("The whole report", Self.address("training-jobs", name, "report"))]) ?? [:])
      }
      page.sections.append(curves)
    }
    page.sections.append(
      Section(
        "log-section", "Log",
        [
          job.log.isEmpty
            ? Block.note("Nothing is written yet.")
            : Block.note("The last \(counted(job.log.count, "line"))."),
          Block.log("log", "Log", job.log),
        ]))
    if let table = Self.factsTable("hyperparameters-table", "As they were given", job.hyperparameters) {
      page.sections.append(Section("hyperparameters", "Hyperparameters", [table]))
    }
    return page
  }

  func trainingReport(_ name: String) async throws -> Response {
    guard let html = try await source.trainingJob(name)?.report else {
      throw PageError.missing("report of a training job", name)
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
      page.addFact("Its objective", decimal(best.objective ?? 0, 5))
    }
    if let chart = parallelCoordinates(job, best: best?.row.name).chart(
      id: "parallel", title: "Parameters of each job, and what came of them")
    {
      page.sections.append(
        Section(
          "picture", "Parameters and objective",
          [
            Block.chart(
              chart, table: nil,
              note: "Each line is a job; the thick one is the best. Broken lines: jobs without a result.")
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
      Section("jobs", "Jobs", [Block.table(table) ?? Block.text("No job of this search has begun yet.")]))
    return page
  }

  /// A number as the search wrote it, with six digits; what is no number stays.
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
        "score", "How good is it?",
        lead: "Compare the outputs with the truth: an accuracy report is made at once.",
        [
          Block.form(
            "score-form", to: Self.address("transform-jobs", name, "score"), button: "Make the report",
            [
              .init(
                "path", "Truth on this machine or in S3", .text,
                hint:
                  "A .lst, a .rec, a folder of class folders, a CSV or JSON lines; a path or an s3:// address."
              ),
              .init("file", "Or a file to send", .file(accept: ".lst,.csv,.tsv,.jsonl", isRequired: false)),
            ])
        ]))
    return page
  }

  /// The accuracy report of a transform job.
  func score(_ name: String, _ request: Request) async throws -> Response {
    let form = try await form(request, limit: ScoreOnDemand.truthByteLimit)
    guard let job = try await source.transformJob(name), let outputs = job.outputs else {
      throw PageError.missing("output of a transform job", name)
    }
    do {
      let details = [Detail("Transform job", name), Detail("Model", job.model)]
      if let file = form.file("file") {
        let suffixes = [".lst", ".csv", ".tsv", ".jsonl", ".json", ".ndjson"]
        let suffix = suffixes.first { file.fileName?.lowercased().hasSuffix($0) == true } ?? ".lst"
        let html = try await scoring.report(
          outputs: outputs, sentTruth: file.bytes, suffix: suffix, classes: job.classes,
          details: details + [Detail("Truth", file.fileName ?? "a file that was sent")])
        return report(Array(html.utf8))
      }
      guard let reference = form.text("path") else {
        throw PageError(.badRequest, "Neither a path nor a file was given.")
      }
      guard let path = try await source.localPath(of: reference) else {
        throw PageError(.badRequest, "There is no \(reference) on this machine.")
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
