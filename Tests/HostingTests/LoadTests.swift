import Glibc
import Inference
import InferenceTestSupport
import TestSupport
import Testing

@testable import Hosting

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
        let start = ContinuousClock.now
        #expect(try await ask(port, "GET", "/ping")?.status == 200)
        #expect(.now - start < .seconds(2))
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
      // Those that were not read when their client went never come to wait.
      try await Task.sleep(for: .milliseconds(300))
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
        "", "POST /invocations HTTP/1.1\r\nHost: x\r\nContent-",
        "POST /invocations HTTP/1.1\r\nHost: x\r\n"
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

  @Test("ends in order: what is in work and what waits is answered, new connections are not taken")
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

/// Waits until something is so; fails after a while.
private func waitUntil(_ condition: () async throws -> Bool) async throws {
  for _ in 0..<1000 {
    if try await condition() { return }
    try await Task.sleep(for: .milliseconds(10))
  }
  Issue.record("it has not come so far in 10 seconds")
}
