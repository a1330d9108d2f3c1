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
