import Glibc

/// One hyperparameter and the values that it may have: SageMaker's ContinuousParameterRange, IntegerParameterRange and
/// CategoricalParameterRange.
public struct Parameter: Hashable, Sendable {
  /// The values, both bounds included.
  public enum Domain: Hashable, Sendable {
    case continuous(ClosedRange<Double>)
    case integer(ClosedRange<Int>)
    case categorical([String])
  }

  /// The hyperparameter's name.
  public let name: String
  /// The values that it may have.
  public let domain: Domain
  /// As it was given; `.automatic` for categories, which have none.
  public let scaling: ScalingType
  /// The map between the values and 0...1; `nil` for categories.
  let scale: Scale?

  /// The most values that a categorical range may have.
  public static let categoryLimit = 30
  /// Whole numbers up to here are exact as `Double`.
  static let integerLimit = 1 << 53

  /// Real numbers from `minimum` to `maximum`, both included.
  /// - Throws: `.notANumber`, `.invertedRange` (also of equal bounds), `.logarithmOf`, `.reverseLogarithmOf`.
  public init(
    continuous name: String, from minimum: Double, to maximum: Double, scaling: ScalingType = .automatic
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

  /// Integers from `minimum` to `maximum`, both included; each end is as likely as its neighbours.
  ///
  /// On the linear scale each integer n has the same share of 0...1; on the logarithmic scale its share is proportional to
  /// log(n + 1/2) - log(n - 1/2).
  /// - Throws: `.notANumber` beyond 2^53, `.invertedRange` (also of equal bounds), `.logarithmOf`,
  ///   `.reverseLogarithmOfIntegers`.
  public init(
    integer name: String, from minimum: Int, to maximum: Int, scaling: ScalingType = .automatic
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
    // Auto is decided by the bounds themselves, not by the edges of their cells.
    self.scale = Scale(
      Double(minimum) - 0.5, Double(maximum) + 0.5, scaling.resolved(Double(minimum), Double(maximum)))
  }

  /// Checks what holds for both kinds of ranges.
  private static func check<Number: Comparable & Numeric>(
    _ minimum: Number, _ maximum: Number, _ scaling: ScalingType, _ name: String
  ) throws(SearchError) {
    guard minimum < maximum else {
      throw SearchError(.invertedRange(minimum: "\(minimum)", maximum: "\(maximum)"), parameter: name)
    }
    if scaling == .logarithmic, minimum <= 0 {
      throw SearchError(.logarithmOf(minimum: "\(minimum)"), parameter: name)
    }
  }

  /// One of several words that have no order.
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

  /// The scaling in use: what Auto stands for with these bounds. Linear for categories.
  public var effectiveScaling: ScalingType { scale?.scaling ?? .linear }

  /// How many values there are; `nil` for real numbers.
  public var valueCount: Int? {
    switch domain {
    case .continuous: nil
    case .integer(let range): range.upperBound - range.lowerBound + 1
    case .categorical(let values): values.count
    }
  }
}

extension Parameter {
  /// A ContinuousParameterRange as SageMaker's request has it: the bounds are text.
  /// - Parameter scaling: `nil` where the request has none: Auto.
  /// - Throws: what `init(continuous:from:to:scaling:)` throws; `.notANumber`, `.unknownWord`.
  public init(
    continuous name: String, from minimum: String, to maximum: String, scaling: String?
  ) throws(SearchError) {
    try self.init(
      continuous: name, from: Self.number(minimum, "MinValue", name),
      to: Self.number(maximum, "MaxValue", name),
      scaling: ScalingType(word: scaling ?? ScalingType.automatic.rawValue, parameter: name))
  }

  /// An IntegerParameterRange as SageMaker's request has it: the bounds are text.
  /// - Parameter scaling: `nil` where the request has none: Auto.
  /// - Throws: what `init(integer:from:to:scaling:)` throws; `.notANumber`, `.unknownWord`.
  public init(
    integer name: String, from minimum: String, to maximum: String, scaling: String?
  ) throws(SearchError) {
    try self.init(
      integer: name, from: Self.integer(minimum, "MinValue", name),
      to: Self.integer(maximum, "MaxValue", name),
      scaling: ScalingType(word: scaling ?? ScalingType.automatic.rawValue, parameter: name))
  }

  private static func number(_ text: String, _ bound: String, _ name: String) throws(SearchError) -> Double {
    guard let number = Double(text) else {
      throw SearchError(.notANumber(bound: bound, text: text, wanted: "a finite number"), parameter: name)
    }
    return number
  }

  private static func integer(_ text: String, _ bound: String, _ name: String) throws(SearchError) -> Int {
    guard let number = Int(text) ?? Double(text).flatMap(Int.init(exactly:)) else {
      throw SearchError(.notANumber(bound: bound, text: text, wanted: "an integer"), parameter: name)
    }
    return number
  }

