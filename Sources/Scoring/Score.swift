/// Everything that is known about one run of a classifier over images whose class is known.
///
/// Coded as JSON by the keys in `CodingKeys`: schema version 1, written down field by field in this target's README.
/// All fractions are 0...1. Labels are positions in `classes`. A metric that cannot be computed is `nil`, `null` in
/// JSON; `omitted` says why. The value does not depend on the order in which the images were added.
public struct Score: Codable, Hashable, Sendable {
  public static let currentVersion = 1

  /// The schema's version; grows when a field changes its meaning or goes.
  public var version = Score.currentVersion
  /// What the caller wants told with the figures: where the outputs and the truth came from, which rule joined them.
  public var details: [Detail] = []

  /// Inputs: `scored` + `invalid` + `missing`.
  public var images: Int = 0
  /// Images with a usable prediction; the denominator of every metric.
  public var scored: Int = 0
  /// Images of the truth without an output, sorted.
  public var missing: [String] = []
  /// Outputs that were refused, sorted by path.
  public var invalid: [Rejection] = []
  /// Outputs without a truth, sorted; in none of the counts above.
  public var unexpected: [String] = []
  /// Scored rows whose sum is farther than 0.001 from 1.
  public var unnormalised: Int = 0
  /// Scored rows whose largest probability belongs to more than one class; the lowest label was taken.
  public var ties: Int = 0
  /// Scored images with a class only, without probabilities.
  public var hardLabels: Int = 0
  /// Scored images whose path occurred before; each is counted in every metric.
  public var duplicates: Int = 0

  /// Fraction whose truth is among the k most probable, with its Wilson interval; `nil` without images, for k > 1
  /// also with hard labels.
  @OrNull public var top1: Estimate?
  @OrNull public var top2: Estimate?
  @OrNull public var top3: Estimate?
  @OrNull public var top5: Estimate?
  @OrNull public var top10: Estimate?
  /// `rankHistogram[r]`: images whose truth is the (r+1)-th most probable class; one entry a class.
  @OrNull public var rankHistogram: [Int]?

  @OrNull public var macro: Averages?
  @OrNull public var micro: Averages?
  @OrNull public var weighted: Averages?
  /// Mean recall over the classes that occur.
  @OrNull public var balancedAccuracy: Double?
  /// Cohen's kappa, -1...1; `nil` where chance alone would agree always (one class only).
  @OrNull public var kappa: Double?
  /// Matthews correlation, -1...1; 0 where a margin has one class only.
  @OrNull public var mcc: Double?
  /// Mean negative logarithm of the truth's probability, nats.
  @OrNull public var logLoss: Double?
  /// Mean over images of the sum over classes of (p - y)^2, 0...2.
  @OrNull public var brier: Double?
  /// Expected calibration error over equal-width bins: `calibration.eceEqualWidth`.
  @OrNull public var ece: Double?
  @OrNull public var calibration: Calibration?
  /// Accuracy of the most confident part, from 1 % to 100 % of the images.
  @OrNull public var coverage: [CoveragePoint]?
  /// Intervals of the averaged metrics.
  @OrNull public var bootstrap: Bootstrap?

  public var classes: [ClassScore] = []
  /// The cells of the confusion matrix that are not zero, by truth, then predicted.
  public var confusion: [ConfusionCell] = []
  /// Scored images whose prediction is wrong.
  public var errors: Int = 0
  /// Both directions together, most frequent first; at most `Score.pairLimit`.
  public var pairs: [SymmetricPair] = []
  /// How many symmetric pairs there are.
  public var pairCount: Int = 0
  /// One direction each, most frequent first; at most `Score.pairLimit`.
  public var directedPairs: [DirectedPair] = []
  /// How many directed pairs there are: the cells off the diagonal that are not zero.
  public var directedPairCount: Int = 0
  public var orders = ClassOrders()
  @OrNull public var groups: Grouping?

  /// The wrong predictions of highest confidence, at most 500.
  @OrNull public var confidentErrors: [ImageError]?
  /// Images whose label is probably wrong, by confident learning.
  @OrNull public var labelIssues: LabelIssues?
  public var slices: [Slice] = []

  /// Metrics that were left out, each with its reason.
  public var omitted: [Omission] = []
  /// Results of the gates the caller evaluated.
  public var gates: [GateResult] = []
  /// Every scored image, sorted by path, as columns.
  public var predictions = PredictionTable()

  /// Pairs listed at most in `pairs` and `directedPairs`; `confusion` has them all.
  public static let pairLimit = 10_000

  init() {}

  enum CodingKeys: String, CodingKey {
    case version, details, images, scored, missing, invalid, unexpected, unnormalised, ties
    case hardLabels = "hard_labels"
    case duplicates, top1, top2, top3, top5, top10
    case rankHistogram = "rank_histogram"
    case macro, micro, weighted
    case balancedAccuracy = "balanced_accuracy"
    case kappa, mcc
    case logLoss = "log_loss"
    case brier, ece, calibration, coverage, bootstrap, classes, confusion, errors, pairs
    case pairCount = "pair_count"
    case directedPairs = "directed_pairs"
    case directedPairCount = "directed_pair_count"
    case orders, groups
    case confidentErrors = "confident_errors"
    case labelIssues = "label_issues"
    case slices, omitted, gates, predictions
  }
}

/// A fact about the run, in the caller's words, for example ("Matched by", "relative path").
public struct Detail: Codable, Hashable, Sendable {
  public var name: String
  public var value: String

  public init(_ name: String, _ value: String) {
    self.name = name
    self.value = value
  }
}

/// An input that could not be scored.
public struct Rejection: Codable, Hashable, Sendable {
  public var path: String
  public var reason: String

  public init(path: String, reason: String) {
    self.path = path
    self.reason = reason
  }
}

/// A metric that is `null`, and why.
public struct Omission: Codable, Hashable, Sendable {
  /// The key of the schema, for example "log_loss".
  public var metric: String
  public var reason: String

  public init(metric: String, reason: String) {
    self.metric = metric
    self.reason = reason
  }
}

/// A wrong prediction.
public struct ImageError: Codable, Hashable, Sendable {
  public var path: String
  public var truth: Int
  public var predicted: Int
  /// The largest probability.
  public var confidence: Double
  public var truthProbability: Double
  /// Place of the truth among the classes by probability, from 1.
  public var rank: Int

  enum CodingKeys: String, CodingKey {
    case path, truth, predicted, confidence
    case truthProbability = "truth_probability"
    case rank
  }
}

/// A value that may be absent, written to JSON as `null` instead of being left out.
///
/// So every key of the schema is always there, and a metric that cannot be computed reads `null`, not as a number
/// it is not. Reading accepts a missing key as well.
@propertyWrapper
public struct OrNull<Value: Codable & Hashable & Sendable>: Codable, Hashable, Sendable {
  public var wrappedValue: Value?

  public init(wrappedValue: Value?) { self.wrappedValue = wrappedValue }

  public init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    wrappedValue = container.decodeNil() ? nil : try container.decode(Value.self)
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    if let wrappedValue { try container.encode(wrappedValue) } else { try container.encodeNil() }
  }
}

extension KeyedDecodingContainer {
  /// Found by the synthesised decoders of this module: a missing key is an absent value.
  func decode<Value>(_ type: OrNull<Value>.Type, forKey key: Key) throws -> OrNull<Value> {
    try decodeIfPresent(type, forKey: key) ?? OrNull(wrappedValue: nil)
  }
}
