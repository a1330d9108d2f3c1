import Imaging

/// Which images a process sees in which batch: a function of the seed, the epoch and the process's rank alone.
///
/// A *global* batch is the batches of all ranks side by side, rank after rank, so that N ranks with batch B see together
/// what one rank with batch N * B sees.
public struct EpochPlan: Hashable, Sendable {
  public let imageCount: Int
  /// Images a rank takes at once.
  public let batch: Int
  public let rank: Int, rankCount: Int
  public let seed: UInt64
  /// Training is shuffled, and what does not fill a global batch is left out. Else the images come in their own order,
  /// all of them: the last batches may be short, or empty for the last ranks.
  public let isTraining: Bool

  public init(
    imageCount: Int, batch: Int, seed: UInt64 = 0, isTraining: Bool, rank: Int = 0, rankCount: Int = 1
  ) {
    precondition(
      imageCount >= 0 && batch >= 1 && rankCount >= 1 && (0..<rankCount).contains(rank), "a plan has ranks")
    self.imageCount = imageCount
    self.batch = batch
    self.seed = seed
    self.isTraining = isTraining
    self.rank = rank
    self.rankCount = rankCount
  }

  /// Batches of an epoch, the same for all ranks.
  public var batchCount: Int {
    let global = batch * rankCount
    return isTraining ? imageCount / global : (imageCount + global - 1) / global
  }

  /// This rank's places, in the epoch's order, of a batch.
  public func places(ofBatch number: Int) -> Range<Int> {
    let start = min((number * rankCount + rank) * batch, imageCount)
    return start..<min(start + batch, imageCount)
  }

  /// The epoch's order: numbers of images. Fisher and Yates' shuffle.
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

/// Keeps the chances of one seed apart.
enum Purpose {
  static let order: UInt64 = 0x6f72_6465_7200_0001
  static let mixup: UInt64 = 0x6d69_7875_7000_0002
}
