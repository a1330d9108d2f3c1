import Models

/// An exponential moving average of what a network learns and of its moving statistics. It lies as the weights lie, so
/// that a step costs one walk over them.
final class WeightAverage: @unchecked Sendable {  // one step at a time, and each worker its own piece
  private let learnt: LearntParameters
  private let norms: [Normalization]
  private let values: FloatBuffer
  /// Of each BatchNorm: means and variances.
  private var statistics: [[Float]]

  /// - Throws: where an array is missing or has another shape, or memory is lacking.
  init(_ learnt: LearntParameters, _ norms: [Normalization], startingAt start: Parameters) throws {
    self.learnt = learnt
    self.norms = norms.filter { $0.statistics != nil }
    values = try FloatBuffer(count: learnt.values.count)
    statistics = []
    try learnt.set(start, in: values)
    for norm in self.norms {
      guard let names = norm.statistics else { continue }
      statistics.append(try start.values(of: names.mean) + start.values(of: names.variance))
    }
  }

  /// average = kept * average + (1 - kept) * what is now.
  func update(keeping kept: Float, _ workers: Workers) {
    let (count, piece) = (values.count, 16_384)
    workers.forEach((count + piece - 1) / piece) { index, _ in
      let (average, now) = unsafe (self.values.start, self.learnt.values.start)
      for place in index * piece..<min(count, (index + 1) * piece) {
        unsafe average[place] = kept * average[place] + (1 - kept) * now[place]
      }
    }
    for (index, norm) in norms.enumerated() {
      for (place, now) in (norm.movingMean + norm.movingVariance).enumerated() {
        statistics[index][place] = kept * statistics[index][place] + (1 - kept) * now
      }
    }
  }

  /// Under the parameters' names.
  func arrays() -> [String: Parameters.Array] {
    var arrays = learnt.arrays(in: values)
    for (norm, both) in zip(norms, statistics) {
      guard let names = norm.statistics else { continue }
      let count = both.count / 2
      arrays[names.mean] = Parameters.Array(shape: [count], values: Array(both[..<count]))
      arrays[names.variance] = Parameters.Array(shape: [count], values: Array(both[count...]))
    }
    return arrays
  }
}
