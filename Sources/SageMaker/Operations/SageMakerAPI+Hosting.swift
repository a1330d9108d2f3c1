package import Encodings
import S3

extension SageMakerAPI {
  // MARK: Endpoint configurations

  func createEndpointConfig(_ call: Call) async throws(ControlPlaneError) -> JSON {
    guard !call.text("EndpointConfigName").isEmpty else {
      throw .invalid("The endpoint configuration has no name.")
    }
    var names: Set<String> = []
    for variant in Self.variants(of: call.request) {
      let variantName = variant["VariantName"]?.text ?? ""
      guard !variantName.isEmpty, names.insert(variantName).inserted else {
        throw .invalid("Each variant needs a unique VariantName; '\(variantName)' is empty or used twice.")
      }
      guard let model = variant["ModelName"]?.text else {
        throw .invalid(
          "The variant \(variantName) has no ModelName; imrec does not support inference components.")
      }
      guard variant["InstanceType"] != nil || variant["ServerlessConfig"] != nil else {
        throw .invalid("The variant \(variantName) has neither InstanceType nor ServerlessConfig.")
      }
      if try await store.find(.model, model) == nil {
        throw ResourceKind.model.missing(call.arn(.model, model))
      }
    }
    let weights = (call.request["ProductionVariants"]?.list ?? []).map(Self.weight)
    guard weights.contains(where: { $0 > 0 }) else {
      throw .invalid("At least one production variant must have an InitialVariantWeight greater than 0.")
    }
    if let capture = call.request["DataCaptureConfig"]?["DestinationS3Uri"]?.text {
      _ = try S3Location(uri: capture)
    }
    return try await add(.endpointConfig, call)
  }

  static func variants(of config: JSON) -> [JSON] {
    (config["ProductionVariants"]?.list ?? []) + (config["ShadowProductionVariants"]?.list ?? [])
  }

  static func weight(_ variant: JSON) -> Double { variant["InitialVariantWeight"]?.number ?? 1 }

  // MARK: Endpoints

  func createEndpoint(_ call: Call) async throws(ControlPlaneError) -> JSON {
    let name = call.text("EndpointName")
    guard !name.isEmpty else { throw .invalid("The endpoint has no name.") }
    let config = try await existing(.endpointConfig, call.text("EndpointConfigName"), call)
    let state: JSON = [
      "EndpointConfigName": .string(config.name), "config": config.request,
      "models": try await containers(of: config.request),
    ]
    let answer = try await add(.endpoint, call, status: "Creating", state: state)
    engine.submit(.init(.endpoint, name))
    return answer
  }

  /// The current containers of the models that a configuration names, by model name.
  private func containers(of config: JSON) async throws(ControlPlaneError) -> JSON {
    var containers: [String: JSON] = [:]
    for variant in Self.variants(of: config) {
      guard let name = variant["ModelName"]?.text else { continue }
      containers[name] = try await store.find(.model, name).map { Self.container(of: $0) }
    }
    return .object(containers)
  }

  func describeEndpoint(_ call: Call) async throws(ControlPlaneError) -> JSON {
    let endpoint = try await existing(.endpoint, call.text("EndpointName"), call)
    var answer = endpoint.state.shown
    answer["EndpointName"] = .string(endpoint.name)
    answer["EndpointArn"] = .string(endpoint.arn)
    answer["EndpointStatus"] = .string(endpoint.status)
    answer["CreationTime"] = .number(endpoint.created)
    answer["LastModifiedTime"] = .number(endpoint.modified)
    if let capture = endpoint.state["config"]?["DataCaptureConfig"] {
      answer["DataCaptureConfig"] = [
        "EnableCapture": capture["EnableCapture"] ?? false,
        "CaptureStatus": .string(capture["EnableCapture"]?.isTrue ?? false ? "Started" : "Stopped"),
        "CurrentSamplingPercentage": capture["InitialSamplingPercentage"] ?? 0,
        "DestinationS3Uri": capture["DestinationS3Uri"] ?? "", "KmsKeyId": capture["KmsKeyId"] ?? "",
      ]
    }
    return answer
  }

  func listEndpoints(_ call: Call) async throws(ControlPlaneError) -> JSON {
    try await list(.endpoint, call, as: "Endpoints", ascending: false) { endpoint in
      [
        "EndpointName": .string(endpoint.name), "EndpointArn": .string(endpoint.arn),
        "CreationTime": .number(endpoint.created), "LastModifiedTime": .number(endpoint.modified),
        "EndpointStatus": .string(endpoint.status),
      ]
    }
  }

