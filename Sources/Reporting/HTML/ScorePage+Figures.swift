import Scoring

extension ScorePage {
  /// Every metric of the whole run, and how sure it is.
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

  func head(_ words: String) -> Node { ["words": words, "isHead": true] }

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
