import Files

/// The images that two runs share, with one numbering of the classes for both.
struct PairedImages {
  struct Pair {
    /// The index in A's predictions.
    let placeA: Int
    /// The index in B's predictions.
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
  /// Paths of images that were matched although their paths differ in Unicode form or case.
  private(set) var lookalikes: [(a: String, b: String)] = []

  /// Matches images by path; equal paths within one run are matched in the order of its predictions. Paths that only
  /// one run has are matched where exactly one of each run looks like the other.
  init(_ a: Score, _ b: Score) {
    classes = a.classes.map(\.name)
    let labelsOfB = Self.labels(of: b.classes.map(\.name), in: &classes)
    let (one, two) = (a.predictions, b.predictions)
    var (i, j) = (0, 0)
    var (onlyOne, onlyTwo): ([Int], [Int]) = ([], [])
    func join(_ i: Int, _ j: Int) {
      let truth = Int(one.truths[i])
      if labelsOfB[Int(two.truths[j])] == truth {
        pairs.append(
          Pair(
            placeA: i, placeB: j, truth: truth, a: Int(one.predicted[i]),
            b: labelsOfB[Int(two.predicted[j])]))
      } else {
        truthConflicts.append(one.paths[i])
      }
    }
    while i < one.count || j < two.count {
      if j == two.count || (i < one.count && precedes(one.paths[i], two.paths[j])) {
        onlyOne.append(i)
        i += 1
      } else if i == one.count || precedes(two.paths[j], one.paths[i]) {
        onlyTwo.append(j)
        j += 1
      } else {
        join(i, j)
        i += 1
        j += 1
      }
    }
    let alike = Self.lookalikes(onlyOne.map { (one.paths[$0], $0) }, onlyTwo.map { (two.paths[$0], $0) })
    if !alike.isEmpty {
      for (i, j) in alike.sorted(by: { $0.0 < $1.0 }) {
        join(i, j)
        lookalikes.append((one.paths[i], two.paths[j]))
      }
      let joined = (Set(alike.map(\.0)), Set(alike.map(\.1)))
      onlyOne.removeAll { joined.0.contains($0) }
      onlyTwo.removeAll { joined.1.contains($0) }
      pairs.sort { $0.placeA < $1.placeA }
      truthConflicts.sort(by: precedes)
    }
    missingInB = onlyOne.map { one.paths[$0] }
    missingInA = onlyTwo.map { two.paths[$0] }
  }

  /// The label in `classes` of each of `names`; `classes` grows by the names that it lacks.
  ///
  /// Where a name occurs in `classes` more than once, its labels are used in their order. Names left over are matched
  /// where exactly one of each list looks like the other: the same but for Unicode form and case.
  private static func labels(of names: [String], in classes: inout [String]) -> [Int] {
    if names.elementsEqual(classes, by: { hasSameBytes($0, $1) }) { return Array(names.indices) }
    var free: [ByteName: [Int]] = [:]
    for (label, name) in classes.enumerated().reversed() { free[ByteName(name), default: []].append(label) }
    var labels = names.map { free[ByteName($0)]?.popLast() }
    let joined = lookalikes(
      labels.indices.filter { labels[$0] == nil }.map { (names[$0], $0) },
      free.flatMap { name, labels in labels.map { (name.text, $0) } })
    for (place, label) in joined { labels[place] = label }
    return labels.indices.map { place in
      if let label = labels[place] { return label }
      classes.append(names[place])
      return classes.count - 1
    }
  }

  /// Matches names that are equal but for Unicode form and case, where there is exactly one on each side.
  private static func lookalikes(_ left: [(String, Int)], _ right: [(String, Int)]) -> [(Int, Int)] {
    if left.isEmpty || right.isEmpty { return [] }
    // Keyed by String, whose equality ignores the Unicode form of a character: that is what is wanted here.
    var places: [String: (left: [Int], right: [Int])] = [:]
    for (name, place) in left { places[name.lowercased(), default: ([], [])].left.append(place) }
    for (name, place) in right { places[name.lowercased(), default: ([], [])].right.append(place) }
    return places.values.compactMap {
      $0.left.count == 1 && $0.right.count == 1 ? ($0.left[0], $0.right[0]) : nil
    }
  }

  func confusion(_ predicted: KeyPath<Pair, Int>) -> ConfusionCounts {
    ConfusionCounts(
      classCount: classes.count, truths: pairs.map { Int32($0.truth) },
      predicted: pairs.map { Int32($0[keyPath: predicted]) })
  }
}

/// The confusion matrices of two runs over the images that both scored, by the labels of their `Comparison`.
///
/// The labels of both runs must be in range (`PredictionTable.firstOutside`).
/// - Complexity: O(images log(images) + classes).
public struct PairedConfusion: Sendable {
  /// The cells that are not zero, by true label, then by predicted one.
  public let a: [ConfusionCell], b: [ConfusionCell]

  /// Counts the shared images of both runs.
  public init(_ a: Score, _ b: Score) {
    let shared = PairedImages(a, b)
    self.a = shared.confusion(\.a).cells
    self.b = shared.confusion(\.b).cells
  }
}
