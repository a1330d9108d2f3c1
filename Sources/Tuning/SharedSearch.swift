import Hyperparameters
import Search

/// The searches of a tuning's definitions, which share one budget. They take turns: the next job goes to the definition with
/// the fewest jobs so far; on a tie, to the first one.
struct SharedSearch: Sendable {
  /// Why the completion criteria end a tuning.
  struct Reason {
    let sentence: String
    var isConvergence = false
  }

  let request: TuningRequest
  let searches: [TuningSearch]

  /// - Throws: `SearchError` if Hyperband has no maximum resource.
  init(_ request: TuningRequest) throws {
    self.request = request
    searches = try request.definitions.map { try TuningSearch($0) }
  }

  /// Chooses the next step.
  ///
  /// - Parameter running: the indices of the running jobs. A job in progress that is not among them was interrupted.
  /// - Returns: the step, and the index of the definition that it is for.
  func next(_ record: TuningRecord, running: Set<Int>) -> (definition: Int, step: TuningSearch.Step) {
    let parts = searches.indices.map { part($0, of: record) }
    let turns = searches.indices.sorted { (parts[$0].places.count, $0) < (parts[$1].places.count, $1) }
    for definition in turns {
      let (part, places) = parts[definition]
      let own = Set(places.indices.filter { running.contains(places[$0]) })
      switch searches[definition].next(part, running: own) {
      case .nothing: continue
      case .resume(let index, let resource):
        return (definition, .resume(places[index], resource: resource))
      case .begin(let tuned, let resource): return (definition, .begin(tuned, resource: resource))
      }
    }
    return (0, .nothing)
  }

  /// Whether there would be another step if no job were running.
  func hasMore(_ record: TuningRecord) -> Bool { next(record, running: []).step != .nothing }

  /// Whether the median rule would stop a job, compared with the earlier jobs of its definition.
  func isHopeless(_ index: Int, in record: TuningRecord) -> Bool {
    let definition = record.jobs[index].definition ?? 0
    guard searches.indices.contains(definition) else { return false }
    let (part, places) = part(definition, of: record)
    guard let own = places.firstIndex(of: index) else { return false }
    return searches[definition].isHopeless(own, in: part)
  }

  /// The record reduced to the jobs of one definition, and the indices of these jobs in the full record.
  private func part(_ definition: Int, of record: TuningRecord) -> (record: TuningRecord, places: [Int]) {
    if searches.count == 1 { return (record, Array(record.jobs.indices)) }
    var part = record
    let places = record.jobs.indices.filter { (record.jobs[$0].definition ?? 0) == definition }
    part.jobs = places.map { record.jobs[$0] }
    return (part, places)
  }

  /// Why the completion criteria end the tuning, given all ended jobs; nil if they do not.
  func reasonToEnd(_ record: TuningRecord) -> Reason? {
    let (ended, criteria, direction) = (record.ended, request.criteria, request.plan.direction)
    if let target = criteria.target,
      let job = ended.first(where: { $0.score.map { !direction.isBetter(target, than: $0) } ?? false })
    {
      return Reason(sentence: "TargetObjectiveMetricValue \(target) was reached by \(job.name)")
    }
    let still = TuningRequest.jobsNotImproving(ended, direction)
    if let limit = criteria.jobsNotImproving, still >= limit {
      return Reason(sentence: "the best objective has not improved in \(still) jobs")
    }
    let haveConverged = searches.indices.allSatisfy { searches[$0].hasConverged(part($0, of: record).record) }
    if criteria.endsOnConvergence, haveConverged {
      return Reason(sentence: "the search has converged", isConvergence: true)
    }
    return nil
  }
}

/// Chooses the next step for one definition, from a record with the jobs of this definition only.
struct TuningSearch: Sendable {
  enum Step: Hashable {
    /// Start a job with these hyperparameters; with Hyperband, for `resource` epochs.
    case begin([String: String], resource: Int?)
    /// Resume the job at an index, up to `resource` epochs in total.
    case resume(Int, resource: Int)
    /// Wait for a running job, or end if there is none.
    case nothing
  }
  let request: TuningRequest
  private let hyperband: Hyperband?
  private var plan: Plan { request.plan }

