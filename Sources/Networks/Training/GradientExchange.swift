
/// How processes that learn together, ranks, tell each other what each found. Every rank makes the same calls in the same
/// order, and gets bit for bit the same sums as all others.
///
/// Where the others cannot be reached any more the process ends: there is nobody left to learn with.
public protocol GradientExchange: AnyObject {
  /// From 0.
  var rank: Int { get }
  /// How many there are.
  var rankCount: Int { get }
  /// How many numbers of a gradient are worth sending; fewer wait for the next ones.
  var bucketSize: Int { get }

  /// Adds up, over all ranks, numbers of which each rank has as many; returns when that is done.
  func sum(_ numbers: inout [Double])

  /// Begins to add up a piece of the gradient over all ranks, and returns at once.
  func begin(_ bucket: GradientBucket)

  /// Called now and then while something else is computed, for what has been begun to go on.
  func advance()

  /// Waits until everything that has been begun is added up, in place.
  func finish()
}

/// A piece of a gradient. From `begin` to `finish` it belongs to the exchange.
public struct GradientBucket: Sendable {
  package let memory: FloatBuffer
  public let range: Range<Int>

  package init(_ memory: FloatBuffer, _ range: Range<Int>) {
    precondition(range.lowerBound >= 0 && range.upperBound <= memory.count, "a piece of that memory")
    self.memory = memory
    self.range = range
  }
}
