/// The average precision of every class against the rest, from one pass over the rows, without sorting them.
///
/// It is scikit-learn's `average_precision_score`: the sum over thresholds of (recall - previous recall) * precision.
/// Recall changes only at the scores of the class's own images, so it is enough to count, for each of these, the other
/// images with at least that score. Counts are integers, so the order of the images plays no part.
struct AveragePrecision {
  private let classCount: Int
  /// The scores that the images of each class have for it, ascending, class after class, as bit patterns, whose order
  /// is that of the scores because none is negative.
  private let own: [Int]
  /// The index in `own` at which each class begins, and where the last one ends.
  private let starts: [Int]
  private let guides: [Guide]
  /// For each bucket of a guide, the first own score in that bucket or a later one, counted from the class's first.
  private let firsts: [Int32]
  /// `above[k]` is the number of other images whose score is at least the k-th of `own`, and less than the next one of
  /// that class.
  private var above: [Int32]

  /// Leads from a score to the few own scores near it, by buckets of equal size between the least and the largest bit
  /// pattern.
  private struct Guide {
    /// The least own score; for a class without images, one that no score reaches.
    var least = Int.max
    var shift = 0
    /// The number of buckets less one.
    var last = 0
    /// The index in `firsts` of the first bucket.
    var start = 0
  }

  /// - Parameters:
  ///   - truths: the true label of each image.
  ///   - truthScores: each image's score for that label.
  init(classCount: Int, truths: [Int32], truthScores: [Double]) {
    self.classCount = classCount
    var counts = Array(repeating: 0, count: classCount)
    for truth in truths { counts[Int(truth)] += 1 }
    var starts = [0]
    for count in counts { starts.append(starts[starts.count - 1] + count) }
    var own = Array(repeating: 0, count: truths.count)
    var places = starts
    for index in truths.indices {
      let truth = Int(truths[index])
      own[places[truth]] = Self.bits(truthScores[index])
      places[truth] += 1
    }
    var guides: [Guide] = []
    var firsts: [Int32] = []
    for label in 0..<classCount {
      own[starts[label]..<starts[label + 1]].sort()
      guides.append(Self.guide(own[starts[label]..<starts[label + 1]], &firsts))
    }
    (self.own, self.starts, self.guides, self.firsts) = (own, starts, guides, firsts)
    above = Array(repeating: 0, count: truths.count)
  }

  /// - Parameter scores: ascending.
  private static func guide(_ scores: ArraySlice<Int>, _ firsts: inout [Int32]) -> Guide {
    guard let least = scores.first, let largest = scores.last else { return Guide() }
    var guide = Guide(least: least, start: firsts.count)
    while (largest - least) >> guide.shift > 2 * scores.count { guide.shift += 1 }
    guide.last = (largest - least) >> guide.shift
    for (place, score) in scores.enumerated() {
      let bucket = (score - least) >> guide.shift
      while firsts.count - guide.start <= bucket { firsts.append(Int32(place)) }
    }
    firsts.append(Int32(scores.count))
    return guide
  }

  /// The bit pattern of a score; adding 0 removes the sign of -0.
  private static func bits(_ score: Double) -> Int { Int(bitPattern: UInt((score + 0).bitPattern)) }

  /// Counts the images of a block.
  /// - Parameters:
  ///   - rows: `classCount` values an image, none negative or NaN.
  ///   - first: the index of the block's first image in the run.
  ///   - truths: the true label of every image of the run.
  /// - Complexity: O(values) where the scores of a class are spread evenly over their orders of magnitude, O(values
  ///   log(images of a class)) at worst.
  mutating func add(_ rows: Span<Double>, first: Int, truths: [Int32]) {
    let width = classCount
    // Copies of the references, because spans of `self` would forbid changing `above`.
    let held = (own: own, starts: starts, guides: guides, firsts: firsts)
    let (own, starts) = (held.own.span, held.starts.span)
    let (guides, firsts) = (held.guides.span, held.firsts.span)
    var counted = above.mutableSpan
    for row in 0..<rows.count / max(1, width) {
      let truth = Int(truths[first + row])
      let values = rows.extracting(row * width..<row * width + width)
      for label in values.indices {
        let score = Self.bits(values[label])
        let guide = guides[label]
        // Most scores are lower than all of the class's own.
        guard score >= guide.least, label != truth else { continue }
        let bucket = min((score - guide.least) >> guide.shift, guide.last)
        // The last own score that is not above `score` is in this bucket, or is the last one before it.
        var place = max(0, Int(firsts[guide.start + bucket]) - 1)
        var size = Int(firsts[guide.start + bucket + 1]) - place
        let begin = starts[label]
        while size > 1 {
          let half = size / 2
          if own[begin + place + half] <= score { place += half }
          size -= half
        }
        counted[begin + place] += 1
      }
    }
  }

  /// The average precision of each class; 0 where it has no images.
  var values: [Double] {
    (0..<classCount).map { label in
      let (start, end) = (starts[label], starts[label + 1])
      guard start < end else { return 0 }
      var (right, wrong, last) = (0, 0, 0)
      var sum = 0.0
      var place = end - 1
      while place >= start {
        right += 1
        wrong += Int(above[place])
        // Equal scores are one threshold.
        if place == start || own[place - 1] != own[place] {
          sum += Double(right - last) * (Double(right) / Double(right + wrong))
          last = right
        }
        place -= 1
      }
      return sum / Double(end - start)
    }
  }
}
