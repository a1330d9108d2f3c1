import Dispatch
import Inference
import InferenceTestSupport
import TestSupport

@testable import Hosting

/// Runs `body` with the port of a hosted stub; afterwards the host ends in order.
func withHost<Result: Sendable>(
  _ network: StubNetwork = StubNetwork(), options: HostOptions = HostOptions(),
  limits: ClassifyingQueue.Limits = ClassifyingQueue.Limits(),
  _ body: @escaping @Sendable (_ port: Int, ModelHost) async throws -> Result
) async throws -> Result {
  var options = options
  options.port = 0
  let host = ModelHost(try makeClassifier(network), options: options, limits: limits, isQuiet: true)
  let (ports, source) = AsyncStream<Int>.makeStream()
  return try await withThrowingTaskGroup(of: Void.self) { group in
    group.addTask { try await host.run { source.yield($0) } }
    defer { group.cancelAll() }
    for await port in ports { return try await body(port, host) }
    throw CancellationError()
  }
}

/// Runs what blocks on a thread of its own: the few that tasks share must stay free for the server.
func onThread<Result: Sendable>(_ body: @escaping @Sendable () throws -> Result) async throws -> Result {
  try await withCheckedThrowingContinuation { continuation in
    DispatchQueue(label: "client").async { continuation.resume(with: Swift.Result { try body() }) }
  }
}

/// One request on a connection of its own.
func ask(
  _ port: Int, _ method: String, _ path: String, _ headers: [String: String] = [:], body: [UInt8] = []
) async throws -> HTTPConnection.Reply? {
  try await onThread {
    guard let connection = HTTPConnection(port: port) else { return nil }
    connection.send(method, path, headers, body: body)
    return connection.reply()
  }
}
