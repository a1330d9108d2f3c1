import Files
public import Imaging
public import Scoring

/// The comparison of two runs as one HTML file, with the same guarantees as `ScoreReport`.
public struct ComparisonReport: Sendable {
  /// The comparison that is reported.
  public let comparison: Comparison
  /// The runs that are compared; their matrices are shown.
  public let a: Score, b: Score

  /// A report of this comparison of `a` and `b`.
  public init(_ comparison: Comparison, a: Score, b: Score) {
    self.comparison = comparison
    self.a = a
    self.b = b
  }

  /// The images whose thumbnails the report would show, most wanted first.
  public var wantedImages: [String] {
    let kinds: [Flip.Kind] = [.broken, .fixed, .changed]
    return kinds.flatMap { kind in ComparisonPage.shown(comparison.flips, kind).map(\.path) }
  }

  /// The byte count of JPEG files that fits into the report beside everything else.
  /// - Throws: what `html` throws.
  public func thumbnailByteBudget() throws(ImageError) -> Int {
    let captions = 700 * wantedImages.count
    return max(0, (ScoreReport.byteLimit - (try html().utf8.count) - captions - 100_000) / 4 * 3)
  }

  /// The file, in UTF-8.
  /// - Throws: `ImageError` where there is no memory for the pictures of the matrices.
  public func html(thumbnails: Thumbnails = Thumbnails()) throws(ImageError) -> String {
    let thumbs = ThumbBook(thumbnails.count == 0 ? [] : wantedImages, thumbnails)
    return try ComparisonPage(comparison, a: a, b: b, thumbs: thumbs).page().html()
  }
}

/// The sections of the comparison of two runs.
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

  func page() throws(ImageError) -> ReportPage {
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
    sections.append(accounting)
    sections.append(about)
    return ReportPage(
      title: "Comparison of two runs", heading: "Comparison of two runs",
      origins: comparison.details.prefix(2).map { ($0.name, $0.value) }, hero: hero, sections: sections,
      footer: ReportPage.footer(),
      data: "{}", thumbs: thumbs.all)
  }

  /// Whether McNemar's exact test finds a difference at the level of 5 %.
  var isHardlyChance: Bool { comparison.mcnemar.exactP < 0.05 }

  private var hero: ReportPage.Hero {
    guard let difference = comparison.top1Difference, let one = comparison.a.top1, let two = comparison.b.top1
    else {
      return ReportPage.Hero(
        name: "Difference in top-1 accuracy", value: "–", range: "Nothing could be measured.",
        sentence: "The runs have no image in common with the same truth.", verdict: comparison.gates.verdict)
    }
    let way = difference.value == 0 ? "as good as" : difference.value > 0 ? "better than" : "worse than"
    let certainty =
      difference.value == 0
      ? "" : isHardlyChance ? " The difference is unlikely to be chance" : " The difference could be chance"
    let test =
      difference.value == 0 ? "" : " (McNemar's exact test: p \(pValue(comparison.mcnemar.exactP)))."
    return ReportPage.Hero(
      name: "Top-1 accuracy, B against A", value: points(difference.value, 1), unit: "points",
      chart: differenceChart(difference),
      range: "95 % interval: \(points(difference.low)) to \(points(difference.high)) points",
      sentence:
        "On the \(counted(comparison.images, "image")) that both scored, B is \(way) A: right in \(percent(two.value)) instead of \(percent(one.value)).\(certainty)\(test)",
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

  /// The difference on a scale whose middle is "no change".
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
            : "In \(counted(sure.count, "class", "classes")) the change is unlikely to be chance (q below 0.05).",
        href: "#classes"))
    list.append(
      .init(
        head: "Images",
        words:
          "\(counted(comparison.flips.count, "prediction")) changed: \(whole(comparison.flipCount(.fixed))) fixed, \(whole(comparison.flipCount(.broken))) broken, \(whole(comparison.flipCount(.changed))) wrong in another way.",
        href: comparison.flips.isEmpty ? nil : "#flips"))
    return Section("summary", "What changed", [Block.points(list)])
  }

  private func matrices() throws(ImageError) -> Section {
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
      lead: "Both over the images that both runs scored, in one order and with one scale of colours.",
      [Block.columns(columns)])
  }
}

extension ComparisonPage {
  static let flipFigureLimit = 48
  static let flipRowLimit = 300

