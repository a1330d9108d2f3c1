import Encodings
import Files
import Foundation
import Glibc
import HTTP
import Hyperparameters
import Jobs
import S3
import Synchronization
import Tuning

/// Runs the jobs that the store holds, and brings endpoints into service.
///
/// Training and transform jobs share one job queue. Stopping a job cancels its current phase. When the service shuts
/// down, it ends its child processes; interrupted jobs stay InProgress in the store, and the next start resumes or fails
/// them.
final class JobEngine: Sendable {
  struct Work: Hashable, Sendable {
    let kind: ResourceKind
    let name: String

    init(_ kind: ResourceKind, _ name: String) {
      self.kind = kind
      self.name = name
    }
  }
  /// The job was stopped by `askToStop`.
  struct Stopped: Error {}

  private struct Running {
    var isStopped = false
    /// Cancels the current phase; nil outside a stoppable phase.
    var end: (@Sendable () -> Void)?
  }

  let store: Store
  let objects: any ObjectSource
  let endpoints: any EndpointHost
  let options: ControlPlaneOptions
  let now: @Sendable () -> Double
  let queue: JobQueue
  /// Serializes the downloads that the jobs of a tuning job share, so that each object is downloaded once.
  let downloads: JobQueue
  /// The threads that write archives and read logs.
  let disk = OwnThreads(4)
  private let running = Mutex<[Work: Running]>([:])
  /// The names of the endpoints that the host has been asked to start.
  let begun = Mutex<Set<String>>([])
  /// Bounded by the quotas on jobs and endpoints.
  private let submissions: AsyncStream<Work>
  private let submit: AsyncStream<Work>.Continuation

  init(
    store: Store, objects: any ObjectSource, endpoints: any EndpointHost, options: ControlPlaneOptions,
    now: @escaping @Sendable () -> Double
  ) {
    (self.store, self.objects, self.endpoints, self.options, self.now) = (
      store, objects, endpoints, options, now
    )
    let quotas = options.quotas
    queue = JobQueue(
      width: max(1, options.runningJobs),
      limit: quotas.trainingJobsInProgress + quotas.transformJobsInProgress + options.runningJobs)
    downloads = JobQueue(width: 1, limit: max(1, options.runningJobs))
    (submissions, submit) = AsyncStream.makeStream()
  }

  func submit(_ work: Work) { submit.yield(work) }

  /// Submits a new job, with an empty folder: a deleted job of the same name may have left files.
  func submit(new work: Work) {
    removeFolder(of: work)
    submit(work)
  }

  /// Resumes the previous run's jobs, then runs submitted ones until the task is cancelled.
  func run() async throws {
    for work in try await recover() { submit(work) }
    await withDiscardingTaskGroup { group in
      for await work in submissions {
        group.addTask { await self.perform(work) }
      }
      group.cancelAll()
    }
  }

  /// Runs a job to its end, or reconciles an endpoint. Does nothing for a job that is already running.
  func perform(_ work: Work) async {
    if work.kind == .endpoint { return await bringAbout(endpoint: work.name) }
    guard begin(work) else { return }
    switch work.kind {
    case .trainingJob:
      await run(work) { [self] in try await inTurn(work) { [self] in try await train(work) } }
    case .transformJob:
      await run(work) { [self] in try await inTurn(work) { [self] in try await transform(work) } }
    case .tuningJob: await run(work) { [self] in try await tune(work) }
    case .model, .endpoint, .endpointConfig: break
    }
    end(work)
  }

  /// Runs the body, and records the job as stopped or failed if the body throws.
  private func run(_ work: Work, _ body: @Sendable () async throws -> Void) async {
    do {
      try await body()
    } catch is Stopped {
      await finish(work, "Stopped")
    } catch is CancellationError {
      // The service is shutting down; the next start resumes or restarts the job.
    } catch let error as ControlPlaneError where error.code == .unavailable && Task.isCancelled {
      // Also a shutdown: the store rejects writes from a cancelled task.
    } catch {
      await finish(work, "Failed", reason: failureReason(error))
    }
  }

  /// Marks a job as running; false if it already is.
  private func begin(_ work: Work) -> Bool {
    running.withLock { running in
      guard running[work] == nil else { return false }
      running[work] = Running()
      return true
    }
  }

  private func end(_ work: Work) {
    running.withLock { _ = $0.removeValue(forKey: work) }
  }

  func isStopped(_ work: Work) -> Bool { running.withLock { $0[work]?.isStopped ?? false } }

