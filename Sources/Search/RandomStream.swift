import Encodings
import Glibc

/// Reproducible random numbers that depend on a key alone: SplitMix64, with the key mixed in number by number.
struct RandomStream: RandomNumberGenerator {
  private var state: UInt64

  init(_ key: UInt64...) {
    state = goldenRatio64
    for number in key { state = mixedBits(state &+ goldenRatio64 ^ mixedBits(number)) }
  }

  mutating func next() -> UInt64 {
    state &+= goldenRatio64
    return mixedBits(state)
  }

  /// 0..<1 in steps of 2^-53.
  mutating func fraction() -> Double { Double(next() >> 11) * 0x1p-53 }

  /// 0..<bound; each with the same chance up to bound / 2^64.
  /// - Precondition: `bound` is at least 1.
  mutating func index(below bound: Int) -> Int {
    precondition(bound >= 1, "there is something to draw from")
    return Int(UInt64(bound).multipliedFullWidth(by: next()).high)
  }

  /// A normal number of mean 0 and standard deviation 1.
  mutating func normal() -> Double { Normal.quantile((Double(next() >> 12) + 0.5) * 0x1p-52) }

  /// A point of the unit cube with `count` coordinates.
  mutating func point(_ count: Int) -> [Double] { (0..<count).map { _ in fraction() } }
}

/// The normal distribution of mean 0 and standard deviation 1, as expected improvement needs it.
enum Normal {
  private static let logRootTau = 0.918_938_533_204_672_74

  static func cumulative(_ z: Double) -> Double { 0.5 * erfc(-z * 0.707_106_781_186_547_52) }

  static func density(_ z: Double) -> Double { exp(-0.5 * z * z - logRootTau) }

  /// The z that a normal number is below with this probability.
  /// - Precondition: `probability` is above 0 and below 1.
  static func quantile(_ probability: Double) -> Double {
    precondition(probability > 0 && probability < 1, "a probability of 0 or 1 is infinitely far out")
    // Newton's method on the logarithm, which is concave on this side, from beyond the solution.
    let tail = min(probability, 1 - probability)
    var z = -(max(-2 * log(2 * tail), 0)).squareRoot()
    for _ in 0..<60 {
      let cumulative = cumulative(z)
      let step = cumulative * (log(cumulative) - log(tail)) / density(z)
      z -= step
      if abs(step) <= 1e-15 * max(1, abs(z)) { break }
    }
    return probability < 0.5 ? z : -z
  }

  /// log(density(z) + z * cumulative(z)): the logarithm of the expected improvement of a normal variable whose mean is z
  /// standard deviations better than the best so far, in standard deviations.
  ///
  /// The logarithm still has a slope where the improvement itself underflows to 0 (Ament et al. 2023).
  static func logImprovement(_ z: Double) -> Double {
    if z > -25 { return log(density(z) + z * cumulative(z)) }
    let square = z * z
    // The asymptotic series of the difference; the next term is below 3e-7 of it.
    return -0.5 * square - logRootTau - log(square) + log1p(-3 / square + 15 / (square * square))
  }
}
