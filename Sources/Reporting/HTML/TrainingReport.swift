public import Hyperparameters
import Scoring

/// The report of a training as one HTML file, with the same guarantees as `ScoreReport`: complete without its script,
/// no request, the same bytes for the same figures.
public struct TrainingReport: Sendable {
  /// The epochs so far, in order.
  public var epochs: [EpochRecord] = []
  /// The number of the epoch that is stored as the best.
  public var bestEpoch: Int?
  /// The largest number of epochs that was asked for.
  public var epochCount = 0
  /// The k of `validationTopAccuracy`.
  public var topK: Int?
  /// Whether an image may have several labels; accuracies are then means over labels.
  public var isMultiLabel = false
  /// Whether early stopping ended the training.
  public var hasStoppedEarly = false
  /// Each hyperparameter that has an effect, in the order of the log.
  public var hyperparameters: [(name: String, value: String)] = []
  /// Where the figures come from: program, data, processor.
  public var details: [(name: String, value: String)] = []
  /// A report without figures.
  public init() {}

  /// The file, in UTF-8.
  public func html() -> String { TrainingPage(self).page().html() }

  /// The section with accuracy, loss, learning rate and speed over the epochs, for another page; `nil` before the first
  /// epoch.
  package var curves: Section? { epochs.isEmpty ? nil : TrainingPage(self).curves }
}

/// The sections of the report of a training.
struct TrainingPage {
  let report: TrainingReport

  init(_ report: TrainingReport) { self.report = report }

  var best: EpochRecord? {
    report.epochs.first { $0.epoch == report.bestEpoch }
      ?? report.epochs.max { $0.validationAccuracy < $1.validationAccuracy }
  }

  func page() -> ReportPage {
    var sections: [Section] = []
    if !report.epochs.isEmpty { sections = [summary, curves, time, epochs] }
    sections.append(parameters)
    return ReportPage(
      title: "Training report", heading: "Training report",
      origins: report.details.prefix(2).map { ($0.name, $0.value) }, hero: hero, sections: sections,
      footer: ReportPage.footer(),
      data: "{}")
  }

  private var hero: ReportPage.Hero {
    guard let best, let last = report.epochs.last else {
      return ReportPage.Hero(
        name: "Validation accuracy", value: "–", range: "Nothing could be measured.",
        sentence: "No epoch was finished: there is no model yet.")
    }
    let done = report.epochs.count
    let end =
      report.hasStoppedEarly
      ? " Early stopping ended it after epoch \(last.epoch)."
      : done < report.epochCount ? " It was ended before the last of \(whole(report.epochCount)) epochs." : ""
    // Several labels of one image are not independent of each other, so they have no interval.
    let estimate =
      report.isMultiLabel || best.validationImages == 0
      ? nil : Estimate.wilson(share: best.validationAccuracy, of: best.validationImages)
    let images = "\(counted(best.validationImages, "validation image"))"
    let what = report.isMultiLabel ? "labels of \(images)" : images
    let sentence =
      "After \(counted(done, "epoch")) the best was epoch \(best.epoch): of the \(what), "
      + "\(percent(best.validationAccuracy, 1)) are right; of those trained on in that epoch, "
      + "\(percent(best.trainAccuracy, 1)) were.\(end)"
    return ReportPage.Hero(
      name: "Best validation accuracy", value: decimal(100 * best.validationAccuracy, 1), unit: "%",
      chart: .scale("Best validation accuracy", best.validationAccuracy, estimate),
      range: estimate.map { "95 % interval: \(range($0))" } ?? "Mean over all labels of all images",
      sentence: sentence, tiles: tiles(best, last))
  }

  private func tiles(
    _ best: EpochRecord, _ last: EpochRecord
  ) -> [(name: String, value: String, note: String)] {
    var tiles: [(name: String, value: String, note: String)] = []
    if let topK = report.topK, let top = best.validationTopAccuracy {
      tiles.append(("Top-\(topK)", percent(top, 1), "epoch \(best.epoch)"))
    }
    let seconds = report.epochs.reduce(0) { $0 + $1.seconds + $1.validationSeconds }
    let trained = report.epochs.reduce(0) { $0 + $1.imagesPerSecond * $1.seconds }
    let training = report.epochs.reduce(0) { $0 + $1.seconds }
    return tiles + [
      ("Best epoch", "\(best.epoch)", "of \(whole(report.epochs.count)), the first is 0"),
      ("Validation loss", decimal(best.validationLoss, 3), "nats, epoch \(best.epoch)"),
      ("Last epoch", percent(last.validationAccuracy, 1), "validation accuracy"),
      ("Speed", decimal(trained / max(training, 1e-9), 1), "images a second"),
      ("Time", durationText(seconds), "validation included"),
    ]
  }

