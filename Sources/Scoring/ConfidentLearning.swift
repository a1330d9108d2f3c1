/// Label errors by confident learning (Northcutt, Jiang and Chuang 2021), as cleanlab's
/// `find_label_issues(filter_by="prune_by_noise_rate", return_indices_ranked_by="self_confidence")`.
///
/// A class is believed of an image where its probability reaches the mean it has over the images labelled so. What
/// is believed against the labels estimates how many images of each class are really of each other; that many, those
/// for which the other class is ahead most, are the issues.
struct ConfidentLearning {
  private let classCount: Int
  private let truths: [Int32]
  private let divisors: [Double]
  /// The mean probability of each class over its images; unreachable where it has none.
  private let thresholds: [Double]
  /// Images believed to be of another class than labelled, or of the same; `label * classCount + believed`.
  private var joint: [Int: Int] = [:]

  /// cleanlab's slack, and its least threshold.
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

  /// The first pass: what is believed of the images of a block.
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

  /// The second pass: the images whose label is probably wrong.
  /// - Parameter places: place of each image in an order that does not depend on how they came; decides ties.
  /// - Returns: the images, in no order.
  func issues(_ rows: RowStore, predicted: [Int32], places: [Int32]) throws(SpillError) -> [Int] {
    var support = Array(repeating: 0, count: classCount)
    for truth in truths { support[Int(truth)] += 1 }
    let wanted = PruneCounts(classCount: classCount, joint: joint, support: support)
    // One heap a pair of classes that holds as many images as are wanted of it.
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
    // An image whose label is the prediction, within the slack, is none.
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

/// The `limit` images of largest margin; among equals those of the lowest place.
private struct WorstMargins {
  struct Candidate: Comparable {
    let margin: Double
    let place: Int32
    let image: Int32

    /// Less doubtful.
    static func < (a: Candidate, b: Candidate) -> Bool { (a.margin, b.place) < (b.margin, a.place) }
  }
  let other: Int
  private let limit: Int
  /// A heap: the least doubtful at the top.
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
