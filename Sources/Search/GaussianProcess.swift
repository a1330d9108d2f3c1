import COpenBLAS
import Glibc

/// The posterior of a Gaussian process with mean 0 and a known kernel (Rasmussen and Williams 2006, algorithm 2.1).
struct GaussianProcess {
  let points: Points
  let kernel: Kernel
  private let factor: Cholesky
  /// (K + noise)^-1 targets; one column for each set of targets.
  private let weights: [Double]

  /// - Parameters:
  ///   - targets: a value for each point; further sets of as many values may follow, which share the covariance.
  ///   - sources: for each point, the index of its noise in `kernel.noises`.
  /// - Returns: `nil` where the covariance is singular even with some jitter.
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

  /// The Cholesky factor of the points' covariance with noise.
  static func factor(_ points: Points, _ sources: [Int], _ kernel: Kernel) -> Cholesky? {
    var covariance = points.covariances(kernel, with: points.coordinates)
    let count = points.count
    for index in 0..<count { covariance[index * (count + 1)] += kernel.noises[sources[index]] }
    if let factor = Cholesky(covariance, size: count) { return factor }
    // Points that are almost the same, without noise: the least jitter that makes the matrix positive definite again.
    for jitter in [1e-9, 1e-7, 1e-5] {
      for index in 0..<count { covariance[index * (count + 1)] += jitter * kernel.signal }
      if let factor = Cholesky(covariance, size: count) { return factor }
    }
    return nil
  }

  /// The mean and the variance of the function itself, without noise, at points of the unit cube.
  /// - Parameter others: the coordinates of all points, one point after the other.
  /// - Returns: for each point a mean for each set of targets, and for each point a variance.
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
      // Rounding may leave it at 0 or below.
      variances[place] = max(kernel.signal - sum, 1e-12 * kernel.signal)
    }
    return (means, variances)
  }

  /// The means alone: for each point, one for each set of targets.
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

  /// The posterior covariance of the function, without noise, between all pairs of these points: column by column.
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

/// The Matern 5/2 kernel with a length scale for each parameter (ARD), and noise:
/// k(x, y) = signal * (1 + r + r^2 / 3) exp(-r), r^2 = 5 sum(((x_k - y_k) / length_k)^2).
///
/// Two different categories are 1 apart, as in a one-hot encoding divided by the square root of 2.
struct Kernel: Hashable {
  /// One length scale for each parameter, in units of the unit cube.
  var lengths: [Double]
  /// The variance of the function.
  var signal: Double
  /// The variance of an observation's noise, for each source of observations.
  var noises: [Double]

  /// The factor of each coordinate's squared distance in r^2.
  var rates: [Double] { lengths.map { 5 / ($0 * $0) } }

  /// The covariance at a scaled distance r.
  @inline(__always)
  static func correlation(_ r: Double) -> Double { (1 + r + r * r / 3) * exp(-r) }

  /// d correlation / d log length_k is this times 5 ((x_k - y_k) / length_k)^2.
  @inline(__always)
  static func slope(_ r: Double) -> Double { (1 + r) * exp(-r) / 3 }
}

/// Points of the unit cube as the rows of a matrix, one column for each parameter.
struct Points {
  /// Which parameters are categorical: two of their coordinates are 0 or 1 apart.
  let isCategory: [Bool]
  private(set) var coordinates: [Double] = []
  private(set) var count = 0

  init(isCategory: [Bool], _ rows: [[Double]] = []) {
    self.isCategory = isCategory
    for row in rows { append(row) }
  }

  /// No points yet, of a space.
  init(_ space: Space) {
    self.init(
      isCategory: space.parameters.map { parameter in
        if case .categorical = parameter.domain { return true }
        return false
      })
  }

  var width: Int { isCategory.count }

  mutating func append(_ row: [Double]) {
    precondition(row.count == width, "a point has \(width) coordinates")
    coordinates += row
    count += 1
  }

  subscript(index: Int) -> [Double] { Array(coordinates[index * width..<(index + 1) * width]) }

  /// The squared distance between two coordinates of a parameter.
  @inline(__always)
  func square(_ parameter: Int, _ one: Double, _ other: Double) -> Double {
    if isCategory[parameter] { return one == other ? 0 : 1 }
    return (one - other) * (one - other)
  }

