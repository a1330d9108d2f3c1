import Glibc

/// How a range is spread over 0...1, the side that a search draws from: SageMaker's ScalingType.
public enum Scaling: String, Hashable, Sendable, CaseIterable {
  /// Logarithmic where the least value is above 0 and the largest at least 100 times it, else Linear.
  case automatic = "Auto"
  case linear = "Linear"
  /// Even in log x, for values above 0: 1e-4 to 1e-3 gets as much as 0.1 to 1.
  case logarithmic = "Logarithmic"
  /// Even in log(1 - x), for 0 <= x < 1: 0.9 to 0.99 gets as much as 0.99 to 0.999.
  case reverseLogarithmic = "ReverseLogarithmic"

  /// How many times the least value the largest must be for Auto to mean Logarithmic.
  static let automaticRatio = 100.0

  init(word: String, parameter: String) throws(SearchError) {
    guard let scaling = Scaling(rawValue: word) else {
      throw SearchError(
        .unknownWord(word, of: "scalingType", known: Scaling.allCases.map(\.rawValue)), parameter: parameter)
    }
    self = scaling
  }

  /// What Auto stands for with these bounds.
  func resolved(_ minimum: Double, _ maximum: Double) -> Scaling {
    guard self == .automatic else { return self }
    return minimum > 0 && maximum >= Self.automaticRatio * minimum ? .logarithmic : .linear
  }
}

/// One side of the map between a range and 0...1; increasing, and exact at both ends.
struct Scale: Hashable {
  let minimum: Double
  let maximum: Double
  /// Never `.automatic`.
  let scaling: Scaling

  /// - Precondition: the scaling can be used with these bounds, and the minimum is below the maximum.
  init(_ minimum: Double, _ maximum: Double, _ scaling: Scaling) {
    (self.minimum, self.maximum) = (minimum, maximum)
    self.scaling = scaling.resolved(minimum, maximum)
  }

  /// Where `value` is: 0 at the minimum, 1 at the maximum, beyond them outside of the range.
  /// - Returns: `nil` where the scale has no such place, as the logarithm of 0.
  func unit(of value: Double) -> Double? {
    let unit =
      switch scaling {
      case .linear, .automatic: (value / 2 - minimum / 2) / (maximum / 2 - minimum / 2)
      case .logarithmic: (log(value) - log(minimum)) / (log(maximum) - log(minimum))
      case .reverseLogarithmic: (log1p(-value) - log1p(-minimum)) / (log1p(-maximum) - log1p(-minimum))
      }
    return unit.isFinite ? unit : nil
  }

  /// The value at a place of 0...1.
  func value(at unit: Double) -> Double {
    // The two ends would be missed by a rounding.
    guard unit > 0 else { return minimum }
    guard unit < 1 else { return maximum }
    let value =
      switch scaling {
      case .linear, .automatic: minimum * (1 - unit) + maximum * unit
      case .logarithmic: exp(log(minimum) * (1 - unit) + log(maximum) * unit)
      case .reverseLogarithmic: -expm1(log1p(-minimum) * (1 - unit) + log1p(-maximum) * unit)
      }
    return min(max(value, minimum), maximum)
  }
}
