import Reporting
import Search

extension SharedSearch {
  /// The figures of a tuning so far, for people.
  /// - Complexity: that of `Importance`: cubic in the jobs.
  func report(_ record: TuningRecord) -> TuningReport {
    let plan = request.plan
    let best = record.best(plan.direction.isBetter)
    let all = request.definitions
    // Of several searches there is no common history.
    let only = searches.count == 1 ? searches.first : nil
    let importance = only.flatMap { Importance(plan, $0.history(record)) }
    let axes = Axis.all(of: all)
    let metrics = all.map(\.metric)
    var report = TuningReport(
      name: request.name, metric: Set(metrics).count == 1 ? request.metric : metrics.joined(separator: ", "))
    report.isMaximized = plan.direction == .maximize
    report.status = record.status.rawValue
    report.note = record.failureReason ?? record.completionReason
    report.strategy = plan.strategy.rawValue
    report.plannedJobs = request.jobs
    report.seconds = record.runtimeSeconds
    report.parameters = axes.enumerated().map { index, axis in
      let parameter = axis.parameter
      var shown = TuningReport.Parameter(name: axis.title, scaling: parameter.effectiveScaling.rawValue)
      if case .categorical(let values) = parameter.domain {
        shown.isCategorical = true
        shown.ticks = values.enumerated().map { ((Double($0) + 0.5) / Double(values.count), $1) }
      } else {
        shown.ticks = [0, 0.25, 0.5, 0.75, 1].map { ($0, parameter.value(at: $0).description) }
      }
      shown.importance = importance.map { ($0.alone[index], $0.total[index]) }
      return shown
    }
    report.jobs = record.jobs.map { job in
      var shown = TuningReport.Job(number: job.number, name: job.name, status: job.status.rawValue)
      if job.status == .inProgress, record.status != .inProgress { shown.status = "Stopped" }
      let values = axes.map {
        $0.definitions.contains(job.definition ?? 0) ? job.tuned[$0.parameter.name] : nil
      }
      shown.values = values.map { $0 ?? "" }
      shown.places = zip(axes, values).map { axis, value in
        value.flatMap { try? axis.parameter.value(of: $0) }.flatMap(axis.parameter.unit)
      }
      shown.objective = job.score
      shown.epochs = job.curve.count
      if let start = job.startTime, let end = job.endTime { shown.seconds = end - start }
      shown.isBest = job.number == best?.number
      shown.wasStoppedEarly = job.wasStoppedEarly
      shown.reason = job.failureReason
      return shown
    }
    report.settings = all.flatMap { definition in
      definition.statics.sorted { $0.key < $1.key }.map { (definition.title($0.key), $0.value) }
    }
    report.details =
      [
        ("Strategy", plan.strategy.rawValue), ("Seed", "\(plan.seed)"),
        ("Jobs at once", "\(request.parallelJobs)"),
        ("Early stopping", request.stopsEarly ? "Auto: the median rule" : "Off"),
      ]
      + all.flatMap { definition in
        definition.channels.map { (definition.title("Channel \($0.name)"), $0.place) }
      }
      + record.warmStart.map { ("Warm start", "\($0.name), \($0.jobs.count) jobs") }
    return report
  }
}

/// What a picture has an axis for: a hyperparameter, and the definitions that draw it from the same range.
private struct Axis {
  let parameter: Parameter
  var definitions: Set<Int>
  var title: String

  static func all(of requests: [TuningRequest]) -> [Axis] {
    var axes: [Axis] = []
    for (index, request) in requests.enumerated() {
      for parameter in request.plan.space.parameters {
        if let known = axes.firstIndex(where: { $0.parameter == parameter }) {
          axes[known].definitions.insert(index)
          continue
        }
        // Another range of the same name has an axis of its own.
        let isTwin = axes.contains { $0.parameter.name == parameter.name }
        axes.append(
          Axis(
            parameter: parameter, definitions: [index],
            title: isTwin ? request.title(parameter.name) : parameter.name))
      }
    }
    return axes
  }
}

extension TuningRequest {
  /// What is one definition's own, where it has a name.
  fileprivate func title(_ text: String) -> String { definitionName.map { "\(text) (\($0))" } ?? text }
}
