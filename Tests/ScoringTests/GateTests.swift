import Scoring
import TestSupport
import Testing

@Suite("Gates")
struct GateTests {
  private let classes = [
    "bathtub", "a.recall=0", "a", "x,y", "top1=0.5", "with \"quotes\"", " spaced ", "e\u{301}",
  ]

  @Test(
    "are read with any class name in them",
    arguments: [
      ("top1=0.8", "top1", nil, 0.8), ("class:bathtub.recall=0.5", "recall", "bathtub", 0.5),
      ("class:a.recall=0.25", "recall", "a", 0.25), ("class:a.recall=0.f1=1e-1", "f1", "a.recall=0", 0.1),
      ("class:x,y.precision=.5", "precision", "x,y", 0.5),
      ("class:top1=0.5.support=20", "support", "top1=0.5", 20),
      ("class:\"x,y\".recall=1", "recall", "x,y", 1),
      ("class:\"with \"\"quotes\"\"\".recall=1", "recall", "with \"quotes\"", 1),
      ("class:with \"quotes\".recall=1", "recall", "with \"quotes\"", 1),
      ("class: spaced .f1=0", "f1", " spaced ", 0), ("class:e\u{301}.f1=0", "f1", "e\u{301}", 0),
      (" log_loss = 1.5 ", "log_loss", nil, 1.5), ("mcc=-0.5", "mcc", nil, -0.5),
    ] as [(String, String, String?, Double)])
  func parsing(_ line: (text: String, metric: String, className: String?, threshold: Double)) throws {
    let gates = try Gate.parse(line.text, classes: classes)
    #expect(gates.map(\.metric) == [line.metric])
    #expect(gates.first?.className == line.className)
    #expect(gates.first?.threshold == line.threshold)
  }

  @Test("stand side by side")
  func several() throws {
    let gates = try Gate.parse("top1=0.8,class:x,y.recall=0.5, macro_f1=0.7", classes: classes)
    #expect(gates.map(\.name) == ["top1", "class:x,y.recall", "macro_f1"])
  }

  @Test(
    "that cannot be read are refused with what is wrong",
    arguments: [
      ("", "a gate is missing before \"\"; metric=threshold is expected"),
      ("top1=0.8,", "a gate is missing before \"\"; metric=threshold is expected"),
      ("top1", "the gate \"top1\" has no threshold; top1=NUMBER is expected"),
      ("top1=", "the gate \"top1\" has the threshold \"\"; a number is expected"),
      ("top1=nan", "the gate \"top1\" has the threshold \"nan\"; a number is expected"),
      (
        "top1=80%", "the gate \"top1\" has the threshold \"80%\"; a fraction is expected; did you mean 0.8?"
      ),
      ("top1=x%", "the gate \"top1\" has the threshold \"x%\"; a number is expected"),
      (
        "top1=70",
        "the gate \"top1\" has the threshold 70; a fraction from 0 to 1 is expected; did you mean 0.7?"
      ),
      (
        "class:bathtub.recall=33.3,mcc=2, macro_f1=0.5,top5=-1,brier=3",
        "the gate \"class:bathtub.recall\" has the threshold 33.3; a fraction from 0 to 1 is expected; did you mean 0.333?; the gate \"mcc\" has the threshold 2; a number from -1 to 1 is expected; the gate \"top5\" has the threshold -1; a fraction from 0 to 1 is expected; the gate \"brier\" has the threshold 3; a number from 0 to 2 is expected"
      ),
      (
        "macro_f=1",
        "there is no gate \"macro_f\"; did you mean \"macro_f1\"?; the metrics are top1, top2, top3, top5, top10 and 19 more, and class:NAME with .precision, .recall, .f1, .average_precision, .support"
      ),
      (
        "class:\"bath\".recall=1",
        "the gate \"class:\"bath\".recall=1\" names \"bath\", which is not on the class list"
      ),
      ("class:\"bath", "the gate \"class:\"bath\" has a quote that is not closed"),
      (
        "class:\"a\"=1",
        "the gate \"class:\"a\"=1\" names the class \"a\"; then one of .precision, .recall, .f1, .average_precision, .support and = are expected"
      ),
      (
        "class:bath.recall=1",
        "the gate \"class:bath.recall=1\" is not class:NAME.metric=threshold with a name of the class list and one of .precision, .recall, .f1, .average_precision, .support"
      ),
    ])
  func refusals(_ line: (text: String, words: String)) {
    let error = #expect(throws: ScoringError.self) { try Gate.parse(line.text, classes: classes) }
    #expect(error?.description == line.words)
  }

