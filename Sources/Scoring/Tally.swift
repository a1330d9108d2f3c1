public import Files
import Glibc

/// Collects predictions one by one, for a `Score` at the end.
///
/// Tallies of parts can be made in parallel and merged. Neither the order of the images nor the division into parts
/// changes the score.
///
/// Memory: 36 bytes an image, its path, and the probabilities up to `rowBudget` bytes. Where these are more, all go to
/// an unlinked temporary file, from which the metrics that need all rows a second time read them in blocks.
public struct Tally: Sendable {
  /// The class names, in label order.
  public let classes: [String]

  var columns = ImageColumns()
  var rows: RowStore
  var attributes = AttributeColumns()
  var missing: [String] = []
  var invalid: [Rejection] = []
  var unexpected: [String] = []
  /// The number of rows whose sum is not 1.
  var unnormalised = 0
  var ties = 0
  var hardLabels = 0
  /// The sum over images of -log p.
  var logLoss = ExactSum()
  /// The sum over images of the sum over classes of (p - y)^2.
  var brier = ExactSum()

  /// Images are numbered by 32 bits.
  private static let imageLimit = Int(Int32.max)
  /// How far a row's sum may be from 1, as that of rounded decimals is.
  private static let sumTolerance = 1e-3

  /// - Parameters:
  ///   - classes: the class names, in label order.
  ///   - rowBudget: how many bytes of probabilities are kept in memory.
  ///   - temporaryFolder: where the rest goes; `nil` for `TMPDIR`, else /var/tmp, else /tmp.
  public init(classes: [String], rowBudget: Int = 32 << 20, temporaryFolder: String? = nil) {
    self.classes = classes
    rows = RowStore(width: classes.count, budget: rowBudget, folder: temporaryFolder)
  }

  /// Adds an image with its probabilities, one for each class in label order.
  ///
  /// A row whose sum is not 1 is counted and taken as it is; only log-loss, Brier, calibration and confident learning
  /// normalise it.
  /// - Parameters:
  ///   - path: unlike that of every other image; what `Score` sorts and names images by.
  ///   - truth: label, a position in `classes`.
  ///   - attributes: what slices are made of, by name, a number or a text.
  /// - Throws: `.unknownLabel`, `.wrongLength`, `.notFinite`, `.negative`, `.infiniteSum`, `.tooMany`; nothing is
  ///   counted then.
  /// - Complexity: O(classes).
  public mutating func add(
    _ path: String, truth: Int, probabilities: Span<Double>, attributes: [ByteName: Attribute] = [:]
  ) throws(ScoringError) {
    guard probabilities.count == classes.count else {
      throw ScoringError(.wrongLength(probabilities.count, classes: classes.count))
    }
    try check(label: truth)
    let row = try RowSummary(probabilities, truth: truth)
    try append(path, truth: truth, predicted: row.best, attributes: attributes)
    columns.ranks.append(Int32(row.rank))
    columns.confidences.append(probabilities[row.best])
    columns.truthScores.append(probabilities[truth])
    if row.tied { ties += 1 }
    var divisor = 1.0
    if abs(row.sum - 1) > Self.sumTolerance {
      unnormalised += 1
      divisor = row.sum
    }
    columns.divisors.append(divisor)
    let probability = ImageColumns.probability(
      probabilities[truth], divisor: divisor, classCount: classes.count)
    logLoss.add(negativeLogarithm(probability))
    let squares = divisor == 0 ? 1 / Double(classes.count) : row.squares(probabilities, divisor)
    brier.add(squares - 2 * probability + 1)
    if hardLabels == 0 { rows.append(probabilities) }
  }

  /// Adds an image of which only the predicted class is known.
  ///
  /// With such an image among them the metrics that need probabilities are `nil` for the whole run.
  /// - Throws: `.unknownLabel`, `.tooMany`; nothing is counted then.
  public mutating func add(
    _ path: String, truth: Int, predicted: Int, attributes: [ByteName: Attribute] = [:]
  ) throws(ScoringError) {
    try check(label: truth)
    try check(label: predicted)
    try append(path, truth: truth, predicted: predicted, attributes: attributes)
    columns.ranks.append(0)
    columns.confidences.append(0)
    columns.truthScores.append(0)
    columns.divisors.append(1)
    hardLabels += 1
    rows.drop(Tally.hardLabelReason)
  }

  /// Why metrics that need probabilities are missing.
  static let hardLabelReason = "some images have a class only, without probabilities"

  /// Adds an image of the truth that has no output.
  public mutating func addMissing(_ path: String) { missing.append(path) }

  /// Adds an image that cannot be scored.
  /// - Parameter reason: a sentence without the path.
  public mutating func addInvalid(_ path: String, reason: String) {
    invalid.append(Rejection(path: path, reason: reason))
  }

  /// Adds an output that belongs to no image of the truth.
  public mutating func addUnexpected(_ path: String) { unexpected.append(path) }

