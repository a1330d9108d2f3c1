import Encodings

extension SageMakerAPI {
  func addTags(_ call: Call) async throws(ControlPlaneError) -> JSON {
    let arn = try await tagged(call)
    try await store.addTags(call.tags, to: arn, most: options.quotas.tagsPerResource)
    return try await tagList(of: arn)
  }

  func listTags(_ call: Call) async throws(ControlPlaneError) -> JSON {
    try await tagList(of: try await tagged(call))
  }

  func deleteTags(_ call: Call) async throws(ControlPlaneError) -> JSON {
    let keys = (call.request["TagKeys"]?.list ?? []).compactMap(\.text)
    try await store.deleteTags(keys, of: try await tagged(call))
    return [:]
  }

  /// All of them: there are no more than one page holds.
  private func tagList(of arn: String) async throws(ControlPlaneError) -> JSON {
    let tags = try await store.tags(of: arn)
    return ["Tags": .list(tags.map { ["Key": .string($0.key), "Value": .string($0.value)] })]
  }

  /// - Throws: where there is no such resource.
  private func tagged(_ call: Call) async throws(ControlPlaneError) -> String {
    let arn = call.text("ResourceArn")
    guard let (kind, name) = ResourceKind.parse(arn: arn) else {
      throw .invalid("\(arn) is no ARN of a job, a model, an endpoint or its configuration.")
    }
    guard let resource = try await store.find(kind, name), resource.arn == arn else {
      throw .invalid("Could not find \(kind.words) \"\(arn)\".")
    }
    return arn
  }
}
