/// What confident learning says about the labels. It is meaningful only for a model that was not trained on these
/// images.
public struct LabelIssues: Codable, Hashable, Sendable {
  /// The name of the method: "prune_by_noise_rate", cleanlab's filter.
  public var method: String
  /// The number of images whose label is probably wrong.
  public var count: Int
  /// The images, lowest probability of the given label first, then by path; at most `LabelIssues.imageLimit`.
  public var images: [LabelIssue]

  /// How many images are listed at most.
  public static let imageLimit = 10_000

  /// The result of a method.
  public init(method: String, count: Int, images: [LabelIssue]) {
    (self.method, self.count, self.images) = (method, count, images)
  }

  /// Whether there are so many issues that most are the model's mistakes: more than a tenth of the scored images, which
  /// is what the worst of ten well-known data sets has (Northcutt, Athalye and Mueller 2021).
  public func areMostlyModelErrors(scored: Int) -> Bool { count > scored / 10 }
}

/// An image whose label is probably wrong.
public struct LabelIssue: Codable, Hashable, Sendable {
  /// The path of the image.
  public var path: String
  /// The given label.
  public var label: Int
  /// The label that the model predicts.
  public var suggested: Int
  /// The probability of the given label, 0...1.
  public var selfConfidence: Double
  /// The probability of the suggested label, 0...1.
  public var confidence: Double

  enum CodingKeys: String, CodingKey {
    case path, label, suggested
    case selfConfidence = "self_confidence"
    case confidence
  }
}

/// Finds label errors by confident learning (Northcutt, Jiang and Chuang 2021), as cleanlab's
/// `find_label_issues(filter_by="prune_by_noise_rate", return_indices_ranked_by="self_confidence")`.
///
/// An image confidently belongs to a class whose probability reaches the mean that the class has over the images
/// labelled as it. Counting these classes against the labels estimates how many images of each label are really of each
/// other class. That many are the issues: the images for which the other class leads most.
struct ConfidentLearning {
  private let classCount: Int
  private let truths: [Int32]
  private let divisors: [Double]
  /// The mean probability of each class over its images; above 1 where it has none.
  private let thresholds: [Double]
  /// The confident joint: the number of images at `label * classCount + class`, for the class that they confidently
  /// belong to.
  private var joint: [Int: Int] = [:]

  /// cleanlab's tolerance; twice as much is its least threshold.
  private static let slack = 1e-6

  init(classCount: Int, columns: ImageColumns) {
    self.classCount = classCount
    truths = columns.truths
    divisors = columns.divisors
    var sums = Array(repeating: ExactSum(), count: classCount)
    var counts = Array(repeating: 0, count: classCount)
    for index in truths.indices {
      let label = Int(truths[index])
      sums[label].add(
        ImageColumns.probability(columns.truthScores[index], divisor: divisors[index], classCount: classCount)
      )
      counts[label] += 1
    }
    thresholds = (0..<classCount).map { label in
      counts[label] == 0 ? 2 : max(sums[label].value / Double(counts[label]), 2 * Self.slack)
    }
  }

  /// The first pass: counts the images of a block in the confident joint.
  mutating func add(_ rows: Span<Double>, first: Int, predicted: [Int32]) {
    let width = classCount
    for row in 0..<rows.count / max(1, width) {
      let divisor = divisors[first + row]
      var believed = -1
      var count = 0
      for label in 0..<width {
        let value = rows[row * width + label]
        let p = divisor == 1 ? value : ImageColumns.probability(value, divisor: divisor, classCount: width)
        if p >= thresholds[label] - Self.slack {
          if count == 0 { believed = label }
          count += 1
        }
      }
      if count > 1 { believed = Int(predicted[first + row]) }
      if count > 0 { joint[Int(truths[first + row]) * width + believed, default: 0] += 1 }
    }
  }

