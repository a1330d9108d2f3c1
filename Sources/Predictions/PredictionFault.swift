/// Why an output cannot be scored.
public struct PredictionFault: Error, Hashable, Sendable, CustomStringConvertible {
  public enum Reason: Hashable, Sendable {
    /// The text is no JSON, or JSON of another shape than a prediction has.
    case json(JSONFault)
    /// An object without a key under which predictions stand.
    case noPrediction
    case wrongLength(Int, expected: Int)
    case negative(String, offset: Int)
    /// No class is more likely than another, and no scale makes a distribution of it.
    case allZero
    case sumBeyondDouble
    /// A label that is no whole number from 0, or is on no class list.
    case unknownLabel(String, classCount: Int?)
    /// A name that is on no class list; the one on it that looks like it, if there is one.
    case unknownClass(String, lookalike: String?)
    /// Several predictions stand in the output of one image.
    case several
    /// Two outputs of the same image that say different things.
    case contradiction(other: String)
    case file(String)
  }
  public let reason: Reason

  init(_ reason: Reason) { self.reason = reason }

  /// A sentence, with the byte where there is one.
  public var description: String {
    switch reason {
    case .json(let fault): fault.description
    case .noPrediction:
      "the object has no \"prediction\" or other key that predictions stand under"
    case .wrongLength(let count, let expected):
      "\(count) probabilities, \(expected) are expected, one for each class"
    case .negative(let text, let offset): "byte \(offset): \(text) is negative and no probability"
    case .allZero: "all probabilities are 0"
    case .sumBeyondDouble: "the sum of the probabilities is larger than a double can be"
    case .unknownLabel(let label, let count?) where count > 0:
      "label \(label) is unknown; a whole number from 0 to \(count - 1) is expected"
    case .unknownLabel(let label, _): "label \(label) is unknown; a whole number from 0 is expected"
    case .unknownClass(let name, let other):
      "class \"\(name)\" is not on the class list" + (other.map { ", where \"\($0)\" looks like it" } ?? "")
    case .several: "it holds several predictions; one image has one"
    case .contradiction(let other): "another output of the same image, \(other), says something else"
    case .file(let sentence): sentence
    }
  }
}
