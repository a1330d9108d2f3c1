import Search

/// An event in a tuning.
public enum TuningEvent: Sendable {
  /// A job starts or resumes.
  case began(JobRecord, resumes: Bool)
  /// A job has reported the objective after another epoch.
  case progress(JobRecord)
  /// A job has ended; `isBest` says whether it is the best so far.
  case ended(JobRecord, isBest: Bool)
  /// No further job starts, for this reason.
  case ending(String)
  /// Something is wrong, but the tuning continues.
  case warning(String)
}

/// One run of a tuning, from its first job or from where an earlier run was interrupted.
///
/// The next step depends only on the request and the record: the same request and seed give the same jobs as long as the
/// jobs end in the same order.
public actor TuningRun {
  private let request: TuningRequest
  private let search: SharedSearch
  private let runner: any JobRunner
  private let keep: @Sendable (TuningRecord) throws -> Void
  private let tell: @Sendable (TuningEvent) -> Void
  private let now: @Sendable () -> Double
  /// The state of the tuning after the last event.
  public private(set) var record: TuningRecord
  /// Why no further job starts; nil while jobs may start.
  private var ending: String?
  private var begin = ContinuousClock.now
  /// The running time of earlier runs, in seconds.
  private var earlierSeconds = 0.0
  /// Why the last attempt to write the record failed; nil if it succeeded.
  private var unkept: (any Error)?
  /// The indices of the running jobs.
  private var running: Set<Int> = []

  private enum Happening: Sendable {
    case job(Int, JobOutcome)
    case timeUp
  }

  /// - Parameters:
  ///   - record: a new record, or that of an interrupted run; its request is `request`.
  ///   - runner: runs the jobs.
  ///   - keep: stores the record; called after every event. A failure causes a warning, and the next event tries again.
  ///   - tell: receives every event, in order; it must not block.
  ///   - now: returns the current time in seconds since 1970.
  /// - Throws: `SearchError` if Hyperband has no maximum resource.
  public init(
    _ request: TuningRequest, record: TuningRecord, runner: any JobRunner,
    keep: @escaping @Sendable (TuningRecord) throws -> Void, tell: @escaping @Sendable (TuningEvent) -> Void,
    now: @escaping @Sendable () -> Double
  ) throws {
    (self.request, self.record, self.runner) = (request, record, runner)
    (self.keep, self.tell, self.now) = (keep, tell, now)
    search = try SharedSearch(request)
  }

  /// Runs jobs until all are done, a limit or a completion criterion ends the tuning, or the task is cancelled. On
  /// cancellation, running jobs are stopped gracefully and stay in progress in the record, so that the next run resumes them.
  ///
  /// - Returns: the record after the last event.
  /// - Throws: the error of `keep` if the record could not be stored at the start or at the end.
  public func run() async throws -> TuningRecord {
    begin = .now
    earlierSeconds = record.runtimeSeconds
    if record.creationTime == 0 { record.creationTime = now() }
    record.status = .inProgress
    (record.endTime, record.failureReason, record.completionReason) = (nil, nil, nil)
    record.runtimeSeconds = runtime
    try keep(record)
    await withTaskGroup(of: Happening.self) { group in
      if let limit = request.maxRuntimeSeconds {
        let left = max(0, Double(limit) - earlierSeconds)
        group.addTask {
          try? await Task.sleep(for: .seconds(left))
          return .timeUp
        }
      }
      for index in record.jobs.indices where record.jobs[index].status == .inProgress {
        begin(index, resumes: true, &group)
      }
      checkCriteria()
      while true {
        beginJobs(&group)
        if running.isEmpty { break }
        guard let happening = await group.next() else { break }
        take(happening)
        if ending != nil { group.cancelAll() }
      }
      group.cancelAll()
    }
    finish()
    if let unkept { throw unkept }
    return record
  }

  private var runtime: Double { earlierSeconds + (ContinuousClock.now - begin) / .seconds(1) }

  private func beginJobs(_ group: inout TaskGroup<Happening>) {
    while ending == nil, !Task.isCancelled, running.count < request.parallelJobs {
      let (definition, step) = search.next(record, running: running)
      switch step {
      case .begin(let tuned, let resource):
        let number = record.jobs.count + 1
        var job = JobRecord(
          number: number, name: jobName(request.name, number: number, seed: request.plan.seed), tuned: tuned)
        job.creationTime = now()
        job.resource = resource
        if search.searches.count > 1 { job.definition = definition }
        record.jobs.append(job)
        begin(number - 1, resumes: false, &group)
      case .resume(let index, let resource):
        record.jobs[index].resource = resource
        begin(index, resumes: true, &group)
      case .nothing: return
      }
    }
  }

  private func begin(_ index: Int, resumes: Bool, _ group: inout TaskGroup<Happening>) {
    record.jobs[index].status = .inProgress
    record.jobs[index].endTime = nil
    if record.jobs[index].startTime == nil { record.jobs[index].startTime = now() }
    running.insert(index)
    save()
    let job = record.jobs[index]
    tell(.began(job, resumes: resumes))
    var values = request.definition(of: job).statics.merging(job.tuned) { $1 }
    if let resource = job.resource { values["epochs"] = "\(resource)" }
    let order = JobOrder(
      name: job.name, number: job.number, hyperparameters: values, resumes: resumes, known: job.curve.count,
      definition: job.definition ?? 0)
    let runner = runner
    group.addTask {
      do {
        return .job(index, try await runner.run(order) { await self.take($0, of: index) })
      } catch {
        // A cancelled job has not failed, whatever it throws.
        let isStopped = error is CancellationError || Task.isCancelled
        return .job(index, isStopped ? .stopped : .failed("\(error)"))
      }
    }
  }

  private func take(_ progress: JobProgress, of index: Int) -> Verdict {
    let best = record.jobs[index].objective.flatMap {
      request.plan.direction.isBetter($0, than: progress.value) ? $0 : nil
    }
    record.jobs[index].curve.append(progress.value)
    record.jobs[index].objective = progress.kept ?? best ?? progress.value
    let isBad = request.stopsEarly && search.isHopeless(index, in: record)
    if isBad { record.jobs[index].wasStoppedEarly = true }
    save()
    tell(.progress(record.jobs[index]))
    return isBad ? .stop : .goOn
  }

  private func take(_ happening: Happening) {
    guard case .job(let index, let outcome) = happening else {
      // The timer is also cancelled when the tuning ends for another reason.
      if ending == nil, !Task.isCancelled { end("MaxRuntimeInSeconds was reached") }
      return
    }
    running.remove(index)
    let isOurs = ending != nil || record.jobs[index].wasStoppedEarly
    switch outcome {
    // The job was interrupted with the tuning and stays in progress, to be resumed.
    case .stopped where Task.isCancelled && !isOurs: return save()
    case .stopped: record.jobs[index].status = .stopped
    case .completed:
      record.jobs[index].status = .completed
      record.jobs[index].wasStoppedEarly = false
      if record.jobs[index].resource != nil {
        record.jobs[index].rungs.append(record.jobs[index].score ?? .nan)
      }
    case .failed(let reason):
      record.jobs[index].status = .failed
      record.jobs[index].failureReason = String(reason.prefix(1024))
    }
    record.jobs[index].endTime = now()
    checkCriteria()
    save()
    let job = record.jobs[index]
    let isBest = record.best(request.plan.direction.isBetter)?.number == job.number
    tell(.ended(job, isBest: isBest))
  }

  private func checkCriteria() {
    guard ending == nil else { return }
    if let reason = search.reasonToEnd(record) {
      if reason.isConvergence { record.convergenceTime = now() }
      end(reason.sentence)
    }
  }

  private func end(_ reason: String) {
    ending = reason
    record.completionReason = reason
    tell(.ending(reason))
  }

  private func finish() {
    let isBrokenOff = Task.isCancelled && ending == nil
    let isOver = !record.jobs.contains { $0.status == .inProgress }
    if isBrokenOff, !isOver || search.hasMore(record) {
      record.status = .stopped
    } else if record.jobs.contains(where: { $0.score != nil }) {
      record.status = .completed
    } else {
      record.status = .failed
      record.failureReason = failureReason
    }
    record.endTime = now()
    save()
  }

  private var failureReason: String {
    guard let first = record.jobs.first else { return "No training job was started" }
    if let failed = record.jobs.first(where: { $0.status == .failed }) {
      return
        "All training jobs failed. The first one, \(failed.name): \(failed.failureReason ?? "no reason is known")"
    }
    return
      "No training job reported the objective metric \(request.metric); the first job is \(first.name)"
  }

  private func save() {
    record.runtimeSeconds = runtime
    do {
      try keep(record)
      unkept = nil
    } catch {
      if unkept == nil { tell(.warning("the state of the tuning could not be written: \(error)")) }
      unkept = error
    }
  }
}

