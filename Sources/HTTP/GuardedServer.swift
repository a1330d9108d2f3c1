import Glibc
package import HTTPTypes
package import Hummingbird
import HummingbirdCore
package import Logging
import NIOCore
package import ServiceLifecycle
import Synchronization

/// An HTTP server that bad clients cannot hold up, that other sites' pages cannot use, and that ends in order.
package struct GuardedServer: Sendable {
  package var hostname: String
  /// 0: any free one.
  package var port: Int
  /// Connections with a request in work; requests on others are refused. Idle ones give way before.
  package var connections = 1024
  package var limits = ConnectionLimits()
  /// Who may ask; decided before a request is looked at or its body read.
  package var origin: RequestOrigin
  /// What is in work when the server is asked to stop has so long to end.
  package var graceTime = Duration.seconds(25)
  /// What runs beside it, and is ended after it.
  package var services: [any Service] = []
  /// How a request is refused that reaches no service; the answer ends the connection.
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

  /// Answers one request; the client is nil where nobody waits for the answer.
  package typealias Responder = @Sendable (Request, ClientPresence?) async throws -> Response

  /// As `run(onStart:prepare:)`, where nothing has to be prepared.
  package func run(onStart: @escaping @Sendable (Int) -> Void, respond: @escaping Responder) async throws {
    try await run(onStart: onStart, prepare: { respond })
  }

  /// Serves until the task is cancelled; then accepts no more connections, finishes what is in work, and returns.
  ///
  /// - Parameters:
  ///   - onStart: gets the port when requests are answered.
  ///   - prepare: called when the address is held, and before any request is answered: nothing that another server may
  ///     be using is touched before.
  /// - Throws: `ServerError` where the address cannot be used; what `prepare` throws.
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
          service: application(gate, room, onStart, preparation),
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
      // A task of its own: when ours is cancelled, it is asked to end in order, and not torn down.
      let serving = Task { try await group.run() }
      try await withTaskCancellationHandler {
        try await serving.value
      } onCancel: {
        logger.info("ending: what is in work is finished")
        Task { await end() }
      }
    } catch let error as IOError {
      throw ServerError("\(hostname) port \(port) cannot be listened on: " + Self.sentence(error.errnoCode))
    }
    if let failure = preparation.failure { throw failure }
  }

  private static func sentence(_ code: CInt) -> String {
    switch code {
    case EADDRINUSE: "another program does so already"
    case EACCES: "this user may not use it"
    case EADDRNOTAVAIL: "this machine has no such address"
    default: unsafe String(cString: strerror(code))
    }
  }

  private func application(
    _ gate: AcceptGate, _ room: ConnectionRoom, _ onStart: @escaping @Sendable (Int) -> Void,
    _ preparation: Preparation
  ) -> some ApplicationProtocol {
    let (limits, origin, port) = (limits, origin, port)
    let clients = Clients(limit: room.working, most: room.most)
    let connection = HTTP1Channel.Configuration(
      additionalChannelHandlers: [ConnectionGuard(clients, limits, origin)],
      httpDecoderConfiguration: .init(
        maxHeaderFieldSize: 16 << 10, maxHeaderListSize: 64 << 10, maxHeaderFieldCount: 100))
    return Application(
      responder: ClientResponder(
        clients: clients, origin: origin, preparation: preparation, refusal: refusal, logger: logger),
      server: HTTPServerBuilder { responder in
        GatedChannel(inner: HTTP1Channel(responder: responder, configuration: connection), gate: gate)
      },
      configuration: ApplicationConfiguration(
        address: .hostname(hostname, port: port), serverName: "imrec", backlog: 1024,
        availableConnectionsDelegate: AcceptGateDelegate(gate: gate)),
      onServerRunning: { channel in
        gate.serverRuns(at: channel.localAddress)
        // Connections are accepted meanwhile, and their requests wait.
        if await preparation.run() { onStart(channel.localAddress?.port ?? port) }
      },
      logger: innerLogger)
  }

  /// For what the server underneath has to say.
  private var innerLogger: Logger { Logger(label: "imrec") { _ in LineLog(logLevel: .error) } }
}

/// What answers requests, from when it is made.
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

  /// - Returns: whether it succeeded.
  func run() async -> Bool {
    do {
      succeed(try await prepare())
      return true
    } catch {
      fail(error)
      return false
    }
  }

  // Functions of their own, never inlined: swiftc 6.3.1 locks a Mutex behind an await as the thread before it.
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

/// Refuses what must not be answered, and tells the answering code whose request it is.
private struct ClientResponder: HTTPResponder {
  let clients: Clients
  let origin: RequestOrigin
  let preparation: Preparation
  let refusal: @Sendable (Request, HTTPResponse.Status, String) -> Response
  let logger: Logger

  struct Context: RequestContext {
    var coreContext: CoreRequestContextStorage
    let channel: any Channel

    init(source: ApplicationRequestContextSource) {
      coreContext = CoreRequestContextStorage(source: source)
      channel = source.channel
    }
  }

  func respond(to request: Request, context: Context) async throws -> Response {
    let site = origin.allowedSite(of: request.head)
    var response = try await answer(request, context.channel, isAllowedSite: site != nil)
    if let site {
      response.headers[.allowedOrigin] = site
      response.headers[.exposedHeaders] = "*"
      response.headers[.vary] = "Origin"
    }
    // What a browser is sent has no rights but those that a page of this server gives itself: an object may be anything.
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
        request, .serviceUnavailable, "As many connections as may be have requests in work; try again soon.")
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

  /// Whether the server lives is told however many requests are in work.
  private static func isHealthCheck(_ request: Request) -> Bool {
    (request.method == .get || request.method == .head) && ["/ping", "/healthz"].contains(request.uri.path)
  }
}

/// Why a server cannot start, in a sentence.
public struct ServerError: Error, Hashable, Sendable, CustomStringConvertible {
  public let description: String

  public init(_ description: String) { self.description = description }
}
