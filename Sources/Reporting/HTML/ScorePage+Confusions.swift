import Scoring

extension ScorePage {
  /// Pairs in the page at most.
  static let pairLimit = 300

  var pairs: Section? {
    guard !score.pairs.isEmpty else { return nil }
    var symmetric = Table(
      "pairs-table", "Classes taken for each other, both ways together", text: ["Classes"],
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
      "directed-table", "Classes taken for another, one way", text: ["True class, taken for"],
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
          "Both ways together", count: whole(score.pairCount), isOpen: true,
          [Block.table(symmetric)].compactMap(\.self)),
        Block.fold(
          "One way", count: whole(score.directedPairCount), [Block.table(directed)].compactMap(\.self)),
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
      418, Double(shown.count) * 22 + 17, "full: first taken for second; pale: the other way", .end,
      style: "tick")
    return chart
  }

  /// How much of all errors the most confused pairs have.
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
      : "The groups were found from who is taken for whom; each has the name of its largest class."
    let accuracy = grouping.accuracy.map {
      " The right group is hit in \(percent($0.value)) (95 % interval \(range($0)))."
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
