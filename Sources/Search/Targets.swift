import Glibc

/// Scores as a Gaussian process takes them: less is better, mean 0 and deviation 1.
enum Targets {
  /// - Parameter warp: 0 as they are; 1 bad ones drawn in.
  static func standardised(_ losses: [Double], warp: Int) -> [Double] {
    guard !losses.isEmpty else { return [] }
    var values = losses
    if warp == 1 { values = drawnIn(losses) }
    if warp == 2 { values = logged(losses) }
    return scaled(values)
  }

  static func scaled(_ values: [Double]) -> [Double] {
    let count = Double(values.count)
    let mean = values.reduce(0, +) / count
    let deviation = (values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / count).squareRoot()
    guard deviation > 0, deviation.isFinite else { return values.map { _ in 0 } }
    return values.map { ($0 - mean) / deviation }
  }

  static func drawnIn(_ losses: [Double]) -> [Double] {
    let sorted = losses.sorted()
    let median = (sorted[(sorted.count - 1) / 2] + sorted[sorted.count / 2]) / 2
    let spread = median - sorted[0]
    guard spread > 0 else { return losses }
    return losses.map { $0 <= median ? $0 : median + spread * log1p(($0 - median) / spread) }
  }

  static func logged(_ losses: [Double]) -> [Double] {
    let sorted = losses.sorted()
    let spread = sorted[sorted.count / 2] - sorted[0]
    guard spread > 0 else { return losses }
    return losses.map { log1p(($0 - sorted[0]) / spread * 2) }
  }
}
