import Encodings
import Files
import HTTPTypes

/// The implemented S3 operations.
enum S3Operation: Hashable, Sendable {
  case listBuckets
  case createBucket, headBucket, deleteBucket, getBucketLocation
  case listObjects, listObjectsV2, deleteObjects, listMultipartUploads
  case getObject, headObject, putObject, copyObject, deleteObject
  case createMultipartUpload, uploadPart, uploadPartCopy, completeMultipartUpload, abortMultipartUpload,
    listParts
}

/// The operation that a request's head asks for.
struct S3Call: Sendable {
  let operation: S3Operation
  let bucket: String
  let key: String
  /// The request's head; the `x-amz-` headers that a presigned URL carries in its query are among its headers.
  let head: HTTPRequest
  private let target: RequestTarget

  /// - Throws: `.notImplemented` with the operation's name; `.methodNotAllowed`; `.invalidURI`; `.invalidRequest` where a
  ///   header and the query contradict each other.
  init(_ head: HTTPRequest) throws(ObjectError) {
    target = RequestTarget(head.path ?? "/")
    let head = try Self.withHeaders(of: target, head)
    self.head = head
    let path = Substring(target.rawPath).utf8.drop { $0 == UInt8(ascii: "/") }
    let slash = path.firstIndex(of: UInt8(ascii: "/")) ?? path.endIndex
    let rest = slash == path.endIndex ? path[slash...] : path[path.index(after: slash)...]
    // A path begins with exactly one slash; a second one would mean a key in a bucket with an empty name.
    guard !target.rawPath.hasPrefix("//"), let bucket = Self.text(path[..<slash]), let key = Self.text(rest)
    else {
      throw ObjectError(
        .invalidURI,
        "could not parse the specified URI; the path /bucket/key in percent-encoded UTF-8 is expected")
    }
    (self.bucket, self.key) = (bucket, key)
    operation = try Self.operation(head, target, hasBucket: !bucket.isEmpty, hasKey: !key.isEmpty)
    try S3Promises.check(head.headerFields.lazy.map(\.name.canonicalName), of: operation)
  }

  private static func text(_ bytes: Substring.UTF8View) -> String? {
    percentDecodedText(Substring(bytes))
  }

  /// Adds the headers that stand in the query: S3 takes `x-amz-` headers from either place, and SDKs that presign move
  /// checksums and metadata into the query.
  private static func withHeaders(of target: RequestTarget, _ head: HTTPRequest) throws(ObjectError)
    -> HTTPRequest
  {
    var head = head
    for (rawName, rawValue) in target.query {
      let text = String(decoding: rawName, as: UTF8.self).lowercased()
      guard text.utf8.starts(with: "x-amz-".utf8), !signatureParameters.contains(text),
        let name = HTTPField.Name(text)
      else { continue }
      let value = String(decoding: rawValue, as: UTF8.self)
      if let other = head.headerFields[name] {
        guard hasSameBytes(other, value) else {
          throw ObjectError(
            .invalidRequest, "the header \(text) and the query's \(text) have different values")
        }
      } else {
        head.headerFields[name] = value
      }
    }
    return head
  }

  private static let signatureParameters: Set = [
    "x-amz-algorithm", "x-amz-credential", "x-amz-date", "x-amz-expires", "x-amz-security-token",
    "x-amz-signature",
    "x-amz-signedheaders",
  ]

  private static func operation(_ head: HTTPRequest, _ target: RequestTarget, hasBucket: Bool, hasKey: Bool)
    throws(ObjectError) -> S3Operation
  {
    func has(_ name: String) -> Bool { target.value(name) != nil }
    let isCopy = head.headerFields[.amz("x-amz-copy-source")] != nil
    let level = hasKey ? "Object" : hasBucket ? "Bucket" : "Service"
    for (name, words) in subresources where has(name) {
      let verb =
        ["GET": "Get", "PUT": "Put", "DELETE": "Delete"][head.method.rawValue] ?? head.method.rawValue
      throw ObjectError(.notImplemented, "\(verb)\(level)\(words) is not implemented here")
    }
    switch (head.method, hasBucket, hasKey) {
    case (.get, false, _): return .listBuckets
    case (.put, true, false): return .createBucket
    case (.head, true, false): return .headBucket
    case (.delete, true, false): return .deleteBucket
    case (.get, true, false):
      if has("location") { return .getBucketLocation }
      if has("uploads") { return .listMultipartUploads }
      return target.value("list-type") == "2" ? .listObjectsV2 : .listObjects
    case (.post, true, false):
      if has("delete") { return .deleteObjects }
      throw ObjectError(.notImplemented, "PostObject, an upload by HTML form, is not implemented here")
    case (.get, true, true):
      return has("uploadId") ? .listParts : .getObject
    case (.head, true, true): return .headObject
    case (.put, true, true):
      if has("uploadId") { return isCopy ? .uploadPartCopy : .uploadPart }
      return isCopy ? .copyObject : .putObject
    case (.delete, true, true): return has("uploadId") ? .abortMultipartUpload : .deleteObject
    case (.post, true, true):
      if has("uploads") { return .createMultipartUpload }
      if has("uploadId") { return .completeMultipartUpload }
      throw ObjectError(.notImplemented, "this POST request for an object is not implemented here")
    default:
      throw ObjectError(
        .methodNotAllowed,
        "the specified method is not allowed against this resource: \(head.method.rawValue)")
    }
  }

