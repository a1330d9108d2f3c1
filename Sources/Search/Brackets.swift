/// A step of a bracket: how many of its jobs are trained up to how much.
public struct Rung: Hashable, Sendable {
  public let jobs: Int
  /// The resource in all, not what is added; as epochs.
  public let resource: Int
}

/// Successive halving: many jobs with little, the best of them with more, and so on.
public struct Bracket: Hashable, Sendable {
  /// The resource grows from one to the next, the last one has the most that there is.
  public let rungs: [Rung]

  /// How many times fewer jobs, and more resource, the next rung has: Hyperband's eta.
  static let reduction = 3

  /// The brackets of one round of Hyperband, that with the most jobs first.
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

  /// How often the largest resource can be divided before it is below the least, and once more.
  private static func count(_ resource: Plan.Resource) -> Int {
    var count = 1
    var rest = resource.maximum / max(resource.minimum, 1)
    while rest >= reduction {
      rest /= reduction
      count += 1
    }
    return count
  }

  /// A bracket of so many jobs at first.
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
