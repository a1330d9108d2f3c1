import Glibc

/// A Gaussian process with what is imagined of the running jobs.
struct Model {
  /// Its targets are one set for each imagined outcome.
  let process: GaussianProcess
  /// The least mean at a point that is known or runs, of each set.
  let bests: [Double]

  /// Outcomes that are imagined of the running jobs, over all models.
  static let imagined = 16

  /// - Parameters:
  ///   - pending: points of running jobs.
  ///   - sets: outcomes imagined of the running jobs together.
  /// - Returns: `nil` where the covariance is singular, or nothing is known.
  init?(_ evidence: Evidence, _ pending: [[Double]], sets: Int, _ kernel: Kernel, _ chance: inout Chance) {
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
      var imagined: [Double] = []
      for _ in 0..<sets {
        let draws = pending.indices.map { _ in chance.normal() }
        imagined += evidence.targets + zip(means, factor.times(draws)).map { $0 + $1 }
      }
      let sources = evidence.sources + pending.map { _ in 0 }
      guard let joint = GaussianProcess(all, imagined, sources: sources, kernel) else { return nil }
      process = joint
    }
    // Parents' points count where nothing else is known.
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

/// How much a point promises: the logarithm of its expected improvement (Jones et al. 1998; Ament et al. 2023).
///
/// It is averaged over the kernels that are likely (Snoek et al. 2012), and over what jobs that still run may come
/// to: a point beside a running one promises little.
struct Acquisition {
  let models: [Model]

  /// The promise of each point; they stand one after the other.
  /// - Complexity: O(models * points * observations^2).
  func values(at points: [Double]) -> [Double] {
    var sums: [LogSum] = []
    for model in models {
      let (means, variances) = model.process.posterior(at: points)
      if sums.isEmpty { sums = variances.map { _ in LogSum() } }
      let sets = model.bests.count
      for place in variances.indices {
        let deviation = variances[place].squareRoot()
        let scale = log(deviation)
        for set in 0..<sets {
          sums[place].add(
            scale + Normal.logImprovement((model.bests[set] - means[place * sets + set]) / deviation))
        }
      }
    }
    return sums.map(\.logarithm)
  }
}

/// The logarithm of a sum of exponentials, which may be too small or too large for a number.
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

/// Looks for the point of the unit cube that promises most: many points at random and near the best known, then from
/// the best of them one coordinate at a time.
struct Ascent {
  let space: Space
  let acquisition: Acquisition
  /// Known points that others are tried around, best first.
  let centres: [[Double]]

  private static let scattered = 800
  private static let nearEach = 40
  private static let climbs = 4
  private static let leastStep = 2e-4

  /// Settled points, the most promising first.
  func best(_ chance: inout Chance) -> [[Double]] {
    var points = (0..<Self.scattered).map { _ in space.settled(chance.point(space.parameters.count)) }
    for centre in centres {
      for index in 0..<Self.nearEach { points.append(neighbour(of: centre, index, &chance)) }
    }
    let values = acquisition.values(at: points.flatMap { $0 })
    let order = points.indices.sorted { (values[$0], $1) > (values[$1], $0) }
    var starts: [Int] = []
    for index in order where starts.count < Self.climbs {
      // Two that are near would climb the same hill.
      if starts.allSatisfy({ distance(points[$0], points[index]) > 0.05 }) { starts.append(index) }
    }
    let climbed = starts.map { climb(from: points[$0], values[$0]) }.sorted { $0.value > $1.value }
    return climbed.map(\.point) + order.map { points[$0] }
  }

  private func neighbour(of centre: [Double], _ index: Int, _ chance: inout Chance) -> [Double] {
    let reach = [0.2, 0.05, 0.01, 0.002][index % 4]
    var point = centre
    let kept = chance.index(below: point.count)
    for k in point.indices where k == kept || chance.fraction() < 0.5 {
      if case .categorical = space.parameters[k].domain {
        if chance.fraction() < reach { point[k] = chance.fraction() }
      } else {
        point[k] = min(max(point[k] + reach * chance.normal(), 0), 1)
      }
    }
    return space.settled(point)
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
        // Once more in the direction that all coordinates took together (Hooke and Jeeves 1961).
        let further = space.settled(zip(point, last).map { 2 * $0 - $1 })
        if isOneStepInNumbers(point, further), let found = acquisition.values(at: further).first,
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

  /// A category is not moved by a direction.
  private func isOneStepInNumbers(_ point: [Double], _ other: [Double]) -> Bool {
    point.indices.allSatisfy { k in
      if case .categorical = space.parameters[k].domain { return point[k] == other[k] }
      return true
    }
  }

  /// A point with other values of one coordinate: all other categories, or numbers a step away, but at least the next.
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
      other = space.settled(other)
      return other[k] == point[k] ? nil : other
    }
  }

  private func distance(_ one: [Double], _ other: [Double]) -> Double {
    zip(one, other).reduce(0) { max($0, abs($1.0 - $1.1)) }
  }
}
