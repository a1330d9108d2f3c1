import Inference
import InferenceTestSupport
import ServiceTestSupport
import TestSupport
import Testing

@testable import Endpoints

@Suite("The runtime API")
struct RuntimeTests {
  private func served<Result: Sendable>(
    _ network: StubNetwork = StubNetwork(), limits: FleetLimits = FleetLimits(),
    _ body: @escaping @Sendable (_ port: Int, EndpointFleet) async throws -> Result
  ) async throws -> Result {
    let fleet = makeFleet(StubLoader(["a": network, "b": StubNetwork(outputCount: 2)]), limits: limits)
    try await fleet.create(plan("ep", variant("AllTraffic", "a"), variant("Other", "b", weight: 0)))
    return try await withRuntime(fleet) { try await body($0, fleet) }
  }

  @Test("answers with probabilities, the variant's name, and the custom attributes as they came")
  func answers() async throws {
    try await served { port, fleet in
      let file = try jpeg()
      let reply = try await invoke(
        port, "ep", ["X-Amzn-SageMaker-Custom-Attributes": "c000b4f9-df62-4c85"], body: file)
      let expected = PredictionFormat.json.text(
        try makeClassifier(StubNetwork()).classifyHere([file])[0].get())
      #expect(reply?.status == 200 && reply?.body == expected, "\(String(describing: reply))")
      #expect(reply?.headers["x-amzn-invoked-production-variant"] == "AllTraffic")
      #expect(reply?.headers["x-amzn-sagemaker-custom-attributes"] == "c000b4f9-df62-4c85")
      #expect(reply?.headers["content-type"] == "application/json")
      let lines = try await invoke(port, "ep", ["Accept": "application/jsonlines"], body: file)
      #expect(lines?.text.hasPrefix("{\"prediction\": [") == true)
      #expect(lines?.headers["content-type"] == "application/jsonlines")
    }
  }

  @Test("gives each response its own id, errors included")
  func requestIDs() async throws {
    try await served { port, _ in
      let file = try jpeg()
      var ids: Set<String> = []
      for endpoint in ["ep", "ep", "no-such"] {
        let id = try #require(try await invoke(port, endpoint, body: file)?.headers["x-amzn-requestid"])
        ids.insert(id)
      }
      #expect(ids.count == 3)
    }
  }

  @Test("gives a request to the variant that it asks for, and names one that is not there")
  func targetVariant() async throws {
    try await served { port, _ in
      let file = try jpeg()
      let other = try await invoke(port, "ep", ["X-Amzn-SageMaker-Target-Variant": "Other"], body: file)
      #expect(other?.headers["x-amzn-invoked-production-variant"] == "Other")
      let none = try await invoke(port, "ep", ["X-Amzn-SageMaker-Target-Variant": "None"], body: file)
      #expect(none?.status == 400 && none?.headers["x-amzn-errortype"] == "ValidationError")
      #expect(none?.text.contains("None") == true)
    }
  }

