import Scoring

extension ScorePage {
  var hero: Page.Hero {
    guard let top1 = score.top1 else {
      return Page.Hero(
        name: "Top-1 accuracy", value: "–", range: "Nothing could be measured.",
        sentence: score.images == 0
          ? "There are no images: this report has nothing to say about the model."
          : "None of the \(counted(score.images, "image")) could be scored, so there is no accuracy. "
            + "The section on the images says why.",
        verdict: score.gates.verdict)
    }
    let correct = score.scored - score.errors
    let sentence =
      "Of \(counted(score.scored, "scored image")), \(whole(correct)) "
      + "\(correct == 1 ? "has its" : "have their") right class in the first place"
      + "\(score.errors == 0 ? "." : " and \(whole(score.errors)) \(score.errors == 1 ? "does" : "do") not.") "
      + "On other images of the same kind, an accuracy between \(percent(top1.low, 1)) and "
      + "\(percent(top1.high, 1)) is to be expected."
    return Page.Hero(
      name: "Top-1 accuracy", value: decimal(100 * top1.value, 1), unit: "%",
      chart: scaleChart(top1), range: "95 % interval: \(range(top1))", sentence: sentence,
      verdict: score.gates.verdict,
      tiles: tiles)
  }

  private var tiles: [(name: String, value: String, note: String)] {
    var tiles: [(name: String, value: String, note: String)] = []
    if let top5 = score.top5 { tiles.append(("Top-5", percent(top5.value, 1), range(top5, 1))) }
    if let macro = score.macro {
      let interval = score.bootstrap?.macroF1
      tiles.append(
        ("Macro F1", percent(macro.f1, 1), interval.map { range($0, 1) } ?? "mean over the classes"))
    }
    if let balanced = score.balancedAccuracy {
      let interval = score.bootstrap?.balancedAccuracy
      tiles.append(
        ("Balanced accuracy", percent(balanced, 1), interval.map { range($0, 1) } ?? "mean recall"))
    }
    if let ece = score.ece, let calibration = score.calibration, let top1 = score.top1 {
      let gap = calibration.confidence - top1.value
      let way = abs(gap) < 0.02 ? "right on average" : gap > 0 ? "too sure" : "not sure enough"
      tiles.append(("Calibration error", percent(ece, 1), ece < 0.02 ? "well calibrated" : way))
    }
    tiles.append(("Errors", whole(score.errors), "in \(counted(score.directedPairCount, "cell"))"))
    tiles.append(("Classes", whole(score.classes.count), "\(whole(occurring.count)) occur"))
    return tiles
  }

  var occurring: [ClassScore] { score.classes.filter { $0.support > 0 } }

  private func scaleChart(_ estimate: Estimate) -> Chart {
    var chart = Chart(
      id: "scale", title: "Top-1 accuracy on a scale from 0 to 100 %",
      description: "\(percent(estimate.value)), with an interval from \(range(estimate)).", width: 420,
      height: 34)
    chart.rect(2, 8, 416, 6, "track")
    chart.rect(2 + 416 * estimate.low, 4, max(2, 416 * (estimate.high - estimate.low)), 14, "whisker")
    chart.rect(1 + 416 * estimate.value, 1, 2.5, 20, "mark")
    for (value, words, anchor) in [
      (0.0, "0", Chart.Anchor.start), (0.5, "50", .middle), (1, "100\u{A0}%", .end),
    ] { chart.text(2 + 416 * value, 32, words, anchor, style: "tick") }
    return chart
  }

