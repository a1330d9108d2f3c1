import Glibc

/// The surrogate model: a Gaussian process fitted to the observations and to sampled outcomes ("fantasies") of the running
/// jobs.
struct Surrogate {
  /// It has one set of targets for each sample of the outcomes.
  let process: GaussianProcess
  /// For each set of targets, the least mean at a point that is known or running.
  let bests: [Double]

  /// How many samples of the running jobs' outcomes are drawn, over all surrogates.
  static let sampleCount = 16

  /// - Parameters:
  ///   - pending: points of running jobs.
  ///   - sets: how many times the outcomes of the running jobs are drawn, all jobs together.
  /// - Returns: `nil` where the covariance is singular, or nothing is known.
  init?(
    _ evidence: Evidence, _ pending: [[Double]], sets: Int, _ kernel: Kernel, _ random: inout RandomStream
  ) {
    let points = evidence.points
    guard let known = GaussianProcess(points, evidence.targets, sources: evidence.sources, kernel) else {
      return nil
    }
    var process = known
    let sets = pending.isEmpty ? 1 : sets
    if !pending.isEmpty {
      let flat = pending.flatMap { $0 }
      let means = known.means(at: flat)
      var covariance = known.covariance(of: flat)
      for index in pending.indices { covariance[index * (pending.count + 1)] += kernel.noises[0] + 1e-9 }
      guard let factor = Cholesky(covariance, size: pending.count) else { return nil }
      var all = points
      for point in pending { all.append(point) }
      var sampled: [Double] = []
      for _ in 0..<sets {
        let draws = pending.indices.map { _ in random.normal() }
        sampled += evidence.targets + zip(means, factor.times(draws)).map { $0 + $1 }
      }
      let sources = evidence.sources + pending.map { _ in 0 }
      guard let joint = GaussianProcess(all, sampled, sources: sources, kernel) else { return nil }
      process = joint
    }
    // Points of parents count where nothing else is known.
    let rivals = evidence.own == 0 ? points.count : evidence.own
    let seen = Array(points.coordinates[..<(rivals * points.width)]) + pending.flatMap { $0 }
    let means = process.means(at: seen)
    var bests = [Double](repeating: .infinity, count: sets)
    for (index, mean) in means.enumerated() { bests[index % sets] = min(bests[index % sets], mean) }
    guard bests.allSatisfy(\.isFinite) else { return nil }
    self.process = process
    self.bests = bests
  }
}

/// How promising a point is: the logarithm of its expected improvement (Jones et al. 1998; Ament et al. 2023).
///
/// It is averaged over likely kernels (Snoek et al. 2012) and over the sampled outcomes of running jobs: a point beside a
/// running one promises little.
struct Acquisition {
  let surrogates: [Surrogate]

  /// The acquisition at each point.
  /// - Parameter points: the coordinates of all points, one point after the other.
  /// - Complexity: O(surrogates * points * observations^2).
  func values(at points: [Double]) -> [Double] {
    var sums: [LogSum] = []
    for surrogate in surrogates {
      let (means, variances) = surrogate.process.posterior(at: points)
      if sums.isEmpty { sums = variances.map { _ in LogSum() } }
      let sets = surrogate.bests.count
      for place in variances.indices {
        let deviation = variances[place].squareRoot()
        let scale = log(deviation)
        for set in 0..<sets {
          sums[place].add(
            scale + Normal.logImprovement((surrogate.bests[set] - means[place * sets + set]) / deviation))
        }
      }
    }
    return sums.map(\.logarithm)
  }
}

/// The logarithm of a sum of exponentials (log-sum-exp) that may themselves underflow or overflow.
struct LogSum {
  private var largest = -Double.infinity
  private var sum = 0.0

  var logarithm: Double { largest + log(sum) }

  mutating func add(_ value: Double) {
    if value > largest {
      sum = sum * exp(largest - value) + 1
      largest = value
    } else {
      sum += exp(value - largest)
    }
  }
}

/// Looks for the most promising point of the unit cube: tries many points at random and near the best known ones, then
/// climbs from the best of them along one coordinate at a time.
struct HillClimb {
  let space: Space
  let acquisition: Acquisition
  /// Known points that others are tried around, best first.
  let centres: [[Double]]

