import NIOCore
import Synchronization

/// Whether the client of a connection is still there, and what to do when it goes.
package final class ClientPresence: Sendable {
  private enum State {
    case here(onLeaving: (@Sendable () -> Void)?)
    case gone
  }
  private let state = Mutex(State.here(onLeaving: nil))
  /// The address that it asks from; empty where it is not known.
  package let address: String

  init(address: String = "") { self.address = address }

  /// One that has gone before it was asked for.
  static let gone: ClientPresence = {
    let presence = ClientPresence()
    presence.leave()
    return presence
  }()

  /// Whether it is on this machine.
  package var isLocal: Bool {
    address == "::1" || address.hasPrefix("127.") || address.hasPrefix("::ffff:127.")
  }

  /// Has `body` called when the client goes; at once where it is gone.
  package func onLeaving(_ body: @escaping @Sendable () -> Void) {
    let isGone = state.withLock { state in
      if case .gone = state { return true }
      state = .here(onLeaving: body)
      return false
    }
    if isGone { body() }
  }

  /// Forgets what `onLeaving` was told.
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

/// The clients of all connections: who they are, which of them have a request in work, and which give way when there are
/// more connections than may be.
///
/// A connection that has sent no request yet gives way first, the oldest one before the others, and then one that has
/// none now. Requests are in work on as many connections as may be; those of others are refused.
final class Clients: Sendable {
  fileprivate struct Client {
    let presence: ClientPresence
    let channel: any Channel
    /// The place in `silent` or `resting`; nil while a request is in work.
    var place: Int?
    var isAdmitted = false
    /// It was told to close.
    var isLeaving = false
  }
  fileprivate struct State {
    var clients: [ObjectIdentifier: Client] = [:]
    var admittedCount = 0
    var leavingCount = 0
    /// No request has come yet.
    var silent = IdleLine()
    /// The last request is answered.
    var resting = IdleLine()
    var lastPlace = 0
  }
  private let state = Mutex(State())
  private let limit: Int
  private let most: Int

  /// - Parameters:
  ///   - limit: of connections with a request in work.
  ///   - most: connections, before idle ones give way.
  init(limit: Int, most: Int) { (self.limit, self.most) = (limit, most) }

  func presence(on channel: any Channel) -> ClientPresence? {
    state.withLock { $0.clients[ObjectIdentifier(channel)]?.presence }
  }

  /// Whether the requests of a connection are answered; else there are too many in work. Those of a client that has gone
  /// are nobody's.
  func isAdmitted(_ channel: any Channel) -> Bool {
    state.withLock { $0.clients[ObjectIdentifier(channel)]?.isAdmitted ?? true }
  }

  /// Whether there are more connections than may be: an answer is the last one of its connection then.
  var isCrowded: Bool { state.withLock { $0.isCrowded(most) } }

  func add(_ channel: any Channel) -> ClientPresence {
    let presence = ClientPresence(address: channel.remoteAddress?.ipAddress ?? "")
    let id = ObjectIdentifier(channel)
    let leaving = state.withLock { state in
      state.clients[id] = Client(presence: presence, channel: channel)
      // Not the new one itself.
      let leaving = state.nextToLeave(most, of: [\.silent, \.resting])
      state.wait(id, in: \.silent)
      return leaving
    }
    if let leaving { end(leaving) }
    return presence
  }

  /// A request begins on a connection that had none.
  ///
  /// - Returns: whether it may be answered.
  func begins(on channel: any Channel) -> Bool {
    let id = ObjectIdentifier(channel)
    return state.withLock { state in
      guard var client = state.clients[id] else { return false }
      client.place = nil
      // It was faster than what would have closed it.
      if client.isLeaving { state.leavingCount -= 1 }
      client.isLeaving = false
      client.isAdmitted = state.admittedCount < limit
      if client.isAdmitted { state.admittedCount += 1 }
      state.clients[id] = client
      return client.isAdmitted
    }
  }

  /// The last request of a connection is answered.
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

  /// Closes a connection unless a request comes first.
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
    // Each request leaves one: those that are idle no more must not gather.
    guard self[keyPath: line].count > 2 * clients.count + 64 else { return }
    let clients = clients
    self[keyPath: line].keep { clients[$0]?.place == $1 }
  }

  fileprivate mutating func release(_ id: ObjectIdentifier) {
    guard clients[id]?.isAdmitted == true else { return }
    clients[id]?.isAdmitted = false
    admittedCount -= 1
  }

  /// The connection that gives way, where there are more than may be and one is idle.
  fileprivate mutating func nextToLeave(
    _ most: Int, of lines: [WritableKeyPath<Self, IdleLine>]
  ) -> (any Channel)? {
    guard isCrowded(most) else { return nil }
    for line in lines {
      while let (id, place) = self[keyPath: line].next() {
        // One that is idle no more, or is gone.
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

/// Connections in the order in which they became idle. One that is idle no more stays until its turn comes.
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
