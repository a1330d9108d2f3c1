import FoundationEssentials
import Search
import Training

/// Where the values of an objective come from.
///
/// A job's objective is that of the model it leaves. The trainer keeps the epoch with the best validation accuracy, so of
/// its own figures the value in that epoch counts; of values found in its log the best.
public struct Objective: Sendable {
  enum Source: Sendable {
    /// A member of each line of `metrics.jsonl`.
    case figure(@Sendable (EpochRecord) -> Double?)
    /// The first group of a regular expression, in lines of the log.
    case pattern(String)
  }
  let source: Source
  let direction: Direction

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
    if let definition = request.metricDefinitions.first(where: { $0.name == request.metric }) {
      source = .pattern(definition.pattern)
      do { _ = try Regex(definition.pattern) } catch {
        throw TuningError(
          "MetricDefinitions: the Regex of '\(definition.name)' cannot be read: [\(definition.pattern)]")
      }
      guard definition.pattern.contains("(") else {
        throw TuningError(
          "MetricDefinitions: the Regex of '\(definition.name)' has no group, such as (\\S+), for the value")
      }
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
actor ObjectiveReader {
  private let objective: Objective
  private let report: @Sendable (JobProgress) async -> Verdict
  private var known: Int
  private var best: (accuracy: Double, value: Double)?
  private(set) var verdict = Verdict.goOn

  init(_ objective: Objective, known: Int, report: @escaping @Sendable (JobProgress) async -> Verdict) {
    (self.objective, self.known, self.report) = (objective, known, report)
  }

  /// - Returns: whether the job is to end.
  func take(_ line: String) async -> Verdict {
    guard let value = value(in: line) else { return verdict }
    if known > 0 {
      known -= 1
    } else if verdict == .goOn {
      verdict = await report(JobProgress(value, kept: best?.value))
    }
    return verdict
  }

  private func value(in line: String) -> Double? {
    switch objective.source {
    case .figure(let figure):
      let decoder = JSONDecoder()
      decoder.keyDecodingStrategy = .convertFromSnakeCase
      guard let epoch = try? decoder.decode(EpochRecord.self, from: Data(line.utf8)),
        let value = figure(epoch)
      else {
        return nil
      }
      if best.map({ epoch.validationAccuracy > $0.accuracy }) ?? true {
        best = (epoch.validationAccuracy, value)
      }
      return value
    case .pattern(let pattern):
      // Compiled for each line: it cannot be kept in what several threads use. Lines of an epoch are few.
      guard let regex = try? Regex(pattern), let match = try? regex.firstMatch(in: line.prefix(4096)),
        match.output.count > 1, let group = match.output[1].substring, let value = Double(String(group))
      else { return nil }
      if best.map({ objective.direction.isBetter(value, than: $0.value) || $0.value.isNaN }) ?? true {
        best = (0, value)
      }
      return value
    }
  }
}
