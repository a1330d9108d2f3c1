/// One hyperparameter and the values that it may have: SageMaker's ContinuousParameterRange, IntegerParameterRange and
/// CategoricalParameterRange.
public struct Parameter: Hashable, Sendable {
  public enum Domain: Hashable, Sendable {
    case continuous(ClosedRange<Double>)
    case integer(ClosedRange<Int>)
    case categorical([String])
  }

  public let name: String
  public let domain: Domain
  /// As it was given; `.automatic` for categories, which have none.
  public let scaling: Scaling
  /// Between the values and 0...1; `nil` for categories.
  let scale: Scale?

  /// Values of a categorical range, at most.
  public static let categoryLimit = 30
  /// Whole numbers up to here are exact as `Double`.
  static let integerLimit = 1 << 53

  /// Real numbers from `minimum` to `maximum`, both among them.
  /// - Throws: `.notANumber`, `.invertedRange` (also of equal bounds), `.logarithmOf`, `.reverseLogarithmOf`.
  public init(
    continuous name: String, from minimum: Double, to maximum: Double, scaling: Scaling = .automatic
  ) throws(SearchError) {
    for (bound, value) in [("MinValue", minimum), ("MaxValue", maximum)] where !value.isFinite {
      throw SearchError(
        .notANumber(bound: bound, text: "\(value)", wanted: "a finite number"), parameter: name)
    }
    try Self.check(minimum, maximum, scaling, name)
    if scaling == .reverseLogarithmic, minimum < 0 || maximum >= 1 {
      throw SearchError(.reverseLogarithmOf(minimum: "\(minimum)", maximum: "\(maximum)"), parameter: name)
    }
    self.name = name
    self.domain = .continuous(minimum...maximum)
    self.scaling = scaling
    self.scale = Scale(minimum, maximum, scaling)
  }

  /// Whole numbers from `minimum` to `maximum`, both among them, each end as likely as its neighbours.
  ///
  /// On the linear scale each number has the same share of 0...1; on the logarithmic one that of
  /// log(n + 1/2) - log(n - 1/2).
  /// - Throws: `.notANumber` beyond 2^53, `.invertedRange` (also of equal bounds), `.logarithmOf`,
  ///   `.reverseLogarithmOfIntegers`.
  public init(
    integer name: String, from minimum: Int, to maximum: Int, scaling: Scaling = .automatic
  ) throws(SearchError) {
    for (bound, value) in [("MinValue", minimum), ("MaxValue", maximum)]
    where value.magnitude > Self.integerLimit {
      throw SearchError(
        .notANumber(bound: bound, text: "\(value)", wanted: "an integer of at most 2^53"), parameter: name)
    }
    try Self.check(minimum, maximum, scaling, name)
    if scaling == .reverseLogarithmic { throw SearchError(.reverseLogarithmOfIntegers, parameter: name) }
    self.name = name
    self.domain = .integer(minimum...maximum)
    self.scaling = scaling
    // Auto is judged by the bounds themselves, not by those of their cells.
    self.scale = Scale(
      Double(minimum) - 0.5, Double(maximum) + 0.5, scaling.resolved(Double(minimum), Double(maximum)))
  }

  /// What a range of either kind has to be.
  private static func check<Number: Comparable & Numeric>(
    _ minimum: Number, _ maximum: Number, _ scaling: Scaling, _ name: String
  ) throws(SearchError) {
    guard minimum < maximum else {
      throw SearchError(.invertedRange(minimum: "\(minimum)", maximum: "\(maximum)"), parameter: name)
    }
    if scaling == .logarithmic, minimum <= 0 {
      throw SearchError(.logarithmOf(minimum: "\(minimum)"), parameter: name)
    }
  }

  /// One of some words, of which none is nearer to another.
  /// - Throws: `.categoryCount`, `.repeatedCategory`.
  public init(categorical name: String, _ values: [String]) throws(SearchError) {
    guard (1...Self.categoryLimit).contains(values.count) else {
      throw SearchError(.categoryCount(values.count, limit: Self.categoryLimit), parameter: name)
    }
    var seen: Set<String> = []
    for value in values where !seen.insert(value).inserted {
      throw SearchError(.repeatedCategory(value), parameter: name)
    }
    self.name = name
    self.domain = .categorical(values)
    self.scaling = .automatic
    self.scale = nil
  }

  /// The scaling that acts: what Auto stands for here. Linear for categories.
  public var effectiveScaling: Scaling { scale?.scaling ?? .linear }

  /// How many values there are; `nil` for real numbers.
  public var valueCount: Int? {
    switch domain {
    case .continuous: nil
    case .integer(let range): range.upperBound - range.lowerBound + 1
    case .categorical(let values): values.count
    }
  }
}
