import Encodings
import Foundation
import Imaging
import Scoring

/// The matrix as a figure: the picture, its axes, the recall of each row and the precision of each column.
struct MatrixFigure {
  let id: String
  let title: String
  /// The labels, first row first.
  let order: [Int]
  /// The name of each label.
  let names: [String]
  /// The classes, for the margins; empty to leave these out.
  let classes: [ClassScore]
  let picture: MatrixPicture
  /// The side of the square in the units of the drawing; smaller where two matrices are side by side, so that words
  /// stay legible.
  var side = 560.0

  func block(note: String) throws(ImageError) -> Node {
    var node = try chart().node
    node["matrixID"] = id + "-block"
    node["matrixNote"] = note
    node["legend"] = [
      legend("errors", "Errors", picture.mostErrors), legend("right", "Right", picture.mostRight),
    ]
    return ["matrix": node]
  }

  /// - Parameter most: the number of images in the fullest cell.
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

  private func chart() throws(ImageError) -> Chart {
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

  /// Writes the counts into the cells; there must be few classes.
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

/// The confusion matrix as a picture: one pixel a cell, with a row for each true class and a column for each predicted
/// one.
struct MatrixPicture {
  /// The pixel count of a side at most. With more classes a pixel is a square of cells, coloured by the strongest of
  /// them.
  static let sideLimit = 1_200

  let cells: [ConfusionCell]
  /// Labels, first row first.
  let order: [Int]
  /// The largest count of the scale off the diagonal, and on it.
  let mostErrors: Int
  let mostRight: Int

  init(cells: [ConfusionCell], order: [Int], mostErrors: Int? = nil, mostRight: Int? = nil) {
    self.cells = cells
    self.order = order
    self.mostErrors = mostErrors ?? cells.filter { $0.truth != $0.predicted }.map(\.count).max() ?? 0
    self.mostRight = mostRight ?? cells.filter { $0.truth == $0.predicted }.map(\.count).max() ?? 0
  }

  /// The number of cells along the side of a pixel.
  var cellsPerPixel: Int { max(1, (order.count + Self.sideLimit - 1) / Self.sideLimit) }

  /// A PNG whose cells without images are transparent, so that it fits any background.
  /// - Throws: `ImageError` where there is no memory for it.
  func png(errors: Ramp, right: Ramp) throws(ImageError) -> [UInt8] {
    let scale = cellsPerPixel
    let side = max(1, (order.count + scale - 1) / scale)
    var place = [Int](repeating: 0, count: order.count)
    for (index, label) in order.enumerated() where place.indices.contains(label) { place[label] = index }
    var strongest = [Double](repeating: 0, count: side * side)
    var samples = [UInt8](repeating: 0, count: side * side * 4)
    for cell in cells where place.indices.contains(cell.truth) && place.indices.contains(cell.predicted) {
      let isRight = cell.truth == cell.predicted
      // In a shared pixel, an error is shown rather than right answers.
      let strength = logStrength(cell.count, most: isRight ? mostRight : mostErrors)
      let weight = isRight ? 0.5 : 1 + strength
      let pixel = place[cell.truth] / scale * side + place[cell.predicted] / scale
      guard weight > strongest[pixel] else { continue }
      strongest[pixel] = weight
      let color = (isRight ? right : errors).color(strength)
      samples[4 * pixel] = UInt8(truncatingIfNeeded: color >> 16)
      samples[4 * pixel + 1] = UInt8(truncatingIfNeeded: color >> 8)
      samples[4 * pixel + 2] = UInt8(truncatingIfNeeded: color)
      samples[4 * pixel + 3] = 255
    }
    let pixels = try Pixels(width: side, height: side, channels: 4, samples: samples.span)
    // Level 9 makes it a seventh smaller, and takes ten times as long: most of the time of a page.
    return try encode(pixels, as: .png(level: 6))
  }
}

/// A colour for each strength, from faint to strong. Lightness changes in one direction only, so the order survives
/// grey print and every kind of colour vision.
struct Ramp {
  /// Colours in sRGB, 0xRRGGBB.
  private let stops: [UInt32]
  /// The number of colours on a page; neighbours can hardly be told apart.
  static let stepCount = 24

  /// Errors from apricot to wine, right answers in blue; each for a white and for a nearly black background.
  static let errorsOnLight = Ramp(stops: [0xF3C9A0, 0xE28E50, 0xBE4A2F, 0x7F1A38, 0x3B0A2E])
  static let rightOnLight = Ramp(stops: [0xC3DBF0, 0x7DAEDA, 0x397EBC, 0x14538F, 0x0A2C57])
  static let errorsOnDark = Ramp(stops: [0x6A3026, 0x9C472D, 0xD27036, 0xF2A65E, 0xFFE5BC])
  static let rightOnDark = Ramp(stops: [0x1F4166, 0x2B659F, 0x4B93D1, 0x8DC1EF, 0xD8EDFF])

  /// - Parameter strength: 0...1; other values count as the nearer end.
  func color(_ strength: Double) -> UInt32 {
    let place = min(max(strength, 0), 1) * Double(stops.count - 1)
    let index = min(Int(exactly: place.rounded(.down)) ?? 0, stops.count - 2)
    let part = place - Double(index)
    return [16, 8, 0].reduce(0) { mixed, shift in
      let (a, b) = (Double(stops[index] >> shift & 0xFF), Double(stops[index + 1] >> shift & 0xFF))
      let value = UInt32(exactly: (a + (b - a) * part).rounded()) ?? 0
      return mixed | value << shift
    }
  }

  /// The colours as "#rrggbb", from faint to strong.
  var steps: [String] {
    (0..<Self.stepCount).map { step in
      let text = String(color(Double(step) / Double(Self.stepCount - 1)), radix: 16)
      return "#" + String(repeating: "0", count: 6 - text.count) + text
    }
  }
}

/// The strength of a count, 0...1, by its logarithm, so that single images show beside hundreds.
func logStrength(_ count: Int, most: Int) -> Double {
  guard count > 0, most > 1 else { return count > 0 ? 1 : 0 }
  return log(Double(count)) / log(Double(most))
}
