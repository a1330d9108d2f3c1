/// The images two runs share, with one numbering of the classes for both.
struct PairedImages {
  struct Pair {
    /// Places in the predictions of the runs.
    let placeA: Int
    let placeB: Int
    let truth: Int
    let a: Int
    let b: Int
  }
  private(set) var classes: [String]
  private(set) var pairs: [Pair] = []
  private(set) var missingInA: [String] = []
  private(set) var missingInB: [String] = []
  private(set) var truthConflicts: [String] = []

  /// Joins by path; equal paths of one run are joined one by one in the order of its predictions.
  init(_ a: Score, _ b: Score) {
    classes = a.classes.map(\.name)
    let labelsOfB = Self.labels(of: b.classes.map(\.name), in: &classes)
    let (one, two) = (a.predictions, b.predictions)
    var (i, j) = (0, 0)
    while i < one.count || j < two.count {
      if j == two.count || (i < one.count && precedes(one.paths[i], two.paths[j])) {
        missingInB.append(one.paths[i])
        i += 1
      } else if i == one.count || precedes(two.paths[j], one.paths[i]) {
        missingInA.append(two.paths[j])
        j += 1
      } else {
        let truth = Int(one.truths[i])
        if labelsOfB[Int(two.truths[j])] == truth {
          pairs.append(
            Pair(
              placeA: i, placeB: j, truth: truth, a: Int(one.predicted[i]),
              b: labelsOfB[Int(two.predicted[j])]))
        } else {
          truthConflicts.append(one.paths[i])
        }
        i += 1
        j += 1
      }
    }
  }

  /// The label of each of `names` in `classes`, which grows by those it lacks. Where a name is there more than once,
  /// its first label stands for the first of `names`, and so on.
  private static func labels(of names: [String], in classes: inout [String]) -> [Int] {
    if names == classes { return Array(names.indices) }
    var free: [String: [Int]] = [:]
    for (label, name) in classes.enumerated().reversed() { free[name, default: []].append(label) }
    return names.map { name in
      if let label = free[name]?.popLast() { return label }
      classes.append(name)
      return classes.count - 1
    }
  }

  func confusion(_ predicted: KeyPath<Pair, Int>) -> ConfusionCounts {
    ConfusionCounts(
      classCount: classes.count, truths: pairs.map { Int32($0.truth) },
      predicted: pairs.map { Int32($0[keyPath: predicted]) })
  }
}

/// The confusion matrices of two runs over the images both scored, by the labels of their `Comparison`.
///
/// Labels of both are to be those of their classes (`PredictionTable.firstOutside`).
/// - Complexity: O(images log(images of a class) + classes).
public struct PairedConfusion: Sendable {
  /// Cells that are not zero, by truth, then predicted.
  public let a: [ConfusionCell], b: [ConfusionCell]

  public init(_ a: Score, _ b: Score) {
    let shared = PairedImages(a, b)
    self.a = shared.confusion(\.a).cells
    self.b = shared.confusion(\.b).cells
  }
}
