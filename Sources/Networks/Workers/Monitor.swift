import Glibc

/// A value that threads share, and on whose changes they wait.
@safe package final class Monitor<Value>: @unchecked Sendable {  // `value` is touched under `lock` only
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

  /// Looks at the value or changes it, alone. Those who wait for the change have to be woken.
  package func withLock<R>(_ body: (inout Value) -> R) -> R {
    unsafe pthread_mutex_lock(lock)
    defer { unsafe pthread_mutex_unlock(lock) }
    return body(&value)
  }

  /// All who wait look again.
  package func wake() { unsafe pthread_cond_broadcast(changed) }

  /// Sleeps until `body` finds something, and returns that.
  ///
  /// - Parameter body: called alone; at once, and whenever it is woken.
  package func wait<R>(for body: (inout Value) -> R?) -> R {
    unsafe pthread_mutex_lock(lock)
    defer { unsafe pthread_mutex_unlock(lock) }
    while true {
      if let found = body(&value) { return found }
      unsafe pthread_cond_wait(changed, lock)
    }
  }
}
