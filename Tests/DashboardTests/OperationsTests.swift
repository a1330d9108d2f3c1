import Glibc
import HummingbirdCore
import InferenceTestSupport
import Logging
import Metrics
import ServiceTestSupport
import Synchronization
import TestSupport
import Testing

@testable import Endpoints
@testable import HTTP
@testable import SageMaker

@Suite("Metrics, health and the log")
struct OperationsTests {
  @Test("are in Prometheus' format: counters, gauges, sums and histograms, with their labels escaped")
  func format() {
    let metrics = PrometheusMetrics()
    Counter(label: "jobs.done", dimensions: [("kind", "a\"b\\c\nd")], factory: metrics).increment(by: 3)
    Gauge(label: "jobs_running", factory: metrics).record(2.5)
    Recorder(label: "bytes", factory: metrics).record(10)
    Timer(label: "wait_seconds", factory: metrics).recordMilliseconds(30)
    Meter(label: "9lives", factory: metrics).set(9)
    let text = metrics.text()
    #expect(text.contains("# TYPE jobs_done_total counter\njobs_done_total{kind=\"a\\\"b\\\\c\\nd\"} 3\n"))
    #expect(text.contains("# TYPE jobs_running gauge\njobs_running 2.5\n"))
    #expect(text.contains("# TYPE bytes summary\nbytes_sum 10\nbytes_count 1\n"))
    #expect(text.contains("# TYPE _9lives gauge\n_9lives 9\n"))
    #expect(text.contains("wait_seconds_bucket{le=\"0.025\"} 0\nwait_seconds_bucket{le=\"0.05\"} 1\n"))
    #expect(
      text.contains("wait_seconds_bucket{le=\"+Inf\"} 1\nwait_seconds_sum 0.03\nwait_seconds_count 1\n"))
    // The same name and labels are the same series; another kind is kept apart.
    Counter(label: "jobs.done", dimensions: [("kind", "a\"b\\c\nd")], factory: metrics).increment()
    Gauge(label: "jobs_done", factory: metrics).record(1)
    #expect(metrics.text().contains("} 4\n") && metrics.text().contains("jobs_done_gauge 1\n"))
  }

  @Test("are bounded: label sets beyond the limit are counted together")
  func bounded() {
    let metrics = PrometheusMetrics()
    for index in 0..<1000 {
      Counter(label: "hits", dimensions: [("name", "\(index)")], factory: metrics).increment()
    }
    let lines = metrics.text().split(separator: "\n")
    #expect(lines.count == PrometheusMetrics.seriesLimit + 2)
    #expect(lines.contains("hits_total{overflow=\"true\"} \(1000 - PrometheusMetrics.seriesLimit)"))
  }

  @Test("count every request by part, and give it an id and a line in the log")
  func observed() async throws {
    let metrics = PrometheusMetrics()
    let log = LogKeeper()
    let isReady = Mutex(false)
    let observed = Observed(
      logger: Logger(label: "test") { _ in log }, metrics: metrics,
      isReady: { isReady.withLock { $0 } })
    let inner: GuardedServer.Responder = { request, _ in
      if request.uri.path == "/fails" { throw Fault() }
      return Response(status: .accepted)
    }
    let responder = observed.responder(part: { $0.uri.path == "/fails" ? "b" : "a" }, inner)
    try await withServer(respond: responder) { port in
      #expect(try await ask(port, "GET", "/healthz")?.status == 503)
      #expect(try await ask(port, "GET", "/ping")?.status == 503)
      isReady.withLock { $0 = true }
      #expect(try await ask(port, "GET", "/healthz")?.text == "{\"status\": \"ok\"}\n")
      #expect(try await ask(port, "GET", "/ping")?.status == 200)
      let reply = try await ask(port, "GET", "/some%20where")
      #expect(reply?.status == 202 && reply?.headers["x-amzn-requestid"]?.count == 36)
      let fails = try await ask(port, "GET", "/fails")
      #expect(fails?.status == 500 && fails?.text.contains("the disk") == false)
      #expect(log.lines.contains { $0.hasPrefix("GET /fails 500 ") })
      let lines = log.lines
      #expect(lines.contains { $0.hasPrefix("GET /some%20where 202 ") })
      let text = try await ask(port, "GET", "/metrics")?.text ?? ""
      #expect(text.contains("imrec_http_requests_total{part=\"a\",method=\"GET\",status=\"202\"} 1\n"))
      #expect(text.contains("imrec_http_request_seconds_count{part=\"a\"} 1\n"))
    }
  }

  @Test("count the invocations of each variant by what became of them")
  func invocations() async throws {
    let metrics = PrometheusMetrics()
    let fleet = EndpointFleet(
      cores: .init(.init(count: 1)), loader: StubLoader(["a": StubNetwork()]), store: ObjectStub(),
      logger: quietLogger, metrics: metrics)
    try await fleet.create(plan("ep", variant("v", "a")))
    for bytes in [try jpeg(), try jpeg(), Array("GIF89a".utf8)] {
      _ = try? await fleet.invoke(
        "ep", ImageRequest(image: bytes, format: .json), InvocationDetails(), from: nil)
    }
    let text = metrics.text()
    #expect(text.contains("imrec_invocations_total{endpoint=\"ep\",variant=\"v\",outcome=\"answered\"} 2\n"))
    #expect(text.contains("outcome=\"client_error\"} 1\n"))
    #expect(text.contains("imrec_invocation_seconds_count{endpoint=\"ep\",variant=\"v\"} 2\n"))
  }
}

