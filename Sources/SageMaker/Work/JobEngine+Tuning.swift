import Encodings
import Files
import Foundation
import Hyperparameters
import Jobs
import Tuning

/// Tuning jobs: the search runs in this process, and each trial is an ordinary training job in the store.
extension JobEngine {
  func tune(_ work: Work) async throws {
    guard let job = try await store.find(work.kind, work.name), job.status == "InProgress" else { return }
    let request = try TuningRequest(job.request)
    let folder = try TuningFolder(self.folder(of: work), request, page: options.tuningPage)
    var record: TuningRecord
    if let known = try folder.record() {
      record = known
    } else {
      record = TuningRecord(request.json)
      record.warmStart = try request.loadParents(beside: folder.path)
    }
    let runner = DefinitionRunners(
      try zip(request.definitions, TuningRules.definitions(of: job.request)).map { request, definition in
        TuningTrainings(engine: self, tuning: job, definition: definition, objective: try Objective(request))
      })
    let run = try TuningRun(
      request, record: record, runner: runner, keep: { try folder.keep($0) }, tell: { _ in }, now: now)
    let last = try await stoppable(work) { try await run.run() }
    await finish(work, last)
  }

  private func finish(_ work: Work, _ record: TuningRecord) async {
    if isStopped(work) {
      await keepFigures(work, record)
      return await finish(work, "Stopped")
    }
    switch record.status {
    case .completed:
      await keepFigures(work, record)
      removeInputs(of: work)
      let time = now()
      _ = try? await store.record(work.kind, work.name) { job in
        guard job.status == "InProgress" else { return }
        job.status = "Completed"
        job.state["HyperParameterTuningEndTime"] = .number(time)
      }
    case .failed:
      await keepFigures(work, record)
      await finish(work, "Failed", reason: record.failureReason ?? "All training jobs failed.")
    // The service is shutting down; the next start resumes the search.
    case .stopped, .inProgress: break
    }
  }

  /// Records the consumed training time and the time of convergence.
  private func keepFigures(_ work: Work, _ record: TuningRecord) async {
    let seconds = record.jobs.reduce(0.0) { sum, job in
      sum + max(0, (job.endTime ?? 0) - (job.startTime ?? job.endTime ?? 0))
    }
    _ = try? await store.record(work.kind, work.name) { job in
      job.state["ConsumedResources"] = ["RuntimeInSeconds": .integer(Int(exactly: seconds.rounded()) ?? 0)]
      if let time = record.convergenceTime {
        job.state["TuningJobCompletionDetails"] = ["ConvergenceDetectedTime": .number(time)]
      }
    }
  }
}

/// Runs the trials of one training job definition as training jobs in the store.
private struct TuningTrainings: JobRunner {
  let engine: JobEngine
  let tuning: Resource
  let definition: JSON
  let objective: Objective

  func run(
    _ order: JobOrder, report: @escaping @Sendable (JobProgress) async -> Verdict
  ) async throws -> JobOutcome {
    let work = JobEngine.Work(.trainingJob, order.name)
    try await prepare(order)
    let container = join(engine.folder(of: work), "opt-ml")
    let data = join(container, "output/data")
    try makeFolder(data)
    let watched = objective.isOfLog ? join(engine.folder(of: work), "log") : join(data, "metrics.jsonl")
    let value = Latest()
    let reader = ObjectiveReader(objective, known: order.known) { progress in
      await value.set(progress.kept ?? progress.value)
      return await report(progress)
    }
    let engine = engine
    try await engine.followed(watched, reader, work)
    let reached = await value.value
    // An unstructured task, so that the store can be used after this task is cancelled: a job that a shutdown interrupts has
    // not failed, and the next start runs it again.
    let ended = try await Task {
      if let reached { try await keep(reached, of: order.name) }
      return try await engine.store.find(.trainingJob, order.name)
    }.value
    guard let job = ended else { return .failed("the training job was deleted") }
    switch job.status {
    case "Completed": return .completed
    case "Failed": return .failed(job.state["FailureReason"]?.text ?? "")
    default: return .stopped
    }
  }

