public import Encodings
import Files
public import HTTPTypes

/// Checks signatures of Amazon's Signature Version 4, in the header `Authorization` or in the query of a URL; of S3's URLs
/// those of version 2, too.
///
/// It sees the head of a request. What the signature says of the body is in the result, for whoever receives the body.
public struct RequestVerifier: Sendable {
  /// A request whose clock is further off is refused.
  public static let clockSkewSeconds = 15 * 60
  /// The longest that a presigned URL may be good for: a week.
  public static let longestExpirySeconds = 604_800

  public let rules: SigningRules
  /// The service that must be in the scope; nil: any.
  public let service: String?
  private let credentials: [ByteName: Credential]

  public init(_ credentials: [Credential], rules: SigningRules, service: String? = nil) {
    self.rules = rules
    self.service = service
    self.credentials = Dictionary(credentials.map { (ByteName($0.accessKey), $0) }) { first, _ in first }
  }

  /// Whether the request carries a signature at all, good or bad.
  public static func isSigned(_ request: HTTPRequest) -> Bool {
    request.headerFields[.authorization] != nil
      || RequestTarget(request.path ?? "/").value("X-Amz-Signature") != nil
  }

  /// - Parameters:
  ///   - bodyDigest: the body's SHA-256 in hexadecimal, for services that do not put it into a header.
  ///   - now: the time to compare the request's with.
  /// - Throws: the reason for which the request must not be answered.
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
      // S3 says so of everyone whom it does not know.
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
    // No chunk of a body is signed by this version: what one could be checked with is no key of anyone's.
    let scope = SigningScope(day: now.day, region: "", service: "s3")
    return VerifiedRequest(
      accessKey: presigned.accessKey, scope: scope, time: now, payload: PayloadDigest.unsigned.text, seed: "",
      key: SigningKey(secret: credential.secretKey, scope: scope))
  }

  /// Whether a presigned URL is still good, for who does not look at its signature; all else passes.
  ///
  /// - Throws: `.accessDenied` where it has expired.
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
      throw SignatureError(.accessDenied, "the request has expired at \(expiry.iso8601)")
    }
  }

  private static let otherSignature = SignatureError(
    .signatureDoesNotMatch,
    "the signature is not the one that this server computes from the request and the secret of the access key"
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
        "the request's time is \(time.iso8601) and the server's \(now.iso8601); more than 15 minutes lie between them"
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
        "the day of the credential, \(shown(claim.scope.day)), is not that of the request")
    }
    if let service, !hasSameBytes(claim.scope.service, service) {
      throw SignatureError(
        .authorizationHeaderMalformed,
        "the credential is for the service '\(shown(claim.scope.service))', and this is '\(service)'")
    }
    guard claim.signedHeaders.contains("host") else {
      throw SignatureError(.signatureDoesNotMatch, "'host' must be among the signed headers")
    }
    // A header that changes what the request does, slipped in by someone who cannot sign.
    let signed = Set(claim.signedHeaders)
    for field in request.headerFields where Self.decides(field.name.canonicalName) {
      guard signed.contains(field.name.canonicalName) else {
        throw SignatureError(
          .accessDenied, "the header '\(shown(field.name.canonicalName))' is in the request and is not signed"
        )
      }
    }
  }

  /// Whether a header says what is to be done: X-Amz-Target names the operation, others what it is done with.
  private static func decides(_ name: String) -> Bool {
    ["x-amz-", "x-amzn-sagemaker-"].contains { name.utf8.starts(with: $0.utf8) }
  }

  private func checkToken(_ token: String?, _ credential: Credential, _ now: UTCTime) throws(SignatureError) {
    if let expiry = credential.expiry, now >= expiry {
      throw SignatureError(.expiredToken, "the token has expired")
    }
    // The token is no secret that a signature could not guard: it is compared as it comes.
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
      // A digest that the client only claims proves nothing about the body.
      return bodyDigest ?? PayloadDigest.empty.text
    }
  }
}

/// A request whose signature is right.
public struct VerifiedRequest: Sendable {
  public let accessKey: String
  public let scope: SigningScope
  public let time: UTCTime
  /// What was signed in place of the body: its SHA-256 in hexadecimal, or one of Amazon's words.
  let payload: String
  /// The signature that the first chunk's is made from.
  let seed: String
  let key: SigningKey

  /// For the decoder of the body, where chunks are signed each.
  public var chunkSigning: ChunkSigning { ChunkSigning(key: key, time: time, seed: seed) }
}
