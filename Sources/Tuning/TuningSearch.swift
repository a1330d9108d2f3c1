import Search

/// What to try next of one definition: the search's answers to a record of its jobs alone.
struct TuningSearch: Sendable {
  enum Step: Hashable {
    case begin([String: String], resource: Int?)
    case resume(Int, resource: Int)
    case nothing
  }
  let request: TuningRequest
  private let hyperband: Hyperband?
  private var plan: Plan { request.plan }

  init(_ request: TuningRequest) throws(SearchError) {
    self.request = request
    hyperband = request.plan.strategy == .hyperband ? try Hyperband(request.plan) : nil
  }

  /// - Parameter running: indices of the jobs that run. One that is in progress and does not is to be begun anew.
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

  /// What is known, in the order of the jobs' numbers.
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

  func isHopeless(_ index: Int, in record: TuningRecord) -> Bool {
    MedianRule(plan.direction).stops(
      record.jobs[index].curve, earlier: record.jobs[..<index].filter { $0.status != .failed }.map(\.curve))
  }

  /// As many jobs as make a first design, then at least five, and two a parameter, that together moved the best by less
  /// than a hundredth of what lies between it and the middle of all.
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
