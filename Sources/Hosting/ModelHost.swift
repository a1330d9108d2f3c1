import Glibc
import Hummingbird
import HummingbirdCore
public import Inference
import Logging
import NIOCore
import ServiceLifecycle

/// One model behind SageMaker's hosting contract.
///
/// The event loops and the tasks only move bytes; images are decoded and classified on the classifier's own threads, so
/// `/ping` is answered at once however busy they are.
public struct ModelHost: Sendable {
  public let queue: ClassifyingQueue
  public let options: HostOptions
  private let presences = ClientPresences()
  private let logger: Logger

  /// - Parameters:
  ///   - limits: of the queue in front of the network.
  ///   - isQuiet: only errors are written to stderr, not a line for each request.
  public init(
    _ classifier: Classifier, options: HostOptions = HostOptions(),
    limits: ClassifyingQueue.Limits = ClassifyingQueue.Limits(), isQuiet: Bool = false
  ) {
    queue = ClassifyingQueue(classifier, limits: limits)
    self.options = options
    logger = Logger(label: "imrec") { _ in LineLog(logLevel: isQuiet ? .error : .info) }
  }

  /// Serves until the task is cancelled; then accepts no more connections, finishes what is in work, and returns.
  ///
  /// - Parameter onStart: gets the port when requests are answered.
  /// - Throws: `HostError` where the address cannot be used.
  public func run(onStart: @escaping @Sendable (Int) -> Void = { _ in }) async throws {
    let gate = AcceptGate(limit: options.connections)
    var configuration = ServiceGroupConfiguration(
      services: [
        .init(service: application(gate, onStart), successTerminationBehavior: .gracefullyShutdownGroup)
      ],
      logger: innerLogger)
    configuration.maximumGracefulShutdownDuration = options.graceTime
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
      throw HostError(
        "\(options.hostname) port \(options.port) cannot be listened on: "
          + Self.sentence(error.errnoCode))
    }
    log(queue.statistics)
  }

  private static func sentence(_ code: CInt) -> String {
    switch code {
    case EADDRINUSE: "another program does so already"
    case EACCES: "this user may not use it"
    case EADDRNOTAVAIL: "this machine has no such address"
    default: unsafe String(cString: strerror(code))
    }
  }

  private func application(_ gate: AcceptGate, _ onStart: @escaping @Sendable (Int) -> Void)
    -> some ApplicationProtocol
  {
    let (presences, options) = (presences, options)
    let connection = HTTP1Channel.Configuration(
      additionalChannelHandlers: [ConnectionGuard(presences, options)],
      httpDecoderConfiguration: .init(
        maxHeaderFieldSize: 16 << 10, maxHeaderListSize: 64 << 10, maxHeaderFieldCount: 100))
    return Application(
      responder: HostResponder(
        invocations: Invocations(queue: queue, options: options, presences: presences), logger: logger),
      server: HTTPServerBuilder { responder in
        GatedChannel(inner: HTTP1Channel(responder: responder, configuration: connection), gate: gate)
      },
      configuration: ApplicationConfiguration(
        address: .hostname(options.hostname, port: options.port), serverName: "imrec", backlog: 1024,
        availableConnectionsDelegate: AcceptGateDelegate(gate: gate)),
      onServerRunning: { channel in
        gate.serverRuns(at: channel.localAddress)
        onStart(channel.localAddress?.port ?? options.port)
      },
      logger: innerLogger)
  }

  /// For what the server underneath has to say.
  private var innerLogger: Logger { Logger(label: "imrec") { _ in LineLog(logLevel: .error) } }

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
