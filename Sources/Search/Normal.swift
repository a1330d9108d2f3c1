import Glibc

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
