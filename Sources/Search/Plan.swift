/// How configurations are chosen: SageMaker's Strategy.
public enum Strategy: String, Hashable, Sendable, CaseIterable {
  case bayesian = "Bayesian"
  case random = "Random"
  case hyperband = "Hyperband"
  case grid = "Grid"
}

/// Which scores are better: SageMaker's objective Type.
public enum Direction: String, Hashable, Sendable, CaseIterable {
  case maximize = "Maximize"
  case minimize = "Minimize"

  /// Whether `score` is better than `other`. A score is not better than itself, and NaN is not better than any.
  public func isBetter(_ score: Double, than other: Double) -> Bool {
    self == .maximize ? score > other : score < other
  }

  /// A score negated where necessary, so that less is better.
  func loss(_ score: Double) -> Double { self == .maximize ? -score : score }
}

/// What is searched, how, and with how many jobs; checked as a whole.
public struct Plan: Hashable, Sendable {
  /// The bounds of the resource that Hyperband allots to jobs, such as epochs.
  public struct Resource: Hashable, Sendable {
    /// What a job is trained for at least.
    public var minimum: Int
    /// What the best jobs are trained for.
    public var maximum: Int

    /// - Parameter minimum: at least 1 and below the maximum, which `Plan` checks.
    public init(minimum: Int = 1, maximum: Int) {
      (self.minimum, self.maximum) = (minimum, maximum)
    }
  }

  /// What is searched.
  public let space: Space
  /// How configurations are chosen.
  public let strategy: Strategy
  /// Which scores are better.
  public let direction: Direction
  /// The most jobs; `nil` where something else ends the search.
  public let jobs: Int?
  /// The most jobs that run at the same time.
  public let parallelJobs: Int
  /// The same seed and the same history give the same configurations.
  public let seed: UInt64
  /// Hyperband's resource; `nil` with another strategy.
  public let resource: Resource?

  /// - Parameters:
  ///   - jobs: MaxNumberOfTrainingJobs.
  ///   - parallelJobs: MaxParallelTrainingJobs.
  ///   - seed: RandomSeed, or a number of the caller's choice.
  ///   - resource: HyperbandStrategyConfig, or what the static hyperparameters say instead.
  ///   - stopsEarly: whether TrainingJobEarlyStoppingType is Auto.
  /// - Throws: `.jobCount`, `.parallelCount`, `.moreParallelThanJobs`, `.seed`; `.gridOfRange` and `.gridSize`;
  ///   `.tooFewCombinations` where a job would have to repeat another; `.hyperbandWithoutResource`,
  ///   `.hyperbandResource`, `.hyperbandStopsEarly`, `.strategyConfiguration`. One job is *not* an error.
  public init(
    _ space: Space, strategy: Strategy, direction: Direction, jobs: Int?, parallelJobs: Int, seed: Int,
    resource: Resource? = nil, stopsEarly: Bool = false
  ) throws(SearchError) {
    if let jobs, jobs < 1 { throw SearchError(.jobCount(jobs)) }
    guard parallelJobs >= 1 else { throw SearchError(.parallelCount(parallelJobs)) }
    if let jobs, parallelJobs > jobs {
      throw SearchError(.moreParallelThanJobs(parallel: parallelJobs, jobs: jobs))
    }
    guard seed >= 0 else { throw SearchError(.seed(seed)) }
    if strategy == .grid { try Self.checkGrid(space, jobs) }
    if let jobs, let combinations = space.combinations, combinations < jobs {
      throw SearchError(.tooFewCombinations(combinations, jobs: jobs))
    }
    if strategy == .hyperband {
      guard let resource else { throw SearchError(.hyperbandWithoutResource) }
      guard resource.minimum >= 1, resource.minimum < resource.maximum else {
        throw SearchError(.hyperbandResource(minimum: resource.minimum, maximum: resource.maximum))
      }
      guard !stopsEarly else { throw SearchError(.hyperbandStopsEarly) }
    } else if resource != nil {
      throw SearchError(.strategyConfiguration(strategy: strategy.rawValue))
    }
    (self.space, self.strategy, self.direction) = (space, strategy, direction)
    (self.jobs, self.parallelJobs, self.seed) = (jobs, parallelJobs, UInt64(seed))
    self.resource = resource
  }

  private static func checkGrid(_ space: Space, _ jobs: Int?) throws(SearchError) {
    for parameter in space.parameters {
      guard case .categorical = parameter.domain else {
        throw SearchError(.gridOfRange, parameter: parameter.name)
      }
    }
    guard let jobs, jobs != space.combinations else { return }
    throw SearchError(
      .gridSize(jobs: jobs, combinations: space.combinations.map { "\($0)" } ?? "more than 2^63"))
  }
}

/// Stops a job that does worse than most jobs did at the same epoch: SageMaker's early stopping of type Auto.
public struct MedianRule: Hashable, Sendable {
  /// Which objectives are better.
  public let direction: Direction
  /// How many earlier jobs must have come as far before a job is stopped.
  public let fewestJobs: Int
  /// The first epoch, counted from 1, after which a job may be stopped.
  public let firstEpoch: Int

  /// - Precondition: both numbers are at least 1.
  public init(_ direction: Direction, fewestJobs: Int = 5, firstEpoch: Int = 2) {
    precondition(fewestJobs >= 1 && firstEpoch >= 1, "a median of at least one job, at an epoch from 1 on")
    (self.direction, self.fewestJobs, self.firstEpoch) = (direction, fewestJobs, firstEpoch)
  }

  /// Whether a job is to be stopped: whether its last objective is worse than the median of the earlier jobs' averages up
  /// to the same epoch. Only earlier jobs that came as far count.
  ///
  /// - Parameters:
  ///   - curve: the job's objective after each of its epochs.
  ///   - earlier: the curves of earlier jobs, stopped ones included.
  /// - Returns: false for an objective that equals the median. NaN is worse than any number; an earlier job with a NaN up to
  ///   that epoch is left out.
  public func stops(_ curve: [Double], earlier: [[Double]]) -> Bool {
    guard let last = curve.last, curve.count >= firstEpoch else { return false }
    let averages = earlier.filter { $0.count >= curve.count }
      .map { $0.prefix(curve.count).reduce(0, +) / Double(curve.count) }
      .filter(\.isFinite).sorted()
    guard averages.count >= fewestJobs else { return false }
    return last.isNaN || direction.isBetter(Targets.median(of: averages), than: last)
  }
}
