import Glibc

/// Matern 5/2 with a length scale for each parameter (ARD), and noise:
/// k(x, y) = signal * (1 + r + r^2 / 3) exp(-r), r^2 = 5 sum(((x_k - y_k) / length_k)^2).
///
/// Two categories that differ are 1 apart, as in a one-hot code divided by the square root of 2.
struct Kernel: Hashable {
  /// One a parameter, in units of the unit cube.
  var lengths: [Double]
  /// The variance of the function.
  var signal: Double
  /// The variance of an observation's noise; one for each source of observations.
  var noises: [Double]

  /// What the square of a coordinate's distance counts.
  var rates: [Double] { lengths.map { 5 / ($0 * $0) } }

  /// The covariance at a scaled distance r.
  @inline(__always)
  static func correlation(_ r: Double) -> Double { (1 + r + r * r / 3) * exp(-r) }

  /// d correlation / d log length_k is this times 5 ((x_k - y_k) / length_k)^2.
  @inline(__always)
  static func slope(_ r: Double) -> Double { (1 + r) * exp(-r) / 3 }
}

/// Points that kernels are taken of: the rows of a matrix, one column a parameter.
struct Points {
  /// Which parameters are categories: two of their coordinates are the same, or 1 apart.
  let isCategory: [Bool]
  private(set) var coordinates: [Double] = []
  private(set) var count = 0

  init(isCategory: [Bool], _ rows: [[Double]] = []) {
    self.isCategory = isCategory
    for row in rows { append(row) }
  }

  /// None yet, of a space.
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

  /// How far two coordinates of a parameter are from each other, squared.
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
