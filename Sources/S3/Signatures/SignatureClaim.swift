import Encodings
import Files
import HTTPTypes

/// The parsed but unverified signature of a request.
struct SignatureClaim {
  let accessKey: String
  let scope: SigningScope
  let signedHeaders: [String]
  let signature: String
  let time: UTCTime
  let token: String?
  let isPresigned: Bool
  /// The validity of a presigned URL, in seconds.
  let expirySeconds: Int

  init(header: String, of request: HTTPRequest) throws(SignatureError) {
    let malformed = SignatureError.Code.authorizationHeaderMalformed
    let words = Substring(header).utf8.split(separator: UInt8(ascii: " "), maxSplits: 1)
    guard let algorithm = words.first, algorithm.elementsEqual(SigningKey.algorithm.utf8) else {
      throw SignatureError(
        .invalidRequest, "the Authorization header is not of the type \(SigningKey.algorithm)")
    }
    var fields: [String: String] = [:]
    for part in (words.count > 1 ? words[1] : words[0][words[0].endIndex...]).split(
      separator: UInt8(ascii: ","))
    {
      let part = part.drop { $0 == UInt8(ascii: " ") }
      guard let equals = part.firstIndex(of: UInt8(ascii: "=")) else {
        throw SignatureError(malformed, "a part of the Authorization header has no '='")
      }
      let value = part[part.index(after: equals)...]
      fields[String(Substring(part[..<equals]))] = String(Substring(value)).trimmingSpaces
    }
    guard let credential = fields["Credential"], let headers = fields["SignedHeaders"],
      let signature = fields["Signature"]
    else {
      throw SignatureError(
        malformed, "the Authorization header needs Credential, SignedHeaders and Signature")
    }
    // Old clients send the time only in the Date header.
    let written = request.headerFields[.amzDate]
    guard
      let time = written.flatMap({ UTCTime(compact: $0) })
        ?? (written == nil ? request.headerFields[.date].flatMap { UTCTime(httpDate: $0) } : nil)
    else {
      throw SignatureError(
        .accessDenied, "a signed request needs a Date header, or x-amz-date in the form 20150830T123600Z")
    }
    try self.init(
      credential: credential, headers: headers, signature: signature, time: time,
      token: request.headerFields[.amzSecurityToken], isPresigned: false, expirySeconds: 0,
      malformed: malformed)
  }

  init(query: RequestTarget) throws(SignatureError) {
    let malformed = SignatureError.Code.authorizationQueryParametersError
    guard query.value("X-Amz-Algorithm") == SigningKey.algorithm else {
      throw SignatureError(malformed, "X-Amz-Algorithm is not \(SigningKey.algorithm)")
    }
    guard let credential = query.value("X-Amz-Credential"), let headers = query.value("X-Amz-SignedHeaders"),
      let signature = query.value("X-Amz-Signature"), let date = query.value("X-Amz-Date"),
      let expires = query.value("X-Amz-Expires")
    else {
      throw SignatureError(
        malformed,
        "a presigned URL needs X-Amz-Algorithm, X-Amz-Credential, X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders "
          + "and X-Amz-Expires")
    }
    guard let time = UTCTime(compact: date) else {
      throw SignatureError(malformed, "X-Amz-Date is not in the form 20150830T123600Z")
    }
    guard let seconds = Int(expires), (0...RequestVerifier.longestExpirySeconds).contains(seconds) else {
      throw SignatureError(malformed, "X-Amz-Expires is not a number of seconds from 0 to 604800, a week")
    }
    try self.init(
      credential: credential, headers: headers, signature: signature, time: time,
      token: query.value("X-Amz-Security-Token"), isPresigned: true, expirySeconds: seconds,
      malformed: malformed)
  }

  private init(
    credential: String, headers: String, signature: String, time: UTCTime, token: String?, isPresigned: Bool,
    expirySeconds: Int, malformed: SignatureError.Code
  ) throws(SignatureError) {
    // An access key may contain slashes.
    let parts = credential.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
      .map { String(Substring($0)) }
    guard parts.count >= 5, parts[parts.count - 1] == "aws4_request" else {
      throw SignatureError(
        malformed, "the credential is not in the form KEY/20150830/us-east-1/s3/aws4_request")
    }
    guard hexBytes(signature)?.count == 32 else {
      throw SignatureError(malformed, "the signature is not 64 hexadecimal digits")
    }
    accessKey = parts[..<(parts.count - 4)].joined(separator: "/")
    scope = SigningScope(
      day: parts[parts.count - 4], region: parts[parts.count - 3], service: parts[parts.count - 2])
    signedHeaders = headers.utf8.split(separator: UInt8(ascii: ";")).map {
      String(Substring($0)).lowercased()
    }
    self.signature = signature
    self.time = time
    self.token = token
    self.isPresigned = isPresigned
    self.expirySeconds = expirySeconds
  }
}

