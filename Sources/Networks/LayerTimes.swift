internal import Synchronization

/// What each layer of a run has taken, summed over workers.
final class LayerTimes: Sendable {
  private let times: Mutex<[Duration]>

  init(count: Int) { times = Mutex(Array(repeating: .zero, count: count)) }

  var values: [Duration] { times.withLock { $0 } }

  func add(_ time: Duration, to layer: Int) { times.withLock { $0[layer] += time } }
}
