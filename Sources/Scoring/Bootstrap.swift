/// Percentile intervals, 2.5 % and 97.5 %, of a seeded bootstrap that resamples the images within their classes.
public struct Bootstrap: Codable, Hashable, Sendable {
  /// The seed of the generator.
  public var seed: UInt64
  /// The number of resamples.
  public var draws: Int
  /// The mean precision over all classes.
  public var macroPrecision: Estimate
  /// The mean recall over all classes.
  public var macroRecall: Estimate
  /// The mean F1 over all classes.
  public var macroF1: Estimate
  /// The mean recall over the classes that occur.
  public var balancedAccuracy: Estimate

  enum CodingKeys: String, CodingKey {
    case seed, draws
    case macroPrecision = "macro_precision"
    case macroRecall = "macro_recall"
    case macroF1 = "macro_f1"
    case balancedAccuracy = "balanced_accuracy"
  }
}

extension Bootstrap {
  /// Resamples as many images of each class as it has, and computes the metrics of every resample.
  ///
  /// The number of right images of a class is drawn from a binomial distribution, the wrong images one by one: the same
  /// distribution as drawing every image, at the cost of the errors only.
  /// - Returns: `nil` without images or draws.
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

/// Differences B - A between two runs when the images are resampled, with both runs' predictions of an image together.
///
/// As in `Bootstrap`, each class keeps its number of images. The number of images that both runs have right is drawn
/// from a binomial distribution, the others one by one.
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

/// A binomial distribution with `trials` trials and probability `successes` / `trials`, tabulated for drawing.
///
/// It is the distribution of a class's number of right images when its images are resampled. Outcomes whose probability
/// is below 1e-18 of the largest are left out.
struct BinomialTable {
  private let first: Int
  private var cumulative: [Double]
  /// For each of equal parts of 0...1, the index in `cumulative` at which to begin the search.
  private var guide: [Int] = []

  init(trials: Int, successes: Int) {
    guard successes > 0 && successes < trials else {
      first = successes
      cumulative = [1]
      return
    }
    let odds = Double(successes) / Double(trials - successes)
    // `successes` is the mode; relative weights fall from it on both sides.
    var below: [Double] = []
    var weight = 1.0
    var k = successes
    while k > 0 {
      weight *= Double(k) / (Double(trials - k + 1) * odds)
      if weight < 1e-18 { break }
      below.append(weight)
      k -= 1
    }
    first = successes - below.count
    cumulative = below.reversed() + [1]
    weight = 1
    k = successes
    while k < trials {
      weight *= Double(trials - k) * odds / Double(k + 1)
      if weight < 1e-18 { break }
      cumulative.append(weight)
      k += 1
    }
    var sum = 0.0
    for index in cumulative.indices {
      sum += cumulative[index]
      cumulative[index] = sum
    }
    for index in cumulative.indices { cumulative[index] /= sum }
    var place = 0
    for part in cumulative.indices {
      while cumulative[place] <= Double(part) / Double(cumulative.count) { place += 1 }
      guide.append(place)
    }
  }

  func draw(_ generator: inout SeededGenerator) -> Int {
    if guide.isEmpty { return first }
    let wanted = generator.fraction()
    var place = guide[min(guide.count - 1, Int(wanted * Double(guide.count)))]
    // The last is 1.
    while cumulative[place] <= wanted { place += 1 }
    return first + place
  }
}

/// The xoshiro256** generator (Blackman and Vigna 2018), seeded by SplitMix64: the same numbers on every machine.
struct SeededGenerator: RandomNumberGenerator {
  private var a: UInt64
  private var b: UInt64
  private var c: UInt64
  private var d: UInt64

  init(seed: UInt64) {
    var state = seed
    func next() -> UInt64 {
      state &+= 0x9E37_79B9_7F4A_7C15
      var z = state
      z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
      z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
      return z ^ (z >> 31)
    }
    (a, b, c, d) = (next(), next(), next(), next())
  }

  mutating func next() -> UInt64 {
    let scrambled = b &* 5
    let result = ((scrambled << 7) | (scrambled >> 57)) &* 9
    let shifted = b << 17
    c ^= a
    d ^= b
    b ^= c
    a ^= d
    c ^= shifted
    d = (d << 45) | (d >> 19)
    return result
  }

  /// A number in 0..<bound; uniform up to bound / 2^64.
  mutating func index(below bound: Int) -> Int {
    Int(UInt64(bound).multipliedFullWidth(by: next()).high)
  }

  /// Two numbers in 0..<bound from one of the generator's, where `bound` is below 2^32; uniform up to bound / 2^32.
  mutating func indices(below bound: Int) -> (Int, Int) {
    let (bits, bound) = (next(), UInt64(bound))
    return (Int(((bits >> 32) &* bound) >> 32), Int(((bits & 0xFFFF_FFFF) &* bound) >> 32))
  }

  /// A number in 0..<1, a multiple of 2^-53.
  mutating func fraction() -> Double { Double(next() >> 11) * 0x1p-53 }
}
