import Encodings
import Files

/// Two runs on the same images: what changed, and whether it could be chance.
///
/// Its JSON is schema version 1, which this target's README describes; `CodingKeys` has the keys. Labels are indexes in
/// `classes`, whose first entries are those of run A in A's order.
public struct Comparison: Codable, Hashable, Sendable {
  /// The schema version that this program writes.
  public static let currentVersion = 1

  /// The schema version; it grows when a field changes its meaning or disappears.
  public var version = Comparison.currentVersion
  /// Facts that the caller reports beside the figures.
  public var details: [Detail] = []

  /// The number of images that both runs scored with the same truth: the denominator of every figure here.
  public var images: Int
  /// Run A over those images.
  public var a: RunSummary
  /// Run B over those images.
  public var b: RunSummary
  /// The paths of images that only run B scored, sorted.
  public var missingInA: [String]
  /// The paths of images that only run A scored, sorted.
  public var missingInB: [String]
  /// The paths of images whose truth differs between the runs, sorted; they are left out.
  public var truthConflicts: [String]

  /// The number of images that both runs have right.
  public var bothRight: Int
  /// The number of images that only run A has right.
  public var onlyARight: Int
  /// The number of images that only run B has right.
  public var onlyBRight: Int
  /// The number of images that both runs have wrong.
  public var bothWrong: Int
  /// McNemar's test on the two runs.
  public var mcnemar: McNemar

  /// The difference B - A in top-1 accuracy with its paired bootstrap interval; `nil` without images or draws.
  @OrNull public var top1Difference: Estimate? = nil
  /// The difference B - A in macro F1 with its paired bootstrap interval; `nil` without images or draws.
  @OrNull public var macroF1Difference: Estimate? = nil
  /// The seed of the bootstrap.
  public var seed: UInt64
  /// The number of resamples.
  public var draws: Int

  /// The classes of A, then those that only B has.
  public var classes: [ClassChange]
  /// Every image whose prediction changed, sorted by path.
  public var flips: [Flip]
  /// The results of the gates that the caller evaluated.
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

extension Comparison {
  /// As `Score.writeJSON`.
  public func writeJSON(_ sink: ([UInt8]) throws -> Void) throws {
    try JSON.write(self, style: .outline, to: sink)
  }
}

/// One run over the images that both runs scored.
public struct RunSummary: Codable, Hashable, Sendable {
  /// The number of images that the run scored, shared or not.
  public var scored: Int
  /// The number of shared images that the run has right.
  public var correct: Int
  /// The share of images that are right, with Wilson's interval; `nil` without shared images.
  @OrNull public var top1: Estimate?
  /// The share of images whose true class is among the 5 most probable; `nil` without shared images, or with hard
  /// labels.
  @OrNull public var top5: Estimate?
  /// The mean F1 over all classes; `nil` without shared images.
  @OrNull public var macroF1: Double?
  /// The mean recall over the classes that occur; `nil` without shared images.
  @OrNull public var balancedAccuracy: Double?

  enum CodingKeys: String, CodingKey {
    case scored, correct, top1, top5
    case macroF1 = "macro_f1"
    case balancedAccuracy = "balanced_accuracy"
  }
}

/// McNemar's test on the images that only one of two runs has right.
public struct McNemar: Codable, Hashable, Sendable {
  /// The number of such images: `only_a_right` + `only_b_right`.
  public var discordant: Int
  /// The two-sided exact binomial p-value; 1 without discordant images.
  public var exactP: Double
  /// The mid-p variant, which is less conservative.
  public var midP: Double

