import Hyperparameters
import Jobs
import Search

/// The source of an objective metric's values.
///
/// A job's objective is that of the model it saves. For the trainer's own metrics, it is the value of the epoch whose model is
/// kept (`EpochRecord.isKept`); for values found in the log, it is the best one.
public struct Objective: Sendable {
  enum Source: Sendable {
    /// A value in each line of `metrics.jsonl`.
    case figure(@Sendable (EpochRecord) -> Double?)
    /// The first group of a regular expression that lines of the log match.
    case pattern(LinePattern)
  }
  let source: Source
  let direction: Direction
  /// checkpoint_frequency in StaticHyperParameters, in epochs; nil if it is not set.
  let checkpointFrequency: Int?

  /// Whether the values are read from the job's log; otherwise from its `metrics.jsonl`.
  package var isOfLog: Bool { if case .pattern = source { true } else { false } }

  /// The trainer's own metrics, by name.
  static let figures: [(name: String, value: @Sendable (EpochRecord) -> Double?)] = [
    ("validation:accuracy", { $0.validationAccuracy }), ("train:accuracy", { $0.trainAccuracy }),
    ("validation:loss", { $0.validationLoss }), ("train:loss", { $0.trainLoss }),
    ("validation:cross_entropy", { $0.validationLoss }), ("train:cross_entropy", { $0.trainLoss }),
    ("validation:top_k_accuracy", { $0.validationTopAccuracy }),
    ("train:top_k_accuracy", { $0.trainTopAccuracy }),
  ]

  /// - Throws: `TuningError` if no metric has this name, or if its regular expression is malformed or has no group.
  public init(_ request: TuningRequest) throws(TuningError) {
    direction = request.plan.direction
    checkpointFrequency = request.statics["checkpoint_frequency"].flatMap { Int($0) }
    if let definition = request.metricDefinitions.first(where: { $0.name == request.metric }) {
      source = .pattern(try definition.read())
      return
    }
    // SageMaker's console offers names such as "validation:accuracy:epoch".
    let name =
      request.metric.hasSuffix(":epoch") ? String(request.metric.dropLast(":epoch".count)) : request.metric
    guard let figure = Self.figures.first(where: { $0.name == name }) else {
      throw TuningError(
        "The objective metric '\(request.metric)' is not known; it is one of "
          + Self.figures.map(\.name).joined(separator: ", ")
          + ", or one that MetricDefinitions has a Regex for")
    }
    source = .figure(figure.value)
  }
}

/// Finds the objective's values in a job's lines and reports each new one.
package actor ObjectiveReader {
  private let objective: Objective
  private let report: @Sendable (JobProgress) async -> Verdict
  /// The number of values that were reported before a restart, and that are still to be skipped.
  private var known: Int
  /// The objective of the model that the job would save if it ended now.
  private var kept: Double?
  private(set) var verdict = Verdict.goOn

  package init(_ objective: Objective, known: Int, report: @escaping @Sendable (JobProgress) async -> Verdict)
  {
    (self.objective, self.known, self.report) = (objective, known, report)
  }

  /// - Returns: whether the job must stop.
  package func take(_ line: String) async -> Verdict {
    guard let value = value(in: line) else { return verdict }
    if known > 0 {
      known -= 1
    } else if verdict == .goOn {
      verdict = await report(JobProgress(value, kept: kept))
    }
    return verdict
  }

  private func value(in line: String) -> Double? {
    switch objective.source {
    case .figure(let figure):
      guard let epoch = EpochRecord(line: line.utf8), let value = figure(epoch) else { return nil }
      if epoch.isKept(checkpointFrequency: objective.checkpointFrequency) { kept = value }
      return value
    case .pattern(let pattern):
      guard let value = pattern.number(in: line) else { return nil }
      if kept.map({ objective.direction.isBetter(value, than: $0) || $0.isNaN }) ?? true { kept = value }
      return value
    }
  }
}
