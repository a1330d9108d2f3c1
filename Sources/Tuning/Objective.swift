import Hyperparameters
import Jobs
import Search

/// Where the values of an objective come from.
///
/// A job's objective is that of the model it leaves (`EpochRecord.isKept`), so of the trainer's own figures the value in
/// that epoch counts; of values found in its log the best.
public struct Objective: Sendable {
  enum Source: Sendable {
    /// A member of each line of `metrics.jsonl`.
    case figure(@Sendable (EpochRecord) -> Double?)
    /// The first group of a regular expression, in lines of the log.
    case pattern(LinePattern)
  }
  let source: Source
  let direction: Direction
  /// As StaticHyperParameters has it.
  let checkpointFrequency: Int?

  /// Whether its values stand in the job's log; else in its `metrics.jsonl`.
  package var isOfLog: Bool { if case .pattern = source { true } else { false } }

  /// The trainer's own figures, by name.
  static let figures: [(name: String, value: @Sendable (EpochRecord) -> Double?)] = [
    ("validation:accuracy", { $0.validationAccuracy }), ("train:accuracy", { $0.trainAccuracy }),
    ("validation:loss", { $0.validationLoss }), ("train:loss", { $0.trainLoss }),
    ("validation:cross_entropy", { $0.validationLoss }), ("train:cross_entropy", { $0.trainLoss }),
    ("validation:top_k_accuracy", { $0.validationTopAccuracy }),
    ("train:top_k_accuracy", { $0.trainTopAccuracy }),
  ]

  /// - Throws: a name that nothing has; a pattern that is none, or has no group.
  public init(_ request: TuningRequest) throws(TuningError) {
    direction = request.plan.direction
    checkpointFrequency = request.statics["checkpoint_frequency"].flatMap { Int($0) }
    if let definition = request.metricDefinitions.first(where: { $0.name == request.metric }) {
      source = .pattern(try definition.read())
      return
    }
    // As in the console: "validation:accuracy:epoch".
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

/// Reads a job's lines, and says what of the objective is new.
package actor ObjectiveReader {
  private let objective: Objective
  private let report: @Sendable (JobProgress) async -> Verdict
  private var known: Int
  /// Of the model that the job would leave now.
  private var kept: Double?
  private(set) var verdict = Verdict.goOn

  package init(_ objective: Objective, known: Int, report: @escaping @Sendable (JobProgress) async -> Verdict)
  {
    (self.objective, self.known, self.report) = (objective, known, report)
  }

  /// - Returns: whether the job is to end.
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
