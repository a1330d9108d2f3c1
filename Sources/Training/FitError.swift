/// What ended a training, in a sentence.
public struct FitError: Error, Hashable, Sendable, CustomStringConvertible {
  public enum Reason: Hashable, Sendable {
    /// The loss, or the validation's, is no number any more. Epoch and batch are counted from 0.
    case diverged(epoch: Int, batch: Int?, learningRate: Double, standing: String)
    /// A checkpoint belongs to another training.
    case otherTraining(path: String, name: String, there: String, here: String)
    /// A checkpoint that is there and makes no sense.
    case badCheckpoint(path: String, String)
    /// The arguments, the files or the folders contradict each other.
    case contradiction(String)
    /// The model could not be written, and there was no more epoch to try again after.
    case unwritten(String)
  }
  public let reason: Reason

  public init(_ reason: Reason) { self.reason = reason }

  public var description: String {
    switch reason {
    case .diverged(let epoch, let batch, let learningRate, let standing):
      let place = batch.map { "batch \($0)" } ?? "the validation"
      return "the loss is not a number (NaN) any more: epoch \(epoch), \(place), learning rate "
        + "\(shortText(learningRate)). \(standing)"
    case .otherTraining(let path, let name, let there, let here):
      return "\(path): this checkpoint is of a training with \(name) \(there); here it is \(here)"
    case .badCheckpoint(let path, let words): return "\(path): this is no checkpoint of imrec: \(words)"
    case .contradiction(let words): return words
    case .unwritten(let words): return words
    }
  }
}

/// A number without noise: "0.01", "1e-05".
package func shortText(_ value: Double) -> String {
  let rounded = Float(value)
  return rounded.isFinite ? "\(rounded)" : "\(value)"
}
