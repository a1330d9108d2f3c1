import Imaging
import Scoring

/// The sections of the report of one run.
struct ScorePage {
  let score: Score
  let thumbs: ThumbBook
  /// The class names, cut for headings and narrow places.
  private let names: [String]

  init(_ score: Score, thumbs: ThumbBook) {
    self.score = score
    self.thumbs = thumbs
    names = score.classes.map { clipped($0.name, to: 48) }
  }

  func className(_ label: Int) -> String { names.indices.contains(label) ? names[label] : "class \(label)" }
  func classLink(_ label: Int) -> String { "#c\(label)" }

  var hasProbabilities: Bool { score.scored > 0 && score.hardLabels == 0 }

  func page() throws(ImageError) -> ReportPage {
    var sections = [summary]
    if let gates { sections.append(gates) }
    sections.append(figures)
    if score.scored > 0, !score.confusion.isEmpty { sections.append(try matrix()) }
    if let pairs { sections.append(pairs) }
    if let groups { sections.append(groups) }
    if !score.classes.isEmpty { sections.append(classes) }
    if let confidence { sections.append(confidence) }
    if let slices { sections.append(slices) }
    if let labelIssues { sections.append(labelIssues) }
    if let errors { sections.append(errors) }
    sections.append(accounting)
    sections.append(about)
    return ReportPage(
      title: "Accuracy report", heading: "Accuracy report",
      origins: score.details.prefix(2).map { ($0.name, $0.value) }, hero: hero, sections: sections,
      footer: footer, data: PageData(score, thumbs: thumbs).json, thumbs: thumbs.all)
  }

  private var footer: String {
    ReportPage.footer(program: score.details.first { $0.name == "Program" }?.value ?? "imrec")
  }
}

