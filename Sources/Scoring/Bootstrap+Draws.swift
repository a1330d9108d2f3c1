extension Bootstrap {
  /// Draws the images of each class again, as many as it has, and takes the metrics of every draw.
  ///
  /// The right images of a class are drawn as one binomial number, the wrong ones one by one: the same distribution
  /// as drawing every image, for the price of the errors.
  /// - Complexity: O(draws * (errors + classes)).
  init?(_ confusion: ConfusionCounts, seed: UInt64, draws: Int) {
    guard confusion.total > 0, draws > 0, let balanced = confusion.balancedAccuracy,
      let macro = confusion.macro(nil)
    else { return nil }
    let classCount = confusion.classCount
    let present = (0..<classCount).filter { confusion.support[$0] > 0 }
    let tables = present.map {
      BinomialTable(trials: confusion.support[$0], successes: confusion.correct[$0])
    }
    // What the wrong images are predicted as, class after class.
    var wrong: [Int32] = []
    var starts = [0]
    for label in present {
      for entry in confusion.row(label) where entry.predicted != label {
        wrong += Array(repeating: Int32(entry.predicted), count: entry.count)
      }
      starts.append(wrong.count)
    }
    var generator = SeededGenerator(seed: seed)
    var (precisions, recalls, f1s, balances): ([Double], [Double], [Double], [Double]) = ([], [], [], [])
    var correct = Array(repeating: 0, count: classCount)
    for _ in 0..<draws {
      var predicted = Array(repeating: 0, count: classCount)
      for (place, label) in present.enumerated() {
        let right = tables[place].draw(&generator)
        correct[label] = right
        predicted[label] += right
        let (start, count) = (starts[place], starts[place + 1] - starts[place])
        let drawn = confusion.support[label] - right
        for _ in 0..<drawn / 2 {
          let (one, other) = generator.indices(below: count)
          predicted[Int(wrong[start + one])] += 1
          predicted[Int(wrong[start + other])] += 1
        }
        if drawn % 2 == 1 { predicted[Int(wrong[start + generator.index(below: count)])] += 1 }
      }
      var (precision, recall, f1) = (0.0, 0.0, 0.0)
      for label in 0..<classCount {
        precision += ratio(correct[label], predicted[label])
        recall += ratio(correct[label], confusion.support[label])
        f1 += ratio(2 * correct[label], confusion.support[label] + predicted[label])
      }
      precisions.append(precision / Double(classCount))
      recalls.append(recall / Double(classCount))
      f1s.append(f1 / Double(classCount))
      balances.append(recall / Double(present.count))
    }
    self.seed = seed
    self.draws = draws
    macroPrecision = .percentile(macro.precision, draws: precisions)
    macroRecall = .percentile(macro.recall, draws: recalls)
    macroF1 = .percentile(macro.f1, draws: f1s)
    balancedAccuracy = .percentile(balanced, draws: balances)
  }
}
