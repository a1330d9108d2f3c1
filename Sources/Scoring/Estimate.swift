import Files
import Glibc

/// A value with its 95 % interval.
public struct Estimate: Codable, Hashable, Sendable {
  /// The value itself.
  public var value: Double
  /// The lower end of the interval.
  public var low: Double
  /// The upper end of the interval.
  public var high: Double

  /// A value with the ends of its interval.
  public init(value: Double, low: Double, high: Double) {
    self.value = value
    self.low = low
    self.high = high
  }
}

extension Estimate {
  /// The 0.975 quantile of the standard normal distribution.
  private static let normalQuantile = 1.959963984540054

  /// A count out of `total` as a share with Wilson's 95 % score interval (Wilson 1927), as statsmodels'
  /// `proportion_confint(method="wilson")`.
  ///
  /// Where `total` is 0 the value is 0 (scikit-learn's `zero_division=0`), and the interval 0...1.
  static func wilson(_ count: Int, of total: Int) -> Estimate {
    wilson(share: total > 0 ? Double(count) / Double(total) : 0, of: total)
  }

  /// A share, 0...1, of `total` with Wilson's 95 % score interval; 0...1 where `total` is 0.
  package static func wilson(share value: Double, of total: Int) -> Estimate {
    guard total > 0 else { return Estimate(value: value, low: 0, high: 1) }
    let n = Double(total)
    let z2 = normalQuantile * normalQuantile
    let denominator = 1 + z2 / n
    let centre = (value + z2 / (2 * n)) / denominator
    let half = normalQuantile * (value * (1 - value) / n + z2 / (4 * n * n)).squareRoot() / denominator
    // The interval of no image ends exactly at 0, that of all images at 1; rounding must not move these ends.
    return Estimate(
      value: value, low: value == 0 ? 0 : max(0, centre - half),
      high: value == 1 ? 1 : min(1, centre + half))
  }

  /// `value` with the 2.5th and 97.5th percentiles of the draws as its interval.
  static func percentile(_ value: Double, draws: [Double]) -> Estimate {
    let sorted = draws.sorted()
    return Estimate(
      value: value, low: quantile(ofSorted: sorted, 0.025), high: quantile(ofSorted: sorted, 0.975))
  }
}

/// A sum that does not depend on the order of its terms.
///
/// Terms are rounded down to multiples of 2^-80 and added as integers, so images may come in any order, and tallies may
/// be merged in any order. The error is at most 2^-80 a term. Terms of magnitude 2^22 or more saturate; no metric has
/// any.
struct ExactSum: Hashable, Sendable {
  /// The sum in units of 2^-80.
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
