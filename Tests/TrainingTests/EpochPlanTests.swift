import Testing

@testable import Training

@Suite struct EpochPlanTests {
  @Test("an epoch's order has each image once, and is its own for each seed and epoch")
  func order() {
    func plan(_ seed: UInt64) -> EpochPlan {
      EpochPlan(imageCount: 100, batch: 8, seed: seed, isTraining: true)
    }
    let order = plan(1).order(epoch: 0)
    #expect(order.sorted() == Array(0..<100) && order == plan(1).order(epoch: 0))
    #expect(order != Array(0..<100) && order != plan(1).order(epoch: 1) && order != plan(2).order(epoch: 0))
    #expect(plan(1).order(epoch: 1) != plan(2).order(epoch: 0))
  }

  @Test("each image comes first in its share of epochs")
  func fairness() {
    var first = [Int](repeating: 0, count: 5)
    let plan = EpochPlan(imageCount: 5, batch: 1, seed: 9, isTraining: true)
    for epoch in 0..<10_000 { first[plan.order(epoch: epoch)[0]] += 1 }
    // Five standard deviations of 40.
    #expect(first.allSatisfy { abs($0 - 2000) < 200 })
  }

  @Test(
    "training leaves out an incomplete batch, an evaluation leaves out nothing",
    arguments: [(84, 5, 16, 17), (80, 5, 16, 16), (3, 5, 0, 1), (0, 5, 0, 0)])
  func counts(_ images: Int, _ batch: Int, _ training: Int, _ evaluation: Int) {
    #expect(EpochPlan(imageCount: images, batch: batch, isTraining: true).batchCount == training)
    let plan = EpochPlan(imageCount: images, batch: batch, isTraining: false)
    #expect(plan.batchCount == evaluation && plan.order(epoch: 3) == Array(0..<images))
    #expect((0..<plan.batchCount).flatMap { plan.places(ofBatch: $0) } == Array(0..<images))
  }

  @Test(
    "ranks see together what one rank with all their batches sees", arguments: [1, 2, 3, 5], [true, false])
  func ranks(_ count: Int, _ isTraining: Bool) {
    let one = EpochPlan(imageCount: 101, batch: 4 * count, seed: 3, isTraining: isTraining)
    let ranks = (0..<count).map {
      EpochPlan(imageCount: 101, batch: 4, seed: 3, isTraining: isTraining, rank: $0, rankCount: count)
    }
    #expect(ranks.allSatisfy { $0.batchCount == one.batchCount && $0.order(epoch: 2) == one.order(epoch: 2) })
    for batch in 0..<one.batchCount {
      #expect(ranks.flatMap { $0.places(ofBatch: batch) } == Array(one.places(ofBatch: batch)))
    }
  }
}
