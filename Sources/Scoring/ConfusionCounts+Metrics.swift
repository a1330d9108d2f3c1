/// Quotient with scikit-learn's `zero_division=0`.
func ratio(_ numerator: Int, _ denominator: Int) -> Double {
  denominator == 0 ? 0 : Double(numerator) / Double(denominator)
}

/// `precision_recall_fscore_support(labels=every class, zero_division=0)` and what belongs to it.
extension ConfusionCounts {
  func precision(_ label: Int) -> Double { ratio(correct[label], predictedCount[label]) }
  func recall(_ label: Int) -> Double { ratio(correct[label], support[label]) }
  func f1(_ label: Int) -> Double { ratio(2 * correct[label], support[label] + predictedCount[label]) }

  /// - Parameter averagePrecision: of each class, if known.
  func macro(_ averagePrecision: [Double]?) -> Averages? {
    mean(averagePrecision) { _ in 1 }
  }

  func weighted(_ averagePrecision: [Double]?) -> Averages? {
    mean(averagePrecision) { Double(support[$0]) }
  }

  /// With every class on the list micro precision, recall and F1 are the accuracy.
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

  /// `balanced_accuracy_score`: mean recall over the classes that occur.
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

  /// `matthews_corrcoef`, after Gorodkin 2004; 0 where the truth or the prediction is of one class only.
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
