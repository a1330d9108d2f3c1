public import Encodings
public import HTTPTypes

/// What a signature covers in place of the request body.
public enum PayloadDigest: Hashable, Sendable {
  /// The digest of an empty body.
  case empty
  /// The body's SHA-256 digest as 64 hexadecimal digits.
  case sha256(String)
  /// UNSIGNED-PAYLOAD: the signature does not cover the body.
  case unsigned

  public init(of body: [UInt8]) { self = .sha256(sha256Text(body)) }

  var text: String {
    switch self {
    case .empty: "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    case .sha256(let digits): digits
    case .unsigned: "UNSIGNED-PAYLOAD"
    }
  }
}

/// Signs requests with Amazon's Signature Version 4.
public struct RequestSigner: Sendable {
  public let credential: Credential
  public let region: String
  public let service: String
  public let rules: SigningRules

  public init(_ credential: Credential, region: String, service: String, rules: SigningRules) {
    self.credential = credential
    self.region = region
    self.service = service
    self.rules = rules
  }

  /// Adds the headers of a signature. It covers all headers except those that proxies and clients may change
  /// on the way.
  ///
  /// - Parameter request: must have an authority or a Host header, and the path exactly as it will be sent.
  public func sign(_ request: inout HTTPRequest, payload: PayloadDigest, at time: UTCTime)
    throws(SignatureError)
  {
    request.headerFields[.amzDate] = time.compact
    if let token = credential.sessionToken { request.headerFields[.amzSecurityToken] = token }
    if rules == .s3 { request.headerFields[.amzContentSHA256] = payload.text }
    request.headerFields[.authorization] = nil
    let names = signedHeaders(of: request)
    let canonical = try CanonicalRequest(request, rules: rules, signedHeaders: names, payload: payload.text)
    let key = key(at: time)
    request.headerFields[.authorization] =
      "\(SigningKey.algorithm) Credential=\(credential.accessKey)/\(key.scope.text), "
      + "SignedHeaders=\(names.joined(separator: ";")), "
      + "Signature=\(key.signature(of: key.stringToSign(canonical, at: time)))"
  }

  /// Presigns a request: returns the path and query with which anyone can send it until it expires.
  ///
  /// - Parameters:
  ///   - request: its headers are signed, so they must be sent, too.
  ///   - seconds: the validity from `time` on; S3 accepts at most one week.
  public func presign(_ request: HTTPRequest, expiringIn seconds: Int, at time: UTCTime)
    throws(SignatureError)
    -> String
  {
    var request = request
    let names = signedHeaders(of: request)
    let key = key(at: time)
    let path = request.path ?? "/"
    var target = path + (path.utf8.contains(UInt8(ascii: "?")) ? "&" : "?")
    target += "X-Amz-Algorithm=\(SigningKey.algorithm)"
    target += "&X-Amz-Credential=\(percentEncoded("\(credential.accessKey)/\(key.scope.text)".utf8))"
    target += "&X-Amz-Date=\(time.compact)&X-Amz-Expires=\(seconds)"
    target += "&X-Amz-SignedHeaders=\(percentEncoded(names.joined(separator: ";").utf8))"
    if let token = credential.sessionToken { target += "&X-Amz-Security-Token=\(percentEncoded(token.utf8))" }
    request.path = target
    let payload: PayloadDigest = rules == .s3 ? .unsigned : .empty
    let canonical = try CanonicalRequest(request, rules: rules, signedHeaders: names, payload: payload.text)
    return target + "&X-Amz-Signature=\(key.signature(of: key.stringToSign(canonical, at: time)))"
  }

  private func key(at time: UTCTime) -> SigningKey {
    SigningKey(
      secret: credential.secretKey, scope: SigningScope(day: time.day, region: region, service: service))
  }

  private func signedHeaders(of request: HTTPRequest) -> [String] {
    let unsigned: Set = [
      "authorization", "connection", "expect", "transfer-encoding", "user-agent", "x-amzn-trace-id",
    ]
    return Set(request.headerFields.map(\.name.canonicalName)).union(["host"]).subtracting(unsigned).sorted()
  }
}

extension HTTPField.Name {
  static let amzDate = known("x-amz-date")
  static let amzSecurityToken = known("x-amz-security-token")
  static let amzContentSHA256 = known("x-amz-content-sha256")

  private static func known(_ name: String) -> HTTPField.Name {
    guard let name = HTTPField.Name(name) else { preconditionFailure("'\(name)' is not a valid header name") }
    return name
  }
}

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