  /// Adds everything that `other` collected.
  /// - Throws: `.differentClasses`, `.tooMany`; nothing is then added.
  /// - Complexity: O(images of `other`); its rows are not copied.
  public mutating func merge(_ other: Tally) throws(ScoringError) {
    guard classes.elementsEqual(other.classes, by: { hasSameBytes($0, $1) }) else {
      throw ScoringError(.differentClasses)
    }
    guard columns.count <= Self.imageLimit - other.columns.count else {
      throw ScoringError(.tooMany(limit: Self.imageLimit))
    }
    columns.append(contentsOf: other.columns)
    rows.append(other.rows)
    attributes.append(contentsOf: other.attributes)
    missing += other.missing
    invalid += other.invalid
    unexpected += other.unexpected
    unnormalised += other.unnormalised
    ties += other.ties
    hardLabels += other.hardLabels
    logLoss.add(other.logLoss)
    brier.add(other.brier)
  }

  private func check(label: Int) throws(ScoringError) {
    guard classes.indices.contains(label) else {
      throw ScoringError(.unknownLabel(label, classes: classes.count))
    }
  }

  private mutating func append(
    _ path: String, truth: Int, predicted: Int, attributes: [ByteName: Attribute]
  ) throws(ScoringError) {
    guard columns.count < Self.imageLimit else { throw ScoringError(.tooMany(limit: Self.imageLimit)) }
    columns.paths.append(path)
    columns.truths.append(Int32(truth))
    columns.predicted.append(Int32(predicted))
    self.attributes.append(attributes)
  }
}

/// What one pass over a row of probabilities yields; it also checks the row.
struct RowSummary {
  /// The lowest label of the largest value, as numpy's `argmax`.
  var best = 0
  /// Whether another label has the same value as `best`.
  var tied = false
  var sum = 0.0
  /// The rank of the truth, from 1; of equal values the lowest label comes first.
  var rank = 1
  private var squares = 0.0

  /// - Parameters:
  ///   - row: not empty.
  ///   - truth: an index in `row`.
  /// - Throws: `.notFinite`, `.negative`, `.infiniteSum`.
  init(_ row: Span<Double>, truth: Int) throws(ScoringError) {
    let mark = row[truth]
    var largest = -1.0
    for label in row.indices {
      let value = row[label]
      sum += value
      squares += value * value
      if value > largest {
        largest = value
        best = label
        tied = false
      } else if value == largest {
        tied = true
      }
      if value > mark || (value == mark && label < truth) { rank += 1 }
      // NaN fails this too.
      guard value >= 0 else {
        throw ScoringError(value < 0 && value.isFinite ? .negative(value, at: label) : .notFinite(at: label))
      }
    }
    guard sum.isFinite else {
      for label in row.indices where !row[label].isFinite { throw ScoringError(.notFinite(at: label)) }
      throw ScoringError(.infiniteSum)
    }
  }

  /// The sum of the squares of `row` / `divisor`.
  func squares(_ row: Span<Double>, _ divisor: Double) -> Double {
    if divisor == 1 { return squares }
    // Divided before squaring, because the squares of values from a file may overflow.
    var sum = 0.0
    for label in row.indices {
      let value = row[label] / divisor
      sum += value * value
    }
    return sum
  }
}

/// -log p in nats, with p clipped to [e, 1 - e] for e = 2^-52, as scikit-learn's `log_loss` does.
func negativeLogarithm(_ probability: Double) -> Double {
  -log(min(max(probability, Double.ulpOfOne), 1 - Double.ulpOfOne))
}

/// Why a prediction, a merge or a gate was refused. A tally is then as it was before.
///
/// The description is a sentence for the user without a path, which the caller knows.
public struct ScoringError: Error, Hashable, Sendable, CustomStringConvertible {
  /// What is wrong.
  public enum Reason: Hashable, Sendable {
    /// The true or the predicted label is not on the class list.
    case unknownLabel(Int, classes: Int)
    /// The row does not have one value for each class.
    case wrongLength(Int, classes: Int)
    /// The value at this index of the row is NaN or infinite.
    case notFinite(at: Int)
    /// All values are finite, but their sum is not.
    case infiniteSum
    /// The value at this index of the row is below 0.
    case negative(Double, at: Int)
    /// The tallies have different class lists.
    case differentClasses
    /// There are more images than a tally counts.
    case tooMany(limit: Int)
    /// A gate cannot be read; the sentence says which one, and why.
    case badGate(String)
  }
  /// What is wrong.
  public let reason: Reason

  /// An error for this reason.
  public init(_ reason: Reason) { self.reason = reason }

  /// A sentence for the user.
  public var description: String {
    switch reason {
    case .unknownLabel(let label, let classes):
      classes == 0
        ? "label \(label) is not on the class list, which is empty"
        : "label \(label) is not on the class list, which has the labels 0 to \(classes - 1)"
    case .wrongLength(let count, let classes):
      "the prediction has \(count) values; \(classes) are expected, one for each class"
    case .notFinite(let place):
      "value \(place + 1) of the prediction is not a finite number"
    case .negative(let value, let place):
      "value \(place + 1) of the prediction is \(value); a probability is 0 or more"
    case .infiniteSum: "the values of the prediction are too large to be summed"
    case .differentClasses: "the two runs have different class lists"
    case .tooMany(let limit): "more than \(limit) images cannot be scored in one run"
    case .badGate(let words): words
    }
  }
}
