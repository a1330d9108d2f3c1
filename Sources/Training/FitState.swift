package import Hyperparameters

/// The progress of a training. Together with the weights and the optimizer's arrays it is all that a resumed training
/// needs: the order of the images, their augmentation and the learning rate follow from these counters.
package struct FitState: Hashable, Sendable, Codable {
  /// The epoch and the batch to train next; both count from 0.
  package var epoch = 0
  package var batch = 0
  /// The sums of the current epoch so far.
  package var sums = MetricSums()
  package var times = StepTimes()
  package var learningRate = 0.0
  var earlyStopping = EarlyStopping.State()
  package var record = TrainingRecord()
  /// Whether the training is over: all epochs are done, or early stopping ended it.
  var isOver = false

  package init() {}

  /// Whether the counters of a checkpoint are in range, so that a resumed training cannot overflow them.
  var isPossible: Bool {
    let counts = [epoch, batch, earlyStopping.waited] + sums.counts + record.epochs.map(\.epoch)
    return counts.allSatisfy { (0...1 << 53).contains($0) } && sums.correct <= sums.decisions
      && sums.inTop <= sums.images
  }
}

/// Seconds spent on each part of an epoch.
package struct StepTimes: Hashable, Sendable, Codable {
  package var data = 0.0, forward = 0.0, backward = 0.0, update = 0.0
  /// All steps of the epoch together, with the wait for their images.
  var whole = 0.0
}
