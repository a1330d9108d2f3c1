/// A value of one hyperparameter.
public enum Value: Hashable, Sendable, CustomStringConvertible {
  case real(Double)
  case whole(Int)
  case choice(String)

  /// The text that a training job is given; read back by `Parameter.value(of:)` to the same value.
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
  public let values: [Value]

  public init(_ values: [Value]) { self.values = values }
}