/// Runs the jobs of a tuning: as child processes, on a server, or simulated in a test.
public protocol JobRunner: Sendable {
  /// Runs one job, or resumes it, to its end.
  ///
  /// - Parameter report: receives the objective after each epoch beyond the first `order.known`, one call at a time. If it
  ///   returns `.stop`, the job must be stopped gracefully.
  /// - Returns: how the job ended. If the task is cancelled, the job must be stopped gracefully; the outcome is `.stopped`,
  ///   or `.completed` if it was already done.
  /// - Throws: if the job could not be run; it then counts as failed.
  func run(_ order: JobOrder, report: @escaping @Sendable (JobProgress) async -> Verdict) async throws
    -> JobOutcome
}

/// A job to run.
public struct JobOrder: Hashable, Sendable {
  public let name: String
  /// Counted from 1 within the tuning.
  public let number: Int
  /// Static and tuned hyperparameters; with Hyperband, `epochs` is the total to train to.
  public let hyperparameters: [String: String]
  /// Whether the job has run before; it then resumes from its checkpoint, if it has one.
  public let resumes: Bool
  /// How many values of the objective are already known.
  public let known: Int
  /// The index in `TuningRequest.definitions` of the definition that the job belongs to.
  public let definition: Int

  public init(
    name: String, number: Int, hyperparameters: [String: String], resumes: Bool = false, known: Int = 0,
    definition: Int = 0
  ) {
    self.definition = definition
    (self.name, self.number, self.hyperparameters) = (name, number, hyperparameters)
    (self.resumes, self.known) = (resumes, known)
  }
}

/// Passes each job to the runner of its definition.
public struct DefinitionRunners: JobRunner {
  let runners: [any JobRunner]

  /// - Parameter runners: in the order of `TuningRequest.definitions`.
  public init(_ runners: [any JobRunner]) { self.runners = runners }

  public func run(
    _ order: JobOrder, report: @escaping @Sendable (JobProgress) async -> Verdict
  ) async throws -> JobOutcome {
    guard runners.indices.contains(order.definition) else { return .failed("its definition does not exist") }
    return try await runners[order.definition].run(order, report: report)
  }
}

/// The objective that a job reports after an epoch.
public struct JobProgress: Hashable, Sendable {
  /// The objective of this epoch.
  public let value: Double
  /// The objective of the model that the job would leave now; nil means the best value so far.
  public let kept: Double?

  public init(_ value: Double, kept: Double? = nil) { (self.value, self.kept) = (value, kept) }
}

/// Whether a job may go on.
public enum Verdict: Hashable, Sendable { case goOn, stop }

/// How a job ended.
public enum JobOutcome: Hashable, Sendable {
  case completed
  /// The job was asked to stop, or reached its time limit.
  case stopped
  /// The job failed, for this reason.
  case failed(String)
}
