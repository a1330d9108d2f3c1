import Files
import Foundation
import HTTP
import Jobs
import S3
import Synchronization

/// Turns what the store holds into work: jobs are run, endpoints brought into service.
///
/// A job waits for its turn in one queue; whoever stops it ends the part it is in. When the service ends, its children
/// end too, and what was in work stays InProgress in the store, for the next start to go on with or to fail.
final class JobEngine: Sendable {
  struct Work: Hashable, Sendable {
    let kind: ResourceKind
    let name: String

    init(_ kind: ResourceKind, _ name: String) {
      self.kind = kind
      self.name = name
    }
  }
  /// The job was stopped by `stop`.
  struct Stopped: Error {}

  private struct Running {
    var isStopped = false
    /// Ends the part it is in.
    var end: (@Sendable () -> Void)?
  }

  let store: Store
  let objects: any ObjectSource
  let endpoints: any EndpointHost
  let options: ControlPlaneOptions
  let now: @Sendable () -> Double
  let queue: JobQueue
  /// What the jobs of a tuning share comes down once: the others wait for it.
  let downloads: JobQueue
  /// For archives and logs.
  let disk = OwnThreads(4)
  private let running = Mutex<[Work: Running]>([:])
  /// Endpoints that the host has been told of.
  let begun = Mutex<Set<String>>([])
  /// Bounded by the quotas of jobs and endpoints.
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

  /// Begins in an empty folder, whatever a deleted one of the same name may have left.
  func submit(new work: Work) {
    removeFolder(of: work)
    submit(work)
  }

  /// Works until the task is cancelled.
  func run() async throws {
    for work in try await recover() { submit(work) }
    await withDiscardingTaskGroup { group in
      for await work in submissions {
        group.addTask { await self.perform(work) }
      }
      group.cancelAll()
    }
  }

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

  /// Writes down what keeps a job from its end.
  private func run(_ work: Work, _ body: @Sendable () async throws -> Void) async {
    do {
      try await body()
    } catch is Stopped {
      await finishStopped(work)
    } catch is CancellationError {
      // The service ends; the next start goes on, or begins anew.
    } catch let error as ControlPlaneError where error.code == .unavailable && Task.isCancelled {
      // The same.
    } catch {
      await finishFailed(work, failureReason(error))
    }
  }

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

  /// Asks a job to end.
  ///
  /// - Parameter check: throws where it may not be asked.
  /// - Returns: nil where there is none.
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

  /// Ends a job that the store has as Stopping. One that nobody works at is over at once.
  private func stop(_ work: Work) async {
    let (isRunning, end) = running.withLock { running -> (Bool, (@Sendable () -> Void)?) in
      guard running[work] != nil else { return (false, nil) }
      running[work]?.isStopped = true
      return (true, running[work]?.end)
    }
    if isRunning { end?() } else { await finishStopped(work) }
  }

  /// Runs a part of a job that `stop` ends by cancelling it.
  ///
  /// - Throws: `Stopped` where it was; what the body throws.
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

  /// Runs the body when the job's turn has come; until then `stop` ends the waiting, and then only what the body has made
  /// stoppable.
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

  func folder(of work: Work) -> String {
    let folder =
      switch work.kind {
      case .trainingJob: "jobs"
      case .transformJob: "transforms"
      default: "tunings"
      }
    return join(join(options.root, folder), work.name)
  }

  /// Where the jobs of a tuning have their channels.
  func sharedData(ofTuning name: String) -> String { join(folder(of: Work(.tuningJob, name)), "data") }

  /// What a job that has ended does not need any more: the objects that it read.
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

  /// What a job's processes get of the environment.
  func environment(_ more: [String: String]) -> [String: String] { options.environment.merging(more) { $1 } }
}
