import Files
import Foundation
import Scoring
import TestSupport
import Testing

@Suite("Names that look alike are not the same")
struct AlikeNameTests {
  private let one = "caf\u{E9}", two = "cafe\u{301}"

  @Test("values, columns and groups that differ in Unicode form only stay apart, in the order of their bytes")
  func slices() throws {
    var tally = Tally(classes: [one, two])
    for (index, name) in [one, two, one].enumerated() {
      try tally.add(
        "\(index)", truth: 0, predicted: index == 0 ? 1 : 0,
        attributes: [ByteName(one): .text(name), ByteName(two): .number(1)])
    }
    let score = tally.score(ScoreOptions(draws: 0, groups: [one, two]))
    #expect(score.slices.map(\.count) == [3, 2, 1])
    #expect(score.slices.map { Array($0.attribute.utf8) } == [two, one, one].map { Array($0.utf8) })
    #expect(score.groups?.groups.count == 2)
  }

  @Test("tallies over classes that differ in Unicode form only are not merged")
  func merging() throws {
    var tally = Tally(classes: [one])
    #expect(throws: ScoringError.self) { try tally.merge(Tally(classes: [two])) }
  }

  @Test("invalid inputs are sorted by bytes, also where their names look alike")
  func sorting() {
    var tally = Tally(classes: ["a"])
    tally.addInvalid(one, reason: "a")
    tally.addInvalid(two, reason: "b")
    #expect(tally.score().invalid.map(\.reason) == ["b", "a"])
  }

  @Test("classes of two runs are joined by bytes first, then where one looks like one")
  func classes() throws {
    func run(_ classes: [String], _ predicted: Int) throws -> Score {
      var tally = Tally(classes: classes)
      try tally.add("x", truth: 0, predicted: predicted)
      return tally.score(ScoreOptions(draws: 0))
    }
    let swapped = Comparison(try run([one, two], 0), try run([two, one], 0))
    #expect(swapped.images == 0 && swapped.truthConflicts == ["x"])
    let alike = Comparison(try run([one, "b"], 0), try run([two, "B"], 0))
    #expect(alike.images == 1 && alike.classes.count == 2)
  }
}

@Suite("A tally")
struct TallyTests {
  private func refusal(_ probabilities: [Double], truth: Int = 0) -> ScoringError? {
    var tally = Tally(classes: ["a", "b", "c"])
    do throws(ScoringError) {
      try tally.add("x", truth: truth, probabilities: probabilities.span)
      return nil
    } catch {
      // Nothing was counted.
      if tally.score().images != 0 { Issue.record("a refused row was counted") }
      return error
    }
  }

