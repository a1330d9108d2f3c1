import Encodings
import FoundationEssentials
import Glibc
import HTTPTypes
package import HummingbirdCore
package import Logging
import Metrics
import NIOCore
import NIOHTTP1
import Synchronization

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

/// Writes each event as one line to stderr: `2026-11-22T20:15:03.127Z info POST /invocations 200 12.3 ms`,
/// followed by the metadata as `name=value`, sorted by name.
package struct LineLog: LogHandler {
  package var metadata: Logger.Metadata = [:]
  package var logLevel: Logger.Level

  package init(logLevel: Logger.Level) { self.logLevel = logLevel }

  package subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  package func log(event: LogEvent) {
    let facts = metadata.merging(event.metadata ?? [:]) { $1 }.sorted { $0.key < $1.key }
      .map { " \($0.key)=\(Self.word("\($0.value)"))" }
    let line = "\(timeText()) \(event.level) \(event.message)\(facts.joined())\n"
    let bytes = Array(line.utf8)
    // One write per line, so that lines of several threads do not mix. A line that cannot be written is
    // dropped.
    _ = unsafe bytes.withUnsafeBytes { unsafe write(STDERR_FILENO, $0.baseAddress, $0.count) }
  }
}

extension LineLog {
  /// A metadata value as one word; quoted as JSON if it is not one.
  private static func word(_ value: String) -> String {
    let isPlain =
      !value.isEmpty && value.utf8.allSatisfy { (0x21..<0x7F).contains($0) && $0 != 0x22 && $0 != 0x3D }
    return isPlain ? value : jsonString(value)
  }
}

/// The current time in UTC with milliseconds: `2026-11-22T20:15:03.127Z`.
private func timeText() -> String {
  var now = timespec()
  var parts = unsafe tm()
  unsafe clock_gettime(CLOCK_REALTIME, &now)
  unsafe gmtime_r(&now.tv_sec, &parts)
  func digits(_ value: Int, _ count: Int) -> String {
    let text = String(value)
    return String(repeating: "0", count: max(0, count - text.count)) + text
  }
  return
    unsafe "\(digits(Int(parts.tm_year) + 1900, 4))-\(digits(Int(parts.tm_mon) + 1, 2))-\(digits(Int(parts.tm_mday), 2))T"
    + "\(digits(Int(parts.tm_hour), 2)):\(digits(Int(parts.tm_min), 2)):\(digits(Int(parts.tm_sec), 2))"
    + ".\(digits(now.tv_nsec / 1_000_000, 3))Z"
}
