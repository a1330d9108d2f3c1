/// Chooses the configuration to try next: Bayesian, Random and Grid. (`Hyperband` also decides for how long.)
///
/// It keeps nothing between calls: the same plan and history give the same configuration, so that an interrupted search
/// can resume from the list of its jobs.
public struct Proposer: Sendable {
  /// What is searched, and how.
  public let plan: Plan

  /// A proposer for a plan.
  public init(_ plan: Plan) { self.plan = plan }

  /// The next configuration: one that is not among the history's `finished`, `pending` and `identical` ones.
  ///
  /// - Returns: `nil` where none is left. The caller counts the jobs.
  /// - Complexity: Bayesian: O(n^3) for n observations; some 20 ms on one core for 30.
  public func next(_ history: History) -> Configuration? {
    let taken = Exclusions(plan.space, history)
    switch plan.strategy {
    case .grid: return Combinations(plan.space).first(from: 0) { !taken.contains($0) }
    case .random, .hyperband:
      var random = RandomStream(plan.seed, UInt64(history.begun))
      return RandomDraw.next(plan.space, taken, &random)
    case .bayesian: return Bayesian(plan: plan).next(history, taken)
    }
  }
}

/// The result of a job.
public struct Observation: Hashable, Sendable {
  /// What the job tried.
  public let configuration: Configuration
  /// The objective; `nil` for a job that failed.
  public let score: Double?

  /// - Parameter score: NaN and infinity count as failures.
  public init(_ configuration: Configuration, score: Double?) {
    self.configuration = configuration
    self.score = score.flatMap { $0.isFinite ? $0 : nil }
  }
}

/// All that a search knows when it is asked for another configuration.
public struct History: Hashable, Sendable {
  /// The jobs of this search that are done, failed ones included, in the order in which they began or ended.
  public var finished: [Observation]
  /// The jobs of this search that are running.
  public var pending: [Configuration]
  /// Warm start of type IdenticalDataAndAlgorithm: worth as much as jobs of this search, and not repeated by it.
  public var identical: [Observation]
  /// Warm start of type TransferLearning, one list for each parent: their scores tell what is better, not how good it is.
  public var parents: [[Observation]]

  /// A history of these jobs.
  public init(
    finished: [Observation] = [], pending: [Configuration] = [], identical: [Observation] = [],
    parents: [[Observation]] = []
  ) {
    (self.finished, self.pending) = (finished, pending)
    (self.identical, self.parents) = (identical, parents)
  }

  /// How many jobs this search has begun.
  var begun: Int { finished.count + pending.count }

  /// The configurations that must not be proposed again.
  var taken: [Configuration] { finished.map(\.configuration) + pending + identical.map(\.configuration) }
}

/// The configurations that must not be proposed again.
struct Exclusions {
  private let space: Space
  private let configurations: Set<Configuration>
  private let points: [[Double]]

  /// Points of the unit cube that differ by less than this in each coordinate are the same to the surrogate.
  static let nearness = 1e-4

  init(_ space: Space, _ history: History) {
    self.space = space
    let taken = history.taken
    configurations = Set(taken)
    points = taken.compactMap(space.point)
  }

  func contains(_ configuration: Configuration) -> Bool { configurations.contains(configuration) }

  /// Whether the configuration is excluded, or so near to one that is that a job would bring nothing new.
  func isNear(_ configuration: Configuration) -> Bool {
    if contains(configuration) { return true }
    guard let point = space.point(of: configuration) else { return true }
    return points.contains { other in zip(point, other).allSatisfy { abs($0 - $1) < Self.nearness } }
  }
}

/// Draws a new configuration at random.
enum RandomDraw {
  /// How many draws are tried before the configurations are gone through one by one.
  private static let draws = 1000

  /// - Returns: `nil` where all configurations are taken.
  static func next(_ space: Space, _ taken: Exclusions, _ random: inout RandomStream) -> Configuration? {
    for _ in 0..<draws {
      let configuration = space.configuration(at: random.point(space.parameters.count))
      if !taken.contains(configuration) { return configuration }
    }
    // So many are taken only in a small space.
    guard let combinations = space.combinations else { return nil }
    let first = random.index(below: combinations)
    return Combinations(space).first(from: first) { !taken.contains($0) }
  }
}

/// All configurations of a space without continuous parameters, the last parameter changing fastest.
struct Combinations {
  private let parameters: [Parameter]
  private let count: Int

  /// No configurations, for a space that has too many to count.
  init(_ space: Space) {
    parameters = space.parameters
    count = space.combinations ?? 0
  }

  /// - Precondition: 0 <= index < the number of configurations.
  subscript(index: Int) -> Configuration {
    var rest = index
    var values: [ParameterValue] = []
    for parameter in parameters.reversed() {
      let choices = parameter.valueCount ?? 1
      switch parameter.domain {
      case .continuous(let range): values.append(.real(range.lowerBound))
      case .integer(let range): values.append(.whole(range.lowerBound + rest % choices))
      case .categorical(let words): values.append(.choice(words[rest % choices]))
      }
      rest /= choices
    }
    return Configuration(values.reversed())
  }

  /// The first that fits, going from `start` to the end and then on from the beginning.
  func first(from start: Int, where fits: (Configuration) -> Bool) -> Configuration? {
    for offset in 0..<count {
      let configuration = self[(start + offset) % count]
      if fits(configuration) { return configuration }
    }
    return nil
  }
}
