public import Hyperparameters

/// What a training tells while it runs. Epochs and batches are counted from 0.
public enum TrainingEvent: Sendable {
  case resumed(epoch: Int, batch: Int)
  /// After each batch: for a progress bar.
  case progress(epoch: Int, epochs: Int, batch: Int, batchCount: Int, images: Int, sums: MetricSums)
  /// While an epoch is validated: for a progress bar.
  case validating(epoch: Int, epochs: Int, images: Int, of: Int)
  /// Every so many batches, with the speed since the last one.
  case speed(epoch: Int, batch: Int, imagesPerSecond: Double, sums: MetricSums)
  case trained(EpochRecord)
  case validated(EpochRecord)
  /// The best so far, about to be stored.
  case best(EpochRecord)
  /// A model that can be used.
  case stored(path: String)
  case checkpoint(path: String)
  case stoppedEarly(epoch: Int, best: EpochRecord?)
  /// Something was lost or is odd; the training goes on.
  case warning(String)
}
