import Hyperparameters
import Scoring

/// The report of a training, section by section.
struct TrainingPage {
  let report: TrainingReport

  init(_ report: TrainingReport) { self.report = report }

  var best: EpochRecord? {
    report.epochs.first { $0.epoch == report.bestEpoch }
      ?? report.epochs.max { $0.validationAccuracy < $1.validationAccuracy }
  }

  func head(_ words: String) -> Node { ["words": words, "isHead": true] }

  func page() -> Page {
    var sections: [Section] = []
    if !report.epochs.isEmpty { sections = [summary, curves, time, epochs] }
    sections.append(parameters)
    return Page(
      title: "Training report", heading: "Training report",
      origins: report.details.prefix(2).map { ($0.name, $0.value) }, hero: hero, sections: sections,
      footer: "Made by imrec. One file, no request to anywhere. The same input gives the same bytes.",
      data: "{}")
  }

  private var hero: Page.Hero {
    guard let best, let last = report.epochs.last else {
      return Page.Hero(
        name: "Validation accuracy", value: "–", range: "Nothing could be measured.",
        sentence: "No epoch was finished: there is no model yet.")
    }
    let done = report.epochs.count
    let end =
      report.hasStoppedEarly
      ? " Early stopping ended it after epoch \(last.epoch)."
      : done < report.epochCount ? " It was ended before the last of \(whole(report.epochCount)) epochs." : ""
    // The decisions of one image are not independent of each other, so there is no interval for several labels.
    let estimate =
      report.isMultiLabel ? nil : wilson(best.validationAccuracy, of: best.validationImages)
    let images = "\(counted(best.validationImages, "validation image"))"
    let what = report.isMultiLabel ? "labels of \(images)" : images
    let sentence =
      "After \(counted(done, "epoch")) the best was epoch \(best.epoch): of the \(what), "
      + "\(percent(best.validationAccuracy, 1)) are right; of those trained on in that epoch, "
      + "\(percent(best.trainAccuracy, 1)) were.\(end)"
    return Page.Hero(
      name: "Best validation accuracy", value: decimal(100 * best.validationAccuracy, 1), unit: "%",
      chart: scaleChart(best.validationAccuracy, estimate),
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

  private func scaleChart(_ value: Double, _ estimate: Estimate?) -> Chart {
    var chart = Chart(
      id: "scale", title: "Best validation accuracy on a scale from 0 to 100 %",
      description: percent(value) + (estimate.map { ", with an interval from \(range($0))." } ?? "."),
      width: 420, height: 34)
    chart.rect(2, 8, 416, 6, "track")
    if let estimate {
      chart.rect(2 + 416 * estimate.low, 4, max(2, 416 * (estimate.high - estimate.low)), 14, "whisker")
    }
    chart.rect(1 + 416 * value, 1, 2.5, 20, "mark")
    for (value, words, anchor) in [
      (0.0, "0", Chart.Anchor.start), (0.5, "50", .middle), (1, "100\u{A0}%", .end),
    ] { chart.text(2 + 416 * value, 32, words, anchor, style: "tick") }
    return chart
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
          ? "In the best epoch the training images are \(percent(gap, 1)) more often right than the validation's: "
            + "the network learns them by heart. More images, stronger augmentation or a larger weight decay help."
          : "Training and validation are \(Reporting.points(abs(gap), 1).replacing("+", with: "")) points apart in the best epoch: "
            + "the network does not learn its images by heart.", href: "#curves"))
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
          words: "The \(counted(last.epoch - best.epoch, "epoch")) after the best one brought nothing.",
          href: "#curves"))
    }
    let training = report.epochs.reduce(0) { $0 + $1.seconds }
    let waiting = report.epochs.reduce(0) { $0 + $1.dataSeconds } / max(training, 1e-9)
    points.append(
      .init(
        head: "Images",
        words: "\(percent(waiting, 1)) of the training is spent on waiting for images"
          + (waiting > 0.05
            ? ": records of smaller images (imrec pack --resize) would make it faster." : "."),
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

/// Wilson's 95 % interval of a share of so many images; nil where there is none.
private func wilson(_ share: Double, of count: Int) -> Estimate? {
  guard count > 0 else { return nil }
  let (n, z) = (Double(count), 1.959_963_984_540_054)
  let middle = (share + z * z / (2 * n)) / (1 + z * z / n)
  let reach = z / (1 + z * z / n) * (share * (1 - share) / n + z * z / (4 * n * n)).squareRoot()
  return Estimate(value: share, low: max(0, middle - reach), high: min(1, middle + reach))
}

/// "4.2 s", "42 s", "3 min 20 s", "2 h 05 min"
package func durationText(_ seconds: Double) -> String {
  let total = Int64(exactly: max(0, seconds).rounded()) ?? 0
  func two(_ value: Int64) -> String { value < 10 ? "0\(value)" : "\(value)" }
  if total < 10 { return decimal(max(0, seconds), 1) + "\u{A0}s" }
  if total < 60 { return "\(total)\u{A0}s" }
  if total < 3600 { return "\(total / 60)\u{A0}min \(two(total % 60))\u{A0}s" }
  return "\(total / 3600)\u{A0}h \(two(total / 60 % 60))\u{A0}min"
}