@Suite("A guarded server")
struct GuardedServerTests {
  @Test("gives a body more time for the bytes that come, where it is told to, and for nothing else")
  func slowBodies() async throws {
    for (rate, survives) in [(10, true), (nil, false)] as [(Int?, Bool)] {
      var limits = ConnectionLimits()
      limits.bodyTime = .milliseconds(400)
      limits.bodyBytesPerSecond = rate
      try await withServer(limits: limits) { request, _ in
        var count = 0
        for try await part in request.body { count += part.readableBytes }
        return Response(status: .ok, body: .init(byteBuffer: .init(string: "\(count)")))
      } _: { port in
        let (text, isClosed) = try await onThread { () -> (String?, Bool) in
          guard let connection = HTTPConnection(port: port, seconds: 20) else { return (nil, false) }
          connection.send("POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 120\r\n\r\n".utf8)
          for _ in 0..<12 {
            connection.send([UInt8](repeating: 0x61, count: 10))
            usleep(100_000)
          }
          return survives ? (connection.reply()?.text, false) : (nil, connection.isClosedByServer())
        }
        #expect(survives ? text == "120" : isClosed)
      }
    }
    // Who stops sending is cut off all the same.
    var limits = ConnectionLimits()
    limits.bodyTime = .milliseconds(200)
    limits.bodyBytesPerSecond = 100
    try await withServer(limits: limits) { request, _ in
      for try await _ in request.body {}
      return Response(status: .ok)
    } _: { port in
      let isClosed = try await onThread { () -> Bool in
        guard let connection = HTTPConnection(port: port, seconds: 20) else { return false }
        connection.send("POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 120\r\n\r\nabcdefghij".utf8)
        return connection.isClosedByServer()
      }
      #expect(isClosed)
    }
  }
}

private struct Fault: Error, CustomStringConvertible { let description = "the disk is on fire" }

/// Keeps what is logged.
private final class LogKeeper: LogHandler {
  var metadata: Logger.Metadata {
    get { [:] }
    set {}
  }
  var logLevel: Logger.Level {
    get { .info }
    set {}
  }
  private let kept = Mutex<[String]>([])

  var lines: [String] { kept.withLock { $0 } }

  subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { nil }
    set {}
  }

  func log(event: LogEvent) { kept.withLock { $0.append("\(event.message)") } }
}
