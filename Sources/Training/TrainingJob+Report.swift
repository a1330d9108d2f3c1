import Hyperparameters
import Models
import Reporting

extension TrainingJob {
  /// The figures of the training so far, for `training.html`.
  func report(_ record: TrainingRecord) -> TrainingReport {
    var report = TrainingReport()
    report.epochs = record.epochs
    report.bestEpoch = record.best?.epoch
    report.epochCount = hyperparameters.epochs
    report.topK = topK
    report.isMultiLabel = hyperparameters.multiLabel
    report.hasStoppedEarly = record.hasStoppedEarly
    report.hyperparameters = hyperparameters.changes
    report.details =
      [
        ("Training images", "\(request.train.path) (\(train.count))"),
        ("Validation images", "\(request.validation.path) (\(validation.count))"),
        (
          "Network",
          "ResNet-\(network.depth), \(graph.parameters.reduce(0) { $0 + $1.shape.reduce(1, *) }) parameters"
        ),
        ("Threads", "\(request.threads)"),
      ] + (ranks.count > 1 ? [("Ranks", "\(ranks.count)")] : [])
      + (request.pretrained.map { [("Started from", $0)] } ?? []) + request.details
    return report
  }
}
