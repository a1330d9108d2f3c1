/// Where a training is: with the weights and the optimiser's arrays, all that it needs to go on as if nothing had
/// happened. Everything else (the order of the images, their augmentation, the learning rate) follows from these counts.
struct FitState: Hashable, Sendable, Codable {
  /// The epoch and the batch that come next, from 0.
  var epoch = 0
  var batch = 0
  /// Of the epoch that is running.
  var sums = MetricSums()
  var times = StepTimes()
  var learningRate = 0.0
  var earlyStopping = EarlyStopping.State()
  var record = TrainingRecord()
  /// No epoch follows: all are done, or early stopping ended it.
  var isOver = false
}

/// Seconds of the parts of an epoch.
struct StepTimes: Hashable, Sendable, Codable {
  var data = 0.0, forward = 0.0, backward = 0.0, update = 0.0
  /// From the first batch to the last, checkpoints and what else is between the steps included.
  var whole = 0.0
}
