import Search

/// What happens in a tuning.
public enum TuningEvent: Sendable {
  /// A job begins, or goes on.
  case began(JobRecord, resumes: Bool)
  /// A job has one more value of the objective.
  case progress(JobRecord)
  case ended(JobRecord, isBest: Bool)
  /// No further job begins; why.
  case ending(String)
  case warning(String)
}

/// One run of a tuning, from its first job or from where a former run was broken off.
///
/// What is next depends on the request and the record alone: the same request and seed give the same jobs as long as they
/// end in the same order.
public actor TuningRun {
  private let request: TuningRequest
  private let search: SharedSearch
  private let runner: any JobRunner
  private let keep: @Sendable (TuningRecord) throws -> Void
  private let tell: @Sendable (TuningEvent) -> Void
  private let now: @Sendable () -> Double
  public private(set) var record: TuningRecord
  /// Why no further job begins.
  private var ending: String?
  private var begin = ContinuousClock.now
  private var earlierSeconds = 0.0
  private var unkept: (any Error)?
  /// Jobs that run now.
  private var running: Set<Int> = []

  private enum Happening: Sendable {
    case job(Int, JobOutcome)
    case timeUp
  }

  /// - Parameters:
  ///   - record: a new one, or one that was broken off; its request is `request`.
  ///   - keep: writes the record down, after every event. Where that fails it is told, and tried again at the next.
  ///   - tell: gets every event, in order; it must not wait.
  ///   - now: seconds since 1970.
  /// - Throws: `SearchError` where Hyperband has no resource.
  public init(
    _ request: TuningRequest, record: TuningRecord, runner: any JobRunner,
    keep: @escaping @Sendable (TuningRecord) throws -> Void, tell: @escaping @Sendable (TuningEvent) -> Void,
    now: @escaping @Sendable () -> Double
  ) throws {
    (self.request, self.record, self.runner) = (request, record, runner)
    (self.keep, self.tell, self.now) = (keep, tell, now)
    search = try SharedSearch(request)
  }

  /// Trains jobs until all are done, something ends the tuning, or the task is cancelled: then the jobs that run are
  /// stopped in order, and their records are those of jobs in progress, to go on with.
  ///
  /// - Throws: where the record can be written neither at the start nor at the end.
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
        // Whatever it is that a cancelled job throws: it has not failed by itself.
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
      // Ended by its own end, or by that of the whole.
      if ending == nil, !Task.isCancelled { end("MaxRuntimeInSeconds is over") }
      return
    }
    running.remove(index)
    let isOurs = ending != nil || record.jobs[index].wasStoppedEarly
    switch outcome {
    // Broken off with the whole: it goes on with it.
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
    guard let first = record.jobs.first else { return "No training job was begun" }
    if let failed = record.jobs.first(where: { $0.status == .failed }) {
      return
        "All training jobs failed. The first one, \(failed.name): \(failed.failureReason ?? "no reason is known")"
    }
    return
      "No training job has a value of the objective metric \(request.metric); the first one is \(first.name)"
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
