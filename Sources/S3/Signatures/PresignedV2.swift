import Encodings
import Files
import HTTPTypes

/// A URL that was presigned by Amazon's Signature Version 2, as boto3 does for S3 in us-east-1 unless it is told otherwise.
///
/// Its query has `AWSAccessKeyId`, `Signature` and `Expires`; the headers that were signed may be in the query, too. The
/// signature is HMAC-SHA1, which nobody can forge yet; the body is not in it.
struct PresignedV2 {
  let accessKey: String
  let expiry: UTCTime
  let token: String?
  private let signature: [UInt8]
  private let stringToSign: String

  /// - Returns: nil where the query names no `AWSAccessKeyId`.
  init?(_ request: HTTPRequest, _ target: RequestTarget) throws(SignatureError) {
    guard let accessKey = target.value("AWSAccessKeyId") else { return nil }
    guard let expires = target.value("Expires"), let seconds = Int(expires),
      let signature = target.value("Signature").flatMap({ base64Bytes($0) })
    else {
      throw SignatureError(
        .accessDenied,
        "a URL that is presigned with AWSAccessKeyId needs Signature, in base64, and Expires, in seconds since 1970"
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

  /// Takes the same time wherever the two differ.
  func isValid(_ secret: String) -> Bool {
    isSame(signature, authenticationCode(of: Array(stringToSign.utf8), key: Array(secret.utf8), .sha1))
  }

  /// The path as it was sent, and the parameters that make the request another one.
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
