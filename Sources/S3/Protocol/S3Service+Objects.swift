import Encodings
import Files
package import HTTP
import HTTPTypes
import HummingbirdCore
package import NIOCore

extension S3Service {
  // MARK: Getting

  /// GET and HEAD: the same headers, with or without the bytes.
  func getObject(_ call: S3Call) async throws -> Response {
    let reader = try await work.run { [store] in try store.open(call.bucket, call.key) }
    let info = reader.info
    var headers = headers(of: info, call)
    let precondition = try S3Precondition(call.head)
    switch try precondition.outcome(info) {
    case .proceed: break
    case .notModified:
      headers[.contentType] = nil
      var response = Response(status: .notModified, headers: headers)
      response.headers[.contentLength] = nil
      return response
    }
    let whole = 0..<info.byteCount
    var range: Range<Int>?
    // After a failed `If-Range`, send the whole object: a range of the new version would not fit what the
    // client has.
    if precondition.holdsForRange(info) {
      range = try call.header("range").flatMap { try Self.range($0, of: info.byteCount) }
    }
    let mode = call.header("x-amz-checksum-mode")?.uppercased()
    guard mode == nil || mode == "ENABLED" else {
      throw ObjectError(.invalidArgument, "x-amz-checksum-mode is \(mode ?? ""); ENABLED is expected")
    }
    if call.parameter("partNumber") != nil {
      guard call.header("range") == nil else {
        throw ObjectError(.invalidRequest, "cannot specify both Range header and partNumber query parameter")
      }
      guard let part = try info.range(ofPart: try partNumber(call)) else {
        throw ObjectError(.invalidPartNumber, "the requested partnumber is not satisfiable")
      }
      // Content-Range cannot express an empty range.
      range = part.isEmpty ? nil : part
      if info.partCount > 1 { headers[.amz("x-amz-mp-parts-count")] = "\(info.partCount)" }
    }
    if let range {
      headers[.contentRange] = "bytes \(range.lowerBound)-\(range.upperBound - 1)/\(info.byteCount)"
    } else if mode != nil, let checksum = info.checksum {
      headers[.amz(checksum.algorithm.headerName)] = checksum.text
      headers[.amz("x-amz-checksum-type")] = checksum.type
    }
    let status: HTTPResponse.Status = range == nil ? .ok : .partialContent
    let sent = range ?? whole
    headers[.contentLength] = "\(sent.count)"
    if call.operation == .headObject { return Response(status: status, headers: headers) }
    return Response(status: status, headers: headers, body: try body(reader, sent))
  }

  /// The bytes of a range, in pieces of 512 KiB; the next piece is read while the current one is sent.
  private func body(_ reader: ObjectReader, _ range: Range<Int>) throws -> ResponseBody {
    guard !range.isEmpty else { return ResponseBody() }
    let transfer = try beginTransfer()
    let work = work
    return ResponseBody(contentLength: range.count) { writer in
      var offset = range.lowerBound
      var piece = try await Self.piece(reader, offset, range.upperBound, work)
      while offset < range.upperBound {
        let current = piece
        offset += current.readableBytes
        let following = offset
        async let next = Self.piece(reader, following, range.upperBound, work)
        try await writer.write(current)
        piece = try await next
      }
      try await writer.finish(nil)
      withExtendedLifetime(transfer) {}
    }
  }

  private static let pieceByteCount = 1 << 19

