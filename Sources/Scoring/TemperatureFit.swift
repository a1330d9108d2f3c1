import Glibc

/// Temperature scaling (Guo et al. 2017): the T for which softmax(log p / T) has the least negative log-likelihood.
///
/// The likelihood is convex in 1/T and has one minimum. Its derivatives by 1/T are the cumulants of log p, so one pass
/// over the rows gives its Taylor series, and the series its minimum. Parts of the images give the start: most often
/// all rows are gone through once.
struct TemperatureFit {
  private let rows: RowStore
  private let columns: ImageColumns
  /// 1/T is looked for from 0.01 to 100.
  private static let bounds = 0.01...100.0
  private static let sampleCounts = [256, 2_048]

  init(rows: RowStore, columns: ImageColumns) {
    self.rows = rows
    self.columns = columns
  }

  /// - Parameter order: the images in an order that does not depend on how they came.
  /// - Returns: `nil` where there is no minimum within the bounds, as when every image is right.
  func best(order: [Int32]) throws(SpillError) -> Temperature? {
    guard rows.width > 1, !order.isEmpty else { return nil }
    var start = 1.0
    for count in Self.sampleCounts where order.count > 2 * count {
      let part = try sample(count, order)
      let found = try part.minimum(from: start, within: 1e-2)
      start = found?.inverse ?? start
    }
    let found = try minimum(from: start, within: 2e-10)
    guard let found else { return nil }
    return Temperature(value: 1 / found.inverse, before: found.plain, after: min(found.value, found.plain))
  }

  private func sample(_ count: Int, _ order: [Int32]) throws(SpillError) -> TemperatureFit {
    var sample = RowStore(width: rows.width, budget: .max, folder: nil)
    var sampled = ImageColumns()
    for place in stride(from: 0, to: order.count, by: order.count / count) {
      let index = Int(order[place])
      let values = try rows.row(index)
      sample.append(values.span)
      sampled.truths.append(columns.truths[index])
      sampled.divisors.append(columns.divisors[index])
      sampled.truthScores.append(columns.truthScores[index])
      sampled.confidences.append(columns.confidences[index])
    }
    return TemperatureFit(rows: sample, columns: sampled)
  }

  /// - Parameter tolerance: of 1/T, relative.
  /// - Returns: 1/T, and the mean likelihood there and at T = 1.
  private func minimum(
    from start: Double, within tolerance: Double
  ) throws(SpillError) -> (inverse: Double, value: Double, plain: Double)? {
    // Where the truth is the largest everywhere, the lower T the better, until rounding ends it.
    let hasWrong = columns.truthScores.indices.contains { columns.truthScores[$0] < columns.confidences[$0] }
    guard hasWrong else { return nil }
    var (low, high) = (Self.bounds.lowerBound, Self.bounds.upperBound)
    var inverse = start
    for _ in 0..<200 {
      let here = try LikelihoodSeries(rows: rows, columns: columns, inverse: inverse)
      if here.slope > 0 { high = inverse } else { low = inverse }
      // Rows without a difference between the classes have the same likelihood at every T.
      if here.slope == 0 && here.curvature <= 0 { return nil }
      let step = here.stepToMinimum
      let next = inverse + step
      if here.error(after: step) <= tolerance * inverse {
        guard next > Self.bounds.lowerBound * (1 + 1e-6), next < Self.bounds.upperBound * (1 - 1e-6) else {
          return nil
        }
        return (next, here.value(after: step), here.plain)
      }
      inverse = next > low && next < high ? next : (low * high).squareRoot()
      if high / low < 1 + 1e-12 { return nil }
    }
    return nil
  }
}
