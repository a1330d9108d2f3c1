import Encodings
import HTTPTypes

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
