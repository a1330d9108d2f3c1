import Synchronization

/// A job while it runs; may be stopped from anywhere, and more than once.
public final class Child: Sendable {
  enum Wish: Int, Comparable {
    case none, stop, kill

    static func < (left: Wish, right: Wish) -> Bool { left.rawValue < right.rawValue }
  }
  private let wished = Mutex(Wish.none)
  private let number = Mutex<Int32?>(nil)

  init() {}

  /// Its process, also its process group; nil before it has started.
  public var pid: Int32? { number.withLock { $0 } }

  /// Asks it to end (SIGTERM to all its processes), and kills it after its grace period. Returns at once.
  public func stop() { wish(.stop) }

  /// Kills it (SIGKILL to all its processes). Returns at once.
  public func kill() { wish(.kill) }

  var wish: Wish { wished.withLock { $0 } }

  func began(_ pid: Int32) { number.withLock { $0 = pid } }

  private func wish(_ new: Wish) {
    let isNew = wished.withLock { wish in
      if new <= wish { return false }
      wish = new
      return true
    }
    if isNew { Keeper.shared.look() }
  }
}

/// Runs a program to its end.
///
/// It has a process group of its own, and whatever of that is left when it ends is killed. It is killed, too, when this
/// process ends in whatever way, `kill -9` included (its own children are not, unless they watch for it themselves).
/// A cancelled task stops it, as `Child.stop` does, and still waits for its end.
///
/// - Parameter started: gets it before its end; is called by the thread that watches all jobs, and must not wait.
/// - Throws: `JobError` where it does not start; `CancellationError` where the task was cancelled before that.
/// - Complexity: a thread for all jobs together, and a descriptor each.
public func run(
  _ command: Command, started: @escaping @Sendable (Child) -> Void = { _ in }
) async throws -> Ending {
  let child = Child()
  return try await withTaskCancellationHandler {
    try await withCheckedThrowingContinuation { continuation in
      Keeper.shared.start(
        Keeper.Order(command: command, child: child, started: started) { continuation.resume(with: $0) })
    }
  } onCancel: {
    child.stop()
  }
}
