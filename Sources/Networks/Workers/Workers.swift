internal import CLinux
import Glibc
import Synchronization

/// The only owner of compute threads: a pool of `count` threads, of which one is the caller's.
///
/// Between two calls the threads spin for some microseconds, as the layers of one image follow each other that fast,
/// and then sleep.
public final class Workers: Sendable {
  /// Threads that work at once, the caller's among them; at least 1.
  public let count: Int
  private let state: State
  private let calls = Mutex(())

  /// Starts `count - 1` threads; a process that cannot have them ends.
  ///
  /// - Parameter count: less than 1 counts as 1. More threads than cores cost time.
  public init(count: Int = Workers.coreCount) {
    self.count = max(1, count)
    state = State(helpers: self.count - 1)
  }

  deinit { state.stop() }

  /// How many cores this process may use.
  public static var coreCount: Int { Int(usable_core_count()) }

  /// Calls `body` for each of 0..<parts, on all threads at once; returns when all calls have returned.
  ///
  /// Parts are handed out in order, one at a time, to the next free worker. Calls from several threads wait for each
  /// other; a call from within `body` never returns.
  ///
  /// - Parameters:
  ///   - parts: 0 or less: nothing happens.
  ///   - body: gets the part and the worker (0..<count) that runs it. No two calls at the same time have the same
  ///     worker.
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

/// What the threads share; `body` and `parts` are only written while all helpers wait.
@safe private final class State: @unchecked Sendable {
  typealias Body = @Sendable (Int, Int) -> Void

  private let helpers: Int
  private var body: Body?
  private var parts = 0
  /// Counts calls; -1 stops the threads.
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
        status == 0, "the system grants no further thread: \(unsafe String(cString: strerror(status)))")
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
    var spun = 0
    while busy.load(ordering: .acquiring) > 0 {
      spun += 1
      // A helper that lost its core to another program may have this one.
      if spun > Self.spins { sched_yield() } else { pause_for_a_moment() }
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
    for _ in 0..<Self.spins {
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

  /// Spins for some 50 microseconds.
  private static let spins = 2_000
}
