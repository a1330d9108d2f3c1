import Foundation
import Inference
import InferenceTestSupport
import ServiceTestSupport
import TestSupport
import Testing

@testable import Endpoints

private func captured(_ change: (inout CapturePlan) -> Void = { _ in }) -> EndpointPlan {
  var plan = plan("ep", variant("AllTraffic", "a"))
  var capture = CapturePlan(destination: "s3://bucket/captured/")
  change(&capture)
  plan.capture = capture
  return plan
}

private func ask(_ fleet: EndpointFleet, _ file: [UInt8]) async throws -> Invocation {
  var details = InvocationDetails()
  details.customAttributes = "trace \"1\""
  details.inferenceID = "id-7"
  let invocation = try await fleet.invoke("ep", ImageRequest(image: file, format: .json), details, from: nil)
  invocation.isOnItsWay()
  return invocation
}

/// Runs `body` beside the fleet's own work, and returns when all is stored.
private func withRunning(_ fleet: EndpointFleet, _ body: () async throws -> Void) async throws {
  try await withThrowingTaskGroup(of: Void.self) { group in
    group.addTask { await fleet.run() }
    try await body()
    fleet.end()
    try await group.waitForAll()
  }
}

private func lines(_ bytes: [UInt8]) throws -> [[String: Any]] {
  try bytes.split(separator: 10).map {
    try #require(try JSONSerialization.jsonObject(with: Data($0)) as? [String: Any])
  }
}

@Suite("Captured requests")
struct CaptureTests {
  @Test("are lines of SageMaker's format, below endpoint, variant and hour")
  func format() async throws {
    let store = ObjectStub()
    let fleet = makeFleet(StubLoader(["a": StubNetwork()]), store: store)
    try await fleet.create(captured { $0.jsonContentTypes = ["application/json"] })
    let file = try jpeg()
    try await withRunning(fleet) { for _ in 0..<3 { _ = try await ask(fleet, file) } }
    let object = try #require(store.all.first)
    #expect(store.all.count == 1)
    let pattern =
      /s3:\/\/bucket\/captured\/ep\/AllTraffic\/\d{4}\/\d\d\/\d\d\/\d\d\/\d\d-\d\d-\d{3}-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\.jsonl/
    #expect(try pattern.wholeMatch(in: object.uri) != nil, "\(object.uri)")
    let found = try lines(object.bytes)
    #expect(found.count == 3)
    let data = found[0]["captureData"] as? [String: [String: String]]
    #expect(data?["endpointInput"]?["data"].flatMap { Data(base64Encoded: $0) } == Data(file))
    #expect(data?["endpointInput"]?["encoding"] == "BASE64" && data?["endpointInput"]?["mode"] == "INPUT")
    #expect(data?["endpointInput"]?["observedContentType"] == "application/x-image")
    #expect(data?["endpointOutput"]?["encoding"] == "JSON" && data?["endpointOutput"]?["mode"] == "OUTPUT")
    #expect(data?["endpointOutput"]?["data"]?.hasPrefix("[") == true)
    let event = found[0]["eventMetadata"] as? [String: Any]
    #expect(event?["inferenceId"] as? String == "id-7")
    #expect(event?["customAttributes"] as? [String] == ["trace \"1\""])
    #expect(event?["inferenceTime"] as? String != nil && found[0]["eventVersion"] as? String == "0")
    let ids = Set(found.compactMap { ($0["eventMetadata"] as? [String: Any])?["eventId"] as? String })
    #expect(ids.count == 3)
    #expect(
      fleet.captureCounts
        == {
          var c = CaptureCounts()
          c.records = 3
          c.objects = 1
          return c
        }())
  }

  @Test("hold only what was asked for, of a share of the requests")
  func sampling() async throws {
    let store = ObjectStub()
    let fleet = makeFleet(StubLoader(["a": StubNetwork()]), store: store)
    try await fleet.create(
      captured {
        $0.samplingPercentage = 30
        $0.capturesInput = false
      })
    try await withRunning(fleet) {
      let file = try jpeg()
      for _ in 0..<200 { _ = try await ask(fleet, file) }
    }
    let found = try lines(store.all.flatMap(\.bytes))
    #expect((35...85).contains(found.count), "\(found.count)")
    for line in found {
      let data = line["captureData"] as? [String: Any]
      #expect(data?["endpointInput"] == nil && data?["endpointOutput"] != nil)
    }
  }

  @Test(
    "are stored once there are enough of them, once they are old enough, and when their endpoint is deleted")
  func flushing() async throws {
    let store = ObjectStub()
    var limits = FleetLimits()
    limits.captureObjectByteCount = 5000
    let fleet = makeFleet(StubLoader(["a": StubNetwork()]), store: store, limits: limits)
    try await fleet.create(captured())
    try await withRunning(fleet) {
      let file = try jpeg()
      for _ in 0..<20 { _ = try await ask(fleet, file) }
      try await waitUntil { !store.all.isEmpty }
      #expect(store.all.allSatisfy { (5000..<8000).contains($0.bytes.count) })
      try await fleet.delete("ep")
      try await waitUntil { try lines(store.all.flatMap(\.bytes)).count == 20 }
    }
    var quick = FleetLimits()
    quick.captureTime = .milliseconds(50)
    let timed = makeFleet(StubLoader(["a": StubNetwork()]), store: store, limits: quick)
    try await timed.create(captured())
    try await withRunning(timed) {
      let before = store.all.count
      _ = try await ask(timed, try jpeg())
      try await waitUntil { store.all.count > before }
    }
  }

  @Test(
    "are dropped and counted where the store is slower than the requests, which are answered all the same")
  func overload() async throws {
    let gate = AsyncGate()
    let store = ObjectStub { await gate.wait() }
    var limits = FleetLimits()
    limits.captureByteCount = 10_000
    limits.captureObjectByteCount = 1
    let fleet = makeFleet(StubLoader(["a": StubNetwork()]), store: store, limits: limits)
    try await fleet.create(captured())
    try await withRunning(fleet) {
      let file = try jpeg()
      for _ in 0..<50 { _ = try await ask(fleet, file) }
      let counts = fleet.captureCounts
      #expect(counts.dropped > 30 && counts.records + counts.dropped == 50, "\(counts)")
      await gate.open()
    }
    #expect(store.all.count == fleet.captureCounts.records)
  }

  @Test("are stored before a server ends", .timeLimit(.minutes(2)))
  func ending() async throws {
    let store = ObjectStub()
    let fleet = makeFleet(StubLoader(["a": StubNetwork()]), store: store)
    try await fleet.create(captured())
    let service = RuntimeService(fleet)
    try await withEndingServer(services: [fleet]) {
      try await service.respond(to: $0, endpoint: "ep", operation: .invoke, from: $1)
    } _: { port in
      for _ in 0..<3 {
        let reply = try await invoke(port, "ep", body: try jpeg())
        #expect(reply?.status == 200)
      }
    }
    #expect(try lines(store.all.flatMap(\.bytes)).count == 3)
  }

  @Test("that cannot be stored are counted, and nothing else fails")
  func failingStore() async throws {
    struct Full: Error {}
    let fleet = makeFleet(StubLoader(["a": StubNetwork()]), store: ObjectStub { throw Full() })
    try await fleet.create(captured())
    try await withRunning(fleet) { _ = try await ask(fleet, try jpeg()) }
    #expect(fleet.captureCounts.failed == 1 && fleet.captureCounts.objects == 0)
  }
}
