public import Encodings
import Files
package import HTTP
package import HTTPTypes
public import HummingbirdCore
package import Logging
import NIOCore
import NIOHTTP1
import NIOHTTPTypes
package import ServiceLifecycle
import Synchronization

/// Implements S3's protocol on top of a store. Only path-style requests are supported, which is what clients
/// send to an endpoint that is an address.
///
/// The enclosing server decides which requests are S3's. Request and response bodies are streamed in pieces
/// of at most about 1 MiB; disk access runs on dedicated threads.
public final class S3Service: Sendable {
  /// How the service answers requests.
  public struct Options: Sendable {
    /// Whether to refuse requests that are not signed with one of `credentials`. If `false`, signatures are
    /// not checked, but stated body digests and the expiry of presigned URLs still are.
    public var requiresSignature = false
    /// The access keys that may sign requests.
    public var credentials: [Credential] = []
    /// The region that HeadBucket and GetBucketLocation report.
    public var region = "us-east-1"
    /// The account id of the buckets' owner.
    public var account = "123456789012"
    /// The maximum number of bodies received or sent at once; each takes about 3 MB of memory. Further
    /// requests get `SlowDown`.
    public var transfers = 128
    /// The current time, replaceable for tests.
    public var now: @Sendable () -> UTCTime = { .now }
    public init() {}
  }
  package let store: ObjectStore
  let options: Options
  package let work = OwnThreads(16)
  private let verifier: RequestVerifier
  private let transfersUnderWay = Mutex(0)

  public init(_ store: ObjectStore, options: Options = Options()) {
    self.store = store
    self.options = options
    verifier = RequestVerifier(options.credentials, rules: .s3, service: "s3")
  }

  /// Answers one request; an error becomes an S3 error response.
  public func respond(to request: Request) async -> Response {
    let id = String(randomHexText().prefix(16)).uppercased()
    var response: Response
    do {
      let call = try S3Call(request.head)
      let verified = try verify(request.head)
      try call.checkEmptyBody()
      try checkOwner(call)
      response = try await answer(call, request, verified)
    } catch {
      // The server drains the rest of the request body, because a client that is still sending does not read
      // the response.
      response = S3Failure(error).response(to: request.head, id: id)
    }
    response.headers[.amz("x-amz-request-id")] = id
    response.headers[.amz("x-amz-id-2")] = id
    return response
  }

  private func verify(_ head: HTTPRequest) throws(SignatureError) -> VerifiedRequest? {
    if options.requiresSignature { return try verifier.verify(head, now: options.now()) }
    try RequestVerifier.checkExpiry(of: head, now: options.now())
    return nil
  }

  /// - Throws: `.accessDenied` if the client expects the buckets to have another owner.
  private func checkOwner(_ call: S3Call) throws(ObjectError) {
    for name in ["x-amz-expected-bucket-owner", "x-amz-source-expected-bucket-owner"] {
      guard let owner = call.header(name), !hasSameBytes(owner, options.account) else { continue }
      throw ObjectError(
        .accessDenied, "the bucket's owner is \(options.account), but \(name) states another one")
    }
  }

  private func answer(_ call: S3Call, _ request: Request, _ verified: VerifiedRequest?) async throws
    -> Response
  {
    switch call.operation {
    case .listBuckets: try await listBuckets()
    case .createBucket: try await createBucket(call, request, verified)
    case .headBucket: try await headBucket(call)
    case .deleteBucket: try await deleteBucket(call)
    case .getBucketLocation: try await bucketLocation(call)
    case .listObjects: try await listObjects(call)
    case .listObjectsV2: try await listObjectsV2(call)
    case .deleteObjects: try await deleteObjects(call, request, verified)
    case .listMultipartUploads: try await listUploads(call)
    case .getObject, .headObject: try await getObject(call)
    case .putObject: try await putObject(call, request, verified)
    case .copyObject: try await copyObject(call)
    case .deleteObject: try await deleteObject(call)
    case .createMultipartUpload: try await createUpload(call)
    case .uploadPart: try await uploadPart(call, request, verified)
    case .uploadPartCopy: try await copyPart(call)
    case .completeMultipartUpload: try await completeUpload(call, request, verified)
    case .abortMultipartUpload: try await abortUpload(call)
    case .listParts: try await listParts(call)
    }
  }

  /// Reserves one of the concurrent transfers until the slot is released.
  ///
  /// - Throws: `.slowDown` if none is free.
  func beginTransfer() throws(ObjectError) -> TransferSlot {
    let isFree = transfersUnderWay.withLock { count in
      guard count < options.transfers else { return false }
      count += 1
      return true
    }
    guard isFree else {
      throw ObjectError(
        .slowDown, "\(options.transfers) transfers are in progress; please reduce your request rate")
    }
    return TransferSlot { [self] in transfersUnderWay.withLock { $0 -= 1 } }
  }
}

