import Glibc
package import HTTPTypes
package import HummingbirdCore
package import Logging
import NIOCore
package import ServiceLifecycle
import Synchronization

/// An HTTP server that withstands slow clients, rejects requests from other sites' pages, and shuts down
/// gracefully.
package struct GuardedServer: Sendable {
  /// The host name or address to listen on.
  package var hostname: String
  /// The port to listen on; 0 picks a free one.
  package var port: Int
  /// The maximum number of connections with a request in progress. Requests on further connections get 503;
  /// idle connections are closed first.
  package var connections = 1024
  package var limits = ConnectionLimits()
  /// Which hosts and sites may send requests; checked before a request is routed or its body is read.
  package var origin: RequestOrigin
  /// How long requests in progress may take to finish after shutdown begins.
  package var graceTime = Duration.seconds(25)
  /// Services that run beside the server and are shut down after it.
  package var services: [any Service] = []
  /// Builds the response to a request that is refused before it reaches a service. That response closes the
  /// connection.
  package var refusal: @Sendable (Request, HTTPResponse.Status, String) -> Response = { _, status, sentence in
    .refusal(status, sentence)
  }
  private let logger: Logger

  package init(hostname: String, port: Int, logger: Logger) {
    self.hostname = hostname
    self.port = port
    self.logger = logger
    origin = RequestOrigin(hosts: [hostname])
  }

  /// Answers one request. The client is nil if nobody waits for the response.
  package typealias Responder = @Sendable (Request, ClientPresence?) async throws -> Response

  /// Like `run(onStart:prepare:)`, with nothing to prepare.
  package func run(onStart: @escaping @Sendable (Int) -> Void, respond: @escaping Responder) async throws {
    try await run(onStart: onStart, prepare: { respond })
  }

  /// Serves until the task is cancelled, then stops accepting connections, finishes the requests in progress,
  /// and returns.
  ///
  /// - Parameters:
  ///   - onStart: called with the port as soon as requests are answered.
  ///   - prepare: called once the server holds its address and before it answers any request, so it never
  ///     touches files that another running server still uses.
  /// - Throws: `ServerError` if the address cannot be used; whatever `prepare` throws.
  package func run(
    onStart: @escaping @Sendable (Int) -> Void, prepare: @escaping @Sendable () async throws -> Responder
  ) async throws {
    try checkRoom()
    let room = ConnectionRoom(working: connections)
    let gate = AcceptGate(limit: room.limit)
    let preparation = Preparation(prepare)
    var configuration = ServiceGroupConfiguration(
      services: services.map { .init(service: $0) } + [
        .init(
          service: try service(gate, room, onStart, preparation),
          successTerminationBehavior: .gracefullyShutdownGroup)
      ],
      logger: innerLogger)
    configuration.maximumGracefulShutdownDuration = graceTime
    let group = ServiceGroup(configuration: configuration)
    let end = { @Sendable () async -> Void in
      await gate.close()
      await group.triggerGracefulShutdown()
    }
    preparation.onFailure { Task { await end() } }
    do {
      // An unstructured task: cancelling ours must begin a graceful shutdown, not tear the server down.
      let serving = Task { try await group.run() }
      try await withTaskCancellationHandler {
        try await serving.value
      } onCancel: {
        logger.info("shutting down: finishing the requests in progress")
        Task { await end() }
      }
    } catch let error as IOError {
      throw ServerError("cannot listen on \(hostname) port \(port): " + Self.sentence(error.errnoCode))
    }
    if let failure = preparation.failure { throw failure }
  }

  private static func sentence(_ code: CInt) -> String {
    switch code {
    case EADDRINUSE: "another program is using this port"
    case EACCES: "this user may not use this port"
    case EADDRNOTAVAIL: "this machine does not have this address"
    default: unsafe String(cString: strerror(code))
    }
  }

  private func service(
    _ gate: AcceptGate, _ room: ConnectionRoom, _ onStart: @escaping @Sendable (Int) -> Void,
    _ preparation: Preparation
  ) throws -> any Service {
    let (limits, origin, port) = (limits, origin, port)
    let clients = Clients(limit: room.working, most: room.most)
    let connection = HTTP1Channel.Configuration(
      additionalChannelHandlers: [ConnectionGuard(clients, limits, origin)],
      httpDecoderConfiguration: .init(
        maxHeaderFieldSize: 16 << 10, maxHeaderListSize: 64 << 10, maxHeaderFieldCount: 100))
    let responder = ClientResponder(
      clients: clients, origin: origin, preparation: preparation, refusal: refusal, logger: logger)
    return try httpService(
      hostname: hostname, port: port, connections: AcceptGateDelegate(gate: gate), logger: innerLogger,
      channel: { GatedChannel(inner: HTTP1Channel(responder: $0, configuration: connection), gate: gate) },
      onStart: { channel in
        gate.serverRuns(at: channel.localAddress)
        // The server already accepts connections; their requests wait for `prepare`.
        if await preparation.run() { onStart(channel.localAddress?.port ?? port) }
      },
      respond: responder.respond)
  }

  /// For messages of the underlying server; errors only.
  private var innerLogger: Logger { Logger(label: "imrec") { _ in LineLog(logLevel: .error) } }
}