  /// S3 features selected by a query parameter; none of them is implemented.
  private static let subresources = [
    ("accelerate", "AccelerateConfiguration"), ("acl", "Acl"), ("analytics", "AnalyticsConfiguration"),
    ("attributes", "Attributes"), ("cors", "Cors"), ("encryption", "Encryption"),
    ("intelligent-tiering", "IntelligentTieringConfiguration"), ("inventory", "InventoryConfiguration"),
    ("legal-hold", "LegalHold"), ("lifecycle", "LifecycleConfiguration"), ("logging", "Logging"),
    ("metrics", "MetricsConfiguration"), ("notification", "NotificationConfiguration"),
    ("object-lock", "LockConfiguration"), ("ownershipControls", "OwnershipControls"), ("policy", "Policy"),
    ("policyStatus", "PolicyStatus"), ("publicAccessBlock", "PublicAccessBlock"),
    ("replication", "Replication"),
    ("requestPayment", "RequestPayment"), ("restore", "Restore"), ("retention", "Retention"),
    ("select", "Content"),
    ("tagging", "Tagging"), ("torrent", "Torrent"), ("versionId", "Version"), ("versioning", "Versioning"),
    ("versions", "Versions"), ("website", "Website"),
  ]

  /// Checks `x-amz-content-sha256` of a request that has no body.
  ///
  /// - Throws: `.contentSHA256Mismatch` if the header is not the digest of an empty body; `SignatureError` if
  ///   it is not a digest.
  func checkEmptyBody() throws {
    guard !takesBody,
      case .plain(let digest?) = try BodyFraming(contentSHA256: header("x-amz-content-sha256")),
      digest != Self.emptyDigest
    else { return }
    throw ObjectError(
      .contentSHA256Mismatch,
      "x-amz-content-sha256 is \(digest), and the SHA-256 of this request's empty body is \(Self.emptyDigest)"
    )
  }

  private static let emptyDigest = sha256Text([])

  private var takesBody: Bool {
    switch operation {
    case .createBucket, .putObject, .uploadPart, .deleteObjects, .completeMultipartUpload: true
    default: false
    }
  }

  /// A query parameter; nil if missing.
  func parameter(_ name: String) -> String? { target.value(name) }

  func header(_ name: String) -> String? { head.headerFields[.amz(name)] }

  /// A query parameter as a number; the default if missing or empty.
  ///
  /// - Throws: `.invalidArgument` if it is not a number in the range.
  func number(_ name: String, default value: Int, in range: ClosedRange<Int>) throws(ObjectError) -> Int {
    guard let text = parameter(name), !text.isEmpty else { return value }
    guard let number = Int(text), range.contains(number) else {
      throw ObjectError(
        .invalidArgument,
        "argument \(name) must be an integer between \(range.lowerBound) and \(range.upperBound)")
    }
    return number
  }

  /// The headers to record with the object.
  ///
  /// - Throws: `.notImplemented`, `.metadataTooLarge`.
  func attributes() throws(ObjectError) -> ObjectAttributes {
    for name in Self.unkept where header(name) != nil {
      throw ObjectError(
        .notImplemented, "a header you provided implies functionality that is not implemented: \(name)")
    }
    var fields = head.headerFields.map { (name: $0.name.canonicalName, value: $0.value) }
    // The transfer framing is not a property of the object.
    if let place = fields.firstIndex(where: { $0.name == "content-encoding" }) {
      let kept = fields[place].value.split(separator: ",").map { String($0.drop { $0 == " " }) }
        .filter { $0 != "aws-chunked" }
      if kept.isEmpty { fields.remove(at: place) } else { fields[place].value = kept.joined(separator: ",") }
    }
    return try ObjectAttributes(fields)
  }

