import NIOCore
import Synchronization

/// Whether the client of a connection is still connected, and what to do when it disconnects.
package final class ClientPresence: Sendable {
  private enum State {
    case here(onLeaving: (@Sendable () -> Void)?)
    case gone
  }
  private let state = Mutex(State.here(onLeaving: nil))
  /// The client's IP address; empty if unknown.
  package let address: String

  init(address: String = "") { self.address = address }

  /// The presence of a client that disconnected before anyone asked for it.
  static let gone: ClientPresence = {
    let presence = ClientPresence()
    presence.leave()
    return presence
  }()

  /// Whether the client connects over the loopback interface.
  package var isLocal: Bool {
    address == "::1" || address.hasPrefix("127.") || address.hasPrefix("::ffff:127.")
  }

  /// Calls `body` once when the client disconnects, or immediately if it already has. Replaces an earlier
  /// `body`.
  package func onLeaving(_ body: @escaping @Sendable () -> Void) {
    let isGone = state.withLock { state in
      if case .gone = state { return true }
      state = .here(onLeaving: body)
      return false
    }
    if isGone { body() }
  }

  /// Drops the callback that `onLeaving` set.
  package func forget() {
    state.withLock { state in if case .here = state { state = .here(onLeaving: nil) } }
  }

  func leave() {
    let body = state.withLock { state -> (@Sendable () -> Void)? in
      guard case .here(let body) = state else { return nil }
      state = .gone
      return body
    }
    body?()
  }
}

/// Tracks the clients of all connections: which of them have a request in progress, and which idle connection
/// to close when there are too many.
///
/// Connections that have not sent a request yet are closed first, oldest first; then connections that are
/// idle between requests. At most `limit` connections may have requests in progress; requests on other
/// connections are refused.
final class Clients: Sendable {
  fileprivate struct Client {
    let presence: ClientPresence
    let channel: any Channel
    /// The client's ticket in `silent` or `resting`; nil while a request is in progress.
    var place: Int?
    var isAdmitted = false
    /// The connection was chosen to be closed.
    var isLeaving = false
  }
  fileprivate struct State {
    var clients: [ObjectIdentifier: Client] = [:]
    var admittedCount = 0
    var leavingCount = 0
    /// Connections that have not sent a request yet.
    var silent = IdleLine()
    /// Connections whose last request has been answered.
    var resting = IdleLine()
    var lastPlace = 0
  }
  private let state = Mutex(State())
  private let limit: Int
  private let most: Int

  /// - Parameters:
  ///   - limit: the maximum number of connections with a request in progress.
  ///   - most: above this number of connections, idle ones are closed.
  init(limit: Int, most: Int) { (self.limit, self.most) = (limit, most) }

  func presence(on channel: any Channel) -> ClientPresence? {
    state.withLock { $0.clients[ObjectIdentifier(channel)]?.presence }
  }

  /// Whether the requests of a connection may be answered; `false` if too many are in progress. `true` for a
  /// client that has disconnected, because its response goes nowhere.
  func isAdmitted(_ channel: any Channel) -> Bool {
    state.withLock { $0.clients[ObjectIdentifier(channel)]?.isAdmitted ?? true }
  }

  /// Whether there are too many connections. If so, each response closes its connection.
  var isCrowded: Bool { state.withLock { $0.isCrowded(most) } }

  func add(_ channel: any Channel) -> ClientPresence {
    let presence = ClientPresence(address: channel.remoteAddress?.ipAddress ?? "")
    let id = ObjectIdentifier(channel)
    let leaving = state.withLock { state in
      state.clients[id] = Client(presence: presence, channel: channel)
      // Pick a connection to close before adding the new one, so that the new one is not picked.
      let leaving = state.nextToLeave(most, of: [\.silent, \.resting])
      state.wait(id, in: \.silent)
      return leaving
    }
    if let leaving { end(leaving) }
    return presence
  }

