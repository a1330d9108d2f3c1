import Foundation
import Networks
import Synchronization

/// Runs ranks as threads of this process, which sum in memory.
///
/// - Parameters:
///   - bucketSize: the fewest numbers of a bucket.
///   - body: called for each rank with its exchange, on a thread of its own.
/// - Returns: what `body` returned for each rank, or its error.
public func withLocalRanks<R: Sendable>(
  _ count: Int, bucketSize: Int = 500, _ body: @Sendable (LocalExchange) throws -> R
) -> [Result<R, any Error>] {
  let hub = Hub(count)
  let found = Mutex<[Int: Result<R, any Error>]>([:])
  Workers(count: count).forEach(count) { rank, _ in
    let result = Result { try body(LocalExchange(hub, rank: rank, bucketSize: bucketSize)) }
    found.withLock { $0[rank] = result }
    hub.leave()
  }
  return found.withLock { found in (0..<count).map { found[$0]! } }
}

/// One rank's exchange.
public final class LocalExchange: GradientExchange {
  public let rank: Int
  public let bucketSize: Int
  public var rankCount: Int { hub.count }
  /// The buckets of all steps, in the order in which they were begun.
  public private(set) var begun: [Range<Int>] = []
  /// How often `advance` was called.
  public private(set) var advances = 0
  private var open: [GradientBucket] = []
  private let hub: Hub

  fileprivate init(_ hub: Hub, rank: Int, bucketSize: Int) {
    self.hub = hub
    self.rank = rank
    self.bucketSize = bucketSize
  }

  public func sum(_ numbers: inout [Double]) { numbers = hub.sum(numbers, rank: rank) }

  public func begin(_ bucket: GradientBucket) {
    begun.append(bucket.range)
    open.append(bucket)
  }

  public func advance() { advances += 1 }

  public func finish() {
    for bucket in open {
      let numbers = bucket.range.map { Double(bucket.memory.start[$0]) }
      for (place, sum) in zip(bucket.range, hub.sum(numbers, rank: rank)) {
        bucket.memory.start[place] = Float(sum)
      }
    }
    open = []
  }
}

/// What the ranks share.
private final class Hub: @unchecked Sendable {  // only touched under the condition
  let count: Int
  private let condition = NSCondition()
  private var numbers: [[Double]]
  private var sums: [Double] = []
  private var waiting = 0
  private var round = 0
  private var left = 0

  init(_ count: Int) {
    self.count = count
    numbers = Array(repeating: [], count: count)
  }

  func leave() {
    condition.lock()
    left += 1
    condition.broadcast()
    condition.unlock()
  }

  /// Waits for all ranks; the last one sums, in the order of the ranks.
  func sum(_ own: [Double], rank: Int) -> [Double] {
    condition.lock()
    defer { condition.unlock() }
    numbers[rank] = own
    waiting += 1
    let now = round
    if waiting == count {
      precondition(
        Set(numbers.map(\.count)).count == 1, "each rank has as many numbers: \(numbers.map(\.count))")
      sums = own.indices.map { place in numbers.reduce(0) { $0 + $1[place] } }
      waiting = 0
      round += 1
      condition.broadcast()
    } else {
      while round == now {
        precondition(left == 0, "a rank has left while rank \(rank) waits for it")
        condition.wait()
      }
    }
    // The next round ends only when every rank has come again, and so has taken these sums.
    return sums
  }
}