  /// What a reader should know first, each with a link to where it is shown.
  var summary: Section {
    var points: [Block.Point] = []
    if let worst = occurring.min(by: { ($0.recall.value, $0.label) < ($1.recall.value, $1.label) }),
      occurring.count > 1, worst.recall.value < 1
    {
      let alike = occurring.count { $0.recall.value == worst.recall.value }
      points.append(
        .init(
          head: alike == 1 ? "Weakest class" : "Weakest classes",
          words:
            "\(className(worst.label)): \(percent(worst.recall.value, 1)) of its \(counted(worst.support, "image")) "
            + "\(worst.support == 1 ? "is" : "are") found (95 % interval \(range(worst.recall, 1)))"
            + (alike == 1 ? "." : ", as in \(counted(alike - 1, "other class", "other classes"))."),
          href: "#classes"))
    }
    if let pair = score.pairs.first {
      points.append(.init(head: "Most confused", words: confusedSentence(pair), href: "#pairs"))
    }
    if let groups = score.groups, score.hasTellingGroups {
      points.append(
        .init(
          head: "Inside groups",
          words:
            "\(percent(Double(groups.errorsInside) / Double(score.errors), 1)) of the errors stay inside \(groups.source == .given ? "the given groups" : "groups of classes that are taken for each other").",
          href: "#groups"))
    }
    if let calibration = score.calibration, let top1 = score.top1, let verdict = score.confidenceVerdict {
      let judgement =
        switch verdict {
        case .fits: "its confidence can be believed."
        case .fitsOnAverage: "it is too sure of some images and not sure enough of others."
        case .tooHigh: "it is too sure of itself."
        case .tooLow: "it is less sure than it could be."
        }
      points.append(
        .init(
          head: "Confidence",
          words:
            "The model claims \(percent(calibration.confidence, 1)) on average and is right in "
            + "\(percent(top1.value, 1)): \(judgement)",
          href: "#confidence"))
    }
    if let issues = score.labelIssues, issues.count > 0 {
      points.append(
        .init(
          head: "Labels",
          words:
            "The model doubts the label of \(counted(issues.count, "image")) (\(percent(Double(issues.count) / Double(max(1, score.scored)), 1))): "
            + (issues.speaksOfModel(scored: score.scored)
              ? "so many are mostly its own mistakes." : "the first place to look for wrong ones."),
          href: "#labels"))
    }
    let lost = score.images - score.scored
    if lost > 0 || !score.unexpected.isEmpty {
      points.append(
        .init(
          head: "Left out",
          words:
            "\(whole(lost)) of \(counted(score.images, "image")) could not be scored; \(counted(score.unexpected.count, "output")) belong\(score.unexpected.count == 1 ? "s" : "") to no image.",
          href: "#images"))
    }
    if score.hardLabels > 0 {
      points.append(
        .init(
          head: "Labels only",
          words:
            "\(counted(score.hardLabels, "output")) gave a class without probabilities: what needs them is left out.",
          href: "#about"))
    }
    if points.isEmpty {
      let words = score.scored == 0 ? "No image was scored." : "There are no errors to explain."
      points.append(.init(head: "Nothing stands out.", words: words, href: nil))
    }
    return Section("summary", "What stands out", [Block.points(points)])
  }

  /// The pair of most errors, those that have as many, and what the first 20 have of all errors where there are more.
  private func confusedSentence(_ pair: SymmetricPair) -> String {
    let others = score.mostConfusedCount - 1
    var words = "\(className(pair.a)) and \(className(pair.b)): \(counted(pair.count, "error"))"
    words += others > 0 ? ", as many as \(counted(others, "other pair"))." : "."
    guard score.pairCount > 20 else {
      return words
        + (score.pairCount == 1
          ? " No other classes are confused." : " \(score.pairCount) pairs are confused in all.")
    }
    return words
      + " The first 20 of \(whole(score.pairCount)) pairs have \(percent(score.pairs[19].cumulative, 1)) of all errors."
  }

  var gates: Section? {
    guard !score.gates.isEmpty else { return nil }
    return Section(
      "gates", "Gates", lead: "What was asked of this run, and whether it holds.",
      [Block.table(gateTable(score.gates))])
  }
}

/// Each gate with its value, its threshold and how it ended, in words and not by colour alone.
func gateTable(_ gates: [GateResult], isDrop: Bool = false) -> Table {
  var table = Table("gates-table", "Gates", text: ["Gate", "Result"], numbers: ["Value", "Asked for"])
  for gate in gates {
    let bound = isDrop ? "drop ≤ " : Gate.losses.contains(gate.gate) ? "≤ " : "≥ "
    let result = Cell.text(gate.passed ? "✓ passed" : "✗ failed")
    table.add([
      Cell.long(gate.gate, isHead: true), result,
      Cell.number(gate.value.map { decimal($0, 4) } ?? "not computed"),
      Cell.number(bound + "\(gate.threshold)"),
    ])
  }
  return table
}
