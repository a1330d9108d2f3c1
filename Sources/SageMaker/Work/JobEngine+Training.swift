import Encodings
import Files
import Foundation
import Glibc
import HTTP
import Jobs
import Models
import S3

/// Training jobs: a container's folder is laid out, the trainer runs in a process of its own, the model goes up.
extension JobEngine {
  func train(_ work: Work) async throws {
    guard let job = try await store.find(work.kind, work.name), job.status == "InProgress" else { return }
    let folder = folder(of: work)
    let container = join(folder, "opt-ml")
    try await step(work, "Starting", "Preparing the instances for training")
    try await step(work, "Downloading", "Downloading input data") { $0.state["isBegun"] = true }
    try await stoppable(work) { [self] in try await layOut(container, for: job) }
    let begin = now()
    let former = job.trainedSeconds
    try await step(work, "Training", "Training image download completed. Training in progress.") { job in
      if job.state["TrainingStartTime"] == nil { job.state["TrainingStartTime"] = .number(begin) }
      job.state["trainingSince"] = .number(begin)
    }
    var command = Command(
      options.program, ["train", "--opt-ml", container, "--threads", "\(options.threads)"], folder: folder,
      logPath: join(folder, "log"))
    command.environment = environment(
      (job.request["Environment"] ?? [:]).texts.merging([
        "TRAINING_JOB_NAME": job.name, "TRAINING_JOB_ARN": job.arn,
      ]) { $1 })
    command.gracePeriod = options.gracePeriod
    // Of the whole job: what it trained before the service ended, or in an earlier rung, is gone from it.
    command.timeLimit = .seconds(max(0, Double(TrainingRules.longestRun(of: job)) - former))
    let ready = command
    let ending = try await stoppable(work) { try await Jobs.run(ready) }
    if ending.cause == .stopped, !isStopped(work) {
      // The service ends. No write: the store takes none from a task that is cancelled.
      throw CancellationError()
    }
    try await finish(work, job, container, ending)
  }

  /// Enters a state, unless somebody is stopping the job.
  private func step(
    _ work: Work, _ status: String, _ message: String,
    _ change: @escaping @Sendable (inout Resource) -> Void = { _ in }
  ) async throws(ControlPlaneError) {
    let time = now()
    try await store.record(work.kind, work.name) { job in
      change(&job)
      if job.status == "InProgress" { job.enter(status, message, at: time) }
    }
  }

  // MARK: Before

  private func layOut(_ container: String, for job: Resource) async throws {
    let config = join(container, "input/config")
    for folder in [
      config, join(container, "model"), join(container, "output/data"), join(container, "checkpoints"),
    ] {
      try makeFolder(folder)
    }
    try writeFile(
      join(config, "hyperparameters.json"), (job.request["HyperParameters"] ?? [:]).encoded)
    try writeFile(
      join(config, "resourceconfig.json"),
      (["current_host": "algo-1", "hosts": ["algo-1"], "network_interface_name": "lo"] as JSON).encoded)
    try? FileManager.default.removeItem(atPath: join(container, "output/failure"))
    try await layOutData(of: job, at: join(container, "input/data"))
    var described: [String: JSON] = [:]
    for channel in job.request["InputDataConfig"]?.list ?? [] {
      var description: JSON = [
        "TrainingInputMode": "File", "S3DistributionType": "FullyReplicated",
        "RecordWrapperType": channel["RecordWrapperType"] ?? "None",
        "ContentType": channel["ContentType"] ?? "",
      ]
      description["AttributeNames"] = channel["DataSource"]?["S3DataSource"]?["AttributeNames"]
      described[channel["ChannelName"]?.text ?? ""] = description
    }
    try writeFile(join(config, "inputdataconfig.json"), JSON.object(described).encoded)
    try await fetchCheckpoint(of: job, to: join(container, "checkpoints"))
  }

  /// The channels of a job. Those of a tuning's jobs are one copy, which goes when the tuning ends: twenty jobs do not
  /// take twenty times the time and the room, and all learn from the same bytes.
  private func layOutData(of job: Resource, at data: String) async throws {
    // Of a start before: it may be half of it.
    try? FileManager.default.removeItem(atPath: data)
    guard let tuning = job.parent else { return try await download(job, to: data) }
    let shared = join(
      sharedData(ofTuning: tuning), job.state["definition"]?.text.map { "definition-\($0)" } ?? "data")
    try await downloads.run(shared) {
      let mark = shared + ".whole"
      guard FileStamp(path: mark) == nil else { return }
      try? FileManager.default.removeItem(atPath: shared)
      try await self.download(job, to: shared)
      try writeFile(mark, "")
    }
    guard unsafe symlink(shared, data) == 0 else {
      throw FileError(.system(call: "link", code: errno), path: data)
    }
  }

  private func download(_ job: Resource, to data: String) async throws {
    try makeFolder(data)
    for channel in job.request["InputDataConfig"]?.list ?? [] {
      try await download(channel, to: join(data, channel["ChannelName"]?.text ?? ""))
    }
  }

  private func download(_ channel: JSON, to folder: String) async throws {
    let channels = Channels(objects: objects)
    let source = channel["DataSource"]?["S3DataSource"] ?? [:]
    let uri = source["S3Uri"]?.text ?? ""
    if source["S3DataType"]?.text == "AugmentedManifestFile" {
      return try await channels.download(
        augmentedManifest: uri, attributes: source["AttributeNames"]?.list?.compactMap(\.text) ?? [],
        to: folder)
    }
    var items =
      source["S3DataType"]?.text == "ManifestFile"
      ? try await channels.items(manifest: uri, in: folderName(folderName(folder)))
      : try await channels.items(prefix: uri)
    let isGzip = channel["CompressionType"]?.text == "Gzip"
    if isGzip { items = try Channels.unpackedNames(items) }
    try await channels.download(items, to: folder, unpacking: isGzip)
  }

