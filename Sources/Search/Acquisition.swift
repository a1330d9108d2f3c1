import Glibc

/// How much a point promises: the logarithm of its expected improvement (Jones et al. 1998; Ament et al. 2023).
///
/// What jobs that still run will come to is imagined several times over, and the improvement is averaged over it
/// (Snoek et al. 2012): a point beside a running one promises little.
struct Acquisition {
  /// Its targets are one set for each imagined outcome.
  let process: GaussianProcess
  /// The least mean at a point that is known or runs, of each set.
  let bests: [Double]

  /// Outcomes imagined of the running jobs together.
  private static let imagined = 16

  /// - Parameters:
  ///   - points: observed ones; `own` of them, the first, compete for the best.
  ///   - pending: points of running jobs, one after the other.
  /// - Returns: `nil` where the covariance is singular, or nothing is known.
  init?(
    _ points: Points, _ targets: [Double], sources: [Int], own: Int, pending: [[Double]], _ kernel: Kernel,
    _ chance: inout Chance
  ) {
    guard let known = GaussianProcess(points, targets, sources: sources, kernel) else { return nil }
    var process = known
    var sets = 1
    if !pending.isEmpty {
      let flat = pending.flatMap { $0 }
      let means = known.posterior(at: flat).means
      var covariance = known.covariance(of: flat)
      for index in pending.indices { covariance[index * (pending.count + 1)] += kernel.noises[0] + 1e-9 }
      guard let factor = Cholesky(covariance, size: pending.count) else { return nil }
      var all = points
      for point in pending { all.append(point) }
      var imagined: [Double] = []
      for _ in 0..<Self.imagined {
        let draws = pending.indices.map { _ in chance.normal() }
        imagined += targets + zip(means, factor.times(draws)).map { $0 + $1 }
      }
      let sources = sources + pending.map { _ in 0 }
      guard let joint = GaussianProcess(all, imagined, sources: sources, kernel) else { return nil }
      process = joint
      sets = Self.imagined
    }
    let width = points.width
    let seen = Array(points.coordinates[..<((own == 0 ? points.count : own) * width)]) + pending.flatMap { $0 }
    let means = process.posterior(at: seen).means
    var bests = [Double](repeating: .infinity, count: sets)
    for (index, mean) in means.enumerated() { bests[index % sets] = min(bests[index % sets], mean) }
    guard bests.allSatisfy(\.isFinite) else { return nil }
    self.process = process
    self.bests = bests
  }

  /// The promise of each point; they stand one after the other.
  func values(at points: [Double]) -> [Double] {
    let (means, variances) = process.posterior(at: points)
    let sets = bests.count
    return variances.indices.map { place in
      let deviation = variances[place].squareRoot()
      var largest = -Double.infinity
      var sum = 0.0
      for set in 0..<sets {
        let value = Normal.logImprovement((bests[set] - means[place * sets + set]) / deviation)
        // The logarithm of a sum of exponentials, in one pass.
        if value > largest {
          sum = sum * exp(largest - value) + 1
          largest = value
        } else {
          sum += exp(value - largest)
        }
      }
      return largest + log(sum) + log(deviation)
    }
  }
}
