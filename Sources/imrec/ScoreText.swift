import Encodings
import Reporting
import Scoring
import Terminal

/// The terminal text of a score: the headline, the counts, the figures, the worst errors, and the gates.
struct ScoreText {
  private static let listedCount = 10
  private static let imageCount = 5
  private(set) var text = ""
  private let score: Score
  private let style: TextStyle

  init(_ score: Score, matched: String, output: String?, style: TextStyle = TextStyle()) {
    self.score = score
    self.style = style
    addHeadline()
    addCounts(matched)
    addAccuracy()
    addProbabilities()
    addClasses()
    addPairs()
    addImages()
    addGates()
    if let output { line("\nwritten: \(printable(output))") }
  }

  private mutating func addHeadline() {
    guard let top1 = score.top1 else { return line(style.heading("No image was scored.")) }
    let right = score.scored - score.errors
    line(
      style.heading("Top-1 accuracy \(decimalText(100 * top1.value, 1)) %")
        + " (95 % interval \(decimalText(100 * top1.low, 1)) to \(decimalText(100 * top1.high, 1)) %): "
        + "\(groupedText(right)) of \(groupedText(score.scored)) correct\n")
  }

  private mutating func addCounts(_ matched: String) {
    row(
      "images",
      "\(groupedText(score.images)) = \(groupedText(score.scored)) scored + \(groupedText(score.invalid.count)) invalid + "
        + "\(groupedText(score.missing.count)) missing")
    if !score.unexpected.isEmpty {
      row("unexpected", "\(counted(score.unexpected.count, "output")) without an image in the truth")
    }
    row("matched by", matched)
    row("classes", classesText())
    if score.unnormalised > 0 {
      row("unnormalised", "\(counted(score.unnormalised, "output")) not summing to 1, scored unchanged")
    }
    if score.ties > 0 { row("ties", "\(counted(score.ties, "image")), resolved to the lowest label") }
    if score.hardLabels > 0 {
      row(
        "labels only", "\(counted(score.hardLabels, "output")); figures that need probabilities are left out")
    }
  }

  private func classesText() -> String {
    let absent = score.classes.count { $0.support == 0 }
    let unpredicted = score.classes.count { $0.predicted == 0 }
    var text = groupedText(score.classes.count)
    if score.scored == 0 { return text }
    if absent > 0 { text += ", \(groupedText(absent)) without images" }
    if unpredicted > 0 { text += ", \(groupedText(unpredicted)) never predicted" }
    return text
  }

  private mutating func addAccuracy() {
    guard score.top1 != nil else { return }
    heading("Accuracy", "  value     95 % interval")
    for (name, estimate) in [
      ("top-1", score.top1), ("top-2", score.top2), ("top-3", score.top3), ("top-5", score.top5),
      ("top-10", score.top10),
    ] { figure(name, estimate) }
    let occurring = score.classes.count { $0.support > 0 }
    figure(
      "balanced", score.bootstrap?.balancedAccuracy,
      "mean recall of \(counted(occurring, "class", "classes"))")
    let absent = score.classes.count - occurring
    figure(
      "macro F1", score.bootstrap?.macroF1,
      counted(score.classes.count, "class", "classes")
        + (absent > 0 ? "; the \(groupedText(absent)) without images count as 0" : ""))
    if let value = score.weighted?.f1 { row("weighted F1", percent(value)) }
    if let value = score.kappa { row("kappa", leftPadded(decimalText(value, 3), 7)) }
    if let value = score.mcc { row("MCC", leftPadded(decimalText(value, 3), 7)) }
  }

  private mutating func figure(_ name: String, _ estimate: Estimate?, _ remark: String = "") {
    guard let estimate else { return }
    let remark = remark.isEmpty ? "" : "   " + style.quiet(remark)
    row(name, "\(percent(estimate.value))   \(interval(estimate))\(remark)")
  }

