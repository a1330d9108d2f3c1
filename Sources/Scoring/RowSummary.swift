import Glibc

/// One row of probabilities, checked and gone through once.
struct RowSummary {
  /// The lowest label of the largest value, as numpy's `argmax`.
  var best = 0
  /// Whether another label has the same value.
  var tied = false
  var sum = 0.0
  /// Place of the truth from 1; among equal values the lowest label comes first.
  var rank = 1
  private var squares = 0.0

  /// - Parameters:
  ///   - row: not empty.
  ///   - truth: a position in it.
  init(_ row: Span<Double>, truth: Int) throws(ScoringError) {
    let mark = row[truth]
    var largest = -1.0
    for label in row.indices {
      let value = row[label]
      sum += value
      squares += value * value
      if value > largest {
        largest = value
        best = label
        tied = false
      } else if value == largest {
        tied = true
      }
      if value > mark || (value == mark && label < truth) { rank += 1 }
      // NaN fails it too.
      guard value >= 0 else {
        throw ScoringError(value < 0 && value.isFinite ? .negative(value, at: label) : .notFinite(at: label))
      }
    }
    guard sum.isFinite else {
      for label in row.indices where !row[label].isFinite { throw ScoringError(.notFinite(at: label)) }
      throw ScoringError(.infiniteSum)
    }
  }

  /// The sum of the squares of `row` / `divisor`.
  func squares(_ row: Span<Double>, _ divisor: Double) -> Double {
    if divisor == 1 { return squares }
    // Divided first: the squares of values from a file may be too large for a number.
    var sum = 0.0
    for label in row.indices {
      let value = row[label] / divisor
      sum += value * value
    }
    return sum
  }
}

/// -log p, nats, with p clipped to [e, 1 - e], e = 2^-52, as scikit-learn's `log_loss` does.
func negativeLogarithm(_ probability: Double) -> Double {
  -log(min(max(probability, Double.ulpOfOne), 1 - Double.ulpOfOne))
}
