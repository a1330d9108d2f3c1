import Hyperparameters
public import Networks

/// The processes that train together, as one of them sees them. Alone, it is the first of one.
///
/// All ranks make the same calls in the same order, each with what it knows, and go on with the same answer.
public final class Ranks {
  public let rank: Int
  public let count: Int
  /// For the network that learns.
  public let exchange: (any GradientExchange)?
  /// Who says why the run ends, once all ranks know that it does: an error that they have in common is said once.
  public private(set) var speaker: Int?

  /// - Parameter exchange: nil: there is one rank.
  public init(_ exchange: (any GradientExchange)? = nil) {
    self.exchange = exchange
    rank = exchange?.rank ?? 0
    count = exchange?.rankCount ?? 1
  }

  /// The one that writes the files and the log.
  public var isFirst: Bool { rank == 0 }

  /// The sums over all ranks, of which each has as many numbers.
  func sum(_ numbers: [Double]) -> [Double] {
    var numbers = numbers
    exchange?.sum(&numbers)
    return numbers
  }

  /// Whether one rank at least says so.
  func any(_ isSo: Bool) -> Bool {
    if exchange == nil { return isSo }
    return sum([isSo ? 1 : 0])[0] > 0
  }

  /// What each rank has to say, in their order.
  func gather(_ number: Double) -> [Double] {
    var numbers = [Double](repeating: 0, count: count)
    numbers[rank] = number
    return sum(numbers)
  }

  /// What each rank has to say, in their order.
  func gather(_ bytes: [UInt8]) -> [[UInt8]] {
    let counts = gather(Double(bytes.count)).map { Int(exactly: $0) ?? 0 }
    let start = counts.prefix(rank).reduce(0, +)
    var all = [Double](repeating: 0, count: counts.reduce(0, +))
    for (place, byte) in bytes.enumerated() { all[start + place] = Double(byte) }
    var rest = sum(all)[...]
    return counts.map { count in
      defer { rest = rest.dropFirst(count) }
      return rest.prefix(count).map { UInt8(exactly: $0) ?? 0 }
    }
  }

  /// Does something on all ranks that may fail on some: then it fails on all, and the first that failed is the speaker.
  ///
  /// - Parameter body: without calls to other ranks, which a rank that fails would not make.
  /// - Throws: what `body` throws; `OtherRankFailed` where it did only on others.
  public func together<R>(_ body: () throws -> R) throws -> R {
    guard exchange != nil else { return try body() }
    let result = Result { try body() }
    let hasFailed = if case .failure = result { true } else { false }
    guard let first = gather(hasFailed ? 1 : 0).firstIndex(where: { $0 > 0 }) else { return try result.get() }
    speaker = first
    _ = try result.get()
    throw OtherRankFailed(rank: first)
  }

  /// Says that all ranks end here, for the same reason.
  func endTogether() { speaker = speaker ?? 0 }

  /// Refuses ranks that were given different things, as different files of one name.
  ///
  /// - Parameter words: that have to be the same.
  func checkSame(_ words: String) throws(TrainingError) {
    let found = gather(Array(words.utf8))
    guard let other = found.firstIndex(where: { $0 != found[0] }) else { return }
    endTogether()
    throw TrainingError(
      "rank \(other) has other hyperparameters, images, kernels or another checkpoint than rank 0; all ranks need the same"
    )
  }
}

/// Another rank has failed, and says why.
public struct OtherRankFailed: Error, Hashable, Sendable, CustomStringConvertible {
  public let rank: Int

  public var description: String { "rank \(rank) has failed" }
}

extension MetricSums {
  /// Those of all ranks.
  func total(over ranks: Ranks) -> MetricSums {
    if ranks.count == 1 { return self }
    return MetricSums(ranks.sum(numbers)) ?? self
  }
}
