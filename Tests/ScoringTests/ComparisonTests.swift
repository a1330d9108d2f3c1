import Foundation
import Scoring
import TestSupport
import Testing

@Suite("A comparison of two runs")
struct ComparisonTests {
  /// Hard labels: path, truth, prediction.
  private func score(_ lines: [(String, Int, Int)], classes: [String] = ["a", "b", "c"]) throws -> Score {
    var tally = Tally(classes: classes)
    for (path, truth, predicted) in lines { try tally.add(path, truth: truth, predicted: predicted) }
    return tally.score(ScoreOptions(draws: 0))
  }

  private struct McNemarLine: Codable {
    let a: Int
    let b: Int
    let exact: Double
    let mid: Double
    let q: Double
  }

  @Test("has McNemar's exact and mid-p values and the adjusted q of statsmodels and scipy")
  func mcnemar() throws {
    let lines = try JSONDecoder().decode([McNemarLine].self, from: Golden.data("mcnemar.json"))
    #expect(lines.count == 40)
    // One class a line, and one image that both have right, so that every class occurs.
    var (a, b): ([(String, Int, Int)], [(String, Int, Int)]) = ([], [])
    for (label, line) in lines.enumerated() {
      let other = (label + 1) % lines.count
      for image in 0..<line.a + line.b + 1 {
        let path = "\(label)/\(image)"
        a.append((path, label, image < line.b ? other : label))
        b.append((path, label, image < line.b || image == line.a + line.b ? label : other))
      }
    }
    let names = lines.indices.map { "class \($0)" }
    let comparison = try Comparison(
      score(a, classes: names), score(b, classes: names), ComparisonOptions(draws: 2))
    for (line, change) in zip(lines, comparison.classes) {
      #expect((change.onlyARight, change.onlyBRight) == (line.a, line.b))
      #expect(abs((change.p ?? -1) - line.exact) <= 1e-9 * line.exact, "\(line)")
      #expect(abs((change.q ?? -1) - line.q) <= 1e-9 * line.q, "\(line)")
      let alone = try Comparison(
        score(a.filter { $0.1 == change.label }, classes: names),
        score(b.filter { $0.1 == change.label }, classes: names), ComparisonOptions(draws: 0))
      #expect(abs(alone.mcnemar.exactP - line.exact) <= 1e-9 * line.exact, "\(line)")
      #expect(abs(alone.mcnemar.midP - line.mid) <= 1e-9 * line.mid, "\(line)")
    }
  }

