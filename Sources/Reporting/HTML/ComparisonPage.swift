import Imaging
import Scoring

/// The comparison of two runs, section by section.
struct ComparisonPage {
  let comparison: Comparison
  let a: Score
  let b: Score
  let thumbs: ThumbBook
  private let names: [String]

  init(_ comparison: Comparison, a: Score, b: Score, thumbs: ThumbBook) {
    self.comparison = comparison
    self.a = a
    self.b = b
    self.thumbs = thumbs
    names = comparison.classes.map { clipped($0.name, to: 48) }
  }

  func className(_ label: Int) -> String { names.indices.contains(label) ? names[label] : "class \(label)" }
  func head(_ words: String) -> Node { ["words": words, "isHead": true] }

  func page() throws(Imaging.ImageError) -> Page {
    var sections = [summary]
    if !comparison.gates.isEmpty {
      sections.append(
        Section(
          "gates", "Gates", lead: "How far each figure may drop from A to B.",
          [Block.table(gateTable(comparison.gates, isDrop: true))]))
    }
    sections.append(figures)
    if comparison.images > 0 { sections.append(try matrices()) }
    if !comparison.classes.isEmpty { sections.append(classes) }
    if !comparison.flips.isEmpty { sections.append(flips) }
    sections.append(books)
    sections.append(about)
    return Page(
      title: "Comparison of two runs", heading: "Comparison of two runs",
      origins: comparison.details.prefix(2).map { ($0.name, $0.value) }, hero: hero, sections: sections,
      footer: "Made by imrec. One file, no request to anywhere. The same input gives the same bytes.",
      data: "{}", thumbs: thumbs.all)
  }

  /// What McNemar's test says, in words.
  var isHardlyChance: Bool { comparison.mcnemar.exactP < 0.05 }

  private var hero: Page.Hero {
    guard let difference = comparison.top1Difference, let one = comparison.a.top1, let two = comparison.b.top1
    else {
      return Page.Hero(
        name: "Difference in top-1 accuracy", value: "–", range: "Nothing could be measured.",
        sentence: "The runs have no image in common with the same truth.", verdict: comparison.gates.verdict)
    }
    let way = difference.value == 0 ? "as good as" : difference.value > 0 ? "better than" : "worse than"
    let certainty =
      difference.value == 0
      ? "" : isHardlyChance ? " The difference is hardly chance" : " The difference could be chance"
    let test =
      difference.value == 0 ? "" : " (McNemar's exact test: p \(pValue(comparison.mcnemar.exactP)))."
    return Page.Hero(
      name: "Top-1 accuracy, B against A", value: points(difference.value, 1), unit: "points",
      chart: differenceChart(difference),
      range: "95 % interval: \(points(difference.low)) to \(points(difference.high)) points",
      sentence:
        "On the \(counted(comparison.images, "image")) both have, B is \(way) A: right in \(percent(two.value)) instead of \(percent(one.value)).\(certainty)\(test)",
      verdict: comparison.gates.verdict,
      tiles: [
        ("A", percent(one.value, 1), range(one, 1)), ("B", percent(two.value, 1), range(two, 1)),
        ("Fixed", whole(comparison.onlyBRight), "only B is right"),
        ("Broken", whole(comparison.onlyARight), "only A is right"),
        ("Both right", whole(comparison.bothRight), "of \(whole(comparison.images))"),
        ("Both wrong", whole(comparison.bothWrong), "of \(whole(comparison.images))"),
      ])
  }

  func pValue(_ p: Double) -> String { p < 0.0001 ? "< 0.0001" : "= " + probabilityText(p) }

