import Glibc

/// Repeatable chance that depends on its key alone: SplitMix64 (Steele, Lea, Flood 2014), the key mixed in number by
/// number.
struct Chance: RandomNumberGenerator {
  private var state: UInt64

  init(_ key: UInt64...) {
    state = 0x9e37_79b9_7f4a_7c15
    for number in key { state = Self.mixed(state &+ 0x9e37_79b9_7f4a_7c15 ^ Self.mixed(number)) }
  }

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    return Self.mixed(state)
  }

  /// 0..<1 in steps of 2^-53.
  mutating func fraction() -> Double { Double(next() >> 11) * 0x1p-53 }

  /// 0..<bound; each with the same chance up to bound / 2^64.
  /// - Precondition: `bound` is at least 1.
  mutating func index(below bound: Int) -> Int {
    precondition(bound >= 1, "there is something to draw from")
    return Int(UInt64(bound).multipliedFullWidth(by: next()).high)
  }

  /// A number of mean 0 and deviation 1.
  mutating func normal() -> Double { Normal.quantile((Double(next() >> 12) + 0.5) * 0x1p-52) }

  mutating func point(_ count: Int) -> [Double] { (0..<count).map { _ in fraction() } }

  /// Each bit of the result depends on each bit of `value`.
  private static func mixed(_ value: UInt64) -> UInt64 {
    var word = value
    word = (word ^ word >> 30) &* 0xbf58_476d_1ce4_e5b9
    word = (word ^ word >> 27) &* 0x94d0_49bb_1331_11eb
    return word ^ word >> 31
  }
}

/// The normal distribution of mean 0 and deviation 1, and what expected improvement needs of it.
enum Normal {
  private static let logRootTau = 0.918_938_533_204_672_74

  static func cumulative(_ z: Double) -> Double { 0.5 * erfc(-z * 0.707_106_781_186_547_52) }

  static func density(_ z: Double) -> Double { exp(-0.5 * z * z - logRootTau) }

  /// The z below which a share of `probability` lies.
  /// - Precondition: `probability` is above 0 and below 1.
  static func quantile(_ probability: Double) -> Double {
    precondition(probability > 0 && probability < 1, "a probability of 0 or 1 is infinitely far out")
    // Newton on the logarithm, which is concave on this side, from beyond the solution.
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

  /// log(density(z) + z * cumulative(z)): the logarithm of the expected improvement of a normal variable that is z
  /// deviations better than the best so far, in deviations.
  ///
  /// The logarithm still has a slope where the improvement itself is 0 in floating point (Ament et al. 2023).
  static func logImprovement(_ z: Double) -> Double {
    if z > -25 { return log(density(z) + z * cumulative(z)) }
    let square = z * z
    // The asymptotic series of the difference; the next term is below 3e-7 of it.
    return -0.5 * square - logRootTau - log(square) + log1p(-3 / square + 15 / (square * square))
  }
}
