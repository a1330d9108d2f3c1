public import Hyperparameters

extension TuningReport {
  /// The report as one HTML file in UTF-8, with the same guarantees as `ScoreReport`: complete without its script, no
  /// request, the same bytes for the same figures.
  public func html() -> String { TuningPage(self).page().html() }
}

/// The sections of the report of a tuning.
struct TuningPage {
  let report: TuningReport
  /// The jobs with an objective.
  let scored: [TuningReport.Job]
  let best: TuningReport.Job?

  init(_ report: TuningReport) {
    self.report = report
    scored = report.jobs.filter { $0.objective != nil }
    best = report.jobs.first(where: \.isBest)
  }

  /// An objective as text; accuracies are percentages.
  func objective(_ value: Double) -> String {
    isShare ? percent(value, 2) : abs(value) >= 1e6 ? "\(value)" : decimal(value, 4)
  }

  var isShare: Bool {
    report.metric.contains("accuracy") && scored.allSatisfy { (0...1).contains($0.objective ?? 0) }
  }

  func page() -> ReportPage {
    var sections: [Section] = []
    if !scored.isEmpty { sections = [together, history, each] }
    if report.parameters.contains(where: { $0.importance != nil }) { sections.append(importance) }
    if !report.jobs.isEmpty { sections.append(jobs) }
    sections.append(settings)
    return ReportPage(
      title: "Tuning report: \(report.name)", heading: "Tuning report",
      origins: [("Tuning", report.name), ("Status", report.status)], hero: hero, sections: sections,
      footer: ReportPage.footer(),
      data: "{}")
  }

