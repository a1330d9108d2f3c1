import Hyperparameters
public import Networks

/// The processes of a distributed training, as one of them sees them; a single process is rank 0 of 1.
///
/// The methods are collective: all ranks must make the same calls in the same order, and all get the same result.
public final class Ranks {
  /// This process, 0..<count.
  public let rank: Int
  /// The number of processes; 1 without an exchange.
  public let count: Int
  /// Adds up gradients over the ranks; nil for a single process.
  public let exchange: (any GradientExchange)?
  /// The rank that reports why the run ends, so that an error of all ranks is printed once. Nil while not all ranks
  /// know that the run ends.
  public private(set) var speaker: Int?

  /// - Parameter exchange: connects the ranks; nil: a single process.
  public init(_ exchange: (any GradientExchange)? = nil) {
    self.exchange = exchange
    rank = exchange?.rank ?? 0
    count = exchange?.rankCount ?? 1
  }

  /// Whether this is rank 0, which writes the files and the log.
  public var isFirst: Bool { rank == 0 }

  /// The element-wise sums over all ranks; every rank must pass the same number of elements.
  func sum(_ numbers: [Double]) -> [Double] {
    var numbers = numbers
    exchange?.sum(&numbers)
    return numbers
  }

  /// Whether the value is true on at least one rank.
  func any(_ isSo: Bool) -> Bool {
    if exchange == nil { return isSo }
    return sum([isSo ? 1 : 0])[0] > 0
  }

  /// The numbers of all ranks, in rank order.
  func gather(_ number: Double) -> [Double] {
    var numbers = [Double](repeating: 0, count: count)
    numbers[rank] = number
    return sum(numbers)
  }

  /// The bytes of all ranks, in rank order; lengths may differ.
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

  /// Runs something on all ranks that may fail on some of them; if it does, it throws on all of them. The lowest rank
  /// that failed becomes the speaker.
  ///
  /// - Parameter body: must not call other ranks: a rank that fails early would never join the call.
  /// - Throws: what `body` throws on this rank; `OtherRankFailed` if it failed only on others.
  public func together<R>(_ body: () throws -> R) throws -> R {
    guard exchange != nil else { return try body() }
    let result = Result { try body() }
    let hasFailed = if case .failure = result { true } else { false }
    guard let first = gather(hasFailed ? 1 : 0).firstIndex(where: { $0 > 0 }) else { return try result.get() }
    speaker = first
    _ = try result.get()
    throw OtherRankFailed(rank: first)
  }

  /// Declares that all ranks end for the same reason; rank 0 reports it.
  func endTogether() { speaker = speaker ?? 0 }

  /// Refuses to train if the ranks have different inputs, such as different files under one name.
  ///
  /// - Parameter words: a description of the inputs that must be equal on all ranks.
  func checkSame(_ words: String) throws(TrainingError) {
    let found = gather(Array(words.utf8))
    guard let other = found.firstIndex(where: { $0 != found[0] }) else { return }
    endTogether()
    throw TrainingError(
      "the hyperparameters, images, kernels or checkpoint of rank \(other) differ from those of rank 0; all ranks need the same"
    )
  }
}

/// Another rank has failed and reports the reason.
public struct OtherRankFailed: Error, Hashable, Sendable, CustomStringConvertible {
  /// The lowest rank that failed.
  public let rank: Int

  public var description: String { "rank \(rank) has failed" }
}

extension MetricSums {
  /// The sums over all ranks.
  func total(over ranks: Ranks) -> MetricSums {
    if ranks.count == 1 { return self }
    return MetricSums(ranks.sum(numbers)) ?? self
  }
}
