import Files

/// Two runs on the same images: what changed, and whether it could be chance.
///
/// Coded as JSON by the keys in `CodingKeys`: schema version 1, in this target's README. Labels are positions in
/// `classes`, whose first entries are those of run A in A's order.
public struct Comparison: Codable, Hashable, Sendable {
  public static let currentVersion = 1

  public var version = Comparison.currentVersion
  public var details: [Detail] = []

  /// Images that both runs scored with the same truth: the denominator of everything below but `a` and `b`.
  public var images: Int
  /// Each run by itself over those images.
  public var a: RunSummary
  public var b: RunSummary
  /// Images scored by the other run only, sorted.
  public var missingInA: [String]
  public var missingInB: [String]
  /// Images whose truth differs between the runs; left out, sorted.
  public var truthConflicts: [String]

  public var bothRight: Int
  public var onlyARight: Int
  public var onlyBRight: Int
  public var bothWrong: Int
  public var mcnemar: McNemar

  /// B - A with paired bootstrap intervals; `nil` without images.
  @OrNull public var top1Difference: Estimate? = nil
  @OrNull public var macroF1Difference: Estimate? = nil
  public var seed: UInt64
  public var draws: Int

  public var classes: [ClassChange]
  /// Every image whose prediction changed, sorted by path.
  public var flips: [Flip]
  public var gates: [GateResult] = []

  enum CodingKeys: String, CodingKey {
    case version, details, images, a, b
    case missingInA = "missing_in_a"
    case missingInB = "missing_in_b"
    case truthConflicts = "truth_conflicts"
    case bothRight = "both_right"
    case onlyARight = "only_a_right"
    case onlyBRight = "only_b_right"
    case bothWrong = "both_wrong"
    case mcnemar
    case top1Difference = "top1_difference"
    case macroF1Difference = "macro_f1_difference"
    case seed, draws, classes, flips, gates
  }
}

/// One run over the images both have.
public struct RunSummary: Codable, Hashable, Sendable {
  /// Images the run scored, shared or not.
  public var scored: Int
  public var correct: Int
  /// With its Wilson interval; `nil` without shared images.
  @OrNull public var top1: Estimate?
  /// `nil` without shared images, or with hard labels among them.
  @OrNull public var top5: Estimate?
  @OrNull public var macroF1: Double?
  @OrNull public var balancedAccuracy: Double?

  enum CodingKeys: String, CodingKey {
    case scored, correct, top1, top5
    case macroF1 = "macro_f1"
    case balancedAccuracy = "balanced_accuracy"
  }
}

/// McNemar's test on the images that one run has right and the other wrong.
public struct McNemar: Codable, Hashable, Sendable {
  /// `only_a_right` + `only_b_right`.
  public var discordant: Int
  /// Two-sided exact binomial p-value; 1 without discordant images.
  public var exactP: Double
  /// The mid-p variant, less conservative.
  public var midP: Double

  enum CodingKeys: String, CodingKey {
    case discordant
    case exactP = "exact_p"
    case midP = "mid_p"
  }
}

/// What happened to one class.
public struct ClassChange: Codable, Hashable, Sendable {
  public var label: Int
  public var name: String
  public var support: Int
  public var recallA: Estimate
  public var recallB: Estimate
  /// B - A.
  public var difference: Double
  public var onlyARight: Int
  public var onlyBRight: Int
  /// Exact McNemar over the images of the class; `nil` where it does not occur.
  @OrNull public var p: Double?
  /// `p` adjusted for the number of classes that occur, after Benjamini and Hochberg.
  @OrNull public var q: Double?

  enum CodingKeys: String, CodingKey {
    case label, name, support
    case recallA = "recall_a"
    case recallB = "recall_b"
    case difference
    case onlyARight = "only_a_right"
    case onlyBRight = "only_b_right"
    case p, q
  }
}

