package import Endpoints
package import HTTP
package import Inference
package import InferenceTestSupport
package import Logging
import Networks
package import ServiceLifecycle
import Synchronization
package import TestSupport
import Testing

/// Loads stubs by the name of the model's path, and counts how often.
package final class StubLoader: ModelLoading {
  private let networks: [String: StubNetwork]
  private let loads = Mutex<[String]>([])
  /// Called before a model is loaded.
  private let onLoad: @Sendable (String) async -> Void

  package init(
    _ networks: [String: StubNetwork], onLoad: @escaping @Sendable (String) async -> Void = { _ in }
  ) {
    self.networks = networks
    self.onLoad = onLoad
  }

  package var loaded: [String] { loads.withLock { $0 } }

  package struct NoSuchModel: Error, CustomStringConvertible {
    package let description = "there is no such file"
  }

  package func load(_ model: ModelPlan, on cores: Cores) async throws -> Classifier {
    await onLoad(model.path)
    guard let network = networks[model.path] else { throw NoSuchModel() }
    loads.withLock { $0.append(model.path) }
    return try makeClassifier(
      network, classes: (0..<network.outputCount).map { "class \($0)" }, cores: cores)
  }
}

/// Keeps objects in memory.
package final class ObjectStub: ObjectWriting {
  private let objects = Mutex<[(uri: String, bytes: [UInt8])]>([])
  private let onWrite: @Sendable () async throws -> Void

  package init(onWrite: @escaping @Sendable () async throws -> Void = {}) { self.onWrite = onWrite }

  package var all: [(uri: String, bytes: [UInt8])] { objects.withLock { $0 } }

  package func write(_ bytes: [UInt8], to uri: String) async throws {
    try await onWrite()
    objects.withLock { $0.append((uri, bytes)) }
  }
}

/// Numbers of a fixed sequence in 0..<1.
package func draws(seed: UInt64) -> @Sendable () -> Double {
  let generator = Mutex(SplitMix64(seed: seed))
  return { generator.withLock { Double($0.next() >> 11) / Double(1 << 53) } }
}

package let quietLogger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

package func makeFleet(
  _ loader: StubLoader, store: ObjectStub = ObjectStub(), limits: FleetLimits = FleetLimits(),
  seed: UInt64 = 7
) -> EndpointFleet {
  EndpointFleet(
    cores: Cores(Workers(count: 2)), loader: loader, store: store, limits: limits, logger: quietLogger,
    draw: draws(seed: seed))
}

package func plan(_ name: String, _ variants: VariantPlan..., shadows: [VariantPlan] = []) -> EndpointPlan {
  var plan = EndpointPlan(name: name, configurationName: name + "-config", variants: variants)
  plan.shadowVariants = shadows
  return plan
}

package func variant(_ name: String, _ path: String, weight: Double = 1) -> VariantPlan {
  VariantPlan(name: name, model: ModelPlan(name: "model-" + path, path: path), weight: weight)
}

/// Runs `body` with the port of a server that answers as `respond` says; afterwards the server ends in order.
package func withServer<Result: Sendable>(
  limits: ConnectionLimits = ConnectionLimits(), respond: @escaping GuardedServer.Responder,
  _ body: @escaping @Sendable (_ port: Int) async throws -> Result
) async throws -> Result {
  var server = GuardedServer(hostname: "127.0.0.1", port: 0, logger: quietLogger)
  server.limits = limits
  let (ports, source) = AsyncStream<Int>.makeStream()
  return try await withThrowingTaskGroup(of: Void.self) { [server] group in
    group.addTask { try await server.run(onStart: { source.yield($0) }, respond: respond) }
    defer { group.cancelAll() }
    for await port in ports { return try await body(port) }
    throw CancellationError()
  }
}

/// Runs `body`, ends the server in order, and returns when it has ended, however long what is in work takes; what `body`
/// returns lives so long.
package func withEndingServer<Result>(
  services: [any Service], respond: @escaping GuardedServer.Responder,
  _ body: (_ port: Int) async throws -> Result
) async throws {
  var server = GuardedServer(hostname: "127.0.0.1", port: 0, logger: quietLogger)
  server.services = services
  server.graceTime = .seconds(600)
  let (ports, source) = AsyncStream<Int>.makeStream()
  let serving = Task { [server] in try await server.run(onStart: { source.yield($0) }, respond: respond) }
  for await port in ports {
    let result = try await body(port)
    serving.cancel()
    try await serving.value
    withExtendedLifetime(result) {}
    return
  }
}

/// The runtime API of a fleet on a port.
package func withRuntime<Result: Sendable>(
  _ fleet: EndpointFleet, _ body: @escaping @Sendable (_ port: Int) async throws -> Result
) async throws -> Result {
  let service = RuntimeService(fleet)
  return try await withServer { request, client in
    guard let (endpoint, operation) = RuntimeService.route(request.uri.path) else {
      return .init(status: .ok)
    }
    return try await service.respond(to: request, endpoint: endpoint, operation: operation, from: client)
  } _: {
    try await body($0)
  }
}

package func invoke(
  _ port: Int, _ endpoint: String, _ headers: [String: String] = [:], body: [UInt8]
) async throws -> HTTPConnection.Reply? {
  try await ask(
    port, "POST", "/endpoints/\(endpoint)/invocations",
    ["Content-Type": "application/x-image"].merging(headers) { $1 }, body: body)
}
