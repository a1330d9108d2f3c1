/// A confusion matrix stored by rows, without its zeros.
struct ConfusionCounts {
  /// How often a class was predicted in the row's class.
  struct Entry {
    let predicted: Int
    let count: Int
  }
  let classCount: Int
  let total: Int
  /// The entries of all rows, by true label, then by predicted one.
  private(set) var entries: [Entry] = []
  private var rowStarts: [Int] = [0]
  /// The number of images of each class.
  private(set) var support: [Int]
  /// The number of images predicted as each class.
  private(set) var predictedCount: [Int]
  /// The number of images of each class that are right.
  private(set) var correct: [Int]

  /// - Parameters:
  ///   - truths: the true label of each image, 0..<classCount.
  ///   - predicted: the predicted label of each image, 0..<classCount; as many.
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

/// The quotient, with scikit-learn's `zero_division=0`.
func ratio(_ numerator: Int, _ denominator: Int) -> Double {
  denominator == 0 ? 0 : Double(numerator) / Double(denominator)
}

/// `precision_recall_fscore_support(labels=every class, zero_division=0)` and what belongs to it.
extension ConfusionCounts {
  func precision(_ label: Int) -> Double { ratio(correct[label], predictedCount[label]) }
  func recall(_ label: Int) -> Double { ratio(correct[label], support[label]) }
  func f1(_ label: Int) -> Double { ratio(2 * correct[label], support[label] + predictedCount[label]) }

  /// The means over all classes.
  /// - Parameter averagePrecision: the average precision of each class, if known.
  func macro(_ averagePrecision: [Double]?) -> Averages? {
    mean(averagePrecision) { _ in 1 }
  }

  /// The means over all classes, weighted by their images.
  func weighted(_ averagePrecision: [Double]?) -> Averages? {
    mean(averagePrecision) { Double(support[$0]) }
  }

  /// Precision, recall and F1 over all images; with every class on the list they equal the accuracy.
  var micro: Averages? {
    guard total > 0 else { return nil }
    let accuracy = ratio(correctTotal, total)
    return Averages(precision: accuracy, recall: accuracy, f1: accuracy, averagePrecision: nil)
  }

  private func mean(_ averagePrecision: [Double]?, weight: (Int) -> Double) -> Averages? {
    guard total > 0 else { return nil }
    let labels = 0..<classCount
    let weights = labels.reduce(0) { $0 + weight($1) }
    func mean(_ value: (Int) -> Double) -> Double {
      labels.reduce(0) { $0 + weight($1) * value($1) } / weights
    }
    return Averages(
      precision: mean(precision), recall: mean(recall), f1: mean(f1),
      averagePrecision: averagePrecision.map { values in mean { values[$0] } })
  }

  /// `balanced_accuracy_score`: the mean recall of the classes that occur.
  var balancedAccuracy: Double? {
    let present = (0..<classCount).filter { support[$0] > 0 }
    guard !present.isEmpty else { return nil }
    return present.reduce(0) { $0 + recall($1) } / Double(present.count)
  }

  /// `cohen_kappa_score`; `nil` where all images are of one class and predicted as it.
  var kappa: Double? {
    guard total > 0 else { return nil }
    let n = Double(total)
    let agreement = (0..<classCount).reduce(0) { $0 + Double(support[$1]) * Double(predictedCount[$1]) }
    let expectedErrors = n - agreement / n
    guard expectedErrors > 0 else { return nil }
    return 1 - Double(errors) / expectedErrors
  }

  /// `matthews_corrcoef` (Gorodkin 2004); 0 where the truth or the predictions have one class only.
  var mcc: Double? {
    guard total > 0 else { return nil }
    let n = Double(total)
    var (both, truths, predictions) = (0.0, 0.0, 0.0)
    for label in 0..<classCount {
      let (s, p) = (Double(support[label]), Double(predictedCount[label]))
      both += s * p
      truths += s * s
      predictions += p * p
    }
    let scale = (n * n - truths) * (n * n - predictions)
    return scale > 0 ? (Double(correctTotal) * n - both) / scale.squareRoot() : 0
  }