extension ScorePage {
  var hero: ReportPage.Hero {
    guard let top1 = score.top1 else {
      return ReportPage.Hero(
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
      + "\(correct == 1 ? "is" : "are") classified correctly"
      + "\(score.errors == 0 ? "." : " and \(whole(score.errors)) \(score.errors == 1 ? "is" : "are") not.") "
      + "On other images of the same kind, expect an accuracy between \(percent(top1.low, 1)) and "
      + "\(percent(top1.high, 1))."
    return ReportPage.Hero(
      name: "Top-1 accuracy", value: decimal(100 * top1.value, 1), unit: "%",
      chart: .scale("Top-1 accuracy", top1.value, top1),
      range: "95 % interval: \(range(top1))", sentence: sentence,
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

  /// What a reader should know first, each point with a link to where it is shown.
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
            "\(percent(Double(groups.errorsInside) / Double(score.errors), 1)) of the errors stay inside \(groups.source == .given ? "the given groups" : "groups of classes that are confused with each other").",
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
            + (issues.areMostlyModelErrors(scored: score.scored)
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

  /// The pair with most errors, how many have as many, and the share of the first 20 pairs where there are more.
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

/// Each gate with its value, its threshold and its result, which is in words and not only in colour.
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

extension ScorePage {
  /// Every metric of the whole run, with its interval.
  var figures: Section {
    Section(
      "figures", "All figures",
      lead:
        "Fractions with a 95 % interval where one is known: Wilson's for shares of images, a bootstrap of the images for averages over classes.",
      [
        score.scored > 0
          ? Block.columns([
            [Block.chart(intervalChart, table: estimateTable)], [Block.table(figureTable)].compactMap(\.self),
          ]) : nil,
        Block.table(averageTable), Block.table(omittedTable),
      ])
  }

  private var estimates: [(name: String, estimate: Estimate)] {
    [
      ("Top-1", score.top1), ("Top-2", score.top2), ("Top-3", score.top3), ("Top-5", score.top5),
      ("Top-10", score.top10), ("Macro precision", score.bootstrap?.macroPrecision),
      ("Macro recall", score.bootstrap?.macroRecall), ("Macro F1", score.bootstrap?.macroF1),
      ("Balanced accuracy", score.bootstrap?.balancedAccuracy),
    ].compactMap { name, estimate in estimate.map { (name, $0) } }
  }

  private var estimateTable: Table {
    var table = Table(
      "intervals-table", "Figures with an interval", text: ["Metric"], numbers: ["Value", "95 % interval"])
    for (name, estimate) in estimates {
      table.add([head(name), Cell.percent(estimate.value), Cell.interval(estimate, hasBar: false)])
    }
    return table
  }

  private var figureTable: Table {
    var table = Table("figures-table", "Other metrics", text: ["Metric"], numbers: ["Value"])
    for (name, value) in [
      ("Cohen's kappa", score.kappa), ("Matthews correlation", score.mcc), ("Log-loss, nats", score.logLoss),
      ("Brier score", score.brier),
    ] where value != nil { table.add([head(name), Cell.decimal(value)]) }
    if let calibration = score.calibration {
      for (name, value) in [
        ("Calibration error, equal width", calibration.eceEqualWidth),
        ("Calibration error, equal mass", calibration.eceEqualMass),
        ("Calibration error, largest", calibration.mce), ("Mean confidence", calibration.confidence),
      ] { table.add([head(name), Cell.percent(value)]) }
    }
    if score.bootstrap == nil, let balanced = score.balancedAccuracy {
      table.add([head("Balanced accuracy"), Cell.percent(balanced)])
    }
    return table
  }

  private var averageTable: Table {
    var table = Table(
      "averages-table", "Averages over the classes", text: ["Average"],
      numbers: ["Precision", "Recall", "F1", "Average precision"])
    for (name, averages) in [("Macro", score.macro), ("Micro", score.micro), ("Weighted", score.weighted)] {
      guard let averages else { continue }
      table.add([
        head(name), Cell.percent(averages.precision), Cell.percent(averages.recall),
        Cell.percent(averages.f1),
        Cell.percent(averages.averagePrecision),
      ])
    }
    return table
  }

  private var omittedTable: Table {
    var table = Table("omitted-table", "Left out", text: ["Metric", "Why"])
    for item in score.omitted { table.add([head(item.metric), Cell.text(clipped(item.reason, to: 400))]) }
    return table
  }

  private var intervalChart: Chart {
    let rows = estimates
    let height = Double(rows.count) * 26 + 44
    let said = rows.map { "\($0.name) \(percent($0.estimate.value)), \(range($0.estimate))" }
    var chart = Chart(
      id: "intervals", title: "Accuracy figures and their 95 % intervals",
      description: said.joined(separator: "; ") + ".", height: height)
    let plane = Plane(left: 124, top: 6, width: 216, height: height - 40)
    for (value, words) in Chart.shareTicks {
      chart.line(plane.across(value), plane.top, plane.across(value), plane.top + plane.height, "grid")
      chart.text(plane.across(value), plane.top + plane.height + 18, words, .middle, style: "tick")
    }
    for (index, row) in rows.enumerated() {
      let y = plane.top + Double(index) * 26 + 15
      chart.text(plane.left - 10, y + 4, row.name, .end)
      let (low, high) = (plane.across(row.estimate.low), plane.across(row.estimate.high))
      chart.rect(low, y - 4, max(1.5, high - low), 8, "whisker")
      chart.rect(plane.across(row.estimate.value) - 1.2, y - 8, 2.4, 16, "mark")
      chart.text(plane.left + plane.width + 74, y + 4, percent(row.estimate.value), .end, style: "value")
    }
    return chart
  }
}

extension ScorePage {
  /// How many entries a list in the page has at most, and how many bytes of text.
  static let listLimit = 500
  static let listByteLimit = 60_000

  /// What became of every image.
  var accounting: Section {
    let (invalid, missing) = (score.invalid.count, score.missing.count)
    var table = Table(
      "images-table", "What became of the images", text: ["Images"], numbers: ["Count", "Share"])
    let total = Double(max(1, score.images))
    for (name, count) in [("Scored", score.scored), ("Invalid", invalid), ("Missing", missing)] {
      table.add([head(name), Cell.number(count), Cell.share(Double(count) / total)])
    }
    table.add([head("All images"), Cell.number(score.images), Cell.share(score.images == 0 ? 0 : 1)])
    var odd = Table("odd-table", "Also counted", text: ["What", "What it means"], numbers: ["Count"])
    for (name, meaning, count) in [
      ("Unexpected outputs", "belong to no image; in none of the figures", score.unexpected.count),
      ("Unnormalised", "their probabilities do not sum to 1; scored as they are", score.unnormalised),
      ("Ties", "more than one class shares the largest probability; the lowest label was taken", score.ties),
      ("Labels only", "a class without probabilities", score.hardLabels),
      ("Duplicates", "their path had occurred before; each counts", score.duplicates),
    ] { odd.add([head(name), Cell.text(meaning), Cell.number(count)]) }
    return Section(
      "images", "Images accounted for",
      lead:
        "\(counted(score.images, "image")) = \(whole(score.scored)) scored + \(whole(invalid)) invalid + \(whole(missing)) missing. Nothing is dropped silently.",
      [
        Block.table(table), Block.table(odd),
        list("Invalid", score.invalid.map { ($0.path, $0.reason) }, "invalid-table", reasons: true),
        list("Missing: no output", score.missing.map { ($0, "") }, "missing-table"),
        list("Unexpected: no image", score.unexpected.map { ($0, "") }, "unexpected-table"),
      ])
  }

  private func list(
    _ title: String, _ items: [(path: String, reason: String)], _ id: String, reasons: Bool = false
  ) -> Node? {
    guard !items.isEmpty else { return nil }
    let (table, shown) = pathTable(id, title, items, reasons: reasons)
    return Block.fold(
      title, count: whole(items.count), isOpen: shown <= 10, [Block.table(table)].compactMap(\.self))
  }
}

/// A table of as many paths as fit; it says how many more there are.
func pathTable(_ id: String, _ caption: String, _ items: [(path: String, reason: String)], reasons: Bool)
  -> (table: Table, shown: Int)
{
  var table = Table(id, caption, text: reasons ? ["Path", "Why"] : ["Path"])
  var byteCount = 0
  for item in items.prefix(ScorePage.listLimit) {
    byteCount += item.path.utf8.count + min(item.reason.utf8.count, 400)
    if byteCount > ScorePage.listByteLimit, !table.rows.isEmpty { break }
    var cells = [Cell.long(item.path, limit: 100, isHead: true)]
    if reasons { cells.append(Cell.text(clipped(item.reason, to: 400))) }
    table.add(cells)
  }
  let rest = items.count - table.rows.count
  if rest > 0 { table.rest = "\(whole(rest)) more; the JSON of the run names them all." }
  return (table, table.rows.count)
}