  /// Notes that a request begins on an idle connection.
  ///
  /// - Returns: whether the request may be answered.
  func begins(on channel: any Channel) -> Bool {
    let id = ObjectIdentifier(channel)
    return state.withLock { state in
      guard var client = state.clients[id] else { return false }
      client.place = nil
      // The request arrived before the connection was closed, so the connection stays.
      if client.isLeaving { state.leavingCount -= 1 }
      client.isLeaving = false
      client.isAdmitted = state.admittedCount < limit
      if client.isAdmitted { state.admittedCount += 1 }
      state.clients[id] = client
      return client.isAdmitted
    }
  }

  /// Notes that the last pending request of a connection has been answered.
  func rests(_ channel: any Channel) {
    let id = ObjectIdentifier(channel)
    let leaving = state.withLock { state -> (any Channel)? in
      guard state.clients[id] != nil else { return nil }
      state.release(id)
      state.wait(id, in: \.resting)
      return state.nextToLeave(most, of: [\.resting])
    }
    if let leaving { end(leaving) }
  }

  func remove(_ channel: any Channel) {
    let id = ObjectIdentifier(channel)
    let client = state.withLock { state in
      state.release(id)
      let client = state.clients.removeValue(forKey: id)
      if client?.isLeaving == true { state.leavingCount -= 1 }
      return client
    }
    client?.presence.leave()
  }

  /// Closes a connection unless a request arrives first.
  private func end(_ channel: any Channel) {
    channel.eventLoop.execute { [self] in
      let isLeaving = state.withLock { $0.clients[ObjectIdentifier(channel)]?.isLeaving ?? false }
      if isLeaving { channel.close(promise: nil) }
    }
  }
}

extension Clients.State {
  fileprivate func isCrowded(_ most: Int) -> Bool { clients.count - leavingCount > most }

  fileprivate mutating func wait(_ id: ObjectIdentifier, in line: WritableKeyPath<Self, IdleLine>) {
    lastPlace += 1
    clients[id]?.place = lastPlace
    self[keyPath: line].add(id, at: lastPlace)
    // Each request leaves a stale entry behind; remove them before they pile up.
    guard self[keyPath: line].count > 2 * clients.count + 64 else { return }
    let clients = clients
    self[keyPath: line].keep { clients[$0]?.place == $1 }
  }

  fileprivate mutating func release(_ id: ObjectIdentifier) {
    guard clients[id]?.isAdmitted == true else { return }
    clients[id]?.isAdmitted = false
    admittedCount -= 1
  }

  /// Picks the idle connection to close; nil if there are not too many connections, or none is idle.
  fileprivate mutating func nextToLeave(
    _ most: Int, of lines: [WritableKeyPath<Self, IdleLine>]
  ) -> (any Channel)? {
    guard isCrowded(most) else { return nil }
    for line in lines {
      while let (id, place) = self[keyPath: line].next() {
        // Skip a stale entry: the connection is busy again or gone.
        guard let client = clients[id], client.place == place else { continue }
        clients[id]?.place = nil
        clients[id]?.isLeaving = true
        leavingCount += 1
        return client.channel
      }
    }
    return nil
  }
}

/// Connections in the order in which they became idle. An entry whose connection is busy again is skipped
/// lazily.
private struct IdleLine {
  private var waiting: [(id: ObjectIdentifier, place: Int)] = []
  private var first = 0

  var count: Int { waiting.count - first }

  mutating func add(_ id: ObjectIdentifier, at place: Int) { waiting.append((id, place)) }

  mutating func next() -> (id: ObjectIdentifier, place: Int)? {
    guard first < waiting.count else { return nil }
    let next = waiting[first]
    first += 1
    if first > 64, first * 2 > waiting.count { keep { _, _ in true } }
    return next
  }

  mutating func keep(_ isWanted: (ObjectIdentifier, Int) -> Bool) {
    waiting = waiting[first...].filter { isWanted($0.id, $0.place) }
    first = 0
  }
}
