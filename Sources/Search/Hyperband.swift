/// Decides which job to begin or to resume, and up to which resource (Li et al. 2018).
///
/// It keeps nothing between calls: its answer depends on the plan and on the jobs so far, so that an interrupted search can
/// resume from the list of its jobs. When all jobs of a rung are done, the best of them go on; while some still run, the
/// next bracket begins, so that a parallel job need not wait. After the last bracket of a round comes another round, until
/// there are as many jobs as the plan has; the last bracket is cut to that number.
public struct Hyperband: Sendable {
  /// A job of the search in its current state.
  public struct Job: Hashable, Sendable {
    /// Whether it is being trained.
    public enum State: Hashable, Sendable {
      /// It is being trained for the rung after those in `scores`.
      case running
      /// It has finished a rung, and waits to be resumed or not.
      case paused
      /// It ended with an error and will not be resumed.
      case failed
    }

    /// What the job tries.
    public let configuration: Configuration
    /// The objective at the end of each rung that it has finished; NaN is worse than any number.
    public var scores: [Double]
    /// Whether it is being trained.
    public var state: State

    /// A job in this state.
    public init(_ configuration: Configuration, scores: [Double] = [], state: State = .running) {
      (self.configuration, self.scores, self.state) = (configuration, scores, state)
    }
  }

  /// What to do next.
  public enum Step: Hashable, Sendable {
    /// Begin a new job: train it up to `resource`, then append its score to `scores`.
    case begin(Configuration, resource: Int)
    /// Resume the job with this index in the list, up to `resource` in total.
    case resume(job: Int, resource: Int)
    /// Nothing can begin before a running job is done.
    case wait
    /// Everything that was planned is done.
    case finished
  }

  /// What is searched, and with which resource.
  public let plan: Plan
  private let resource: Plan.Resource
  private let round: [Bracket]

  /// - Throws: `.hyperbandWithoutResource` for a plan of another strategy.
  public init(_ plan: Plan) throws(SearchError) {
    guard let resource = plan.resource else { throw SearchError(.hyperbandWithoutResource) }
    self.plan = plan
    self.resource = resource
    round = Bracket.round(of: resource)
  }

  /// The brackets for a number of jobs, in the order in which they begin; the last one may be cut.
  public func brackets(of jobs: Int) -> [Bracket] {
    var brackets: [Bracket] = []
    var left = jobs
    while left > 0 {
      let bracket = round[brackets.count % round.count].cut(to: left, resource)
      brackets.append(bracket)
      left -= bracket.rungs[0].jobs
    }
    return brackets
  }

  /// What to do next.
  ///
  /// - Parameters:
  ///   - jobs: all jobs, in the order in which they began.
  ///   - identical: jobs of earlier searches, whose configurations are not repeated.
  /// - Complexity: O(jobs log jobs).
  public func next(_ jobs: [Job], identical: [Observation] = []) -> Step {
    let limit = plan.jobs ?? .max
    var first = 0
    var turn = 0
    // All brackets that have jobs.
    while first < jobs.count {
      let bracket = round[turn % round.count].cut(to: limit - first, resource)
      let end = first + bracket.rungs[0].jobs
      if end <= jobs.count, let step = promotion(jobs, first..<end, bracket) { return step }
      first = end
      turn += 1
    }
    if jobs.count < limit {
      // The bracket that the next job belongs to: the previous one, if it is not full yet.
      let open = first > jobs.count ? turn - 1 : turn
      let history = History(
        finished: jobs.filter { $0.state != .running }.map { Observation($0.configuration, score: nil) },
        pending: jobs.filter { $0.state == .running }.map(\.configuration), identical: identical)
      if let configuration = Proposer(plan).next(history) {
        return .begin(configuration, resource: round[open % round.count].rungs[0].resource)
      }
    }
    return jobs.contains { $0.state == .running } ? .wait : .finished
  }

