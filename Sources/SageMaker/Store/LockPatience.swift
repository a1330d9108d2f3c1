import Glibc
import Synchronization

/// How long the store's operations wait for the lock of another program: all together as long as one of them.
///
/// Writes wait in one line. If each waited its own time for the same lock, the last would be answered long after its client
/// has left; so those behind one that waited in vain do not wait again.
final class LockPatience: Sendable {
  private struct Wait {
    var begin: ContinuousClock.Instant
    var last: ContinuousClock.Instant
  }
  private let wait = Mutex<Wait?>(nil)
  private let longest: Duration
  /// A lock that nobody has met for so long is over, and the next one another.
  private static let memory = Duration.seconds(1)
  private static let pause: UInt32 = 5_000  // microseconds

  init(longest: Duration) { self.longest = longest }

  /// Waits for a moment.
  ///
  /// - Returns: whether to try again.
  func waits() -> Bool {
    guard goesOn(at: .now) else { return false }
    usleep(Self.pause)
    return true
  }

  func goesOn(at now: ContinuousClock.Instant) -> Bool {
    wait.withLock { wait in
      var known = wait ?? Wait(begin: now, last: now)
      if now - known.last > Self.memory { known.begin = now }
      known.last = now
      wait = known
      return now - known.begin < longest
    }
  }

  /// The lock was had.
  func end() { wait.withLock { $0 = nil } }
}
