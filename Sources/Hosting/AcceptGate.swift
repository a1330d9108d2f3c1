import Glibc
import HummingbirdCore
import Logging
import NIOCore
import Synchronization

/// Lets connections in, as many as may be, and none any more when the server is to end.
///
/// The server underneath traps when it is ended while a connection is on its way from the socket to the task that
/// serves it. So accepting is stopped first, and the end waits until every accepted connection has its task.
final class AcceptGate: Sendable {
  private struct State {
    var connections = 0
    var isClosing = false
    /// Closing, and asked for another connection since: none is accepted any more.
    var isClosed = false
    /// Connections on their way to their tasks.
    var underWay = 0
    var address: SocketAddress?
  }
  private let state = Mutex(State())
  private let limit: Int

  /// - Parameter limit: of connections at once; less where the process may not open as many files.
  init(limit: Int) {
    var files = rlimit()
    let isKnown = unsafe getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &files) == 0
    let most = isKnown ? Int(clamping: files.rlim_cur) - 64 : limit
    self.limit = max(1, min(limit, most))
  }

  func serverRuns(at address: SocketAddress?) { state.withLock { $0.address = address } }

  /// Stops accepting, and waits until every connection has its task; for a second at most.
  func close() async {
    let address = state.withLock { state in
      state.isClosing = true
      return state.address
    }
    // The socket may wait for one more connection, however long that takes: it gets this one.
    if let address { connectOnce(address) }
    for _ in 0..<200 {
      if state.withLock({ $0.isClosed && $0.underWay == 0 }) { return }
      try? await Task.sleep(for: .milliseconds(5))
    }
  }

  private func connectOnce(_ address: SocketAddress) {
    let family = address.protocol == .inet6 ? AF_INET6 : AF_INET
    let descriptor = socket(family, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue), 0)
    guard descriptor >= 0 else { return }
    _ = unsafe address.withSockAddr { unsafe connect(descriptor, $0, socklen_t($1)) }
    Glibc.close(descriptor)
  }

  fileprivate func isOpen() -> Bool {
    state.withLock { state in
      state.isClosed = state.isClosing
      return !state.isClosing && state.connections < limit
    }
  }

  fileprivate func opens() {
    state.withLock { state in
      state.connections += 1
      state.underWay += 1
    }
  }
  fileprivate func closes() { state.withLock { $0.connections -= 1 } }
  fileprivate func arrives() { state.withLock { $0.underWay -= 1 } }
}

/// The gate as the listening socket asks it.
struct AcceptGateDelegate: AvailableConnectionsDelegate {
  let gate: AcceptGate

  func connectionOpened() { gate.opens() }
  func connectionClosed() { gate.closes() }
  func isAcceptingNewConnections() -> Bool { gate.isOpen() }
}

/// HTTP/1 connections that the gate sees arrive at their tasks.
struct GatedChannel: ServerChildChannel {
  let inner: HTTP1Channel
  let gate: AcceptGate

  func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<HTTP1Channel.Value> {
    let gate = gate
    let future = inner.setup(channel: channel, logger: logger)
    future.whenFailure { _ in gate.arrives() }
    return future
  }

  func handle(value: HTTP1Channel.Value, logger: Logger) async {
    gate.arrives()
    await inner.handle(value: value, logger: logger)
  }
}