  enum CodingKeys: String, CodingKey {
    case discordant
    case exactP = "exact_p"
    case midP = "mid_p"
  }
}

/// One class in both runs.
public struct ClassChange: Codable, Hashable, Sendable {
  /// The label in the comparison.
  public var label: Int
  /// The name of the class.
  public var name: String
  /// The number of shared images of the class.
  public var support: Int
  /// The recall in run A, with Wilson's interval.
  public var recallA: Estimate
  /// The recall in run B, with Wilson's interval.
  public var recallB: Estimate
  /// `recallB` - `recallA`.
  public var difference: Double
  /// The number of images of the class that only run A has right.
  public var onlyARight: Int
  /// The number of images of the class that only run B has right.
  public var onlyBRight: Int
  /// The p-value of McNemar's exact test on the images of the class; `nil` where the class does not occur.
  @OrNull public var p: Double?
  /// `p` adjusted for the number of classes that occur, by Benjamini and Hochberg's method.
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

/// An image that the two runs classify differently.
public struct Flip: Codable, Hashable, Sendable {
  /// What changed from A to B.
  public enum Kind: String, Codable, Sendable {
    /// Wrong in A, right in B.
    case fixed
    /// Right in A, wrong in B.
    case broken
    /// Wrong in both, in different ways.
    case changed
  }
  /// What changed.
  public var kind: Kind
  /// The path of the image, as in run A.
  public var path: String
  /// The true label.
  public var truth: Int
  /// The label that run A predicts.
  public var a: Int
  /// The label that run B predicts.
  public var b: Int
  /// The confidence of run A; `nil` for a hard label.
  @OrNull public var confidenceA: Double?
  /// The confidence of run B; `nil` for a hard label.
  @OrNull public var confidenceB: Double?

  enum CodingKeys: String, CodingKey {
    case kind, path, truth, a, b
    case confidenceA = "confidence_a"
    case confidenceB = "confidence_b"
  }
}

/// What the caller may choose about a comparison.
public struct ComparisonOptions: Hashable, Sendable {
  /// The seed of the bootstrap; the same seed gives the same intervals.
  public var seed: UInt64
  /// The number of resamples; 0 leaves the intervals out.
  public var draws: Int

  /// Options with this seed and number of resamples.
  public init(seed: UInt64 = 0, draws: Int = 2_000) {
    self.seed = seed
    self.draws = draws
  }
}

extension Comparison {
  /// The name of the detail about images whose paths are not the same bytes in both runs.
  public static let joinedName = "joined"

  /// Compares two runs over the images that both scored. Images are matched by path, classes by name.
  ///
  /// Images of one run only are counted and listed, but play no other part. The labels of both runs must be in range
  /// (`PredictionTable.firstOutside`).
  /// - Complexity: O(images log(images) + draws * (images not right in both + classes)).
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

  /// How the two runs did on the images of one class, or of all.
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
  /// - Parameter ranks: the rank of the truth for each image of `confusion`; 0 for a hard label.
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
  /// Returns `nil` where both runs predict the same class.
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
  /// Computes the exact test (McNemar 1947, statsmodels' `mcnemar(exact=True)`) and its mid-p variant (Fagerland,
  /// Lydersen and Laake 2013).
  /// - Parameters:
  ///   - onlyA: the number of images that only run A has right.
  ///   - onlyB: the number of images that only run B has right.
  /// - Complexity: O(onlyA + onlyB).
  init(onlyA: Int, onlyB: Int) {
    discordant = onlyA + onlyB
    // Weights are relative to the largest one, which is in the middle, so nothing overflows.
    let fewer = min(onlyA, onlyB)
    let middle = discordant / 2
    var (tail, all, own) = (0.0, 0.0, 0.0)
    var weight = 1.0
    var k = middle
    while true {
      if k == fewer { own = weight }
      if k <= fewer { tail += weight }
      // k and discordant - k are equally likely.
      all += 2 * k == discordant ? weight : 2 * weight
      if k == 0 || weight == 0 { break }
      weight *= Double(k) / Double(discordant - k + 1)
      k -= 1
    }
    exactP = min(1, 2 * tail / all)
    midP = max(0, min(1, (2 * tail - own) / all))
  }
}

/// P-values adjusted for their number, so that among those below q at most the share q are expected to be false
/// discoveries (Benjamini and Hochberg 1995); statsmodels' `multipletests(method="fdr_bh")`.
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
