import Encodings
import Inference
import S3

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
    let arn = call.arn(.transformJob, name)
    let inProgress = try await store.count(.transformJob, statuses: Resource.unendedStatuses)
    try options.quotas.check(.transformJob, current: inProgress)
    var job = Resource(
      name: name, arn: arn, created: call.time, status: "InProgress", request: call.request.without("Tags"))
    // The model as it is now: it may be deleted while the job waits.
    job.state["container"] = Self.container(of: model)
    try await store.insert(
      .transformJob, job, tags: call.tags, taken: ResourceKind.transformJob.taken(arn))
    engine.submit(new: .init(.transformJob, name))
    return ["TransformJobArn": .string(arn)]
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

/// What SageMaker asks of a transform job beyond the shapes of its members.
enum TransformRules {
  static func check(_ request: JSON) throws(ControlPlaneError) {
    let (input, output) = (request["TransformInput"] ?? [:], request["TransformOutput"] ?? [:])
    let source = input["DataSource"]?["S3DataSource"]
    _ = try S3Location(uri: source?["S3Uri"]?.text ?? "")
    _ = try S3Location(uri: output["S3OutputPath"]?.text ?? "")
    guard let type = source?["S3DataType"]?.text, ["S3Prefix", "ManifestFile"].contains(type) else {
      throw .invalid("The S3DataType of a transform job is S3Prefix or ManifestFile.")
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
