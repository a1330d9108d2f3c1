import Dispatch

/// Holds the network until it is opened.
public final class Gate: Sendable {
  private let entered = DispatchSemaphore(value: 0)
  private let opened = DispatchSemaphore(value: 0)

  public init() {}

  /// In the network.
  public func pass() {
    entered.signal()
    opened.wait()
  }

  /// In the test: waits until a run has begun.
  public func waitForRun() { entered.wait() }

  public func open(_ count: Int = 1000) { for _ in 0..<count { opened.signal() } }
}
