import Encodings

/// Everything that is known about one run of a classifier over images whose class is known.
///
/// Its JSON is schema version 1, which this target's README describes field by field; `CodingKeys` has the keys.
/// Fractions are 0...1. Labels are indexes in `classes`. A metric that cannot be computed is `nil`, `null` in JSON, and
/// `omitted` says why. The value does not depend on the order in which the images were added.
public struct Score: Codable, Hashable, Sendable {
  /// The schema version that this program writes.
  public static let currentVersion = 1

  /// The schema version; it grows when a field changes its meaning or disappears.
  public var version = Score.currentVersion
  /// Facts that the caller reports beside the figures: where outputs and truth came from, how they were matched.
  public var details: [Detail] = []

  /// The number of images: `scored` + `invalid` + `missing`.
  public var images: Int = 0
  /// The number of images with a usable prediction: the denominator of every metric.
  public var scored: Int = 0
  /// The paths of images without an output, sorted.
  public var missing: [String] = []
  /// Images that could not be scored, sorted by path.
  public var invalid: [Rejection] = []
  /// Outputs that belong to no image, sorted; not counted in `images`.
  public var unexpected: [String] = []
  /// The number of scored rows whose sum is farther than 0.001 from 1.
  public var unnormalised: Int = 0
  /// The number of scored rows whose largest probability belongs to several classes; the lowest label was taken.
  public var ties: Int = 0
  /// The number of scored images with a predicted class, but no probabilities.
  public var hardLabels: Int = 0
  /// The number of scored images whose path occurred before; each is counted in every metric.
  public var duplicates: Int = 0

  /// The share of images whose true class is the most probable, with Wilson's interval; `nil` without images.
  @OrNull public var top1: Estimate?
  /// The share of images whose true class is among the 2 most probable; `nil` without images or with hard labels.
  @OrNull public var top2: Estimate?
  /// The same for the 3 most probable.
  @OrNull public var top3: Estimate?
  /// The same for the 5 most probable.
  @OrNull public var top5: Estimate?
  /// The same for the 10 most probable.
  @OrNull public var top10: Estimate?
  /// `rankHistogram[r]` is the number of images whose true class is the (r+1)-th most probable; one entry for each
  /// class.
  @OrNull public var rankHistogram: [Int]?

  /// Means over all classes of the list, each with the same weight; `nil` without images.
  @OrNull public var macro: Averages?
  /// The same metrics over all images; each equals the accuracy. `nil` without images.
  @OrNull public var micro: Averages?
  /// Means over all classes, weighted by their images; `nil` without images.
  @OrNull public var weighted: Averages?
  /// The mean recall of the classes that occur; `nil` without images.
  @OrNull public var balancedAccuracy: Double?
  /// Cohen's kappa, -1...1; `nil` where chance alone would always agree (one class only).
  @OrNull public var kappa: Double?
  /// Matthews's correlation coefficient, -1...1; 0 where the truth or the predictions have one class only.
  @OrNull public var mcc: Double?
  /// The mean negative logarithm of the true class's probability, in nats.
  @OrNull public var logLoss: Double?
  /// The mean over images of the sum over classes of (p - y)^2, 0...2; halved for fewer than three classes, as
  /// scikit-learn does.
  @OrNull public var brier: Double?
  /// The expected calibration error over bins of equal width: `calibration.eceEqualWidth`.
  @OrNull public var ece: Double?
  /// How well confidence matches accuracy; `nil` without probabilities.
  @OrNull public var calibration: Calibration?
  /// The accuracy of the most confident images, from 1 % to 100 % of them; `nil` without probabilities.
  @OrNull public var coverage: [CoveragePoint]?
  /// Intervals of the averaged metrics; `nil` without images, or where no draws were asked for.
  @OrNull public var bootstrap: Bootstrap?

  /// The classes, in label order.
  public var classes: [ClassScore] = []
  /// The cells of the confusion matrix that are not zero, by true label, then by predicted one.
  public var confusion: [ConfusionCell] = []
  /// The number of scored images whose prediction is wrong.
  public var errors: Int = 0
  /// Pairs of confused classes, both directions together, most frequent first; at most `Score.pairLimit`.
  public var pairs: [SymmetricPair] = []
  /// The number of such pairs, listed or not.
  public var pairCount: Int = 0
  /// Pairs of confused classes, one for each direction, most frequent first; at most `Score.pairLimit`.
  public var directedPairs: [DirectedPair] = []
  /// The number of such pairs, listed or not: the cells off the diagonal that are not zero.
  public var directedPairCount: Int = 0
  /// Orders in which to show the classes.
  public var orders = ClassOrders()
  /// Groups of classes, given or found; `nil` where none were given and none can be found.
  @OrNull public var groups: Grouping?

