public import Hyperparameters

/// An event of a running training. Epochs and batches count from 0.
public enum TrainingEvent: Sendable {
  /// The training continues from a checkpoint, at this epoch and batch.
  case resumed(epoch: Int, batch: Int)
  /// A batch is done; for a progress bar. `images` is the size of a global batch, `sums` those of the epoch so far.
  case progress(epoch: Int, epochs: Int, batch: Int, batchCount: Int, images: Int, sums: MetricSums)
  /// A batch of the validation is done; for a progress bar.
  case validating(epoch: Int, epochs: Int, images: Int, of: Int)
  /// Sent every `FitOptions.reportEvery` batches, with the speed since the previous `.speed` event of the epoch.
  case speed(epoch: Int, batch: Int, imagesPerSecond: Double, sums: MetricSums)
  /// All batches of an epoch are done; the validation figures are not yet filled in.
  case trained(EpochRecord)
  /// The epoch is validated.
  case validated(EpochRecord)
  /// The epoch is the best so far, and its model is about to be stored.
  case best(EpochRecord)
  /// A model file was written.
  case stored(path: String)
  /// A checkpoint was written.
  case checkpoint(path: String)
  /// Early stopping ended the training after this epoch.
  case stoppedEarly(epoch: Int, best: EpochRecord?)
  /// A problem that does not end the training.
  case warning(String)
}
