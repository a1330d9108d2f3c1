/// A value with its 95 % interval.
public struct Estimate: Codable, Hashable, Sendable {
  public var value: Double
  public var low: Double
  public var high: Double

  public init(value: Double, low: Double, high: Double) {
    self.value = value
    self.low = low
    self.high = high
  }
}

/// Precision, recall and F1 brought together over the classes.
public struct Averages: Codable, Hashable, Sendable {
  public var precision: Double
  public var recall: Double
  public var f1: Double
  /// `nil` for micro, and without probabilities.
  @OrNull public var averagePrecision: Double?

  enum CodingKeys: String, CodingKey {
    case precision, recall, f1
    case averagePrecision = "average_precision"
  }
}

/// Seeded bootstrap, images drawn again within their class: percentile intervals, 2.5 % and 97.5 %.
public struct Bootstrap: Codable, Hashable, Sendable {
  public var seed: UInt64
  public var draws: Int
  public var macroPrecision: Estimate
  public var macroRecall: Estimate
  public var macroF1: Estimate
  public var balancedAccuracy: Estimate

  enum CodingKeys: String, CodingKey {
    case seed, draws
    case macroPrecision = "macro_precision"
    case macroRecall = "macro_recall"
    case macroF1 = "macro_f1"
    case balancedAccuracy = "balanced_accuracy"
  }
}

/// One class of the list.
public struct ClassScore: Codable, Hashable, Sendable {
  public var label: Int
  public var name: String
  /// Images of this class.
  public var support: Int
  /// Images predicted as this class.
  public var predicted: Int
  /// Images of this class predicted as it.
  public var correct: Int
  /// 0 where the class is never predicted.
  public var precision: Double
  /// `precision` with its Wilson interval, 0...1 where the class is never predicted.
  public var precisionInterval: Estimate
  /// With its Wilson interval; value 0 and 0...1 where the class never occurs.
  public var recall: Estimate
  public var f1: Double
  /// One against the rest; 0 where the class never occurs, `nil` without probabilities.
  @OrNull public var averagePrecision: Double?

  enum CodingKeys: String, CodingKey {
    case label, name, support, predicted, correct, precision
    case precisionInterval = "precision_interval"
    case recall, f1
    case averagePrecision = "average_precision"
  }
}

/// Whether the largest probability can be believed as a chance of being right.
public struct Calibration: Codable, Hashable, Sendable {
  /// Mean over images of |accuracy - confidence| of their bin; 15 bins of equal width.
  public var eceEqualWidth: Double
  /// The same with 15 bins of (about) equally many images; equal confidences share a bin.
  public var eceEqualMass: Double
  /// Largest |accuracy - confidence| of an equal-width bin that holds an image.
  public var mce: Double
  /// Mean confidence over all images.
  public var confidence: Double
  /// The bins, empty ones included, for the reliability chart.
  public var equalWidth: [ReliabilityBin]
  /// The bins that hold an image.
  public var equalMass: [ReliabilityBin]
  /// Temperature scaling; `nil` where the best temperature lies outside 0.01...100, or rows are not kept.
  @OrNull public var temperature: Temperature?

  enum CodingKeys: String, CodingKey {
    case eceEqualWidth = "ece_equal_width"
    case eceEqualMass = "ece_equal_mass"
    case mce, confidence
    case equalWidth = "equal_width"
    case equalMass = "equal_mass"
    case temperature
  }
}

/// Images whose confidence lies in (low, high]; equal-mass bins: low...high, both seen.
public struct ReliabilityBin: Codable, Hashable, Sendable {
  public var low: Double
  public var high: Double
  public var count: Int
  public var correct: Int
  /// Mean confidence; `nil` in an empty bin.
  @OrNull public var confidence: Double?
  /// With its Wilson interval; `nil` in an empty bin.
  @OrNull public var accuracy: Estimate?
}

/// softmax(log p / value) has the least negative log-likelihood on these images.
public struct Temperature: Codable, Hashable, Sendable {
  /// Above 1: the model is too sure of itself.
  public var value: Double
  /// Mean negative log-likelihood before and after, nats.
  public var before: Double
  public var after: Double
}

/// The images of highest confidence, and how often they are right.
public struct CoveragePoint: Codable, Hashable, Sendable {
  /// `count` / scored.
  public var coverage: Double
  /// The least confidence among them.
  public var threshold: Double
  public var count: Int
  public var accuracy: Estimate
}

/// Accuracy over a part of the images.
public struct Slice: Codable, Hashable, Sendable {
  public enum Kind: String, Codable, Sendable {
    /// One value of the attribute.
    case value
    /// low...high of a numeric attribute, about a fifth of the images.
    case quantile
    /// All values too rare to stand alone.
    case other
    /// The attribute was not given.
    case missing
  }
  public var attribute: String
  public var kind: Kind
  /// The value as text, for example "640...1024"; empty for `.other` and `.missing`.
  public var value: String
  @OrNull public var low: Double?
  @OrNull public var high: Double?
  public var count: Int
  public var correct: Int
  public var top1: Estimate

  enum CodingKeys: String, CodingKey {
    case attribute, kind, value, low, high
    case count = "n"
    case correct, top1
  }
}
