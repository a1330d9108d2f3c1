import Synchronization

/// Runs at most `width` jobs at the same time; the others wait their turn, first come, first served.
public final class JobQueue: Sendable {
  /// Which jobs run and which wait, in the order in which they came.
  public struct Snapshot: Hashable, Sendable {
    /// The names of the jobs that run.
    public var running: [String] = []
    /// The names of the jobs that wait.
    public var waiting: [String] = []
    /// An empty queue.
    public init() {}
  }

  private struct State {
    var snapshot = Snapshot()
    var turns: [(name: String, ticket: Int, resume: CheckedContinuation<Void, any Error>)] = []
    var nextTicket = 0
    /// The tickets of jobs that were cancelled before they began to wait.
    var gone: Set<Int> = []
  }
  /// The most jobs that may run at the same time.
  public let width: Int
  /// The most jobs that may wait.
  public let limit: Int
  private let state = Mutex(State())
  private let tell: @Sendable (Snapshot) -> Void

  /// - Parameter tell: called at every change, one after the other and in order. It must not block, nor use the queue.
  /// - Precondition: `width` is at least 1.
  public init(width: Int, limit: Int = 10_000, tell: @escaping @Sendable (Snapshot) -> Void = { _ in }) {
    precondition(width >= 1, "at least one job may run")
    (self.width, self.limit, self.tell) = (width, limit, tell)
  }

  /// Which jobs run and wait now.
  public var snapshot: Snapshot { state.withLock { $0.snapshot } }

  /// Runs `body` when its turn has come.
  ///
  /// - Parameters:
  ///   - name: the job's name in snapshots.
  ///   - body: the job.
  /// - Returns: what `body` returns.
  /// - Throws: `.queueFull`; `CancellationError` where the task is cancelled while it waits; what `body` throws.
  public func run<Result: Sendable>(
    _ name: String, _ body: @Sendable () async throws -> Result
  ) async throws -> Result {
    try await waitForTurn(name)
    defer { leave(name) }
    return try await body()
  }

  private func waitForTurn(_ name: String) async throws {
    let ticket = state.withLock { state in
      state.nextTicket += 1
      return state.nextTicket
    }
    try await withTaskCancellationHandler {
      try await withCheckedThrowingContinuation { (turn: CheckedContinuation<Void, any Error>) in
        let answer: Result<Void, any Error>? = state.withLock { state in
          if state.gone.remove(ticket) != nil || Task.isCancelled { return .failure(CancellationError()) }
          if state.snapshot.running.count < width {
            state.snapshot.running.append(name)
          } else if state.turns.count < limit {
            state.turns.append((name, ticket, turn))
            state.snapshot.waiting.append(name)
            tell(state.snapshot)
            return nil
          } else {
            return .failure(JobError(.queueFull(limit: limit), path: name))
          }
          tell(state.snapshot)
          return .success(())
        }
        if let answer { turn.resume(with: answer) }
      }
    } onCancel: {
      let turn = state.withLock { state in
        guard let index = state.turns.firstIndex(where: { $0.ticket == ticket }) else {
          state.gone.insert(ticket)
          return CheckedContinuation<Void, any Error>?.none
        }
        state.snapshot.waiting.remove(at: index)
        let turn = state.turns.remove(at: index)
        tell(state.snapshot)
        return turn.resume
      }
      turn?.resume(throwing: CancellationError())
    }
    state.withLock { _ = $0.gone.remove(ticket) }
  }

  private func leave(_ name: String) {
    let next = state.withLock { state in
      if let index = state.snapshot.running.firstIndex(of: name) { state.snapshot.running.remove(at: index) }
      let next = state.turns.isEmpty ? nil : state.turns.removeFirst()
      if let next {
        state.snapshot.waiting.removeFirst()
        state.snapshot.running.append(next.name)
      }
      tell(state.snapshot)
      return next?.resume
    }
    next?.resume()
  }
}
