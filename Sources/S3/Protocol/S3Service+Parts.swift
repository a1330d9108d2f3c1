import Encodings
import HTTP
import HTTPTypes
import HummingbirdCore

extension S3Service {
  func createUpload(_ call: S3Call) async throws -> Response {
    let attributes = try call.attributes()
    let algorithm = try call.header("x-amz-checksum-algorithm").map { name in
      guard let algorithm = ChecksumAlgorithm(rawValue: name.uppercased()) else {
        throw ObjectError(.invalidRequest, "checksum algorithm provided is unsupported: \(name)")
      }
      return algorithm
    }
    let type = call.header("x-amz-checksum-type")?.uppercased()
    guard [nil, "COMPOSITE", "FULL_OBJECT"].contains(type) else {
      throw ObjectError(.invalidRequest, "value for x-amz-checksum-type header is invalid")
    }
    let upload = try await work.run { [store] in
      try store.beginUpload(
        call.bucket, call.key, attributes: attributes, checksum: algorithm,
        isComposite: type.map { $0 == "COMPOSITE" })
    }
    var response = XMLText.document("InitiateMultipartUploadResult") { xml in
      xml.element("Bucket", call.bucket)
      xml.element("Key", call.key)
      xml.element("UploadId", upload.id)
    }.response
    if let algorithm {
      response.headers[.amz("x-amz-checksum-algorithm")] = algorithm.rawValue
      response.headers[.amz("x-amz-checksum-type")] = upload.isComposite ? "COMPOSITE" : "FULL_OBJECT"
    }
    return response
  }

  private func upload(_ call: S3Call) async throws -> PartedUpload {
    try await work.run { [store] in try store.upload(call.bucket, call.key, call.parameter("uploadId") ?? "")
    }
  }

  func partNumber(_ call: S3Call) throws -> Int {
    guard let number = call.parameter("partNumber").flatMap({ Int($0) }),
      (1...ObjectStore.mostParts).contains(number)
    else {
      throw ObjectError(
        .invalidArgument, "part number must be an integer between 1 and \(ObjectStore.mostParts), inclusive")
    }
    return number
  }

  func uploadPart(_ call: S3Call, _ request: Request, _ verified: VerifiedRequest?) async throws -> Response {
    let (body, number, store) = (try S3Body(call, verified), try partNumber(call), store)
    let transfer = try beginTransfer()
    defer { withExtendedLifetime(transfer) {} }
    let upload = try await upload(call)
    if let found = body.algorithm, let wanted = upload.checksum, found != wanted {
      throw ObjectError(
        .invalidRequest,
        "checksum type mismatch occurred, expected checksum type: \(wanted.rawValue), actual checksum type: "
          + found.rawValue)
    }
    let staged = try await work.run {
      try store.stagePart(upload, checksum: body.algorithm, withSHA256: body.expectedSHA256 != nil)
    }
    let expected = try await body.receive(request, into: staged, work)
    let part = try await work.run {
      try store.finishPart(staged, call.bucket, upload, number: number, expected: expected)
    }
    return Response(status: .ok, headers: Self.headers(etag: part.etag, part.checksum))
  }

  func copyPart(_ call: S3Call) async throws -> Response {
    let (number, source, store) = (try partNumber(call), try copySource(call), store)
    let upload = try await upload(call)
    let part = try await work.run {
      let reader = try store.open(source.bucket, source.key)
      try S3Precondition(copySourceOf: call.head).check(reader.info)
      let range = try call.header("x-amz-copy-source-range").map { text in
        guard let range = try Self.range(text, of: reader.info.byteCount) else {
          throw ObjectError(.invalidArgument, "x-amz-copy-source-range must be of the form bytes=first-last")
        }
        return range
      }
      let staged = try store.stagePart(upload)
      try reader.append(range ?? 0..<reader.info.byteCount, to: staged)
      return try store.finishPart(staged, call.bucket, upload, number: number)
    }
    return XMLText.document("CopyPartResult") { xml in
      xml.element("LastModified", part.modified.iso8601)
      xml.element("ETag", "\"\(part.etag)\"")
      if let checksum = part.checksum { xml.element(checksum.algorithm.elementName, checksum.text) }
    }.response
  }

  func completeUpload(_ call: S3Call, _ request: Request, _ verified: VerifiedRequest?) async throws
    -> Response
  {
    let conditions = try call.writeConditions()
    let upload = try await upload(call)
    try Self.check(call, upload)
    let body = try await S3Body(call, verified).receiveAll(request, limit: 4 << 20)
    // A checksum in the headers is that of the whole object, not of this request body.
    try ExpectedDigests(md5: body.expected.md5, sha256: body.expected.sha256).check(body.bytes)
    let document = try XMLElement(body.bytes)
    let parts = document.children("Part")
    guard document.name == "CompleteMultipartUpload", parts.count <= ObjectStore.mostParts else {
      throw ObjectError(
        .malformedXML, "the XML you provided is not a list of 1 to \(ObjectStore.mostParts) parts")
    }
    let claims = try parts.map { part throws(ObjectError) -> PartClaim in
      guard let number = part.text("PartNumber").flatMap({ Int($0) }), let etag = part.text("ETag") else {
        throw ObjectError(.malformedXML, "a Part has no PartNumber or no ETag")
      }
      var checksums: [ChecksumAlgorithm: String] = [:]
      for algorithm in ChecksumAlgorithm.allCases { checksums[algorithm] = part.text(algorithm.elementName) }
      return PartClaim(number: number, etag: unquoted(etag), checksums: checksums)
    }
    let whole = upload.checksum.flatMap { call.header($0.headerName) }
    let byteCount = try call.header("x-amz-mp-object-size").map { text throws(ObjectError) in
      guard let count = Int(text), count >= 0 else {
        throw ObjectError(.invalidArgument, "x-amz-mp-object-size is not a number of bytes")
      }
      return count
    }
    let info = try await work.run { [store] in
      try store.completeUpload(
        call.bucket, upload, claims, checksum: whole, byteCount: byteCount, conditions: conditions)
    }
    return XMLText.document("CompleteMultipartUploadResult") { xml in
      xml.element("Location", "/\(call.bucket)/\(percentEncoded(call.key.utf8, keepingSlash: true))")
      xml.element("Bucket", call.bucket)
      xml.element("Key", call.key)
      xml.element("ETag", "\"\(info.etag)\"")
      if let checksum = info.checksum {
        xml.element(checksum.algorithm.elementName, checksum.text)
        xml.element("ChecksumType", checksum.type)
      }
    }.response
  }