  @Test("refuses rows that are no probabilities, with the place and a sentence, and counts nothing of them")
  func refusals() {
    #expect(refusal([0.2, 0.8])?.reason == .wrongLength(2, classes: 3))
    #expect(refusal([])?.reason == .wrongLength(0, classes: 3))
    #expect(refusal([0, 0.5, .nan])?.reason == .notFinite(at: 2))
    #expect(refusal([.nan, 0.5, 1])?.reason == .notFinite(at: 0))
    #expect(refusal([0, .infinity, 0])?.reason == .notFinite(at: 1))
    #expect(refusal([0, -.infinity, 0])?.reason == .notFinite(at: 1))
    #expect(refusal([0, -0.25, 0])?.reason == .negative(-0.25, at: 1))
    #expect(refusal([1e308, 1e308, 1e308])?.reason == .infiniteSum)
    #expect(refusal([1, 0, 0], truth: 3)?.reason == .unknownLabel(3, classes: 3))
    #expect(refusal([1, 0, 0], truth: -1)?.reason == .unknownLabel(-1, classes: 3))
    #expect(refusal([-0.0, 1, 0]) == nil)
    #expect(
      refusal([0, -0.25, 0])?.description == "value 2 of the prediction is -0.25; a probability is 0 or more")
    #expect(
      refusal([1, 0, 0], truth: 3)?.description
        == "label 3 is not on the class list, which has the labels 0 to 2")
  }

  @Test("no order of the images changes a bit of the score", arguments: [1, 2, 3] as [UInt64])
  func order(_ seed: UInt64) throws {
    var samples = Samples(seed: seed, classes: 9, images: 300)
    samples.bits = 4
    samples.power = 1
    let rows = samples.rows
    var generator = SplitMix64(seed: seed)
    let first = try text(of: Tally(classes: samples.names).adding(rows).score())
    let second = try text(of: Tally(classes: samples.names).adding(rows.shuffled(using: &generator)).score())
    #expect(first == second)
  }

  @Test("merging tallies is adding, however the images are cut", arguments: [0, 1, 100, 299, 300])
  func merge(_ cut: Int) throws {
    var samples = Samples(seed: 4, classes: 7, images: 300)
    samples.raw = true
    let rows = samples.rows
    let empty = Tally(classes: samples.names)
    var left = try empty.adding(rows[cut...])
    left.addMissing("b.jpg")
    var right = try empty.adding(rows[..<cut])
    right.addMissing("a.jpg")
    right.addInvalid("c.jpg", reason: "empty")
    try left.merge(right)
    var whole = try empty.adding(rows)
    whole.addInvalid("c.jpg", reason: "empty")
    whole.addMissing("a.jpg")
    whole.addMissing("b.jpg")
    #expect(try text(of: left.score()) == text(of: whole.score()))
  }

  @Test(
    "any cut into parts, merged in any order and scored by any number of jobs, gives the same bytes",
    arguments: 1...6 as ClosedRange<UInt64>)
  func parts(_ seed: UInt64) async throws {
    var samples = Samples(seed: seed, classes: 6, images: 400)
    samples.raw = seed % 2 == 0
    samples.hard = seed == 6
    var generator = SplitMix64(seed: seed)
    var parts = Array(repeating: [Samples.Row](), count: 2 + Int(generator.next() % 9))
    for row in samples.rows { parts[Int(generator.next() % UInt64(parts.count))].append(row) }
    var merged = Tally(classes: samples.names)
    for part in parts.shuffled(using: &generator) {
      // Every part keeps another share of its rows in memory.
      let empty = Tally(classes: samples.names, rowBudget: part.count * 16)
      try merged.merge(samples.hard ? empty.addingHard(part) : empty.adding(part))
    }
    let whole = try text(of: samples.score())
    #expect(try text(of: merged.score()) == whole)
    #expect(try await text(of: merged.score(jobs: 4)) == whole)
  }

  @Test("attributes that only some images or tallies have are merged too")
  func mergedAttributes() throws {
    func tally(_ attributes: [[ByteName: Attribute]]) throws -> Tally {
      var tally = Tally(classes: ["a", "b"])
      for (index, attributes) in attributes.enumerated() {
        let path = "\(attributes.keys.sorted())\(index)"
        try tally.add(path, truth: 0, predicted: index % 2, attributes: attributes)
      }
      return tally
    }
    let parts: [[[ByteName: Attribute]]] = [
      [["grey": .text("yes")], [:]], [["width": .number(3)], ["grey": .text("no")], ["grey": .text("yes")]],
    ]
    var merged = try tally(parts[0])
    try merged.merge(tally(parts[1]))
    let slices = merged.score().slices
    #expect(slices.map(\.attribute) == ["grey", "grey", "grey", "width", "width"])
    #expect(slices.map(\.value) == ["yes", "no", "", "3", ""])
    #expect(slices.map(\.count) == [2, 1, 2, 1, 4])
    #expect(slices.map(\.kind) == [.value, .value, .missing, .value, .missing])
  }

  @Test("tallies over different classes are not merged")
  func differentClasses() throws {
    var tally = Tally(classes: ["a"])
    #expect(throws: ScoringError(.differentClasses)) { try tally.merge(Tally(classes: ["b"])) }
  }

  @Test("rows beyond the budget go to a file and come back the same, merged or not", arguments: [0, 1 << 20])
  func spilled(_ budget: Int) throws {
    let samples = Samples(seed: 5, classes: 200, images: 3_000)  // 4.8 MB
    let rows = samples.rows
    let kept = try text(of: samples.score())
    #expect(try text(of: samples.tally(rowBudget: budget).score()) == kept)
    let empty = Tally(classes: samples.names, rowBudget: budget)
    var merged = try empty.adding(rows[..<1_000])
    try merged.merge(empty.adding(rows[1_000..<1_100]))
    try merged.merge(empty.adding(rows[1_100...]))
    #expect(try text(of: merged.score()) == kept)
  }

  @Test("copies of a tally that has spilled go on by themselves")
  func copies() throws {
    let samples = Samples(seed: 6, classes: 200, images: 2_000)
    let rows = samples.rows
    let first = try Tally(classes: samples.names, rowBudget: 0).adding(rows[..<1_500])
    let copy = first
    let second = try first.adding(rows[1_500...])
    _ = try copy.adding(rows[..<700])
    #expect(try text(of: second.score()) == text(of: samples.score()))
  }

  @Test("without a place for the file the metrics that need it are left out, with the reason")
  func noFolder() throws {
    let samples = Samples(seed: 7, classes: 300, images: 1_000)
    var tally = Tally(classes: samples.names, rowBudget: 0, temporaryFolder: "/nowhere/at/all")
    tally = try tally.adding(samples.rows)
    let score = tally.score()
    let whole = try samples.score()
    #expect(score.macro?.averagePrecision == nil)
    #expect(score.classes.allSatisfy { $0.averagePrecision == nil })
    #expect(score.labelIssues == nil)
    #expect(score.calibration?.temperature == nil)
    #expect(
      score.omitted
        == ["average_precision", "label_issues", "calibration.temperature"].map {
          Omission(
            metric: $0,
            reason: "a temporary file cannot be created in /nowhere/at/all: No such file or directory")
        })
    #expect(score.top5 == whole.top5)
    #expect(score.logLoss == whole.logLoss)
    #expect(score.ece == whole.ece)
  }

  @Test("equal largest values go to the lowest label and are counted")
  func ties() throws {
    var tally = Tally(classes: ["a", "b", "c"])
    try tally.add("1", truth: 1, row: [0.4, 0.4, 0.2])
    try tally.add("2", truth: 0, row: [0.4, 0.4, 0.2])
    try tally.add("3", truth: 2, row: [0.6, 0.2, 0.2])
    let score = tally.score()
    #expect(score.ties == 2)
    #expect(score.predictions.map(\.predicted) == [0, 0, 0])
    #expect(score.predictions.map(\.rank) == [2, 1, 3])
    #expect(score.rankHistogram == [1, 1, 1])
  }

  @Test("a row of zeros is scored as one that prefers no class")
  func zeros() throws {
    var tally = Tally(classes: ["a", "b", "c", "d"])
    try tally.add("1", truth: 2, row: [0, 0, 0, 0])
    let score = tally.score()
    #expect((score.unnormalised, score.ties) == (1, 1))
    #expect(score.predictions[0].predicted == 0)
    #expect(score.predictions[0].confidence == 0.25)
    #expect(score.predictions[0].truthProbability == 0.25)
    #expect(abs((score.logLoss ?? 0) - 1.3862943611198906) < 1e-15)
    #expect(score.brier == 0.75)
  }

  @Test("a sum within 0.001 of 1 is taken for 1, and any other is divided by")
  func unnormalised() throws {
    var tally = Tally(classes: ["a", "b"])
    try tally.add("1", truth: 0, row: [0.5004, 0.5])
    try tally.add("2", truth: 0, row: [3, 1])
    let score = tally.score()
    #expect(score.unnormalised == 1)
    #expect(score.predictions.map(\.confidence) == [0.5004, 0.75])
  }

  @Test("paths that come twice are scored twice, and counted")
  func duplicates() throws {
    var tally = Tally(classes: ["a", "b"])
    for (path, predicted) in [("x", 0), ("y", 0), ("x", 1), ("x", 0)] {
      try tally.add(path, truth: 0, predicted: predicted)
    }
    let score = tally.score()
    #expect((score.scored, score.duplicates) == (4, 2))
    #expect(score.predictions.map(\.path) == ["x", "x", "x", "y"])
  }

  @Test("inputs are the scored, the invalid and the missing; the unexpected are apart; all are sorted")
  func reconciliation() throws {
    var tally = Tally(classes: ["a"])
    try tally.add("d", truth: 0, row: [1])
    tally.addMissing("é")
    tally.addMissing("z")
    tally.addInvalid("b", reason: "two")
    tally.addInvalid("b", reason: "one")
    tally.addUnexpected("u")
    tally.addUnexpected("t")
    let score = tally.score()
    #expect((score.images, score.scored) == (5, 1))
    #expect(score.missing == ["z", "é"])
    #expect(score.invalid.map(\.reason) == ["one", "two"])
    #expect(score.unexpected == ["t", "u"])
  }
}