  @Test("says of an endpoint that is not there what SageMaker says")
  func unknownEndpoint() async throws {
    try await served { port, _ in
      let reply = try await invoke(port, "no-such", body: try jpeg())
      #expect(reply?.status == 400 && reply?.headers["x-amzn-errortype"] == "ValidationError")
      #expect(
        reply?.text == "{\"Message\": \"Endpoint no-such of account 123456789012 not found.\"}\n")
    }
  }

  @Test(
    "passes on what the model refuses as ModelError, with its status and message",
    arguments: [
      ("application/x-image", "no image", 400, "unable to evaluate payload provided"),
      ("application/x-image", "", 400, "empty"),
      ("application/octet-stream", "x", 415, "content-type application/octet-stream not supported"),
    ])
  func modelErrors(_ type: String, _ body: String, _ status: Int, _ words: String) async throws {
    try await served { port, _ in
      let reply = try await invoke(port, "ep", ["Content-Type": type], body: Array(body.utf8))
      #expect(reply?.status == 424 && reply?.headers["x-amzn-errortype"] == "ModelError")
      #expect(
        reply?.text.contains("Received client error (\(status)) from primary with message \\\"") == true
          && reply?.text.contains("\"OriginalStatusCode\": \(status), \"OriginalMessage\": \"") == true
          && reply?.text.contains("\"LogStreamArn\": \"arn:aws:logs:us-east-1:123456789012:") == true
          && reply?.text.contains(words) == true, "\(String(describing: reply))")
    }
  }

  @Test("takes a body of 6,291,456 bytes, and refuses one of a byte more with 413")
  func payloadLimit() async throws {
    try await served { port, _ in
      let largest = [UInt8](repeating: 0, count: 6_291_456)
      #expect(try await invoke(port, "ep", body: largest)?.status == 424)
      let reply = try await invoke(port, "ep", body: largest + [0])
      #expect(reply?.status == 413 && reply?.headers["x-amzn-errortype"] == nil)
      #expect(reply?.text.contains("6291456") == true)
    }
  }

  @Test(
    "refuses what it does not offer by name", arguments: ["async-invocations", "invocations-response-stream"])
  func otherOperations(_ path: String) async throws {
    try await served { port, _ in
      let reply = try await ask(port, "POST", "/endpoints/ep/\(path)", [:], body: try jpeg())
      #expect(reply?.status == 400 && reply?.headers["x-amzn-errortype"] == "ValidationError")
      #expect(reply?.text.contains("not offered by imrec") == true)
    }
  }

  @Test("refuses headers that it cannot honour, and custom attributes that are too long")
  func otherHeaders() async throws {
    try await served { port, _ in
      let file = try jpeg()
      for (name, value) in [
        ("X-Amzn-SageMaker-Target-Model", "a.tar.gz"), ("X-Amzn-SageMaker-Session-Id", "NEW_SESSION"),
        ("X-Amzn-SageMaker-Custom-Attributes", String(repeating: "a", count: 1025)),
        ("X-Amzn-SageMaker-Inference-Id", String(repeating: "a", count: 65)),
      ] {
        let reply = try await invoke(port, "ep", [name: value], body: file)
        #expect(reply?.status == 400, "\(name): \(String(describing: reply))")
      }
      #expect(try await ask(port, "GET", "/endpoints/ep/invocations")?.status == 405)
    }
  }

  @Test("refuses with 503 at once what there is no room for, and loses nothing else")
  func overload() async throws {
    let gate = Gate()
    var limits = FleetLimits()
    limits.waiting = 3
    // The warming up passes, too.
    gate.open(1)
    try await served(StubNetwork { _ in gate.pass() }, limits: limits) { port, fleet in
      let file = try jpeg()
      try await onThread { gate.waitForRun() }
      try await withThrowingTaskGroup(of: Int?.self) { group in
        group.addTask { try await invoke(port, "ep", body: file)?.status }
        try await onThread { gate.waitForRun() }
        for _ in 0..<3 { group.addTask { try await invoke(port, "ep", body: file)?.status } }
        try await waitUntil { fleet.summary(of: "ep")?.variants[0].waiting == 3 }
        let reply = try await invoke(port, "ep", body: file)
        #expect(reply?.status == 503 && reply?.headers["x-amzn-errortype"] == "ServiceUnavailable")
        #expect(reply?.headers["retry-after"] == "1")
        // What needs no model is answered meanwhile.
        #expect(try await ask(port, "GET", "/ping")?.status == 200)
        gate.open()
        for try await status in group { #expect(status == 200) }
      }
      let summary = fleet.summary(of: "ep")?.variants[0]
      #expect(summary?.answered == 4 && summary?.refused == 1)
    }
  }

  @Test("says that an answer took too long as SageMaker says it of a container")
  func timeout() async throws {
    let gate = Gate()
    var limits = FleetLimits()
    limits.waitingTime = .milliseconds(50)
    gate.open(1)
    try await served(StubNetwork { _ in gate.pass() }, limits: limits) { port, fleet in
      let file = try jpeg()
      try await onThread { gate.waitForRun() }
      async let first = invoke(port, "ep", body: file)
      try await onThread { gate.waitForRun() }
      async let second = invoke(port, "ep", body: file)
      try await waitUntil { fleet.summary(of: "ep")?.variants[0].waiting == 1 }
      try await Task.sleep(for: .milliseconds(100))
      gate.open()
      #expect(try await first?.status == 200)
      let late = try await second
      #expect(late?.status == 424 && late?.text.contains("timed out") == true, "\(String(describing: late))")
    }
  }

  @Test("answers 429 while an endpoint's models are loaded")
  func notReady() async throws {
    let gate = AsyncGate()
    let fleet = makeFleet(StubLoader(["a": StubNetwork()]) { _ in await gate.wait() })
    try await withRuntime(fleet) { port in
      let file = try jpeg()
      async let made: Void = fleet.create(plan("ep", variant("v", "a")))
      try await waitUntil { fleet.summary(of: "ep")?.state == .creating }
      let reply = try await invoke(port, "ep", body: file)
      #expect(reply?.status == 429 && reply?.headers["x-amzn-errortype"] == "ModelNotReadyException")
      await gate.open()
      try await made
      #expect(try await invoke(port, "ep", body: file)?.status == 200)
    }
  }

  @Test("knows its paths")
  func routes() {
    #expect(RuntimeService.route("/endpoints/a-b/invocations")?.endpoint == "a-b")
    #expect(RuntimeService.route("/endpoints/a%2Fb/invocations")?.endpoint == "a/b")
    for path in ["/", "/endpoints", "/endpoints/a", "/endpoints/a/b/invocations", "/x/a/invocations"] {
      #expect(RuntimeService.route(path) == nil)
    }
  }
}

/// Holds tasks until it is opened.
actor AsyncGate {
  private var isOpen = false
  private var waiters: [CheckedContinuation<Void, Never>] = []

  func wait() async {
    if isOpen { return }
    await withCheckedContinuation { waiters.append($0) }
  }

  func open() {
    isOpen = true
    for waiter in waiters { waiter.resume() }
    waiters = []
  }
}
