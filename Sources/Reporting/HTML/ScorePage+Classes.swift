import Encodings
import Files
import Imaging
import Scoring

extension ScorePage {
  /// How many rows the table has at most, so that script and reader stay quick.
  static let classLimit = 2_000

  var classes: Section {
    var table = Table(
      "classes-table", "All classes", text: ["Class"],
      numbers: ["Images", "Recall", "95 % interval", "Precision", "95 % interval", "F1", "AP"])
    table.columns.append(.init(title: "Most often mistaken for"))
    table.isSearched = true
    // The errors of each true class.
    var taken: [Int: [ConfusionCell]] = [:]
    for cell in score.confusion where cell.truth != cell.predicted {
      taken[cell.truth, default: []].append(cell)
    }
    let order = score.orders.recall.isEmpty ? Array(score.classes.indices) : score.orders.recall
    for label in order.prefix(Self.classLimit)
    where score.classes.indices.contains(label) && score.classes[label].support > 0 {
      let item = score.classes[label]
      let others = taken[label, default: []].sorted { ($1.count, $0.predicted) < ($0.count, $1.predicted) }
      table.add(
        [
          Cell.long(item.name, limit: 48, isHead: true), Cell.number(item.support),
          Cell.percent(item.recall.value), Cell.interval(item.recall),
          Cell.percent(item.predicted == 0 ? nil : item.precision),
          Cell.interval(item.predicted == 0 ? nil : item.precisionInterval, hasBar: false),
          Cell.percent(item.f1),
          Cell.percent(item.averagePrecision), chips(others.prefix(3)),
        ], id: "c\(label)")
    }
    if occurring.count > table.rows.count {
      table.rest =
        "\(whole(occurring.count - table.rows.count)) more classes, of higher recall; the JSON of the run has them."
    }
    let absent = score.classes.count - occurring.count
    let never = score.classes.count { $0.predicted == 0 }
    return Section(
      "classes", "Classes",
      lead:
        "Each class by itself, lowest recall first. With few images an interval is wide: read it before the value."
        + (absent > 0
          ? " \(counted(absent, "class", "classes")) of the list never \(absent == 1 ? "occurs" : "occur") and \(absent == 1 ? "has" : "have") no recall."
          : "")
        + (never > 0
          ? " \(counted(never, "class", "classes")) \(never == 1 ? "is" : "are") never predicted and \(never == 1 ? "has" : "have") no precision."
          : ""),
      [
        occurring.count > 1
          ? Block.columns([
            [Block.chart(recallChart, table: recallTable)], [Block.chart(weakChart, table: nil)],
          ]) : nil,
        Block.table(table), absentClasses,
      ])
  }

  /// The classes of the list without an image.
  private var absentClasses: Node? {
    let absent = score.classes.filter { $0.support == 0 }
    var table = Table("absent-table", "Classes without an image", text: ["Class"], numbers: ["Predicted"])
    table.isSearched = true
    for item in absent.prefix(Self.classLimit) {
      table.add(
        [Cell.long(item.name, limit: 48, isHead: true), Cell.number(item.predicted)], id: "c\(item.label)")
    }
    if absent.count > Self.classLimit {
      table.rest = "\(whole(absent.count - Self.classLimit)) more; the JSON of the run has them."
    }
    guard let node = Block.table(table) else { return nil }
    return Block.fold("Classes that never occur", count: whole(absent.count), [node])
  }

  /// The classes of lowest recall, with their intervals.
  private var weakChart: Chart {
    let weak = occurring.sorted { ($0.recall.value, $0.label) < ($1.recall.value, $1.label) }.prefix(10)
    let said = weak.map { "\(className($0.label)) \(percent($0.recall.value))" }
    var chart = Chart(
      id: "weak-classes", title: "The classes of lowest recall",
      description: said.joined(separator: "; ") + ".",
      height: Double(weak.count) * 23 + 36)
    let plane = Plane(left: 146, top: 4, width: 196, height: Double(weak.count) * 23 + 4)
    for (value, words) in [(0.0, "0"), (0.5, "50"), (1, "100\u{A0}%")] {
      chart.line(plane.across(value), plane.top, plane.across(value), plane.top + plane.height, "grid")
      chart.text(plane.across(value), plane.top + plane.height + 18, words, .middle, style: "tick")
    }
    for (index, item) in weak.enumerated() {
      let y = plane.top + Double(index) * 23 + 14
      chart.text(plane.left - 10, y + 4, clipped(item.name, to: 18), .end)
      let (low, high) = (plane.across(item.recall.low), plane.across(item.recall.high))
      chart.rect(low, y - 4, max(1.5, high - low), 8, "whisker-wrong")
      chart.rect(plane.across(item.recall.value) - 1.2, y - 7, 2.4, 14, "mark-wrong")
      chart.text(418, y + 4, percent(item.recall.value, 1), .end, style: "value")
    }
    return chart
  }

