import Encodings
import Files
import Hyperparameters
import S3
import Tuning

extension SageMakerAPI {
  func createTrainingJob(_ call: Call) async throws(ControlPlaneError) -> JSON {
    let name = call.text("TrainingJobName")
    try TrainingRules.check(call.request)
    for channel in call.request["InputDataConfig"]?.list ?? [] {
      try await checkObjects(of: channel, call)
    }
    let job = try await addTrainingJob(name, call.request.without("Tags"), call, tuningJob: nil)
    return ["TrainingJobArn": .string(job.arn)]
  }

  /// Keeps a training job, and lets it wait for its turn.
  @discardableResult
  func addTrainingJob(
    _ name: String, _ request: JSON, _ call: Call, tuningJob: Resource?
  ) async throws(ControlPlaneError) -> Resource {
    let arn = call.arn(.trainingJob, name)
    let inProgress = try await store.count(.trainingJob, statuses: Resource.unendedStatuses)
    try options.quotas.check(.trainingJob, current: inProgress)
    var job = Resource(
      name: name, arn: arn, created: call.time, status: "InProgress", parent: tuningJob?.name,
      request: request)
    job.state["TuningJobArn"] = tuningJob.map { .string($0.arn) }
    job.enter("Starting", "Starting the training job", at: call.time)
    try await store.insert(
      .trainingJob, job, tags: call.tags, taken: ResourceKind.trainingJob.taken(arn))
    engine.submit(new: .init(.trainingJob, name))
    return job
  }

  /// - Throws: SageMaker's words for a channel that leads to nothing.
  func checkObjects(of channel: JSON, _ call: Call) async throws(ControlPlaneError) {
    guard let uri = channel["DataSource"]?["S3DataSource"]?["S3Uri"]?.text else { return }
    try await checkObjects(uri, role: call.text("RoleArn"), call)
  }

  func checkObjects(_ uri: String, role: String, _ call: Call) async throws(ControlPlaneError) {
    let place = try S3Location(uri: uri)
    let found: [S3Location]
    do { found = try await objects.list(place, most: 1) } catch {
      // A store that does not answer now is the job's affair, which tries later.
      guard saysMissing(error) else { return }
      found = []
    }
    if found.isEmpty {
      throw .invalid(
        "No S3 objects found under S3 URL \"\(uri)\" given in input data source. Please ensure that the bucket exists in "
          + "the selected region (\(call.caller.region)), that objects exist under that S3 prefix, and that the role "
          + "\"\(role)\" has \"s3:ListBucket\" permissions on bucket \"\(place.bucket)\".")
    }
  }

  func describeTrainingJob(_ call: Call) async throws(ControlPlaneError) -> JSON {
    let name = call.text("TrainingJobName")
    let job = try await existing(.trainingJob, name, call)
    var answer = job.request.merging(job.state.shown)
    answer["TrainingJobName"] = .string(name)
    answer["TrainingJobArn"] = .string(job.arn)
    answer["TrainingJobStatus"] = .string(job.status)
    answer["CreationTime"] = .number(job.created)
    answer["LastModifiedTime"] = .number(job.modified)
    // SageMaker's SDK reads it of every job.
    if answer["OutputDataConfig"]?["KmsKeyId"] == nil { answer["OutputDataConfig"]?["KmsKeyId"] = "" }
    if answer["ModelArtifacts"] == nil {
      answer["ModelArtifacts"] = [
        "S3ModelArtifacts": .string(try TrainingRules.artifact(of: job).description)
      ]
    }
    return answer
  }

  func listTrainingJobs(_ call: Call) async throws(ControlPlaneError) -> JSON {
    try await list(.trainingJob, call, as: "TrainingJobSummaries", ascending: true) { job in
      var summary: JSON = [
        "TrainingJobName": .string(job.name), "TrainingJobArn": .string(job.arn),
        "CreationTime": .number(job.created), "LastModifiedTime": .number(job.modified),
        "TrainingJobStatus": .string(job.status), "SecondaryStatus": .string(job.secondaryStatus),
      ]
      summary["TrainingEndTime"] = job.state["TrainingEndTime"]
      return summary
    }
  }

  func deleteTrainingJob(_ call: Call) async throws(ControlPlaneError) {
    let name = call.text("TrainingJobName")
    let job = try await store.delete(.trainingJob, name) { job in
      guard !job.isInWork else {
        throw ControlPlaneError(
          .inUse, "The training job \(name) is in status \(job.status); stop it, and wait until it has ended."
        )
      }
    }
    if job == nil { throw ResourceKind.trainingJob.missing("") }
    engine.removeFolder(of: .init(.trainingJob, name))
  }
}

extension JSON {
  /// Without the members that only we know: those with small first letters.
  var shown: JSON {
    .object((object ?? [:]).filter { $0.key.first?.isUppercase ?? false })
  }
}

