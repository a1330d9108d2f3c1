import Inference

/// A snapshot of an endpoint's state and statistics.
public struct EndpointSummary: Sendable, Hashable {
  /// SageMaker's EndpointStatus.
  public enum State: String, Sendable, Hashable {
    case creating = "Creating"
    case inService = "InService"
    case updating = "Updating"
  }
  public var name: String
  public var configurationName: String
  public var state: State
  /// Production variants first, then shadow variants.
  public var variants: [VariantSummary] = []
  public var capture: CapturePlan?

  public init(name: String, configurationName: String, state: State) {
    self.name = name
    self.configurationName = configurationName
    self.state = state
  }
}

/// A snapshot of a variant's state and statistics.
public struct VariantSummary: Sendable, Hashable {
  public var name: String
  public var model: String
  public var isShadow = false
  /// The current weight, and the weight in the configuration.
  public var weight = 1.0, plannedWeight = 1.0
  public var instanceCount = 1, plannedInstanceCount = 1
  /// Images currently waiting.
  public var waiting = 0
  /// Requests by outcome since the variant was created: answered, wrong requests, faults of the model or the
  /// server, and refused because too many were waiting.
  public var answered = 0, clientErrors = 0, serverErrors = 0, refused = 0
  /// How long answered requests took.
  public var latency = LatencyHistogram()
  /// Only for shadow variants.
  public var shadow = ShadowCounts()

  public init(name: String, model: String) {
    self.name = name
    self.model = model
  }
}

extension EndpointFleet {
  /// The summary of one endpoint; nil if it does not exist.
  public func summary(of name: String) -> EndpointSummary? {
    guard let endpoint = live(name) else {
      return isChanging(name) ? EndpointSummary(name: name, configurationName: "", state: .creating) : nil
    }
    return summary(endpoint)
  }

  /// The summaries of all endpoints, sorted by name.
  public var summaries: [EndpointSummary] {
    let making = namesInMaking.map { EndpointSummary(name: $0, configurationName: "", state: .creating) }
    return (allLive().map { summary($0) } + making).sorted { $0.name < $1.name }
  }

  /// The counters of data capture, over all endpoints.
  public var captureCounts: CaptureCounts { capture.counts }

  private func summary(_ endpoint: LiveEndpoint) -> EndpointSummary {
    var result = EndpointSummary(
      name: endpoint.plan.name, configurationName: endpoint.plan.configurationName,
      state: isChanging(endpoint.plan.name) ? .updating : .inService)
    result.capture = endpoint.plan.capture
    result.variants =
      endpoint.variants.map { summary($0, isShadow: false) }
      + endpoint.shadows.map { summary($0, isShadow: true) }
    return result
  }

  private func summary(_ variant: LiveVariant, isShadow: Bool) -> VariantSummary {
    var result = VariantSummary(name: variant.plan.name, model: variant.plan.model.name)
    let counts = variant.statistics.now
    result.isShadow = isShadow
    (result.weight, result.plannedWeight) = (variant.weight, variant.plan.weight)
    (result.instanceCount, result.plannedInstanceCount) = (variant.instanceCount, variant.plan.instanceCount)
    result.waiting = variant.queue.waitingCount
    (result.answered, result.refused) = (counts.answered, counts.refused)
    (result.clientErrors, result.serverErrors) = (counts.clientErrors, counts.serverErrors)
    (result.latency, result.shadow) = (counts.latency, counts.shadow)
    return result
  }
}