/// An image the two runs see differently.
public struct Flip: Codable, Hashable, Sendable {
  public enum Kind: String, Codable, Sendable {
    /// Wrong in A, right in B.
    case fixed
    /// Right in A, wrong in B.
    case broken
    /// Wrong in both, differently.
    case changed
  }
  public var kind: Kind
  public var path: String
  public var truth: Int
  /// The predictions.
  public var a: Int
  public var b: Int
  /// `nil` for hard labels.
  @OrNull public var confidenceA: Double?
  @OrNull public var confidenceB: Double?

  enum CodingKeys: String, CodingKey {
    case kind, path, truth, a, b
    case confidenceA = "confidence_a"
    case confidenceB = "confidence_b"
  }
}

/// What the caller may choose about a comparison.
public struct ComparisonOptions: Hashable, Sendable {
  /// Of the bootstrap; the same seed gives the same intervals.
  public var seed: UInt64
  public var draws: Int

  public init(seed: UInt64 = 0, draws: Int = 2_000) {
    self.seed = seed
    self.draws = draws
  }
}

extension Comparison {
  /// The detail that tells of images whose paths are not the same bytes in both runs.
  public static let joinedName = "joined"

  /// Compares two runs over the images both scored, joined by path; classes are joined by name.
  ///
  /// Images on one side only are counted and named, and play no other part.
  /// - Complexity: O(images + draws * (images not right in both + classes)).
  public init(_ a: Score, _ b: Score, _ options: ComparisonOptions = ComparisonOptions()) {
    let shared = PairedImages(a, b)
    images = shared.pairs.count
    missingInA = shared.missingInA
    missingInB = shared.missingInB
    truthConflicts = shared.truthConflicts
    if let example = shared.lookalikes.first {
      details.append(
        Detail(
          Comparison.joinedName,
          "\(shared.lookalikes.count) \(shared.lookalikes.count == 1 ? "image" : "images") whose names differ in Unicode form or case, such as \(example.a) and \(example.b)"
        ))
    }
    seed = options.seed
    draws = options.draws

    let (confusionA, confusionB) = (shared.confusion(\.a), shared.confusion(\.b))
    self.a = RunSummary(
      confusionA, scored: a.scored, ranks: shared.pairs.map { a.predictions.ranks[$0.placeA] })
    self.b = RunSummary(
      confusionB, scored: b.scored, ranks: shared.pairs.map { b.predictions.ranks[$0.placeB] })

    var counts = Array(repeating: Counts(), count: shared.classes.count)
    for pair in shared.pairs { counts[pair.truth].add(pair) }
    let all = counts.reduce(into: Counts()) { $0.add($1) }
    (bothRight, onlyARight, onlyBRight, bothWrong) = (all.bothRight, all.onlyA, all.onlyB, all.bothWrong)
    mcnemar = McNemar(onlyA: all.onlyA, onlyB: all.onlyB)

    let present = counts.indices.filter { counts[$0].support > 0 }
    let p = present.map { McNemar(onlyA: counts[$0].onlyA, onlyB: counts[$0].onlyB).exactP }
    let q = benjaminiHochberg(p)
    classes = counts.indices.map { counts[$0].change(label: $0, name: shared.classes[$0]) }
    for (place, label) in present.enumerated() {
      classes[label].p = p[place]
      classes[label].q = q[place]
    }
    flips = shared.pairs.compactMap { Flip($0, a.predictions[$0.placeA], b.predictions[$0.placeB]) }

    if let macroA = confusionA.macro(nil), let macroB = confusionB.macro(nil) {
      let drawn = PairedBootstrap(shared, seed: options.seed, draws: options.draws)
      let top1 = Double(all.onlyB - all.onlyA) / Double(images)
      if !drawn.top1.isEmpty {
        top1Difference = .percentile(top1, draws: drawn.top1)
        macroF1Difference = .percentile(macroB.f1 - macroA.f1, draws: drawn.macroF1)
      }
    }
  }

