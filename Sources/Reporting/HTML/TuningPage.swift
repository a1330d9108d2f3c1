/// The report of a tuning, section by section.
struct TuningPage {
  let report: TuningReport
  /// Jobs with an objective.
  let scored: [TuningReport.Job]
  let best: TuningReport.Job?

  init(_ report: TuningReport) {
    self.report = report
    scored = report.jobs.filter { $0.objective != nil }
    best = report.jobs.first(where: \.isBest)
  }

  func head(_ words: String) -> Node { ["words": words, "isHead": true] }

  /// An objective as it is written everywhere: accuracies in percent.
  func objective(_ value: Double) -> String {
    isShare ? percent(value, 2) : abs(value) >= 1e6 ? "\(value)" : decimal(value, 4)
  }

  var isShare: Bool {
    report.metric.contains("accuracy") && scored.allSatisfy { (0...1).contains($0.objective ?? 0) }
  }

  func page() -> Page {
    var sections: [Section] = []
    if !scored.isEmpty { sections = [together, history, each] }
    if report.parameters.contains(where: { $0.importance != nil }) { sections.append(importance) }
    if !report.jobs.isEmpty { sections.append(jobs) }
    sections.append(settings)
    return Page(
      title: "Tuning report: \(report.name)", heading: "Tuning report",
      origins: [("Tuning", report.name), ("Status", report.status)], hero: hero, sections: sections,
      footer: "Made by imrec. One file, no request to anywhere. The same input gives the same bytes.",
      data: "{}")
  }

  private var hero: Page.Hero {
    let failed = report.jobs.count { $0.status == "Failed" }
    let name = "Best \(report.metric)"
    let note = report.note.map { " \($0.prefix(1).uppercased())\($0.dropFirst())." } ?? ""
    let state = Self.states[report.status] ?? report.status
    guard let best, let value = best.objective else {
      return Page.Hero(
        name: name, value: "–", range: "No job has an objective yet.",
        sentence:
          "\(counted(report.jobs.count, "job")) began, \(whole(failed)) failed. The tuning \(state).\(note)",
        tiles: tiles)
    }
    let share = isShare
    return Page.Hero(
      name: name, value: share ? decimal(100 * value, 1) : objective(value), unit: share ? "%" : nil,
      range:
        "\(report.isMaximized ? "The largest" : "The smallest") of \(counted(scored.count, "job")) with a value",
      sentence: "Job \(best.number) did best: "
        + zip(report.parameters, best.values).filter { !$1.isEmpty }.prefix(8).map {
          "\(clipped($0.name, to: 40)) \(clipped(Self.short($1), to: 40))"
        }
        .joined(separator: ", ") + ". The tuning \(state).\(note)", tiles: tiles)
  }

  private static let states = [
    "InProgress": "is on its way", "Completed": "is complete", "Failed": "has failed",
    "Stopped": "was stopped, and can go on with --resume",
  ]

  private var tiles: [(name: String, value: String, note: String)] {
    let count = { (status: String) in report.jobs.count { $0.status == status } }
    return [
      ("Jobs", whole(report.jobs.count), report.plannedJobs.map { "of \(whole($0)) planned" } ?? "so far"),
      ("Completed", whole(count("Completed")), "trained to their end"),
      ("Stopped", whole(count("Stopped")), "before their end"),
      ("Failed", whole(count("Failed")), "see their reasons"),
      ("Time", durationText(report.seconds), report.strategy),
    ]
  }

  /// A number of a configuration with three digits that count; other text as it is.
  static func short(_ text: String) -> String {
    guard text.utf8.contains(where: { ".e".utf8.contains($0) }), let value = Double(text), value.isFinite,
      value != 0
    else { return text }
    let size = abs(value)
    if size < 1e-3 || size >= 1e5 {
      var (mantissa, exponent) = (size, 0)
      while mantissa >= 9.995 && exponent < 400 { (mantissa, exponent) = (mantissa / 10, exponent + 1) }
      while mantissa < 0.9995 && exponent > -400 { (mantissa, exponent) = (mantissa * 10, exponent - 1) }
      return "\(value < 0 ? "-" : "")\(trimmed(decimal(mantissa, 2)))e\(exponent)"
    }
    return trimmed(decimal(value, size >= 100 ? 1 : size >= 10 ? 2 : size >= 1 ? 3 : size >= 0.1 ? 3 : 5))
  }

  private static func trimmed(_ text: String) -> String {
    text.contains(".") ? String(text.reversed().drop { $0 == "0" }.drop { $0 == "." }.reversed()) : text
  }

  private var jobs: Section {
    var table = Table(
      "jobs-table", "Job by job", text: ["Job"],
      numbers: [report.metric] + report.parameters.map(\.name) + ["Epochs", "Time"])
    table.columns.append(Table.Column(title: "Status"))
    for job in report.jobs.prefix(Self.rowLimit) {
      let status = job.wasStoppedEarly ? "Stopped early" : job.status
      table.add(
        [
          head("\(job.number)\(job.isBest ? " (best)" : "")"),
          Cell.number(job.objective.map { objective($0) } ?? "–"),
        ] + job.values.map { Cell.number($0.isEmpty ? "–" : clipped(Self.short($0), to: 24)) } + [
          Cell.number(job.epochs), Cell.number(job.seconds.map { durationText($0) } ?? "–"),
          Cell.long(job.reason.map { "\(status): \($0)" } ?? status, limit: 60),
        ], id: "job-\(job.number)")
    }
    let rest = report.jobs.count - table.rows.count
    if rest > 0 { table.rest = "\(whole(rest)) more; tuning.json has them all." }
    return Section(
      "jobs", "Every job",
      lead: "In the order in which they began, as tuning.json has them by name and number.",
      [Block.table(table)])
  }

  private static let rowLimit = 1000

  private var settings: Section {
    var table = Table("settings-table", "The same for all jobs", text: ["Hyperparameter", "Value"])
    for (name, value) in report.settings { table.add([head(name), Cell.long(value)]) }
    var origin = Table("details-table", "This tuning", text: ["What", "Value"])
    for (name, value) in report.details { origin.add([head(name), Cell.long(value, limit: 160)]) }
    return Section(
      "settings", "How it was searched",
      [Block.columns([[Block.table(table)].compactMap(\.self), [Block.table(origin)].compactMap(\.self)])])
  }
}
