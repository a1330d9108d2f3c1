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

/// What confident learning says about the labels; needs predictions of a model that did not learn these images.
public struct LabelIssues: Codable, Hashable, Sendable {
  /// "prune_by_noise_rate": cleanlab's `find_label_issues` with that filter.
  public var method: String
  /// Images flagged.
  public var count: Int
  /// Most doubtful first: least probability of the given label, then path; at most `LabelIssues.imageLimit`.
  public var images: [LabelIssue]

  public static let imageLimit = 10_000

  public init(method: String, count: Int, images: [LabelIssue]) {
    (self.method, self.count, self.images) = (method, count, images)
  }

  /// Whether the issues are so many that most are the model's mistakes, not the labels': more than a tenth of the scored
  /// images, which is what the worst of ten well-known data sets has (Northcutt, Athalye and Mueller 2021).
  public func speaksOfModel(scored: Int) -> Bool { count > scored / 10 }
}

public struct LabelIssue: Codable, Hashable, Sendable {
  public var path: String
  /// The given label.
  public var label: Int
  /// The class the model holds for right.
  public var suggested: Int
  /// Probability of the given label.
  public var selfConfidence: Double
  /// Probability of the suggested one.
  public var confidence: Double

  enum CodingKeys: String, CodingKey {
    case path, label, suggested
    case selfConfidence = "self_confidence"
    case confidence
  }
}
