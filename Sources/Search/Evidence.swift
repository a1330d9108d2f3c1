import Glibc

/// The observations of a history as points and targets.
struct Evidence {
  private(set) var points: Points
  /// Less is better; of mean 0 and standard deviation 1 in this search, and in each parent.
  private(set) var targets: [Double] = []
  /// 0 for this search and identical ones, 1 for parents.
  private(set) var sources: [Int] = []
  /// How many of the observations, the first ones, are not those of parents.
  private(set) var own = 0

  var hasParents: Bool { sources.contains(1) }

  /// The most observations of a list that are used: the posterior costs the cube of their number.
  static let limit = 1000

  init(_ plan: Plan, _ history: History) {
    points = Points(plan.space)
    add(history.finished + history.identical, plan, source: 0)
    own = points.count
    for parent in history.parents { add(parent, plan, source: 1) }
    alignWithParents()
  }

  private init(_ all: Evidence, only indices: [Int]) {
    points = Points(isCategory: all.points.isCategory, indices.map { all.points[$0] })
    targets = indices.map { all.targets[$0] }
    sources = indices.map { all.sources[$0] }
    own = indices.count { $0 < all.own }
  }

  /// Adds the observations that have a point in the space. Failures count as the worst score, which is enough to keep away
  /// from them.
  private mutating func add(_ observations: [Observation], _ plan: Plan, source: Int) {
    let losses = observations.map { $0.score.map(plan.direction.loss) }
    guard let worst = losses.compactMap(\.self).max() else { return }
    var rows: [[Double]] = []
    var values: [Double] = []
    for (observation, loss) in zip(observations, losses) {
      guard let point = plan.space.point(of: observation.configuration) else { continue }
      rows.append(point)
      values.append(loss ?? worst)
    }
    let standardized = Targets.standardized(values)
    for index in Self.kept(standardized, Self.limit) {
      points.append(rows[index])
      targets.append(standardized[index])
      sources.append(source)
    }
  }

  /// The indices to keep, in order: the best fill half of the limit, the latest of the others the rest.
  private static func kept(_ targets: [Double], _ limit: Int) -> [Int] {
    guard targets.count > limit else { return Array(targets.indices) }
    let order = targets.indices.sorted { (targets[$0], $0) < (targets[$1], $1) }
    let best = order.prefix(limit / 2)
    let latest = order.dropFirst(limit / 2).sorted().suffix(limit - limit / 2)
    return (best + latest).sorted()
  }

  /// A part that is small enough to fit a kernel to, which costs the cube of its size many times over.
  func part(_ limit: Int) -> Evidence { Evidence(self, only: Self.kept(targets, limit)) }

  /// Shifts and scales this search's targets to the mean and the spread that the parents predict at its points.
  ///
  /// Standardized by itself, a search that began where its parents were good would take good scores for average ones.
  private mutating func alignWithParents() {
    guard own > 0, hasParents else { return }
    let theirs = Array(own..<points.count)
    let parents = Evidence(self, only: theirs)
    let kernel = KernelFit(parents).middleKernel
    guard let process = GaussianProcess(parents.points, parents.targets, sources: parents.sources, kernel)
    else {
      return
    }
    let means = process.means(at: (0..<own).map { points[$0] })
    let (mean, deviation) = Targets.moments(means)
    let scale = min(max(deviation, 0.1), 1)
    for index in 0..<own { targets[index] = mean + scale * targets[index] }
  }
}

/// Turns scores into the targets of a Gaussian process.
enum Targets {
  /// Losses with mean 0 and standard deviation 1, after those worse than the median were compressed.
  ///
  /// A training that diverged is far worse than all others, and by how much means nothing: beyond the median the distance
  /// grows as its logarithm. The order stays the same. Equal losses become 0.
  static func standardized(_ losses: [Double]) -> [Double] {
    // Rounding would give equal losses a standard deviation above 0.
    guard let least = losses.min(), let largest = losses.max(), least < largest else {
      return losses.map { _ in 0 }
    }
    let values = compressed(losses)
    let (mean, deviation) = moments(values)
    guard deviation > 0, deviation.isFinite else { return losses.map { _ in 0 } }
    return values.map { ($0 - mean) / deviation }
  }

  /// The mean and the standard deviation of these numbers themselves: the sum of squares is divided by their count.
  static func moments(_ values: [Double]) -> (mean: Double, deviation: Double) {
    let count = Double(max(values.count, 1))
    let mean = values.reduce(0) { $0 + $1 / count }
    return (mean, values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) / count }.squareRoot())
  }

  /// - Precondition: the values ascend, and there is at least one.
  static func median(of sorted: [Double]) -> Double {
    sorted[(sorted.count - 1) / 2] / 2 + sorted[sorted.count / 2] / 2
  }

  private static func compressed(_ losses: [Double]) -> [Double] {
    let sorted = losses.sorted()
    let median = median(of: sorted)
    let spread = median - sorted[0]
    guard spread > 0, spread.isFinite else { return losses }
    return losses.map { $0 <= median ? $0 : median + spread * log1p(($0 - median) / spread) }
  }
}