  /// The wrong predictions of highest confidence, at most `ScoreOptions.confidentErrorLimit`; `nil` without
  /// probabilities.
  @OrNull public var confidentErrors: [WrongPrediction]?
  /// Images whose label is probably wrong, by confident learning; `nil` without probabilities.
  @OrNull public var labelIssues: LabelIssues?
  /// The accuracy over parts of the images, by their attributes.
  public var slices: [Slice] = []

  /// Metrics that are `nil`, each with its reason.
  public var omitted: [Omission] = []
  /// The results of the gates that the caller evaluated.
  public var gates: [GateResult] = []
  /// Every scored image, sorted by path.
  public var predictions = PredictionTable()

  /// How many pairs `pairs` and `directedPairs` list at most; `confusion` has them all.
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
  /// What the fact is about.
  public var name: String
  /// The fact.
  public var value: String

  /// A fact of this name and value.
  public init(_ name: String, _ value: String) {
    self.name = name
    self.value = value
  }
}

/// An image that could not be scored.
public struct Rejection: Codable, Hashable, Sendable {
  /// The path of the image, or the place of an entry without a path.
  public var path: String
  /// Why it could not be scored: a sentence without the path.
  public var reason: String

  /// A rejection of this path, for this reason.
  public init(path: String, reason: String) {
    self.path = path
    self.reason = reason
  }
}

/// A metric that is `nil`, and why.
public struct Omission: Codable, Hashable, Sendable {
  /// The key in the schema, for example "log_loss".
  public var metric: String
  /// A sentence.
  public var reason: String

  /// An omission of this metric, for this reason.
  public init(metric: String, reason: String) {
    self.metric = metric
    self.reason = reason
  }
}

/// One wrong prediction.
public struct WrongPrediction: Codable, Hashable, Sendable {
  /// The path of the image.
  public var path: String
  /// The true label.
  public var truth: Int
  /// The predicted label.
  public var predicted: Int
  /// The largest probability, 0...1.
  public var confidence: Double
  /// The probability of the true class, 0...1.
  public var truthProbability: Double
  /// The rank of the true class by probability, from 1.
  public var rank: Int

  enum CodingKeys: String, CodingKey {
    case path, truth, predicted, confidence
    case truthProbability = "truth_probability"
    case rank
  }
}

extension Score {
  /// Writes the score as JSON, a piece at a time, so that a million predictions need no memory for their text.
  ///
  /// Keys stand in the order of the schema, numbers in the shortest form that reads back to the same value; the same
  /// value gives the same bytes. The two outermost levels have an element a line.
  /// - Parameter sink: takes the UTF-8 text, in pieces of about 64 KB.
  /// - Throws: what `sink` throws.
  public func writeJSON(_ sink: ([UInt8]) throws -> Void) throws {
    try JSON.write(self, style: .outline, to: sink)
  }
}

/// A value that may be absent and is then written to JSON as `null` instead of being left out.
///
/// Thus every key of the schema is always there, and a metric that cannot be computed is never a number. A missing key
/// is read as an absent value.
@propertyWrapper
public struct OrNull<Value: Codable & Hashable & Sendable>: Codable, Hashable, Sendable {
  /// The value; `nil` where it is absent.
  public var wrappedValue: Value?

  /// A value that may be absent.
  public init(wrappedValue: Value?) { self.wrappedValue = wrappedValue }

  /// Reads the value, or `null`.
  /// - Throws: what the decoder throws.
  public init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    wrappedValue = container.decodeNil() ? nil : try container.decode(Value.self)
  }

  /// Writes the value, or `null`.
  /// - Throws: what the encoder throws.
  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    if let wrappedValue { try container.encode(wrappedValue) } else { try container.encodeNil() }
  }
}

extension KeyedDecodingContainer {
  /// Called by the synthesised decoders of this module: a missing key is an absent value.
  func decode<Value>(_ type: OrNull<Value>.Type, forKey key: Key) throws -> OrNull<Value> {
    try decodeIfPresent(type, forKey: key) ?? OrNull(wrappedValue: nil)
  }
}
