public import Encodings

/// Who signs: an access key's name and its secret, for a while with a session token.
public struct Credential: Hashable, Sendable {
  public let accessKey: String
  public let secretKey: String
  public let sessionToken: String?
  /// From then on the key is refused with `ExpiredToken`.
  public let expiry: UTCTime?

  public init(accessKey: String, secretKey: String, sessionToken: String? = nil, expiry: UTCTime? = nil) {
    self.accessKey = accessKey
    self.secretKey = secretKey
    self.sessionToken = sessionToken
    self.expiry = expiry
  }
}

/// What a signature holds for: one day, one region, one service.
public struct SigningScope: Hashable, Sendable {
  /// "20150830"
  public let day: String
  public let region: String
  public let service: String

  public init(day: String, region: String, service: String) {
    self.day = day
    self.region = region
    self.service = service
  }

  /// "20150830/us-east-1/s3/aws4_request"
  public var text: String { "\(day)/\(region)/\(service)/aws4_request" }
}

/// How services differ in what they sign.
public enum SigningRules: Hashable, Sendable {
  /// The path is signed as it is, each byte encoded once; the body's digest is a header of its own.
  case s3
  /// Dot segments and empty ones leave the path, and what is left is encoded once more.
  case general
}

/// The key of a scope, derived from a secret, and what is signed with it.
struct SigningKey: Sendable {
  static let algorithm = "AWS4-HMAC-SHA256"
  let scope: SigningScope
  private let key: [UInt8]

  init(secret: String, scope: SigningScope) {
    self.scope = scope
    var key = Array("AWS4\(secret)".utf8)
    for part in [scope.day, scope.region, scope.service, "aws4_request"] {
      key = authenticationCode(of: Array(part.utf8), key: key, .sha256)
    }
    self.key = key
  }

  /// - Returns: 64 hexadecimal digits.
  func signature(of text: String) -> String {
    hexText(authenticationCode(of: Array(text.utf8), key: key, .sha256))
  }

  /// Takes the same time wherever the two differ.
  func isValid(_ signature: some StringProtocol, of text: String) -> Bool {
    guard let bytes = hexBytes(signature) else { return false }
    return isSame(bytes, authenticationCode(of: Array(text.utf8), key: key, .sha256))
  }

  func stringToSign(_ canonical: CanonicalRequest, at time: UTCTime) -> String {
    "\(Self.algorithm)\n\(time.compact)\n\(scope.text)\n\(sha256Text(Array(canonical.text.utf8)))"
  }
}

/// The SHA-256 digest as 64 hexadecimal digits.
package func sha256Text(_ bytes: [UInt8]) -> String { hexText(Digest.of(bytes, .sha256)) }
