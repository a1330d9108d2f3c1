/// Why a prediction, a merge or a gate was refused; the tally is as it was before.
///
/// The description is a sentence for the user without the path: the caller knows it.
public struct ScoringError: Error, Hashable, Sendable, CustomStringConvertible {
  public enum Reason: Hashable, Sendable {
    /// The truth or the predicted class is not on the list.
    case unknownLabel(Int, classes: Int)
    /// The row has not one value for each class.
    case wrongLength(Int, classes: Int)
    /// A value is NaN or infinite, at this place of the row.
    case notFinite(at: Int)
    /// The values are finite, but their sum is not.
    case infiniteSum
    /// A value is below 0, at this place of the row.
    case negative(Double, at: Int)
    /// Two tallies are over different class lists.
    case differentClasses
    /// More images than the tally counts.
    case tooMany(limit: Int)
    /// A gate cannot be read; says what is wrong with which one.
    case badGate(String)
  }
  public let reason: Reason

  public init(_ reason: Reason) { self.reason = reason }

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
