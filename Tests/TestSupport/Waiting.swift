import Testing

/// Waits until something is so; fails after a while.
public func waitUntil(_ condition: () async throws -> Bool) async throws {
  for _ in 0..<3000 {
    if try await condition() { return }
    try await Task.sleep(for: .milliseconds(10))
  }
  Issue.record("it has not come so far in 30 seconds")
}