/// What SageMaker asks of a training job beyond the shapes of its members.
enum TrainingRules {
  static func check(_ request: JSON) throws(ControlPlaneError) {
    let algorithm = request["AlgorithmSpecification"] ?? [:]
    guard (algorithm["TrainingImage"] == nil) != (algorithm["AlgorithmName"] == nil) else {
      throw .invalid(
        "You must specify exactly one of TrainingImage and AlgorithmName in AlgorithmSpecification.")
    }
    guard
      request["ResourceConfig"]?["InstanceType"] != nil || request["ResourceConfig"]?["InstanceGroups"] != nil
    else { throw .invalid("You must specify InstanceType or InstanceGroups in ResourceConfig.") }
    try checkChannels(of: request)
    try checkMetrics(of: request)
    try check(
      request["StoppingCondition"] ?? [:], isSpot: request["EnableManagedSpotTraining"]?.isTrue ?? false)
    _ = try S3Location(uri: request["OutputDataConfig"]?["S3OutputPath"]?.text ?? "")
    if let uri = request["CheckpointConfig"]?["S3Uri"]?.text { _ = try S3Location(uri: uri) }
  }

  private static func checkMetrics(of request: JSON) throws(ControlPlaneError) {
    var names: Set<ByteName> = []
    for definition in TrainingMetrics.definitions(of: request) {
      do throws(TuningError) { _ = try definition.read() } catch { throw .invalid("\(error)") }
      guard names.insert(ByteName(definition.name)).inserted else {
        throw .invalid("MetricDefinitions has '\(definition.name)' twice; each metric has one Regex.")
      }
    }
  }

  /// - Parameter request: of a training job, or a definition of a tuning job.
  static func checkChannels(of request: JSON) throws(ControlPlaneError) {
    var names: Set<String> = []
    for channel in request["InputDataConfig"]?.list ?? [] {
      let name = channel["ChannelName"]?.text ?? ""
      guard names.insert(name).inserted else {
        throw .invalid("Duplicate channel names are not allowed: \(name).")
      }
      try check(channel: channel, name, request["AlgorithmSpecification"] ?? [:])
    }
  }

  private static func check(channel: JSON, _ name: String, _ algorithm: JSON) throws(ControlPlaneError) {
    guard name != ".", name != ".." else {
      throw .invalid("The channel name \(name) is the name of a folder.")
    }
    guard let source = channel["DataSource"]?["S3DataSource"] else {
      throw .invalid("The channel \(name) has no S3DataSource; other sources are not read here.")
    }
    _ = try S3Location(uri: source["S3Uri"]?.text ?? "")
    switch source["S3DataType"]?.text {
    case "AugmentedManifestFile":
      let names = (source["AttributeNames"]?.list ?? []).compactMap(\.text)
      guard !names.isEmpty else {
        throw .invalid("The channel \(name) is an AugmentedManifestFile; AttributeNames must be given.")
      }
      do throws(TrainingError) {
        _ = try ManifestOptions(attributeNames: names, contentType: channel["ContentType"]?.text ?? "")
      } catch {
        throw .invalid("The channel \(name): \(error).")
      }
      let mode = channel["InputMode"]?.text ?? algorithm["TrainingInputMode"]?.text
      guard mode != "FastFile" else {
        throw .invalid(
          "The channel \(name) is an AugmentedManifestFile, which goes with the input mode Pipe.")
      }
    case "Converse":
      throw .invalid("The channel \(name) has the S3DataType Converse, which is not read here.")
    default: break
    }
    if channel["CompressionType"]?.text == "Gzip", source["S3DataType"]?.text == "AugmentedManifestFile" {
      throw .invalid("The channel \(name) is an AugmentedManifestFile, which cannot be compressed (Gzip).")
    }
  }

  private static func check(_ condition: JSON, isSpot: Bool) throws(ControlPlaneError) {
    guard let wait = condition["MaxWaitTimeInSeconds"]?.integer else { return }
    guard isSpot else {
      throw .invalid(
        "MaxWaitTimeInSeconds above 0 is not supported when EnableManagedSpotTraining is not set.")
    }
    if let run = condition["MaxRuntimeInSeconds"]?.integer, wait < run {
      throw .invalid("MaxWaitTimeInSeconds must be greater than or equal to MaxRuntimeInSeconds.")
    }
  }

  /// Where the model of a training job goes.
  static func artifact(of job: Resource) throws(ControlPlaneError) -> S3Location {
    try S3Location(uri: job.request["OutputDataConfig"]?["S3OutputPath"]?.text ?? "")
      .appending("\(job.name)/output/model.tar.gz")
  }

  /// SageMaker's default is a day.
  static func longestRun(of job: Resource) -> Int {
    job.request["StoppingCondition"]?["MaxRuntimeInSeconds"]?.integer ?? 86_400
  }
}