  /// Sets a job's status to Stopping and stops it.
  ///
  /// - Parameter check: throws if the job must not be stopped.
  /// - Returns: the job; nil if there is none.
  @discardableResult
  func askToStop(
    _ work: Work, check: @escaping @Sendable (Resource) throws -> Void = { _ in }
  ) async throws(ControlPlaneError) -> Resource? {
    let time = now()
    let job = try await store.update(work.kind, work.name) { job in
      try check(job)
      guard job.status == "InProgress" else { return }
      job.status = "Stopping"
      if work.kind == .trainingJob { job.enter("Stopping", "Stopping the training job", at: time) }
    }
    if job?.status == "Stopping" { await stop(work) }
    return job
  }

  /// Stops a job whose status is Stopping. A job that is not running is Stopped at once.
  private func stop(_ work: Work) async {
    let (isRunning, end) = running.withLock { running -> (Bool, (@Sendable () -> Void)?) in
      guard running[work] != nil else { return (false, nil) }
      running[work]?.isStopped = true
      return (true, running[work]?.end)
    }
    if isRunning { end?() } else { await finish(work, "Stopped") }
  }

  /// Runs a phase of a job that `askToStop` can cancel.
  ///
  /// - Throws: `Stopped` if the job was stopped; otherwise what the body throws.
  func stoppable<Result: Sendable>(
    _ work: Work, _ body: @escaping @Sendable () async throws -> Result
  ) async throws -> Result {
    let part = Task { try await body() }
    let isStopped = running.withLock { running in
      running[work]?.end = { part.cancel() }
      return running[work]?.isStopped ?? false
    }
    if isStopped { part.cancel() }
    defer { running.withLock { $0[work]?.end = nil } }
    do {
      return try await withTaskCancellationHandler {
        try await part.value
      } onCancel: {
        part.cancel()
      }
    } catch {
      if self.isStopped(work) { throw Stopped() }
      throw error
    }
  }

  /// Waits in the job queue, then runs the body. `askToStop` cancels the wait; once the body runs, it cancels only the
  /// phases that the body has made `stoppable`.
  func inTurn(_ work: Work, _ body: @escaping @Sendable () async throws -> Void) async throws {
    try await stoppable(work) { [self] in
      try await queue.run("\(work.kind.arnName)/\(work.name)") { [self] in
        let isStopped = running.withLock { running in
          running[work]?.end = nil
          return running[work]?.isStopped ?? false
        }
        if isStopped { throw Stopped() }
        try await body()
      }
    }
  }

  // MARK: Folders

  /// The folder of a job's files.
  func folder(of work: Work) -> String {
    let folder =
      switch work.kind {
      case .trainingJob: "jobs"
      case .transformJob: "transforms"
      default: "tunings"
      }
    return join(join(options.root, folder), work.name)
  }

  /// The folder of the channels that the jobs of a tuning job share.
  func sharedData(ofTuning name: String) -> String { join(folder(of: Work(.tuningJob, name)), "data") }

  /// Deletes the inputs that an ended job downloaded.
  func removeInputs(of work: Work) {
    let folder = folder(of: work)
    let paths: [String] =
      switch work.kind {
      case .trainingJob: [join(folder, "opt-ml/input/data")]
      case .transformJob: ["input", "input~packed", "model", "model.tar.gz"].map { join(folder, $0) }
      case .tuningJob: [sharedData(ofTuning: work.name)]
      case .model, .endpoint, .endpointConfig: []
      }
    for path in paths { try? FileManager.default.removeItem(atPath: path) }
  }

  func removeFolder(of work: Work) {
    try? FileManager.default.removeItem(atPath: folder(of: work))
  }

  /// The environment of a job's process; `more` overrides the service's own variables.
  func environment(_ more: [String: String]) -> [String: String] { options.environment.merging(more) { $1 } }
}

/// Recovery: what a start of the service does with the jobs and endpoints of the previous run.
extension JobEngine {
  /// How often a job is restarted after the service ended while it ran. A job that crashes the service must not do so
  /// forever.
  private static let mostRestarts = 3

  /// Finishes the jobs of the previous run that cannot go on.
  ///
  /// - Returns: the jobs and endpoints to work on.
  func recover() async throws(ControlPlaneError) -> [Work] {
    var work: [Work] = []
    for kind in [ResourceKind.tuningJob, .trainingJob, .transformJob] {
      for name in try await store.names(kind, statuses: ["InProgress"]) {
        let one = Work(kind, name)
        if kind == .trainingJob { try await countBrokenOff(one) }
        if try await mayGoOn(one) { work.append(one) }
      }
      for name in try await store.names(kind, statuses: ["Stopping"]) {
        await finish(Work(kind, name), "Stopped")
      }
    }
    for name in try await store.names(.endpoint, statuses: ["Creating", "Updating", "InService", "Deleting"])
    {
      work.append(Work(.endpoint, name))
    }
    return work
  }

