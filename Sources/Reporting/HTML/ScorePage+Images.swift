import Scoring

extension ScorePage {
  static let galleryLimit = 42
  static let imageRowLimit = 200
  static let cellGalleryCount = 16
  static let cellFigureCount = 12

  var labelIssues: Section? {
    guard let issues = score.labelIssues, !issues.images.isEmpty else { return nil }
    var table = Table(
      "labels-table", "Images whose label is doubtful, most doubtful first",
      text: ["Image", "Label", "Suggested"],
      numbers: ["Of the label", "Of the suggested"])
    for item in issues.images.prefix(Self.imageRowLimit) {
      table.add([
        Cell.long(item.path, limit: 56, isHead: true), link(item.label), link(item.suggested),
        Cell.decimal(item.selfConfidence), Cell.decimal(item.confidence),
      ])
    }
    table.isSearched = true
    if issues.count > table.rows.count {
      table.rest =
        "\(whole(issues.count - table.rows.count)) more; the JSON of the run lists up to \(whole(LabelIssues.imageLimit))."
    }
    let figures = issues.images.prefix(Self.galleryLimit).compactMap { item in
      figure(
        item.path, head: "labelled \(className(item.label))",
        words: "looks like \(className(item.suggested)), \(percent(item.confidence, 0))")
    }
    return Section(
      "labels", "Doubtful labels",
      lead:
        "\(counted(issues.count, "image")), by confident learning: the model is sure of another class than the label. "
        + "Meaningful only if the model was not trained on these images.",
      [
        figures.isEmpty
          ? nil
          : Block.fold(
            "The most doubtful, as pictures", count: whole(figures.count), isOpen: true,
            [Block.gallery(figures)]),
        Block.fold(
          "The list", count: whole(issues.count), isOpen: figures.isEmpty,
          [Block.table(table)].compactMap(\.self)),
      ])
  }

  var errors: Section? {
    guard score.errors > 0 else { return nil }
    var blocks: [Node?] = []
    if let list = score.confidentErrors, !list.isEmpty {
      var table = Table(
        "errors-table", "Errors of highest confidence", text: ["Image", "True class", "Predicted"],
        numbers: ["Confidence", "Of the truth", "Rank of the truth"])
      for item in list.prefix(Self.imageRowLimit) {
        table.add([
          Cell.long(item.path, limit: 56, isHead: true), link(item.truth), link(item.predicted),
          Cell.decimal(item.confidence), Cell.decimal(item.truthProbability), Cell.number(item.rank),
        ])
      }
      table.isSearched = true
      if list.count > table.rows.count {
        table.rest =
          "\(whole(list.count - table.rows.count)) more; the JSON of the run has \(whole(list.count))."
      }
      let figures = list.prefix(Self.galleryLimit).compactMap { item in
        figure(
          item.path, head: className(item.truth),
          words: "mistaken for \(className(item.predicted)), \(percent(item.confidence, 0))")
      }
      if !figures.isEmpty {
        blocks.append(
          Block.fold(
            "Most confidently wrong, as pictures", count: whole(figures.count), isOpen: true,
            [Block.gallery(figures)]))
      }
      blocks.append(
        Block.fold(
          "Most confidently wrong, as a list", count: whole(list.count), isOpen: figures.isEmpty,
          [Block.table(table)].compactMap(\.self)))
    }
    blocks += cellGalleries
    if blocks.isEmpty { return nil }
    return Section(
      "errors", "Errors, image by image",
      lead: "The errors the model is surest of, and images of the classes it confuses most.", blocks)
  }

  private var cellGalleries: [Node] {
    let images = WantedImages.byCell(of: score, Self.cellGalleryCount, Self.cellFigureCount)
    return images.compactMap { pair, images in
      let figures = images.compactMap { image in
        figure(
          image.path, head: className(pair.truth),
          words: image.confidence.map { "confidence \(percent($0, 0))" } ?? "")
      }
      guard !figures.isEmpty else { return nil }
      return Block.fold(
        "\(className(pair.truth)) mistaken for \(className(pair.predicted))", count: whole(pair.count),
        [Block.gallery(figures)])
    }
  }

  private func link(_ label: Int) -> Node { ["words": className(label), "href": classLink(label)] }

  /// - Returns: `nil` where the image has no thumbnail.
  private func figure(_ path: String, head: String, words: String) -> Node? {
    guard let thumb = thumbs[path] else { return nil }
    return [
      "thumb": "\(thumb)", "figureAlt": "\(head), \(words)", "figureHead": head, "figureWords": words,
      "figurePath": clipped(path, to: 44),
    ]
  }
}

