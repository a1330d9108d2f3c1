import Encodings
import Files
import Foundation
import Inference
import Jobs
import S3

/// Transform jobs: inputs and model come down, a process of its own works, outputs go up.
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
    try await stoppable(work) { [self] in try await layOut(job, folder, output, description) }
    var command = Command(
      options.program, ["transform-job", description, "--threads", "\(options.threads)"], folder: folder,
      logPath: join(folder, "log"))
    command.environment = environment(environment(of: job))
    command.gracePeriod = options.gracePeriod
    let ready = command
    let ending = try await stoppable(work) { try await Jobs.run(ready) }
    if ending.cause == .stopped {
      // A stopped job has no output.
      if isStopped(work) { throw Stopped() } else { throw CancellationError() }
    }
    try await finish(work, job, ending, output)
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

  private func layOut(_ job: Resource, _ folder: String, _ output: String, _ description: String) async throws
  {
    let input = join(folder, "input")
    // Of a start before.
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

  /// Outputs are named by what comes after the last `/` of the prefix, as SageMaker's local mode does.
  private func relative(to uri: String, _ channels: Channels) async throws -> [Channels.Item] {
    let place = try S3Location(uri: uri)
    let items = try await channels.items(prefix: uri)
    return try items.map { item in
      Channels.Item(object: item.object, path: try Channels.safe(item.object.key(after: place.nameStart)))
    }
  }

  private func finish(_ work: Work, _ job: Resource, _ ending: Jobs.Ending, _ output: String) async throws {
    var reason: String?
    switch ending.status {
    case .exited(0): break
    // Some inputs failed: the outputs of the others stand.
    case .exited(2): reason = "ClientError: See job logs for more information"
    default:
      reason =
        ending.isOutOfMemory
        ? "AlgorithmError: OutOfMemory: the transform was ended, \(ending.sentence)."
        : "AlgorithmError: the transform did not end as it should: "
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
