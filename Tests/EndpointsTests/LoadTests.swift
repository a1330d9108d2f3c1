import Glibc
import Inference
import InferenceTestSupport
import TestSupport
import Testing

@testable import Endpoints

private let headers = ["Content-Type": "application/x-image"]

@Suite("A hosted model under load")
struct LoadTests {
  @Test("runs the requests that wait in one batch, and answers /ping meanwhile")
  func batching() async throws {
    let gate = Gate()
    let network = StubNetwork { _ in gate.pass() }
    try await withHost(network) { port, host in
      let file = try jpeg()
      try await withThrowingTaskGroup(of: Int?.self) { group in
        group.addTask { try await ask(port, "POST", "/invocations", headers, body: file)?.status }
        try await onThread { gate.waitForRun() }
        for _ in 0..<9 {
          group.addTask { try await ask(port, "POST", "/invocations", headers, body: file)?.status }
        }
        try await waitUntil { host.queue.waitingCount == 9 }
        // While the network is held.
        #expect(try await ask(port, "GET", "/ping")?.status == 200)
        gate.open()
        for try await status in group { #expect(status == 200) }
      }
      #expect(network.batches == [1, 9])
    }
  }

  @Test("refuses with 503 and Retry-After what the queue has no room for, and loses nothing else")
  func overload() async throws {
    let gate = Gate()
    var limits = ClassifyingQueue.Limits()
    limits.waiting = 3
    try await withHost(StubNetwork { _ in gate.pass() }, limits: limits) { port, host in
      let file = try jpeg()
      try await withThrowingTaskGroup(of: Int?.self) { group in
        group.addTask { try await ask(port, "POST", "/invocations", headers, body: file)?.status }
        try await onThread { gate.waitForRun() }
        for _ in 0..<3 {
          group.addTask { try await ask(port, "POST", "/invocations", headers, body: file)?.status }
        }
        try await waitUntil { host.queue.waitingCount == 3 }
        for _ in 0..<5 {
          let reply = try await ask(port, "POST", "/invocations", headers, body: file)
          #expect(
            reply?.status == 503 && reply?.headers["retry-after"] == "1", "\(String(describing: reply))")
        }
        gate.open()
        for try await status in group { #expect(status == 200) }
      }
      #expect(host.queue.statistics.refused == 5)
    }
  }

  @Test("answers 503 where an image waited past its deadline")
  func deadline() async throws {
    let gate = Gate()
    var options = HostOptions()
    options.waitingTime = .milliseconds(50)
    let network = StubNetwork { _ in gate.pass() }
    try await withHost(network, options: options) { port, host in
      let file = try jpeg()
      async let first = ask(port, "POST", "/invocations", headers, body: file)
      try await onThread { gate.waitForRun() }
      async let second = ask(port, "POST", "/invocations", headers, body: file)
      try await waitUntil { host.queue.waitingCount == 1 }
      try await Task.sleep(for: .milliseconds(100))
      gate.open()
      #expect(try await first?.status == 200)
      #expect(try await second?.status == 503)
      #expect(network.batches == [1])
    }
  }

  @Test("drops the work of clients that have gone")
  func leaving() async throws {
    let gate = Gate()
    let network = StubNetwork { _ in gate.pass() }
    try await withHost(network) { port, host in
      let file = try jpeg()
      async let first = ask(port, "POST", "/invocations", headers, body: file)
      try await onThread { gate.waitForRun() }
      try await onThread {
        for _ in 0..<5 { HTTPConnection(port: port)?.send("POST", "/invocations", headers, body: file) }
      }
      // Those that were not read when their client went never come to wait; the others leave, sooner or later on a busy
      // machine.
      var calm = 0
      for _ in 0..<200 where calm < 6 {
        try await Task.sleep(for: .milliseconds(50))
        calm = host.queue.waitingCount == 0 ? calm + 1 : 0
      }
      gate.open()
      #expect(try await first?.status == 200)
      try await waitUntil { host.queue.waitingCount == 0 }
      #expect(network.batches == [1])
    }
  }

  @Test("cuts off clients that send a head or a body too slowly, and those that are idle")
  func slowClients() async throws {
    var options = HostOptions()
    options.idleTime = .milliseconds(400)
    options.bodyTime = .milliseconds(400)
    try await withHost(options: options) { port, _ in
      let starts = [
        "", "POST /invocations HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-",
        "POST /invocations HTTP/1.1\r\nHost: 127.0.0.1\r\n"
          + "Content-Type: image/jpeg\r\nContent-Length: 1000\r\n\r\nabc",
      ]
      for start in starts {
        let (isClosed, time) = try await onThread {
          let begin = ContinuousClock.now
          guard let connection = HTTPConnection(port: port, seconds: 10) else {
            return (false, Duration.zero)
          }
          connection.send(start.utf8)
          // A byte now and then buys no time.
          for _ in 0..<10 where !start.isEmpty {
            usleep(100_000)
            if !connection.send([0x61]) { break }
          }
          return (connection.isClosedByServer(), .now - begin)
        }
        #expect(isClosed && time < .seconds(5), "\(start)")
      }
      #expect(try await ask(port, "GET", "/ping")?.status == 200)
    }
  }

  @Test("idle connections make room, and /ping is answered")
  func idleConnections() async throws {
    var options = HostOptions()
    options.connections = 2
    try await withHost(options: options) { port, _ in
      let (isFirstClosed, time) = try await onThread { () -> (Bool, Duration) in
        let idle = (0..<200).compactMap { _ in HTTPConnection(port: port) }
        let start = ContinuousClock.now
        let connection = HTTPConnection(port: port)
        connection?.send("GET", "/ping")
        let status = connection?.reply()?.status
        let time = ContinuousClock.now - start
        #expect(idle.count == 200 && status == 200)
        return (idle[0].isClosedByServer(), time)
      }
      // Without room for it, it would wait until idle connections have had their minute.
      #expect(isFirstClosed && time < .seconds(30), "\(time)")
      #expect(try await ask(port, "POST", "/invocations", headers, body: jpeg())?.status == 200)
    }
  }

  @Test("a request on more connections than may work is refused with 503, and /ping is answered")
  func busyConnections() async throws {
    let gate = Gate()
    var options = HostOptions()
    options.connections = 2
    try await withHost(StubNetwork { _ in gate.pass() }, options: options) { port, host in
      let file = try jpeg()
      try await withThrowingTaskGroup(of: Int?.self) { group in
        group.addTask { try await ask(port, "POST", "/invocations", headers, body: file)?.status }
        try await onThread { gate.waitForRun() }
        group.addTask { try await ask(port, "POST", "/invocations", headers, body: file)?.status }
        try await waitUntil { host.queue.waitingCount == 1 }
        for _ in 0..<20 {
          let reply = try await ask(port, "POST", "/invocations", headers, body: file)
          #expect(
            reply?.status == 503 && reply?.headers["retry-after"] == "1", "\(String(describing: reply))")
          #expect(try await ask(port, "GET", "/ping")?.status == 200)
        }
        gate.open()
        for try await status in group { #expect(status == 200) }
      }
      #expect(try await ask(port, "POST", "/invocations", headers, body: file)?.status == 200)
    }
  }

  @Test("refuses pages of other sites, whatever they ask")
  func otherSites() async throws {
    var options = HostOptions()
    options.allowedHosts = ["trainer.lan"]
    try await withHost(options: options) { port, host in
      for (lines, status) in [
        ("Host: 127.0.0.1\r\nSec-Fetch-Site: cross-site", 403), ("Host: evil.example", 403),
        ("Host: 127.0.0.1\r\nOrigin: http://evil.example", 403), ("Host: trainer.lan:8080", 200),
      ] {
        for path in ["/ping", "/execution-parameters"] {
          let reply = try await onThread {
            let connection = HTTPConnection(port: port)
            connection?.send(Array("GET \(path) HTTP/1.1\r\n\(lines)\r\n\r\n".utf8))
            return connection?.reply()
          }
          #expect(
            reply?.status == status && reply?.headers["x-content-type-options"] == "nosniff", "\(lines)")
        }
      }
      #expect(host.queue.statistics.images == 0)
    }
  }

  @Test("ends gracefully: running and waiting requests are answered, new connections are refused")
  func draining() async throws {
    let gate = Gate()
    var options = HostOptions()
    options.port = 0
    let host = ModelHost(
      try makeClassifier(StubNetwork { _ in gate.pass() }), options: options, isQuiet: true)
    let (ports, source) = AsyncStream<Int>.makeStream()
    let serving = Task { try await host.run { source.yield($0) } }
    for await port in ports {
      let file = try jpeg()
      try await withThrowingTaskGroup(of: HTTPConnection.Reply?.self) { group in
        group.addTask { try await ask(port, "POST", "/invocations", headers, body: file) }
        try await onThread { gate.waitForRun() }
        for _ in 0..<5 {
          group.addTask { try await ask(port, "POST", "/invocations", headers, body: file) }
        }
        try await waitUntil { host.queue.waitingCount == 5 }
        serving.cancel()
        try await waitUntil { try await onThread { HTTPConnection(port: port) == nil } }
        gate.open()
        for try await reply in group {
          #expect(reply?.status == 200 && reply?.headers["connection"] == "close")
        }
      }
      break
    }
    try await serving.value
    #expect(host.queue.statistics.images == 6)
  }
}
