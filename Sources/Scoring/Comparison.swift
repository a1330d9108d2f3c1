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
