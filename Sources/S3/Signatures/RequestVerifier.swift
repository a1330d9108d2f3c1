public import Encodings
import Files
public import HTTPTypes

/// Verifies Signature Version 4 in the Authorization header or the query; for S3 also URLs presigned with
/// Version 2.
///
/// Looks only at the head of a request. The result says what the signature covers of the body, for the code
/// that receives the body.
public struct RequestVerifier: Sendable {
  /// The maximum difference, in seconds, between a request's time and the server's.
  public static let clockSkewSeconds = 15 * 60
  /// The maximum validity of a presigned URL, in seconds: one week.
  public static let longestExpirySeconds = 604_800

  public let rules: SigningRules
  /// The service that the signature must be for; nil accepts any.
  public let service: String?
  private let credentials: [ByteName: Credential]

  public init(_ credentials: [Credential], rules: SigningRules, service: String? = nil) {
    self.rules = rules
    self.service = service
    self.credentials = Dictionary(credentials.map { (ByteName($0.accessKey), $0) }) { first, _ in first }
  }

  /// Whether the request carries a signature, valid or not.
  public static func isSigned(_ request: HTTPRequest) -> Bool {
    request.headerFields[.authorization] != nil
      || RequestTarget(request.path ?? "/").value("X-Amz-Signature") != nil
  }

  /// Verifies a request's signature.
  ///
  /// - Parameters:
  ///   - bodyDigest: the body's SHA-256 digest in hexadecimal, for services that do not send it in a header.
  ///   - now: the server's time.
  /// - Throws: `SignatureError` if the request must be refused.
  public func verify(_ request: HTTPRequest, bodyDigest: String? = nil, now: UTCTime) throws(SignatureError)
    -> VerifiedRequest
  {
    let target = RequestTarget(request.path ?? "/")
    let claim: SignatureClaim
    if let header = request.headerFields[.authorization] {
      claim = try SignatureClaim(header: header, of: request)
      try checkSkew(claim.time, now)
    } else if target.value("X-Amz-Algorithm") != nil || target.value("X-Amz-Signature") != nil {
      claim = try SignatureClaim(query: target)
      try checkExpiry(claim, now)
    } else if rules == .s3, let presigned = try PresignedV2(request, target) {
      return try verify(presigned, now)
    } else {
      // S3 reports AccessDenied to every anonymous client.
      throw SignatureError(
        rules == .s3 ? .accessDenied : .missingAuthenticationToken,
        "the request is not signed; a signature is required here")
    }
    try check(claim, of: request)
    let credential = try credential(claim.accessKey)
    try checkToken(claim.token, credential, now)
    let payload = try payloadText(claim, request, bodyDigest)
    let canonical = try CanonicalRequest(
      request, rules: rules, signedHeaders: claim.signedHeaders, payload: payload)
    let key = SigningKey(secret: credential.secretKey, scope: claim.scope)
    guard key.isValid(claim.signature, of: key.stringToSign(canonical, at: claim.time)) else {
      throw Self.otherSignature
    }
    return VerifiedRequest(
      accessKey: claim.accessKey, scope: claim.scope, time: claim.time, payload: payload,
      seed: claim.signature, key: key)
  }

  private func verify(_ presigned: PresignedV2, _ now: UTCTime) throws(SignatureError) -> VerifiedRequest {
    try Self.checkExpiry(presigned.expiry, now)
    let credential = try credential(presigned.accessKey)
    try checkToken(presigned.token, credential, now)
    guard presigned.isValid(credential.secretKey) else { throw Self.otherSignature }
    // Version 2 signs no chunks, so this key is never used.
    let scope = SigningScope(day: now.day, region: "", service: "s3")
    return VerifiedRequest(
      accessKey: presigned.accessKey, scope: scope, time: now, payload: PayloadDigest.unsigned.text, seed: "",
      key: SigningKey(secret: credential.secretKey, scope: scope))
  }

  /// Checks the expiry of a presigned URL without verifying its signature; other requests pass.
  ///
  /// - Throws: `.accessDenied` if the URL has expired.
  public static func checkExpiry(of request: HTTPRequest, now: UTCTime) throws(SignatureError) {
    guard request.headerFields[.authorization] == nil, request.path?.utf8.contains(UInt8(ascii: "?")) == true
    else { return }
    let target = RequestTarget(request.path ?? "/")
    if let presigned = try? PresignedV2(request, target) {
      try checkExpiry(presigned.expiry, now)
    } else if let claim = try? SignatureClaim(query: target) {
      try checkExpiry(claim.time.advanced(bySeconds: claim.expirySeconds), now)
    }
  }

