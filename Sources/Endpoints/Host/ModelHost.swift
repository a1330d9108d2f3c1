import HTTP
public import Inference
import Logging

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
