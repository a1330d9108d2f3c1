import FoundationEssentials
import HTTPTypes
package import Hummingbird
package import Logging
import Metrics
import NIOCore
import NIOHTTP1

/// Gives each response a request id, a log line, and an entry in the metrics.
package struct Observed: Sendable {
  private let logger: Logger
  private let metrics: any MetricsFactory
  private let isReady: @Sendable () -> Bool
  private let isForObjects: @Sendable (Request) -> Bool
  private let text: @Sendable () -> String

  /// - Parameters:
  ///   - metrics: counts the requests and is what `/metrics` shows.
  ///   - isReady: what `/healthz` and `/ping` report.
  ///   - isForObjects: whether a request for `/metrics`, `/healthz` or `/ping` means the S3 bucket of that
  ///     name.
  package init(
    logger: Logger, metrics: PrometheusMetrics, isReady: @escaping @Sendable () -> Bool = { true },
    isForObjects: @escaping @Sendable (Request) -> Bool = { _ in false }
  ) {
    self.logger = logger
    self.metrics = metrics
    self.isReady = isReady
    self.isForObjects = isForObjects
    text = { metrics.text() }
  }

  /// Answers `/metrics`, `/healthz` and `/ping`, and passes all other requests on.
  ///
  /// - Parameters:
  ///   - part: the part of the server that a request is for; one of a few words, because it is a metric
  ///     label.
  ///   - name: what the log calls a request.
  package func responder(
    part: @escaping @Sendable (Request) -> String,
    name: @escaping @Sendable (Request) -> String = { $0.uri.path },
    _ respond: @escaping GuardedServer.Responder
  ) -> GuardedServer.Responder {
    { request, client in
      let start = ContinuousClock.now
      let id = UUID().uuidString.lowercased()
      let own = self.own(request)
      let part = own == nil ? part(request) : "operations"
      var response: Response
      var fault: String?
      if let own {
        response = own
      } else {
        do {
          response = try await respond(request, client)
        } catch {
          fault = "\(error)"
          response = Self.refusal(error, id).response
        }
      }
      // Keep the id that the service chose, because its client knows that one.
      let shownID = response.headers[.requestID] ?? id
      response.headers[.requestID] = shownID
      self.record(request, name(request), part, response.status.code, start, shownID, fault: fault)
      return response
    }
  }

  /// Invalid HTTP in a body is the client's error. Anything else is either a client that disconnected in the
  /// middle of its request or a fault of the server, which is answered with 500 and not only by closing the
  /// connection.
  private static func refusal(_ error: any Error, _ id: String) -> RuntimeError {
    if error is HTTPParserError {
      return .validation("The request body does not match the framing in its headers.", closing: true)
    }
    return RuntimeError(
      status: .internalServerError, type: "InternalFailure",
      message: "The server failed to answer this request; its log says why (request \(id)).",
      isClosing: true)
  }

  private func own(_ request: Request) -> Response? {
    guard request.method == .get || request.method == .head else { return nil }
    guard !isForObjects(request) else { return nil }
    func response(_ status: HTTPResponse.Status, _ type: String, _ text: String) -> Response {
      Response(
        status: status, headers: [.contentType: type, .contentLength: "\(text.utf8.count)"],
        body: request.method == .head ? ResponseBody() : ResponseBody(byteBuffer: ByteBuffer(string: text)))
    }
    switch request.uri.path {
    case "/metrics": return response(.ok, "text/plain; version=0.0.4; charset=utf-8", text())
    case "/ping": return Response(status: isReady() ? .ok : .serviceUnavailable)
    case "/healthz":
      return isReady()
        ? response(.ok, "application/json", "{\"status\": \"ok\"}\n")
        : response(.serviceUnavailable, "application/json", "{\"status\": \"starting\"}\n")
    default: return nil
    }
  }

  private func record(
    _ request: Request, _ name: String, _ part: String, _ status: Int, _ start: ContinuousClock.Instant,
    _ id: String,
    fault: String?
  ) {
    let time = ContinuousClock.now - start
    let method = ["GET", "HEAD", "POST", "PUT", "DELETE"].first { $0 == request.method.rawValue } ?? "other"
    Counter(
      label: "imrec_http_requests",
      dimensions: [("part", part), ("method", method), ("status", "\(status)")],
      factory: metrics
    ).increment()
    Timer(label: "imrec_http_request_seconds", dimensions: [("part", part)], factory: metrics)
      .recordNanoseconds(Int64(exactly: (time / .nanoseconds(1)).rounded()) ?? .max)
    var facts: Logger.Metadata = ["request": "\(id)", "part": "\(part)"]
    if let fault { facts["fault"] = "\(shown(fault))" }
    logger.log(
      level: status >= 500 || fault != nil ? .warning : .info,
      "\(shown(request.method.rawValue)) \(shown(name)) \(status) \(milliseconds(time)) ms",
      metadata: facts)
  }
}
