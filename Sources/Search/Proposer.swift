/// Says which configuration to try next: Bayesian, Random and Grid. (`Hyperband` also says for how long.)
///
/// It keeps nothing between calls: the same plan and history give the same configuration, so that a search that was
/// broken off goes on from the list of its jobs.
public struct Proposer: Sendable {
  public let plan: Plan

  public init(_ plan: Plan) { self.plan = plan }

  /// The next configuration: none that the history has, as `finished`, `pending` or `identical`.
  ///
  /// - Returns: `nil` where there is none left. How many jobs there may be is the caller's to count.
  /// - Complexity: Bayesian: O(n^3) of n observations; some 20 ms of one core for 30.
  public func next(_ history: History) -> Configuration? {
    let taken = Taken(plan.space, history)
    switch plan.strategy {
    case .grid: return Combinations(plan.space).first(from: 0) { !taken.contains($0) }
    case .random, .hyperband:
      var chance = Chance(plan.seed, UInt64(history.begun))
      return RandomDraw.next(plan.space, taken, &chance)
    case .bayesian: return Bayesian(plan: plan).next(history, taken)
    }
  }
}

/// What a job with some configuration came to.
public struct Observation: Hashable, Sendable {
  public let configuration: Configuration
  /// The objective; `nil` for a job that failed.
  public let score: Double?

  /// - Parameter score: NaN and infinities are taken as failures.
  public init(_ configuration: Configuration, score: Double?) {
    self.configuration = configuration
    self.score = score.flatMap { $0.isFinite ? $0 : nil }
  }
}

/// All that a search knows when it is asked for one more configuration.
public struct History: Hashable, Sendable {
  /// The jobs of this search that are done, failed ones too, in the order in which they began or ended.
  public var finished: [Observation]
  /// The jobs of this search that run now.
  public var pending: [Configuration]
  /// Warm start of the kind IdenticalDataAndAlgorithm: as good as jobs of this search, and not repeated by it.
  public var identical: [Observation]
  /// Warm start of the kind TransferLearning, one list a parent: their scores say what is better, not how good it is.
  public var parents: [[Observation]]

  public init(
    finished: [Observation] = [], pending: [Configuration] = [], identical: [Observation] = [],
    parents: [[Observation]] = []
  ) {
    (self.finished, self.pending) = (finished, pending)
    (self.identical, self.parents) = (identical, parents)
  }

  /// How many jobs this search began.
  var begun: Int { finished.count + pending.count }

  /// What is not to be proposed again.
  var taken: [Configuration] { finished.map(\.configuration) + pending + identical.map(\.configuration) }
}

/// Configurations that are not to be proposed again.
struct Taken {
  private let space: Space
  private let configurations: Set<Configuration>
  private let points: [[Double]]

  /// Points of the unit cube that are nearer than this in each coordinate are one to a model.
  static let nearness = 1e-4

  init(_ space: Space, _ history: History) {
    self.space = space
    let taken = history.taken
    configurations = Set(taken)
    points = taken.compactMap(space.point)
  }

  func contains(_ configuration: Configuration) -> Bool { configurations.contains(configuration) }

  /// Whether it is among them, or so near to one that a job would bring nothing new.
  func isNear(_ configuration: Configuration) -> Bool {
    if contains(configuration) { return true }
    guard let point = space.point(of: configuration) else { return true }
    return points.contains { other in zip(point, other).allSatisfy { abs($0 - $1) < Self.nearness } }
  }
}

/// A configuration at random that was not there before.
enum RandomDraw {
  /// Draws before the rest is counted through.
  private static let draws = 1000

  /// - Returns: `nil` where all configurations are taken.
  static func next(_ space: Space, _ taken: Taken, _ chance: inout Chance) -> Configuration? {
    for _ in 0..<draws {
      let configuration = space.configuration(at: chance.point(space.parameters.count))
      if !taken.contains(configuration) { return configuration }
    }
    // So much is taken that only a small space can be meant.
    guard let combinations = space.combinations else { return nil }
    let first = chance.index(below: combinations)
    return Combinations(space).first(from: first) { !taken.contains($0) }
  }
}

/// All configurations of a space without continuous parameters, the last parameter changing fastest.
struct Combinations {
  private let parameters: [Parameter]
  private let count: Int

  /// None, for a space that has too many to count.
  init(_ space: Space) {
    parameters = space.parameters
    count = space.combinations ?? 0
  }

  /// - Precondition: 0 <= index < the number of configurations.
  subscript(index: Int) -> Configuration {
    var rest = index
    var values: [Value] = []
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

  /// The first that will do, from one on and then from the beginning.
  func first(from start: Int, where fits: (Configuration) -> Bool) -> Configuration? {
    for offset in 0..<count {
      let configuration = self[(start + offset) % count]
      if fits(configuration) { return configuration }
    }
    return nil
  }
}
