import Encodings
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
