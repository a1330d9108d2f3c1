import Files
import Scoring

extension ComparisonPage {
  static let flipFigureLimit = 48
  static let flipRowLimit = 300

  var figures: Section {
    var table = Table(
      "figures-table", "Figures of both runs over the images both have", text: ["Metric"],
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
      "McNemar's test on the \(counted(test.discordant, "image")) only one run has right: exact p \(pValue(test.exactP)), mid-p \(pValue(test.midP))."
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

  /// Flips of a kind, the most confident in what they now say first.
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
      "flips-\(kind.rawValue)", title, text: ["Image", "True class", "A", "B"], numbers: ["Sure A", "Sure B"])
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

  var books: Section {
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