  var figures: Section {
    var table = Table(
      "figures-table", "Figures of both runs over the images that both scored", text: ["Metric"],
      numbers: ["A", "B", "B − A, points", "95 % interval"])
    let (one, two) = (comparison.a, comparison.b)
    for (name, before, after, difference) in [
      ("Top-1", one.top1?.value, two.top1?.value, comparison.top1Difference),
      ("Top-5", one.top5?.value, two.top5?.value, nil),
      ("Macro F1", one.macroF1, two.macroF1, comparison.macroF1Difference),
      ("Balanced accuracy", one.balancedAccuracy, two.balancedAccuracy, nil),
    ] {
      guard let before, let after else { continue }
      table.add([
        head(name), Cell.percent(before), Cell.percent(after), Cell.number(points(after - before)),
        Cell.number(difference.map { "\(points($0.low)) to \(points($0.high))" } ?? "–"),
      ])
    }
    var square = Table(
      "mcnemar-table", "Images by who has them right", text: [""], numbers: ["B right", "B wrong"])
    square.add([head("A right"), Cell.number(comparison.bothRight), Cell.number(comparison.onlyARight)])
    square.add([head("A wrong"), Cell.number(comparison.onlyBRight), Cell.number(comparison.bothWrong)])
    let test = comparison.mcnemar
    square.rest =
      "McNemar's test on the \(counted(test.discordant, "image")) that only one run has right: exact p \(pValue(test.exactP)), mid-p \(pValue(test.midP))."
    return Section(
      "figures", "Figures",
      lead:
        "Differences have a paired bootstrap interval: \(whole(comparison.draws)) draws, seed \(comparison.seed).",
      [Block.columns([[Block.table(table)].compactMap(\.self), [Block.table(square)].compactMap(\.self)])])
  }

  var classes: Section {
    let order = comparison.classes.filter { $0.support > 0 }.sorted {
      (-abs($0.difference), $0.q ?? 1, $0.label) < (-abs($1.difference), $1.q ?? 1, $1.label)
    }
    var table = Table(
      "classes-table", "Change of each class", text: ["Class"],
      numbers: ["Images", "Recall A", "Recall B", "B − A, points", "Broken", "Fixed", "p", "q"])
    table.isSearched = true
    for item in order.prefix(ScorePage.classLimit) {
      table.add(
        [
          Cell.long(item.name, limit: 48, isHead: true), Cell.number(item.support),
          Cell.percent(item.recallA.value), Cell.percent(item.recallB.value),
          Cell.number(points(item.difference)),
          Cell.number(item.onlyARight), Cell.number(item.onlyBRight),
          Cell.number(item.p.map(probabilityText) ?? "–"),
          Cell.number(item.q.map(probabilityText) ?? "–"),
        ], id: "c\(item.label)")
    }
    if order.count > table.rows.count {
      table.rest =
        "\(whole(order.count - table.rows.count)) more classes; the JSON of the comparison has them."
    }
    let changed = order.filter { $0.difference != 0 }
    return Section(
      "classes", "Classes",
      lead:
        "Most changed first. p is McNemar's exact test in the class; q is p adjusted for the number of classes, after Benjamini and Hochberg.",
      [
        changed.isEmpty
          ? nil
          : Block.columns(
            [
              ("losses", "What lost most", changed.filter { $0.difference < 0 }),
              ("gains", "What gained most", changed.filter { $0.difference > 0 }),
            ]
            .filter { !$0.2.isEmpty }
            .map {
              [
                Block.chart(
                  changeChart($0.0, $0.1, Array($0.2.prefix(12))), table: nil,
                  note: "Hollow: recall in A; full: recall in B.")
              ]
            }),
        Block.table(table),
      ])
  }

  private func changeChart(_ id: String, _ title: String, _ items: [ClassChange]) -> Chart {
    let said = items.map {
      "\(className($0.label)) \(percent($0.recallA.value)) to \(percent($0.recallB.value))"
    }
    var chart = Chart(
      id: id, title: title, description: said.joined(separator: "; ") + ".",
      height: Double(items.count) * 24 + 32)
    let plane = Plane(left: 146, top: 4, width: 206, height: Double(items.count) * 24 + 4)
    for (value, words) in [(0.0, "0"), (0.5, "50"), (1, "100\u{A0}%")] {
      chart.line(plane.across(value), plane.top, plane.across(value), plane.top + plane.height, "grid")
      chart.text(plane.across(value), plane.top + plane.height + 17, words, .middle, style: "tick")
    }
    for (index, item) in items.enumerated() {
      let y = plane.top + Double(index) * 24 + 14
      let (from, to) = (plane.across(item.recallA.value), plane.across(item.recallB.value))
      let isBetter = item.difference > 0
      chart.text(plane.left - 10, y + 4, clipped(item.name, to: 20), .end)
      chart.line(from, y, to, y, isBetter ? "line-right" : "line-wrong")
      chart.circle(from, y, 4, "dot-a")
      chart.circle(to, y, 4.5, isBetter ? "dot-right" : "dot-wrong")
      chart.text(418, y + 4, points(item.difference, 1), .end, style: "value")
    }
    return chart
  }