  @Test("joins by path and counts what one side lacks")
  func joining() throws {
    let a = try score([("1", 0, 0), ("2", 0, 1), ("3", 1, 1), ("4", 1, 0), ("5", 2, 2), ("6", 2, 2)])
    let b = try score([("2", 0, 0), ("3", 1, 1), ("4", 1, 2), ("5", 2, 0), ("6", 1, 1), ("7", 0, 0)])
    let comparison = Comparison(a, b)
    #expect(comparison.images == 4)
    #expect(comparison.missingInA == ["7"])
    #expect(comparison.missingInB == ["1"])
    #expect(comparison.truthConflicts == ["6"])
    #expect(
      (comparison.bothRight, comparison.onlyARight, comparison.onlyBRight, comparison.bothWrong) == (
        1, 1, 1, 1
      ))
    #expect(comparison.mcnemar.exactP == 1 && comparison.mcnemar.discordant == 2)
    #expect(comparison.flips.map(\.path) == ["2", "4", "5"])
    #expect(comparison.flips.map(\.kind) == [.fixed, .changed, .broken])
    #expect(comparison.flips.map(\.a) == [1, 0, 2])
    #expect(comparison.flips.map(\.b) == [0, 2, 0])
    #expect((comparison.a.scored, comparison.a.correct, comparison.b.correct) == (6, 2, 2))
    #expect(comparison.top1Difference?.value == 0)
    #expect(comparison.a.top5 == nil)
    #expect(comparison.classes.map(\.support) == [1, 2, 1])
    #expect(comparison.classes.map(\.difference) == [1, 0, -1])
  }

  @Test("joins classes by name where the lists differ")
  func otherClasses() throws {
    let a = try score([("1", 0, 0), ("2", 1, 1), ("3", 1, 0)], classes: ["cat", "dog"])
    let b = try score([("1", 2, 2), ("2", 0, 1), ("3", 0, 0)], classes: ["dog", "bird", "cat"])
    let comparison = Comparison(a, b)
    #expect(comparison.classes.map(\.name) == ["cat", "dog", "bird"])
    #expect(comparison.images == 3 && comparison.truthConflicts.isEmpty)
    #expect(comparison.flips.map(\.b) == [2, 1])
    #expect(comparison.classes.map { $0.p == nil } == [false, false, true])
  }

  @Test("of a run with itself says that nothing changed")
  func same() throws {
    let score = try Samples(seed: 1, classes: 6, images: 200).score()
    let comparison = Comparison(score, score)
    #expect(comparison.flips.isEmpty && comparison.onlyARight + comparison.onlyBRight == 0)
    #expect(comparison.mcnemar.exactP == 1 && comparison.mcnemar.midP == 1)
    #expect(comparison.top1Difference == Estimate(value: 0, low: 0, high: 0))
    #expect(comparison.macroF1Difference == Estimate(value: 0, low: 0, high: 0))
    #expect(
      comparison.a == comparison.b && comparison.a.top1 == score.top1 && comparison.a.top5 == score.top5)
    #expect(comparison.a.macroF1 == score.macro?.f1)
  }

  @Test("of runs without a shared image is defined")
  func nothingShared() throws {
    let comparison = Comparison(try score([("1", 0, 0)]), try score([("2", 0, 0)]))
    #expect(comparison.images == 0 && comparison.top1Difference == nil && comparison.a.top1 == nil)
    #expect(comparison.mcnemar.exactP == 1)
    var bytes: [UInt8] = []
    try comparison.writeJSON { bytes += $0 }
    #expect(try JSONDecoder().decode(Comparison.self, from: Data(bytes)) == comparison)
  }

  @Test(
    "intervals of the difference are those of the discordant images, seeded, and mirrored when A and B swap")
  func bootstrap() throws {
    // 100 images of each of 2 classes; B repairs 30 and breaks 10 of them.
    var (a, b): ([(String, Int, Int)], [(String, Int, Int)]) = ([], [])
    for image in 0..<200 {
      let truth = image % 2
      a.append(("\(image)", truth, image < 30 ? 1 - truth : truth))
      b.append(("\(image)", truth, (30..<40).contains(image) ? 1 - truth : truth))
    }
    let (one, two) = (try score(a), try score(b))
    let comparison = Comparison(one, two, ComparisonOptions(draws: 20_000))
    let difference = try #require(comparison.top1Difference)
    #expect(abs(difference.value - 0.1) < 1e-12)
    // Variance of the mean difference: (p - d^2) / n with p = 40 / 200 discordant, d = 0.1.
    let half = 1.96 * ((0.2 - 0.01) / 200).squareRoot()
    #expect(abs(difference.low - (0.1 - half)) < 0.006 && abs(difference.high - (0.1 + half)) < 0.006)
    #expect(Comparison(one, two, ComparisonOptions(draws: 20_000)) == comparison)
    let swapped = try #require(Comparison(two, one, ComparisonOptions(draws: 20_000)).top1Difference)
    #expect(abs(swapped.low + difference.high) < 0.006)
    let f1 = try #require(comparison.macroF1Difference)
    #expect(
      f1.low < f1.value && f1.value < f1.high
        && abs(f1.value - ((two.macro?.f1 ?? 9) - (one.macro?.f1 ?? 9))) < 1e-12)
  }
}
