import Encodings
import Files
import HTTPTypes

/// A real S3, or anything that speaks its protocol, as jobs see it.
///
/// Requests are path-style and signed by Signature Version 4. What fails for a reason that may pass (no connection, a
/// status of 5xx, `SlowDown`) is tried again, with a growing pause. Large objects travel in parts, some side by side.
public struct RemoteObjects: ObjectSource {
  public struct Options: Sendable {
    public var region = "us-east-1"
    /// Files above it are put in parts.
    public var largestSinglePut = 64 << 20
    /// Bytes of a part, or of a range that is fetched; more where 10,000 of them would not do.
    public var partByteCount = 16 << 20
    /// Parts and ranges in memory at once.
    public var width = 4
    public var attempts = 6
    /// Before the second attempt; doubled before each one after it, half of it by chance.
    public var firstPause = Duration.milliseconds(100)
    /// A request in which nothing moves for so long has failed.
    public var answerTime = Duration.seconds(120)
    public init() {}
  }
  let endpoint: RemoteEndpoint
  let options: Options

  /// - Parameters:
  ///   - endpoint: `http://host:port` or `https://host`, without a path.
  ///   - credential: nil: requests are not signed.
  /// - Throws: `.invalidArgument` for something else.
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
        else { throw ObjectError(.internalError, "\(endpoint.name) lists an object without a key or a size") }
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
      throw ObjectError(.internalError, "\(endpoint.name) does not tell the length of \(location)")
    }
    // Every range must come from the object version that HEAD described; If-Match enforces it.
    let match = head.header("etag").map { [("if-match", $0)] } ?? []
    var file = try StagedFile(path)
    do {
      let ranges = parts(of: count)
      try await inOrder(ranges) { range in
        let call = RemoteCall(
          .get, bucket, key, headers: match + [("range", "bytes=\(range.lowerBound)-\(range.upperBound - 1)")]
        )
        let body = try await endpoint.exchange(call, limit: range.count).body
        guard body.count == range.count else {
          throw ObjectError(
            .incompleteBody, "\(endpoint.name) sent \(body.count) of \(range.count) bytes of \(location)")
        }
        return body
      } take: { _, bytes in
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
      throw ObjectError(.internalError, "\(endpoint.name) began an upload and gave it no id")
    }
    do {
      try await uploadParts(path, stamp, bucket, key, id)
    } catch {
      // Parts that stay behind cost money on a real S3. Where this fails as well, the first reason is the one to tell.
      _ = try? await endpoint.exchange(RemoteCall(.delete, bucket, key, query: [("uploadId", id)]))
      throw error
    }
  }

  private func uploadParts(_ path: String, _ stamp: FileStamp, _ bucket: String, _ key: String, _ id: String)
    async throws
  {
    var list = "<CompleteMultipartUpload>"
    try await inOrder(Array(parts(of: stamp.byteCount).enumerated())) { (number, range) in
      let bytes = try Self.read(path, range, stamp)
      let query = [("partNumber", "\(number + 1)"), ("uploadId", id)]
      let answer = try await endpoint.exchange(RemoteCall(.put, bucket, key, query: query, body: bytes))
      guard let etag = answer.header("etag") else {
        throw ObjectError(.internalError, "\(endpoint.name) took a part and gave it no ETag")
      }
      return etag
    } take: { number, etag in
      list += "<Part><PartNumber>\(number + 1)</PartNumber><ETag>\(xmlText(etag))</ETag></Part>"
    }
    list += "</CompleteMultipartUpload>"
    let done = try await endpoint.exchange(
      RemoteCall(.post, bucket, key, query: [("uploadId", id)], body: Array(list.utf8)))
    // S3 may begin this answer with 200 and find out later that it failed.
    if let document = try? XMLElement(done.body), document.name == "Error" {
      throw RemoteEndpoint.error(document, status: 200, endpoint.name)
    }
  }

  /// Ranges of one size but the last.
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

  /// Works on some inputs at once and takes the results in the order of the inputs; the next one starts when a result
  /// has been taken.
  private func inOrder<Input: Sendable, Output: Sendable>(
    _ inputs: [Input], work: @escaping @Sendable (Input) async throws -> Output,
    take: (Int, Output) throws -> Void
  ) async throws {
    try await withThrowingTaskGroup(of: (Int, Output).self) { group in
      var (started, taken) = (0, 0)
      var ready: [Int: Output] = [:]
      func start() {
        guard started < inputs.count else { return }
        let (number, input) = (started, inputs[started])
        group.addTask { (number, try await work(input)) }
        started += 1
      }
      for _ in 0..<max(1, options.width) { start() }
      while let (number, output) = try await group.next() {
        ready[number] = output
        while let output = ready.removeValue(forKey: taken) {
          try take(taken, output)
          taken += 1
          start()
        }
      }
    }
  }
}
