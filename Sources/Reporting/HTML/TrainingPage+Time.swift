import Hyperparameters
import Scoring

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

  /// A column an epoch; of many epochs neighbours share one, by their mean.
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
      description: "In the mean of the epochs: " + said.joined(separator: ", ") + ".", height: 300)
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

  /// Every epoch's figures.
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
        "How many are right and the loss; the learning rate; and the training's time, speed, and share of waiting.",
      [Block.table(table)])
  }

  private static let rowLimit = 1000
}
