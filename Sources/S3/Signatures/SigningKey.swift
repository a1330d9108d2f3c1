public import Encodings

/// An access key with its secret; a temporary one also has a session token.
public struct Credential: Hashable, Sendable {
  public let accessKey: String
  public let secretKey: String
  /// nil for a permanent key.
  public let sessionToken: String?
  /// When the key expires; after that, it is refused with `ExpiredToken`.
  public let expiry: UTCTime?

  public init(accessKey: String, secretKey: String, sessionToken: String? = nil, expiry: UTCTime? = nil) {
    self.accessKey = accessKey
    self.secretKey = secretKey
    self.sessionToken = sessionToken
    self.expiry = expiry
  }
}

/// What a signature is valid for: one day, one region, one service.
public struct SigningScope: Hashable, Sendable {
  /// In UTC: "20150830".
  public let day: String
  public let region: String
  public let service: String

  public init(day: String, region: String, service: String) {
    self.day = day
    self.region = region
    self.service = service
  }

  /// The scope as it is signed: "20150830/us-east-1/s3/aws4_request".
  public var text: String { "\(day)/\(region)/\(service)/aws4_request" }
}

/// How the canonical request differs between services.
public enum SigningRules: Hashable, Sendable {
  /// The path is percent-encoded once and not normalized; the body's digest is sent in a header.
  case s3
  /// The path is normalized (no dot segments, no empty ones) and percent-encoded a second time.
  case general
}

/// A signing key derived from a secret for one scope.
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

  /// Signs text with HMAC-SHA256.
  ///
  /// - Returns: 64 hexadecimal digits.
  func signature(of text: String) -> String {
    hexText(authenticationCode(of: Array(text.utf8), key: key, .sha256))
  }

  /// Verifies a signature in constant time.
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