  init(_ request: TuningRequest) throws(SearchError) {
    self.request = request
    hyperband = request.plan.strategy == .hyperband ? try Hyperband(request.plan) : nil
  }

  /// - Parameter running: the indices of the running jobs. A job in progress that is not among them was interrupted.
  func next(_ record: TuningRecord, running: Set<Int>) -> Step {
    guard let hyperband else {
      guard record.jobs.count < plan.jobs ?? .max, let found = Proposer(plan).next(history(record)) else {
        return .nothing
      }
      return .begin(plan.space.texts(of: found), resource: nil)
    }
    var jobs: [Hyperband.Job] = []
    for (index, job) in record.jobs.enumerated() {
      guard let configuration = try? plan.space.configuration(of: job.tuned) else { return .nothing }
      let isDone = job.status == .failed || job.status == .stopped
      jobs.append(
        Hyperband.Job(
          configuration, scores: job.rungs,
          state: running.contains(index) ? .running : isDone ? .failed : .paused))
    }
    switch hyperband.next(jobs, identical: history(record).identical) {
    case .begin(let found, let resource): return .begin(plan.space.texts(of: found), resource: resource)
    case .resume(let index, let resource): return .resume(index, resource: resource)
    case .wait, .finished: return .nothing
    }
  }

  /// The observations so far, in the order of the jobs' numbers.
  func history(_ record: TuningRecord) -> History {
    var history = History()
    for job in record.jobs {
      guard let configuration = try? plan.space.configuration(of: job.tuned) else { continue }
      if job.status == .inProgress {
        history.pending.append(configuration)
      } else {
        history.finished.append(Observation(configuration, score: job.score))
      }
    }
    for parent in record.warmStart {
      let observations = parent.jobs.compactMap { job in
        (try? plan.space.configuration(of: job.values)).map { Observation($0, score: job.score) }
      }
      if parent.isIdentical {
        history.identical += observations
      } else {
        history.parents.append(observations)
      }
    }
    return history
  }

  /// Whether the median rule would stop a job.
  func isHopeless(_ index: Int, in record: TuningRecord) -> Bool {
    MedianRule(plan.direction).stops(
      record.jobs[index].curve, earlier: record.jobs[..<index].filter { $0.status != .failed }.map(\.curve))
  }

  /// Whether the search has converged. After an initial design of 6 jobs and one per parameter, the last jobs (two per
  /// parameter, at least five) must together have improved the best score by at most 1 % of its distance from the median.
  func hasConverged(_ record: TuningRecord) -> Bool {
    let width = plan.space.parameters.count
    let window = max(5, 2 * width)
    let scores = record.ended.compactMap(\.score)
    guard scores.count >= 6 + width + window, let first = scores.first else { return false }
    func best(_ scores: ArraySlice<Double>) -> Double {
      scores.reduce(first) { plan.direction.isBetter($1, than: $0) ? $1 : $0 }
    }
    let (before, after) = (best(scores.dropLast(window)), best(scores[...]))
    let middle = scores.sorted()[scores.count / 2]
    return abs(after - before) <= 0.01 * abs(after - middle)
  }
}

extension SharedSearch {
  /// The report of a tuning so far.
  ///
  /// - Complexity: O(jobs³), as `Importance`.
  func report(_ record: TuningRecord) -> TuningReport {
    let plan = request.plan
    let best = record.best(plan.direction.isBetter)
    let all = request.definitions
    // Several searches have no common history to compute importance from.
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
        ("Parallel jobs", "\(request.parallelJobs)"),
        ("Early stopping", request.stopsEarly ? "Auto: the median rule" : "Off"),
      ]
      + all.flatMap { definition in
        definition.channels.map { (definition.title("Channel \($0.name)"), $0.place) }
      }
      + record.warmStart.map { ("Warm start", "\($0.name), \($0.jobs.count) jobs") }
    return report
  }
}

/// An axis of the chart: a hyperparameter, and the definitions that tune it in the same range.
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
        // A different range of the same hyperparameter gets its own axis.
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
  /// A text about this definition only, with the definition's name appended if it has one.
  fileprivate func title(_ text: String) -> String { definitionName.map { "\(text) (\($0))" } ?? text }
}
