import Scoring
import TestSupport
import Testing

@Suite("The order and the groups of classes")
struct ArrangementTests {
  /// A score whose confusion matrix has these cells.
  private func score(_ cells: [(Int, Int, Int)], classes: Int, groups: [String]? = nil) throws -> Score {
    var tally = Tally(classes: (0..<classes).map { "class \($0)" })
    var image = 0
    for (truth, predicted, count) in cells {
      for _ in 0..<count {
        try tally.add("\(image)", truth: truth, predicted: predicted)
        image += 1
      }
    }
    return tally.score(ScoreOptions(draws: 0, groups: groups))
  }

  private let blocks: [(Int, Int, Int)] = [
    // 0, 3 and 6 are taken for each other, 1 and 4 too, 2 and 5 hardly.
    (0, 0, 20), (3, 3, 20), (6, 6, 30), (1, 1, 20), (4, 4, 20), (2, 2, 20), (5, 5, 20), (0, 3, 9), (3, 6, 8),
    (6, 0, 4),
    (1, 4, 10), (4, 1, 7), (2, 1, 1), (5, 0, 1),
  ]

  @Test("classes that are taken for each other stand together")
  func seriation() throws {
    let order = try #require(score(blocks, classes: 7).orders.seriated)
    #expect(order.sorted() == Array(0..<7))
    func spread(_ classes: [Int]) -> Int {
      let places = classes.compactMap { order.firstIndex(of: $0) }
      return (places.max() ?? 0) - (places.min() ?? 0)
    }
    #expect(spread([0, 3, 6]) == 2)
    #expect(spread([1, 4]) == 1)
    #expect(order.firstIndex(of: 3).map { [order[$0 - 1], order[$0 + 1]].sorted() } == [0, 6])
  }

  @Test("are found by clustering, with the errors inside and across")
  func clustered() throws {
    let groups = try #require(score(blocks, classes: 7).groups)
    #expect(groups.source == .clustered)
    #expect(groups.assignment[0] == groups.assignment[3] && groups.assignment[3] == groups.assignment[6])
    #expect(groups.assignment[1] == groups.assignment[4] && groups.assignment[1] != groups.assignment[0])
    #expect(groups.errorsInside + groups.errorsAcross == 40)
    #expect(groups.groups.reduce(0) { $0 + $1.classes.count } == 7)
    #expect(groups.groups[groups.assignment[0]].name == "class 6")
    #expect(groups.confusion.reduce(0) { $0 + $1.count } == 190)
  }

  @Test("are taken from the caller")
  func given() throws {
    let names = ["x", "y", "x", "x", "y", "z", "x"]
    let groups = try #require(score(blocks, classes: 7, groups: names).groups)
    #expect(groups.source == .given)
    #expect(groups.groups.map(\.name) == ["x", "y", "z"])
    #expect(groups.assignment == [0, 1, 0, 0, 1, 2, 0])
    #expect(groups.groups[0].classes == [0, 2, 3, 6])
    #expect((groups.errorsInside, groups.errorsAcross) == (38, 2))
    #expect((groups.groups[0].errorsInside, groups.groups[0].errorsAcross) == (21, 1))
    #expect(groups.accuracy?.value == 188.0 / 190)
    #expect(groups.confusion.contains(ConfusionCell(truth: 0, predicted: 1, count: 1)))
  }

  @Test("too few names of groups are said, not guessed")
  func wrongGroups() throws {
    let score = try score(blocks, classes: 7, groups: ["x"])
    #expect(score.groups == nil)
    #expect(score.omitted.contains(Omission(metric: "groups", reason: "1 groups are given for 7 classes")))
  }

  @Test("without errors there are no groups, and the order is a permutation still", arguments: [1, 2, 3, 40])
  func noErrors(_ count: Int) throws {
    let score = try score((0..<count).map { ($0, $0, 1) }, classes: count)
    #expect(score.groups == nil)
    #expect(score.orders.seriated?.sorted() == Array(0..<count))
  }

  @Test(
    "random matrices give permutations that do not depend on the order of the images",
    arguments: [2, 3, 17, 64])
  func permutations(_ count: Int) throws {
    var samples = Samples(seed: UInt64(count), classes: count, images: count * 20)
    samples.near = 90
    let orders = try samples.score(ScoreOptions(draws: 0)).orders
    for order in [orders.alphabetical, orders.recall, orders.support, orders.seriated ?? []] {
      #expect(order.sorted() == Array(0..<count))
    }
  }

  @Test("the other orders are by name, recall and support")
  func plainOrders() throws {
    var tally = Tally(classes: ["b", "é", "a", "B"])
    for (image, line) in [(0, 0), (0, 1), (0, 0), (1, 1), (2, 0), (2, 0)].enumerated() {
      try tally.add("\(image)", truth: line.0, predicted: line.1)
    }
    let orders = tally.score().orders
    #expect(orders.alphabetical == [3, 2, 0, 1])
    #expect(orders.recall == [2, 0, 1, 3])
    #expect(orders.support == [0, 2, 1, 3])
  }
}
