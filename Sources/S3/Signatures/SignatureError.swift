/// Why a request's signature is refused, with Amazon's error code.
public struct SignatureError: Error, Hashable, Sendable, CustomStringConvertible {
  /// The raw value is the code as S3 spells it.
  public enum Code: String, Hashable, Sendable {
    case accessDenied = "AccessDenied"
    case authorizationHeaderMalformed = "AuthorizationHeaderMalformed"
    case authorizationQueryParametersError = "AuthorizationQueryParametersError"
    case expiredToken = "ExpiredToken"
    case incompleteBody = "IncompleteBody"
    case invalidAccessKeyId = "InvalidAccessKeyId"
    case invalidChunk = "InvalidChunkSizeError"
    case invalidRequest = "InvalidRequest"
    case invalidToken = "InvalidToken"
    case malformedTrailer = "MalformedTrailerError"
    case missingAuthenticationToken = "MissingAuthenticationToken"
    case requestTimeTooSkewed = "RequestTimeTooSkewed"
    case signatureDoesNotMatch = "SignatureDoesNotMatch"
  }
  public let code: Code
  /// A sentence for the user.
  public let message: String

  public init(_ code: Code, _ message: String) {
    self.code = code
    self.message = message
  }

  public var description: String { "\(code.rawValue): \(message)" }

  /// The HTTP status of the response.
  public var statusCode: Int {
    switch code {
    case .authorizationHeaderMalformed, .authorizationQueryParametersError, .incompleteBody, .invalidChunk,
      .invalidRequest, .invalidToken, .malformedTrailer, .expiredToken:
      400
    default: 403
    }
  }

  /// The error code as services other than S3 spell it.
  public var generalCode: String {
    switch code {
    case .authorizationHeaderMalformed, .authorizationQueryParametersError: "IncompleteSignatureException"
    case .expiredToken: "ExpiredTokenException"
    case .invalidAccessKeyId, .invalidToken: "UnrecognizedClientException"
    case .missingAuthenticationToken: "MissingAuthenticationTokenException"
    case .requestTimeTooSkewed, .signatureDoesNotMatch: "InvalidSignatureException"
    case .accessDenied: "AccessDeniedException"
    default: "ValidationException"
    }
  }
}
