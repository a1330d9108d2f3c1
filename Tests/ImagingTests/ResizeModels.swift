import Foundation
import Testing

@testable import Imaging

/// OpenCV's fixed-point linear filter, one sample at a time and from its description: no tables, no rows.
func linear(_ pixels: borrowing Pixels, _ width: Int, _ height: Int, _ x: Int, _ y: Int, _ channel: Int)
  -> Int
{
  if pixels.width == width, pixels.height == height { return pixels.sample(x, y, channel) }
  if pixels.width == 2 * width, pixels.height == 2 * height {
    let (left, top) = (2 * x, 2 * y)
    return
      (pixels.sample(left, top, channel) + pixels.sample(left + 1, top, channel)
      + pixels.sample(left, top + 1, channel) + pixels.sample(left + 1, top + 1, channel) + 2) / 4
  }
  func place(_ index: Int, _ from: Int, _ to: Int) -> (Int, Float) {
    let exact = Float((Double(index) + 0.5) * (1 / (Double(to) / Double(from))) - 0.5)
    return (Int(floor(exact)), exact - floor(exact))
  }
  func weights(_ fraction: Float) -> (Int, Int) {
    (Int(rint((1 - fraction) * 2048)), Int(rint(fraction * 2048)))
  }
  var (column, fraction) = place(x, pixels.width, width)
  if column < 0 { (column, fraction) = (0, 0) }
  if column >= pixels.width - 1 { (column, fraction) = (pixels.width - 1, 0) }
  let (row, down) = place(y, pixels.height, height)
  let (a0, a1) = weights(fraction)
  let (b0, b1) = weights(down)
  func across(_ y: Int) -> Int {
    let y = min(max(y, 0), pixels.height - 1)
    return pixels.sample(column, y, channel) * a0
      + pixels.sample(min(column + 1, pixels.width - 1), y, channel) * a1
  }
  return ((b0 * (across(row) >> 4)) >> 16 + (b1 * (across(row + 1) >> 4)) >> 16 + 2) >> 2
}

/// A filter by its formula.
enum Formula {
  case cubic, lanczos

  private func value(_ distance: Double) -> Double {
    let d = abs(distance)
    switch self {
    case .cubic:
      let a = -0.75
      if d <= 1 { return ((a + 2) * d - (a + 3)) * d * d + 1 }
      return d < 2 ? ((a * d - 5 * a) * d + 8 * a) * d - 4 * a : 0
    case .lanczos:
      if d < 1e-9 { return 1 }
      return d < 4 ? 4 * sin(.pi * d) * sin(.pi * d / 4) / (.pi * .pi * d * d) : 0
    }
  }

  /// For each destination sample the source samples and their weights, which sum to 1.
  func taps(_ source: Int, _ destination: Int) -> [[(Int, Double)]] {
    (0..<destination).map { index in
      let place = (Double(index) + 0.5) * Double(source) / Double(destination) - 0.5
      let raw = (-4...4).map { Int(floor(place)) + $0 }.map { ($0, value(place - Double($0))) }
      let sum = raw.reduce(0) { $0 + $1.1 }
      return raw.map { (min(max($0.0, 0), source - 1), $0.1 / sum) }
    }
  }
}

/// For each destination sample the share of it that each source sample covers.
func coverage(_ source: Int, _ destination: Int) -> [[(Int, Double)]] {
  let scale = Double(source) / Double(destination)
  return (0..<destination).map { index in
    let (low, high) = (Double(index) * scale, Double(index + 1) * scale)
    return (0..<source).map { ($0, max(0, min(high, Double($0 + 1)) - max(low, Double($0))) / scale) }
  }
}

func expectClose(
  _ made: borrowing Pixels, _ source: borrowing Pixels, _ across: [[(Int, Double)]],
  _ down: [[(Int, Double)]],
  most: Double, _ name: String
) {
  var worst = 0.0
  for y in 0..<made.height {
    for x in 0..<made.width {
      for c in 0..<made.channels {
        var sum = 0.0
        for (row, weight) in down[y] {
          for (column, share) in across[x] { sum += weight * share * Double(source.sample(column, row, c)) }
        }
        worst = max(worst, abs(min(max(sum, 0), most) - Double(made.sample(x, y, c))))
      }
    }
  }
  // Weights of eight bits have 11 binary digits; their errors add up over the taps to less than one and a half levels.
  #expect(worst <= 1.5, "\(name): apart by \(worst)")
}
