import Files

/// Groups of classes, and whether errors stay inside a group.
public struct Grouping: Codable, Hashable, Sendable {
  /// Where the groups come from.
  public enum Source: String, Codable, Sendable {
    /// The caller assigned each class to a group.
    case given
    /// The groups were found by average linkage over which classes are confused.
    case clustered
  }
  /// Where the groups come from.
  public var source: Source
  /// The groups.
  public var groups: [ClassGroup]
  /// The group of each label: an index in `groups`.
  public var assignment: [Int]
  /// The number of errors whose true and predicted class are in one group.
  public var errorsInside: Int
  /// The number of errors whose predicted class is in another group than the true one.
  public var errorsAcross: Int
  /// The share of images whose predicted class is in the true class's group; `nil` without images.
  @OrNull public var accuracy: Estimate?
  /// The confusion matrix of the groups: its cells that are not zero, whose labels are indexes in `groups`.
  public var confusion: [ConfusionCell]

  enum CodingKeys: String, CodingKey {
    case source, groups, assignment
    case errorsInside = "errors_inside"
    case errorsAcross = "errors_across"
    case accuracy, confusion
  }
}

/// A group of classes.
public struct ClassGroup: Codable, Hashable, Sendable {
  /// The given name; for a group that was found, the name of its class with most images.
  public var name: String
  /// The labels, ascending.
  public var classes: [Int]
  /// The number of images of these classes.
  public var support: Int
  /// The number of these images that are right.
  public var correct: Int
  /// The number of errors on these images that stay inside the group.
  public var errorsInside: Int
  /// The number of errors on these images that leave the group.
  public var errorsAcross: Int

  enum CodingKeys: String, CodingKey {
    case name, classes, support, correct
    case errorsInside = "errors_inside"
    case errorsAcross = "errors_across"
  }
}

extension Score {
  /// Whether the groups say something about the errors. Given groups always do.
  ///
  /// Groups that were found from the errors keep many errors inside for that reason alone. They count as telling where
  /// no group has more than a fifth of the classes that occur, and where at least twice as many errors stay inside as
  /// if each error were spread evenly over all other classes. The first error of each pair of classes is not counted,
  /// because it alone may have brought the two together.
  public var hasTellingGroups: Bool {
    guard let groups, groups.groups.count > 1, errors > 0 else { return false }
    if groups.source == .given { return true }
    let occurring = classes.count { $0.support > 0 || $0.predicted > 0 }
    guard groups.groups.allSatisfy({ 5 * $0.classes.count <= occurring }) else { return false }
    let expected = groups.groups.reduce(0.0) { sum, group in
      sum + Double((group.errorsInside + group.errorsAcross) * (group.classes.count - 1))
        / Double(occurring - 1)
    }
    let pairsInside = pairs.count { groups.assignment[$0.a] == groups.assignment[$0.b] }
    return Double(groups.errorsInside - pairsInside) >= 2 * expected
  }
}

extension Grouping {
  /// Counts the errors inside and across groups.
  /// - Parameters:
  ///   - assignment: the group of each label, 0..<names.count.
  ///   - names: the names of the groups.
  init(_ source: Source, assignment: [Int], names: [String], confusion: ConfusionCounts) {
    var groups = names.map {
      ClassGroup(name: $0, classes: [], support: 0, correct: 0, errorsInside: 0, errorsAcross: 0)
    }
    var cells: [Int: Int] = [:]
    for label in assignment.indices {
      let group = assignment[label]
      groups[group].classes.append(label)
      groups[group].support += confusion.support[label]
      groups[group].correct += confusion.correct[label]
      for entry in confusion.row(label) {
        let other = assignment[entry.predicted]
        cells[group * names.count + other, default: 0] += entry.count
        if entry.predicted == label { continue }
        if other == group {
          groups[group].errorsInside += entry.count
        } else {
          groups[group].errorsAcross += entry.count
        }
      }
    }
    let across = groups.reduce(0) { $0 + $1.errorsAcross }
    self.init(
      source: source, groups: groups, assignment: assignment,
      errorsInside: groups.reduce(0) { $0 + $1.errorsInside }, errorsAcross: across,
      accuracy: confusion.total == 0 ? nil : .wilson(confusion.total - across, of: confusion.total),
      confusion: cells.keys.sorted().map { key in
        ConfusionCell(truth: key / names.count, predicted: key % names.count, count: cells[key] ?? 0)
      })
  }