  /// Points at random, points near each centre, and climbs.
  private static let scattered = 800
  private static let nearEach = 40
  private static let climbs = 4
  private static let leastStep = 2e-4

  /// Snapped points, the most promising first.
  func best(_ random: inout RandomStream) -> [[Double]] {
    var points = (0..<Self.scattered).map { _ in space.snapped(random.point(space.parameters.count)) }
    for centre in centres {
      for index in 0..<Self.nearEach { points.append(neighbour(of: centre, index, &random)) }
    }
    let values = acquisition.values(at: points.flatMap { $0 })
    let order = points.indices.sorted { (values[$0], $1) > (values[$1], $0) }
    var starts: [Int] = []
    for index in order where starts.count < Self.climbs {
      // Two starts near each other would climb the same hill.
      if starts.allSatisfy({ distance(points[$0], points[index]) > 0.05 }) { starts.append(index) }
    }
    let climbed = starts.map { climb(from: points[$0], values[$0]) }.sorted { $0.value > $1.value }
    return climbed.map(\.point) + order.map { points[$0] }
  }

  private func neighbour(of centre: [Double], _ index: Int, _ random: inout RandomStream) -> [Double] {
    let reach = [0.2, 0.05, 0.01, 0.002][index % 4]
    var point = centre
    let kept = random.index(below: point.count)
    for k in point.indices where k == kept || random.fraction() < 0.5 {
      if case .categorical = space.parameters[k].domain {
        if random.fraction() < reach { point[k] = random.fraction() }
      } else {
        point[k] = min(max(point[k] + reach * random.normal(), 0), 1)
      }
    }
    return space.snapped(point)
  }

  private func climb(from start: [Double], _ value: Double) -> (point: [Double], value: Double) {
    var (point, value) = (start, value)
    var step = 0.1
    var last = start
    while step > Self.leastStep {
      let before = value
      for k in point.indices {
        let tried = others(point, k, step)
        guard !tried.isEmpty else { continue }
        let values = acquisition.values(at: tried.flatMap { $0 })
        for (other, found) in zip(tried, values) where found > value { (point, value) = (other, found) }
      }
      if value > before + 1e-9 {
        // The same move once more, all coordinates together (Hooke and Jeeves 1961).
        let further = space.snapped(zip(point, last).map { 2 * $0 - $1 })
        if haveSameCategories(point, further), let found = acquisition.values(at: further).first,
          found > value
        {
          (point, value) = (further, found)
        }
        last = point
      } else {
        step *= 0.4
      }
    }
    return (point, value)
  }

  /// Whether two points have the same categories, which no move changes.
  private func haveSameCategories(_ point: [Double], _ other: [Double]) -> Bool {
    point.indices.allSatisfy { k in
      if case .categorical = space.parameters[k].domain { return point[k] == other[k] }
      return true
    }
  }

  /// The points that differ from this one in one coordinate: all other categories, or numbers a step away and the integers
  /// next to it.
  private func others(_ point: [Double], _ k: Int, _ step: Double) -> [[Double]] {
    let parameter = space.parameters[k]
    var units: [Double]
    switch parameter.domain {
    case .continuous: units = [point[k] - step, point[k] + step, point[k] - step / 3, point[k] + step / 3]
    case .integer(let range):
      units = [point[k] - step, point[k] + step]
      if case .whole(let number) = parameter.value(at: point[k]) {
        for next in [number - 1, number + 1] where range.contains(next) {
          if let unit = parameter.unit(of: .whole(next)) { units.append(unit) }
        }
      }
    case .categorical(let values): units = values.indices.map { (Double($0) + 0.5) / Double(values.count) }
    }
    return units.compactMap { unit in
      var other = point
      other[k] = min(max(unit, 0), 1)
      other = space.snapped(other)
      return other[k] == point[k] ? nil : other
    }
  }

  private func distance(_ one: [Double], _ other: [Double]) -> Double {
    zip(one, other).reduce(0) { max($0, abs($1.0 - $1.1)) }
  }
}