  /// What a reader should know first.
  private var summary: Section {
    guard let best, let last = report.epochs.last else { return Section("summary", "What stands out", []) }
    var points: [Block.Point] = []
    let gap = best.trainAccuracy - best.validationAccuracy
    points.append(
      .init(
        head: "Fit",
        words: gap > 0.1
          ? "In the best epoch training accuracy is \(Reporting.points(gap, 1).replacing("+", with: "")) points above validation accuracy: "
            + "the network overfits. More images, stronger augmentation or a larger weight decay help."
          : "Training and validation accuracy are \(Reporting.points(abs(gap), 1).replacing("+", with: "")) points apart in the best epoch: "
            + "the network does not overfit.", href: "#curves"))
    let late = report.epochs.count > 1 && best.epoch == last.epoch
    if late {
      points.append(
        .init(
          head: "Still rising",
          words: "The last epoch is the best one: with more epochs it may become better still.",
          href: "#curves"))
    } else if report.epochs.count - 1 - best.epoch >= 5 {
      points.append(
        .init(
          head: "Past its best",
          words: "The \(counted(last.epoch - best.epoch, "epoch")) after the best one brought no gain.",
          href: "#curves"))
    }
    let training = report.epochs.reduce(0) { $0 + $1.seconds }
    let waiting = report.epochs.reduce(0) { $0 + $1.dataSeconds } / max(training, 1e-9)
    points.append(
      .init(
        head: "Images",
        words: "\(percent(waiting, 1)) of the training is spent on waiting for images"
          + (waiting > 0.05 ? ": smaller images in the records would make it faster." : "."),
        href: "#time"))
    return Section("summary", "What stands out", [Block.points(points)])
  }

  private var parameters: Section {
    var table = Table("parameters-table", "Hyperparameters", text: ["Name", "Value"])
    for (name, value) in report.hyperparameters { table.add([head(name), Cell.long(value)]) }
    var origin = Table("details-table", "This training", text: ["What", "Value"])
    for (name, value) in report.details { origin.add([head(name), Cell.long(value, limit: 160)]) }
    return Section(
      "parameters", "How it was trained",
      [Block.columns([[Block.table(table)].compactMap(\.self), [Block.table(origin)].compactMap(\.self)])])
  }
}

extension TrainingPage {
  typealias Line = (name: String, style: String, dot: String, values: [Double])

  /// Accuracy, loss, learning rate and speed over the epochs.
  var curves: Section {
    let top = report.epochs.compactMap(\.validationTopAccuracy)
    var lines: [Line] = [
      ("Training", "line-wrong", "dot-wrong", report.epochs.map(\.trainAccuracy)),
      ("Validation", "line-right", "dot-right", report.epochs.map(\.validationAccuracy)),
    ]
    if let topK = report.topK, top.count == report.epochs.count {
      lines.append(("Validation, top \(topK)", "line-soft", "dot-a", top))
    }
    let losses: [Line] = [
      ("Training", "line-wrong", "dot-wrong", report.epochs.map(\.trainLoss)),
      ("Validation", "line-right", "dot-right", report.epochs.map(\.validationLoss)),
    ]
    let rates: [Line] = [
      ("Learning rate", "line-a", "dot-a", report.epochs.map(\.learningRate))
    ]
    return Section(
      "curves", "Learning curves",
      lead:
        "Training figures are measured on augmented images while the weights change; validation figures on all validation "
        + "images at the end of each epoch.",
      [
        Block.columns([
          [
            Block.chart(
              chart("accuracy", "Accuracy", lines, percent: true), table: nil,
              note: "The mark is the best epoch.")
          ],
          [
            Block.chart(
              chart("loss", "Loss: cross-entropy in nats", losses, percent: false), table: nil,
              note: "Where the validation loss rises while the training loss falls, the network overfits.")
          ],
        ]),
        Block.columns([
          [
            Block.chart(
              chart("rate", "Learning rate", rates, percent: false), table: nil,
              note: "The learning rate of each epoch's last batch.")
          ],
          [Block.chart(speedChart, table: nil, note: "Training only; validation is not counted.")],
        ]),
      ])
  }

