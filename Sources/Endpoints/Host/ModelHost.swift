public import HTTP
import HTTPTypes
import HummingbirdCore
public import Inference
import Logging
import NIOCore

/// Serves one model by SageMaker's hosting contract.
///
/// Event loops and tasks only move bytes; images are decoded and classified on the classifier's own threads,
/// so `/ping` is answered at once however busy the model is.
public struct ModelHost: Sendable {
  public let queue: ClassifyingQueue
  public let options: HostOptions
  private let logger: Logger

  /// - Parameters:
  ///   - limits: the limits of the queue in front of the network.
  ///   - isQuiet: logs only errors to stderr, not a line per request.
  public init(
    _ classifier: Classifier, options: HostOptions = HostOptions(),
    limits: ClassifyingQueue.Limits = ClassifyingQueue.Limits(), isQuiet: Bool = false
  ) {
    queue = ClassifyingQueue(classifier, limits: limits)
    self.options = options
    logger = Logger(label: "imrec") { _ in LineLog(logLevel: isQuiet ? .error : .info) }
  }

  /// Serves until the task is cancelled, then stops accepting connections, finishes the requests in progress,
  /// and returns.
  ///
  /// - Parameter onStart: called with the port as soon as requests are answered.
  /// - Throws: `ServerError` if the address cannot be used.
  public func run(onStart: @escaping @Sendable (Int) -> Void = { _ in }) async throws {
    var server = GuardedServer(hostname: options.hostname, port: options.port, logger: logger)
    server.connections = options.connections
    server.origin = RequestOrigin(
      hosts: [options.hostname] + options.allowedHosts, origins: options.allowedOrigins)
    server.graceTime = options.graceTime
    server.limits = options.connectionLimits
    let responder = HostResponder(
      invocations: Invocations(queue: queue, options: options), logger: logger)
    try await server.run(onStart: onStart) { try await responder.respond(to: $0, from: $1) }
    log(queue.statistics)
  }

  private func log(_ statistics: ClassifyingQueue.Statistics) {
    let images = max(1, statistics.images)
    logger.info(
      """
      ended: \(statistics.images) images in \(statistics.batches) batches, \(statistics.badImages) bad, \
      \(statistics.refused) refused, \(statistics.late) late, \(statistics.dropped) dropped; \
      \(milliseconds(statistics.latency / images)) ms on average, \
      \(milliseconds(statistics.longestLatency)) ms at most
      """)
  }
}

/// The address of a model host, and its limits.
public struct HostOptions: Sendable {
  /// The host name or address to listen on.
  public var hostname = "127.0.0.1"
  /// The port to listen on; 0 picks a free one.
  public var port = 8080
  /// The largest request body, in MiB: SageMaker's MaxPayloadInMB.
  public var maximumPayloadMegabytes = 6
  /// The number of concurrent requests that a batch transform is told to send.
  public var concurrentTransforms = 32
  /// The maximum number of connections with a request in progress. Requests on further connections get 503;
  /// idle connections are closed first.
  public var connections = 1024
  /// Host names of the server, without a port, in addition to the loopback names and `hostname`; `*` accepts
  /// every name.
  public var allowedHosts: [String] = []
  /// Other sites, `http://name:port`, whose pages may send requests.
  public var allowedOrigins: [String] = []
  /// Closes a connection on which no request head is completed within this time. A head that trickles in byte
  /// by byte gets no extension.
  public var idleTime = Duration.seconds(60)
  /// Closes a connection whose request body is not complete within this time after the head.
  public var bodyTime = Duration.seconds(30)
  /// Refuses an image that has not reached the network within this time after its body; SageMaker itself
  /// waits 60 s.
  public var waitingTime = Duration.seconds(55)
  /// How long requests in progress may take to finish after shutdown begins; SageMaker kills the container 30
  /// s after SIGTERM.
  public var graceTime = Duration.seconds(25)
  public init() {}

  var maximumBodyByteCount: Int { maximumPayloadMegabytes << 20 }

  var connectionLimits: ConnectionLimits {
    var limits = ConnectionLimits()
    limits.idleTime = idleTime
    limits.bodyTime = bodyTime
    limits.maximumBodyByteCount = maximumBodyByteCount
    return limits
  }
}