  func updateEndpoint(_ call: Call) async throws(ControlPlaneError) -> JSON {
    let config = try await existing(.endpointConfig, call.text("EndpointConfigName"), call)
    let containers = try await containers(of: config.request)
    let keeps = call.request["RetainAllVariantProperties"]?.isTrue ?? false
    let excluded = Set(
      (call.request["ExcludeRetainedVariantProperties"]?.list ?? []).compactMap {
        $0["VariantPropertyType"]?.text
      })
    return try await change(call) { endpoint in
      let wanted = endpoint.state["wanted"]?.object ?? [:]
      endpoint.state["former"] = [
        "config": endpoint.state["config"] ?? [:], "models": endpoint.state["models"] ?? [:],
        "EndpointConfigName": endpoint.state["EndpointConfigName"] ?? "",
      ]
      endpoint.state["EndpointConfigName"] = .string(config.name)
      endpoint.state["config"] = config.request
      endpoint.state["models"] = containers
      endpoint.state["wanted"] =
        keeps
        ? .object(
          wanted.mapValues { variant in
            var variant = variant
            if excluded.contains("DesiredWeight") { variant["DesiredWeight"] = nil }
            if excluded.contains("DesiredInstanceCount") { variant["DesiredInstanceCount"] = nil }
            return variant
          }) : nil
    }
  }

  func updateWeights(_ call: Call) async throws(ControlPlaneError) -> JSON {
    let changes = call.request["DesiredWeightsAndCapacities"]?.list ?? []
    return try await change(call) { endpoint in
      let names = Self.variants(of: endpoint.state["config"] ?? [:]).compactMap { $0["VariantName"]?.text }
      var wanted = endpoint.state["wanted"] ?? [:]
      for change in changes {
        let name = change["VariantName"]?.text ?? ""
        guard names.contains(name) else {
          throw ControlPlaneError.invalid("The endpoint \(endpoint.name) has no variant \(name).")
        }
        wanted[name] = (wanted[name] ?? [:]).merging(change.without("VariantName"))
      }
      endpoint.state["wanted"] = wanted
    }
  }

  /// Changes an endpoint's configuration and submits the update to the engine.
  ///
  /// - Throws: `.validation` unless the endpoint is in service.
  private func change(
    _ call: Call, _ body: @escaping @Sendable (inout Resource) throws -> Void
  ) async throws(ControlPlaneError) -> JSON {
    let name = call.text("EndpointName")
    let arn = call.arn(.endpoint, name)
    let endpoint = try await store.update(.endpoint, name) { endpoint in
      guard endpoint.status == "InService" else {
        throw ControlPlaneError.invalid(
          endpoint.status == "Failed"
            ? "Cannot update endpoint \"\(arn)\", which is in status Failed."
            : "Cannot update in-progress endpoint \"\(arn)\".")
      }
      try body(&endpoint)
      endpoint.status = "Updating"
    }
    guard let endpoint else { throw ResourceKind.endpoint.missing(arn) }
    engine.submit(.init(.endpoint, name))
    return ["EndpointArn": .string(endpoint.arn)]
  }

  func deleteEndpoint(_ call: Call) async throws(ControlPlaneError) {
    let name = call.text("EndpointName")
    let arn = call.arn(.endpoint, name)
    let endpoint = try await store.update(.endpoint, name) { endpoint in
      guard ["InService", "Failed", "OutOfService", "Deleting"].contains(endpoint.status) else {
        throw ControlPlaneError.invalid("Cannot delete in-progress endpoint \"\(arn)\".")
      }
      endpoint.status = "Deleting"
    }
    if endpoint == nil { throw ResourceKind.endpoint.missing(arn) }
    engine.submit(.init(.endpoint, name))
  }
}

extension SageMakerAPI {
  // MARK: Models

  func createModel(_ call: Call) async throws(ControlPlaneError) -> JSON {
    guard !call.text("ModelName").isEmpty else { throw .invalid("The model has no name.") }
    let (primary, several) = (call.request["PrimaryContainer"], call.request["Containers"]?.list)
    guard (primary == nil) != (several?.isEmpty ?? true) else {
      throw .invalid("You must specify exactly one of PrimaryContainer and Containers.")
    }
    guard several.map({ $0.count == 1 }) ?? true else {
      throw .invalid(
        "The model has several Containers; imrec does not support inference pipelines. Give one container.")
    }
    for container in several ?? [primary ?? [:]] {
      guard container["Image"] != nil || container["ModelPackageName"] != nil else {
        throw .invalid("Each container needs an Image (any text) or a ModelPackageName.")
      }
      if let uri = Self.modelData(of: container) { _ = try S3Location(uri: uri) }
    }
    return try await add(.model, call)
  }

  /// The S3 URI of a container's model data; nil if it has none.
  package static func modelData(of container: JSON) -> String? {
    container["ModelDataUrl"]?.text ?? container["ModelDataSource"]?["S3DataSource"]?["S3Uri"]?.text
  }

  /// The model's container; `createModel` admits exactly one.
  package static func container(of model: Resource) -> JSON {
    model.request["PrimaryContainer"] ?? model.request["Containers"]?.list?.first ?? [:]
  }
}
