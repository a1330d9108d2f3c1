import Scoring

/// The confusion matrices of two runs over the images both have, by the labels of their comparison.
struct JoinedRuns {
  private(set) var a: [ConfusionCell] = []
  private(set) var b: [ConfusionCell] = []

  /// Joins as the comparison did: by path, where the classes of the truth have one name.
  init(_ a: Score, _ b: Score, _ comparison: Comparison) {
    var labels: [[UInt8]: Int] = [:]
    for item in comparison.classes where labels[Array(item.name.utf8)] == nil {
      labels[Array(item.name.utf8)] = item.label
    }
    let ofA = a.classes.map { labels[Array($0.name.utf8)] }
    let ofB = b.classes.map { labels[Array($0.name.utf8)] }
    func label(_ own: Int, _ labels: [Int?]) -> Int? { labels.indices.contains(own) ? labels[own] : nil }
    var (countsA, countsB) = (CellCounts(), CellCounts())
    var (i, j) = (0, 0)
    while i < a.predictions.count && j < b.predictions.count {
      let (one, two) = (a.predictions[i], b.predictions[j])
      if one.path.utf8.elementsEqual(two.path.utf8) {
        // A score read from a file may name a class that its list lacks.
        if let truth = label(one.truth, ofA), truth == label(two.truth, ofB),
          let a = label(one.predicted, ofA), let b = label(two.predicted, ofB)
        {
          countsA.add(truth, a)
          countsB.add(truth, b)
        }
        i += 1
        j += 1
      } else if one.path.utf8.lexicographicallyPrecedes(two.path.utf8) {
        i += 1
      } else {
        j += 1
      }
    }
    self.a = countsA.cells
    self.b = countsB.cells
  }
}

private struct CellCounts {
  private struct Place: Hashable {
    let truth: Int
    let predicted: Int
  }
  private var counts: [Place: Int] = [:]

  mutating func add(_ truth: Int, _ predicted: Int) {
    counts[Place(truth: truth, predicted: predicted), default: 0] += 1
  }

  var cells: [ConfusionCell] {
    counts.map { ConfusionCell(truth: $0.key.truth, predicted: $0.key.predicted, count: $0.value) }
      .sorted { ($0.truth, $0.predicted) < ($1.truth, $1.predicted) }
  }
}