  private func chips(_ cells: ArraySlice<ConfusionCell>) -> Node {
    if cells.isEmpty { return ["words": "–"] }
    return [
      "chips": [
        "chipList": cells.map {
          [
            "chipHref": classLink($0.predicted), "chipWords": clipped(className($0.predicted), to: 28),
            "chipCount": whole($0.count),
          ] as Node
        }
      ] as Node
    ]
  }

  /// The number of classes in each twentieth of recall; 100 % belongs to the last one.
  private var recallCounts: [Int] {
    var counts = [Int](repeating: 0, count: 20)
    for item in occurring {
      counts[min(19, Int(exactly: (item.recall.value * 20 + 1e-9).rounded(.down)) ?? 0)] += 1
    }
    return counts
  }

  private var recallTable: Table {
    var table = Table("recall-table", "Classes by their recall", text: ["Recall"], numbers: ["Classes"])
    for (index, count) in recallCounts.enumerated() {
      table.add([head("\(index * 5) to \(index * 5 + 5)\u{A0}%"), Cell.number(count)])
    }
    return table
  }

  private var recallChart: Chart {
    let counts = recallCounts
    let most = Double(counts.max() ?? 0)
    let sorted = occurring.map(\.recall.value).sorted()
    let median = sorted[sorted.count / 2]
    var chart = Chart(
      id: "recall-chart", title: "How many classes have which recall",
      description:
        "\(whole(sorted.count)) classes; the lowest recall is \(percent(sorted[0])), the median \(percent(median)), the highest \(percent(sorted[sorted.count - 1])).",
      height: 284)
    let steps = axisSteps(to: most)
    let plane = Plane(height: 230, y: 0...(steps.last ?? 1))
    chart.axes(
      plane, xTicks: Chart.shareTicks, yTicks: steps.map { ($0, whole(Int($0.rounded()))) },
      xName: "Recall of the class", yName: "Classes")
    for (index, count) in counts.enumerated() where count > 0 {
      let (from, to) = (plane.across(Double(index) / 20) + 1, plane.across(Double(index + 1) / 20) - 1)
      chart.rect(
        from, plane.down(Double(count)), to - from, plane.top + plane.height - plane.down(Double(count)),
        "column")
    }
    chart.line(plane.across(median), plane.top, plane.across(median), plane.top + plane.height, "marker")
    chart.text(plane.across(median) - 5, plane.top + 9, "median \(percent(median, 1))", .end, style: "value")
    return chart
  }
}

extension ScorePage {
  func matrix() throws(ImageError) -> Section {
    let order = score.orders.seriated ?? score.orders.support
    let figure = MatrixFigure(
      id: "matrix-figure", title: "Confusion matrix", order: order,
      names: score.classes.map { clipped($0.name, to: 18) }, classes: score.classes,
      picture: MatrixPicture(cells: score.confusion, order: order))
    let isSeriated = score.orders.seriated != nil
    return Section(
      "matrix", "Confusion matrix",
      lead:
        "A row for each true class, a column for each predicted one. Blue on the diagonal is right; every other colour is an error, the stronger the more images. "
        + (isSeriated
          ? "Classes that are confused with each other are side by side."
          : "The classes with most images come first."),
      [try figure.block(note: matrixNote)])
  }