  /// The flips of a kind, those with the most confident prediction of B first.
  static func shown(_ flips: [Flip], _ kind: Flip.Kind) -> ArraySlice<Flip> {
    flips.filter { $0.kind == kind }.sorted {
      ($1.confidenceB ?? 0, ByteName($0.path)) < ($0.confidenceB ?? 0, ByteName($1.path))
    }
    .prefix(flipFigureLimit)
  }

  var flips: Section {
    var blocks: [Node?] = []
    for (kind, title) in [
      (Flip.Kind.broken, "Broken: A was right, B is wrong"), (.fixed, "Fixed: A was wrong, B is right"),
      (.changed, "Changed: wrong in another way"),
    ] {
      let all = comparison.flips.filter { $0.kind == kind }
      if all.isEmpty { continue }
      var inside: [Node] = []
      let figures = Self.shown(comparison.flips, kind).compactMap(figure)
      if !figures.isEmpty { inside.append(Block.gallery(figures)) }
      if let table = Block.table(table(kind, title, all)) { inside.append(table) }
      blocks.append(Block.fold(title, count: whole(all.count), isOpen: kind == .broken, inside))
    }
    return Section(
      "flips", "Images that changed",
      lead:
        "\(counted(comparison.flips.count, "image")) of \(whole(comparison.images)) got another class from B than from A.",
      blocks)
  }

  private func table(_ kind: Flip.Kind, _ title: String, _ flips: [Flip]) -> Table {
    var table = Table(
      "flips-\(kind.rawValue)", title, text: ["Image", "True class", "A", "B"],
      numbers: ["Confidence A", "Confidence B"])
    table.isSearched = true
    for flip in flips.prefix(Self.flipRowLimit) {
      table.add([
        Cell.long(flip.path, limit: 56, isHead: true), link(flip.truth), link(flip.a), link(flip.b),
        Cell.decimal(flip.confidenceA), Cell.decimal(flip.confidenceB),
      ])
    }
    if flips.count > table.rows.count {
      table.rest = "\(whole(flips.count - table.rows.count)) more; the JSON of the comparison has them."
    }
    return table
  }

  private func link(_ label: Int) -> Node {
    let isListed = comparison.classes.indices.contains(label) && comparison.classes[label].support > 0
    return ["words": className(label), "href": isListed ? "#c\(label)" : nil]
  }

  private func figure(_ flip: Flip) -> Node? {
    guard let thumb = thumbs[flip.path] else { return nil }
    let words = "\(className(flip.a)) → \(className(flip.b))"
    return [
      "thumb": "\(thumb)", "figureAlt": "\(className(flip.truth)), \(words)",
      "figureHead": className(flip.truth),
      "figureWords": words, "figurePath": clipped(flip.path, to: 44),
    ]
  }

  var accounting: Section {
    var table = Table("images-table", "Which images were compared", text: ["Images"], numbers: ["Count"])
    for (name, count) in [
      ("Scored by both", comparison.images), ("Scored by B only", comparison.missingInA.count),
      ("Scored by A only", comparison.missingInB.count),
      ("With different truth", comparison.truthConflicts.count),
    ] { table.add([head(name), Cell.number(count)]) }
    let lists = [
      ("missing-a", "Scored by B only", comparison.missingInA),
      ("missing-b", "Scored by A only", comparison.missingInB),
      ("conflicts", "With different truth", comparison.truthConflicts),
    ]
    return Section(
      "images", "Images accounted for",
      lead: "Only images that both runs scored, with the same truth, are compared.",
      [Block.table(table)]
        + lists.map { id, title, paths in
          guard !paths.isEmpty else { return nil }
          let (table, shown) = pathTable(id, title, paths.map { ($0, "") }, reasons: false)
          return Block.fold(
            title, count: whole(paths.count), isOpen: shown <= 10, [Block.table(table)].compactMap(\.self))
        })
  }

  var about: Section {
    var facts = Table("facts-table", "These runs", text: ["Fact", "Value"])
    for detail in comparison.details {
      facts.add([Cell.long(detail.name, isHead: true), Cell.long(detail.value, limit: 160)])
    }
    facts.add([head("Schema of the JSON"), Cell.text("version \(comparison.version)")])
    return Section("about", "About this report", [Block.table(facts)])
  }
}
