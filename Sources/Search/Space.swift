/// The parameters of a search, which span its configurations.
public struct Space: Hashable, Sendable {
  /// In the order in which they were given; names are unique.
  public let parameters: [Parameter]

  /// The most parameters that SageMaker tunes at once.
  public static let parameterLimit = 30

  /// - Throws: `.noParameters`, `.tooManyParameters`, `.repeatedParameter`.
  public init(_ parameters: [Parameter]) throws(SearchError) {
    guard !parameters.isEmpty else { throw SearchError(.noParameters) }
    guard parameters.count <= Self.parameterLimit else {
      throw SearchError(.tooManyParameters(parameters.count, limit: Self.parameterLimit))
    }
    var seen: Set<String> = []
    for parameter in parameters where !seen.insert(parameter.name).inserted {
      throw SearchError(.repeatedParameter, parameter: parameter.name)
    }
    self.parameters = parameters
  }

  /// How many configurations there are; `nil` where a parameter is continuous, or the number does not fit in an `Int`.
  public var combinations: Int? {
    var product = 1
    for parameter in parameters {
      guard let count = parameter.valueCount else { return nil }
      let (next, overflow) = product.multipliedReportingOverflow(by: count)
      guard !overflow else { return nil }
      product = next
    }
    return product
  }

  /// Parses a configuration, such as that of an earlier search's job; names of other parameters are ignored.
  /// - Throws: `.unfitValue`, also where a parameter has no text.
  public func configuration(of texts: [String: String]) throws(SearchError) -> Configuration {
    var values: [ParameterValue] = []
    for parameter in parameters {
      guard let text = texts[parameter.name] else {
        throw SearchError(.unfitValue("", wanted: "a value"), parameter: parameter.name)
      }
      values.append(try parameter.value(of: text))
    }
    return Configuration(values)
  }

  /// The texts that a training job is given, by parameter name.
  public func texts(of configuration: Configuration) -> [String: String] {
    Dictionary(
      zip(parameters.map(\.name), configuration.values.map(\.description)),
      uniquingKeysWith: { first, _ in first })
  }

  /// The configuration at a point of the unit cube, which has one coordinate for each parameter.
  func configuration(at point: [Double]) -> Configuration {
    Configuration(zip(parameters, point).map { parameter, unit in parameter.value(at: unit) })
  }

  /// The point of a configuration's values, not the point where it was drawn: integers and categories are in the middle of
  /// their cells.
  /// - Returns: `nil` for a configuration of another space.
  func point(of configuration: Configuration) -> [Double]? {
    guard configuration.values.count == parameters.count else { return nil }
    var point: [Double] = []
    for (parameter, value) in zip(parameters, configuration.values) {
      guard let unit = parameter.unit(of: value) else { return nil }
      point.append(unit)
    }
    return point
  }

  /// A point snapped to the middle of its cells; the same point where all parameters are continuous.
  func snapped(_ point: [Double]) -> [Double] {
    zip(parameters, point).map { parameter, unit in
      if case .continuous = parameter.domain { return min(max(unit, 0), 1) }
      return parameter.unit(of: parameter.value(at: unit)) ?? unit
    }
  }
}

/// A value of one hyperparameter.
public enum ParameterValue: Hashable, Sendable, CustomStringConvertible {
  /// The value of a continuous, an integer or a categorical parameter.
  case real(Double)
  case whole(Int)
  case choice(String)

  /// The text that a training job is given; `Parameter.value(of:)` parses it back to the same value.
  public var description: String {
    switch self {
    case .real(let number): "\(number)"
    case .whole(let number): "\(number)"
    case .choice(let text): text
    }
  }
}

/// A value for each parameter of a space, in the order of `Space.parameters`.
public struct Configuration: Hashable, Sendable {
  /// One for each parameter.
  public let values: [ParameterValue]

  /// - Parameter values: in the order of `Space.parameters`.
  public init(_ values: [ParameterValue]) { self.values = values }
}
