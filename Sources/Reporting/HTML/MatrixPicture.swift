import Imaging
import Scoring

/// The confusion matrix as a picture: one pixel a cell, truth downwards, prediction to the right.
struct MatrixPicture {
  /// Pixels a side at most; with more classes a pixel stands for a square of cells, coloured by its largest.
  static let sideLimit = 1_200

  let cells: [ConfusionCell]
  /// Labels, first row first.
  let order: [Int]
  /// Largest counts of the scale, off the diagonal and on it.
  let mostErrors: Int
  let mostRight: Int

  init(cells: [ConfusionCell], order: [Int], mostErrors: Int? = nil, mostRight: Int? = nil) {
    self.cells = cells
    self.order = order
    self.mostErrors = mostErrors ?? cells.filter { $0.truth != $0.predicted }.map(\.count).max() ?? 0
    self.mostRight = mostRight ?? cells.filter { $0.truth == $0.predicted }.map(\.count).max() ?? 0
  }

  /// Cells a pixel stands for, along a side.
  var cellsPerPixel: Int { max(1, (order.count + Self.sideLimit - 1) / Self.sideLimit) }

  /// A PNG; cells without images are transparent, so that it stands on any ground.
  func png(errors: Ramp, right: Ramp) throws(Imaging.ImageError) -> [UInt8] {
    let scale = cellsPerPixel
    let side = max(1, (order.count + scale - 1) / scale)
    var place = [Int](repeating: 0, count: order.count)
    for (index, label) in order.enumerated() where place.indices.contains(label) { place[label] = index }
    var strongest = [Double](repeating: 0, count: side * side)
    var samples = [UInt8](repeating: 0, count: side * side * 4)
    for cell in cells where place.indices.contains(cell.truth) && place.indices.contains(cell.predicted) {
      let isRight = cell.truth == cell.predicted
      // In a shared pixel, an error is worth more to see than what is right.
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
    return try encode(pixels, as: .png(level: 9))
  }
}