  /// The checkpoint that another job, or an earlier start of this one, has left.
  private func fetchCheckpoint(of job: Resource, to folder: String) async throws {
    guard let uri = job.request["CheckpointConfig"]?["S3Uri"]?.text, try isEmptyFolder(folder) else { return }
    let place = try S3Location(uri: uri)
    guard try await !objects.list(place, most: 1).isEmpty else { return }
    let channels = Channels(objects: objects)
    try await channels.download(try await channels.items(prefix: uri), to: folder)
  }

  // MARK: After

  private func finish(
    _ work: Work, _ job: Resource, _ container: String, _ ending: Ending
  ) async throws {
    let (log, time) = (join(folder(of: work), "log"), now())
    let metrics = try await disk.run {
      TrainingMetrics(container: container, job: job, logPath: log, now: time)
    }
    let isCutShort = ending.cause != .itself
    var reason: String?
    if !ending.isSuccess, !isCutShort {
      reason = failure(of: ending, container, log: log)
    }
    var artifact: S3Location?
    if reason == nil {
      try await step(work, "Uploading", "Uploading generated training model")
      do { artifact = try await upload(job, container, folder: folder(of: work)) } catch {
        reason = failureReason(error, "the model could not be uploaded: ")
      }
    }
    await uploadCheckpoint(of: job, from: join(container, "checkpoints"))
    removeInputs(of: work)
    let (end, failure, model) = (now(), reason, artifact)
    try await store.record(work.kind, work.name) { job in
      job.countTraining(ending.duration / .seconds(1))
      let wholeSeconds = max(1, Int(exactly: job.trainedSeconds.rounded()) ?? 1)
      job.state["TrainingTimeInSeconds"] = .integer(wholeSeconds)
      job.state["BillableTimeInSeconds"] = .integer(wholeSeconds)
      job.state["TrainingEndTime"] = .number(end)
      if !metrics.final.isEmpty { job.state["FinalMetricDataList"] = .list(metrics.final) }
      if let model { job.state["ModelArtifacts"] = ["S3ModelArtifacts": .string(model.description)] }
      if let failure {
        job.state["FailureReason"] = .string(String(failure.prefix(1024)))
        job.finish("Failed", secondary: "Failed", "Training job failed", at: end)
      } else if ending.cause == .timeLimit {
        job.finish(
          "Stopped", secondary: "MaxRuntimeExceeded",
          "Training job runtime exceeded MaxRuntimeInSeconds provided",
          at: end)
      } else if ending.cause == .stopped || job.status == "Stopping" {
        job.finish("Stopped", secondary: "Stopped", "Training job stopped", at: end)
      } else {
        job.finish("Completed", secondary: "Completed", "Training job completed", at: end)
      }
    }
  }

  private func failure(of ending: Ending, _ container: String, log: String) -> String {
    if let told = try? readStart(of: join(container, "output/failure"), byteCount: 4096), !told.isEmpty {
      return String(decoding: told, as: UTF8.self)
    }
    if ending.isOutOfMemory {
      return
        "AlgorithmError: OutOfMemory: the training was ended, \(ending.sentence). Use a smaller mini_batch_size or "
        + "image_shape."
    }
    return "AlgorithmError: the training did not end as it should: \(ending.sentence(log: log))"
  }

  /// - Returns: where the model is; nil where there is none.
  private func upload(_ job: Resource, _ container: String, folder: String) async throws -> S3Location? {
    let place = try TrainingRules.artifact(of: job)
    let output = S3Location(bucket: place.bucket, key: folderName(place.key))
    let results = Self.files(in: join(container, "output/data"))
    if !results.isEmpty {
      let archive = join(folder, "output.tar.gz")
      try await disk.run { try writeModelArchive(archive, files: results) }
      try await objects.upload(archive, to: output.appending("output.tar.gz"))
    }
    let files = Self.files(in: join(container, "model"))
    guard !files.isEmpty else { return nil }
    if job.request["OutputDataConfig"]?["CompressionType"]?.text == "NONE" {
      for file in files { try await objects.upload(file, to: output.appending("model/\(baseName(file))")) }
      return output.appending("model/")
    }
    let archive = join(folder, "model.tar.gz")
    try await disk.run { try writeModelArchive(archive, files: files) }
    try await objects.upload(archive, to: place)
    return place
  }

  /// What cannot be uploaded is not lost: it stands in the job's folder.
  private func uploadCheckpoint(of job: Resource, from folder: String) async {
    guard let uri = job.request["CheckpointConfig"]?["S3Uri"]?.text, let place = try? S3Location(uri: uri)
    else { return }
    for file in Self.files(in: folder) {
      try? await objects.upload(file, to: place.appending(baseName(file)))
    }
  }

  /// Whole files, sorted; no locks, which a killed process leaves behind, and no litter.
  static func files(in folder: String) -> [String] {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
    return names.filter { !$0.hasByteSuffix(".partial") && !$0.hasBytePrefix(".") }.sorted {
      precedes($0, $1)
    }
    .map { join(folder, $0) }.filter { !isFolder($0) }
  }
}

extension Resource {
  /// In all its starts, without the present one.
  fileprivate var trainedSeconds: Double { state["trainedSeconds"]?.number ?? 0 }

  /// The present start is over.
  mutating func countTraining(_ seconds: Double) {
    state["trainedSeconds"] = .number(trainedSeconds + max(0, seconds))
    state["trainingSince"] = nil
  }
}