  private var matrixNote: String {
    let n = score.classes.count
    let share = n > 1 ? Double(score.directedPairCount) / Double(n * (n - 1)) : 0
    let single = score.confusion.count { $0.truth != $0.predicted && $0.count == 1 }
    let table = "The table of all classes below has the same counts in words."
    if score.errors == 0 { return "There are no errors. \(table)" }
    return "\(counted(score.errors, "error")) in \(counted(score.directedPairCount, "cell")), "
      + "\(percent(share, 1)) of those off the diagonal; \(whole(single)) of them hold\(single == 1 ? "s" : "") one image. "
      + table
  }
}

extension ScorePage {
  /// How many pairs the page has at most.
  static let pairLimit = 300

  var pairs: Section? {
    guard !score.pairs.isEmpty else { return nil }
    var symmetric = Table(
      "pairs-table", "Confused classes, both directions together", text: ["Classes"],
      numbers: ["Errors", "Share of all errors", "Cumulative", "First as second", "Second as first"])
    for pair in score.pairs.prefix(Self.pairLimit) {
      symmetric.add([
        pairHead(pair.a, "and", pair.b), Cell.number(pair.count), Cell.percent(pair.share),
        Cell.share(pair.cumulative), Cell.number(pair.aAsB), Cell.number(pair.bAsA),
      ])
    }
    symmetric.isSearched = true
    symmetric.rest = rest(score.pairCount, Self.pairLimit)
    var directed = Table(
      "directed-table", "Confused classes, one direction", text: ["True class, mistaken for"],
      numbers: ["Errors", "Of the true class", "Share of all errors", "Cumulative"])
    for pair in score.directedPairs.prefix(Self.pairLimit) {
      directed.add([
        pairHead(pair.truth, "as", pair.predicted), Cell.number(pair.count), Cell.percent(pair.rate),
        Cell.percent(pair.share), Cell.share(pair.cumulative),
      ])
    }
    directed.isSearched = true
    directed.rest = rest(score.directedPairCount, Self.pairLimit)
    return Section(
      "pairs", "Confused pairs", lead: pairSentence,
      [
        Block.columns([[Block.chart(topChart, table: nil)], [Block.chart(pairChart, table: nil)]]),
        Block.fold(
          "Both directions together", count: whole(score.pairCount), isOpen: true,
          [Block.table(symmetric)].compactMap(\.self)),
        Block.fold(
          "One direction", count: whole(score.directedPairCount), [Block.table(directed)].compactMap(\.self)),
      ])
  }

  private var pairSentence: String {
    let shares = [20, 50, 200].filter { $0 < score.pairs.count }.map {
      "the first \($0) have \(percent(score.pairs[$0 - 1].cumulative, 1))"
    }
    let said = shares.isEmpty ? "" : "; of all errors \(shares.joined(separator: ", "))"
    return
      "\(counted(score.pairCount, "pair")) of classes \(score.pairCount == 1 ? "is" : "are") confused\(said)."
  }

  private func rest(_ count: Int, _ limit: Int) -> String? {
    count > limit ? "\(whole(count - limit)) more pairs; the JSON of the run has them." : nil
  }

  private func pairHead(_ a: Int, _ word: String, _ b: Int) -> Node {
    [
      "isHead": true,
      "pair": [
        "pairA": className(a), "pairHrefA": classLink(a), "pairWord": word, "pairB": className(b),
        "pairHrefB": classLink(b),
      ] as Node,
    ]
  }

  /// The most frequent pairs.
  private var topChart: Chart {
    let shown = score.pairs.prefix(12)
    let said = shown.map { "\(className($0.a)) and \(className($0.b)) \(whole($0.count))" }
    var chart = Chart(
      id: "top-pairs", title: "The most frequent confusions", description: said.joined(separator: "; ") + ".",
      height: Double(shown.count) * 22 + 20)
    let most = Double(shown.first?.count ?? 1)
    for (index, pair) in shown.enumerated() {
      let y = Double(index) * 22 + 4
      let long = 170 * Double(pair.count) / most
      let part = 170 * Double(pair.aAsB) / most
      chart.text(
        212, y + 13, "\(clipped(className(pair.a), to: 15)) · \(clipped(className(pair.b), to: 15))", .end)
      chart.rect(220, y, part, 16, "column-wrong")
      chart.rect(220 + part, y, long - part, 16, "column-other")
      chart.text(220 + long + 6, y + 13, whole(pair.count), style: "value")
    }
    chart.text(
      418, Double(shown.count) * 22 + 17, "full: first mistaken for second; pale: the other way", .end,
      style: "tick")
    return chart
  }