  @Test("names of metrics that are not known are answered with those that are")
  func unknownMetric() {
    let error = #expect(throws: ScoringError.self) { try Gate.parse("accuracy=1", classes: []) }
    #expect(
      error?.description.hasPrefix("there is no gate \"accuracy\"; the metrics are top1, top2,") == true)
  }

  @Test("every metric has a value, a missing one fails, a loss may be at most its threshold")
  func evaluation() throws {
    let score = try Samples(seed: 1, classes: 8, images: 400).score()
    let all = try Gate.parse(Gate.metrics.map { "\($0)=0.5" }.joined(separator: ","), classes: [])
    for result in score.evaluate(all)
    where !result.gate.hasSuffix("_average_precision") || result.value == nil {
      let isLoss = Gate.losses.contains(result.gate)
      let value = try #require(result.value, "\(result.gate)")
      #expect(result.passed == (isLoss ? value <= 0.5 : value >= 0.5))
    }
    #expect(score.evaluate(all).map(\.gate) == Gate.metrics)
    let top1 = try #require(score.top1?.value)
    #expect(score.evaluate(try Gate.parse("top1=\(top1)", classes: []))[0].passed)
    #expect(!score.evaluate(try Gate.parse("top1=\(top1.nextUp)", classes: []))[0].passed)
    let empty = Tally(classes: ["a"]).score()
    #expect(empty.evaluate(all).allSatisfy { !$0.passed && $0.value == nil })
    let never = try Gate.parse("class:a.recall=0,class:a.f1=0", classes: ["a"])
    #expect(empty.evaluate(never).map(\.passed) == [false, true])
  }

  @Test("of a class look at the class of that name")
  func ofClass() throws {
    let score = try Samples(seed: 1, classes: 8, images: 400).score()
    let results = score.evaluate(
      try Gate.parse("class:class 3.recall=0.99,class:class 3.support=1", classes: score.classes.map(\.name)))
    #expect(results.map(\.value) == [score.classes[3].recall.value, Double(score.classes[3].support)])
    #expect(results.map(\.passed) == [false, true])
  }

  @Test("of a comparison say by how much B may be worse")
  func drops() throws {
    var (a, b) = (Tally(classes: ["a", "b"]), Tally(classes: ["a", "b"]))
    for image in 0..<100 {
      try a.add("\(image)", truth: 0, predicted: image < 80 ? 0 : 1)
      try b.add("\(image)", truth: 0, predicted: image < 79 ? 0 : 1)
    }
    let comparison = Comparison(a.score(), b.score())
    func results(_ text: String) throws -> [GateResult] {
      comparison.evaluate(try Gate.parseDrops(text, classes: ["a", "b"]))
    }
    #expect(try results("top1=0.01")[0].passed)
    #expect(try !results("top1=0.009")[0].passed)
    #expect(try abs((results("top1=0")[0].value ?? 0) - 0.01) < 1e-12)
    #expect(
      try results("class:a.recall=0.005,class:b.recall=1,top5=1").map(\.passed) == [false, false, false])
    #expect(
      Comparison(b.score(), a.score()).evaluate(try Gate.parseDrops("top1=0,balanced_accuracy=0")).allSatisfy(
        \.passed))
    #expect(throws: ScoringError.self) { try Gate.parseDrops("kappa=1") }
    #expect(try results("top1=-0.5").map(\.passed) == [false])
    let percentage = #expect(throws: ScoringError.self) { try Gate.parseDrops("top1=1.5") }
    #expect(percentage?.description.hasSuffix("did you mean 0.015?") == true)
  }
}