extension ScorePage {
  var confidence: Section? {
    var blocks: [Node] = []
    var columns: [[Node]] = []
    if let calibration = score.calibration {
      columns.append([
        Block.chart(
          reliabilityChart(calibration), table: reliabilityTable(calibration.equalWidth),
          note: "Above the dashed line the model is better than it says, below it is too sure. Bars: images.")
      ])
    }
    if let coverage = score.coverage, !coverage.isEmpty {
      columns.append([
        Block.chart(
          coverageChart(coverage), table: coverageTable(coverage),
          note: "The accuracy on the rest if the least confident images go to a person.")
      ])
    }
    if !columns.isEmpty { blocks.append(Block.columns(columns)) }
    if let ranks = score.rankHistogram, score.scored > 0 {
      blocks.append(
        Block.columns([
          [Block.chart(rankChart(ranks), table: rankTable(ranks))],
          [Block.table(topTable)].compactMap(\.self),
        ]))
    }
    if blocks.isEmpty { return nil }
    return Section("confidence", "Confidence and rank", lead: confidenceSentence, blocks)
  }

  private var confidenceSentence: String {
    guard let calibration = score.calibration, let top1 = score.top1 else {
      return "What the probabilities say beyond the predicted class."
    }
    var words =
      "Mean confidence \(percent(calibration.confidence)) against an accuracy of \(percent(top1.value)); "
      + "expected calibration error \(percent(calibration.eceEqualWidth)) (equal width), "
      + "\(percent(calibration.eceEqualMass)) (equal mass), at worst \(percent(calibration.mce))."
    if let temperature = calibration.temperature {
      words +=
        " Dividing the logits by a temperature of \(decimal(temperature.value, 3)) takes the log-loss from "
        + "\(decimal(temperature.before, 4)) to \(decimal(temperature.after, 4)) nats."
    }
    return words
  }

  private func reliabilityChart(_ calibration: Calibration) -> Chart {
    let bins = calibration.equalWidth
    let said = bins.compactMap { bin -> String? in
      guard let confidence = bin.confidence, let accuracy = bin.accuracy else { return nil }
      return "\(percent(confidence, 0)) claimed, \(percent(accuracy.value, 0)) right"
    }
    var chart = Chart(
      id: "reliability", title: "Reliability: what is claimed and what is right",
      description: said.joined(separator: "; ") + ". On the diagonal confidence can be believed.", height: 284
    )
    let plane = Plane(height: 230)
    chart.axes(
      plane, xTicks: Chart.shareTicks, yTicks: Chart.shareTicks, xName: "Confidence", yName: "Accuracy")
    chart.line(plane.across(0), plane.down(0), plane.across(1), plane.down(1), "ideal")
    let most = Double(bins.map(\.count).max() ?? 1)
    for bin in bins where bin.count > 0 {
      let tall = 40 * Double(bin.count) / max(1, most)
      chart.rect(
        plane.across(bin.low) + 1, plane.down(0) - tall, plane.across(bin.high) - plane.across(bin.low) - 2,
        tall,
        "ghost")
    }
    var points: [(Double, Double)] = []
    for bin in bins {
      guard let confidence = bin.confidence, let accuracy = bin.accuracy else { continue }
      let x = plane.across(confidence)
      chart.line(x, plane.down(accuracy.low), x, plane.down(accuracy.high), "error")
      points.append((x, plane.down(accuracy.value)))
    }
    chart.path(points, "line-right")
    for point in points { chart.circle(point.0, point.1, 3.5, "dot-right") }
    return chart
  }

  private func reliabilityTable(_ bins: [ReliabilityBin]) -> Table {
    var table = Table(
      "reliability-table", "Images by confidence", text: ["Confidence"],
      numbers: ["Images", "Right", "Mean confidence", "Accuracy", "95 % interval"])
    for bin in bins {
      table.add([
        head("\(percent(bin.low, 1)) to \(percent(bin.high, 1))"), Cell.number(bin.count),
        Cell.number(bin.correct), Cell.percent(bin.confidence), Cell.percent(bin.accuracy?.value),
        Cell.interval(bin.accuracy),
      ])
    }
    return table
  }

