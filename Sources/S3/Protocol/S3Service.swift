public import Encodings
import Files
package import HTTP
import HTTPTypes
public import Hummingbird
import NIOCore
import Synchronization

/// S3's protocol in front of a store: path-style, as clients use it where an endpoint is an address.
///
/// It answers one request; the server that it is part of decides which requests are S3's. Bodies are streamed both ways,
/// a megabyte at a time; the disk is worked on by threads of its own.
public final class S3Service: Sendable {
  public struct Options: Sendable {
    /// Refuses requests that are not signed by one of `credentials`. Otherwise signatures are not looked at, but what a
    /// request says of its body is, and the time until which a presigned URL is good.
    public var requiresSignature = false
    public var credentials: [Credential] = []
    public var region = "us-east-1"
    /// Whose the buckets are.
    public var account = "123456789012"
    /// Bodies that are received or sent at once; each takes some 3 MB of memory. More get `SlowDown`.
    public var transfers = 128
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

  /// - Returns: an answer for every request; errors are answers, too.
  public func respond(to request: Request) async -> Response {
    let id = String(randomHexText().prefix(16)).uppercased()
    var response: Response
    do {
      let call = try S3Call(request.head)
      let verified = try verify(request.head)
      try checkOwner(call)
      response = try await answer(call, request, verified)
    } catch {
      // What is left of the body is read and thrown away by the server: a client that is still sending reads no answer.
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

  /// - Throws: `.accessDenied` where the client expects the buckets to be somebody else's.
  private func checkOwner(_ call: S3Call) throws(ObjectError) {
    for name in ["x-amz-expected-bucket-owner", "x-amz-source-expected-bucket-owner"] {
      guard let owner = call.header(name), !hasSameBytes(owner, options.account) else { continue }
      throw ObjectError(.accessDenied, "the bucket's owner is \(options.account), and \(name) is another one")
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

  /// Room for one body.
  func beginTransfer() throws(ObjectError) -> TransferSlot {
    let isFree = transfersUnderWay.withLock { count in
      guard count < options.transfers else { return false }
      count += 1
      return true
    }
    guard isFree else {
      throw ObjectError(
        .slowDown, "\(options.transfers) objects are being sent or received; please reduce your request rate")
    }
    return TransferSlot { [self] in transfersUnderWay.withLock { $0 -= 1 } }
  }
}

/// Holds the room for one body as long as it lives.
final class TransferSlot: Sendable {
  private let end: @Sendable () -> Void
  init(end: @escaping @Sendable () -> Void) { self.end = end }
  deinit { end() }
}

extension HTTPField.Name {
  /// - Precondition: the text is a name of a header.
  static func amz(_ text: String) -> HTTPField.Name {
    guard let name = HTTPField.Name(text) else { preconditionFailure("\(text) is a name of a header") }
    return name
  }
}
