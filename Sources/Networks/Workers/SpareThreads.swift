import Glibc

/// Threads that prepare what is needed later, beside the workers. They have a lower priority, so that the workers come
/// first when both want a core.
package final class SpareThreads: Sendable {
  private let threads: [pthread_t]

  /// Starts `count` threads, or as many as the system grants.
  ///
  /// - Parameter body: called once on each thread. The deinitialiser waits until every call has returned.
  package init(count: Int, _ body: @escaping @Sendable () -> Void) {
    var threads: [pthread_t] = []
    for _ in 0..<count {
      var thread = pthread_t()
      let start = unsafe Unmanaged.passRetained(Start(body)).toOpaque()
      let status = unsafe pthread_create(
        &thread, nil,
        { argument in
          guard let argument = unsafe argument else { return nil }
          // On Linux this concerns the calling thread alone. If it is refused, the thread works all the same.
          nice(5)
          unsafe Unmanaged<Start>.fromOpaque(argument).takeRetainedValue().body()
          return nil
        }, start)
      // If the system grants no further thread, the workers do what is left.
      guard status == 0 else {
        unsafe Unmanaged<Start>.fromOpaque(start).release()
        break
      }
      threads.append(thread)
    }
    self.threads = threads
  }

  deinit { for thread in threads { pthread_join(thread, nil) } }

  private final class Start: Sendable {
    let body: @Sendable () -> Void

    init(_ body: @escaping @Sendable () -> Void) { self.body = body }
  }
}

/// A value that threads share, and for whose changes they wait.
@safe package final class Monitor<Value>: @unchecked Sendable {  // `value` is only touched under `lock`
  private var value: Value
  private let lock: UnsafeMutablePointer<pthread_mutex_t>
  private let changed: UnsafeMutablePointer<pthread_cond_t>

  package init(_ value: Value) {
    self.value = value
    unsafe lock = .allocate(capacity: 1)
    unsafe changed = .allocate(capacity: 1)
    unsafe pthread_mutex_init(lock, nil)
    unsafe pthread_cond_init(changed, nil)
  }

  deinit {
    unsafe pthread_cond_destroy(changed)
    unsafe pthread_mutex_destroy(lock)
    unsafe changed.deallocate()
    unsafe lock.deallocate()
  }

  /// Reads or changes the value under the lock. Call `wake` after a change that others wait for.
  package func withLock<R>(_ body: (inout Value) -> R) -> R {
    unsafe pthread_mutex_lock(lock)
    defer { unsafe pthread_mutex_unlock(lock) }
    return body(&value)
  }

  /// Has every thread that waits look at the value again.
  package func wake() { unsafe pthread_cond_broadcast(changed) }

  /// Sleeps until `body` returns something, and returns that.
  ///
  /// - Parameter body: called under the lock, at once and after each `wake`; it may change the value.
  package func wait<R>(for body: (inout Value) -> R?) -> R {
    unsafe pthread_mutex_lock(lock)
    defer { unsafe pthread_mutex_unlock(lock) }
    while true {
      if let found = body(&value) { return found }
      unsafe pthread_cond_wait(changed, lock)
    }
  }
}