  /// Checks that the checksum headers fit the algorithm and type that the upload was begun with.
  private static func check(_ call: S3Call, _ upload: PartedUpload) throws(ObjectError) {
    for algorithm in ChecksumAlgorithm.allCases
    where algorithm != upload.checksum && call.header(algorithm.headerName) != nil {
      throw ObjectError(
        .invalidRequest,
        "the upload was begun with \(upload.checksum.map { "the checksum algorithm \($0.rawValue)" } ?? "no checksum"), "
          + "but the request has the header \(algorithm.headerName)")
    }
    guard let type = call.header("x-amz-checksum-type")?.uppercased() else { return }
    guard upload.checksum != nil, type == (upload.isComposite ? "COMPOSITE" : "FULL_OBJECT") else {
      throw ObjectError(
        .invalidRequest, "x-amz-checksum-type is \(type), but the upload was begun with another type")
    }
  }

  func abortUpload(_ call: S3Call) async throws -> Response {
    let upload = try await upload(call)
    try await work.run { [store] in store.abortUpload(call.bucket, upload) }
    return Response.noContent
  }

  func listParts(_ call: S3Call) async throws -> Response {
    let upload = try await upload(call)
    let marker = try call.number("part-number-marker", default: 0, in: 0...Int(Int32.max))
    let count = min(try call.number("max-parts", default: 1000, in: 0...Int(Int32.max)), 1000)
    let left = try await work.run { [store] in try store.parts(call.bucket, upload) }.filter {
      $0.number > marker
    }
    let page = left.prefix(count)
    return XMLText.document("ListPartsResult") { xml in
      xml.element("Bucket", call.bucket)
      xml.element("Key", call.key)
      xml.element("UploadId", upload.id)
      xml.element("PartNumberMarker", marker)
      xml.element("NextPartNumberMarker", page.last?.number ?? 0)
      xml.element("MaxParts", count)
      xml.element("IsTruncated", page.count < left.count)
      for part in page {
        xml.element("Part") { xml in
          xml.element("PartNumber", part.number)
          xml.element("LastModified", part.modified.iso8601)
          xml.element("ETag", "\"\(part.etag)\"")
          xml.element("Size", part.byteCount)
          if let checksum = part.checksum { xml.element(checksum.algorithm.elementName, checksum.text) }
        }
      }
      Self.owner(&xml)
      xml.element("StorageClass", "STANDARD")
      if let checksum = upload.checksum {
        xml.element("ChecksumAlgorithm", checksum.rawValue)
        xml.element("ChecksumType", upload.isComposite ? "COMPOSITE" : "FULL_OBJECT")
      }
    }.response
  }

  func listUploads(_ call: S3Call) async throws -> Response {
    let (prefix, marker) = (call.parameter("prefix") ?? "", call.parameter("key-marker") ?? "")
    guard (call.parameter("delimiter") ?? "").isEmpty else {
      throw ObjectError(.notImplemented, "ListMultipartUploads with a delimiter is not implemented here")
    }
    // S3 ignores the upload id marker when there is no key marker.
    let id = marker.isEmpty ? "" : call.parameter("upload-id-marker") ?? ""
    let count = min(try call.number("max-uploads", default: 1000, in: 1...Int(Int32.max)), 1000)
    let left = try await work.run { [store] in
      try store.uploads(
        call.bucket, prefix: prefix, after: marker.isEmpty ? nil : (marker, id.isEmpty ? nil : id))
    }
    let uploads = left.prefix(count)
    let isUrl = call.parameter("encoding-type") == "url"
    func shown(_ key: String) -> String { isUrl ? percentEncoded(key.utf8, keepingSlash: true) : key }
    return XMLText.document("ListMultipartUploadsResult") { xml in
      xml.element("Bucket", call.bucket)
      xml.element("KeyMarker", shown(marker))
      xml.element("UploadIdMarker", id)
      xml.element("Prefix", shown(prefix))
      if isUrl { xml.element("EncodingType", "url") }
      xml.element("MaxUploads", count)
      xml.element("IsTruncated", uploads.count < left.count)
      if uploads.count < left.count, let last = uploads.last {
        xml.element("NextKeyMarker", shown(last.key))
        xml.element("NextUploadIdMarker", last.id)
      }
      for upload in uploads {
        xml.element("Upload") { xml in
          xml.element("Key", shown(upload.key))
          xml.element("UploadId", upload.id)
          Self.owner(&xml)
          xml.element("StorageClass", "STANDARD")
          xml.element("Initiated", upload.started.iso8601)
          if let checksum = upload.checksum { xml.element("ChecksumAlgorithm", checksum.rawValue) }
        }
      }
    }.response
  }
}
