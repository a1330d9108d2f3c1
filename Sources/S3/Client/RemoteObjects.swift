import Encodings
import Files
import HTTPTypes

/// A remote S3, or anything that speaks its protocol, as jobs see it.
///
/// Requests are path-style and signed with Signature Version 4. After a transient failure (no connection,
/// status 5xx or 429), a request is retried with exponential backoff. Large objects are transferred in parts,
/// several at once.
public struct RemoteObjects: ObjectSource {
  /// How requests are sent.
  public struct Options: Sendable {
    /// The region that requests are signed for.
    public var region = "us-east-1"
    /// Files larger than this, in bytes, are sent as multipart uploads.
    public var largestSinglePut = 64 << 20
    /// The size, in bytes, of an uploaded part or a downloaded range; larger if the object would need more
    /// than 10,000 parts.
    public var partByteCount = 16 << 20
    /// The number of parts or ranges transferred at once, all of which are held in memory.
    public var width = 4
    /// The maximum number of times that a request is sent.
    public var attempts = 6
    /// The pause before the second attempt. It doubles with each further attempt, up to 20 s, and is
    /// shortened at random by up to half.
    public var firstPause = Duration.milliseconds(100)
    /// How long a request may make no progress before it fails.
    public var answerTime = Duration.seconds(120)
    public init() {}
  }
  let endpoint: RemoteEndpoint
  let options: Options
  private var width: Int { max(1, options.width) }

  /// - Parameters:
  ///   - endpoint: `http://host:port` or `https://host`, without a path.
  ///   - credential: nil sends unsigned requests.
  /// - Throws: `.invalidArgument` if the endpoint has another form.
  public init(endpoint: String, credential: Credential?, options: Options = Options()) throws(ObjectError) {
    self.endpoint = try RemoteEndpoint(endpoint, credential, options)
    self.options = options
  }

  public func list(_ prefix: S3Location, visit: ([ListedObject]) throws -> Bool) async throws {
    var token: String?
    repeat {
      var query = [("list-type", "2"), ("prefix", prefix.key), ("encoding-type", "url")]
      if let token { query.append(("continuation-token", token)) }
      let answer = try await endpoint.exchange(RemoteCall(.get, prefix.bucket, "", query: query))
      let document = try XMLElement(answer.body)
      let page = try document.children("Contents").map { entry throws(ObjectError) -> ListedObject in
        guard let key = entry.text("Key").flatMap({ percentDecodedText($0, plusIsSpace: true) }),
          let size = entry.text("Size").flatMap({ Int($0) }),
          size >= 0
        else { throw ObjectError(.internalError, "\(endpoint.name) listed an object without a key or size") }
        let etag = (entry.text("ETag") ?? "").filter { $0 != "\"" }
        return ListedObject(
          location: S3Location(bucket: prefix.bucket, key: key), byteCount: size, etag: etag)
      }
      if !page.isEmpty, try !visit(page) { return }
      token = document.text("IsTruncated") == "true" ? document.text("NextContinuationToken") : nil
    } while token != nil
  }

  public func put(_ bytes: [UInt8], to location: S3Location) async throws {
    _ = try await endpoint.exchange(RemoteCall(.put, location.bucket, location.key, body: bytes))
  }

  public func download(_ location: S3Location, to path: String) async throws {
    let (bucket, key) = (location.bucket, location.key)
    let head = try await endpoint.exchange(RemoteCall(.head, bucket, key))
    guard let count = head.header("content-length").flatMap({ Int($0) }), count >= 0 else {
      throw ObjectError(.internalError, "\(endpoint.name) did not send the length of \(location)")
    }
    // Every range must come from the object version that HEAD described; If-Match enforces it.
    let match = head.header("etag").map { [("if-match", $0)] } ?? []
    var file = try StagedFile(path)
    do {
      var rest = parts(of: count).makeIterator()
      try await inOrder(width: width, window: width) {
        rest.next()
      } work: { range in
        let call = RemoteCall(
          .get, bucket, key, headers: match + [("range", "bytes=\(range.lowerBound)-\(range.upperBound - 1)")]
        )
        let body = try await endpoint.exchange(call, limit: range.count).body
        guard body.count == range.count else {
          throw ObjectError(
            .incompleteBody, "\(endpoint.name) sent \(body.count) of \(range.count) bytes of \(location)")
        }
        return body
      } take: { bytes in
        try file.append(bytes.span)
      }
    } catch {
      file.discard()
      throw error
    }
    try file.publish()
  }