  /// The share of all errors that the most confused pairs have.
  private var pairChart: Chart {
    let pairs = score.pairs
    let most = Double(pairs.count)
    var chart = Chart(
      id: "pair-curve", title: "Share of all errors in the most confused pairs",
      description: pairSentence, height: 284)
    var plane = Plane(height: 230)
    plane.x = 0...max(1, most)
    chart.axes(
      plane,
      xTicks: axisSteps(to: most, about: 4).filter { $0 <= most }.map { ($0, whole(Int($0.rounded()))) },
      yTicks: Chart.shareTicks, xName: "Pairs, worst first", yName: "Share of errors")
    let every = max(1, pairs.count / 150)
    var points = [(plane.across(0), plane.down(0))]
    for index in pairs.indices where index % every == 0 || index == pairs.count - 1 {
      points.append((plane.across(Double(index + 1)), plane.down(pairs[index].cumulative)))
    }
    chart.path(points, "line-wrong")
    return chart
  }

  var groups: Section? {
    guard let grouping = score.groups, score.hasTellingGroups else { return nil }
    var table = Table(
      "groups-table", "Groups of classes", text: ["Group", "Classes"],
      numbers: ["Images", "Right", "Errors inside", "Errors to other groups"])
    for group in grouping.groups.sorted(by: {
      ($1.support, $0.classes.first ?? 0) < ($0.support, $1.classes.first ?? 0)
    }) {
      let names = group.classes.prefix(12).map { className($0) }.joined(separator: ", ")
      let more = group.classes.count > 12 ? ", and \(group.classes.count - 12) more" : ""
      table.add([
        Cell.long(group.name, limit: 48, isHead: true), Cell.text("\(group.classes.count): \(names)\(more)"),
        Cell.number(group.support),
        Cell.percent(group.support == 0 ? nil : Double(group.correct) / Double(group.support)),
        Cell.number(group.errorsInside), Cell.number(group.errorsAcross),
      ])
    }
    let origin =
      grouping.source == .given
      ? "The groups are those that were given."
      : "The groups were found from which classes are confused; each is named after its largest class."
    let accuracy = grouping.accuracy.map {
      " The group is right in \(percent($0.value)) (95 % interval \(range($0)))."
    }
    return Section(
      "groups", "Groups of classes",
      lead:
        "\(counted(grouping.errorsInside, "error")) inside a group, \(whole(grouping.errorsAcross)) from one to another.\(accuracy ?? "") \(origin)",
      [Block.table(table), grouping.groups.count <= 40 ? Block.table(groupMatrix(grouping)) : nil])
  }

  private func groupMatrix(_ grouping: Grouping) -> Table {
    var counts: [Int: [Int: Int]] = [:]
    var most = 1
    for cell in grouping.confusion {
      counts[cell.truth, default: [:]][cell.predicted] = cell.count
      if cell.truth != cell.predicted { most = max(most, cell.count) }
    }
    var table = Table(
      "group-matrix", "Images from group to group: a row for the true group, a column for the predicted one")
    table.isMatrix = true
    table.columns = [Table.Column(title: "True group")]
    for group in grouping.groups {
      table.columns.append(.init(title: clipped(group.name, to: 20), isNumber: true))
    }
    for (row, group) in grouping.groups.enumerated() where group.support > 0 {
      var cells = [Cell.long(group.name, limit: 24, isHead: true)]
      for column in grouping.groups.indices {
        let count = counts[row]?[column] ?? 0
        var cell: Node = ["words": count == 0 ? "" : whole(count), "isRight": count == 0]
        if count > 0 {
          let step = Int((logStrength(count, most: most) * 5).rounded())
          cell["heat"] = row == column ? "right" : "\(min(5, max(0, step)))"
        }
        cells.append(cell)
      }
      table.add(cells)
    }
    return table
  }
}