  /// Parses a value, such as one of an earlier search. A number may lie outside the bounds.
  /// - Throws: `.unfitValue` where it is no number, or no category of the range. Quotes around a category, which
  ///   SageMaker's Python SDK adds, are *not* an error.
  public func value(of text: String) throws(SearchError) -> ParameterValue {
    switch domain {
    case .continuous:
      if let number = Double(text), number.isFinite { return .real(number) }
      throw SearchError(.unfitValue(text, wanted: "a finite number"), parameter: name)
    case .integer:
      if let number = Int(text) ?? Double(text).flatMap(Int.init(exactly:)) { return .whole(number) }
      throw SearchError(.unfitValue(text, wanted: "an integer"), parameter: name)
    case .categorical(let values):
      if values.contains(text) { return .choice(text) }
      let inner = String(text.dropFirst().dropLast())
      if text == "\"\(inner)\"", values.contains(inner) { return .choice(inner) }
      throw SearchError(
        .unfitValue(text, wanted: "one of \(values.joined(separator: ", "))"), parameter: name)
    }
  }
}

extension Parameter {
  /// The value at a place of 0...1. Each integer and each category has a cell of that interval.
  public func value(at unit: Double) -> ParameterValue {
    switch domain {
    case .continuous: return .real(scale?.value(at: unit) ?? 0)
    case .integer(let range):
      let number = (scale?.value(at: unit) ?? 0).rounded()
      return .whole(min(max(Int(exactly: number) ?? range.lowerBound, range.lowerBound), range.upperBound))
    case .categorical(let values):
      let cell = (unit * Double(values.count)).rounded(.down)
      return .choice(values[min(max(Int(exactly: cell) ?? 0, 0), values.count - 1)])
    }
  }

  /// The place of a value in 0...1: for a category, the middle of its cell; for a number outside the bounds, a place
  /// outside 0...1.
  /// - Returns: `nil` for a value of another kind, or one that the scale cannot map.
  public func unit(of value: ParameterValue) -> Double? {
    switch (domain, value) {
    case (.continuous, .real(let number)): scale?.unit(of: number)
    case (.continuous, .whole(let number)): scale?.unit(of: Double(number))
    case (.integer, .whole(let number)): scale?.unit(of: Double(number))
    case (.categorical(let values), .choice(let text)):
      values.firstIndex(of: text).map { (Double($0) + 0.5) / Double(values.count) }
    default: nil
    }
  }
}

/// How a range is mapped to 0...1, which the search works on: SageMaker's ScalingType.
public enum ScalingType: String, Hashable, Sendable, CaseIterable {
  /// Logarithmic where the least value is above 0 and the largest at least 100 times it, else Linear.
  case automatic = "Auto"
  /// Uniform in x.
  case linear = "Linear"
  /// Uniform in log x, for values above 0: 1e-4 to 1e-3 gets as much room as 0.1 to 1.
  case logarithmic = "Logarithmic"
  /// Uniform in log(1 - x), for 0 <= x < 1: 0.9 to 0.99 gets as much room as 0.99 to 0.999.
  case reverseLogarithmic = "ReverseLogarithmic"

  /// Auto means Logarithmic where the largest value is at least this many times the least.
  static let automaticRatio = 100.0

  init(word: String, parameter: String) throws(SearchError) {
    guard let scaling = ScalingType(rawValue: word) else {
      throw SearchError(
        .unknownWord(word, of: "scalingType", known: ScalingType.allCases.map(\.rawValue)),
        parameter: parameter)
    }
    self = scaling
  }

  /// What Auto stands for with these bounds.
  func resolved(_ minimum: Double, _ maximum: Double) -> ScalingType {
    guard self == .automatic else { return self }
    return minimum > 0 && maximum >= Self.automaticRatio * minimum ? .logarithmic : .linear
  }
}

/// The map between a range and 0...1: increasing, and exact at both ends.
struct Scale: Hashable {
  let minimum: Double
  let maximum: Double
  /// Never `.automatic`.
  let scaling: ScalingType

  /// - Precondition: the scaling can be used with these bounds, and the minimum is below the maximum.
  init(_ minimum: Double, _ maximum: Double, _ scaling: ScalingType) {
    (self.minimum, self.maximum) = (minimum, maximum)
    self.scaling = scaling.resolved(minimum, maximum)
  }

  /// The place of a value: 0 for the minimum, 1 for the maximum, outside 0...1 for values outside the range.
  /// - Returns: `nil` where the scale cannot map the value, such as 0 on a logarithmic one.
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
    // Rounding would miss the two ends.
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