  /// The resumption of a job of this bracket, all of whose jobs have begun; `nil` where none may go on now.
  private func promotion(_ jobs: [Job], _ members: Range<Int>, _ bracket: Bracket) -> Step? {
    for index in bracket.rungs.indices.dropFirst() {
      // Jobs that were chosen for the previous rung but not resumed yet were found in the previous iteration.
      guard !members.contains(where: { jobs[$0].scores.count == index - 1 && jobs[$0].state == .running })
      else {
        return nil
      }
      let before = members.filter { jobs[$0].scores.count >= index }
      let best = before.sorted { isBetter(jobs[$0].scores[index - 1], $0, jobs[$1].scores[index - 1], $1) }
      let chosen = best.filter { !jobs[$0].scores[index - 1].isNaN }.prefix(bracket.rungs[index].jobs)
      for job in chosen where jobs[job].state == .paused && jobs[job].scores.count == index {
        return .resume(job: job, resource: bracket.rungs[index].resource)
      }
    }
    return nil
  }

  /// Whether one job is better than another; of two with equal scores, the earlier one is.
  private func isBetter(_ score: Double, _ index: Int, _ other: Double, _ otherIndex: Int) -> Bool {
    if score.isNaN || other.isNaN { return score.isNaN == other.isNaN ? index < otherIndex : other.isNaN }
    return score == other ? index < otherIndex : plan.direction.isBetter(score, than: other)
  }
}

/// A step of a bracket: how many of its jobs are trained up to which resource.
public struct Rung: Hashable, Sendable {
  /// How many jobs reach it.
  public let jobs: Int
  /// The total resource, such as epochs, not what the rung adds.
  public let resource: Int
}

/// Successive halving: many jobs with a small resource, the best of them with a larger one, and so on.
public struct Bracket: Hashable, Sendable {
  /// The resource grows from one rung to the next; the last one has the maximum.
  public let rungs: [Rung]

  /// Hyperband's eta: the next rung has this many times fewer jobs, and more resource.
  static let reduction = 3

  /// The brackets of one round of Hyperband, the one with the most jobs first.
  ///
  /// Li et al. 2018 (JMLR 18-185), algorithm 1: for s from floor(log_eta(R / r)) down to 0, n = ceil((s_max + 1) / (s + 1)
  /// * eta^s) jobs begin with R eta^-s, and floor(n eta^-i) go on at rung i. Resources are rounded, and not below the
  /// minimum; a rung has at least one job.
  static func round(of resource: Plan.Resource) -> [Bracket] {
    let last = count(resource) - 1
    return (0...last).reversed().map { s in
      let power = (0..<s).reduce(1) { value, _ in value * reduction }
      let whole = (last + 1) * power
      let jobs = (whole + s) / (s + 1)
      return Bracket(jobs: jobs, halvings: s, resource)
    }
  }

  /// The number of brackets of a round: 1 and how often the maximum can be divided by eta and stay at the minimum or above.
  private static func count(_ resource: Plan.Resource) -> Int {
    var count = 1
    var rest = resource.maximum / max(resource.minimum, 1)
    while rest >= reduction {
      rest /= reduction
      count += 1
    }
    return count
  }

  /// A bracket that begins with this many jobs.
  init(jobs: Int, halvings: Int, _ resource: Plan.Resource) {
    var rungs: [Rung] = []
    var left = jobs
    for index in 0...halvings {
      var amount = Double(resource.maximum)
      for _ in index..<halvings { amount /= Double(Self.reduction) }
      rungs.append(Rung(jobs: max(left, 1), resource: max(Int(amount.rounded()), resource.minimum)))
      left /= Self.reduction
    }
    self.rungs = rungs
  }

  /// The same bracket with fewer jobs.
  func cut(to jobs: Int, _ resource: Plan.Resource) -> Bracket {
    guard let first = rungs.first, jobs < first.jobs else { return self }
    return Bracket(jobs: jobs, halvings: rungs.count - 1, resource)
  }
}