  private static let unkept = ["x-amz-tagging", "x-amz-website-redirect-location"]

  func writeConditions() throws(ObjectError) -> WriteConditions {
    var conditions = WriteConditions()
    if let value = header("if-none-match") {
      guard value == "*" else {
        throw ObjectError(.notImplemented, "If-None-Match other than * is not implemented for writes")
      }
      conditions.mustBeNew = true
    }
    conditions.etag = header("if-match").map { unquoted($0) }
    return conditions
  }
}

/// An ETag without its quotes and spaces.
func unquoted(_ etag: String) -> String {
  let trimmed = etag.utf8.filter { $0 != UInt8(ascii: " ") }
  guard trimmed.count >= 2, trimmed.first == UInt8(ascii: "\""), trimmed.last == UInt8(ascii: "\"") else {
    return String(decoding: trimmed, as: UTF8.self)
  }
  return String(decoding: trimmed.dropFirst().dropLast(), as: UTF8.self)
}

/// The headers whose effect a client relies on (preconditions, checksums, object locks, encryption keys), and
/// the operations that implement each.
///
/// A request with such a header for an operation that does not implement it is refused. Ignoring a
/// precondition, for example, could delete what it was meant to protect.
enum S3Promises {
  /// - Throws: `.notImplemented` naming the first header that the operation does not implement.
  static func check(_ names: some Sequence<String>, of operation: S3Operation) throws(ObjectError) {
    for name in names where isOne(name) && !keeps(operation, name) {
      throw ObjectError(
        .notImplemented, "a header you provided implies functionality that is not implemented: \(name)")
    }
  }

  /// - Parameter name: in lower case.
  private static func isOne(_ name: String) -> Bool {
    guard !names.contains(name) else { return true }
    return prefixes.contains { name.utf8.starts(with: $0.utf8) }
      || name.utf8.firstRange(of: "server-side-encryption-customer".utf8) != nil
  }

  private static let names: Set = [
    "content-md5", "x-amz-trailer", "x-amz-mfa", "x-amz-mp-object-size", "x-amz-write-offset-bytes",
    "x-amz-bypass-governance-retention", "x-amz-bucket-object-lock-enabled", "x-amz-copy-source-range",
  ]
  private static let prefixes = [
    "if-", "x-amz-if-", "x-amz-copy-source-if-", "x-amz-rename-source-if-", "x-amz-checksum-",
    "x-amz-sdk-checksum-", "x-amz-object-lock-",
  ]

  private static func keeps(_ operation: S3Operation, _ name: String) -> Bool {
    switch operation {
    case .getObject, .headObject: reads.contains(name)
    case .putObject: bodies.contains(name) || writes.contains(name)
    case .copyObject: sources.contains(name) || writes.contains(name)
    case .uploadPart, .createBucket, .deleteObjects: bodies.contains(name)
    case .uploadPartCopy: sources.contains(name) || name == "x-amz-copy-source-range"
    case .createMultipartUpload: ["x-amz-checksum-algorithm", "x-amz-checksum-type"].contains(name)
    case .completeMultipartUpload:
      writes.contains(name) || checksums.contains(name)
        || ["content-md5", "x-amz-checksum-type", "x-amz-mp-object-size"].contains(name)
    case .deleteObject: name == "if-match"
    case .listBuckets, .headBucket, .deleteBucket, .getBucketLocation, .listObjects, .listObjectsV2,
      .listMultipartUploads, .abortMultipartUpload, .listParts:
      false
    }
  }

  private static let checksums = Set(ChecksumAlgorithm.allCases.map(\.headerName))
  /// Headers about the request body.
  private static let bodies = checksums.union([
    "content-md5", "x-amz-sdk-checksum-algorithm", "x-amz-trailer",
  ])
  private static let reads: Set = [
    "if-match", "if-none-match", "if-modified-since", "if-unmodified-since", "if-range",
    "x-amz-checksum-mode",
  ]
  private static let writes: Set = ["if-match", "if-none-match"]
  private static let sources: Set = [
    "x-amz-copy-source-if-match", "x-amz-copy-source-if-none-match",
    "x-amz-copy-source-if-modified-since", "x-amz-copy-source-if-unmodified-since",
  ]
}