/// Occupies one of the concurrent transfers until it is deallocated.
final class TransferSlot: Sendable {
  private let end: @Sendable () -> Void
  init(end: @escaping @Sendable () -> Void) { self.end = end }
  deinit { end() }
}

extension HTTPField.Name {
  /// - Precondition: `text` is a valid header name.
  static func amz(_ text: String) -> HTTPField.Name {
    guard let name = HTTPField.Name(text) else { preconditionFailure("'\(text)' is not a valid header name") }
    return name
  }
}

/// An error in the form that S3 clients parse: status, code and message.
package struct S3Failure {
  package let code: String
  package let message: String
  package let statusCode: Int
  /// The size of the object whose range is not satisfiable; sent in `Content-Range`.
  package var range: Int?

  /// Translates an error. Unknown errors become InternalError, without their description.
  package init(_ error: any Error) {
    switch error {
    case let error as ObjectError: self.init(error.code.rawValue, error.message, error.statusCode)
    case let error as SignatureError: self.init(error.code.rawValue, error.message, error.statusCode)
    case let error as S3RangeError: self.init(error)
    case is HTTPParserError:
      self.init("IncompleteBody", "the request body does not match the framing in its headers", 400)
    case is CancellationError:
      self.init("ServiceUnavailable", "the server is shutting down; please try again", 503)
    default: self.init("InternalError", "we encountered an internal error; please try again", 500)
    }
  }

  private init(_ code: String, _ message: String, _ statusCode: Int) {
    (self.code, self.message, self.statusCode) = (code, message, statusCode)
  }

  private init(_ error: S3RangeError) {
    self.init("InvalidRange", "the requested range is not satisfiable", 416)
    range = error.byteCount
  }

  /// The response to send; without a body for HEAD.
  ///
  /// - Parameter id: the request id.
  package func response(to head: HTTPRequest, id: String) -> Response {
    var headers: HTTPFields = [.contentType: "application/xml"]
    if let range { headers[.contentRange] = "bytes */\(range)" }
    if statusCode == 503 { headers[.retryAfter] = "1" }
    let status = HTTPResponse.Status(code: statusCode)
    if head.method == .head { return Response(status: status, headers: headers) }
    let path = RequestTarget(head.path ?? "/").rawPath
    var body = XMLText()
    body.element("Error") { body in
      body.element("Code", code)
      body.element("Message", message)
      body.element("Resource", path)
      body.element("RequestId", id)
      body.element("HostId", id)
    }
    return Response(status: status, headers: headers, body: body.responseBody)
  }
}

/// A requested range that begins at or after the object's end; `byteCount` is the object's size.
struct S3RangeError: Error {
  let byteCount: Int
}

/// A stand-alone S3 server on the loopback interface, for tests and benchmarks.
package enum S3Application {
  /// - Parameters:
  ///   - port: the port to listen on; 0 picks a free one.
  ///   - onStart: called with the port as soon as requests are answered.
  package static func make(
    _ service: S3Service, port: Int, logger: Logger, onStart: @escaping @Sendable (Int) -> Void
  ) throws -> any Service {
    let connection = HTTP1Channel.Configuration(
      additionalChannelHandlers: [ContinueHandler()],
      httpDecoderConfiguration: .init(
        maxHeaderFieldSize: 16 << 10, maxHeaderListSize: 64 << 10, maxHeaderFieldCount: 100))
    return try httpService(
      hostname: "127.0.0.1", port: port, logger: logger,
      channel: { HTTP1Channel(responder: $0, configuration: connection) },
      onStart: { onStart($0.localAddress?.port ?? port) },
      respond: { request, _ in await service.respond(to: request) })
  }
}

/// Answers `Expect: 100-continue` at once; otherwise botocore waits one second before each object it puts.
///
/// Also closes the connection of a client that disconnects in the middle of a request body; the server would
/// wait for the rest forever. Belongs after the HTTP decoder and before the server in the pipeline.
final class ContinueHandler: ChannelInboundHandler, RemovableChannelHandler {
  typealias InboundIn = HTTPRequestPart
  typealias InboundOut = HTTPRequestPart
  typealias OutboundOut = HTTPResponsePart

  private var isBodyComing = false

  init() {}

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    switch unwrapInboundIn(data) {
    case .head(let head):
      isBodyComing = true
      if head.headerFields[.expect]?.lowercased() == "100-continue" {
        context.writeAndFlush(wrapOutboundOut(.head(HTTPResponse(status: .continue))), promise: nil)
      }
    case .body: break
    case .end: isBodyComing = false
    }
    context.fireChannelRead(data)
  }

  func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    if case ChannelEvent.inputClosed? = event as? ChannelEvent, isBodyComing { context.close(promise: nil) }
    context.fireUserInboundEventTriggered(event)
  }
}
