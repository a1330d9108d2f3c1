import Glibc

extension Estimate {
  /// The 97.5 % point of the standard normal distribution.
  private static let normalQuantile = 1.959963984540054

  /// A proportion with Wilson's 95 % score interval (Wilson 1927), statsmodels' `proportion_confint(method="wilson")`.
  ///
  /// Out of nothing: value 0 (scikit-learn's `zero_division=0`), and the interval that says so: 0...1.
  static func wilson(_ count: Int, of total: Int) -> Estimate {
    guard total > 0 else { return Estimate(value: 0, low: 0, high: 1) }
    let n = Double(total)
    let value = Double(count) / n
    let z2 = normalQuantile * normalQuantile
    let denominator = 1 + z2 / n
    let centre = (value + z2 / (2 * n)) / denominator
    let half = normalQuantile * (value * (1 - value) / n + z2 / (4 * n * n)).squareRoot() / denominator
    // The ends of 0 and all are exact; rounding must not push them off.
    return Estimate(
      value: value, low: count == 0 ? 0 : max(0, centre - half),
      high: count == total ? 1 : min(1, centre + half))
  }

  /// `value` with the 2.5 % and 97.5 % percentiles of the draws, numpy's `quantile(method="linear")`.
  static func percentile(_ value: Double, draws: [Double]) -> Estimate {
    let sorted = draws.sorted()
    return Estimate(value: value, low: quantile(sorted, 0.025), high: quantile(sorted, 0.975))
  }
}

/// The quantile of ascending values, linear between neighbours; 0 of none.
func quantile(_ sorted: [Double], _ fraction: Double) -> Double {
  guard let last = sorted.last else { return 0 }
  let place = fraction * Double(sorted.count - 1)
  let index = Int(place.rounded(.down))
  guard index + 1 < sorted.count else { return last }
  return sorted[index] + (sorted[index + 1] - sorted[index]) * (place - Double(index))
}