  private var speedChart: Chart {
    chart(
      "speed", "Images a second",
      [("Images a second", "line-a", "dot-a", report.epochs.map(\.imagesPerSecond))],
      percent: false)
  }

  /// Lines over the epochs, with a legend above and the best epoch marked.
  private func chart(_ id: String, _ title: String, _ lines: [Line], percent: Bool) -> Chart {
    let said = lines.map { line -> String in
      let ends = [line.values.first, line.values.last].compactMap { $0 }.map {
        percent ? Reporting.percent($0, 1) : figure($0)
      }
      return "\(line.name) from \(ends.joined(separator: " to "))"
    }
    var chart = Chart(
      id: id, title: title, description: said.joined(separator: "; ") + ".", height: 300)
    let finite = lines.flatMap(\.values).filter(\.isFinite)
    let steps = percent ? [0, 0.25, 0.5, 0.75, 1] : axisSteps(to: finite.max() ?? 1)
    let last = report.epochs.last?.epoch ?? 0
    // Room for the numbers of the axis: "0.0001" is wider than "100 %".
    let labels = percent ? Chart.shareTicks : steps.map { ($0, figure($0)) }
    let left = 30 + 6.6 * Double(labels.map(\.1.count).max() ?? 3)
    let plane = Plane(
      left: left, top: 34, width: 404 - left, height: 210, x: 0...Double(max(1, last)),
      y: 0...(steps.last ?? 1))
    chart.axes(plane, xTicks: epochTicks(last), yTicks: labels, xName: "Epoch", yName: "")
    if let best, report.epochs.count > 1 {
      let x = plane.across(Double(best.epoch))
      chart.line(x, plane.top, x, plane.top + plane.height, "ideal")
    }
    var x = plane.left
    for line in lines {
      let points = zip(report.epochs, line.values).filter { $0.1.isFinite }.map {
        (plane.across(Double($0.epoch)), plane.down(min($1, plane.y.upperBound)))
      }
      chart.path(points, line.style)
      if points.count <= 40 { for point in points { chart.circle(point.0, point.1, 2.6, line.dot) } }
      if lines.count > 1 {
        chart.line(x, 12, x + 18, 12, line.style)
        chart.circle(x + 9, 12, 2.6, line.dot)
        chart.text(x + 24, 16, line.name)
        x += 42 + 7 * Double(line.name.count)
      }
    }
    return chart
  }

  func epochTicks(_ last: Int) -> [(Double, String)] {
    axisSteps(to: Double(max(1, last)), about: 6).filter { $0 <= Double(last) && $0 == $0.rounded() }
      .map { ($0, decimal($0, 0)) }
  }

  /// A number on an axis, with as many decimals as its size needs.
  func figure(_ value: Double) -> String {
    let size = abs(value)
    if size == 0 { return "0" }
    var decimals = size >= 100 ? 0 : size >= 10 ? 1 : 2
    var bound = 1.0
    while size < bound && decimals < 8 {
      decimals += 1
      bound /= 10
    }
    return withoutTrailingZeros(decimal(value, decimals))
  }
}

extension TrainingPage {
  typealias Part = (name: String, style: String, seconds: (EpochRecord) -> Double)

  private var parts: [Part] {
    [
      ("Data", "column-wrong", { $0.dataSeconds }), ("Forward", "column", { $0.forwardSeconds }),
      ("Backward", "column-soft", { $0.backwardSeconds }), ("Update", "margin", { $0.updateSeconds }),
      ("Other", "ghost", { other($0) }),
    ]
  }

  /// Where the time of the training went.
  var time: Section {
    let total = max(report.epochs.reduce(0) { $0 + $1.seconds }, 1e-9)
    var table = Table(
      "time-table", "Time of all epochs", text: ["Part", "What it is"], numbers: ["Time", "Share"])
    let meanings = [
      "Data": "waiting for images", "Forward": "from images to probabilities",
      "Backward": "from the loss to gradients", "Update": "from gradients to weights",
      "Other": "metrics, moving average, checkpoints",
    ]
    for part in parts {
      let seconds = report.epochs.reduce(0) { $0 + part.seconds($1) }
      table.add([
        head(part.name), Cell.text(meanings[part.name] ?? ""), Cell.number(durationText(seconds)),
        Cell.share(seconds / total),
      ])
    }
    let validation = report.epochs.reduce(0) { $0 + $1.validationSeconds }
    return Section(
      "time", "Where the time went",
      lead:
        "\(durationText(total)) of training, and \(durationText(validation)) of validation after the epochs.",
      [Block.columns([[Block.chart(timeChart, table: nil)], [Block.table(table)].compactMap(\.self)])])
  }

