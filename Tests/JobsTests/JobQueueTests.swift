import Jobs
import Synchronization
import TestSupport
import Testing

/// A gate that tasks wait at until it is opened.
private actor Gate {
  private var isOpen = false
  private var waiting: [CheckedContinuation<Void, Never>] = []

  func pass() async {
    if isOpen { return }
    await withCheckedContinuation { waiting.append($0) }
  }

  func open() {
    isOpen = true
    for one in waiting { one.resume() }
    waiting = []
  }
}

/// Collects snapshots, and waits for a particular one.
private final class Log: Sendable {
  let seen = Mutex<[JobQueue.Snapshot]>([])
  let (stream, continuation) = AsyncStream.makeStream(of: JobQueue.Snapshot.self)

  func take(_ snapshot: JobQueue.Snapshot) {
    seen.withLock { $0.append(snapshot) }
    continuation.yield(snapshot)
  }

  func wait(_ holds: (JobQueue.Snapshot) -> Bool) async {
    for await snapshot in stream where holds(snapshot) { return }
  }
}

@Suite("A queue of jobs")
struct JobQueueTests {
  @Test("runs as many at once as allowed, and the others in order of arrival")
  func order() async throws {
    let (log, gate) = (Log(), Gate())
    let queue = JobQueue(width: 2, tell: log.take)
    try await withThrowingTaskGroup(of: Void.self) { group in
      for name in ["a", "b", "c", "d", "e"] {
        group.addTask { try await queue.run(name) { await gate.pass() } }
        await log.wait { ($0.running + $0.waiting).contains(name) }
      }
      #expect(queue.snapshot.running == ["a", "b"] && queue.snapshot.waiting == ["c", "d", "e"])
      await gate.open()
      try await group.waitForAll()
    }
    let seen = log.seen.withLock { $0 }
    #expect(seen.allSatisfy { $0.running.count <= 2 })
    let begun = seen.flatMap(\.running).reduce(into: [String]()) { if !$0.contains($1) { $0.append($1) } }
    #expect(begun == ["a", "b", "c", "d", "e"])
    #expect(queue.snapshot == JobQueue.Snapshot())
  }

  @Test("a job that is cancelled while it waits never runs, and makes room")
  func cancelled() async throws {
    let (log, gate) = (Log(), Gate())
    let queue = JobQueue(width: 1, limit: 1, tell: log.take)
    async let first: Void = queue.run("first") { await gate.pass() }
    await log.wait { $0.running == ["first"] }
    let second = Task { try await queue.run("second") { Issue.record("it ran") } }
    await log.wait { $0.waiting == ["second"] }
    await #expect(throws: JobError(.queueFull(limit: 1), path: "third")) { try await queue.run("third") {} }
    second.cancel()
    await #expect(throws: CancellationError.self) { try await second.value }
    #expect(queue.snapshot.waiting.isEmpty)
    await gate.open()
    try await first
    let four = try await queue.run("fourth") { 4 }
    #expect(four == 4)
  }

  @Test("a job that fails makes room, too")
  func failed() async throws {
    let queue = JobQueue(width: 1)
    for _ in 0..<3 {
      await #expect(throws: CancellationError.self) { try await queue.run("x") { throw CancellationError() } }
    }
    #expect(queue.snapshot == JobQueue.Snapshot())
  }
}