  func classScores(_ names: [String], averagePrecision: [Double]?) -> [ClassScore] {
    names.indices.map { label in
      ClassScore(
        label: label, name: names[label], support: support[label], predicted: predictedCount[label],
        correct: correct[label], precision: precision(label),
        precisionInterval: .wilson(correct[label], of: predictedCount[label]),
        recall: .wilson(correct[label], of: support[label]), f1: f1(label),
        averagePrecision: averagePrecision?[label])
    }
  }
}

/// Which classes are confused, and in which order to show the classes.
extension ConfusionCounts {
  /// All pairs of a true and another predicted class, most frequent first, then by labels.
  var directedPairs: [DirectedPair] {
    var pairs: [DirectedPair] = []
    for truth in 0..<classCount {
      for entry in row(truth) where entry.predicted != truth {
        pairs.append(
          DirectedPair(
            truth: truth, predicted: entry.predicted, count: entry.count, share: ratio(entry.count, errors),
            cumulative: 0, rate: ratio(entry.count, support[truth])))
      }
    }
    pairs.sort { ($1.count, $0.truth, $0.predicted) < ($0.count, $1.truth, $1.predicted) }
    var sum = 0
    for index in pairs.indices {
      sum += pairs[index].count
      pairs[index].cumulative = ratio(sum, errors)
    }
    return pairs
  }

  /// All pairs of confused classes, both directions together, most frequent first, then by labels.
  func symmetricPairs(_ directed: [DirectedPair]) -> [SymmetricPair] {
    struct Key: Hashable {
      let a: Int
      let b: Int
    }
    var counts: [Key: (aAsB: Int, bAsA: Int)] = [:]
    for pair in directed {
      let key = Key(a: min(pair.truth, pair.predicted), b: max(pair.truth, pair.predicted))
      if pair.truth == key.a {
        counts[key, default: (0, 0)].aAsB += pair.count
      } else {
        counts[key, default: (0, 0)].bAsA += pair.count
      }
    }
    var pairs = counts.map { key, count in
      SymmetricPair(
        a: key.a, b: key.b, count: count.aAsB + count.bAsA, share: ratio(count.aAsB + count.bAsA, errors),
        cumulative: 0, aAsB: count.aAsB, bAsA: count.bAsA)
    }
    pairs.sort { ($1.count, $0.a, $0.b) < ($0.count, $1.a, $1.b) }
    var sum = 0
    for index in pairs.indices {
      sum += pairs[index].count
      pairs[index].cumulative = ratio(sum, errors)
    }
    return pairs
  }

  /// - Parameter seriated: the order in which confusable classes are neighbours, if there is one.
  func orders(_ names: [String], seriated: [Int]?) -> ClassOrders {
    let labels = Array(0..<classCount)
    return ClassOrders(
      alphabetical: labels.sorted { names[$0].utf8.lexicographicallyPrecedes(names[$1].utf8) },
      recall: labels.sorted { (sortKey($0), $0) < (sortKey($1), $1) },
      support: labels.sorted { (support[$1], $0) < (support[$0], $1) },
      seriated: seriated)
  }

  private func sortKey(_ label: Int) -> Double { support[label] == 0 ? 2 : recall(label) }
}

/// Precision, recall and F1, averaged over the classes or the images.
public struct Averages: Codable, Hashable, Sendable {
  /// The averaged precision, 0...1.
  public var precision: Double
  /// The averaged recall, 0...1.
  public var recall: Double
  /// The averaged F1, 0...1.
  public var f1: Double
  /// The mean over classes of the area under the precision-recall curve; `nil` for micro averages, and without
  /// probabilities.
  @OrNull public var averagePrecision: Double?

