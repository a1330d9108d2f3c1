public import Encodings

/// Why an operation is refused, as AWS says it: a code that its clients turn into an exception, and a sentence.
public struct ControlPlaneError: Error, Hashable, Sendable, CustomStringConvertible {
  public enum Code: String, Sendable {
    case validation = "ValidationException"
    case serialization = "SerializationException"
    case unknownOperation = "UnknownOperationException"
    case notFound = "ResourceNotFound"
    case inUse = "ResourceInUse"
    /// Of CloudWatch Logs.
    case noSuchLog = "ResourceNotFoundException"
    case invalidParameter = "InvalidParameterException"
    case limitExceeded = "ResourceLimitExceeded"
    /// Clients try again.
    case unavailable = "ServiceUnavailable"
    /// Clients try again.
    case internalFailure = "InternalFailure"
  }
  public let code: Code
  public let message: String

  public init(_ code: Code, _ message: String) {
    self.code = code
    self.message = message
  }

  /// Of the answer: HTTP's.
  public var status: Int {
    switch code {
    case .unavailable: 503
    case .internalFailure: 500
    default: 400
    }
  }

  public var description: String { "\(code.rawValue): \(message)" }

  /// The body of the answer.
  public var body: JSON { ["__type": .string(code.rawValue), "message": .string(message)] }

  static func invalid(_ message: String) -> ControlPlaneError { ControlPlaneError(.validation, message) }
}