  /// How the two runs went over the images of one class, or of all.
  private struct Counts {
    var bothRight = 0
    var onlyA = 0
    var onlyB = 0
    var bothWrong = 0
    var support: Int { bothRight + onlyA + onlyB + bothWrong }

    mutating func add(_ pair: PairedImages.Pair) {
      switch (pair.a == pair.truth, pair.b == pair.truth) {
      case (true, true): bothRight += 1
      case (true, false): onlyA += 1
      case (false, true): onlyB += 1
      case (false, false): bothWrong += 1
      }
    }

    mutating func add(_ other: Counts) {
      bothRight += other.bothRight
      onlyA += other.onlyA
      onlyB += other.onlyB
      bothWrong += other.bothWrong
    }

    func change(label: Int, name: String) -> ClassChange {
      ClassChange(
        label: label, name: name, support: support, recallA: .wilson(bothRight + onlyA, of: support),
        recallB: .wilson(bothRight + onlyB, of: support), difference: ratio(onlyB - onlyA, support),
        onlyARight: onlyA, onlyBRight: onlyB, p: nil, q: nil)
    }
  }
}

extension RunSummary {
  /// - Parameter ranks: of the truth, for the images of `confusion`; 0 for a hard label.
  init(_ confusion: ConfusionCounts, scored: Int, ranks: [Int32]) {
    self.scored = scored
    correct = confusion.correctTotal
    top1 = confusion.total == 0 ? nil : .wilson(correct, of: confusion.total)
    top5 =
      ranks.isEmpty || ranks.contains(0) ? nil : .wilson(ranks.count { $0 <= 5 }, of: ranks.count)
    macroF1 = confusion.macro(nil)?.f1
    balancedAccuracy = confusion.balancedAccuracy
  }
}

extension Flip {
  /// `nil` where both runs say the same.
  init?(_ pair: PairedImages.Pair, _ one: Prediction, _ two: Prediction) {
    guard pair.a != pair.b else { return nil }
    kind = pair.b == pair.truth ? .fixed : pair.a == pair.truth ? .broken : .changed
    path = one.path
    truth = pair.truth
    (a, b) = (pair.a, pair.b)
    confidenceA = one.confidence
    confidenceB = two.confidence
  }
}

extension McNemar {
  /// The exact test (McNemar 1947, statsmodels' `mcnemar(exact=True)`) and its mid-p variant (Fagerland, Lydersen and
  /// Laake 2013).
  /// - Parameters: images that only the one run has right.
  /// - Complexity: O(onlyA + onlyB).
  init(onlyA: Int, onlyB: Int) {
    discordant = onlyA + onlyB
    // Relative to the largest chance, that of half and half: no logarithm or factorial, nothing overflows.
    let fewer = min(onlyA, onlyB)
    let middle = discordant / 2
    var (tail, all, own) = (0.0, 0.0, 0.0)
    var weight = 1.0
    var k = middle
    while true {
      if k == fewer { own = weight }
      if k <= fewer { tail += weight }
      // Symmetric: k and discordant - k are as likely.
      all += 2 * k == discordant ? weight : 2 * weight
      if k == 0 || weight == 0 { break }
      weight *= Double(k) / Double(discordant - k + 1)
      k -= 1
    }
    exactP = min(1, 2 * tail / all)
    midP = max(0, min(1, (2 * tail - own) / all))
  }
}

/// P-values adjusted for their number so that the expected share of false discoveries is at most the q looked at
/// (Benjamini and Hochberg 1995), statsmodels' `multipletests(method="fdr_bh")`.
func benjaminiHochberg(_ values: [Double]) -> [Double] {
  let order = values.indices.sorted { (values[$0], $0) < (values[$1], $1) }
  var adjusted = values
  var least = 1.0
  for (place, index) in order.enumerated().reversed() {
    least = min(least, values[index] * Double(values.count) / Double(place + 1))
    adjusted[index] = least
  }
  return adjusted
}