  private var hero: ReportPage.Hero {
    let failed = report.jobs.count { $0.status == "Failed" }
    let name = "Best \(report.metric)"
    let note = report.note.map { " \($0.prefix(1).uppercased())\($0.dropFirst())." } ?? ""
    let state = Self.states[report.status] ?? report.status
    guard let best, let value = best.objective else {
      return ReportPage.Hero(
        name: name, value: "–", range: "No job has an objective yet.",
        sentence:
          "\(counted(report.jobs.count, "job")) began, \(whole(failed)) failed. The tuning \(state).\(note)",
        tiles: tiles)
    }
    let share = isShare
    return ReportPage.Hero(
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
    "InProgress": "is in progress", "Completed": "is complete", "Failed": "has failed",
    "Stopped": "was stopped and can be resumed",
  ]

  private var tiles: [(name: String, value: String, note: String)] {
    let count = { (status: String) in report.jobs.count { $0.status == status } }
    return [
      ("Jobs", whole(report.jobs.count), report.plannedJobs.map { "of \(whole($0)) planned" } ?? "so far"),
      ("Completed", whole(count("Completed")), "trained to the end"),
      ("Stopped", whole(count("Stopped")), "before the end"),
      ("Failed", whole(count("Failed")), "see their reasons"),
      ("Time", durationText(report.seconds), report.strategy),
    ]
  }

  /// A number of a configuration with three significant digits; other text as it is.
  static func short(_ text: String) -> String {
    guard text.utf8.contains(where: { ".e".utf8.contains($0) }), let value = Double(text), value.isFinite,
      value != 0
    else { return text }
    let size = abs(value)
    if size < 1e-3 || size >= 1e5 {
      var (mantissa, exponent) = (size, 0)
      while mantissa >= 9.995 && exponent < 400 { (mantissa, exponent) = (mantissa / 10, exponent + 1) }
      while mantissa < 0.9995 && exponent > -400 { (mantissa, exponent) = (mantissa * 10, exponent - 1) }
      return "\(value < 0 ? "-" : "")\(withoutTrailingZeros(decimal(mantissa, 2)))e\(exponent)"
    }
    return withoutTrailingZeros(
      decimal(value, size >= 100 ? 1 : size >= 10 ? 2 : size >= 1 ? 3 : size >= 0.1 ? 3 : 5))
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
      lead: "In the order in which the jobs began. tuning.json has them under the same names and numbers.",
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

extension TuningPage {
  /// The range of the objectives, with a margin.
  private var span: ClosedRange<Double> {
    let values = scored.compactMap(\.objective)
    let (low, high) = (values.min() ?? 0, values.max() ?? 1)
    if isShare {
      // Multiples of 5 %.
      let bottom = max(0, (low * 20).rounded(.down) / 20)
      return bottom...max(bottom + 0.05, min(1, (high * 20).rounded(.up) / 20))
    }
    let room = max(high - low, abs(high) * 1e-6, 1e-12) * 0.08
    return (low - room)...(high + room)
  }

  private var objectiveTicks: [(Double, String)] {
    let range = span
    return (0...4).map { step in
      let value = range.lowerBound + (range.upperBound - range.lowerBound) * Double(step) / 4
      return (value, isShare ? decimal(100 * value, 1) : Self.short("\(value)"))
    }
  }

  private var axisName: String { isShare ? "\(report.metric), %" : report.metric }

  // MARK: All parameters together

  /// The parameters that the drawing has room for: the most important ones.
  private var drawn: [Int] {
    let order = report.parameters.indices.sorted { left, right in
      let (a, b) = (
        report.parameters[left].importance?.total ?? 0, report.parameters[right].importance?.total ?? 0
      )
      return (b, left) < (a, right)
    }
    return order.prefix(7).sorted()
  }

  var together: Section {
    let left = report.parameters.count - drawn.count
    return Section(
      "together", "All hyperparameters together",
      lead:
        "A line for each job: it crosses an axis at the job's value; the last axis is the objective.",
      [
        Block.chart(
          parallel, table: nil,
          note: "The thick line is the best job, the blue ones are the best quarter."
            + (left > 0
              ? " \(counted(left, "hyperparameter")) of less importance are only in the table." : ""))
      ])
  }

  private var parallel: Chart {
    let axes = drawn
    var chart = Chart(
      id: "parallel", title: "Hyperparameters and \(clipped(report.metric, to: 60))",
      description: best.flatMap { job in
        job.objective.map { value in
          "The best job: "
            + axes.filter { !job.values[$0].isEmpty }.map {
              "\(clipped(report.parameters[$0].name, to: 60)) \(clipped(Self.short(job.values[$0]), to: 60))"
            }
            .joined(separator: ", ") + ", \(objective(value))."
        }
      } ?? "No job is the best yet.", width: 720, height: 350)
    let (top, height, left) = (52.0, 250.0, 52.0)
    let step = (720 - 2 * left) / Double(max(1, axes.count))
    let place = Plane(left: 0, top: top, width: 1, height: height, y: span)
    func down(_ unit: Double) -> Double { top + height * (1 - min(max(unit, 0), 1)) }
    let order = scored.sorted { a, b in
      let (x, y) = (a.objective ?? 0, b.objective ?? 0)
      return report.isMaximized ? x < y : x > y
    }
    let good = order.count - max(1, order.count / 4)
    func strand(_ job: TuningReport.Job) -> [(Double, Double)] {
      var points: [(Double, Double)] = []
      for (number, axis) in axes.enumerated() {
        if let unit = job.places[axis] { points.append((left + step * Double(number), down(unit))) }
      }
      points.append((left + step * Double(axes.count), place.down(job.objective ?? 0)))
      return points
    }
    // Better jobs are drawn over worse ones, the best one on top.
    for (rank, job) in order.enumerated() where !job.isBest {
      chart.path(strand(job), rank >= good ? "line-good" : "line-job")
    }
    for job in order where job.isBest {
      let points = strand(job)
      chart.path(points, "line-wrong")
      for point in points { chart.circle(point.0, point.1, 4, "dot-wrong") }
    }
    for (number, axis) in axes.enumerated() {
      let (parameter, x) = (report.parameters[axis], left + step * Double(number))
      chart.line(x, top, x, top + height, "axis")
      chart.text(
        x, 28, clipped(parameter.name, to: max(6, Int(exactly: (step / 8).rounded(.down)) ?? 6)), .middle)
      let ticks =
        parameter.isCategorical
        ? parameter.ticks : [parameter.ticks.first, parameter.ticks.last].compactMap { $0 }
      for tick in ticks {
        let words = clipped(Self.short(tick.words), to: 11)
        if parameter.isCategorical {
          if ticks.count <= 15 { chart.text(x + 6, down(tick.place) + 4, words, style: "tick") }
        } else {
          chart.text(x, tick.place > 0.5 ? top - 8 : top + height + 18, words, .middle, style: "tick")
        }
      }
    }
    let x = left + step * Double(axes.count)
    chart.line(x, top, x, top + height, "axis")
    // One line higher, because the name is longer than its axis has room for.
    chart.text(714, 13, clipped(axisName, to: 24), .end)
    for (value, words) in [objectiveTicks.first, objectiveTicks.last].compactMap({ $0 }) {
      chart.text(x, value > span.lowerBound ? top - 8 : top + height + 18, words, .middle, style: "tick")
    }
    return chart
  }

  // MARK: Job by job

  var history: Section {
    var said = "No job is the best yet."
    if let best, let value = best.objective {
      said = "The best is job \(best.number) with \(objective(value))."
    }
    var chart = Chart(
      id: "history", title: "\(clipped(axisName, to: 60)), of each job, and the best so far",
      description: said,
      width: 640, height: 300)
    let last = Double(max(2, report.jobs.count))
    let plane = Plane(left: 64, top: 14, width: 560, height: 230, x: 1...last, y: span)
    let ticks = axisSteps(to: last, about: 10).filter { $0 <= last && $0 >= 1 && $0 == $0.rounded() }
    // The title names the vertical axis.
    chart.axes(
      plane, xTicks: ticks.map { ($0, decimal($0, 0)) }, yTicks: objectiveTicks, xName: "Job", yName: "")
    var line: [(Double, Double)] = []
    var record: Double?
    for job in scored {
      guard let value = job.objective else { continue }
      let x = plane.across(Double(job.number))
      if let record { line.append((x, plane.down(record))) }
      if isEligible(job), record.map({ report.isMaximized ? value > $0 : value < $0 }) ?? true {
        record = value
      }
      if let record { line.append((x, plane.down(record))) }
    }
    if let record { line.append((plane.across(last), plane.down(record))) }
    chart.path(line, "line-right")
    for job in scored {
      guard let value = job.objective else { continue }
      chart.circle(
        plane.across(Double(job.number)), plane.down(value), job.isBest ? 6 : 4,
        job.isBest ? "dot-wrong" : job.status == "Completed" ? "dot-right" : "dot-a")
    }
    return Section(
      "history", "Job by job",
      [
        Block.chart(
          chart, table: nil,
          note:
            "The line is the best so far. The large mark is the best job; hollow ones were stopped or still run. "
            + "Jobs without a value have no mark.")
      ])
  }

  /// Whether the job may be the best one: as in SageMaker, a completed job, if there is one.
  private func isEligible(_ job: TuningReport.Job) -> Bool {
    job.status == "Completed" || !scored.contains { $0.status == "Completed" }
  }

  // MARK: Each parameter

  var each: Section {
    var charts = report.parameters.indices.map { index in [Block.chart(scatter(index), table: nil)] }
    // A single chart would be as wide as the page.
    if charts.count == 1 { charts.append([]) }
    return Section(
      "each", "Each hyperparameter",
      lead:
        "The other hyperparameters vary, too: a cloud without a shape means that this one matters little by itself.",
      [Block.columns(charts)])
  }

  private func scatter(_ index: Int) -> Chart {
    let parameter = report.parameters[index]
    var said = "No job is the best yet."
    if let best, best.values[index].isEmpty {
      said = "The best job is of another definition, which does not have this hyperparameter."
    } else if let best {
      said = "The best job has \(clipped(Self.short(best.values[index]), to: 60))."
    }
    let scale = parameter.isCategorical ? "" : ", \(parameter.scaling.lowercased()) scale"
    var chart = Chart(
      id: "parameter-\(index + 1)", title: clipped(parameter.name, to: 60) + scale, description: said,
      height: 290)
    let plane = Plane(left: 58, top: 12, width: 336, height: 216, x: 0...1, y: span)
    let ticks =
      parameter.isCategorical
      ? parameter.ticks : parameter.ticks.enumerated().filter { $0.offset % 2 == 0 }.map(\.element)
    let room = ticks.count > 6 ? 4 : max(5, 48 / max(1, ticks.count))
    let shown = ticks.count > 12 ? [] : ticks
    chart.axes(
      plane, xTicks: shown.map { ($0.place, clipped(Self.short($0.words), to: room)) },
      yTicks: objectiveTicks,
      xName: clipped(parameter.name, to: 40), yName: clipped(axisName, to: 32))
    // The best job is drawn last, over the others.
    for job in scored.filter({ !$0.isBest }) + scored.filter(\.isBest) {
      guard let value = job.objective, let unit = job.places[index] else { continue }
      chart.circle(
        plane.across(min(max(unit, 0), 1)), plane.down(value), job.isBest ? 6 : 4,
        job.isBest ? "dot-wrong" : job.status == "Completed" ? "dot-right" : "dot-a")
    }
    return chart
  }

  // MARK: Importance

  var importance: Section {
    let known = report.parameters.filter { $0.importance != nil }
      .sorted { ($0.importance?.total ?? 0) > ($1.importance?.total ?? 0) }
    var table = Table(
      "importance-table", "Shares of the objective's variance", text: ["Hyperparameter"],
      numbers: ["Alone", "With others"])
    for parameter in known {
      table.add([
        Cell.long(parameter.name, limit: 60, isHead: true), Cell.share(parameter.importance?.alone ?? 0),
        Cell.share(parameter.importance?.total ?? 0),
      ])
    }
    return Section(
      "importance", "What mattered",
      lead:
        "How much of the objective's variance over the search space each hyperparameter explains, by the model of the "
        + "search: alone, and together with its interactions. With few jobs this is a guess.",
      [Block.table(table)])
  }
}
