import Glibc

/// Fits a kernel to observations: maximizes the marginal likelihood times a prior (MAP).
///
/// The priors are log-normal, for targets of mean 0 and standard deviation 1 on the unit cube. What a few observations
/// cannot tell stays near the priors' medians.
struct KernelFit {
  /// A log-normal distribution: the mean and the standard deviation of the logarithm.
  struct Prior: Hashable {
    var mean: Double
    var deviation: Double

    /// Minus the logarithm of the density, without constants, and its derivative.
    func penalty(_ logarithm: Double) -> (value: Double, slope: Double) {
      let away = (logarithm - mean) / deviation
      return (0.5 * away * away, away / deviation)
    }
  }

  let points: Points
  let targets: [Double]
  let sources: [Int]
  /// The prior of the length scale of a number.
  let length: Prior
  /// The prior of the length scale of a category.
  let category: Prior
  /// The prior of the signal's variance.
  let signal: Prior
  /// The prior of the noise of each source of observations.
  let noises: [Prior]
  /// For each pair of points and each parameter, the squared distance; pair by pair.
  private let squares: [Double]

  /// The least variance of noise, which keeps the covariance positive definite.
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

  /// The best kernel found by L-BFGS from several starts.
  /// - Parameters:
  ///   - starts: each the logarithms of lengths, signal and noises.
  ///   - steps: the most steps from each start.
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

  /// The distance r of each pair of points, scaled by the length scales.
  private func distances(_ rates: [Double]) -> [Double] {
    let width = points.width
    return (0..<points.count * (points.count - 1) / 2).map { pair in
      var sum = 0.0
      for k in 0..<width { sum += rates[k] * squares[pair * width + k] }
      return sum.squareRoot()
    }
  }

  /// The points' covariance with noise, column by column; only numbers on and below the diagonal are set.
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

  /// Minus the logarithm of the likelihood times the prior, without constants, and its gradient.
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
        // The derivative with respect to this covariance, which is in the matrix twice.
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

extension KernelFit {
  /// Kernels drawn from their posterior: where a few observations do not determine the kernel, the average over several is
  /// better than the likeliest alone.
  ///
  /// Elliptical slice sampling (Murray, Adams, MacKay 2010), as the priors of the logarithms are normal.
  /// - Parameters:
  ///   - start: logarithms that have a likelihood, preferably the likeliest ones.
  ///   - steps: how many steps are taken for each kernel.
  func draws(_ count: Int, from start: [Double], steps: Int, _ random: inout RandomStream) -> [Kernel] {
    guard var level = likelihood(at: start) else { return [] }
    let middle = middle
    var place = zip(start, middle).map { $0 - $1 }
    var kernels: [Kernel] = []
    for index in 0..<count * steps {
      let other = place.indices.map { prior($0).deviation * random.normal() }
      let threshold = level + log(1 - random.fraction())
      var angle = 2 * Double.pi * random.fraction()
      var (low, high) = (angle - 2 * Double.pi, angle)
      // The bracket shrinks towards the current place, whose likelihood is above the threshold.
      for _ in 0..<60 {
        let tried = zip(place, other).map { $0 * cos(angle) + $1 * sin(angle) }
        if let found = likelihood(at: zip(tried, middle).map { $0 + $1 }), found > threshold {
          (place, level) = (tried, found)
          break
        }
        if angle < 0 { low = angle } else { high = angle }
        angle = low + (high - low) * random.fraction()
      }
      if (index + 1) % steps == 0 { kernels.append(kernel(at: zip(place, middle).map { $0 + $1 })) }
    }
    return kernels
  }
}

/// The priors of a kernel's parameters, for targets of mean 0 and standard deviation 1 on the unit cube, and how much work
/// goes into fitting it.
enum Priors {
  /// Length scales of numbers: the median is 0.5 times the square root of the number of parameters, as distances grow with
  /// it (Hvarfner et al. 2024).
  static func length(_ parameters: Int) -> KernelFit.Prior {
    .init(mean: -0.7 + 0.5 * log(Double(parameters)), deviation: 1)
  }
  /// Length scales of categories: shorter, so that the result of one category says less about the others, which are then
  /// tried, too.
  static let category = KernelFit.Prior(mean: -0.5, deviation: 1)
  /// The variance of the function.
  static let signal = KernelFit.Prior(mean: 0, deviation: 1)
  /// The variance of the noise: the median is 1e-4, and most of the mass lies between 1e-6 and 1e-2.
  static let noise = KernelFit.Prior(mean: -9, deviation: 2)
  /// How far the scores of another search are off: the median of the variance is 0.14.
  static let parentNoise = KernelFit.Prior(mean: -2, deviation: 1)

