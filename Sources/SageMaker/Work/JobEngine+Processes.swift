import Encodings
import Files
import Foundation
import Glibc
import HTTP
import Inference
import Jobs
import Models
import S3

/// Training jobs: lay out the folder of a container, run the trainer as a child process, upload the model.
extension JobEngine {
  func train(_ work: Work) async throws {
    guard let job = try await store.find(work.kind, work.name), job.status == "InProgress" else { return }
    let folder = folder(of: work)
    let container = join(folder, "opt-ml")
    try await step(work, "Starting", "Preparing the instances for training")
    try await step(work, "Downloading", "Downloading input data") { $0.state["isBegun"] = true }
    try await stoppable(work) { [self] in try await layOutTraining(container, for: job) }
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
    // The limit is for the whole job: subtract the time trained before a restart of the service and in earlier rungs.
    command.timeLimit = .seconds(max(0, Double(TrainingRules.longestRun(of: job)) - former))
    let ready = command
    let ending = try await stoppable(work) { try await Jobs.run(ready) }
    if ending.cause == .stopped, !isStopped(work) {
      // The service is shutting down. Nothing is recorded: the store rejects writes from a cancelled task.
      throw CancellationError()
    }
    try await finishTraining(work, job, container, ending)
  }

  /// Applies a change, and enters a secondary status unless the job is being stopped.
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

  // MARK: Inputs

  private func layOutTraining(_ container: String, for job: Resource) async throws {
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

  /// Downloads the channels of a job. The jobs of a tuning job share one copy, which is deleted when the tuning job ends:
  /// twenty jobs do not take twenty times the time and the disk space, and all train on the same bytes.
  private func layOutData(of job: Resource, at data: String) async throws {
    // A previous start may have left a partial download.
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

  /// Downloads the checkpoint that another job, or an earlier start of this one, left at CheckpointConfig's S3Uri. Does
  /// nothing if the job's folder has a checkpoint.
  private func fetchCheckpoint(of job: Resource, to folder: String) async throws {
    guard let uri = job.request["CheckpointConfig"]?["S3Uri"]?.text, try isEmptyFolder(folder) else { return }
    let place = try S3Location(uri: uri)
    guard try await !objects.list(place, most: 1).isEmpty else { return }
    let channels = Channels(objects: objects)
    try await channels.download(try await channels.items(prefix: uri), to: folder)
  }

  // MARK: Outputs

  /// Uploads what a training left, and records the job's final status.
  private func finishTraining(
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
        "AlgorithmError: OutOfMemory: \(ending.sentence). Use a smaller mini_batch_size or "
        + "image_shape."
    }
    return "AlgorithmError: the training failed: \(ending.sentence(log: log))"
  }

  /// Uploads the output files and the model.
  ///
  /// - Returns: the location of the model; nil if the job left none.
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

  /// Uploads the checkpoint. Errors are ignored, because the checkpoint is still in the job's folder.
  private func uploadCheckpoint(of job: Resource, from folder: String) async {
    guard let uri = job.request["CheckpointConfig"]?["S3Uri"]?.text, let place = try? S3Location(uri: uri)
    else { return }
    for file in Self.files(in: folder) {
      try? await objects.upload(file, to: place.appending(baseName(file)))
    }
  }

  /// The paths of the complete files in a folder, sorted; without hidden files, such as the locks of a killed process.
  static func files(in folder: String) -> [String] {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
    return names.filter { !$0.hasByteSuffix(".partial") && !$0.hasBytePrefix(".") }.sorted {
      precedes($0, $1)
    }
    .map { join(folder, $0) }.filter { !isFolder($0) }
  }
}

extension Resource {
  /// The training time of all earlier starts, in seconds.
  fileprivate var trainedSeconds: Double { state["trainedSeconds"]?.number ?? 0 }

  /// Adds the training time of a start that has ended.
  mutating func countTraining(_ seconds: Double) {
    state["trainedSeconds"] = .number(trainedSeconds + max(0, seconds))
    state["trainingSince"] = nil
  }
}

/// Transform jobs: download the inputs and the model, run the transform as a child process, upload the outputs.
extension JobEngine {
  func transform(_ work: Work) async throws {
    guard let job = try await store.find(work.kind, work.name), job.status == "InProgress" else { return }
    let folder = folder(of: work)
    let begin = now()
    try await store.record(work.kind, work.name) { job in
      job.state["isBegun"] = true
      job.state["TransformStartTime"] = .number(begin)
    }
    let description = join(folder, "job.json")
    let output = join(folder, "output")
    try await stoppable(work) { [self] in try await layOutTransform(job, folder, output, description) }
    var command = Command(
      options.program, ["transform-job", description, "--threads", "\(options.threads)"], folder: folder,
      logPath: join(folder, "log"))
    command.environment = environment(environment(of: job))
    command.gracePeriod = options.gracePeriod
    let ready = command
    let ending = try await stoppable(work) { try await Jobs.run(ready) }
    if ending.cause == .stopped {
      // A stopped job uploads no outputs.
      if isStopped(work) { throw Stopped() } else { throw CancellationError() }
    }
    try await finishTransform(work, job, ending, output)
  }

