import Encodings
import Files
import HTTPTypes

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
