import Scoring

extension ScorePage {
  /// Rows of the table at most; the script and the reader both stay quick.
  static let classLimit = 2_000

  var classes: Section {
    var table = Table(
      "classes-table", "All classes", text: ["Class"],
      numbers: ["Images", "Recall", "95 % interval", "Precision", "95 % interval", "F1", "AP"])
    table.columns.append(.init(title: "Most often taken for"))
    table.isSearched = true
    // As the confusion cells come: by truth.
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
        "Each class by itself, the least recall first. With few images an interval is wide: read it before the value."
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

  /// Classes of the list without an image.
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

  /// The classes of least recall, with their intervals.
  private var weakChart: Chart {
    let weak = occurring.sorted { ($0.recall.value, $0.label) < ($1.recall.value, $1.label) }.prefix(10)
    let said = weak.map { "\(className($0.label)) \(percent($0.recall.value))" }
    var chart = Chart(
      id: "weak-classes", title: "The classes of least recall",
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

  /// Classes in each twentieth of recall; 100 % belongs to the last.
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