  /// Groups by the caller's names, in the order in which the labels mention them.
  /// - Parameter groupNames: the name of each label's group.
  init(given groupNames: [String], confusion: ConfusionCounts) {
    var names: [String] = []
    var positions: [ByteName: Int] = [:]
    let assignment = groupNames.map { name in
      if let known = positions[ByteName(name)] { return known }
      positions[ByteName(name)] = names.count
      names.append(name)
      return names.count - 1
    }
    self.init(.given, assignment: assignment, names: names, confusion: confusion)
  }

  /// Groups by which classes are confused: the tree, cut where modularity (Newman 2006) over the errors is largest.
  /// - Parameter seriated: the order of the groups is that of their classes here.
  init(
    clustered tree: Dendrogram, confusability: Confusability, seriated: [Int], classNames: [String],
    confusion: ConfusionCounts
  ) {
    let assignment = Self.cut(tree, confusability)
    // Numbered along the seriated order.
    var numbers: [Int: Int] = [:]
    for label in seriated where numbers[assignment[label]] == nil {
      numbers[assignment[label]] = numbers.count
    }
    let numbered = assignment.map { numbers[$0] ?? 0 }
    var largest = Array(repeating: -1, count: numbers.count)
    for label in numbered.indices {
      let group = numbered[label]
      if largest[group] < 0 || confusion.support[label] > confusion.support[largest[group]] {
        largest[group] = label
      }
    }
    self.init(
      .clustered, assignment: numbered, names: largest.map { classNames[$0] }, confusion: confusion)
  }

  /// The group of each label: a number that the labels of one group share.
  private static func cut(_ tree: Dendrogram, _ confusability: Confusability) -> [Int] {
    let count = tree.leafCount
    let layout = tree.layout
    let counts = confusability.counts
    // The degree of each node: the errors on its classes, and those predicted as its classes.
    var degrees = (0..<count).map { label in (0..<count).reduce(0) { $0 + counts[label * count + $1] } }
    let total = degrees.reduce(0, +)
    guard total > 0 else { return Array(0..<count) }
    var gain = 0.0
    var best = (gain: 0.0, merges: 0)
    for (index, merge) in tree.merges.enumerated() {
      let piece = layout.pieces[index]
      var between = 0.0
      for a in layout.leaves[piece.start..<piece.middle] {
        for b in layout.leaves[piece.middle..<piece.end] { between += counts[a * count + b] }
      }
      gain += 2 * (between / total - degrees[merge.left] * degrees[merge.right] / (total * total))
      degrees.append(degrees[merge.left] + degrees[merge.right])
      if gain > best.gain { best = (gain, index + 1) }
    }
    var assignment = Array(0..<count)
    // A later merge contains earlier ones, so the last merge with a class is its largest group.
    for piece in layout.pieces.prefix(best.merges) {
      for label in layout.leaves[piece.start..<piece.end] { assignment[label] = layout.leaves[piece.start] }
    }
    return assignment
  }
}

/// How often classes are confused with each other, as full symmetric matrices.
struct Confusability {
  let classCount: Int
  /// (C[a][b] / images of a + C[b][a] / images of b) / 2, row-major; 0 on the diagonal.
  let similarity: [Double]
  /// C[a][b] + C[b][a], row-major; 0 on the diagonal.
  let counts: [Double]

  init(_ confusion: ConfusionCounts) {
    classCount = confusion.classCount
    var similarity = Array(repeating: 0.0, count: classCount * classCount)
    var counts = similarity
    for truth in 0..<classCount {
      for entry in confusion.row(truth) where entry.predicted != truth {
        let rate = ratio(entry.count, confusion.support[truth]) / 2
        for place in [truth * classCount + entry.predicted, entry.predicted * classCount + truth] {
          similarity[place] += rate
          counts[place] += Double(entry.count)
        }
      }
    }
    self.similarity = similarity
    self.counts = counts
  }
}