  /// Reads the bytes from `offset` on: up to 512 KiB, and none from `end` on; empty at `end`.
  ///
  /// - Throws: `.internalError` if the object was truncated meanwhile.
  package static func piece(
    _ reader: ObjectReader, _ offset: Int, _ end: Int, _ work: OwnThreads
  ) async throws -> ByteBuffer {
    let count = min(pieceByteCount, end - offset)
    guard count > 0 else { return ByteBuffer() }
    return try await work.run {
      var buffer = ByteBufferAllocator().buffer(capacity: count)
      let got = try unsafe buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: count) { bytes in
        var span = unsafe MutableRawSpan(
          _unsafeBytes: UnsafeMutableRawBufferPointer(rebasing: bytes[..<count]))
        return try reader.read(at: offset, into: &span)
      }
      // Someone truncated the file by hand. Fail, or the client would take the truncated object for the whole
      // one.
      guard got == count else {
        throw ObjectError(
          .internalError, "the object \(reader.info.key) was truncated while it was being sent")
      }
      return buffer
    }
  }

  private func headers(of info: ObjectInfo, _ call: S3Call) -> HTTPFields {
    var headers: HTTPFields = [
      .lastModified: info.modified.httpDate, .eTag: "\"\(info.etag)\"", .acceptRanges: "bytes",
      .contentType: "binary/octet-stream",
    ]
    for (name, value) in info.attributes.headers {
      guard let name = HTTPField.Name(name) else { continue }
      headers[name] = value
    }
    for (parameter, name) in Self.overrides {
      if let value = call.parameter(parameter) { headers[name] = value }
    }
    return headers
  }

  /// The query parameters that override response headers.
  private static let overrides: [(String, HTTPField.Name)] = [
    ("response-content-type", .contentType), ("response-cache-control", .cacheControl),
    ("response-content-disposition", .contentDisposition), ("response-content-encoding", .contentEncoding),
    ("response-content-language", .contentLanguage), ("response-expires", .amz("expires")),
  ]

  /// The byte range that a `Range` header asks for.
  ///
  /// - Returns: nil if the header is not a single byte range; HTTP then requires the whole object to be sent.
  /// - Throws: `S3RangeError` if the range begins at or after the object's end.
  static func range(_ header: String, of byteCount: Int) throws -> Range<Int>? {
    guard header.hasPrefix("bytes=") else { return nil }
    let ends = header.dropFirst("bytes=".count).utf8.split(
      separator: UInt8(ascii: "-"), omittingEmptySubsequences: false
    )
    .map { String(Substring($0)) }
    guard ends.count == 2 else { return nil }
    func number(_ text: String) -> Int? {
      text.utf8.allSatisfy { (0x30...0x39).contains($0) } ? Int(text) : nil
    }
    if ends[0].isEmpty {
      guard let count = number(ends[1]) else { return nil }
      guard count > 0, byteCount > 0 else { throw S3RangeError(byteCount: byteCount) }
      return max(0, byteCount - count)..<byteCount
    }
    guard let first = number(ends[0]) else { return nil }
    var last = Int.max
    if !ends[1].isEmpty {
      guard let number = number(ends[1]), number >= first else { return nil }
      last = number
    }
    guard first < byteCount else { throw S3RangeError(byteCount: byteCount) }
    return first..<min(byteCount, last == .max ? byteCount : last + 1)
  }

  // MARK: Putting

  func putObject(_ call: S3Call, _ request: Request, _ verified: VerifiedRequest?) async throws -> Response {
    let (body, attributes, conditions) = (
      try S3Body(call, verified), try call.attributes(), try call.writeConditions()
    )
    guard body.byteCount != nil || call.header("transfer-encoding") != nil else {
      throw ObjectError(.incompleteBody, "you must provide the Content-Length HTTP header")
    }
    let transfer = try beginTransfer()
    defer { withExtendedLifetime(transfer) {} }
    let store = store
    let staged = try await work.run {
      try store.stage(
        call.bucket, call.key, checksum: body.algorithm, withSHA256: body.expectedSHA256 != nil)
    }
    let expected = try await body.receive(request, into: staged, work)
    let info = try await work.run {
      try store.finish(
        staged, as: call.bucket, call.key, attributes: attributes, expected: expected, conditions: conditions)
    }
    return Response(status: .ok, headers: Self.headers(etag: info.etag, info.checksum))
  }

  static func headers(etag: String, _ checksum: Checksum?) -> HTTPFields {
    var headers: HTTPFields = [.eTag: "\"\(etag)\""]
    if let checksum {
      headers[.amz(checksum.algorithm.headerName)] = checksum.text
      headers[.amz("x-amz-checksum-type")] = checksum.type
    }
    return headers
  }

  func copyObject(_ call: S3Call) async throws -> Response {
    let (store, source) = (store, try copySource(call))
    let isReplacing = call.header("x-amz-metadata-directive")?.uppercased() == "REPLACE"
    if source.bucket.utf8.elementsEqual(call.bucket.utf8), source.key.utf8.elementsEqual(call.key.utf8),
      !isReplacing
    {
      throw ObjectError(
        .invalidRequest,
        "this copy request is illegal because it is trying to copy an object to itself without changing its metadata"
      )
    }
    let attributes = isReplacing ? try call.attributes() : nil
    let conditions = try call.writeConditions()
    let info = try await work.run {
      let reader = try store.open(source.bucket, source.key)
      try S3Precondition(copySourceOf: call.head).check(reader.info)
      return try store.copy(reader, to: call.bucket, call.key, attributes: attributes, conditions: conditions)
    }
    return XMLText.document("CopyObjectResult") { xml in
      xml.element("LastModified", info.modified.iso8601)
      xml.element("ETag", "\"\(info.etag)\"")
      if let checksum = info.checksum {
        xml.element(checksum.algorithm.elementName, checksum.text)
        xml.element("ChecksumType", checksum.type)
      }
    }.response
  }

  /// The bucket and key that `x-amz-copy-source` names.
  func copySource(_ call: S3Call) throws(ObjectError) -> (bucket: String, key: String) {
    var text = Substring(call.header("x-amz-copy-source") ?? "")
    if let mark = text.utf8.firstIndex(of: UInt8(ascii: "?")) {
      guard hasSameBytes(text[mark...], "?versionId=null") else {
        throw ObjectError(.notImplemented, "copying a version of an object is not implemented here")
      }
      text = text[..<mark]
    }
    let bytes = percentDecoded(text)?.drop { $0 == UInt8(ascii: "/") } ?? []
    guard let slash = bytes.firstIndex(of: UInt8(ascii: "/")), slash > bytes.startIndex,
      slash + 1 < bytes.endIndex,
      let bucket = String(validating: bytes[..<slash], as: UTF8.self),
      let key = String(validating: bytes[(slash + 1)...], as: UTF8.self)
    else {
      throw ObjectError(
        .invalidArgument, "x-amz-copy-source must be bucket/key, percent-encoded")
    }
    return (bucket, key)
  }

  func deleteObject(_ call: S3Call) async throws -> Response {
    let conditions = try call.writeConditions()
    try await work.run { [store] in try store.delete(call.bucket, call.key, conditions: conditions) }
    return Response.noContent
  }
}

