package import Encodings
import S3

extension SageMakerAPI {
  func createModel(_ call: Call) async throws(ControlPlaneError) -> JSON {
    let name = call.text("ModelName")
    guard !name.isEmpty else { throw .invalid("The model has no name.") }
    let (primary, several) = (call.request["PrimaryContainer"], call.request["Containers"]?.list)
    guard (primary == nil) != (several?.isEmpty ?? true) else {
      throw .invalid("You must specify exactly one of PrimaryContainer and Containers.")
    }
    guard several.map({ $0.count == 1 }) ?? true else {
      throw .invalid(
        "A model of several Containers, of which each works on what the one before answers, is not run here.")
    }
    for container in several ?? [primary ?? [:]] {
      guard container["Image"] != nil || container["ModelPackageName"] != nil else {
        throw .invalid("Each container needs an Image (any text) or a ModelPackageName.")
      }
      if let uri = Self.modelData(of: container) { _ = try S3Location(uri: uri) }
    }
    let arn = call.arn(.model, name)
    try options.quotas.check(.model, current: try await store.count(.model, statuses: [""]))
    let model = Resource(
      name: name, arn: arn, created: call.time, status: "", request: call.request.without("Tags"))
    try await store.insert(.model, model, tags: call.tags, taken: ResourceKind.model.taken(arn))
    return ["ModelArn": .string(arn)]
  }

  func describeModel(_ call: Call) async throws(ControlPlaneError) -> JSON {
    let model = try await existing(.model, call.text("ModelName"), call)
    var answer = model.request
    answer["ModelArn"] = .string(model.arn)
    answer["CreationTime"] = .number(model.created)
    return answer
  }

  func listModels(_ call: Call) async throws(ControlPlaneError) -> JSON {
    try await list(.model, call, as: "Models", ascending: false) { model in
      [
        "ModelName": .string(model.name), "ModelArn": .string(model.arn),
        "CreationTime": .number(model.created),
      ]
    }
  }

  package static func modelData(of container: JSON) -> String? {
    container["ModelDataUrl"]?.text ?? container["ModelDataSource"]?["S3DataSource"]?["S3Uri"]?.text
  }

  /// The container whose model answers: the only one.
  package static func container(of model: Resource) -> JSON {
    model.request["PrimaryContainer"] ?? model.request["Containers"]?.list?.first ?? [:]
  }
}