  public func upload(_ path: String, to location: S3Location) async throws {
    let (bucket, key) = (location.bucket, location.key)
    let stamp = try InputFile(path).stamp
    if stamp.byteCount <= options.largestSinglePut {
      let bytes = try Self.read(path, 0..<stamp.byteCount, stamp)
      _ = try await endpoint.exchange(RemoteCall(.put, bucket, key, body: bytes))
      return
    }
    let begun = try await endpoint.exchange(RemoteCall(.post, bucket, key, query: [("uploads", "")]))
    guard let id = try XMLElement(begun.body).text("UploadId"), !id.isEmpty else {
      throw ObjectError(.internalError, "\(endpoint.name) began a multipart upload without sending its id")
    }
    do {
      try await uploadParts(path, stamp, bucket, key, id)
    } catch {
      // On a real S3, abandoned parts cost money. If aborting fails as well, the first error is the one to
      // report.
      _ = try? await endpoint.exchange(RemoteCall(.delete, bucket, key, query: [("uploadId", id)]))
      throw error
    }
  }

  private func uploadParts(_ path: String, _ stamp: FileStamp, _ bucket: String, _ key: String, _ id: String)
    async throws
  {
    var list = "<CompleteMultipartUpload>"
    var rest = parts(of: stamp.byteCount).enumerated().makeIterator()
    try await inOrder(width: width, window: width) {
      rest.next()
    } work: { (number, range) in
      let bytes = try Self.read(path, range, stamp)
      let query = [("partNumber", "\(number + 1)"), ("uploadId", id)]
      let answer = try await endpoint.exchange(RemoteCall(.put, bucket, key, query: query, body: bytes))
      guard let etag = answer.header("etag") else {
        throw ObjectError(.internalError, "\(endpoint.name) accepted a part without sending its ETag")
      }
      return (number, etag)
    } take: { (number, etag) in
      list += "<Part><PartNumber>\(number + 1)</PartNumber><ETag>\(xmlText(etag))</ETag></Part>"
    }
    list += "</CompleteMultipartUpload>"
    let done = try await endpoint.exchange(
      RemoteCall(.post, bucket, key, query: [("uploadId", id)], body: Array(list.utf8)))
    // S3 may send status 200 first and report a failure in the response body.
    if let document = try? XMLElement(done.body), document.name == "Error" {
      throw RemoteEndpoint.error(document, status: 200, endpoint.name)
    }
  }

  /// Ranges of equal size, except for the last one.
  private func parts(of byteCount: Int) -> [Range<Int>] {
    let size = max(options.partByteCount, (byteCount + ObjectStore.mostParts - 1) / ObjectStore.mostParts)
    return stride(from: 0, to: byteCount, by: size).map { $0..<min($0 + size, byteCount) }
  }

  private static func read(_ path: String, _ range: Range<Int>, _ stamp: FileStamp) throws -> [UInt8] {
    let file = try InputFile(path)
    var bytes = [UInt8](repeating: 0, count: range.count)
    var span = bytes.mutableSpan
    var raw = unsafe span.mutableBytes
    let got = try file.read(at: range.lowerBound, into: &raw)
    guard got == range.count, file.stamp == stamp, file.isUnchanged() else {
      throw FileError(.changed, path: path)
    }
    return bytes
  }
}

/// A request to a remote S3 endpoint.
struct RemoteCall: Sendable {
  let method: HTTPRequest.Method
  let bucket: String
  let key: String
  let query: [(String, String)]
  let headers: [(String, String)]
  let body: [UInt8]

  init(
    _ method: HTTPRequest.Method, _ bucket: String, _ key: String, query: [(String, String)] = [],
    headers: [(String, String)] = [], body: [UInt8] = []
  ) {
    (self.method, self.bucket, self.key, self.query, self.headers, self.body) = (
      method, bucket, key, query, headers, body
    )
  }

  /// The path and query, percent-encoded exactly as they are signed and sent.
  var target: String {
    let path =
      "/\(percentEncoded(bucket.utf8))"
      + (key.isEmpty ? "" : "/\(percentEncoded(key.utf8, keepingSlash: true))")
    let pairs = query.map { "\(percentEncoded($0.0.utf8))=\(percentEncoded($0.1.utf8))" }
    return pairs.isEmpty ? path : "\(path)?\(pairs.joined(separator: "&"))"
  }
}

