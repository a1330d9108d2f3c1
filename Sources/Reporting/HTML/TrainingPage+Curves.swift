import Hyperparameters

import Scoring

extension TrainingPage {
  typealias Line = (name: String, style: String, dot: String, values: [Double])

  /// Accuracy, loss and learning rate over the epochs.
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
        "The training's figures are of the images as they were augmented, while the weights changed; the validation's are "
        + "of all its images once, at the end of each epoch.",
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
              note: "Where the validation's rises while the training's falls, images are learnt by heart.")
          ],
        ]),
        Block.columns([
          [
            Block.chart(
              chart("rate", "Learning rate", rates, percent: false), table: nil,
              note: "That of each epoch's last batch.")
          ],
          [Block.chart(speedChart, table: nil, note: "Of the training; the validation is not counted.")],
        ]),
      ])
  }

  private var speedChart: Chart {
    chart(
      "speed", "Images a second",
      [("Images a second", "line-a", "dot-a", report.epochs.map(\.imagesPerSecond))],
      percent: false)
  }

  /// Lines over the epochs from 0 on, with their names at the top and the best epoch marked.
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

  /// A number of an axis: as many decimals as its size asks for.
  func figure(_ value: Double) -> String {
    let size = abs(value)
    if size == 0 { return "0" }
    var decimals = size >= 100 ? 0 : size >= 10 ? 1 : 2
    var bound = 1.0
    while size < bound && decimals < 8 {
      decimals += 1
      bound /= 10
    }
    let text = decimal(value, decimals)
    return text.contains(".")
      ? String(text.reversed().drop { $0 == "0" }.drop { $0 == "." }.reversed()) : text
  }
}