  /// The difference on a scale with no change in the middle.
  private func differenceChart(_ estimate: Estimate) -> Chart {
    let reach = max(0.01, axisSteps(to: max(abs(estimate.low), abs(estimate.high)), about: 2).last ?? 0.01)
    var chart = Chart(
      id: "scale", title: "Difference in top-1 accuracy, B minus A",
      description:
        "\(points(estimate.value)) points, with an interval from \(points(estimate.low)) to \(points(estimate.high)).",
      width: 420, height: 34)
    func across(_ value: Double) -> Double { 2 + 416 * (value + reach) / (2 * reach) }
    let isWorse = estimate.value < 0
    chart.rect(2, 8, 416, 6, "track")
    chart.rect(
      across(estimate.low), 4, max(2, across(estimate.high) - across(estimate.low)), 14,
      isWorse ? "whisker-wrong" : "whisker")
    chart.line(210, 0, 210, 22, "marker")
    chart.rect(across(estimate.value) - 1.2, 1, 2.5, 20, isWorse ? "mark-wrong" : "mark")
    chart.text(2, 33, points(-reach, 1), .start, style: "tick")
    chart.text(210, 33, "no change", .middle, style: "tick")
    chart.text(418, 33, points(reach, 1), .end, style: "tick")
    return chart
  }

  private var summary: Section {
    let changed = comparison.classes.filter { $0.support > 0 }
    let sure = changed.filter { ($0.q ?? 1) < 0.05 }
    var list: [Block.Point] = []
    if let best = changed.max(by: { ($0.difference, $1.label) < ($1.difference, $0.label) }),
      best.difference > 0
    {
      list.append(
        .init(
          head: "Most gained",
          words:
            "\(className(best.label)): recall \(percent(best.recallA.value, 1)) to \(percent(best.recallB.value, 1)) on \(counted(best.support, "image")).",
          href: "#classes"))
    }
    if let worst = changed.min(by: { ($0.difference, $0.label) < ($1.difference, $1.label) }),
      worst.difference < 0
    {
      list.append(
        .init(
          head: "Most lost",
          words:
            "\(className(worst.label)): recall \(percent(worst.recallA.value, 1)) to \(percent(worst.recallB.value, 1)) on \(counted(worst.support, "image")).",
          href: "#classes"))
    }
    list.append(
      .init(
        head: "Classes",
        words:
          changed.allSatisfy { $0.onlyARight == 0 && $0.onlyBRight == 0 }
          ? "Each class has the same images right in both runs."
          : sure.isEmpty
            ? "In no class is the change beyond chance once all classes are accounted for."
            : "In \(counted(sure.count, "class", "classes")) the change is hardly chance (q below 0.05).",
        href: "#classes"))
    list.append(
      .init(
        head: "Images",
        words:
          "\(counted(comparison.flips.count, "prediction")) changed: \(whole(count(.fixed))) fixed, \(whole(count(.broken))) broken, \(whole(count(.changed))) wrong in another way.",
        href: comparison.flips.isEmpty ? nil : "#flips"))
    return Section("summary", "What changed", [Block.points(list)])
  }

  func count(_ kind: Flip.Kind) -> Int { comparison.flips.count { $0.kind == kind } }

  private func matrices() throws(Imaging.ImageError) -> Section {
    let joined = PairedConfusion(a, b)
    let own = a.orders.seriated ?? a.orders.support
    let order = own + (own.count..<max(own.count, comparison.classes.count))
    let wrong = (joined.a + joined.b).filter { $0.truth != $0.predicted }.map(\.count).max() ?? 0
    let right = (joined.a + joined.b).filter { $0.truth == $0.predicted }.map(\.count).max() ?? 0
    var columns: [[Node]] = []
    for (id, title, cells) in [("matrix-a", "A", joined.a), ("matrix-b", "B", joined.b)] {
      let figure = MatrixFigure(
        id: id, title: "Confusion matrix of \(title)", order: order,
        names: comparison.classes.map { clipped($0.name, to: 15) }, classes: [],
        picture: MatrixPicture(cells: cells, order: order, mostErrors: wrong, mostRight: right), side: 320)
      let errors = cells.filter { $0.truth != $0.predicted }
      columns.append([
        try figure.block(
          note: "\(counted(errors.reduce(0) { $0 + $1.count }, "error")) in \(counted(errors.count, "cell"))."
        )
      ])
    }
    return Section(
      "matrix", "The matrices side by side",
      lead: "Both over the images both runs have, in one order and with one scale of colours.",
      [Block.columns(columns)])
  }
}
