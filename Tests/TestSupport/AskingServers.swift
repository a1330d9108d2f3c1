import Dispatch

/// Runs what blocks on a thread of its own: the few that tasks share must stay free for the server.
public func onThread<Result: Sendable>(_ body: @escaping @Sendable () throws -> Result) async throws -> Result
{
  try await withCheckedThrowingContinuation { continuation in
    DispatchQueue(label: "client").async { continuation.resume(with: Swift.Result { try body() }) }
  }
}

/// One request on a connection of its own.
public func ask(
  _ port: Int, _ method: String, _ path: String, _ headers: [String: String] = [:], body: [UInt8] = []
) async throws -> HTTPConnection.Reply? {
  try await onThread {
    guard let connection = HTTPConnection(port: port) else { return nil }
    connection.send(method, path, headers, body: body)
    return connection.reply()
  }
}