  /// The covariances of each of `others` with all of these points: a column of `count` for each.
  func covariances(_ kernel: Kernel, with others: [Double]) -> [Double] {
    let rates = kernel.rates
    var result: [Double] = []
    result.reserveCapacity(others.count / width * count)
    for other in stride(from: 0, to: others.count, by: width) {
      for own in stride(from: 0, to: coordinates.count, by: width) {
        var sum = 0.0
        for k in 0..<width { sum += rates[k] * square(k, coordinates[own + k], others[other + k]) }
        result.append(kernel.signal * Kernel.correlation(sum.squareRoot()))
      }
    }
    return result
  }
}

/// The Cholesky factor L of a symmetric positive definite matrix, A = L L^T, by OpenBLAS's LAPACK on the calling thread.
struct Cholesky {
  let size: Int
  /// `size` x `size` numbers, column by column; those above the diagonal have no meaning.
  private let factor: [Double]

  /// OpenBLAS would split each product over threads of its own.
  private static let isSingleThreaded: Void = openblas_set_num_threads(1)

  /// - Parameter matrix: `size` x `size` numbers, column by column; only those on and below the diagonal are read.
  /// - Returns: `nil` where the matrix is not positive definite, such as one with NaN.
  /// - Complexity: O(size^3).
  init?(_ matrix: [Double], size: Int) {
    precondition(matrix.count == size * size, "the matrix has \(size) x \(size) numbers")
    _ = Self.isSingleThreaded
    self.size = size
    var matrix = matrix
    guard size > 0 else {
      factor = matrix
      return
    }
    var info: blasint = 0
    var triangle = CChar(UInt8(ascii: "L"))
    var count = blasint(size)
    var stride = count
    unsafe matrix.withUnsafeMutableBufferPointer { matrix in
      unsafe dpotrf_(&triangle, &count, matrix.baseAddress, &stride, &info)
    }
    // OpenBLAS's own kernels do not report NaN.
    guard info == 0, (0..<size).allSatisfy({ matrix[$0 * (size + 1)] > 0 }) else { return nil }
    factor = matrix
  }

  /// log |A|.
  var logDeterminant: Double {
    var sum = 0.0
    for index in 0..<size { sum += log(factor[index * (size + 1)]) }
    return 2 * sum
  }

  /// Replaces B, columns of `size` numbers, by L^-1 B.
  func solveLower(_ columns: inout [Double]) { solve(&columns, CblasNoTrans) }

  /// Replaces B by L^-T B.
  func solveUpper(_ columns: inout [Double]) { solve(&columns, CblasTrans) }

  /// A^-1 b.
  func solved(_ right: [Double]) -> [Double] {
    var right = right
    solveLower(&right)
    solveUpper(&right)
    return right
  }

  /// L b.
  func times(_ right: [Double]) -> [Double] {
    (0..<size).map { row in (0...row).reduce(0) { $0 + factor[$1 * size + row] * right[$1] } }
  }

  /// A^-1, both triangles.
  var inverse: [Double] {
    var columns = [Double](repeating: 0, count: size * size)
    for index in 0..<size { columns[index * (size + 1)] = 1 }
    solveLower(&columns)
    solveUpper(&columns)
    return columns
  }

  private func solve(_ columns: inout [Double], _ transpose: CBLAS_TRANSPOSE) {
    guard size > 0, !columns.isEmpty else { return }
    precondition(columns.count % size == 0, "columns of \(size) numbers")
    let count = columns.count / size
    unsafe factor.withUnsafeBufferPointer { factor in
      unsafe columns.withUnsafeMutableBufferPointer { columns in
        if count == 1 {
          unsafe cblas_dtrsv(
            CblasColMajor, CblasLower, transpose, CblasNonUnit, blasint(size), factor.baseAddress,
            blasint(size),
            columns.baseAddress, 1)
        } else {
          unsafe cblas_dtrsm(
            CblasColMajor, CblasLeft, CblasLower, transpose, CblasNonUnit, blasint(size), blasint(count), 1,
            factor.baseAddress, blasint(size), columns.baseAddress, blasint(size))
        }
      }
    }
  }
}