/// The address of a remote S3 endpoint, and how requests to it are signed, sent and retried.
struct RemoteEndpoint: Sendable {
  /// The endpoint's URL without a trailing slash: "https://s3.eu-central-1.amazonaws.com".
  let name: String
  private let authority: String
  private let signer: RequestSigner?
  private let options: RemoteObjects.Options
  /// The maximum size, in bytes, of a response other than an object's bytes.
  private static let mostAnswerBytes = 16 << 20

  init(_ text: String, _ credential: Credential?, _ options: RemoteObjects.Options) throws(ObjectError) {
    let trimmed = text.utf8.last == UInt8(ascii: "/") ? String(text.dropLast()) : text
    let scheme = trimmed.hasPrefix("https://") ? "https://" : trimmed.hasPrefix("http://") ? "http://" : ""
    let host = String(trimmed.dropFirst(scheme.count))
    guard !scheme.isEmpty, !host.isEmpty,
      host.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != 0x2F && $0 != 0x40 })
    else {
      throw ObjectError(
        .invalidArgument,
        "'\(shown(text))' is not an S3 endpoint; http://host:port or https://host is expected")
    }
    name = trimmed
    // Clients omit the default port from the Host header, so it must not be signed.
    let usual = scheme == "https://" ? ":443" : ":80"
    authority = host.hasSuffix(usual) ? String(host.dropLast(usual.count)) : host
    signer = credential.map { RequestSigner($0, region: options.region, service: "s3", rules: .s3) }
    self.options = options
  }

  /// Sends a request, and sends it again after transient failures, up to `Options.attempts` times in all.
  ///
  /// - Parameter limit: the maximum size of the response body, in bytes.
  /// - Throws: `ObjectError` for an S3 error; `Transfer.Failure`; `CancellationError`.
  func exchange(_ call: RemoteCall, limit: Int = mostAnswerBytes) async throws -> Transfer.Answer {
    var pause = options.firstPause
    for attempt in 1... {
      do {
        return try await once(call, limit)
      } catch let error where attempt < options.attempts && Self.mayPass(error) {
        // Jitter: many clients that were refused together must not retry together.
        try await Task.sleep(for: pause * Double.random(in: 0.5...1))
        pause = min(pause * 2, .seconds(20))
      }
    }
    throw CancellationError()
  }

  private static func mayPass(_ error: any Error) -> Bool {
    switch error {
    case let error as RemoteRefusal: error.status >= 500 || error.status == 429
    case is ObjectError, is SignatureError, is CancellationError: false
    case let error as Transfer.Failure: error.mayPass
    default: true
    }
  }

  /// A response that is worth a retry.
  private struct RemoteRefusal: Error, CustomStringConvertible {
    let status: Int
    let description: String
  }

  private func once(_ call: RemoteCall, _ limit: Int) async throws -> Transfer.Answer {
    var head = HTTPRequest(method: call.method, scheme: nil, authority: authority, path: call.target)
    for (name, value) in call.headers {
      guard let name = HTTPField.Name(name) else { continue }
      head.headerFields[name] = value
    }
    try signer?.sign(&head, payload: call.body.isEmpty ? .empty : PayloadDigest(of: call.body), at: .now)
    let transfer = Transfer(
      method: call.method.rawValue, url: name + call.target,
      headers: head.headerFields.map { ($0.name.rawName, $0.value) },
      body: call.method == .put || call.method == .post ? call.body : nil, largestAnswer: limit,
      silence: options.answerTime)
    let answer = try await transfer.answer()
    guard (200..<300).contains(answer.status) else { try refuse(call, answer.status, answer.body) }
    return answer
  }

  private func refuse(_ call: RemoteCall, _ status: Int, _ body: [UInt8]) throws -> Never {
    let document = try? XMLElement(body)
    if status >= 500 || status == 429 {
      let words = document?.text("Message") ?? ""
      throw RemoteRefusal(
        status: status, description: "\(name) answered with status \(status) \(shown(words))")
    }
    if let document { throw Self.error(document, status: status, name) }
    if status == 404 {
      throw call.key.isEmpty
        ? ObjectError.noSuchBucket(call.bucket) : ObjectError.noSuchKey("\(call.bucket)/\(call.key)")
    }
    throw ObjectError(
      .accessDenied, "\(name) answered \(call.method) \(shown(call.target)) with status \(status)")
  }

  static func error(_ document: XMLElement, status: Int, _ name: String) -> ObjectError {
    let (code, message) = (document.text("Code") ?? "", document.text("Message") ?? "")
    return ObjectError(
      ObjectError.Code(rawValue: code) ?? (status == 404 ? .noSuchKey : .accessDenied),
      "\(name) answered with status \(status), \(shown(code)): \(shown(message))")
  }
}
