import Glibc
import HummingbirdCore
import Logging
import NIOCore
import Synchronization

/// Admits connections up to a limit, and none once the server begins to shut down.
///
/// The underlying server traps if it is shut down while an accepted connection has not yet reached the task
/// that serves it. Shutdown therefore stops accepting first, then waits until every accepted connection has
/// its task.
final class AcceptGate: Sendable {
  private struct State {
    var connections = 0
    var isClosing = false
    /// Set once the gate is closing and the listening socket has asked again; it accepts nothing after that.
    var isClosed = false
    /// Accepted connections that have not reached their tasks yet.
    var underWay = 0
    var address: SocketAddress?
  }
  private let state = Mutex(State())
  private let limit: Int

  /// - Parameter limit: the maximum number of simultaneous connections.
  init(limit: Int) { self.limit = limit }

  func serverRuns(at address: SocketAddress?) { state.withLock { $0.address = address } }

  /// Stops accepting, then waits at most one second until every accepted connection has its task.
  func close() async {
    let address = state.withLock { state in
      state.isClosing = true
      return state.address
    }
    // The listening socket notices the closed gate only when a connection arrives, so make one.
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

/// The number of connections that a server accepts, limited by the process's open-file limit.
struct ConnectionRoom {
  /// Connections that may have a request in progress.
  let working: Int
  /// Additional connections, so that a health check gets through when all working connections are busy.
  let spare: Int

  /// - Parameter working: the desired number of working connections; reduced if the open-file limit is too
  ///   low.
  init(working: Int) {
    let others = 64
    let files = Self.openFileLimit(wanted: working + others + 64)
    let most = max(2, files - others)
    spare = min(64, max(1, most / 4))
    self.working = max(1, min(working, most - spare))
  }

  /// Above this number of connections, idle ones are closed.
  var most: Int { working + spare / 2 }
  /// The maximum number of accepted connections.
  var limit: Int { working + spare }

  /// The open-file limit of the process, after raising the soft limit as far as needed and allowed.
  private static func openFileLimit(wanted: Int) -> Int {
    let kind = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
    var files = rlimit()
    guard unsafe getrlimit(kind, &files) == 0 else { return wanted }
    // The rest of the server opens files as well.
    let more = min(files.rlim_max, rlim_t(2 * wanted + 1024))
    if more > files.rlim_cur {
      var raised = files
      raised.rlim_cur = more
      if unsafe setrlimit(kind, &raised) == 0 { files = raised }
    }
    return Int(clamping: files.rlim_cur)
  }
}

/// Checks that the process can create the threads and files that the server needs; SwiftNIO and Dispatch trap
/// when the system refuses one.
///
/// - Throws: `ServerError` naming the limit that is too low.
func checkRoom() throws(ServerError) {
  let files = (0..<24).map { _ in unsafe open("/dev/null", O_RDONLY | O_CLOEXEC) }
  for file in files where file >= 0 { Glibc.close(file) }
  guard files.allSatisfy({ $0 >= 0 }) else {
    throw ServerError(
      "the limit on open files (ulimit -n) is too low for a server; raise it to at least 64")
  }
  // Event loops, disk threads, and the threads of jobs, models and timers.
  let count = sysconf(Int32(_SC_NPROCESSORS_ONLN)) + 40
  guard hasRoom(threads: count) else {
    throw ServerError(
      "this process cannot get the \(count) threads and the memory that a server needs; raise the memory limit "
        + "(ulimit -v; 1 GB is enough to start) or the process limit (ulimit -u)")
  }
}

/// Whether the process can create `count` threads at once and reserve 64 MiB of memory beside them.
private func hasRoom(threads count: Int) -> Bool {
  // Each thread blocks in a read until the pipe is closed.
  var ends: [Int32] = [-1, -1]
  guard unsafe pipe(&ends) == 0 else { return false }
  var threads: [pthread_t] = []
  defer {
    Glibc.close(ends[1])
    for thread in threads { pthread_join(thread, nil) }
    Glibc.close(ends[0])
  }
  for _ in 0..<count {
    var thread = pthread_t()
    let status = unsafe pthread_create(
      &thread, nil,
      { end in
        var byte: UInt8 = 0
        _ = unsafe read(Int32(Int(bitPattern: end)), &byte, 1)
        return nil
      }, UnsafeMutableRawPointer(bitPattern: Int(ends[0])))
    guard status == 0 else { return false }
    threads.append(thread)
  }
  let byteCount = 64 << 20
  let memory = unsafe mmap(nil, byteCount, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
  guard unsafe memory != MAP_FAILED else { return false }
  unsafe munmap(memory, byteCount)
  return true
}

/// Connects the gate to the listening socket.
struct AcceptGateDelegate: AvailableConnectionsDelegate {
  let gate: AcceptGate

  func connectionOpened() { gate.opens() }
  func connectionClosed() { gate.closes() }
  func isAcceptingNewConnections() -> Bool { gate.isOpen() }
}

/// An HTTP/1 channel that tells the gate when a connection reaches its task.
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
