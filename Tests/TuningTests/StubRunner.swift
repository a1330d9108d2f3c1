import Search
import Synchronization
import Tuning

/// Trains nothing: the objective of an epoch is a function of the hyperparameters.
struct StubRunner: JobRunner {
  /// What became of a job beyond its curve.
  enum Fate {
    case done
    case fails(String)
    case hangs
  }
  var epochs = 4
  /// By hyperparameters and epoch, from 1.
  var value: @Sendable (JobOrder, Int) -> Double = { order, epoch in
    let x = Double(order.hyperparameters["learning_rate"] ?? "") ?? 0
    return 1 - (x - 0.3) * (x - 0.3) - 0.5 / Double(epoch)
  }
  var fate: @Sendable (JobOrder) -> Fate = { _ in .done }
  let log = Log()

  /// The orders that came, and how many ran at once.
  final class Log: Sendable {
    let orders = Mutex<[JobOrder]>([])
    let running = Mutex<(now: Int, most: Int)>((0, 0))
  }

  func run(_ order: JobOrder, report: @escaping @Sendable (JobProgress) async -> Verdict) async throws
    -> JobOutcome
  {
    log.orders.withLock { $0.append(order) }
    log.running.withLock { $0 = ($0.now + 1, max($0.most, $0.now + 1)) }
    defer { log.running.withLock { $0.now -= 1 } }
    let last = order.hyperparameters["epochs"].flatMap { Int($0) } ?? epochs
    if order.known < last {
      for epoch in (order.known + 1)...last {
        if Task.isCancelled { return .stopped }
        if await report(JobProgress(value(order, epoch))) == .stop { return .stopped }
        // The others have a turn.
        await Task.yield()
      }
    }
    switch fate(order) {
    case .done: return .completed
    case .fails(let reason): return .failed(reason)
    case .hangs:
      try? await Task.sleep(for: .seconds(600))
      return .stopped
    }
  }
}

/// A request, in which some members are replaced.
func request(
  _ strategy: String = "Random", jobs: Int? = 6, parallel: Int = 1, config: String = "",
  ranges: String =
    #""ContinuousParameterRanges": [{"Name": "learning_rate", "MinValue": "0.01", "MaxValue": "1"}]"#,
  statics: String = #""num_layers": "20", "image_shape": "3,28,28""#, metric: String = "validation:accuracy",
  type: String = "Maximize", name: String = "unit", definition: String = "", more: String = "",
  limits: String = ""
) throws -> TuningRequest {
  let limit = limits + (jobs.map { "\"MaxNumberOfTrainingJobs\": \($0), " } ?? "")
  return try TuningRequest(
    json: Array(
      """
      {"HyperParameterTuningJobName": "\(name)", "HyperParameterTuningJobConfig": {"Strategy": "\(strategy)",
      "HyperParameterTuningJobObjective": {"Type": "\(type)", "MetricName": "\(metric)"},
      "ResourceLimits": {\(limit)"MaxParallelTrainingJobs": \(parallel)},
      "ParameterRanges": {\(ranges)}\(config.isEmpty ? "" : ", " + config)},
      "TrainingJobDefinition": {"StaticHyperParameters": {\(statics)}\(definition.isEmpty ? "" : ", " + definition)}
      \(more.isEmpty ? "" : ", " + more)}
      """.utf8))
}

/// Runs a request with a stub to its end.
func tuned(
  _ request: TuningRequest, _ runner: StubRunner = StubRunner(), from record: TuningRecord? = nil,
  keep: @escaping @Sendable (TuningRecord) throws -> Void = { _ in },
  tell: @escaping @Sendable (TuningEvent) -> Void = { _ in }
) async throws -> TuningRecord {
  let clock = Clock()
  return try await TuningRun(
    request, record: record ?? TuningRecord(request.json), runner: runner, keep: keep, tell: tell,
    now: { clock.next() }
  ).run()
}

/// One second more each time that it is looked at.
private final class Clock: Sendable {
  private let seconds = Mutex(1_000_000.0)
  func next() -> Double {
    seconds.withLock {
      $0 += 1
      return $0
    }
  }
}
