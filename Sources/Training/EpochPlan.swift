import Imaging

/// Which images a rank sees in which batch: a pure function of the seed, the epoch and the rank.
///
/// A *global* batch is the concatenation of the batches of all ranks in rank order. N ranks with batch size B therefore
/// see the same images per update as one rank with batch size N * B.
public struct EpochPlan: Hashable, Sendable {
  /// Images in the whole set.
  public let imageCount: Int
  /// Images in one batch of one rank.
  public let batch: Int
  /// This process, from 0, and the number of processes.
  public let rank: Int, rankCount: Int
  /// Determines the order of the images.
  public let seed: UInt64
  /// Whether each epoch is shuffled and drops the images that do not fill a global batch. An evaluation sees every
  /// image in its original order; its last batch may be short, or empty for the last ranks.
  public let isTraining: Bool

  public init(
    imageCount: Int, batch: Int, seed: UInt64 = 0, isTraining: Bool, rank: Int = 0, rankCount: Int = 1
  ) {
    precondition(
      imageCount >= 0 && batch >= 1 && rankCount >= 1 && (0..<rankCount).contains(rank),
      "rank must be in 0..<rankCount, and batch at least 1")
    self.imageCount = imageCount
    self.batch = batch
    self.seed = seed
    self.isTraining = isTraining
    self.rank = rank
    self.rankCount = rankCount
  }

  /// Batches in an epoch; the same for all ranks.
  public var batchCount: Int {
    let global = batch * rankCount
    return isTraining ? imageCount / global : (imageCount + global - 1) / global
  }

  /// The places in the epoch's order that a batch of this rank covers.
  ///
  /// - Parameter number: the batch, from 0.
  public func places(ofBatch number: Int) -> Range<Int> {
    let start = min((number * rankCount + rank) * batch, imageCount)
    return start..<min(start + batch, imageCount)
  }

  /// The image numbers in the order of an epoch: a Fisher-Yates shuffle for training, 0, 1, 2, ... for an evaluation.
  /// - Complexity: O(images).
  public func order(epoch: Int) -> [Int] {
    var order = Array(0..<imageCount)
    guard isTraining else { return order }
    var chance = KeyedGenerator(seed, Purpose.order, UInt64(truncatingIfNeeded: epoch))
    for place in stride(from: imageCount - 1, to: 0, by: -1) {
      order.swapAt(place, chance.index(below: place + 1))
    }
    return order
  }
}

/// Separates the random streams that share one seed.
enum Purpose {
  static let order: UInt64 = 0x6f72_6465_7200_0001
  static let mixup: UInt64 = 0x6d69_7875_7000_0002
}
