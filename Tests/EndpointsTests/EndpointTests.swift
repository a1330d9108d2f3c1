import Inference
import InferenceTestSupport
import ServiceTestSupport
import TestSupport
import Testing

@testable import Endpoints

private func ask(_ fleet: EndpointFleet, _ name: String = "ep", seed: Int = 1, target: String? = nil)
  async throws
  -> Invocation
{
  var details = InvocationDetails()
  details.targetVariant = target
  let invocation = try await fleet.invoke(
    name, ImageRequest(image: try jpeg(seed: seed), format: .json), details, from: nil)
  invocation.isOnItsWay()
  return invocation
}

@Suite("Endpoints")
struct EndpointTests {
  @Test("shares requests out by the weights of the variants, also after they are changed")
  func weights() async throws {
    let fleet = makeFleet(StubLoader(["a": StubNetwork(), "b": StubNetwork()]))
    try await fleet.create(plan("ep", variant("A", "a", weight: 3), variant("B", "b", weight: 1)))
    func share() async throws -> Double {
      var first = 0
      for _ in 0..<200 where try await ask(fleet).variant == "A" { first += 1 }
      return Double(first) / 200
    }
    let before = try await share()
    #expect(abs(before - 0.75) < 0.1, "\(before)")
    try fleet.apply(
      [VariantChange(name: "A", weight: 0), VariantChange(name: "B", instanceCount: 4)], to: "ep")
    #expect(try await share() == 0)
    let summary = fleet.summary(of: "ep")
    #expect(summary?.variants.map(\.weight) == [0, 1] && summary?.variants.map(\.plannedWeight) == [3, 1])
    #expect(summary?.variants.map(\.instanceCount) == [1, 4])
    #expect(summary?.variants.map(\.answered).reduce(0, +) == 400)
    #expect(throws: EndpointError.self) { try fleet.apply([VariantChange(name: "C", weight: 1)], to: "ep") }
    #expect(throws: EndpointError.self) { try fleet.apply([VariantChange(name: "A", weight: -1)], to: "ep") }
  }

  @Test("loads a model once for all variants and endpoints that use it, and releases it with the last")
  func sharedModels() async throws {
    let loader = StubLoader(["a": StubNetwork()])
    let fleet = makeFleet(loader)
    try await fleet.create(plan("one", variant("A", "a"), variant("B", "a")))
    async let second: Void = fleet.create(plan("two", variant("A", "a")))
    async let third: Void = fleet.create(plan("three", variant("A", "a"), shadows: [variant("S", "a")]))
    _ = try await (second, third)
    #expect(loader.loaded == ["a"])
    #expect(await fleet.shelf.users(of: variant("A", "a").model.key) == 5)
    for name in ["one", "two", "three"] { try await fleet.delete(name) }
    #expect(await fleet.shelf.count == 0)
    try await fleet.create(plan("one", variant("A", "a")))
    #expect(loader.loaded == ["a", "a"])
  }