extension String {
  var trimmingSpaces: String {
    let body = Substring(utf8.drop { $0 == UInt8(ascii: " ") })
    return String(body.reversed().drop { $0 == " " }.reversed())
  }
}

/// A URL presigned with Amazon's Signature Version 2, which is boto3's default for S3 in us-east-1.
///
/// The query contains `AWSAccessKeyId`, `Signature` and `Expires`, and may contain signed headers. The
/// signature is an HMAC-SHA1, which is still considered unforgeable; it does not cover the body.
struct PresignedV2 {
  let accessKey: String
  let expiry: UTCTime
  let token: String?
  private let signature: [UInt8]
  private let stringToSign: String

  /// - Returns: nil if the query has no `AWSAccessKeyId`.
  /// - Throws: `.accessDenied` if the other parameters are missing or malformed.
  init?(_ request: HTTPRequest, _ target: RequestTarget) throws(SignatureError) {
    guard let accessKey = target.value("AWSAccessKeyId") else { return nil }
    guard let expires = target.value("Expires"), let seconds = Int(expires),
      let signature = target.value("Signature").flatMap({ base64Bytes($0) })
    else {
      throw SignatureError(
        .accessDenied,
        "a URL presigned with AWSAccessKeyId needs a Signature in base64 and Expires in seconds since 1970"
      )
    }
    func value(_ name: String) -> String? {
      let sent = HTTPField.Name(name).map { request.headerFields[values: $0] } ?? []
      guard sent.isEmpty else { return sent.map(\.trimmingSpaces).joined(separator: ",") }
      return target.value(name)?.trimmingSpaces
    }
    self.accessKey = accessKey
    self.signature = signature
    expiry = UTCTime(secondsSince1970: seconds)
    token = value("x-amz-security-token")
    var names = Set(request.headerFields.map { ByteName($0.name.canonicalName) })
    names.formUnion(target.query.map { ByteName(String(decoding: $0.name, as: UTF8.self).lowercased()) })
    var lines = [
      request.method.rawValue, value("content-md5") ?? "", value("content-type") ?? "", expires,
    ]
    lines += names.filter { $0.text.hasBytePrefix("x-amz-") }.sorted().map {
      "\($0):\(value($0.text) ?? "")"
    }
    lines.append(Self.resource(target))
    stringToSign = lines.joined(separator: "\n")
  }

  /// Verifies the signature in constant time.
  func isValid(_ secret: String) -> Bool {
    isSame(signature, authenticationCode(of: Array(stringToSign.utf8), key: Array(secret.utf8), .sha1))
  }

  /// The path as it was sent, and the query parameters that the signature covers.
  private static func resource(_ target: RequestTarget) -> String {
    let parameters = target.query.compactMap { name, value -> (name: String, text: String)? in
      let name = String(decoding: name, as: UTF8.self)
      guard signedParameters.contains(name) else { return nil }
      return (name, value.isEmpty ? name : "\(name)=\(String(decoding: value, as: UTF8.self))")
    }.sorted { $0.name < $1.name }
    let path = target.rawPath.isEmpty ? "/" : target.rawPath
    return parameters.isEmpty ? path : path + "?" + parameters.map(\.text).joined(separator: "&")
  }

  private static let signedParameters: Set = [
    "accelerate", "acl", "analytics", "cors", "delete", "inventory", "lifecycle", "location", "logging",
    "metrics", "notification", "object-lock", "partNumber", "policy", "replication", "requestPayment",
    "response-cache-control", "response-content-disposition", "response-content-encoding",
    "response-content-language", "response-content-type", "response-expires", "restore", "select",
    "select-type", "tagging", "torrent", "uploadId", "uploads", "versionId", "versioning", "versions",
    "website",
  ]
}
