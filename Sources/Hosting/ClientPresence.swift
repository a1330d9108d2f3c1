import NIOCore
import Synchronization

/// Whether the client of a connection is still there, and what to do when it goes.
package final class ClientPresence: Sendable {
  private enum State {
    case here(onLeaving: (@Sendable () -> Void)?)
    case gone
  }
  private let state = Mutex(State.here(onLeaving: nil))
  /// Whether it is on this machine.
  package let isLocal: Bool

  init(isLocal: Bool = false) { self.isLocal = isLocal }

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

/// The clients of all connections: a request's handler knows its channel and nothing else of it.
final class ClientPresences: Sendable {
  private let presences = Mutex<[ObjectIdentifier: ClientPresence]>([:])

  func presence(on channel: any Channel) -> ClientPresence? {
    presences.withLock { $0[ObjectIdentifier(channel)] }
  }

  func add(_ channel: any Channel) -> ClientPresence {
    let address = channel.remoteAddress?.ipAddress ?? ""
    let presence = ClientPresence(
      isLocal: address == "::1" || address.hasPrefix("127.") || address.hasPrefix("::ffff:127."))
    presences.withLock { $0[ObjectIdentifier(channel)] = presence }
    return presence
  }

  func remove(_ channel: any Channel) {
    presences.withLock { $0.removeValue(forKey: ObjectIdentifier(channel)) }?.leave()
  }
}
