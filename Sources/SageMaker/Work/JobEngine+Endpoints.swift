public import Encodings
public import S3
import Synchronization

/// Reconciliation of endpoints: the store holds the desired state, and the host is brought to it.
extension JobEngine {
  /// Brings the host to the state that the store has for an endpoint.
  func bringAbout(endpoint name: String) async {
    guard let endpoint = try? await store.find(.endpoint, name) else { return }
    switch endpoint.status {
    case "Deleting":
      await endpoints.stop(name)
      begun.withLock { _ = $0.remove(name) }
      _ = try? await store.patiently { [store] () throws(ControlPlaneError) in
        try await store.delete(.endpoint, name) { endpoint in
          guard endpoint.status == "Deleting" else {
            throw ControlPlaneError(.inUse, "the endpoint is no longer being deleted")
          }
        }
      }
    case "Creating", "InService", "Updating":
      // The first time after a start of the service, the host does not have the endpoint yet, whatever its status.
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
      // The service is shutting down; the next start tries again.
    } catch {
      await settle(endpoint, "Failed", reason: "\(error)")
    }
  }

  private func update(_ endpoint: Resource) async {
    do {
      try await endpoints.update(try plan(of: endpoint))
      await settle(endpoint, "InService")
    } catch is CancellationError {
      // The service is shutting down; the next start tries again.
    } catch {
      // Roll back to the previous configuration.
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

  /// Records the outcome of a start or an update, unless the endpoint is being deleted.
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

  /// The desired state of an endpoint, from its configuration and the changes to its weights and instance counts.
  private func plan(of endpoint: Resource) throws(ControlPlaneError) -> HostedEndpoint {
    let config = endpoint.state["config"] ?? [:]
    var plan = HostedEndpoint(
      name: endpoint.name, config: endpoint.state["EndpointConfigName"]?.text ?? "", variants: [],
      dataCapture: config["DataCaptureConfig"])
    for (member, isShadow) in [("ProductionVariants", false), ("ShadowProductionVariants", true)] {
      for variant in config[member]?.list ?? [] {
        let (name, model) = (variant["VariantName"]?.text ?? "", variant["ModelName"]?.text ?? "")
        guard let container = endpoint.state["models"]?[model] else {
          throw .invalid("The model \(model) of the variant \(name) does not exist any more.")
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
  /// Sets the summaries of the variants that DescribeEndpoint returns.
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

/// Serves endpoints. The control plane stores their configuration; the host loads the models and answers requests.
public protocol EndpointHost: Sendable {
  /// Loads an endpoint's models and returns once it can answer requests. Called for new endpoints and, after a restart, for
  /// all of them.
  ///
  /// - Throws: an error whose description becomes the endpoint's FailureReason.
  func start(_ endpoint: HostedEndpoint) async throws

  /// Switches an endpoint to other variants without dropping a request.
  ///
  /// - Throws: as `start`; the previous variants then still serve.
  func update(_ endpoint: HostedEndpoint) async throws

  /// Finishes the requests in progress and unloads the models.
  func stop(_ name: String) async
}

/// The desired state of an endpoint.
public struct HostedEndpoint: Hashable, Sendable {
  /// A production or shadow variant.
  public struct Variant: Hashable, Sendable {
    public var name: String
    public var model: String
    /// The model's model.tar.gz, or the prefix of its uncompressed files; nil if the model has no data.
    public var modelData: S3Location?
    public var environment: [String: String]
    /// The share of requests that the variant gets, relative to the weights of the others.
    public var weight: Double
    public var instanceCount: Int
    /// Whether this is a shadow variant: it gets copies of requests, and its responses are compared but never returned.
    public var isShadow: Bool
  }
  public var name: String
  /// The name of the endpoint configuration.
  public var config: String
  public var variants: [Variant]
  /// DataCaptureConfig of the endpoint configuration; nil if it has none.
  public var dataCapture: JSON?
}

/// A host that serves nothing, for a control plane without a runtime API: endpoints become InService, but do not answer.
public struct NoEndpointHost: EndpointHost {
  public init() {}
  public func start(_ endpoint: HostedEndpoint) async throws {}
  public func update(_ endpoint: HostedEndpoint) async throws {}
  public func stop(_ name: String) async {}
}
