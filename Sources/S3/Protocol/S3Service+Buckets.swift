import Encodings
import HTTP
import HTTPTypes
import HummingbirdCore
import NIOCore

extension S3Service {
  /// Every bucket and object has the same owner, because there is only one user.
  static func owner(_ xml: inout XMLText) {
    xml.element("Owner") { xml in
      xml.element("ID", "123456789012")
      xml.element("DisplayName", "imrec")
    }
  }

  func listBuckets() async throws -> Response {
    let buckets = try await work.run { [store] in try store.buckets() }
    return XMLText.document("ListAllMyBucketsResult") { xml in
      Self.owner(&xml)
      xml.element("Buckets") { xml in
        for bucket in buckets {
          xml.element("Bucket") { xml in
            xml.element("Name", bucket.name)
            xml.element("CreationDate", bucket.created.iso8601)
          }
        }
      }
    }.response
  }

  func createBucket(_ call: S3Call, _ request: Request, _ verified: VerifiedRequest?) async throws -> Response
  {
    // The body states a region, which has no meaning here; it is only checked to be well-formed.
    let body = try await checkedBody(call, request, verified)
    if !body.isEmpty { _ = try XMLElement(body) }
    try await work.run { [store] in try store.makeBucket(call.bucket) }
    return Response(status: .ok, headers: [.location: "/\(call.bucket)"])
  }

  func headBucket(_ call: S3Call) async throws -> Response {
    try await work.run { [store] in try store.checkBucket(call.bucket) }
    return Response(
      status: .ok, headers: [.amz("x-amz-bucket-region"): options.region, .contentType: "application/xml"])
  }

  func deleteBucket(_ call: S3Call) async throws -> Response {
    try await work.run { [store] in try store.deleteBucket(call.bucket) }
    return Response.noContent
  }

  func bucketLocation(_ call: S3Call) async throws -> Response {
    try await work.run { [store] in try store.checkBucket(call.bucket) }
    var xml = XMLText()
    // S3 reports us-east-1 as an empty location.
    xml.element("LocationConstraint", options.region == "us-east-1" ? "" : options.region)
    return xml.response
  }

  // MARK: Listings

  func listObjects(_ call: S3Call) async throws -> Response {
    let (query, encode) = try listing(call, after: call.parameter("marker") ?? "")
    let page = try await work.run { [store] in try store.list(call.bucket, query) }
    return XMLText.document("ListBucketResult") { xml in
      Self.describe(call, query, page, encode, &xml)
      xml.element("Marker", encode(query.after))
      // S3 omits NextMarker when there is no delimiter, and clients then use the last key; all of them accept
      // it here.
      if page.isTruncated, let last = page.last { xml.element("NextMarker", encode(last)) }
      Self.contents(page, encode, withOwner: true, &xml)
    }.response
  }

  func listObjectsV2(_ call: S3Call) async throws -> Response {
    let token = call.parameter("continuation-token")
    var after = call.parameter("start-after") ?? ""
    if let token {
      guard let bytes = base64Bytes(token), let key = String(validating: bytes, as: UTF8.self) else {
        throw ObjectError(.invalidArgument, "the continuation token provided is incorrect")
      }
      after = key
    }
    let (query, encode) = try listing(call, after: after)
    let page = try await work.run { [store] in try store.list(call.bucket, query) }
    return XMLText.document("ListBucketResult") { xml in
      Self.describe(call, query, page, encode, &xml)
      xml.element("KeyCount", page.objects.count + page.commonPrefixes.count)
      if let token { xml.element("ContinuationToken", token) }
      if let start = call.parameter("start-after") { xml.element("StartAfter", encode(start)) }
      if page.isTruncated, let last = page.last {
        xml.element("NextContinuationToken", base64Text(Array(last.utf8)))
      }
      Self.contents(page, encode, withOwner: call.parameter("fetch-owner") == "true", &xml)
    }.response
  }

  private func listing(_ call: S3Call, after: String) throws -> (ListingQuery, @Sendable (String) -> String) {
    let count = min(try call.number("max-keys", default: 1000, in: 0...Int(Int32.max)), 1000)
    let delimiter = call.parameter("delimiter").flatMap { $0.isEmpty ? nil : $0 }
    return (
      ListingQuery(
        prefix: call.parameter("prefix") ?? "", delimiter: delimiter, after: after, maximumCount: count),
      try encoding(call)
    )
  }