  private static func checkExpiry(_ expiry: UTCTime, _ now: UTCTime) throws(SignatureError) {
    guard now <= expiry else {
      throw SignatureError(.accessDenied, "the request expired at \(expiry.iso8601)")
    }
  }

  private static let otherSignature = SignatureError(
    .signatureDoesNotMatch,
    "the signature does not match the one that this server computes with the access key's secret"
  )

  private func credential(_ accessKey: String) throws(SignatureError) -> Credential {
    guard let credential = credentials[ByteName(accessKey)] else {
      throw SignatureError(.invalidAccessKeyId, "the access key '\(shown(accessKey))' is not known here")
    }
    return credential
  }

  private func checkSkew(_ time: UTCTime, _ now: UTCTime) throws(SignatureError) {
    guard abs(time.secondsSince1970 - now.secondsSince1970) <= Self.clockSkewSeconds else {
      throw SignatureError(
        .requestTimeTooSkewed,
        "the request's time, \(time.iso8601), and the server's, \(now.iso8601), differ by more than 15 minutes"
      )
    }
  }

  private func checkExpiry(_ claim: SignatureClaim, _ now: UTCTime) throws(SignatureError) {
    guard claim.time.secondsSince1970 - now.secondsSince1970 <= Self.clockSkewSeconds else {
      throw SignatureError(.accessDenied, "the request is not valid yet")
    }
    try Self.checkExpiry(claim.time.advanced(bySeconds: claim.expirySeconds), now)
  }

  private func check(_ claim: SignatureClaim, of request: HTTPRequest) throws(SignatureError) {
    guard claim.scope.day == claim.time.day else {
      throw SignatureError(
        .signatureDoesNotMatch,
        "the date of the credential, \(shown(claim.scope.day)), is not that of the request")
    }
    if let service, !hasSameBytes(claim.scope.service, service) {
      throw SignatureError(
        .authorizationHeaderMalformed,
        "the credential is for the service '\(shown(claim.scope.service))', but this service is '\(service)'")
    }
    guard claim.signedHeaders.contains("host") else {
      throw SignatureError(.signatureDoesNotMatch, "'host' must be among the signed headers")
    }
    // An unsigned header that changes what the request does may have been added by someone without the key.
    let signed = Set(claim.signedHeaders)
    for field in request.headerFields where Self.decides(field.name.canonicalName) {
      guard signed.contains(field.name.canonicalName) else {
        throw SignatureError(
          .accessDenied,
          "the request contains the header '\(shown(field.name.canonicalName))', which is not signed"
        )
      }
    }
  }

  /// Whether a header determines what the request does, such as X-Amz-Target, which names the operation.
  private static func decides(_ name: String) -> Bool {
    ["x-amz-", "x-amzn-sagemaker-"].contains { name.utf8.starts(with: $0.utf8) }
  }

  private func checkToken(_ token: String?, _ credential: Credential, _ now: UTCTime) throws(SignatureError) {
    if let expiry = credential.expiry, now >= expiry {
      throw SignatureError(.expiredToken, "the token has expired")
    }
    // A plain comparison suffices: the token is public, and only the signature must be compared in constant
    // time.
    guard token.map({ ByteName($0) }) == credential.sessionToken.map({ ByteName($0) }) else {
      throw SignatureError(.invalidToken, "the session token is not the one that belongs to this access key")
    }
  }

  private func payloadText(_ claim: SignatureClaim, _ request: HTTPRequest, _ bodyDigest: String?)
    throws(SignatureError) -> String
  {
    switch rules {
    case .s3:
      if let text = request.headerFields[.amzContentSHA256] { return text }
      guard claim.isPresigned else {
        throw SignatureError(.invalidRequest, "the header x-amz-content-sha256 is missing")
      }
      return PayloadDigest.unsigned.text
    case .general:
      // The digest must be computed from the body; one that the client states proves nothing.
      return bodyDigest ?? PayloadDigest.empty.text
    }
  }
}

/// A request whose signature is valid.
public struct VerifiedRequest: Sendable {
  public let accessKey: String
  public let scope: SigningScope
  public let time: UTCTime
  /// What was signed in place of the body: its SHA-256 digest in hexadecimal, or a word such as
  /// UNSIGNED-PAYLOAD.
  let payload: String
  /// The seed signature, which the first chunk's signature covers.
  let seed: String
  let key: SigningKey

  /// For decoding a body whose chunks are signed.
  public var chunkSigning: ChunkSigning { ChunkSigning(key: key, time: time, seed: seed) }
}

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