  enum CodingKeys: String, CodingKey {
    case precision, recall, f1
    case averagePrecision = "average_precision"
  }
}

/// The metrics of one class.
public struct ClassScore: Codable, Hashable, Sendable {
  /// The label.
  public var label: Int
  /// The name of the class.
  public var name: String
  /// The number of images of this class.
  public var support: Int
  /// The number of images predicted as this class.
  public var predicted: Int
  /// The number of images of this class that are right.
  public var correct: Int
  /// The share of the images predicted as this class that are of it; 0 where it is never predicted.
  public var precision: Double
  /// `precision` with Wilson's interval, which is 0...1 where the class is never predicted.
  public var precisionInterval: Estimate
  /// The share of the images of this class that are right, with Wilson's interval; 0 and 0...1 where it never occurs.
  public var recall: Estimate
  /// The harmonic mean of precision and recall; 0 where both are 0.
  public var f1: Double
  /// The average precision of the class against the rest; 0 where it never occurs, `nil` without probabilities.
  @OrNull public var averagePrecision: Double?

  enum CodingKeys: String, CodingKey {
    case label, name, support, predicted, correct, precision
    case precisionInterval = "precision_interval"
    case recall, f1
    case averagePrecision = "average_precision"
  }
}

/// A cell of the confusion matrix; `[truth, predicted, count]` in JSON.
public struct ConfusionCell: Codable, Hashable, Sendable {
  /// The true label.
  public var truth: Int
  /// The predicted label.
  public var predicted: Int
  /// The number of images.
  public var count: Int

  /// A cell with this count.
  public init(truth: Int, predicted: Int, count: Int) {
    self.truth = truth
    self.predicted = predicted
    self.count = count
  }

  /// Reads an array of three numbers.
  /// - Throws: what the decoder throws.
  public init(from decoder: any Decoder) throws {
    var values = try decoder.unkeyedContainer()
    truth = try values.decode(Int.self)
    predicted = try values.decode(Int.self)
    count = try values.decode(Int.self)
  }

  /// Writes an array of three numbers.
  /// - Throws: what the encoder throws.
  public func encode(to encoder: any Encoder) throws {
    var values = encoder.unkeyedContainer()
    try values.encode(truth)
    try values.encode(predicted)
    try values.encode(count)
  }
}

/// Two classes that are confused with each other, `a` < `b`.
public struct SymmetricPair: Codable, Hashable, Sendable {
  /// The lower label.
  public var a: Int
  /// The higher label.
  public var b: Int
  /// The number of errors between the two, in both directions.
  public var count: Int
  /// The share of all errors, 0...1.
  public var share: Double
  /// The share of all errors of this pair and all pairs before it.
  public var cumulative: Double
  /// The number of images of `a` predicted as `b`.
  public var aAsB: Int
  /// The number of images of `b` predicted as `a`.
  public var bAsA: Int

  enum CodingKeys: String, CodingKey {
    case a, b, count, share, cumulative
    case aAsB = "a_as_b"
    case bAsA = "b_as_a"
  }
}

/// Images of one class that are predicted as another.
public struct DirectedPair: Codable, Hashable, Sendable {
  /// The true label.
  public var truth: Int
  /// The predicted label.
  public var predicted: Int
  /// The number of images.
  public var count: Int
  /// The share of all errors, 0...1.
  public var share: Double
  /// The share of all errors of this pair and all pairs before it.
  public var cumulative: Double
  /// The share of the images of the true class, 0...1.
  public var rate: Double
}

/// Orders in which to show the classes: permutations of the labels.
public struct ClassOrders: Codable, Hashable, Sendable {
  /// By name, as UTF-8 bytes.
  public var alphabetical: [Int] = []
  /// Lowest recall first; classes that never occur last.
  public var recall: [Int] = []
  /// Most images first.
  public var support: [Int] = []
  /// Confused classes are neighbours; `nil` above `ClassOrders.seriationLimit` classes.
  @OrNull public var seriated: [Int]?

  /// The largest number of classes that are seriated: the matrix of their similarities is held in full.
  public static let seriationLimit = 2_048
}
