import Glibc

/// A value with its 95 % interval.
public struct Estimate: Codable, Hashable, Sendable {
  public var value: Double
  public var low: Double
  public var high: Double

  public init(value: Double, low: Double, high: Double) {
    self.value = value
    self.low = low
    self.high = high
  }
}

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

/// A sum that does not depend on the order of its terms.
///
/// Terms are cut to multiples of 2^-80 and added as integers, so that the images of a run may come in any order and
/// tallies may be merged in any way. Right within 2^-80 a term; terms of magnitude 2^22 or more saturate (none of the
/// metrics has any).
struct ExactSum: Hashable, Sendable {
  /// In units of 2^-80.
  private var units: Int128 = 0

  init() {}

  init(_ values: some Sequence<Double>) {
    for value in values { add(value) }
  }

  mutating func add(_ term: Double) {
    let scaled = max(-0x1p62, min(0x1p62, term * 0x1p40))
    let whole = scaled.rounded(.down)
    let rest = (scaled - whole) * 0x1p40
    units &+= Int128(Int64(whole)) << 40 &+ Int128(Int64(rest))
  }

  mutating func add(_ other: ExactSum) { units &+= other.units }

  var value: Double { Double(units) * 0x1p-80 }
}