  /// The most observations that a kernel is fitted to.
  static let fittedCount = 200
  /// How many kernels are averaged over. Many observations determine the kernel, and the likeliest one will do.
  static func kernels(_ observations: Int) -> Int { observations > 100 ? 1 : 8 }
  static let stepsBetweenKernels = 15
}

extension KernelFit {
  init(_ evidence: Evidence) {
    let part = evidence.part(Priors.fittedCount)
    self.init(
      part.points, part.targets, sources: part.sources, length: Priors.length(part.points.width),
      category: Priors.category,
      signal: Priors.signal, noises: [Priors.noise] + (evidence.hasParents ? [Priors.parentNoise] : []))
  }

  var middleKernel: Kernel { kernel(at: middle) }

  /// The logarithms of the likeliest kernel, searched from the priors' medians and from places around them.
  func likeliest(_ random: inout RandomStream) -> [Double]? {
    let others = (0..<2).map { _ in middle.map { $0 + 0.7 * random.normal() } }
    return best(from: [middle] + others, steps: 40)
  }
}

/// L-BFGS (Nocedal and Wright 2006, algorithm 7.5) with a line search that halves the step until it descends enough.
struct QuasiNewton {
  /// How many steps the approximation of the Hessian remembers.
  var memory = 8
  /// The most steps.
  var steps = 60
  /// The search ends when a step gains less than this.
  var tolerance = 1e-7
  /// The longest step in any coordinate.
  var reach = 2.0

  /// Minimizes a function.
  /// - Parameter function: a value and its gradient; `nil` where it has none, and such a point is never stepped to.
  /// - Returns: the least point found and its value; `nil` where the start has none.
  func minimum(
    from start: [Double], _ function: ([Double]) -> (value: Double, gradient: [Double])?
  ) -> (point: [Double], value: Double)? {
    guard var (value, gradient) = function(start), value.isFinite else { return nil }
    var point = start
    var moves: [(step: [Double], turn: [Double], curvature: Double)] = []
    for _ in 0..<steps {
      var direction = Self.direction(gradient, moves)
      var descent = Self.dot(direction, gradient)
      if descent >= 0 {
        moves = []
        direction = gradient.map { -$0 }
        descent = -Self.dot(gradient, gradient)
      }
      let longest = direction.reduce(0) { max($0, abs($1)) }
      guard longest > 0, descent.isFinite else { break }
      var length = moves.isEmpty ? min(1, 0.5 / longest) : 1
      length = min(length, reach / longest)
      var found: (point: [Double], value: Double, gradient: [Double])?
      for _ in 0..<20 {
        let tried = zip(point, direction).map { $0 + length * $1 }
        if let (new, slope) = function(tried), new.isFinite, new <= value + 1e-4 * length * descent {
          found = (tried, new, slope)
          break
        }
        length *= 0.5
      }
      guard let found else { break }
      let step = zip(found.point, point).map { $0 - $1 }
      let turn = zip(found.gradient, gradient).map { $0 - $1 }
      let curvature = Self.dot(step, turn)
      if curvature > 1e-12 * Self.dot(turn, turn) {
        moves.append((step, turn, curvature))
        if moves.count > memory { moves.removeFirst() }
      }
      let gained = value - found.value
      (point, value, gradient) = found
      if gained < tolerance { break }
    }
    return (point, value)
  }

  private static func direction(
    _ gradient: [Double], _ moves: [(step: [Double], turn: [Double], curvature: Double)]
  ) -> [Double] {
    var direction = gradient
    var shares: [Double] = []
    for move in moves.reversed() {
      let share = dot(move.step, direction) / move.curvature
      shares.append(share)
      for k in direction.indices { direction[k] -= share * move.turn[k] }
    }
    if let last = moves.last {
      let scale = last.curvature / dot(last.turn, last.turn)
      for k in direction.indices { direction[k] *= scale }
    }
    for (move, share) in zip(moves, shares.reversed()) {
      let other = dot(move.turn, direction) / move.curvature
      for k in direction.indices { direction[k] += (share - other) * move.step[k] }
    }
    return direction.map { -$0 }
  }

  private static func dot(_ one: [Double], _ other: [Double]) -> Double {
    var sum = 0.0
    for (a, b) in zip(one, other) { sum += a * b }
    return sum
  }
}
