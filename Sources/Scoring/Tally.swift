public import Files

/// Counts predictions as they come, for a `Score` at the end.
///
/// A value: tallies of parts, made side by side, `merge` into the tally of the whole. Neither the order of the images
/// nor the cut into parts changes the score.
///
/// Memory: 36 bytes an image, its path, and the probabilities up to `rowBudget` bytes; where they are more, all go to
/// an unlinked temporary file, from which the metrics that need all rows again read them in blocks.
public struct Tally: Sendable {
  public let classes: [String]

  var columns = ImageColumns()
  var rows: RowStore
  var attributes = AttributeColumns()
  var missing: [String] = []
  var invalid: [Rejection] = []
  var unexpected: [String] = []
  var unnormalised = 0
  var ties = 0
  var hardLabels = 0
  /// Sums over images of -log p and of (p - y)^2.
  var logLoss = ExactSum()
  var brier = ExactSum()

  /// Images are numbered by 32 bits.
  private static let imageLimit = Int(Int32.max)
  /// A row's sum may be this far from 1, as rounded decimals are.
  private static let sumTolerance = 1e-3

  /// - Parameters:
  ///   - classes: the names, in label order.
  ///   - rowBudget: bytes of probabilities kept in memory.
  ///   - temporaryFolder: where the rest goes; `nil`: `TMPDIR`, else /var/tmp, else /tmp.
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

  static let hardLabelReason = "some images have a class only, without probabilities"

  /// An image of the truth that has no output.
  public mutating func addMissing(_ path: String) { missing.append(path) }

  /// An output that cannot be scored.
  public mutating func addInvalid(_ path: String, reason: String) {
    invalid.append(Rejection(path: path, reason: reason))
  }

  /// An output that belongs to no image of the truth.
  public mutating func addUnexpected(_ path: String) { unexpected.append(path) }

  /// Adds everything `other` counted.
  /// - Throws: `.differentClasses`, `.tooMany`; nothing is counted then.
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

/// A fact about an image by which accuracy is cut into slices.
public enum Attribute: Hashable, Sendable {
  /// A number that is not finite counts as missing.
  case number(Double)
  case text(String)
}