  private func environment(of job: Resource) -> [String: String] {
    var variables = (job.state["container"]?["Environment"] ?? [:]).texts
    variables.merge((job.request["Environment"] ?? [:]).texts) { $1 }
    variables["SAGEMAKER_BATCH"] = "true"
    variables["SAGEMAKER_MAX_PAYLOAD_IN_MB"] = job.request["MaxPayloadInMB"].map(\.encoded)
    variables["SAGEMAKER_MAX_CONCURRENT_TRANSFORMS"] = job.request["MaxConcurrentTransforms"].map(\.encoded)
    variables["SAGEMAKER_BATCH_STRATEGY"] =
      job.request["BatchStrategy"]?.text
      .flatMap { BatchStrategy(rawValue: $0) }?.variable
    return variables
  }

  private func layOutTransform(_ job: Resource, _ folder: String, _ output: String, _ description: String)
    async throws
  {
    let input = join(folder, "input")
    // A previous start may have left files.
    for old in [input, output] { try? FileManager.default.removeItem(atPath: old) }
    for new in [input, output] { try makeFolder(new) }
    guard let uri = SageMakerAPI.modelData(of: job.state["container"] ?? [:]) else {
      throw Channels.Fault(
        description: "the model \(job.request["ModelName"]?.text ?? "") has no ModelDataUrl")
    }
    let channels = Channels(objects: objects)
    let place = try S3Location(uri: uri)
    var model = join(folder, "model.tar.gz")
    if place.isFolder {
      model = join(folder, "model")
      try await channels.download(try await channels.items(prefix: uri), to: model)
    } else {
      try await channels.download(place, to: model, namedBy: "the ModelDataUrl")
    }
    let source = job.request["TransformInput"]?["DataSource"]?["S3DataSource"] ?? [:]
    let from = source["S3Uri"]?.text ?? ""
    let items =
      source["S3DataType"]?.text == "ManifestFile"
      ? try await channels.items(manifest: from, in: folder) : try await relative(to: from, channels)
    try await channels.download(
      items, to: input, unpacking: job.request["TransformInput"]?["CompressionType"]?.text == "Gzip")
    try writeFile(
      description,
      BatchTransform.describe(
        job, model: model, inputs: items.map { ($0.path, join(input, $0.path)) }, output: output
      ).encoded)
  }

  /// The objects under a prefix. Outputs are named by the key after the last `/` of the prefix, as in SageMaker's local mode.
  private func relative(to uri: String, _ channels: Channels) async throws -> [Channels.Item] {
    let place = try S3Location(uri: uri)
    let items = try await channels.items(prefix: uri)
    return try items.map { item in
      Channels.Item(object: item.object, path: try Channels.safe(item.object.key(after: place.nameStart)))
    }
  }

  private func finishTransform(_ work: Work, _ job: Resource, _ ending: Jobs.Ending, _ output: String)
    async throws
  {
    var reason: String?
    switch ending.status {
    case .exited(0): break
    // Some inputs failed; the outputs of the others are uploaded.
    case .exited(2): reason = "ClientError: See job logs for more information"
    default:
      reason =
        ending.isOutOfMemory
        ? "AlgorithmError: OutOfMemory: \(ending.sentence)."
        : "AlgorithmError: the transform failed: "
          + ending.sentence(log: join(folder(of: work), "log"))
    }
    if ending.status == .exited(0) || ending.status == .exited(2) {
      let place = try S3Location(uri: job.request["TransformOutput"]?["S3OutputPath"]?.text ?? "")
      let names = FileManager.default.enumerator(atPath: output)?.compactMap { $0 as? String } ?? []
      do {
        for name in names.sorted(by: { precedes($0, $1) })
        where name.hasByteSuffix(".out") && !isFolder(join(output, name)) {
          try await objects.upload(join(output, name), to: place.appending(name))
        }
      } catch {
        reason = failureReason(error, "the outputs could not be uploaded: ")
      }
    }
    removeInputs(of: work)
    let (end, failure) = (now(), reason)
    try await store.record(work.kind, work.name) { job in
      job.state["TransformEndTime"] = .number(end)
      job.state["FailureReason"] = failure.map { .string($0) }
      job.status = failure == nil ? "Completed" : "Failed"
    }
  }
}

extension Ending {
  /// How the process ended and, if it exited by itself, the last error message in its log.
  ///
  /// Also says if the disk is almost full, because the last lines of the log may then be missing.
  func sentence(log path: String) -> String {
    guard case .exited = status else { return "\(sentence); see its log." }
    var told = sentence
    if let room = roomLeft(on: path), room < littleRoom {
      told += ", and the disk is almost full: \(room) bytes are left"
    }
    let words = lastWords(of: path, byteCount: 4096, prefixes: ["imrec: "], otherwiseAny: true)
    return words.map { "\(told): \($0)" } ?? "\(told); see its log."
  }
}

/// A disk with fewer free bytes counts as almost full. Not zero, because the deletion of a partial file after a failed write
/// frees some space again.
private let littleRoom = 16 << 20

/// The free bytes on the disk that holds a file; nil if they cannot be determined.
private func roomLeft(on path: String) -> Int? {
  var disk = statvfs()
  guard unsafe statvfs(path, &disk) == 0 else { return nil }
  let (bytes, isTooLarge) = UInt64(disk.f_bavail).multipliedReportingOverflow(by: UInt64(disk.f_frsize))
  return isTooLarge ? nil : Int(exactly: bytes)
}