  @Test("leaves nothing behind of an endpoint whose model cannot be loaded, and says why")
  func failedLoading() async throws {
    let fleet = makeFleet(StubLoader(["a": StubNetwork()]))
    let error = await #expect(throws: EndpointError.self) {
      try await fleet.create(plan("ep", variant("A", "a"), variant("B", "lost")))
    }
    #expect(error?.reason == .model && error?.description.contains("there is no such file") == true)
    #expect(await fleet.shelf.count == 0)
    #expect(fleet.summaries.isEmpty)
  }

  @Test("takes no more models into memory than allowed")
  func modelLimit() async throws {
    var limits = FleetLimits()
    limits.models = 1
    let fleet = makeFleet(StubLoader(["a": StubNetwork(), "b": StubNetwork()]), limits: limits)
    try await fleet.create(plan("one", variant("A", "a")))
    let error = await #expect(throws: EndpointError.self) {
      try await fleet.create(plan("two", variant("B", "b")))
    }
    #expect(error?.reason == .tooMany)
    try await fleet.create(plan("three", variant("A", "a")))
  }

  @Test("loses no request over updates: each is answered by the old variants or the new ones")
  func updates() async throws {
    let fleet = makeFleet(StubLoader(["a": StubNetwork(), "b": StubNetwork(outputCount: 2)]))
    try await fleet.create(plan("ep", variant("v", "a")))
    let counts = try await withThrowingTaskGroup(of: [Int].self) { group in
      for client in 0..<4 {
        group.addTask {
          var counts: [Int] = []
          for index in 0..<60 {
            counts.append(try await ask(fleet, seed: client * 100 + index).probabilities.count)
          }
          return counts
        }
      }
      for index in 0..<10 {
        try await fleet.update(plan("ep", variant("v", index.isMultiple(of: 2) ? "b" : "a")))
      }
      return try await group.reduce(into: []) { $0 += $1 }
    }
    #expect(counts.count == 240 && counts.allSatisfy { $0 == 2 || $0 == 3 })
    #expect(fleet.summary(of: "ep")?.variants[0].answered == 240)
    #expect(await fleet.shelf.count == 1)
  }

  @Test(
    "answers by the old variants until the new ones are warm, and goes on with them where a new one fails")
  func failedUpdate() async throws {
    let gate = AsyncGate()
    let fleet = makeFleet(
      StubLoader(["a": StubNetwork(), "b": StubNetwork(outputCount: 2)]) {
        if $0 == "b" { await gate.wait() }
      })
    try await fleet.create(plan("ep", variant("v", "a")))
    async let change: Void = fleet.update(plan("ep", variant("v", "b")))
    try await waitUntil { fleet.summary(of: "ep")?.state == .updating }
    #expect(try await ask(fleet).probabilities.count == 3)
    let busy = await #expect(throws: EndpointError.self) { try await fleet.delete("ep") }
    #expect(busy?.reason == .busy)
    await gate.open()
    try await change
    #expect(try await ask(fleet).probabilities.count == 2)
    await #expect(throws: EndpointError.self) { try await fleet.update(plan("ep", variant("v", "lost"))) }
    #expect(try await ask(fleet).probabilities.count == 2)
    #expect(fleet.summary(of: "ep")?.state == .inService)
  }

  @Test("delays a deletion until the requests in progress are answered")
  func draining() async throws {
    let gate = Gate()
    gate.open(1)
    let fleet = makeFleet(StubLoader(["a": StubNetwork { _ in gate.pass() }]))
    try await fleet.create(plan("ep", variant("v", "a")))
    try await onThread { gate.waitForRun() }
    async let answer = ask(fleet)
    try await onThread { gate.waitForRun() }
    async let end: Void = fleet.delete("ep")
    try await waitUntil { fleet.summary(of: "ep")?.state != .inService }
    #expect(await fleet.shelf.count == 1)
    await #expect(throws: EndpointError.self) { try await ask(fleet) }
    gate.open()
    #expect(try await answer.probabilities.count == 3)
    try await end
    #expect(await fleet.shelf.count == 0)
  }

  @Test("gives shadow variants copies, compares their answers, and returns only production's")
  func shadows() async throws {
    let fleet = makeFleet(
      StubLoader(["a": StubNetwork(), "same": StubNetwork(), "odd": StubNetwork(givesProbabilities: false)]))
    try await fleet.create(
      plan(
        "ep", variant("v", "a", weight: 2),
        shadows: [variant("S", "same", weight: 2), variant("O", "odd", weight: 1)]))
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { await fleet.run() }
      // No more at once than may wait.
      for seed in 0..<40 {
        #expect(try await ask(fleet, seed: seed).variant == "v")
        try await waitUntil { fleet.summary(of: "ep")?.variants[1].shadow.compared == seed + 1 }
      }
      fleet.end()
      try await group.waitForAll()
    }
    let variants = try #require(fleet.summary(of: "ep")?.variants)
    #expect(variants.map(\.name) == ["v", "S", "O"] && variants.map(\.isShadow) == [false, true, true])
    #expect(variants[1].shadow.agreed == 40 && variants[1].shadow.largestDifference == 0)
    #expect(variants[1].latency.count == 40 && variants[0].answered == 40)
    // Half of the requests, by its weight; another scale, the same order.
    #expect((8...32).contains(variants[2].shadow.compared))
    #expect(
      variants[2].shadow.agreed == variants[2].shadow.compared && variants[2].shadow.largestDifference > 0)
  }

  @Test("drops and counts copies for which there is no room, and serves production first")
  func shadowOverload() async throws {
    let gate = Gate()
    var limits = FleetLimits()
    limits.shadows = 3
    let production = StubNetwork()
    let fleet = makeFleet(
      StubLoader(["a": production, "s": StubNetwork { _ in gate.pass() }]), limits: limits)
    gate.open(1)
    try await fleet.create(plan("ep", variant("v", "a"), shadows: [variant("S", "s")]))
    for seed in 0..<10 { _ = try await ask(fleet, seed: seed) }
    #expect(fleet.summary(of: "ep")?.variants[1].shadow.dropped == 7)
    #expect(fleet.summary(of: "ep")?.variants[0].answered == 10)
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { await fleet.run() }
      gate.open()
      fleet.end()
      try await group.waitForAll()
    }
    #expect(fleet.summary(of: "ep")?.variants[1].shadow.compared == 3)
  }

  @Test("names what is wrong with a plan")
  func badPlans() async throws {
    let fleet = makeFleet(StubLoader(["a": StubNetwork()]))
    for bad in [
      EndpointPlan(name: "ep", configurationName: "c", variants: []),
      plan("ep", variant("A", "a"), variant("A", "a")),
      plan("ep", variant("A", "a", weight: -1)), plan("ep", variant("A", "a", weight: .nan)),
    ] {
      let error = await #expect(throws: EndpointError.self) { try await fleet.create(bad) }
      #expect(error?.reason == .invalid)
    }
    try await fleet.create(plan("ep", variant("A", "a")))
    let twice = await #expect(throws: EndpointError.self) {
      try await fleet.create(plan("ep", variant("A", "a")))
    }
    #expect(twice?.reason == .exists)
    let lost = await #expect(throws: EndpointError.self) {
      try await fleet.update(plan("lost", variant("A", "a")))
    }
    #expect(lost?.reason == .notFound)
  }

  @Test("a histogram's quantiles are right to a step, at any number of requests")
  func histogram() {
    var histogram = LatencyHistogram()
    #expect(histogram.quantile(0.5) == nil && histogram.mean == nil)
    for index in 1...1000 { histogram.record(.milliseconds(index)) }
    for (share, wanted) in [(0.5, 500.0), (0.9, 900), (0.99, 990), (1, 1000)] {
      let found = (histogram.quantile(share) ?? .zero) / .milliseconds(1)
      #expect(found >= wanted && found <= wanted * 1.26, "\(share): \(found)")
    }
    histogram.record(.seconds(1_000_000))
    histogram.record(.zero)
    #expect(histogram.quantile(1) == .seconds(1_000_000) && histogram.count == 1002)
    #expect(zip(LatencyHistogram.bounds, LatencyHistogram.bounds.dropFirst()).allSatisfy { $0 < $1 })
  }
}
