import Encodings
import Files
import Foundation

/// What a start finds of the run before.
extension JobEngine {
  /// Times that a job is begun anew after the service ended under it; a job that ends the service each time must not do
  /// so for ever.
  private static let mostRestarts = 3

  /// - Returns: what is to be worked at.
  func recover() async throws(ControlPlaneError) -> [Work] {
    var work: [Work] = []
    for kind in [ResourceKind.tuningJob, .trainingJob, .transformJob] {
      for name in try await store.names(kind, statuses: ["InProgress"]) {
        let one = Work(kind, name)
        if kind == .trainingJob { try await countBrokenOff(one) }
        if try await mayGoOn(one) { work.append(one) }
      }
      for name in try await store.names(kind, statuses: ["Stopping"]) {
        await finishStopped(Work(kind, name))
      }
    }
    for name in try await store.names(.endpoint, statuses: ["Creating", "Updating", "InService", "Deleting"])
    {
      work.append(Work(.endpoint, name))
    }
    return work
  }

  private func mayGoOn(_ work: Work) async throws(ControlPlaneError) -> Bool {
    guard let job = try await store.find(work.kind, work.name) else { return false }
    if work.kind == .trainingJob, let parent = job.parent {
      // The tuning job begins it again itself; with one that was being stopped it stops.
      if try await !isInProgress(tuningJob: parent) { await finishStopped(work) }
      return false
    }
    // A tuning job has a record of its own to go on from.
    guard work.kind != .tuningJob else { return true }
    guard job.state["isBegun"]?.isTrue ?? false else {
      // What a deleted one of this name may have left.
      removeFolder(of: work)
      return true
    }
    let restarts = (job.state["restarts"]?.integer ?? 0) + 1
    let hasCheckpoint = work.kind != .trainingJob || hasCheckpoint(work)
    guard restarts <= Self.mostRestarts, hasCheckpoint else {
      let reason =
        hasCheckpoint
        ? "InternalServerError: the service ended \(restarts) times while the job ran."
        : "InternalServerError: the service ended while the job ran, and the job had no checkpoint yet to go on from. "
          + "Create it again under another name."
      await finishFailed(work, reason)
      return false
    }
    try await store.record(work.kind, work.name) { $0.state["restarts"] = .integer(restarts) }
    return true
  }

  /// The time of a training that ended with the service, up to its last sign of life, is time that it trained.
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

  // MARK: Ends

  func finishStopped(_ work: Work) async {
    removeInputs(of: work)
    let time = now()
    _ = try? await store.record(work.kind, work.name) { job in
      guard job.isInWork else { return }
      switch work.kind {
      case .trainingJob:
        job.state["TrainingEndTime"] = .number(time)
        job.finish("Stopped", secondary: "Stopped", "Training job stopped", at: time)
      case .transformJob:
        job.status = "Stopped"
        job.state["TransformEndTime"] = .number(time)
      default:
        job.status = "Stopped"
        job.state["HyperParameterTuningEndTime"] = .number(time)
      }
    }
  }

  /// - Parameter reason: its first 1024 characters are kept, as SageMaker does.
  func finishFailed(_ work: Work, _ reason: String) async {
    removeInputs(of: work)
    let time = now()
    _ = try? await store.record(work.kind, work.name) { job in
      guard job.isInWork else { return }
      job.state["FailureReason"] = .string(String(reason.prefix(1024)))
      switch work.kind {
      case .trainingJob:
        job.state["TrainingEndTime"] = .number(time)
        job.finish("Failed", secondary: "Failed", "Training job failed", at: time)
      case .transformJob:
        job.status = "Failed"
        job.state["TransformEndTime"] = .number(time)
      default:
        job.status = "Failed"
        job.state["HyperParameterTuningEndTime"] = .number(time)
      }
    }
  }
}