/// The responder, once `prepare` has made it.
private final class Preparation: Sendable {
  private struct State {
    var responder: GuardedServer.Responder?
    var failure: (any Error)?
    var onFailure: (@Sendable () -> Void)?
  }
  private let state = Mutex(State())
  private let prepare: @Sendable () async throws -> GuardedServer.Responder

  init(_ prepare: @escaping @Sendable () async throws -> GuardedServer.Responder) { self.prepare = prepare }

  var responder: GuardedServer.Responder? { state.withLock { $0.responder } }
  var failure: (any Error)? { state.withLock { $0.failure } }

  func onFailure(_ body: @escaping @Sendable () -> Void) { state.withLock { $0.onFailure = body } }

  /// - Returns: whether `prepare` succeeded.
  func run() async -> Bool {
    do {
      succeed(try await prepare())
      return true
    } catch {
      fail(error)
      return false
    }
  }

  // Separate, never inlined functions: after an await, swiftc 6.3.1 locks a Mutex with the id of the thread
  // that ran before the await.
  @inline(never)
  private func succeed(_ made: @escaping GuardedServer.Responder) { state.withLock { $0.responder = made } }

  @inline(never)
  private func fail(_ error: any Error) {
    let tell = state.withLock { state in
      state.failure = error
      return state.onFailure
    }
    tell?()
  }
}

/// Refuses requests that must not be answered, and passes each other request on with its client.
private struct ClientResponder: Sendable {
  let clients: Clients
  let origin: RequestOrigin
  let preparation: Preparation
  let refusal: @Sendable (Request, HTTPResponse.Status, String) -> Response
  let logger: Logger

  func respond(to request: Request, on channel: any Channel) async throws -> Response {
    let site = origin.allowedSite(of: request.head)
    var response = try await answer(request, channel, isAllowedSite: site != nil)
    if let site {
      response.headers[.allowedOrigin] = site
      response.headers[.exposedHeaders] = "*"
      response.headers[.vary] = "Origin"
    }
    // Stored objects may hold any content, so a browser must not run scripts in what it is sent, unless a
    // page of this server brings its own policy.
    response.headers[.contentTypeOptions] = "nosniff"
    if response.headers[.contentSecurityPolicy] == nil {
      response.headers[.contentSecurityPolicy] = "default-src 'none'; style-src 'unsafe-inline'; sandbox"
    }
    return response
  }

  private func answer(_ request: Request, _ channel: any Channel, isAllowedSite: Bool) async throws
    -> Response
  {
    if let sentence = origin.refusal(of: request.head, at: channel.localAddress?.ipAddress) {
      return refused(request, .forbidden, sentence)
    }
    if isAllowedSite, request.method == .options, let method = request.headers[.wantedMethod] {
      var headers: HTTPFields = [.allowedMethods: method]
      if let names = request.headers[.wantedHeaders] { headers[.allowedHeaders] = names }
      return Response(status: .noContent, headers: headers)
    }
    guard let respond = preparation.responder, clients.isAdmitted(channel) || Self.isHealthCheck(request)
    else {
      var response = refused(
        request, .serviceUnavailable, "Too many requests are in progress; try again soon.")
      response.headers[.retryAfter] = "1"
      return response
    }
    return try await respond(request, clients.presence(on: channel) ?? .gone)
  }

  private func refused(_ request: Request, _ status: HTTPResponse.Status, _ sentence: String) -> Response {
    logger.warning(
      "\(shown(request.method.rawValue)) \(shown(request.uri.path)) \(status.code): \(shown(sentence))")
    var response = refusal(request, status, sentence)
    response.headers[.connection] = "close"
    return response
  }

  /// Health checks are answered however many requests are in progress.
  private static func isHealthCheck(_ request: Request) -> Bool {
    (request.method == .get || request.method == .head) && ["/ping", "/healthz"].contains(request.uri.path)
  }
}

/// Why a server cannot start, as a sentence for the user.
public struct ServerError: Error, Hashable, Sendable, CustomStringConvertible {
  public let description: String

  public init(_ description: String) { self.description = description }
}