  private func other(_ epoch: EpochRecord) -> Double {
    max(
      0,
      epoch.seconds - epoch.dataSeconds - epoch.forwardSeconds - epoch.backwardSeconds - epoch.updateSeconds)
  }

  /// A column for each epoch; with many epochs neighbours share a column, which shows their mean.
  private var timeChart: Chart {
    let width = (report.epochs.count + Self.columnLimit - 1) / Self.columnLimit
    let groups = stride(from: 0, to: report.epochs.count, by: max(1, width)).map {
      Array(report.epochs[$0..<min($0 + max(1, width), report.epochs.count)])
    }
    func mean(_ part: Part, _ group: [EpochRecord]) -> Double {
      group.reduce(0) { $0 + part.seconds($1) } / Double(max(1, group.count))
    }
    let said = parts.map { part in
      "\(part.name) \(figure(mean(part, report.epochs))) seconds"
    }
    var chart = Chart(
      id: "time-chart", title: "Seconds of an epoch",
      description: "Mean of the epochs: " + said.joined(separator: ", ") + ".", height: 300)
    let most = groups.map { group in parts.reduce(0) { $0 + mean($1, group) } }.max() ?? 1
    let steps = axisSteps(to: max(most, 1e-6))
    let labels = steps.map { ($0, figure($0)) }
    let left = 30 + 6.6 * Double(labels.map(\.1.count).max() ?? 3)
    let last = report.epochs.last?.epoch ?? 0
    let plane = Plane(
      left: left, top: 34, width: 404 - left, height: 210, x: -0.5...Double(last) + 0.5,
      y: 0...(steps.last ?? 1))
    chart.axes(plane, xTicks: epochTicks(last), yTicks: labels, xName: "Epoch", yName: "")
    for group in groups {
      guard let first = group.first, let end = group.last else { continue }
      let (low, high) = (plane.across(Double(first.epoch) - 0.5), plane.across(Double(end.epoch) + 0.5))
      let gap = min(3, (high - low) * 0.15)
      var sum = 0.0
      for part in parts {
        let seconds = mean(part, group)
        let y = plane.down(sum + seconds)
        chart.rect(low + gap, y, high - low - 2 * gap, plane.down(sum) - y, part.style)
        sum += seconds
      }
    }
    var x = plane.left
    for part in parts {
      chart.rect(x, 6, 12, 12, part.style)
      chart.text(x + 17, 16, part.name)
      x += 30 + 7 * Double(part.name.count)
    }
    return chart
  }

  private static let columnLimit = 60

  /// The figures of every epoch.
  var epochs: Section {
    let hasTop = report.epochs.allSatisfy { $0.validationTopAccuracy != nil }
    var table = Table(
      "epochs-table", "Epoch by epoch", text: ["Epoch"],
      numbers: [
        "Training", "Validation",
      ] + (hasTop ? ["Top \(report.topK ?? 0)"] : []) + [
        "Training loss", "Validation loss", "Rate", "Seconds", "Images/s", "Waiting",
      ])
    for epoch in report.epochs.prefix(Self.rowLimit) {
      let mark = epoch.epoch == report.bestEpoch ? " (best)" : ""
      table.add(
        [
          head("\(epoch.epoch)\(mark)"), Cell.percent(epoch.trainAccuracy),
          Cell.percent(epoch.validationAccuracy),
        ] + (hasTop ? [Cell.percent(epoch.validationTopAccuracy)] : []) + [
          Cell.decimal(epoch.trainLoss), Cell.decimal(epoch.validationLoss),
          Cell.number(figure(epoch.learningRate)), Cell.decimal(epoch.seconds, 1),
          Cell.decimal(epoch.imagesPerSecond, 1), Cell.percent(epoch.dataSeconds / max(epoch.seconds, 1e-9)),
        ])
    }
    let rest = report.epochs.count - table.rows.count
    if rest > 0 { table.rest = "\(whole(rest)) more; metrics.jsonl has them all." }
    return Section(
      "epochs", "Every epoch",
      lead:
        "Accuracies and losses, the learning rate, and the time, the speed and the share of waiting of the training.",
      [Block.table(table)])
  }

  private static let rowLimit = 1000
}
