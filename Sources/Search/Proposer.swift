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
