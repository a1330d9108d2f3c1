import Inference
import InferenceTestSupport
import TestSupport

@testable import Endpoints

/// Runs `body` with the port of a hosted stub; afterwards the host ends in order.
func withHost<Result: Sendable>(
  _ network: StubNetwork = StubNetwork(), classes: [String]? = nil, options: HostOptions = HostOptions(),
  limits: ClassifyingQueue.Limits = ClassifyingQueue.Limits(),
  _ body: @escaping @Sendable (_ port: Int, ModelHost) async throws -> Result
) async throws -> Result {
  var options = options
  options.port = 0
  let host = ModelHost(
    try makeClassifier(network, classes: classes), options: options, limits: limits, isQuiet: true)
  let (ports, source) = AsyncStream<Int>.makeStream()
  return try await withThrowingTaskGroup(of: Void.self) { group in
    group.addTask { try await host.run { source.yield($0) } }
    defer { group.cancelAll() }
    for await port in ports { return try await body(port, host) }
    throw CancellationError()
  }
}
