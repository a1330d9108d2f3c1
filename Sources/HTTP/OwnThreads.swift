import NIOPosix

/// Threads of their own for what waits for the disk or computes for long: it must not hold the few that tasks share.
package final class OwnThreads: TaskExecutor {
  private let pool: NIOThreadPool

  /// - Parameter count: works at once, each on a thread; others wait for their turn, which comes in the order of the calls.
  package init(_ count: Int = 1) {
    pool = NIOThreadPool(numberOfThreads: count)
    pool.start()
  }

  deinit { pool.shutdownGracefully { _ in } }

  /// Runs `body` on one of the threads, also where the task is cancelled.
  ///
  /// - Throws: what `body` throws.
  package func run<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
    try await withCheckedThrowingContinuation { continuation in
      pool.submit { _ in continuation.resume(with: Result { try body() }) }
    }
  }

  /// For work that itself awaits: see `withTaskExecutorPreference`.
  package func enqueue(_ job: consuming ExecutorJob) {
    let job = UnownedJob(job)
    pool.submit { _ in unsafe job.runSynchronously(on: self.asUnownedTaskExecutor()) }
  }
}
