import Glibc

/// A Gaussian process after its observations: of mean 0 before them, with a kernel that is known.
///
/// Rasmussen and Williams 2006, algorithm 2.1.
struct GaussianProcess {
  let points: Points
  let kernel: Kernel
  private let factor: Cholesky
  /// (K + noise)^-1 targets; several columns where there are several sets of targets.
  private let weights: [Double]

  /// - Parameters:
  ///   - targets: a value for each point; more sets of as many may follow, which share the covariance.
  ///   - sources: for each point, which of the kernel's noises it has.
  /// - Returns: `nil` where the covariance is singular beyond repair.
  /// - Complexity: O(points^3).
  init?(_ points: Points, _ targets: [Double], sources: [Int], _ kernel: Kernel) {
    guard let factor = Self.factor(points, sources, kernel) else { return nil }
    precondition(points.count == 0 || targets.count % points.count == 0, "a target for each point")
    self.points = points
    self.kernel = kernel
    self.factor = factor
    var weights = targets
    factor.solveLower(&weights)
    factor.solveUpper(&weights)
    self.weights = weights
  }

  /// The factor of the points' covariance with noise.
  static func factor(_ points: Points, _ sources: [Int], _ kernel: Kernel) -> Cholesky? {
    var covariance = points.covariances(kernel, with: points.coordinates)
    let count = points.count
    for index in 0..<count { covariance[index * (count + 1)] += kernel.noises[sources[index]] }
    if let factor = Cholesky(covariance, size: count) { return factor }
    // Points that are almost the same, without noise: as little as makes it positive again.
    for jitter in [1e-9, 1e-7, 1e-5] {
      for index in 0..<count { covariance[index * (count + 1)] += jitter * kernel.signal }
      if let factor = Cholesky(covariance, size: count) { return factor }
    }
    return nil
  }

  /// The mean and the variance of the function itself, without noise, at points of the unit cube (one after the other).
  /// - Returns: the means, for each point one a set of targets, and a variance for each point.
  /// - Complexity: O(points * observations^2).
  func posterior(at others: [Double]) -> (means: [Double], variances: [Double]) {
    var columns = points.covariances(kernel, with: others)
    let count = points.count
    let places = others.count / points.width
    let means = means(columns, places)
    factor.solveLower(&columns)
    var variances = [Double](repeating: kernel.signal, count: places)
    for place in 0..<places {
      var sum = 0.0
      for index in 0..<count { sum += columns[place * count + index] * columns[place * count + index] }
      // What rounding leaves below 0 is 0.
      variances[place] = max(kernel.signal - sum, 1e-12 * kernel.signal)
    }
    return (means, variances)
  }

  /// The means alone, for each point one a set of targets.
  /// - Complexity: O(points * observations).
  func means(at others: [Double]) -> [Double] {
    means(points.covariances(kernel, with: others), others.count / points.width)
  }

  func means(at others: [[Double]]) -> [Double] { means(at: others.flatMap { $0 }) }

  /// - Parameter columns: the covariances of the known points with each place.
  private func means(_ columns: [Double], _ places: Int) -> [Double] {
    let count = points.count
    let sets = count == 0 ? 1 : weights.count / count
    var means = [Double](repeating: 0, count: places * sets)
    for place in 0..<places {
      for set in 0..<sets {
        var sum = 0.0
        for index in 0..<count { sum += columns[place * count + index] * weights[set * count + index] }
        means[place * sets + set] = sum
      }
    }
    return means
  }

  /// The covariance of the function, without noise, between all pairs of some points: column by column.
  func covariance(of others: [Double]) -> [Double] {
    var columns = points.covariances(kernel, with: others)
    factor.solveLower(&columns)
    let count = points.count
    let places = others.count / points.width
    var prior = Points(isCategory: points.isCategory)
    for place in 0..<places { prior.append(Array(others[place * points.width..<(place + 1) * points.width])) }
    var result = prior.covariances(kernel, with: others)
    for column in 0..<places {
      for row in 0..<places {
        var sum = 0.0
        for index in 0..<count { sum += columns[column * count + index] * columns[row * count + index] }
        result[column * places + row] -= sum
      }
    }
    return result
  }
}