extension ScorePage {
  var slices: Section? {
    guard !score.slices.isEmpty else { return nil }
    var blocks: [Node?] = []
    var names: [String] = []
    for slice in score.slices where !names.contains(where: { hasSameBytes($0, slice.attribute) }) {
      names.append(slice.attribute)
    }
    for (index, name) in names.prefix(60).enumerated() {
      var table = Table(
        "slice-\(index)", "Accuracy by \(clipped(name, to: 80))", text: ["Part"],
        numbers: ["Images", "Right", "Accuracy", "95 % interval"])
      for slice in score.slices where hasSameBytes(slice.attribute, name) {
        table.add([
          sliceHead(slice), Cell.number(slice.count), Cell.number(slice.correct),
          Cell.percent(slice.top1.value), Cell.interval(slice.top1),
        ])
      }
      blocks.append(Block.table(table))
    }
    if names.count > 60 {
      blocks.append(Block.note("\(names.count - 60) more attributes; the JSON of the run has them."))
    }
    return Section("slices", "Slices", lead: sliceSentence, blocks)
  }

  private func sliceHead(_ slice: Slice) -> Node {
    switch slice.kind {
    case .value: return Cell.long(slice.value, limit: 60, isHead: true)
    case .quantile:
      guard let low = slice.low, let high = slice.high else { return head(slice.value) }
      return head("\(short(low))\u{A0}to\u{A0}\(short(high))")
    case .other: return head("all rarer values")
    case .missing: return head("not given")
    }
  }

  /// A bound of a slice as people write it.
  private func short(_ value: Double) -> String {
    value == value.rounded() ? decimal(value, 0) : abs(value) >= 100 ? decimal(value, 1) : decimal(value, 3)
  }

  private var sliceSentence: String {
    let all = score.top1
    let low = score.slices.filter { slice in all.map { slice.top1.high < $0.low } ?? false }
    guard let worst = low.min(by: { $0.top1.value < $1.top1.value }) else {
      return "Parts of the images by their attributes. None is clearly worse than the whole."
    }
    let part =
      worst.kind == .value
      ? " = \(clipped(worst.value, to: 60))"
      : worst.low.flatMap { low in worst.high.map { " \(short(low)) to \(short($0))" } } ?? ""
    return
      "Parts of the images by their attributes. Weakest: \(clipped(worst.attribute, to: 60))\(part), "
      + "\(percent(worst.top1.value, 1)) on \(counted(worst.count, "image"))."
  }

  /// Where the figures come from, and how they were computed.
  var about: Section {
    var facts = Table("facts-table", "This run", text: ["Fact", "Value"])
    for detail in score.details {
      facts.add([Cell.long(detail.name, isHead: true), Cell.long(detail.value, limit: 160)])
    }
    facts.add([head("Schema of the JSON"), Cell.text("version \(score.version)")])
    if let bootstrap = score.bootstrap {
      facts.add([
        head("Bootstrap"),
        Cell.text("\(whole(bootstrap.draws)) draws within the classes, seed \(bootstrap.seed)"),
      ])
    }
    var terms = Table("terms-table", "What the words mean", text: ["Word", "Meaning"])
    for (word, meaning) in Self.terms { terms.add([head(word), Cell.text(meaning)]) }
    return Section("about", "About this report", [Block.table(facts), Block.table(terms)])
  }

  private static let terms = [
    (
      "Top-k accuracy",
      "Share of the images whose true class is among the k most probable. Ties go to the lowest label."
    ),
    ("Recall", "Share of the images of a class that are predicted as it."),
    ("Precision", "Share of the images predicted as a class that are of it."),
    ("F1", "Harmonic mean of precision and recall; 0 where both are 0."),
    (
      "Macro, micro, weighted",
      "Mean over the classes of the list; over all images; over the classes by their images."
    ),
    ("Balanced accuracy", "Mean recall over the classes that occur."),
    (
      "Average precision", "Mean precision over the recall of one class against the rest, by its probability."
    ),
    (
      "95 % interval",
      "Wilson's score interval for shares of images; 2.5 and 97.5 percentiles of the bootstrap for averages."
    ),
    (
      "Calibration error",
      "Mean distance between confidence and accuracy over bins of confidence, weighted by images."
    ),
    (
      "Label issue",
      "An image whose label confident learning doubts; meaningful only if the model was not trained on the image."
    ),
  ]
}