extension HostOptions {
  /// Applies the settings that SageMaker passes to its containers in environment variables:
  /// SAGEMAKER_BIND_TO_PORT, SAGEMAKER_MAX_PAYLOAD_IN_MB (0 means streaming and is taken as 100), and
  /// SAGEMAKER_MAX_CONCURRENT_TRANSFORMS.
  ///
  /// - Throws: `ServerError` if a variable is not a number in its range.
  public mutating func apply(_ environment: [String: String]) throws(ServerError) {
    if let port = try Self.number(environment, "SAGEMAKER_BIND_TO_PORT", 1...65_535) { self.port = port }
    if let size = try Self.number(environment, "SAGEMAKER_MAX_PAYLOAD_IN_MB", 0...100) {
      maximumPayloadMegabytes = size == 0 ? 100 : size
    }
    if let count = try Self.number(environment, "SAGEMAKER_MAX_CONCURRENT_TRANSFORMS", 0...10_000), count > 0
    {
      concurrentTransforms = count
    }
  }

  private static func number(_ environment: [String: String], _ name: String, _ range: ClosedRange<Int>)
    throws(ServerError) -> Int?
  {
    guard let text = environment[name], !text.isEmpty else { return nil }
    guard let value = Int(text), range.contains(value) else {
      throw ServerError(
        "\(name) is '\(text)'; a whole number from \(range.lowerBound) to \(range.upperBound) is expected")
    }
    return value
  }
}

/// Routes requests to the three paths of SageMaker's hosting contract.
struct HostResponder: Sendable {
  let invocations: Invocations
  let logger: Logger

  func respond(to request: Request, from client: ClientPresence?) async throws -> Response {
    let start = ContinuousClock.now
    let response = try await answer(request, client)
    logger.info(
      "\(request.method.rawValue) \(shown(request.uri.path)) \(response.status.code) \(milliseconds(.now - start)) ms"
    )
    return response
  }

  private func answer(_ request: Request, _ client: ClientPresence?) async throws -> Response {
    switch (request.uri.path, request.method) {
    case ("/ping", .get), ("/ping", .head): return Response(status: .ok)
    case ("/invocations", .post): return try await invocations.respond(to: request, from: client)
    case ("/execution-parameters", .get), ("/execution-parameters", .head):
      return executionParameters(invocations.options, isHead: request.method == .head)
    case ("/ping", _), ("/execution-parameters", _): return notAllowed(request, "GET, HEAD")
    case ("/invocations", _): return notAllowed(request, "POST")
    default:
      return .refusal(
        .notFound,
        "there is no \(shown(request.uri.path)); use /ping, /invocations or /execution-parameters",
        closing: request.mayHaveBody)
    }
  }

  private func executionParameters(_ options: HostOptions, isHead: Bool) -> Response {
    let text =
      "{\"MaxConcurrentTransforms\": \(options.concurrentTransforms), \"BatchStrategy\": \"SINGLE_RECORD\", "
      + "\"MaxPayloadInMB\": \(options.maximumPayloadMegabytes)}\n"
    return Response(
      status: .ok,
      headers: [.contentType: "application/json", .contentLength: "\(text.utf8.count)"],
      body: isHead ? ResponseBody() : ResponseBody(byteBuffer: ByteBuffer(string: text)))
  }

  private func notAllowed(_ request: Request, _ allowed: String) -> Response {
    var response = Response.refusal(
      .methodNotAllowed,
      "\(shown(request.method.rawValue)) is not allowed on \(shown(request.uri.path)); "
        + "use \(allowed)", closing: request.mayHaveBody)
    response.headers[.allow] = allowed
    return response
  }
}

/// Answers `POST /invocations` of a model: an image in, its class probabilities out.
struct Invocations: Sendable {
  let queue: ClassifyingQueue
  let options: HostOptions
  let bodies = ReceivedBytes()

  func respond(to request: Request, from client: ClientPresence?) async throws -> Response {
    do {
      let received = try await ImageRequest.receive(
        request, limit: options.maximumBodyByteCount, bodies: bodies)
      defer { received.forget() }
      let probabilities = try await received.classify(
        with: queue, waitingTime: options.waitingTime, for: client)
      return Response(
        status: .ok, headers: [.contentType: received.format.mediaType],
        body: ResponseBody(
          byteBuffer: ByteBuffer(
            bytes: received.format.text(probabilities, classes: queue.classifier.classes))))
    } catch let refusal as ImageRequest.Refusal {
      switch refusal.reason {
      case .busy, .late: return .busy(refusal.sentence, closing: refusal.isClosing)
      default: return .refusal(refusal.status, refusal.sentence, closing: refusal.isClosing)
      }
    }
  }
}
