import Dispatch

/// Runs tasks on a dedicated thread, so that long computations do not block the threads that response requests.
package final class OwnThread: TaskExecutor {
  private let queue: DispatchQueue

  /// - Parameter label: the name of the thread's queue, for debuggers.
  package init(_ label: String) { queue = DispatchQueue(label: label) }

  package func enqueue(_ job: consuming ExecutorJob) {
    let job = UnownedJob(job)
    queue.async { unsafe job.runSynchronously(on: self.asUnownedTaskExecutor()) }
  }
}