  private func coverageChart(_ points: [CoveragePoint]) -> Chart {
    let lowest = points.map(\.accuracy.low).min() ?? 0
    let floor = lowest > 0.8 ? 0.8 : lowest > 0.5 ? 0.5 : 0
    let said = points.filter { [10, 25, 50, 75, 90, 100].contains(Int(($0.coverage * 100).rounded())) }.map {
      "the most confident \(percent($0.coverage, 0)) are right in \(percent($0.accuracy.value))"
    }
    var chart = Chart(
      id: "coverage", title: "Accuracy against coverage",
      description: said.joined(separator: "; ") + ".", height: 284)
    let plane = Plane(height: 230, x: 0...1, y: floor...1)
    let stepCount = floor == 0.5 ? 5 : 4
    let ticks = (0...stepCount).map { step -> (Double, String) in
      let value = floor + (1 - floor) * Double(step) / Double(stepCount)
      return (value, step == stepCount ? "100\u{A0}%" : decimal(100 * value, 0))
    }
    chart.axes(
      plane, xTicks: Chart.shareTicks, yTicks: ticks, xName: "Share answered (coverage)", yName: "Accuracy")
    let band =
      points.map { (plane.across($0.coverage), plane.down($0.accuracy.high)) }
      + points.reversed().map { (plane.across($0.coverage), plane.down($0.accuracy.low)) }
    chart.path(band, closed: true, "band")
    chart.path(points.map { (plane.across($0.coverage), plane.down($0.accuracy.value)) }, "line-right")
    return chart
  }

  private func coverageTable(_ points: [CoveragePoint]) -> Table {
    var table = Table(
      "coverage-table", "Accuracy of the most confident images", text: ["Share answered"],
      numbers: ["Images", "Least confidence", "Accuracy", "95 % interval"])
    for point in points {
      table.add([
        head(percent(point.coverage, 1)), Cell.number(point.count), Cell.decimal(point.threshold),
        Cell.percent(point.accuracy.value), Cell.interval(point.accuracy),
      ])
    }
    return table
  }

  private func rankChart(_ ranks: [Int]) -> Chart {
    let shown = Array(ranks.prefix(10))
    let total = Double(max(1, score.scored))
    let beyond = score.scored - shown.reduce(0, +)
    let said = shown.prefix(5).enumerated().map {
      "rank \($0.offset + 1): \(percent(Double($0.element) / total))"
    }
    var chart = Chart(
      id: "ranks", title: "Rank of the true class",
      description: said.joined(separator: ", ")
        + (beyond > 0 ? "; beyond rank \(shown.count): \(percent(Double(beyond) / total))." : "."),
      height: 284)
    let plane = Plane(height: 230, x: 0...Double(shown.count + (beyond > 0 ? 1 : 0)), y: 0...1)
    chart.axes(
      plane, xTicks: [], yTicks: Chart.shareTicks, xName: "Rank by probability", yName: "Share of images")
    var sum = 0
    var steps: [(Double, Double)] = []
    for (index, count) in (beyond > 0 ? shown + [beyond] : shown).enumerated() {
      let (from, to) = (plane.across(Double(index)) + 2, plane.across(Double(index + 1)) - 2)
      let share = Double(count) / total
      sum += count
      let style = index == 0 ? "column" : "column-wrong"
      chart.rect(
        from, plane.down(share), to - from,
        max(count > 0 ? 1 : 0, plane.top + plane.height - plane.down(share)), style)
      steps.append(((from + to) / 2, plane.down(Double(sum) / total)))
      let name = index < shown.count ? "\(index + 1)" : ">\(shown.count)"
      chart.text((from + to) / 2, plane.top + plane.height + 17, name, .middle, style: "tick")
    }
    chart.path(steps, "line-soft")
    return chart
  }

  private var topTable: Table {
    var table = Table(
      "top-table", "The true class is among the first", text: ["First"], numbers: ["Images", "95 % interval"])
    for (k, estimate) in [
      (1, score.top1), (2, score.top2), (3, score.top3), (5, score.top5), (10, score.top10),
    ] {
      guard let estimate else { continue }
      table.add([head("\(k)"), Cell.percent(estimate.value), Cell.interval(estimate)])
    }
    return table
  }

  private func rankTable(_ ranks: [Int]) -> Table {
    var table = Table(
      "ranks-table", "Rank of the true class", text: ["Rank"], numbers: ["Images", "Share", "Cumulative"])
    var sum = 0
    let total = Double(max(1, score.scored))
    for (index, count) in ranks.enumerated() where count > 0 && table.rows.count < 100 {
      sum += count
      table.add([
        head("\(index + 1)"), Cell.number(count), Cell.percent(Double(count) / total),
        Cell.percent(Double(sum) / total),
      ])
    }
    if sum < score.scored {
      table.rest = "\(counted(score.scored - sum, "image")) of higher rank not listed."
    }
    return table
  }
}
