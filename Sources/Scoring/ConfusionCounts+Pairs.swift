/// Who is taken for whom, and in which order to show the classes.
extension ConfusionCounts {
  /// All directed pairs, most frequent first, then by labels.
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

  /// All symmetric pairs, most frequent first, then by labels.
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

  /// - Parameter seriated: the order in which confusable classes stand together, if there is one.
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
