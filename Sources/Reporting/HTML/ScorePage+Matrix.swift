import Encodings
import Imaging
import Scoring

extension ScorePage {
  func matrix() throws(Imaging.ImageError) -> Section {
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
          ? "Classes that are taken for each other stand side by side."
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

/// The matrix as a figure: picture, axes, the share found of each row and the share right of each column.
struct MatrixFigure {
  let id: String
  let title: String
  let order: [Int]
  let names: [String]
  /// For the margins; empty to leave them out.
  let classes: [ClassScore]
  let picture: MatrixPicture
  /// Of the square, in the units of the drawing: less where two stand side by side, so that words stay legible.
  var side = 560.0

  func block(note: String) throws(Imaging.ImageError) -> Node {
    var node = try chart().node
    node["matrixID"] = id + "-block"
    node["matrixNote"] = note
    node["legend"] = [
      legend("errors", "Errors", picture.mostErrors), legend("right", "Right", picture.mostRight),
    ]
    return ["matrix": node]
  }

  /// - Parameter most: images in the fullest cell.
  private func legend(_ kind: String, _ name: String, _ most: Int) -> Node {
    let words =
      most == 0
      ? "none" : most == 1 ? "1 image in a cell" : "1 to \(whole(most)) images in a cell, logarithmic"
    var chart = Chart(
      id: "\(id)-legend-\(kind)", title: "Colours of the matrix, \(kind)", description: "\(name): \(words).",
      width: 192,
      height: 12)
    for step in 0..<Ramp.stepCount { chart.rect(Double(step) * 8, 0, 8.2, 12, "\(kind)-\(step)") }
    return ["legendChart": chart.node, "legendWords": "\(name): \(words)"]
  }

  private func chart() throws(Imaging.ImageError) -> Chart {
    let left = 132.0 - (side < 400 ? 28 : 0)
    let top = 118.0 - (side < 400 ? 14 : 0)
    let margin = classes.isEmpty ? 0.0 : 58
    var chart = Chart(
      id: id, title: title,
      description:
        "\(counted(order.count, "class", "classes")); truth downwards, prediction to the right. The tables of confused pairs and of all classes have its figures.",
      width: left + side + margin + 14, height: top + side + margin + 26)
    chart.rect(left, top, side, side, "ground")
    chart.picture(
      left, top, side, light: base64Text(try picture.png(errors: .errorsOnLight, right: .rightOnLight)),
      dark: base64Text(try picture.png(errors: .errorsOnDark, right: .rightOnDark)))
    chart.rect(left, top, side, side, "frame")
    let cell = side / Double(max(1, order.count))
    let room = max(1, Int(exactly: (side / 12.5).rounded(.down)) ?? 1)
    let every = max(1, (order.count + room - 1) / room)
    for place in stride(from: 0, to: order.count, by: every) where names.indices.contains(order[place]) {
      let middle = (Double(place) + 0.5) * cell
      let words = names[order[place]]
      chart.line(left - 4, top + middle, left, top + middle, "axis")
      chart.text(left - 7, top + middle + 3.5, words, .end, style: "tiny")
      chart.line(left + middle, top - 4, left + middle, top, "axis")
      chart.text(left + middle + 3, top - 7, words, .start, style: "tiny", turn: -90)
    }
    if order.count <= 12 { addCounts(&chart, left: left, top: top, cell: cell) }
    if !classes.isEmpty { addMargins(&chart, left: left, top: top, cell: cell) }
    chart.text(left + side / 2, 12, "Predicted class →", .middle)
    chart.text(11, top + side / 2, "← True class", .middle, turn: -90)
    return chart
  }

  /// Few classes: the counts themselves have room in the cells.
  private func addCounts(_ chart: inout Chart, left: Double, top: Double, cell: Double) {
    var place: [Int: Int] = [:]
    for (index, label) in order.enumerated() { place[label] = index }
    for item in picture.cells {
      guard let row = place[item.truth], let column = place[item.predicted] else { continue }
      let most = item.truth == item.predicted ? picture.mostRight : picture.mostErrors
      let isStrong = logStrength(item.count, most: most) > 0.5
      chart.text(
        left + (Double(column) + 0.5) * cell, top + (Double(row) + 0.5) * cell + 5, whole(item.count),
        .middle,
        style: isStrong ? "count-on-strong" : "count-on-faint")
    }
  }

  private func addMargins(_ chart: inout Chart, left: Double, top: Double, cell: Double) {
    let length = 50.0
    var rows: [(Double, Double)] = [(left + side + 6, top)]
    var columns: [(Double, Double)] = [(left, top + side + 6)]
    for (place, label) in order.enumerated() where classes.indices.contains(label) {
      let (from, to) = (Double(place) * cell, Double(place + 1) * cell)
      let across = left + side + 6 + length * classes[label].recall.value
      let down = top + side + 6 + length * classes[label].precision
      rows += [(across, top + from), (across, top + to)]
      columns += [(left + from, down), (left + to, down)]
    }
    rows.append((left + side + 6, top + side))
    columns.append((left + side, top + side + 6))
    chart.path(rows, closed: true, "margin")
    chart.path(columns, closed: true, "margin")
    chart.text(left + side + 6 + length, top - 6, "recall", .end, style: "tick")
    chart.text(left + side + 8, top + side + 6 + length, "precision", .start, style: "tick")
  }
}