  /// The second pass: finds the images whose label is probably wrong.
  /// - Parameter places: the index of each image in an order that does not depend on how they came; it decides ties.
  /// - Returns: the indexes of the images, in no particular order.
  func issues(_ rows: RowStore, predicted: [Int32], places: [Int32]) throws(SpillError) -> [Int] {
    var support = Array(repeating: 0, count: classCount)
    for truth in truths { support[Int(truth)] += 1 }
    let wanted = PruneCounts(classCount: classCount, joint: joint, support: support)
    // A heap for each pair of classes, for as many images as are to be flagged.
    var heaps: [[WorstMargins]] = (0..<classCount).map { label in
      // cleanlab leaves the last image of a class alone.
      support[label] <= 1 ? [] : wanted.row(label).map { WorstMargins(other: $0.other, limit: $0.count) }
    }
    guard heaps.contains(where: { !$0.isEmpty }) else { return [] }
    let width = classCount
    try rows.forEachBlock { first, block in
      for row in 0..<block.count / width {
        let image = first + row
        let label = Int(truths[image])
        guard !heaps[label].isEmpty else { continue }
        let divisor = divisors[image]
        func probability(_ other: Int) -> Double {
          ImageColumns.probability(block[row * width + other], divisor: divisor, classCount: width)
        }
        let own = probability(label)
        for heap in heaps[label].indices {
          let margin = probability(heaps[label][heap].other) - own
          heaps[label][heap].add(.init(margin: margin, place: places[image], image: Int32(image)))
        }
      }
    }
    var flagged: Set<Int32> = []
    for heap in heaps.joined() { flagged.formUnion(heap.images) }
    // An image whose label is the prediction, within the slack, is not an issue.
    var found: [Int] = []
    for image in flagged.sorted() {
      let values = try rows.row(Int(image))
      let divisor = divisors[Int(image)]
      let label = Int(truths[Int(image)])
      func probability(_ other: Int) -> Double {
        ImageColumns.probability(values[other], divisor: divisor, classCount: width)
      }
      let best = Int(predicted[Int(image)])
      let own = probability(label) + Self.slack
      let top = probability(best)
      let isPredicted = best == label || own > top || (own == top && label < best)
      if !isPredicted { found.append(Int(image)) }
    }
    return found
  }
}

/// The `limit` images of largest margin; of equal margins the one of lowest place.
private struct WorstMargins {
  struct Candidate: Comparable {
    let margin: Double
    let place: Int32
    let image: Int32

    /// Whether `a` is less doubtful.
    static func < (a: Candidate, b: Candidate) -> Bool { (a.margin, b.place) < (b.margin, a.place) }
  }
  let other: Int
  private let limit: Int
  /// A heap, with the least doubtful candidate at the top.
  private var kept: [Candidate] = []

  init(other: Int, limit: Int) {
    self.other = other
    self.limit = limit
  }

  var images: [Int32] { kept.map(\.image) }

  mutating func add(_ candidate: Candidate) {
    if kept.count < limit {
      kept.append(candidate)
      var child = kept.count - 1
      while child > 0, kept[child] < kept[(child - 1) / 2] {
        kept.swapAt(child, (child - 1) / 2)
        child = (child - 1) / 2
      }
    } else if let least = kept.first, least < candidate {
      kept[0] = candidate
      var parent = 0
      while true {
        var smallest = parent
        for child in [2 * parent + 1, 2 * parent + 2] where child < kept.count {
          if kept[child] < kept[smallest] { smallest = child }
        }
        if smallest == parent { break }
        kept.swapAt(parent, smallest)
        parent = smallest
      }
    }
  }
}

/// How many images of each label are to be flagged as being of each other class: the confident joint, calibrated to the
/// number of images of each label and rounded. Follows cleanlab's `calibrate_confident_joint` and
/// `_keep_at_least_n_per_class`, but stores no zeros.
struct PruneCounts {
  struct Entry {
    let other: Int
    let count: Int
  }
  private var rows: [[Entry]]

  private struct Cell {
    /// The given label.
    let label: Int
    /// The class that the images confidently belong to.
    let other: Int
    var value: Double
  }

  /// - Parameters:
  ///   - joint: the number of images at `label * classCount + class`.
  ///   - support: the number of images of each label.
  init(classCount: Int, joint: [Int: Int], support: [Int]) {
    var joint = joint
    // At least one image of every class counts as right.
    for label in 0..<classCount { joint[label * classCount + label, default: 1] += 0 }
    var sums = Array(repeating: 0, count: classCount)
    for (key, count) in joint { sums[key / classCount] += count }
    var cells = joint.keys.sorted().map { key in
      let label = key / classCount
      let value = Double(joint[key] ?? 0) / Double(sums[label]) * Double(support[label])
      return Cell(label: label, other: key % classCount, value: value)
    }
    let sum = Self.pairwiseSum(cells, classCount: classCount)
    let total = Double(support.reduce(0, +))
    for index in cells.indices { cells[index].value = cells[index].value / max(sum, 1e-100) * total }
    Self.round(&cells)
    Self.keepOne(&cells, classCount: classCount)

    rows = Array(repeating: [], count: classCount)
    for cell in cells.sorted(by: { ($0.label, $0.other) < ($1.label, $1.other) })
    where cell.label != cell.other && cell.value > 0 {
      rows[cell.label].append(Entry(other: cell.other, count: Int(cell.value)))
    }
  }

