import Glibc

/// Finds the kernel under which observations are likely: the maximum of the marginal likelihood times a prior (MAP).
///
/// The priors are log-normal, for targets of mean 0 and deviation 1 on the unit cube: what a few observations cannot
/// tell stays near their medians.
struct KernelFit {
  /// A log-normal variable: the logarithm's mean and deviation.
  struct Prior: Hashable {
    var mean: Double
    var deviation: Double

    func penalty(_ logarithm: Double) -> (value: Double, slope: Double) {
      let away = (logarithm - mean) / deviation
      return (0.5 * away * away, away / deviation)
    }
  }

  let points: Points
  let targets: [Double]
  let sources: [Int]
  /// Of numbers' length scales.
  let length: Prior
  /// Of categories' length scales.
  let category: Prior
  let signal: Prior
  /// One for each source of observations.
  let noises: [Prior]
  /// Of each pair of points, one after the other, and of each parameter: how far they are apart, squared.
  private let squares: [Double]

  /// Variances of noise are not below this: the covariance stays positive definite.
  static let leastNoise = 1e-8

  init(
    _ points: Points, _ targets: [Double], sources: [Int], length: Prior, category: Prior,
    signal: Prior, noises: [Prior]
  ) {
    (self.points, self.targets, self.sources) = (points, targets, sources)
    (self.length, self.category, self.signal, self.noises) = (length, category, signal, noises)
    var squares: [Double] = []
    let (width, all) = (points.width, points.coordinates)
    squares.reserveCapacity(points.count * points.count / 2 * width)
    for i in 0..<points.count {
      for j in 0..<i {
        for k in 0..<width { squares.append(points.square(k, all[i * width + k], all[j * width + k])) }
      }
    }
    self.squares = squares
  }

  /// - Parameter starts: where the search begins, each the logarithms of lengths, signal and noises.
  /// - Returns: the logarithms of the best kernel found; `nil` where no start has a likelihood.
  func best(from starts: [[Double]], steps: Int) -> [Double]? {
    var best: (point: [Double], value: Double)?
    let search = QuasiNewton(steps: steps)
    for start in starts {
      guard let found = search.minimum(from: start, loss) else { continue }
      if found.value < best?.value ?? .infinity { best = found }
    }
    return best?.point
  }

  /// The prior of one of the logarithms.
  func prior(_ index: Int) -> Prior {
    let width = points.width
    if index < width { return points.isCategory[index] ? category : length }
    return index == width ? signal : noises[index - width - 1]
  }

  /// The medians of the priors.
  var middle: [Double] {
    (0...points.width + noises.count).map { prior($0).mean }
  }

  func kernel(at logarithms: [Double]) -> Kernel {
    let width = points.width
    return Kernel(
      lengths: logarithms[..<width].map { exp($0) }, signal: exp(logarithms[width]),
      noises: logarithms[(width + 1)...].map { exp($0) + Self.leastNoise })
  }

  /// How far the two points of each pair are from each other, in length scales.
  private func distances(_ rates: [Double]) -> [Double] {
    let width = points.width
    return (0..<points.count * (points.count - 1) / 2).map { pair in
      var sum = 0.0
      for k in 0..<width { sum += rates[k] * squares[pair * width + k] }
      return sum.squareRoot()
    }
  }

  /// The points' covariance with noise; only what is on and below the diagonal (column by column).
  private func covariance(_ kernel: Kernel, _ distances: [Double]) -> [Double] {
    let count = points.count
    var covariance = [Double](repeating: 0, count: count * count)
    var pair = 0
    for i in 0..<count {
      for j in 0..<i {
        covariance[j * count + i] = kernel.signal * Kernel.correlation(distances[pair])
        pair += 1
      }
      covariance[i * count + i] = kernel.signal + kernel.noises[sources[i]]
    }
    return covariance
  }

  /// The logarithm of the likelihood alone, without constants.
  func likelihood(at logarithms: [Double]) -> Double? {
    guard logarithms.allSatisfy({ abs($0) < 30 }) else { return nil }
    let kernel = kernel(at: logarithms)
    guard let factor = Cholesky(covariance(kernel, distances(kernel.rates)), size: points.count) else {
      return nil
    }
    var whitened = targets
    factor.solveLower(&whitened)
    return -0.5 * factor.logDeterminant - 0.5 * whitened.reduce(0) { $0 + $1 * $1 }
  }

  /// Minus the logarithm of likelihood times prior, without constants, and its gradient.
  func loss(at logarithms: [Double]) -> (value: Double, gradient: [Double])? {
    guard logarithms.allSatisfy({ abs($0) < 30 }) else { return nil }
    let kernel = kernel(at: logarithms)
    let (count, width) = (points.count, points.width)
    let rates = kernel.rates
    let distances = distances(rates)
    let covariance = covariance(kernel, distances)
    guard let factor = Cholesky(covariance, size: count) else { return nil }
    let weights = factor.solved(targets)
    let inverse = factor.inverse
    var value = 0.5 * factor.logDeterminant
    for i in 0..<count { value += 0.5 * targets[i] * weights[i] }

    var gradient = [Double](repeating: 0, count: logarithms.count)
    var pair = 0
    for i in 0..<count {
      for j in 0..<i {
        // The derivative by this covariance, which is in the matrix twice.
        let pull = inverse[j * count + i] - weights[i] * weights[j]
        gradient[width] += pull * covariance[j * count + i]
        let share = pull * (kernel.signal * Kernel.slope(distances[pair]))
        for k in 0..<width { gradient[k] += share * rates[k] * squares[pair * width + k] }
        pair += 1
      }
      let pull = 0.5 * (inverse[i * count + i] - weights[i] * weights[i])
      gradient[width] += pull * kernel.signal
      gradient[width + 1 + sources[i]] += pull * (kernel.noises[sources[i]] - Self.leastNoise)
    }
    for (index, logarithm) in logarithms.enumerated() {
      let (penalty, slope) = prior(index).penalty(logarithm)
      value += penalty
      gradient[index] += slope
    }
    return (value, gradient)
  }
}
