import Foundation
import Scoring
import TestSupport
import Testing

@Suite("A score")
struct ScoreTests {
  /// Every key that may be null is there.
  private func checkComplete(_ score: Score) throws {
    let bytes = try text(of: score)
    #expect(try JSONDecoder().decode(Score.self, from: Data(bytes)) == score)
    let encoder = JSONEncoder()
    let back = try JSONDecoder().decode(Score.self, from: encoder.encode(score))
    #expect(back == score)
    guard case .object(let members) = try JSONValue(encoding: score) else {
      Issue.record("no object")
      return
    }
    #expect(members.count == 44)
  }

  @Test("of no images has no metrics, and says so")
  func none() throws {
    let score = Tally(classes: ["a", "b"]).score()
    #expect(score.top1 == nil && score.macro == nil && score.kappa == nil && score.logLoss == nil)
    #expect(score.calibration == nil && score.bootstrap == nil && score.labelIssues == nil)
    #expect(
      score.classes.map(\.recall) == [
        Estimate(value: 0, low: 0, high: 1), Estimate(value: 0, low: 0, high: 1),
      ])
    #expect(score.confusion.isEmpty && score.pairs.isEmpty && score.predictions.isEmpty)
    #expect(Set(score.omitted.map(\.metric)).isSuperset(of: ["top1", "macro", "log_loss", "bootstrap"]))
    #expect(score.orders.seriated == [0, 1])
    try checkComplete(score)
  }

  @Test("of no images and no classes is defined as well")
  func nothing() throws {
    let score = Tally(classes: []).score()
    #expect(score.classes.isEmpty && score.images == 0)
    try checkComplete(score)
  }

  @Test("of one class has no kappa, and no temperature")
  func oneClass() throws {
    var tally = Tally(classes: ["only"])
    for image in 0..<5 { try tally.add("\(image)", truth: 0, row: [1]) }
    let score = tally.score()
    #expect(score.top1?.value == 1)
    #expect(score.kappa == nil)
    #expect(score.mcc == 0)
    #expect(score.balancedAccuracy == 1)
    #expect(score.calibration?.temperature == nil)
    #expect(Set(score.omitted.map(\.metric)) == ["kappa", "calibration.temperature", "groups"])
    try checkComplete(score)
  }

  @Test("of hard labels leaves out what needs probabilities")
  func hardLabels() throws {
    let samples = Samples(seed: 1, classes: 5, images: 100)
    var hard = Tally(classes: samples.names)
    for prediction in try samples.score().predictions {
      try hard.add(prediction.path, truth: prediction.truth, predicted: prediction.predicted)
    }
    let (score, soft) = (hard.score(), try samples.score())
    #expect(score.hardLabels == 100)
    #expect(score.top1 == soft.top1 && score.kappa == soft.kappa && score.pairs == soft.pairs)
    #expect(score.bootstrap == soft.bootstrap && score.groups == soft.groups)
    #expect(score.top2 == nil && score.top5 == nil && score.rankHistogram == nil && score.logLoss == nil)
    #expect(score.brier == nil && score.ece == nil && score.calibration == nil && score.coverage == nil)
    #expect(score.confidentErrors == nil && score.labelIssues == nil && score.macro?.averagePrecision == nil)
    #expect(score.predictions[0].confidence == nil && score.predictions[0].rank == nil)
    #expect(score.omitted.count == 13)
    try checkComplete(score)
  }

  @Test("one hard label among probabilities leaves them out for all")
  func mixed() throws {
    let samples = Samples(seed: 1, classes: 5, images: 100)
    var tally = try samples.tally()
    try tally.add("x", truth: 0, predicted: 0)
    let score = try tally.adding([.init(path: "y", truth: 1, probabilities: [0, 1, 0, 0, 0])]).score()
    #expect((score.scored, score.hardLabels) == (102, 1))
    #expect(score.logLoss == nil && score.top5 == nil)
    #expect(score.predictions.count { $0.confidence == nil } == 1)
    try checkComplete(score)
  }

  @Test("hostile names survive the JSON")
  func hostileNames() throws {
    let names = [
      "</script>", "\"quoted\\", "=cmd()", "\u{202E}rtl", String(repeating: "n", count: 4_096),
      "a\nb\t\u{0}\u{7F}",
      "\u{2028}\u{2029}", "e\u{301}", "\u{E9}", "😀", "", "",
    ]
    var tally = Tally(classes: names)
    for label in names.indices {
      try tally.add(names[label], truth: label, predicted: (label + 1) % names.count)
    }
    tally.addInvalid(names[5], reason: names[0])
    let score = tally.score()
    #expect(score.classes.map { Array($0.name.utf8) } == names.map { Array($0.utf8) })
    try checkComplete(score)
  }

  @Test("intervals of the bootstrap follow the seed, hold the value, and shrink with the images")
  func bootstrap() throws {
    var samples = Samples(seed: 2, classes: 10, images: 200)
    let (one, again) = (try samples.score().bootstrap, try samples.score().bootstrap)
    let other = try samples.score(ScoreOptions(seed: 1)).bootstrap
    #expect(one == again && one != nil && one?.macroF1 != other?.macroF1)
    samples.images = 3_200
    let many = try samples.score().bootstrap
    for key in [\Bootstrap.macroPrecision, \.macroRecall, \.macroF1, \.balancedAccuracy] {
      let (few, more) = try (#require(one)[keyPath: key], #require(many)[keyPath: key])
      #expect(few.low < few.value && few.value < few.high)
      let shrinkage = (few.high - few.low) / (more.high - more.low)
      #expect(shrinkage > 3 && shrinkage < 5, "\(shrinkage) is 4, about")
    }
    #expect(try samples.score(ScoreOptions(draws: 0)).bootstrap == nil)
  }

  @Test("drawing a class again is drawing from a binomial distribution")
  func binomial() throws {
    // One of two classes, 30 of 50 right: the recall's interval is that of the binomial quantiles 23 and 37 of 50.
    var tally = Tally(classes: ["a", "b"])
    for image in 0..<50 { try tally.add("\(image)", truth: 0, predicted: image < 30 ? 0 : 1) }
    let interval = try #require(tally.score(ScoreOptions(draws: 20_000)).bootstrap).balancedAccuracy
    #expect((interval.low, interval.value, interval.high) == (23.0 / 50, 0.6, 37.0 / 50))
  }

  @Test("pairs account for all errors, with their shares")
  func pairs() throws {
    var samples = Samples(seed: 3, classes: 12, images: 600)
    samples.near = 80
    let score = try samples.score()
    #expect(score.pairs.reduce(0) { $0 + $1.count } == score.errors)
    #expect(score.directedPairs.reduce(0) { $0 + $1.count } == score.errors)
    #expect(abs((score.pairs.last?.cumulative ?? 0) - 1) < 1e-12)
    #expect(score.pairs.allSatisfy { $0.a < $0.b && $0.aAsB + $0.bAsA == $0.count })
    #expect(zip(score.pairs, score.pairs.dropFirst()).allSatisfy { $0.count >= $1.count })
    #expect(score.pairCount == score.pairs.count && score.directedPairCount == score.directedPairs.count)
  }

  @Test("a class that never occurs counts in the macro mean, and not in the balanced accuracy")
  func absentClass() throws {
    var tally = Tally(classes: ["a", "b", "never"])
    try tally.add("1", truth: 0, predicted: 0)
    try tally.add("2", truth: 1, predicted: 1)
    let score = tally.score()
    #expect(score.macro?.recall == 2.0 / 3)
    #expect(score.balancedAccuracy == 1)
    #expect(score.orders.recall == [0, 1, 2])
  }
}
