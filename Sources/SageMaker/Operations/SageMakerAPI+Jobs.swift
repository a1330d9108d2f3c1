import Encodings
import Files
import Hyperparameters
import Inference
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

  /// Stores a new training job and submits it to the engine.
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

  /// Checks that a channel's S3 URI matches at least one object, as `checkObjects(_:role:_:)` does.
  func checkObjects(of channel: JSON, _ call: Call) async throws(ControlPlaneError) {
    guard let uri = channel["DataSource"]?["S3DataSource"]?["S3Uri"]?.text else { return }
    try await checkObjects(uri, role: call.text("RoleArn"), call)
  }

  /// Checks that an S3 URI matches at least one object.
  ///
  /// - Throws: `.validation` in SageMaker's words if it matches none, or if the bucket does not exist.
  func checkObjects(_ uri: String, role: String, _ call: Call) async throws(ControlPlaneError) {
    let place = try S3Location(uri: uri)
    let found: [S3Location]
    do { found = try await objects.list(place, most: 1) } catch {
      // The object store may be unreachable now and back when the job runs.
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
    // SageMaker's SDK reads KmsKeyId from every description.
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
  /// The members of AWS's API, without imrec's own, whose names start with a lowercase letter.
  var shown: JSON {
    .object((object ?? [:]).filter { $0.key.first?.isUppercase ?? false })
  }
}

/// SageMaker's rules for a training job that shapes cannot express.
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
        throw .invalid(
          "MetricDefinitions defines '\(definition.name)' twice; a metric can have only one Regex.")
      }
    }
  }

  /// - Parameter request: of a training job, or a training job definition of a tuning job.
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
      throw .invalid("The channel name '\(name)' is not allowed, because it refers to a folder.")
    }
    guard let source = channel["DataSource"]?["S3DataSource"] else {
      throw .invalid("The channel \(name) has no S3DataSource; imrec supports no other data source.")
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
          "The channel \(name) is an AugmentedManifestFile, which does not work with FastFile; use the input mode Pipe."
        )
      }
    case "Converse":
      throw .invalid("The channel \(name) has the S3DataType Converse, which imrec does not support.")
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

  /// The location of a training job's model archive.
  static func artifact(of job: Resource) throws(ControlPlaneError) -> S3Location {
    try S3Location(uri: job.request["OutputDataConfig"]?["S3OutputPath"]?.text ?? "")
      .appending("\(job.name)/output/model.tar.gz")
  }

  /// MaxRuntimeInSeconds of a training job; SageMaker's default is one day.
  static func longestRun(of job: Resource) -> Int {
    job.request["StoppingCondition"]?["MaxRuntimeInSeconds"]?.integer ?? 86_400
  }
}

extension SageMakerAPI {
  func createTransformJob(_ call: Call) async throws(ControlPlaneError) -> JSON {
    let name = call.text("TransformJobName")
    try TransformRules.check(call.request)
    let modelName = call.text("ModelName")
    guard let model = try await store.find(.model, modelName) else {
      throw ControlPlaneError(.notFound, "Could not find model \"\(call.arn(.model, modelName))\".")
    }
    let uri = call.request["TransformInput"]?["DataSource"]?["S3DataSource"]?["S3Uri"]?.text ?? ""
    try await checkObjects(uri, role: model.request["ExecutionRoleArn"]?.text ?? "", call)
    // A copy, because the model may be deleted while the job is queued.
    let state: JSON = ["container": Self.container(of: model)]
    let answer = try await add(.transformJob, call, status: "InProgress", state: state)
    engine.submit(new: .init(.transformJob, name))
    return answer
  }

  func describeTransformJob(_ call: Call) async throws(ControlPlaneError) -> JSON {
    let job = try await existing(.transformJob, call.text("TransformJobName"), call)
    var answer = job.request.merging(job.state.shown)
    answer["TransformJobArn"] = .string(job.arn)
    answer["TransformJobStatus"] = .string(job.status)
    answer["CreationTime"] = .number(job.created)
    return answer
  }

  func listTransformJobs(_ call: Call) async throws(ControlPlaneError) -> JSON {
    try await list(.transformJob, call, as: "TransformJobSummaries", ascending: false) { job in
      var summary: JSON = [
        "TransformJobName": .string(job.name), "TransformJobArn": .string(job.arn),
        "CreationTime": .number(job.created), "LastModifiedTime": .number(job.modified),
        "TransformJobStatus": .string(job.status),
      ]
      summary["TransformEndTime"] = job.state["TransformEndTime"]
      summary["FailureReason"] = job.state["FailureReason"]
      return summary
    }
  }
}

/// SageMaker's rules for a transform job that shapes cannot express.
enum TransformRules {
  static func check(_ request: JSON) throws(ControlPlaneError) {
    let (input, output) = (request["TransformInput"] ?? [:], request["TransformOutput"] ?? [:])
    let source = input["DataSource"]?["S3DataSource"]
    _ = try S3Location(uri: source?["S3Uri"]?.text ?? "")
    _ = try S3Location(uri: output["S3OutputPath"]?.text ?? "")
    guard let type = source?["S3DataType"]?.text, ["S3Prefix", "ManifestFile"].contains(type) else {
      throw .invalid("The S3DataType of a transform job must be S3Prefix or ManifestFile.")
    }
    let payload = request["MaxPayloadInMB"]?.integer ?? 6
    let concurrent = request["MaxConcurrentTransforms"]?.integer ?? 1
    guard payload <= 100 else { throw .invalid("MaxPayloadInMB must be less than or equal to 100.") }
    guard payload.multipliedReportingOverflow(by: max(1, concurrent)).partialValue <= 100, concurrent <= 100
    else {
      throw .invalid("MaxConcurrentTransforms * MaxPayloadInMB must be less than or equal to 100.")
    }
    try check(request["DataProcessing"] ?? [:], input, output)
  }

  private static func check(_ processing: JSON, _ input: JSON, _ output: JSON) throws(ControlPlaneError) {
    for name in ["InputFilter", "OutputFilter"] {
      guard let text = processing[name]?.text else { continue }
      do throws(JSONPathError) { _ = try JSONPath(text) } catch {
        throw .invalid("\(name) '\(text)': \(error)")
      }
    }
    let type = mediaType(input["ContentType"]?.text)
    let joins = processing["JoinSource"]?.text == "Input"
    let filters = processing["InputFilter"]?.text.map { $0 != "$" } ?? false
    guard joins || filters else { return }
    guard type == "text/csv" || type == "application/json" || type == "application/jsonlines" else {
      throw .invalid(
        "InputFilter and JoinSource need the ContentType text/csv, application/json or application/jsonlines."
      )
    }
    guard joins else { return }
    guard mediaType(output["Accept"]?.text) == type else {
      throw .invalid("With JoinSource Input, Accept must be the same as ContentType.")
    }
    guard (input["SplitType"]?.text ?? "None") == (output["AssembleWith"]?.text ?? "None") else {
      throw .invalid("With JoinSource Input, AssembleWith must be the same as SplitType.")
    }
  }

  private static func mediaType(_ text: String?) -> String? {
    text?.split(separator: ";").first.map { $0.lowercased().filter { $0 != " " } }
  }
}
