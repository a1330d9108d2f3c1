import NIOPosix

/// A pool of threads for work that blocks or computes for long, so that the few threads that tasks share stay free.
package final class OwnThreads: TaskExecutor {
  private let pool: NIOThreadPool

  /// - Parameter count: the number of threads; further work waits for one, in the order of the calls.
  package init(_ count: Int = 1) {
    pool = NIOThreadPool(numberOfThreads: count)
    pool.start()
  }

  deinit { pool.shutdownGracefully { _ in } }

  /// Runs `body` on one of the threads, even if the task is cancelled before its turn.
  ///
  /// - Throws: what `body` throws.
  package func run<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
    try await withCheckedThrowingContinuation { continuation in
      pool.submit { _ in continuation.resume(with: Result { try body() }) }
    }
  }

  /// For work that itself awaits: pass the pool to `withTaskExecutorPreference`.
  package func enqueue(_ job: consuming ExecutorJob) {
    let job = UnownedJob(job)
    pool.submit { _ in unsafe job.runSynchronously(on: self.asUnownedTaskExecutor()) }
  }
}
