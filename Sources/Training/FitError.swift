/// Why a training ended without a result, as a sentence for the user.
public struct FitError: Error, Hashable, Sendable, CustomStringConvertible {
  public enum Reason: Hashable, Sendable {
    /// The training loss, or with `batch` nil the validation loss, is NaN or infinite. Epoch and batch count from 0;
    /// `standing` is a sentence about the models and checkpoints that are kept.
    case diverged(epoch: Int, batch: Int?, learningRate: Double, standing: String)
    /// The checkpoint belongs to another training: the setting `name` is `there` in the checkpoint and `here` in this
    /// run.
    case otherTraining(path: String, name: String, there: String, here: String)
    /// The file is not a valid checkpoint.
    case badCheckpoint(path: String, String)
    /// The arguments, the files or the folders contradict each other.
    case contradiction(String)
    /// The model could not be written, and there is no further epoch after which to try again.
    case unwritten(String)
  }
  public let reason: Reason

  public init(_ reason: Reason) { self.reason = reason }

  public var description: String {
    switch reason {
    case .diverged(let epoch, let batch, let learningRate, let standing):
      let place = batch.map { "batch \($0)" } ?? "the validation"
      return "the loss became NaN or infinite: epoch \(epoch), \(place), learning rate "
        + "\(shortText(learningRate)). \(standing)"
    case .otherTraining(let path, let name, let there, let here):
      return "\(path): this checkpoint belongs to a training with \(name) \(there); in this run it is \(here)"
    case .badCheckpoint(let path, let words): return "\(path): not a valid checkpoint: \(words)"
    case .contradiction(let words): return words
    case .unwritten(let words): return words
    }
  }
}

/// A number in single precision, which hides rounding noise: "0.01", "1e-05".
package func shortText(_ value: Double) -> String {
  let rounded = Float(value)
  return rounded.isFinite ? "\(rounded)" : "\(value)"
}