  /// Whether the engine should run an interrupted job again. A job that cannot go on is recorded as stopped or failed.
  private func mayGoOn(_ work: Work) async throws(ControlPlaneError) -> Bool {
    guard let job = try await store.find(work.kind, work.name) else { return false }
    if work.kind == .trainingJob, let parent = job.parent {
      // A tuning job in progress runs its training jobs again itself; otherwise they stop with it.
      if try await !isInProgress(tuningJob: parent) { await finish(work, "Stopped") }
      return false
    }
    // A tuning job resumes from its own record.
    guard work.kind != .tuningJob else { return true }
    guard job.state["isBegun"]?.isTrue ?? false else {
      // A deleted job of the same name may have left files.
      removeFolder(of: work)
      return true
    }
    let restarts = (job.state["restarts"]?.integer ?? 0) + 1
    let hasCheckpoint = work.kind != .trainingJob || hasCheckpoint(work)
    guard restarts <= Self.mostRestarts, hasCheckpoint else {
      let reason =
        hasCheckpoint
        ? "InternalServerError: the service ended \(restarts) times while the job ran."
        : "InternalServerError: the service ended while the job ran, and the job had no checkpoint to resume from yet. "
          + "Create it again under another name."
      await finish(work, "Failed", reason: reason)
      return false
    }
    try await store.record(work.kind, work.name) { $0.state["restarts"] = .integer(restarts) }
    return true
  }

  /// Adds the duration of an interrupted training, up to the last write to its files, to the job's training time.
  private func countBrokenOff(_ work: Work) async throws(ControlPlaneError) {
    let folder = folder(of: work)
    let results = join(folder, "opt-ml/output/data")
    let signs =
      [join(folder, "log")] + Self.files(in: results) + Self.files(in: join(folder, "opt-ml/checkpoints"))
    let last = signs.compactMap { FileStamp(path: $0)?.modifiedNanoseconds }.max().map { Double($0) / 1e9 }
    let time = now()
    try await store.record(work.kind, work.name) { job in
      guard let since = job.state["trainingSince"]?.number else { return }
      job.countTraining(min(last ?? since, time) - since)
    }
  }

  private func isInProgress(tuningJob name: String) async throws(ControlPlaneError) -> Bool {
    try await store.find(.tuningJob, name)?.status == "InProgress"
  }

  private func hasCheckpoint(_ work: Work) -> Bool {
    !Self.files(in: join(folder(of: work), "opt-ml/checkpoints")).isEmpty
  }

  // MARK: Final states

  /// Records a job's final status, and deletes its inputs.
  ///
  /// - Parameters:
  ///   - status: Stopped or Failed.
  ///   - reason: the FailureReason, truncated to 1,024 characters as in SageMaker.
  func finish(_ work: Work, _ status: String, reason: String? = nil) async {
    removeInputs(of: work)
    let time = now()
    _ = try? await store.record(work.kind, work.name) { job in
      guard job.isInWork else { return }
      if let reason { job.state["FailureReason"] = .string(String(reason.prefix(1024))) }
      job.state["\(work.kind.activity)EndTime"] = .number(time)
      if work.kind == .trainingJob {
        job.finish(status, secondary: status, "Training job \(status.lowercased())", at: time)
      } else {
        job.status = status
      }
    }
  }
}

/// Whether an error says that an object or a bucket does not exist.
func saysMissing(_ error: any Error) -> Bool {
  guard let error = error as? ObjectError else { return false }
  return error.code == .noSuchKey || error.code == .noSuchBucket
}

/// Whether an error is the fault of the job's request, not of the service: a place that does not exist or may not be used, or
/// a key that cannot be a file's name.
func isOfCaller(_ error: any Error) -> Bool {
  switch error {
  case is Channels.Fault, is TuningError, is TrainingError: return true
  case let error as ControlPlaneError: return error.code == .validation
  case let error as ObjectError:
    switch error.code {
    case .internalError, .insufficientStorage, .slowDown, .notImplemented: return false
    default: return true
    }
  case let error as FileError:
    // One key is a folder in another key's path, or a name is too long for the file system.
    guard case .system(_, let code) = error.reason else { return false }
    return [ENAMETOOLONG, ENOTDIR, EISDIR, EEXIST].contains(code)
  default: return false
  }
}

/// A failed job's FailureReason: whose fault it is, and the message.
func failureReason(_ error: any Error, _ words: String = "") -> String {
  let sentence = (error as? ControlPlaneError)?.message ?? "\(error)"
  return (isOfCaller(error) ? "ClientError: " : "InternalServerError: ") + words + sentence
}
