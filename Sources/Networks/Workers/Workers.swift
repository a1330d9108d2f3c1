internal import CLinux
import Glibc
import Synchronization

/// The only owner of compute threads: a pool of `count`, the caller's thread among them.
///
/// Between two calls the threads watch for the next one for some microseconds, as the layers of one image follow each
/// other that fast, and then sleep.
public final class Workers: Sendable {
  public let count: Int
  private let state: State
  private let calls = Mutex(())

  /// - Parameter count: at least 1; threads beyond the number of cores only cost.
  public init(count: Int = Workers.coreCount) {
    self.count = max(1, count)
    state = State(helpers: self.count - 1)
  }

  deinit { state.stop() }

  /// The cores that this process may use.
  public static var coreCount: Int { Int(usable_core_count()) }

  /// Calls `body` for each of 0..<parts, on all threads at once; returns when all are done. Parts are handed out in
  /// order, one at a time, to whoever is free. Calls from several threads wait for each other; a call from within `body`
  /// would wait for ever.
  ///
  /// - Parameter body: gets the part and which worker (0..<count) runs it; no two parts have the same worker at once.
  public func forEach(_ parts: Int, _ body: @Sendable (_ part: Int, _ worker: Int) -> Void) {
    calls.withLock { _ in
      guard count > 1, parts > 1 else {
        for part in 0..<max(parts, 0) { body(part, 0) }
        return
      }
      withoutActuallyEscaping(body) { state.run(parts, $0) }
    }
  }
}

/// What the threads share; `body` and `parts` are written only while all helpers wait.
@safe private final class State: @unchecked Sendable {
  typealias Body = @Sendable (Int, Int) -> Void

  private let helpers: Int
  private var body: Body?
  private var parts = 0
  /// Counts calls; -1 says stop.
  private let call = Atomic<Int>(0)
  private let next = Atomic<Int>(0)
  /// Helpers that have not finished the call.
  private let busy = Atomic<Int>(0)
  private let sleepers = Atomic<Int>(0)
  private let lock: UnsafeMutablePointer<pthread_mutex_t>
  private let wake: UnsafeMutablePointer<pthread_cond_t>
  private var threads: [pthread_t] = []

  init(helpers: Int) {
    self.helpers = helpers
    unsafe lock = .allocate(capacity: 1)
    unsafe wake = .allocate(capacity: 1)
    unsafe pthread_mutex_init(lock, nil)
    unsafe pthread_cond_init(wake, nil)
    for helper in 0..<helpers {
      var thread = pthread_t()
      let start = unsafe Unmanaged.passRetained(Start(state: self, worker: helper + 1)).toOpaque()
      let status = unsafe pthread_create(
        &thread, nil,
        { argument in
          guard let argument = unsafe argument else { return nil }
          let start = unsafe Unmanaged<Start>.fromOpaque(argument).takeRetainedValue()
          start.state.help(start.worker)
          return nil
        }, start)
      precondition(
        status == 0, "the system gives no further thread: \(unsafe String(cString: strerror(status)))")
      threads.append(thread)
    }
  }

  private final class Start: Sendable {
    let state: State, worker: Int

    init(state: State, worker: Int) {
      self.state = state
      self.worker = worker
    }
  }

  func run(_ parts: Int, _ body: @escaping Body) {
    self.body = body
    self.parts = parts
    next.store(0, ordering: .relaxed)
    busy.store(helpers, ordering: .relaxed)
    announce(call.load(ordering: .relaxed) + 1)
    takeParts(worker: 0)
    var watched = 0
    while busy.load(ordering: .acquiring) > 0 {
      watched += 1
      // A helper that has lost its core to another program gets this one.
      if watched > Self.watches { sched_yield() } else { pause_for_a_moment() }
    }
    self.body = nil
  }

  func stop() {
    announce(-1)
    for thread in threads { pthread_join(thread, nil) }
    unsafe pthread_cond_destroy(wake)
    unsafe pthread_mutex_destroy(lock)
    unsafe wake.deallocate()
    unsafe lock.deallocate()
  }

  private func announce(_ value: Int) {
    call.store(value, ordering: .sequentiallyConsistent)
    guard sleepers.load(ordering: .sequentiallyConsistent) > 0 else { return }
    unsafe pthread_mutex_lock(lock)
    unsafe pthread_cond_broadcast(wake)
    unsafe pthread_mutex_unlock(lock)
  }

  private func help(_ worker: Int) {
    var seen = 0
    while true {
      seen = waitForCall(after: seen)
      if seen < 0 { return }
      takeParts(worker: worker)
      busy.subtract(1, ordering: .releasing)
    }
  }

  private func takeParts(worker: Int) {
    guard let body else { return }
    while true {
      let part = next.wrappingAdd(1, ordering: .relaxed).oldValue
      if part >= parts { return }
      body(part, worker)
    }
  }

  private func waitForCall(after seen: Int) -> Int {
    for _ in 0..<Self.watches {
      let value = call.load(ordering: .acquiring)
      if value != seen { return value }
      pause_for_a_moment()
    }
    unsafe pthread_mutex_lock(lock)
    sleepers.add(1, ordering: .sequentiallyConsistent)
    while call.load(ordering: .sequentiallyConsistent) == seen { unsafe pthread_cond_wait(wake, lock) }
    sleepers.subtract(1, ordering: .sequentiallyConsistent)
    unsafe pthread_mutex_unlock(lock)
    return call.load(ordering: .acquiring)
  }

  /// Some 50 microseconds of watching.
  private static let watches = 2_000
}
