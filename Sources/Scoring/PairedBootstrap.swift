/// Differences B - A between two runs when the images are drawn again, both runs' predictions of an image together.
///
/// As in `Bootstrap`, as many images of each class as it has. Images that both runs have right are drawn as one
/// binomial number, the others one by one.
struct PairedBootstrap {
  private(set) var top1: [Double] = []
  private(set) var macroF1: [Double] = []

  private struct Drawn {
    let label: Int
    let support: Int
    var bothRight: BinomialTable
    var others: [(a: Int32, b: Int32)]
  }

  /// - Complexity: O(draws * (images not right in both + classes)).
  init(_ images: PairedImages, seed: UInt64, draws: Int) {
    let classCount = images.classes.count
    guard draws > 0, !images.pairs.isEmpty else { return }
    var support = Array(repeating: 0, count: classCount)
    var others = Array(repeating: [(a: Int32, b: Int32)](), count: classCount)
    for pair in images.pairs {
      support[pair.truth] += 1
      if pair.a != pair.truth || pair.b != pair.truth {
        others[pair.truth].append((Int32(pair.a), Int32(pair.b)))
      }
    }
    let classes = (0..<classCount).filter { support[$0] > 0 }.map { label in
      Drawn(
        label: label, support: support[label],
        bothRight: BinomialTable(trials: support[label], successes: support[label] - others[label].count),
        // Sorted, so that the draws do not depend on the paths.
        others: others[label].sorted { $0 < $1 })
    }
    var generator = SeededGenerator(seed: seed)
    let total = Double(images.pairs.count)
    var (correctA, correctB) = (support, support)
    for _ in 0..<draws {
      var predictedA = Array(repeating: 0, count: classCount)
      var predictedB = predictedA
      for drawn in classes {
        let label = drawn.label
        let right = drawn.bothRight.draw(&generator)
        predictedA[label] += right
        predictedB[label] += right
        var (a, b) = (right, right)
        for _ in 0..<drawn.support - right {
          let other = drawn.others[generator.index(below: drawn.others.count)]
          predictedA[Int(other.a)] += 1
          predictedB[Int(other.b)] += 1
          if Int(other.a) == label { a += 1 }
          if Int(other.b) == label { b += 1 }
        }
        (correctA[label], correctB[label]) = (a, b)
      }
      var (difference, f1) = (0, 0.0)
      for label in 0..<classCount {
        difference += correctB[label] - correctA[label]
        f1 += ratio(2 * correctB[label], support[label] + predictedB[label])
        f1 -= ratio(2 * correctA[label], support[label] + predictedA[label])
      }
      top1.append(Double(difference) / total)
      macroF1.append(f1 / Double(classCount))
    }
  }
}