  /// How to encode keys in the response: as they are, or percent-encoded, since XML cannot contain all
  /// characters.
  private func encoding(_ call: S3Call) throws -> @Sendable (String) -> String {
    switch call.parameter("encoding-type") {
    case nil: return { $0 }
    case "url"?: return { percentEncoded($0.utf8, keepingSlash: true) }
    default:
      throw ObjectError(.invalidArgument, "invalid encoding method specified in request; url is expected")
    }
  }

  private static func describe(
    _ call: S3Call, _ query: ListingQuery, _ page: BucketListing, _ encode: (String) -> String,
    _ xml: inout XMLText
  ) {
    xml.element("Name", call.bucket)
    xml.element("Prefix", encode(query.prefix))
    if let delimiter = query.delimiter { xml.element("Delimiter", encode(delimiter)) }
    xml.element("MaxKeys", query.maximumCount)
    if let type = call.parameter("encoding-type") { xml.element("EncodingType", type) }
    xml.element("IsTruncated", page.isTruncated)
  }

  private static func contents(
    _ page: BucketListing, _ encode: (String) -> String, withOwner: Bool, _ xml: inout XMLText
  ) {
    for object in page.objects {
      xml.element("Contents") { xml in
        xml.element("Key", encode(object.key))
        xml.element("LastModified", object.modified.iso8601)
        xml.element("ETag", "\"\(object.etag)\"")
        if let checksum = object.checksum {
          xml.element("ChecksumAlgorithm", checksum.algorithm.rawValue)
          xml.element("ChecksumType", checksum.type)
        }
        xml.element("Size", object.byteCount)
        if withOwner { owner(&xml) }
        xml.element("StorageClass", "STANDARD")
      }
    }
    for prefix in page.commonPrefixes {
      xml.element("CommonPrefixes") { $0.element("Prefix", encode(prefix)) }
    }
  }

  // MARK: Deleting many

  func deleteObjects(_ call: S3Call, _ request: Request, _ verified: VerifiedRequest?) async throws
    -> Response
  {
    let body = try await checkedBody(call, request, verified)
    let document = try XMLElement(body)
    let objects = document.children("Object")
    guard document.name == "Delete", (1...1000).contains(objects.count) else {
      throw ObjectError(.malformedXML, "the XML you provided is not a list of 1 to 1000 objects to delete")
    }
    let isQuiet = document.text("Quiet") == "true"
    let outcomes = try await work.run { [store] in
      try store.checkBucket(call.bucket)
      return try objects.map { object throws(ObjectError) -> (key: String, error: ObjectError?) in
        guard let key = object.text("Key") else {
          throw ObjectError(.malformedXML, "an object to delete has no key")
        }
        if object.text("VersionId") != nil, object.text("VersionId") != "null" {
          return (key, ObjectError(.notImplemented, "versions are not implemented here"))
        }
        for name in ["LastModifiedTime", "Size"] where object.text(name) != nil {
          return (key, ObjectError(.notImplemented, "the condition \(name) is not implemented here"))
        }
        var conditions = WriteConditions()
        conditions.etag = object.text("ETag").map { unquoted($0) }
        do throws(ObjectError) {
          try store.delete(call.bucket, key, conditions: conditions)
          return (key, nil)
        } catch {
          return (key, error)
        }
      }
    }
    return XMLText.document("DeleteResult") { xml in
      for (key, error) in outcomes {
        if let error {
          xml.element("Error") { xml in
            xml.element("Key", key)
            xml.element("Code", error.code.rawValue)
            xml.element("Message", error.message)
          }
        } else if !isQuiet {
          xml.element("Deleted") { $0.element("Key", key) }
        }
      }
    }.response
  }

  /// Receives a small body and compares it with the digests in its headers.
  func checkedBody(_ call: S3Call, _ request: Request, _ verified: VerifiedRequest?) async throws -> [UInt8] {
    // A list of 10,000 parts with their checksums is about 3 MB.
    let body = try await S3Body(call, verified).receiveAll(request, limit: 4 << 20)
    try body.expected.check(body.bytes)
    return body.bytes
  }
}

extension Response {
  static var noContent: Response {
    var response = Response(status: .noContent)
    response.headers[.contentLength] = nil
    return response
  }
}
