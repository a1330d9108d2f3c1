import Dispatch
public import Networks
import Synchronization

/// The cores of a machine as all its classifiers share them: one pool of threads, and one thread that runs networks, a
/// batch at a time.
///
/// Two networks side by side would ask for each core twice and push each other's weights out of the caches, so that both
/// took more than twice as long. Taken in turns, a batch of each, every network has all cores while it runs, and none
/// waits longer than for one batch of each other.
public final class Cores: Sendable {
  /// Whose batches are taken first.
  public enum Urgency: Sendable {
    /// Somebody waits for it.
    case now
    /// It is run only while nothing of the other kind waits; what has begun is finished.
    case spare
  }

  public let workers: Workers
  private let thread = DispatchQueue(label: "imrec.inference")
  private let turns = Mutex(Turns())

  private struct Turns {
    var now: [@Sendable () -> Void] = []
    var spare: [@Sendable () -> Void] = []
    var isRunning = false

    mutating func next() -> (@Sendable () -> Void)? {
      if !now.isEmpty { return now.removeFirst() }
      return spare.isEmpty ? nil : spare.removeFirst()
    }
  }

  public init(_ workers: Workers) { self.workers = workers }

  /// Runs `body` on the thread of networks, behind what waits there with the same urgency.
  ///
  /// A queue of images asks for one turn at a time, so that not more wait than there are queues.
  func run(_ urgency: Urgency = .now, _ body: @escaping @Sendable () -> Void) {
    let starts = turns.withLock { turns in
      switch urgency {
      case .now: turns.now.append(body)
      case .spare: turns.spare.append(body)
      }
      defer { turns.isRunning = true }
      return !turns.isRunning
    }
    if starts { thread.async { self.takeTurns() } }
  }

  private func takeTurns() {
    while let turn = takeTurn() { turn() }
  }

  private func takeTurn() -> (@Sendable () -> Void)? {
    turns.withLock { turns in
      let turn = turns.next()
      turns.isRunning = turn != nil
      return turn
    }
  }
}
