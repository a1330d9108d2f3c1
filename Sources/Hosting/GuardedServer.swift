import Glibc
package import Hummingbird
import HummingbirdCore
package import Logging
import NIOCore
package import ServiceLifecycle

/// An HTTP server that bad clients cannot hold up, and that ends in order.
package struct GuardedServer: Sendable {
  package var hostname: String
  /// 0: any free one.
  package var port: Int
  /// Connections at once; more wait to be accepted.
  package var connections = 1024
  package var limits = ConnectionLimits()
  /// What is in work when the server is asked to stop has so long to end.
  package var graceTime = Duration.seconds(25)
  /// What runs beside it, and is ended after it.
  package var services: [any Service] = []
  private let logger: Logger

  package init(hostname: String, port: Int, logger: Logger) {
    self.hostname = hostname
    self.port = port
    self.logger = logger
  }

  /// Answers one request; the client is nil where it has gone already.
  package typealias Responder = @Sendable (Request, ClientPresence?) async throws -> Response

  /// Serves until the task is cancelled; then accepts no more connections, finishes what is in work, and returns.
  ///
  /// - Parameter onStart: gets the port when requests are answered.
  /// - Throws: `HostError` where the address cannot be used.
  package func run(onStart: @escaping @Sendable (Int) -> Void, respond: @escaping Responder) async throws {
    let gate = AcceptGate(limit: connections)
    var configuration = ServiceGroupConfiguration(
      services: services.map { .init(service: $0) } + [
        .init(
          service: application(gate, onStart, respond), successTerminationBehavior: .gracefullyShutdownGroup)
      ],
      logger: innerLogger)
    configuration.maximumGracefulShutdownDuration = graceTime
    let group = ServiceGroup(configuration: configuration)
    do {
      // A task of its own: when ours is cancelled, it is asked to end in order, and not torn down.
      let serving = Task { try await group.run() }
      try await withTaskCancellationHandler {
        try await serving.value
      } onCancel: {
        logger.info("ending: what is in work is finished")
        Task {
          await gate.close()
          await group.triggerGracefulShutdown()
        }
      }
    } catch let error as IOError {
      throw HostError("\(hostname) port \(port) cannot be listened on: " + Self.sentence(error.errnoCode))
    }
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
    _ gate: AcceptGate, _ onStart: @escaping @Sendable (Int) -> Void, _ respond: @escaping Responder
  ) -> some ApplicationProtocol {
    let (presences, limits, port) = (ClientPresences(), limits, port)
    let connection = HTTP1Channel.Configuration(
      additionalChannelHandlers: [ConnectionGuard(presences, limits)],
      httpDecoderConfiguration: .init(
        maxHeaderFieldSize: 16 << 10, maxHeaderListSize: 64 << 10, maxHeaderFieldCount: 100))
    return Application(
      responder: ClientResponder(presences: presences, respond: respond),
      server: HTTPServerBuilder { responder in
        GatedChannel(inner: HTTP1Channel(responder: responder, configuration: connection), gate: gate)
      },
      configuration: ApplicationConfiguration(
        address: .hostname(hostname, port: port), serverName: "imrec", backlog: 1024,
        availableConnectionsDelegate: AcceptGateDelegate(gate: gate)),
      onServerRunning: { channel in
        gate.serverRuns(at: channel.localAddress)
        onStart(channel.localAddress?.port ?? port)
      },
      logger: innerLogger)
  }

  /// For what the server underneath has to say.
  private var innerLogger: Logger { Logger(label: "imrec") { _ in LineLog(logLevel: .error) } }
}

/// Tells the answering code whose request it is.
private struct ClientResponder: HTTPResponder {
  let presences: ClientPresences
  let respond: GuardedServer.Responder

  struct Context: RequestContext {
    var coreContext: CoreRequestContextStorage
    let channel: any Channel

    init(source: ApplicationRequestContextSource) {
      coreContext = CoreRequestContextStorage(source: source)
      channel = source.channel
    }
  }

  func respond(to request: Request, context: Context) async throws -> Response {
    try await respond(request, presences.presence(on: context.channel))
  }
}
