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
      scaling: Scaling(word: scaling ?? Scaling.automatic.rawValue, parameter: name))
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
      scaling: Scaling(word: scaling ?? Scaling.automatic.rawValue, parameter: name))
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

  /// The value that a text stands for, as one of an earlier search. A number may be beyond the bounds.
  /// - Throws: `.unfitValue` where it is no number, or no category of the range. Quotes around a category, which
  ///   SageMaker's Python SDK adds, are *not* an error.
  public func value(of text: String) throws(SearchError) -> Value {
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
