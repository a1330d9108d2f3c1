import Scoring
import TestSupport

/// The score of a run with harmless names.
func plainScore(classes classCount: Int, images: Int, pathLength: Int = 0, isHard: Bool = false) throws
  -> Score
{
  var random = SplitMix64(seed: 11)
  var tally = Tally(classes: (0..<classCount).map { "class \($0)" })
  for image in 0..<images {
    let truth = image % classCount
    let path = "folder \(truth)/\(image)" + String(repeating: "x", count: pathLength) + ".jpg"
    let predicted = random.next() % 4 == 0 ? Int(random.next() % UInt64(classCount)) : truth
    if isHard {
      try tally.add(path, truth: truth, predicted: predicted)
      continue
    }
    var row = [Double](repeating: 0.2 / Double(classCount), count: classCount)
    row[predicted] += 0.8 - Double(random.next() % 100) / 200
    try tally.add(
      path, truth: truth, probabilities: row.span, attributes: ["width": .number(Double(image % 7) * 100)])
  }
  return tally.score(ScoreOptions(seed: 1, draws: 50))
}

/// Names that a careless report turns into something else.
let hostileNames = [
  "</script><script>alert(1)</script>", "\"><img src=x onerror=alert(1)>", "a & b < c > d \"e\" 'f'",
  "=cmd()",
  "-1+1", "+1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "＝1", "  =1", "\u{FEFF}=1", "\u{202E}=gpj.exe",
  "'=quoted",
  "two\nlines", "two\r\nlines", "tab\there", "nul\u{0}byte", "bell\u{7}\u{1B}[31mred", "a|b", "a\\|b",
  "`code`",
  "``two``", "`\u{301}", "back\\", "@octocat", "#1", "https://example.com", "www.example.com",
  "me@example.com",
  "[link](https://example.com)", "![i](x)", "*bold* _it_ ~~no~~", "<!-- hidden", "<details>", "&amp;&#64;",
  "not a character \u{FFFE}\u{FFFF}", "line\u{2028}separator\u{2029}", "c1\u{85}control\u{9F}", "a,b;c\"d\"",
  " blanks ", "", "   ", "zero\u{200B}width", "👩‍🔬 é", "e\u{301}", "\u{FFFD}", "]]>", "{{x}}${y}%n",
  String(decoding: [0x61, 0xFF, 0xFE], as: UTF8.self), String(repeating: "long|`<", count: 600),
]

/// A score in which every hostile name is a class and a path, of errors, of bad inputs, of facts and of a gate.
func hostileScore() throws -> Score {
  let names = hostileNames
  var tally = Tally(classes: names)
  for (label, name) in names.enumerated() {
    let other = (label + 1) % names.count
    for (suffix, winner) in [("", label), (".jpg", other)] {
      var row = [Double](repeating: 0, count: names.count)
      row[label] += 0.25
      row[winner] += 0.75
      let span = row.span
      try tally.add(name + suffix, truth: label, probabilities: span, attributes: ["camera": .text(name)])
    }
    tally.addInvalid("\(name) invalid", reason: "byte 1: '\(name)' where a number is expected")
    tally.addMissing("\(name) missing")
    tally.addUnexpected("\(name) unexpected")
  }
  var score = tally.score(ScoreOptions(seed: 0, draws: 100))
  score.details = names.map { Detail($0, $0) }
  let gates = try names.flatMap { name in
    try Gate.parse("class:\"\(name.replacing("\"", with: "\"\""))\".recall=0.9", classes: names)
  }
  score.gates = score.evaluate(gates)
  return score
}

/// Two scores of the same hostile images.
func hostileComparison() throws -> Comparison {
  var comparisons: [Score] = []
  for shift in 0..<2 {
    var tally = Tally(classes: hostileNames)
    for (label, name) in hostileNames.enumerated() {
      try tally.add(name, truth: label, predicted: (label + label % 2 * shift) % hostileNames.count)
      try tally.add(
        name + "2", truth: label, predicted: (label + (label + 1) % 2 * shift) % hostileNames.count)
      if shift == 1 { try tally.add(name + " in B", truth: 0, predicted: 0) }
    }
    comparisons.append(tally.score(ScoreOptions(seed: 0, draws: 100)))
  }
  var comparison = Comparison(comparisons[0], comparisons[1], ComparisonOptions(seed: 0, draws: 100))
  comparison.details = hostileNames.map { Detail($0, $0) }
  comparison.gates = comparison.evaluate(try Gate.parseDrops("top1=0.01,macro_f1=1", classes: []))
  return comparison
}
