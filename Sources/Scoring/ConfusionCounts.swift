/// A confusion matrix by rows, without its zeros.
struct ConfusionCounts {
  /// How often a class was predicted where another, or the same, was true.
  struct Entry {
    let predicted: Int
    let count: Int
  }
  let classCount: Int
  let total: Int
  /// The entries of all rows, by truth, then predicted.
  private(set) var entries: [Entry] = []
  private var rowStarts: [Int] = [0]
  /// Images of each class, predicted as each class, and both.
  private(set) var support: [Int]
  private(set) var predictedCount: [Int]
  private(set) var correct: [Int]

  /// - Parameters: equally long; every value is in 0..<classCount.
  /// - Complexity: O(images log(images of a class) + classes).
  init(classCount: Int, truths: [Int32], predicted: [Int32]) {
    self.classCount = classCount
    total = truths.count
    support = Array(repeating: 0, count: classCount)
    predictedCount = support
    correct = support
    for truth in truths { support[Int(truth)] += 1 }
    for value in predicted { predictedCount[Int(value)] += 1 }
    var ends = [0]
    ends.reserveCapacity(classCount + 1)
    for count in support { ends.append(ends[ends.count - 1] + count) }
    var places = ends
    var byTruth = [Int32](repeating: 0, count: truths.count)
    for index in truths.indices {
      let truth = Int(truths[index])
      byTruth[places[truth]] = predicted[index]
      places[truth] += 1
    }
    for truth in 0..<classCount {
      var run = byTruth[ends[truth]..<ends[truth + 1]].sorted()[...]
      while let value = run.first {
        let count = run.prefix { $0 == value }.count
        entries.append(Entry(predicted: Int(value), count: count))
        if Int(value) == truth { correct[truth] = count }
        run = run.dropFirst(count)
      }
      rowStarts.append(entries.count)
    }
  }

  func row(_ truth: Int) -> ArraySlice<Entry> { entries[rowStarts[truth]..<rowStarts[truth + 1]] }

  var correctTotal: Int { correct.reduce(0, +) }
  var errors: Int { total - correctTotal }

  var cells: [ConfusionCell] {
    (0..<classCount).flatMap { truth in
      row(truth).map { ConfusionCell(truth: truth, predicted: $0.predicted, count: $0.count) }
    }
  }
}
