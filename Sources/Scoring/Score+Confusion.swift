/// A cell of the confusion matrix; `[truth, predicted, count]` in JSON.
public struct ConfusionCell: Codable, Hashable, Sendable {
  public var truth: Int
  public var predicted: Int
  public var count: Int

  public init(truth: Int, predicted: Int, count: Int) {
    self.truth = truth
    self.predicted = predicted
    self.count = count
  }

  public init(from decoder: any Decoder) throws {
    var values = try decoder.unkeyedContainer()
    truth = try values.decode(Int.self)
    predicted = try values.decode(Int.self)
    count = try values.decode(Int.self)
  }

  public func encode(to encoder: any Encoder) throws {
    var values = encoder.unkeyedContainer()
    try values.encode(truth)
    try values.encode(predicted)
    try values.encode(count)
  }
}

/// Two classes taken for each other, `a` < `b`.
public struct SymmetricPair: Codable, Hashable, Sendable {
  public var a: Int
  public var b: Int
  public var count: Int
  /// Of all errors.
  public var share: Double
  /// `share` of this pair and all before it.
  public var cumulative: Double
  /// Images of `a` predicted as `b`, and the other way.
  public var aAsB: Int
  public var bAsA: Int

  enum CodingKeys: String, CodingKey {
    case a, b, count, share, cumulative
    case aAsB = "a_as_b"
    case bAsA = "b_as_a"
  }
}

/// Images of one class predicted as another.
public struct DirectedPair: Codable, Hashable, Sendable {
  public var truth: Int
  public var predicted: Int
  public var count: Int
  /// Of all errors.
  public var share: Double
  /// `share` of this pair and all before it.
  public var cumulative: Double
  /// Of the images of `truth`.
  public var rate: Double
}

/// Permutations of the labels, first row of the matrix first.
public struct ClassOrders: Codable, Hashable, Sendable {
  /// By name, as UTF-8 bytes.
  public var alphabetical: [Int] = []
  /// Lowest recall first; classes that never occur last.
  public var recall: [Int] = []
  /// Most images first.
  public var support: [Int] = []
  /// Classes that are taken for each other stand together; `nil` above `ClassOrders.seriationLimit` classes.
  @OrNull public var seriated: [Int]?

  public static let seriationLimit = 2_048
}

/// Classes brought together, and whether errors stay inside a group.
public struct Grouping: Codable, Hashable, Sendable {
  public enum Source: String, Codable, Sendable {
    /// The caller's assignment.
    case given
    /// Average linkage over who is taken for whom.
    case clustered
  }
  public var source: Source
  public var groups: [ClassGroup]
  /// The group of each label: a position in `groups`.
  public var assignment: [Int]
  /// Errors whose truth and prediction are in one group.
  public var errorsInside: Int
  /// Errors from one group to another.
  public var errorsAcross: Int
  /// Fraction whose prediction is in the truth's group.
  @OrNull public var accuracy: Estimate?
  /// Images from group to group, `[truth, predicted, count]`, cells that are not zero.
  public var confusion: [ConfusionCell]

  enum CodingKeys: String, CodingKey {
    case source, groups, assignment
    case errorsInside = "errors_inside"
    case errorsAcross = "errors_across"
    case accuracy, confusion
  }
}

public struct ClassGroup: Codable, Hashable, Sendable {
  /// The given name; of a clustered group the name of its class with most images.
  public var name: String
  /// Labels, ascending.
  public var classes: [Int]
  public var support: Int
  public var correct: Int
  /// Errors of its images that stay inside, and that leave.
  public var errorsInside: Int
  public var errorsAcross: Int

  enum CodingKeys: String, CodingKey {
    case name, classes, support, correct
    case errorsInside = "errors_inside"
    case errorsAcross = "errors_across"
  }
}