  /// Records the objective, and gives the objective metric in FinalMetricDataList the same value.
  private func keep(_ reached: Double, of name: String) async throws {
    let (metric, time) = (metric, engine.now())
    try await engine.store.record(.trainingJob, name) { job in
      job.objective = reached
      guard reached.isFinite, let list = job.state["FinalMetricDataList"]?.list else { return }
      job.state["FinalMetricDataList"] = .list(
        TrainingMetrics.setting(metric, to: reached, in: list, at: time))
    }
  }

  private var metric: String {
    let objective = TuningRules.objective(of: tuning.request, definition: definition["DefinitionName"]?.text)
    return objective?["MetricName"]?.text ?? ""
  }

  private actor Latest {
    private(set) var value: Double?

    func set(_ new: Double) { value = new }
  }

  /// Creates the training job, or sets one that has run before to InProgress again.
  private func prepare(_ order: JobOrder) async throws {
    // SageMaker's tuning jobs have this hyperparameter; it makes the trainer take the number of classes from the data.
    let own = [HyperparameterSet.tuningMark: metric]
    let hyperparameters = JSON.object(order.hyperparameters.merging(own) { $1 }.mapValues { .string($0) })
    let time = engine.now()
    let former = try await engine.store.record(.trainingJob, order.name) { job in
      job.request["HyperParameters"] = hyperparameters
      guard job.status != "InProgress" else { return }
      job.status = "InProgress"
      for name in ["FailureReason", "TrainingEndTime"] { job.state[name] = nil }
      job.enter("Starting", "Starting the training job", at: time)
    }
    guard former == nil else { return }
    // A deleted job of the same name may have left files.
    engine.removeFolder(of: .init(.trainingJob, order.name))
    let caller = Caller(
      region: tuning.state["caller"]?["region"]?.text ?? "",
      account: tuning.state["caller"]?["account"]?.text ?? "")
    let arn = caller.arn(.trainingJob, order.name)
    var job = Resource(
      name: order.name, arn: arn, created: time, status: "InProgress", parent: tuning.name,
      request: request(order.name, hyperparameters))
    job.state["TuningJobArn"] = .string(tuning.arn)
    job.state["definition"] = definition["DefinitionName"]
    let statics = (definition["StaticHyperParameters"] ?? [:]).texts
    job.state["tuned"] = .object(
      order.hyperparameters.filter { statics[$0.key] == nil }.mapValues { .string($0) })
    job.enter("Starting", "Starting the training job", at: time)
    let made = job
    try await engine.store.patiently { () throws(ControlPlaneError) in
      try await engine.store.insert(.trainingJob, made, taken: ResourceKind.trainingJob.taken(arn))
    }
  }

  /// The CreateTrainingJob request for a trial.
  private func request(_ name: String, _ hyperparameters: JSON) -> JSON {
    var request = definition.without(
      "DefinitionName", "TuningObjective", "HyperParameterRanges", "StaticHyperParameters",
      "HyperParameterTuningResourceConfig")
    request["TrainingJobName"] = .string(name)
    request["HyperParameters"] = hyperparameters
    if request["ResourceConfig"] == nil {
      request["ResourceConfig"] = definition["HyperParameterTuningResourceConfig"]?
        .without("AllocationStrategy", "InstanceConfigs")
    }
    if let uri = definition["CheckpointConfig"]?["S3Uri"]?.text {
      // Each training job has its own checkpoints.
      request["CheckpointConfig"]?["S3Uri"] = .string("\(uri)\(uri.hasSuffix("/") ? "" : "/")\(name)")
    }
    return request
  }
}

extension JobEngine {
  /// Runs a training job to its end, while the reader takes the lines that it writes. Cancellation of the task and the
  /// reader's `.stop` both stop the job gracefully.
  fileprivate func followed(_ path: String, _ reader: ObjectiveReader, _ work: Work) async throws {
    try await followLines(
      of: path,
      take: { line in
        if await reader.take(line) == .stop { _ = try? await self.askToStop(work) }
      },
      during: {
        // An unstructured task, which is not cancelled with this one: the end of the job must be recorded.
        let job = Task { await self.perform(work) }
        await withTaskCancellationHandler {
          await job.value
        } onCancel: {
          Task { _ = try? await self.askToStop(work) }
        }
      })
  }
}
