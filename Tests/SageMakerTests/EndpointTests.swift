import Encodings
import Synchronization
import TestSupport
import Testing

@testable import SageMaker

/// Keeps what it is told.
private final class StubHost: EndpointHost {
  struct Failure: Error, CustomStringConvertible { let description = "the model is damaged" }
  let calls = Mutex<[String]>([])
  let fails = Mutex(false)

  func start(_ endpoint: HostedEndpoint) async throws { try take("start", endpoint) }
  func update(_ endpoint: HostedEndpoint) async throws { try take("update", endpoint) }
  func stop(_ name: String) async { calls.withLock { $0.append("stop \(name)") } }

  private func take(_ what: String, _ endpoint: HostedEndpoint) throws {
    let variants = endpoint.variants.map { "\($0.name)=\($0.weight)\($0.isShadow ? "*" : "")" }
    calls.withLock { $0.append("\(what) \(endpoint.name) \(variants.joined(separator: " "))") }
    if fails.withLock(\.self) { throw Failure() }
  }
}

@Suite("Endpoints of the control plane")
struct EndpointTests {
  private func variant(_ name: String, _ weight: Double? = nil) -> JSON {
    var variant: JSON = [
      "VariantName": .string(name), "ModelName": "m", "InitialInstanceCount": 1,
      "InstanceType": "ml.m4.xlarge",
    ]
    variant["InitialVariantWeight"] = weight.map { .number($0) }
    return variant
  }

  private func prepare(_ desk: Desk) async throws {
    try await desk.ask("CreateModel", model)
    try await desk.ask(
      "CreateEndpointConfig",
      [
        "EndpointConfigName": "c", "ProductionVariants": [variant("A"), variant("B", 3)],
        "ShadowProductionVariants": [variant("S")],
      ])
  }

  @Test("an endpoint comes into service, changes its weights and its configuration, and goes")
  func whole() async throws {
    try await withScratchFolder { folder in
      let host = StubHost()
      let desk = try Desk(folder, endpoints: host)
      try await prepare(desk)
      let name: JSON = ["EndpointName": "e"]
      try await desk.working { desk in
        let arn = try await desk.ask("CreateEndpoint", name.merging(["EndpointConfigName": "c"]))[
          "EndpointArn"]
        #expect(arn == "arn:aws:sagemaker:us-east-1:123456789012:endpoint/e")
        let made = try await desk.wait("DescribeEndpoint", name, "EndpointStatus", ["InService"])
        #expect(made["ProductionVariants"]?.list?.map { $0["CurrentWeight"]?.number } == [1, 3])
        #expect(made["ShadowProductionVariants"]?.list?.count == 1)
        let change: JSON = ["DesiredWeightsAndCapacities": [["VariantName": "A", "DesiredWeight": 9]]]
        try await desk.ask("UpdateEndpointWeightsAndCapacities", name.merging(change))
        let changed = try await desk.wait("DescribeEndpoint", name, "EndpointStatus", ["InService"])
        #expect(changed["ProductionVariants"]?.list?.first?["DesiredWeight"]?.number == 9)
        let other: JSON = ["DesiredWeightsAndCapacities": [["VariantName": "Z", "DesiredWeight": 9]]]
        #expect(
          await desk.refusal("UpdateEndpointWeightsAndCapacities", name.merging(other))?.code == .validation)
        try await desk.ask("UpdateEndpoint", name.merging(["EndpointConfigName": "c"]))
        _ = try await desk.wait("DescribeEndpoint", name, "EndpointStatus", ["InService"])
        try await desk.ask("DeleteEndpoint", name)
        for _ in 0..<500 {
          if await desk.refusal("DescribeEndpoint", name) != nil { break }
          try await Task.sleep(for: .milliseconds(10))
        }
        #expect(
          await desk.refusal("DescribeEndpoint", name)?.message.contains("Could not find endpoint") ?? false)
      }
      #expect(
        host.calls.withLock(\.self) == [
          "start e A=1.0 B=3.0 S=1.0*", "update e A=9.0 B=3.0 S=1.0*", "update e A=1.0 B=3.0 S=1.0*",
          "stop e",
        ])
    }
  }

  @Test("a model that cannot be served makes the endpoint Failed; in an update the former one stays")
  func failing() async throws {
    try await withScratchFolder { folder in
      let host = StubHost()
      let desk = try Desk(folder, endpoints: host)
      try await prepare(desk)
      try await desk.working { desk in
        host.fails.withLock { $0 = true }
        try await desk.ask("CreateEndpoint", ["EndpointName": "e", "EndpointConfigName": "c"])
        let failed = try await desk.wait(
          "DescribeEndpoint", ["EndpointName": "e"], "EndpointStatus", ["Failed"])
        #expect(failed["FailureReason"] == "the model is damaged")
        host.fails.withLock { $0 = false }
        try await desk.ask("CreateEndpoint", ["EndpointName": "f", "EndpointConfigName": "c"])
        _ = try await desk.wait("DescribeEndpoint", ["EndpointName": "f"], "EndpointStatus", ["InService"])
        host.fails.withLock { $0 = true }
        try await desk.ask("UpdateEndpoint", ["EndpointName": "f", "EndpointConfigName": "c"])
        let kept = try await desk.wait(
          "DescribeEndpoint", ["EndpointName": "f"], "EndpointStatus", ["InService"])
        #expect(kept["FailureReason"] == "the model is damaged")
      }
    }
  }

  @Test("endpoints come back with the next start")
  func restart() async throws {
    try await withScratchFolder { folder in
      let first = try Desk(folder, endpoints: StubHost())
      try await prepare(first)
      try await first.working { desk in
        try await desk.ask("CreateEndpoint", ["EndpointName": "e", "EndpointConfigName": "c"])
        _ = try await desk.wait("DescribeEndpoint", ["EndpointName": "e"], "EndpointStatus", ["InService"])
      }
      let host = StubHost()
      let second = try Desk(folder, endpoints: host)
      try await second.working { _ in
        for _ in 0..<500 where host.calls.withLock(\.isEmpty) { try await Task.sleep(for: .milliseconds(10)) }
      }
      #expect(host.calls.withLock(\.self) == ["start e A=1.0 B=3.0 S=1.0*"])
    }
  }

  @Test(
    "a configuration needs models that are there, variants with names of their own, and one with a weight")
  func configurations() async throws {
    try await withScratchFolder { folder in
      let desk = try Desk(folder)
      func refusal(_ variants: JSON...) async -> String {
        await desk.refusal(
          "CreateEndpointConfig", ["EndpointConfigName": "d", "ProductionVariants": .list(variants)])?.message
          ?? ""
      }
      #expect(
        await refusal(variant("A"))
          == "Could not find model \"arn:aws:sagemaker:us-east-1:123456789012:model/m\".")
      try await desk.ask("CreateModel", model)
      #expect(await refusal(variant("A"), variant("A")).contains("unique VariantName"))
      #expect(await refusal(variant("A", 0)).contains("greater than 0"))
      #expect(
        await desk.refusal("CreateEndpoint", ["EndpointName": "e", "EndpointConfigName": "none"])?.message
          .contains(
            "Could not find endpoint configuration") ?? false)
    }
  }
}