/// The preconditions in the headers of a GET, HEAD or copy request.
struct S3Precondition {
  enum Outcome { case proceed, notModified }
  private let match: String?
  private let noneMatch: String?
  private let modifiedSince: UTCTime?
  private let unmodifiedSince: UTCTime?
  private let range: String?

  /// - Throws: `.invalidArgument` if a date is malformed.
  init(_ head: HTTPRequest) throws(ObjectError) { try self.init(head, prefix: "") }

  init(copySourceOf head: HTTPRequest) throws(ObjectError) {
    try self.init(head, prefix: "x-amz-copy-source-")
  }

  private init(_ head: HTTPRequest, prefix: String) throws(ObjectError) {
    func value(_ name: String) -> String? { head.headerFields[.amz(prefix + name)] }
    func time(_ name: String) throws(ObjectError) -> UTCTime? {
      guard let text = value(name) else { return nil }
      guard let time = UTCTime(httpDate: text) else {
        throw ObjectError(
          .invalidArgument, "\(prefix)\(name) is not a date of the form Sun, 30 Aug 2015 12:36:00 GMT")
      }
      return time
    }
    match = value("if-match")
    noneMatch = value("if-none-match")
    modifiedSince = try time("if-modified-since")
    unmodifiedSince = try time("if-unmodified-since")
    range = value("if-range")
  }

  private func holds(_ list: String, _ etag: String) -> Bool {
    list.utf8.split(separator: UInt8(ascii: ",")).map { unquoted(String(Substring($0))) }.contains {
      hasSameBytes($0, "*") || hasSameBytes($0, etag) || hasSameBytes($0, "W/\"\(etag)\"")
    }
  }

  /// Whether a range may be sent: `If-Range`, if present, must state the object's current ETag or
  /// modification time.
  func holdsForRange(_ info: ObjectInfo) -> Bool {
    guard let range else { return true }
    return hasSameBytes(range, "\"\(info.etag)\"") || UTCTime(httpDate: range) == info.modified
  }

  /// - Throws: `.preconditionFailed`.
  func outcome(_ info: ObjectInfo) throws(ObjectError) -> Outcome {
    let failed = ObjectError(
      .preconditionFailed, "at least one of the pre-conditions you specified did not hold")
    if let match {
      guard holds(match, info.etag) else { throw failed }
    } else if let unmodifiedSince, info.modified > unmodifiedSince {
      throw failed
    }
    if let noneMatch {
      if holds(noneMatch, info.etag) { return .notModified }
    } else if let modifiedSince, info.modified <= modifiedSince {
      return .notModified
    }
    return .proceed
  }

  /// For copies, where "not modified" is a failed precondition, too.
  func check(_ info: ObjectInfo) throws(ObjectError) {
    guard try outcome(info) == .proceed else {
      throw ObjectError(.preconditionFailed, "at least one of the pre-conditions you specified did not hold")
    }
  }
}
