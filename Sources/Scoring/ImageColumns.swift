/// What is kept of every image, 36 bytes and its path, in the order they came.
struct ImageColumns: Sendable {
  var paths = PathList()
  var truths: [Int32] = []
  var predicted: [Int32] = []
  /// Place of the truth, from 1; 0 for a hard label.
  var ranks: [Int32] = []
  /// The largest value of the row and that of the truth, as they stand.
  var confidences: [Double] = []
  var truthScores: [Double] = []
  /// What makes probabilities of the row's values: 1 where their sum is 1 (within the tolerance), else the sum.
  var divisors: [Double] = []

  var count: Int { truths.count }

  mutating func append(contentsOf other: ImageColumns) {
    paths.append(contentsOf: other.paths)
    truths += other.truths
    predicted += other.predicted
    ranks += other.ranks
    confidences += other.confidences
    truthScores += other.truthScores
    divisors += other.divisors
  }

  /// The images by path; equal paths by what else is known, so that the order they came in plays no part.
  func pathOrder() -> [Int32] {
    let isSorted = (1..<max(1, count)).allSatisfy { paths.isBefore($0 - 1, $0) == true }
    let order = (0..<Int32(count)).map { $0 }
    if isSorted { return order }
    return order.sorted { x, y in
      let (a, b) = (Int(x), Int(y))
      return paths.isBefore(a, b)
        ?? ((truths[a], predicted[a], ranks[a], confidences[a], truthScores[a], divisors[a])
          < (truths[b], predicted[b], ranks[b], confidences[b], truthScores[b], divisors[b]))
    }
  }

  /// A value of image `index` as a probability; a row of zeros says nothing, so each class has the same.
  static func probability(_ value: Double, divisor: Double, classCount: Int) -> Double {
    divisor == 0 ? 1 / Double(classCount) : value / divisor
  }
}

extension PredictionTable {
  /// The columns in another order, each freed as soon as it is copied.
  init(_ columns: consuming ImageColumns, order: [Int32], classCount: Int) {
    let isSorted = order.indices.allSatisfy { Int(order[$0]) == $0 }
    func sorted<Value>(_ values: [Value]) -> [Value] { isSorted ? values : order.map { values[Int($0)] } }
    paths = isSorted ? columns.paths : columns.paths.inOrder(order)
    columns.paths = PathList()
    truths = sorted(columns.truths)
    columns.truths = []
    predicted = sorted(columns.predicted)
    columns.predicted = []
    ranks = sorted(columns.ranks)
    columns.ranks = []
    let divisors = sorted(columns.divisors)
    columns.divisors = []
    confidences = sorted(columns.confidences)
    columns.confidences = []
    truthProbabilities = sorted(columns.truthScores)
    columns.truthScores = []
    for index in ranks.indices {
      if ranks[index] == 0 {
        confidences[index] = PredictionTable.absent
        truthProbabilities[index] = PredictionTable.absent
      } else if divisors[index] != 1 {
        confidences[index] = ImageColumns.probability(
          confidences[index], divisor: divisors[index], classCount: classCount)
        truthProbabilities[index] = ImageColumns.probability(
          truthProbabilities[index], divisor: divisors[index], classCount: classCount)
      }
    }
  }
}
