import Encodings
import S3
import Synchronization

/// Endpoints: the store says what they are to be, the host makes it so.
extension JobEngine {
  func bringAbout(endpoint name: String) async {
    guard let endpoint = try? await store.find(.endpoint, name) else { return }
    switch endpoint.status {
    case "Deleting":
      await endpoints.stop(name)
      begun.withLock { _ = $0.remove(name) }
      _ = try? await store.patiently { [store] () throws(ControlPlaneError) in
        try await store.delete(.endpoint, name) { endpoint in
          guard endpoint.status == "Deleting" else { throw ControlPlaneError(.inUse, "it is wanted again") }
        }
      }
    case "Creating", "InService", "Updating":
      // One that the former run of the service had in work is begun anew, once.
      if begun.withLock({ $0.insert(name).inserted }) {
        await start(endpoint)
      } else if endpoint.status == "Updating" {
        await update(endpoint)
      }
    default: break
    }
  }

  private func start(_ endpoint: Resource) async {
    do {
      try await endpoints.start(try plan(of: endpoint))
      await settle(endpoint, "InService")
    } catch is CancellationError {
      // The service ends.
    } catch {
      await settle(endpoint, "Failed", reason: "\(error)")
    }
  }

  private func update(_ endpoint: Resource) async {
    do {
      try await endpoints.update(try plan(of: endpoint))
      await settle(endpoint, "InService")
    } catch is CancellationError {
      // The service ends.
    } catch {
      // As it was before.
      let reason = "\(error)"
      _ = try? await store.record(.endpoint, endpoint.name) { endpoint in
        guard endpoint.status == "Updating" else { return }
        if let former = endpoint.state["former"] { endpoint.state = endpoint.state.merging(former) }
        endpoint.state["former"] = nil
        endpoint.state["FailureReason"] = .string(String(reason.prefix(1024)))
        endpoint.status = "InService"
      }
    }
  }

  private func settle(_ endpoint: Resource, _ status: String, reason: String? = nil) async {
    let time = now()
    _ = try? await store.record(.endpoint, endpoint.name) { endpoint in
      guard ["Creating", "Updating", "InService"].contains(endpoint.status) else { return }
      endpoint.status = status
      endpoint.state["former"] = nil
      endpoint.state["FailureReason"] = reason.map { .string(String($0.prefix(1024))) }
      if status == "InService" { endpoint.showVariants(at: time) }
    }
  }

  private func plan(of endpoint: Resource) throws(ControlPlaneError) -> HostedEndpoint {
    let config = endpoint.state["config"] ?? [:]
    var plan = HostedEndpoint(
      name: endpoint.name, config: endpoint.state["EndpointConfigName"]?.text ?? "", variants: [],
      dataCapture: config["DataCaptureConfig"])
    for (member, isShadow) in [("ProductionVariants", false), ("ShadowProductionVariants", true)] {
      for variant in config[member]?.list ?? [] {
        let (name, model) = (variant["VariantName"]?.text ?? "", variant["ModelName"]?.text ?? "")
        guard let container = endpoint.state["models"]?[model] else {
          throw .invalid("The model \(model) of the variant \(name) is not there any more.")
        }
        let wanted = endpoint.state["wanted"]?[name]
        plan.variants.append(
          HostedEndpoint.Variant(
            name: name, model: model,
            modelData: try SageMakerAPI.modelData(of: container).map { uri throws(ControlPlaneError) in
              try S3Location(uri: uri)
            },
            environment: (container["Environment"] ?? [:]).texts,
            weight: wanted?["DesiredWeight"]?.number ?? SageMakerAPI.weight(variant),
            instanceCount: wanted?["DesiredInstanceCount"]?.integer ?? variant["InitialInstanceCount"]?
              .integer ?? 1,
            isShadow: isShadow))
      }
    }
    return plan
  }
}

extension Resource {
  /// The variants as DescribeEndpoint shows them.
  fileprivate mutating func showVariants(at time: Double) {
    let config = state["config"] ?? [:]
    for member in ["ProductionVariants", "ShadowProductionVariants"] {
      guard let variants = config[member]?.list else {
        state[member] = nil
        continue
      }
      state[member] = .list(variants.map { shown($0, at: time) })
    }
  }

  private func shown(_ variant: JSON, at time: Double) -> JSON {
    let name = variant["VariantName"]?.text ?? ""
    let wanted = state["wanted"]?[name]
    let weight = wanted?["DesiredWeight"] ?? .number(SageMakerAPI.weight(variant))
    var shown: JSON = ["VariantName": .string(name), "CurrentWeight": weight, "DesiredWeight": weight]
    if let serverless = variant["ServerlessConfig"] {
      shown["CurrentServerlessConfig"] = serverless
    } else {
      let count = wanted?["DesiredInstanceCount"] ?? variant["InitialInstanceCount"] ?? 1
      shown["CurrentInstanceCount"] = count
      shown["DesiredInstanceCount"] = count
    }
    shown["ManagedInstanceScaling"] = variant["ManagedInstanceScaling"]
    shown["RoutingConfig"] = variant["RoutingConfig"]
    if let image = state["models"]?[variant["ModelName"]?.text ?? ""]?["Image"] {
      shown["DeployedImages"] = [
        ["SpecifiedImage": image, "ResolvedImage": image, "ResolutionTime": .number(time)]
      ]
    }
    return shown
  }
}