  /// The classes that images with this label may really be of, ascending, each with its count, which is not 0.
  func row(_ label: Int) -> [Entry] { rows[label] }

  /// Keeps at least one image of each label. Where a label has none left, one is taken from its other cells in equal
  /// parts, and these are rounded down.
  private static func keepOne(_ cells: inout [Cell], classCount: Int) {
    var nonzero = Array(repeating: 0, count: classCount)
    var diagonal = Array(repeating: 0.0, count: classCount)
    for cell in cells {
      if cell.value != 0 { nonzero[cell.label] += 1 }
      if cell.label == cell.other { diagonal[cell.label] = cell.value }
    }
    for index in cells.indices {
      let label = cells[index].label
      if cells[index].other == label {
        cells[index].value = max(diagonal[label], 1)
      } else {
        let lacking = max(diagonal[label], 1) - diagonal[label]
        let rest = cells[index].value - lacking / Double(max(nonzero[label] - 1, 1))
        cells[index].value = max(0, rest.rounded(.down))
      }
    }
  }

  /// Rounds half to even, then changes the values nearest to the next whole number until the sum of each label is kept.
  /// - Parameter cells: by label, then by class.
  private static func round(_ cells: inout [Cell]) {
    var start = 0
    while start < cells.count {
      var end = start
      while end < cells.count && cells[end].label == cells[start].label { end += 1 }
      let members = Array(start..<end)
      let wanted = members.reduce(0) { $0 + cells[$1].value }.rounded(.toNearestOrEven)
      let residuals = members.map { cells[$0].value - cells[$0].value.rounded(.toNearestOrEven) }
      var rounded = members.map { cells[$0].value.rounded(.toNearestOrEven) }
      let ascending = members.indices.sorted { (residuals[$0], $0) < (residuals[$1], $1) }
      while true {
        let difference = (wanted - rounded.reduce(0, +)).rounded(.toNearestOrEven)
        if abs(difference) < 0.5 { break }
        let changes = min(Int(abs(difference)), members.count)
        if difference > 0 {
          for place in ascending.suffix(changes) { rounded[place] += 1 }
        } else {
          for place in ascending.prefix(changes) { rounded[place] -= 1 }
        }
      }
      for (place, index) in members.enumerated() { cells[index].value = rounded[place] }
      start = end
    }
  }
}

extension PruneCounts {
  /// With more classes the zeros are left out of the sum.
  private static let denseLimit = 4_096

  /// The sum as numpy computes it over the whole matrix, pairwise: a value halfway between two whole numbers is then
  /// rounded as cleanlab rounds it. The rows of numpy's matrix are classes, its columns labels.
  private static func pairwiseSum(_ cells: [Cell], classCount: Int) -> Double {
    guard classCount <= denseLimit else { return cells.reduce(0) { $0 + $1.value } }
    var dense = Array(repeating: 0.0, count: classCount * classCount)
    for cell in cells { dense[cell.other * classCount + cell.label] = cell.value }
    return pairwiseSum(dense[...])
  }

  private static func pairwiseSum(_ values: ArraySlice<Double>) -> Double {
    let start = values.startIndex
    if values.count < 8 { return values.reduce(-0.0, +) }
    if values.count <= 128 {
      var lanes = Array(values.prefix(8))
      var index = 8
      while index < values.count - values.count % 8 {
        for lane in 0..<8 { lanes[lane] += values[start + index + lane] }
        index += 8
      }
      var sum =
        ((lanes[0] + lanes[1]) + (lanes[2] + lanes[3])) + ((lanes[4] + lanes[5]) + (lanes[6] + lanes[7]))
      while index < values.count {
        sum += values[start + index]
        index += 1
      }
      return sum
    }
    let half = values.count / 2 - values.count / 2 % 8
    return pairwiseSum(values.prefix(half)) + pairwiseSum(values.dropFirst(half))
  }
}
