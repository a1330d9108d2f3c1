import Glibc

/// Scores as a Gaussian process takes them.
enum Targets {
  /// Losses with mean 0 and deviation 1, those worse than the median drawn in.
  ///
  /// A training that diverged is far worse than all others, and not to be told from them by how much: beyond the
  /// median the distance grows as its logarithm. The order stays. Equal losses become 0.
  static func standardised(_ losses: [Double]) -> [Double] {
    // Rounding would give equal losses a deviation.
    guard let least = losses.min(), let largest = losses.max(), least < largest else {
      return losses.map { _ in 0 }
    }
    let values = drawnIn(losses)
    let (mean, deviation) = moments(values)
    guard deviation > 0, deviation.isFinite else { return losses.map { _ in 0 } }
    return values.map { ($0 - mean) / deviation }
  }

  /// The mean and the deviation of some numbers, not of a sample's population.
  static func moments(_ values: [Double]) -> (mean: Double, deviation: Double) {
    let count = Double(max(values.count, 1))
    let mean = values.reduce(0) { $0 + $1 / count }
    return (mean, values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) / count }.squareRoot())
  }

  /// - Precondition: they are in order, and there is one.
  static func median(of sorted: [Double]) -> Double {
    sorted[(sorted.count - 1) / 2] / 2 + sorted[sorted.count / 2] / 2
  }

  private static func drawnIn(_ losses: [Double]) -> [Double] {
    let sorted = losses.sorted()
    let median = median(of: sorted)
    let spread = median - sorted[0]
    guard spread > 0, spread.isFinite else { return losses }
    return losses.map { $0 <= median ? $0 : median + spread * log1p(($0 - median) / spread) }
  }
}
