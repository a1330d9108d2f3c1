package import Hyperparameters

/// Where a training is: with the weights and the optimiser's arrays, all that it needs to go on as if nothing had
/// happened. Everything else (the order of the images, their augmentation, the learning rate) follows from these counts.
package struct FitState: Hashable, Sendable, Codable {
  /// The epoch and the batch that come next, from 0.
  package var epoch = 0
  package var batch = 0
  /// Of the epoch that is running.
  package var sums = MetricSums()
  package var times = StepTimes()
  package var learningRate = 0.0
  var earlyStopping = EarlyStopping.State()
  package var record = TrainingRecord()
  /// No epoch follows: all are done, or early stopping ended it.
  var isOver = false

  package init() {}

  /// Whether a training can be there: what goes on from it counts further.
  var isPossible: Bool {
    let counts = [epoch, batch, earlyStopping.waited] + sums.counts + record.epochs.map(\.epoch)
    return counts.allSatisfy { (0...1 << 53).contains($0) } && sums.correct <= sums.decisions
      && sums.inTop <= sums.images
  }
}

/// Seconds of the parts of an epoch.
package struct StepTimes: Hashable, Sendable, Codable {
  package var data = 0.0, forward = 0.0, backward = 0.0, update = 0.0
  /// From the first batch to the last, checkpoints and what else is between the steps included.
  var whole = 0.0
}