  private mutating func addProbabilities() {
    guard let calibration = score.calibration else { return }
    heading("Probabilities", "")
    if let value = score.logLoss { row("log-loss", leftPadded(decimalText(value, 3), 7)) }
    if let value = score.brier { row("Brier", leftPadded(decimalText(value, 3), 7)) }
    let judgement =
      switch score.confidenceVerdict {
      case .fits: "well calibrated"
      case .fitsOnAverage: "calibrated only on average"
      case .tooHigh: "overconfident"
      case .tooLow, nil: "underconfident"
      }
    row(
      "calibration",
      "ECE \(decimalText(100 * calibration.eceEqualWidth, 1)) %; mean confidence \(decimalText(100 * calibration.confidence, 1)) %: "
        + judgement)
    if let temperature = calibration.temperature {
      row(
        "temperature",
        "\(decimalText(temperature.value, 2)) fits best: log-loss \(decimalText(temperature.before, 3)) "
          + "drops to \(decimalText(temperature.after, 3))")
    }
  }

  private mutating func addClasses() {
    let occurring = score.classes.filter { $0.support > 0 }
    guard occurring.count > 1, score.errors > 0 else { return }
    let worst = occurring.sorted { ($0.recall.value, $0.label) < ($1.recall.value, $1.label) }.prefix(
      Self.listedCount)
    let width = (style.width - 42) / 2
    line(
      "\n" + style.heading(padded("Worst classes", width + 2))
        + style.quiet("   recall     95 % interval   images   most often predicted as"))
    for item in worst {
      let most = score.directedPairs.first { $0.truth == item.label }
      let taken = most.map { "\(cell(name($0.predicted), width - 6)) (\($0.count))" } ?? ""
      line(
        "  \(padded(cell(item.name, width), width))  \(percent(item.recall.value))   \(interval(item.recall))   "
          + "\(leftPadded("\(item.support)", 6))   \(taken)")
    }
  }

  private mutating func addPairs() {
    guard !score.pairs.isEmpty else { return }
    line(
      "\n" + style.heading("Most confused classes")
        + style.quiet("   (\(counted(score.errors, "error")) in \(counted(score.pairCount, "pair")))"))
    let width = (style.width - 24) / 2
    for pair in score.pairs.prefix(Self.listedCount) {
      line(
        "  \(leftPadded("\(pair.count)", 6))  \(percent(pair.share))   \(cell(name(pair.a), width)) / \(cell(name(pair.b), width))"
      )
    }
  }

  private mutating func addImages() {
    let errors = score.confidentErrors ?? []
    if !errors.isEmpty {
      line("\n" + style.heading("Most confidently wrong"))
      for item in errors.prefix(Self.imageCount) { addImage(item) }
    }
    if let issues = score.labelIssues, issues.count > 0 {
      line("")
      let most =
        issues.areMostlyModelErrors(scored: score.scored) ? "; most are probably errors of the model" : ""
      row("label errors?", "\(counted(issues.count, "image")) whose label may be wrong\(most)")
    }
  }

  private mutating func addImage(_ item: WrongPrediction) {
    let width = (style.width - 20) / 2
    let classWidth = (style.width - width - 20) / 2
    line(
      "  \(percent(item.confidence))   \(padded(cell(item.path, width), width))  "
        + "\(cell(name(item.truth), classWidth)) → \(cell(name(item.predicted), classWidth))")
  }

  private mutating func addGates() {
    guard !score.gates.isEmpty else { return }
    line("\n" + style.heading("Gates"))
    for gate in score.gates { line(gateLine(gate)) }
  }

  private func gateLine(_ gate: GateResult) -> String {
    let value = gate.value.map { decimalText($0, 4) } ?? "not computed"
    let bound = Gate.losses.contains(gate.gate) ? "at most" : "at least"
    return
      "  \(gate.passed ? style.good("passed") : style.bad("FAILED"))   \(cell(gate.gate, style.width - 50)): "
      + "\(value), \(bound) \(gate.threshold) is required"
  }

  private func name(_ label: Int) -> String {
    score.classes.indices.contains(label) ? score.classes[label].name : "\(label)"
  }

  private mutating func heading(_ name: String, _ columns: String) {
    line("\n" + style.heading(padded(name, 16)) + style.quiet(columns))
  }

  private mutating func row(_ name: String, _ value: String) { line("  \(padded(name, 13)) \(value)") }

  private mutating func line(_ line: String) { text += line + "\n" }
}
