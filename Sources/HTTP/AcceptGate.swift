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

  /// - Parameter limit: of connections at once.
  init(limit: Int) { self.limit = limit }

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

/// How many connections a server takes.
struct ConnectionRoom {
  /// With a request in work.
  let working: Int
  /// Beside them, so that there is one for who only asks whether the server lives.
  let spare: Int

  /// - Parameter working: less where the process may not open as many files.
  init(working: Int) {
    let others = 64
    let files = Self.openFileLimit(wanted: working + others + 64)
    let most = max(2, files - others)
    spare = min(64, max(1, most / 4))
    self.working = max(1, min(working, most - spare))
  }

  /// Connections, before idle ones give way.
  var most: Int { working + spare / 2 }
  /// No more are accepted.
  var limit: Int { working + spare }

  /// The files that the process may have open: raised, where it may be raised so far.
  private static func openFileLimit(wanted: Int) -> Int {
    let kind = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
    var files = rlimit()
    guard unsafe getrlimit(kind, &files) == 0 else { return wanted }
    // The server's other work has files open, too.
    let more = min(files.rlim_max, rlim_t(2 * wanted + 1024))
    if more > files.rlim_cur {
      var raised = files
      raised.rlim_cur = more
      if unsafe setrlimit(kind, &raised) == 0 { files = raised }
    }
    return Int(clamping: files.rlim_cur)
  }
}

/// That the process may have what the servers underneath need: they trap where a thread or a file is refused.
///
/// - Throws: a sentence that names the limit.
func checkRoom() throws(ServerError) {
  let files = (0..<24).map { _ in unsafe open("/dev/null", O_RDONLY | O_CLOEXEC) }
  for file in files where file >= 0 { Glibc.close(file) }
  guard files.allSatisfy({ $0 >= 0 }) else {
    throw ServerError(
      "too few files may be open at once for a server (ulimit -n); 64 are enough to begin with")
  }
  // Event loops, the threads that wait for the disk, and those of jobs, models and timers.
  let count = sysconf(Int32(_SC_NPROCESSORS_ONLN)) + 40
  guard hasRoom(threads: count) else {
    throw ServerError(
      "the system does not give this process the \(count) threads and the memory that a server needs; the limit of "
        + "its memory (ulimit -v, 1 GB is enough to begin with) or of processes (ulimit -u) is too low")
  }
}

/// Whether so many threads can be had at once, and some memory beside them.
private func hasRoom(threads count: Int) -> Bool {
  // The threads read from a pipe until it ends.
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
