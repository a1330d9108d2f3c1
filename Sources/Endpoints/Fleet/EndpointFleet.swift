import Files
import FoundationEssentials
package import HTTP
public import Inference
public import Logging
public import Metrics
public import ServiceLifecycle
import Synchronization

/// All endpoints of this machine.
///
/// Endpoints share the machine's cores (`Cores`), the loaded models (equal models are loaded once), and the
/// limits on waiting requests. An update builds a new endpoint with loaded, warmed-up models beside the old
/// one, swaps the two, and retires the old one once its last request is answered. No request is lost, and
/// none waits for a model to load.
public final class EndpointFleet: Service {
  let limits: FleetLimits
  let shelf: ModelShelf
  let capture: DataCapture
  let shadowing: Shadowing
  private let logger: Logger
  private let metrics: any MetricsFactory
  private let draw: @Sendable () -> Double
  private let table = Mutex(Table())

  private struct Table {
    var live: [ByteName: LiveEndpoint] = [:]
    /// Endpoints that are being created, updated or deleted.
    var changing: Set<ByteName> = []
    var statistics: [ByteName: [String: VariantStatistics]] = [:]
  }

  /// - Parameters:
  ///   - cores: the cores that all networks run on.
  ///   - loader: loads the models.
  ///   - store: receives captured requests.
  ///   - draw: returns a random number in 0..<1; called for each choice of a variant, capture sample or
  ///     shadow copy.
  public init(
    cores: Cores, loader: any ModelLoading = FileModelLoader(), store: any ObjectWriting,
    limits: FleetLimits = FleetLimits(), logger: Logger, metrics: any MetricsFactory = MetricsSystem.factory,
    draw: @escaping @Sendable () -> Double = { Double.random(in: 0..<1) }
  ) {
    self.limits = limits
    self.logger = logger
    self.draw = draw
    self.metrics = metrics
    shelf = ModelShelf(loader, cores: cores, limit: limits.models)
    capture = DataCapture(store, limits: limits, logger: logger)
    shadowing = Shadowing(limit: limits.shadows, logger: logger)
  }

  /// Runs data capture and shadow comparison until `end` is called or a graceful shutdown begins; then
  /// processes what is queued and returns.
  public func run() async {
    await withGracefulShutdownHandler {
      async let shadows: Void = shadowing.run()
      await capture.run()
      await shadows
    } onGracefulShutdown: {
      self.end()
    }
  }

  /// Makes `run` return once everything queued is processed.
  public func end() {
    shadowing.end()
    capture.end()
  }

  /// Creates an endpoint; returns when it answers requests.
  ///
  /// - Throws: `EndpointError`; then no part of the endpoint is left behind.
  public func create(_ plan: EndpointPlan) async throws(EndpointError) {
    try Self.check(plan)
    try begin(plan.name, isNew: true)
    defer { end(plan.name) }
    let endpoint = try await assemble(plan)
    put(endpoint)
    logger.info("endpoint in service", metadata: ["endpoint": "\(plan.name)"])
  }

  /// Replaces an endpoint's plan; returns when the new variants answer requests and the old ones have been
  /// retired. The old variants keep answering until the new ones are warmed up, and also if a new one cannot
  /// be loaded.
  ///
  /// - Parameter retainsWeights: variants that are in both plans keep their current weights and instance
  ///   counts.
  /// - Throws: `EndpointError`; then the endpoint is unchanged.
  public func update(_ plan: EndpointPlan, retainsWeights: Bool = false) async throws(EndpointError) {
    try Self.check(plan)
    try begin(plan.name, isNew: false)
    defer { end(plan.name) }
    let fresh = try await assemble(plan)
    if retainsWeights, let old = live(plan.name) { Self.copySettings(from: old, to: fresh) }
    if let old = put(fresh) { await retire(old) }
    logger.info("endpoint updated", metadata: ["endpoint": "\(plan.name)"])
  }

  /// Deletes an endpoint; returns when its last request is answered.
  ///
  /// - Throws: `EndpointError` if there is no such endpoint or it is being changed.
  public func delete(_ name: String) async throws(EndpointError) {
    try begin(name, isNew: false)
    defer { end(name) }
    let old = table.withLock { table in
      table.statistics[ByteName(name)] = nil
      return table.live.removeValue(forKey: ByteName(name))
    }
    if let old { await retire(old) }
    capture.flush(name)
    logger.info("endpoint deleted", metadata: ["endpoint": "\(name)"])
  }

  /// Applies an UpdateEndpointWeightsAndCapacities request: either all changes or none.
  ///
  /// - Throws: `EndpointError` if the endpoint or a variant does not exist, or a weight is invalid.
  public func apply(_ changes: [VariantChange], to name: String) throws(EndpointError) {
    guard let endpoint = live(name) else { throw Self.unknown(name) }
    var found: [(LiveVariant, VariantChange)] = []
    for change in changes {
      guard let variant = endpoint.variants.first(where: { $0.plan.name == change.name }) else {
        throw EndpointError(
          .invalid, "The variant name(s) \"\(change.name)\" is/are not present within endpoint configuration."
        )
      }
      if let weight = change.weight, !(weight >= 0 && weight.isFinite) {
        throw EndpointError(
          .invalid, "the weight of variant \(change.name) is \(weight); a number of at least 0 is expected")
      }
      found.append((variant, change))
    }
    for (variant, change) in found { variant.apply(change) }
  }

  // MARK: -

  func live(_ name: String) -> LiveEndpoint? { table.withLock { $0.live[ByteName(name)] } }
  func allLive() -> [LiveEndpoint] { table.withLock { Array($0.live.values) } }
  func isChanging(_ name: String) -> Bool { table.withLock { $0.changing.contains(ByteName(name)) } }
  var namesInMaking: [String] {
    table.withLock { table in table.changing.filter { table.live[$0] == nil }.map(\.text) }
  }
  func nextDraw() -> Double { draw() }

  /// The current endpoint, with one request admitted; the caller must call `leave` on it.
  func enter(_ name: String) throws(EndpointError) -> LiveEndpoint {
    while true {
      let (endpoint, isChanging) = table.withLock {
        ($0.live[ByteName(name)], $0.changing.contains(ByteName(name)))
      }
      guard let endpoint else {
        throw isChanging
          ? EndpointError(.notReady, "The models of endpoint \(name) are still loading.") : Self.unknown(name)
      }
      // The endpoint is being retired: look up its successor, if there is one.
      if endpoint.enter() { return endpoint }
    }
  }

  static func unknown(_ name: String) -> EndpointError {
    EndpointError(.notFound, "there is no endpoint named \(name)")
  }

  private func begin(_ name: String, isNew: Bool) throws(EndpointError) {
    let error = table.withLock { table -> EndpointError? in
      if table.changing.contains(ByteName(name)) {
        return EndpointError(.busy, "endpoint \(name) is being changed; wait until it is in service")
      }
      if isNew, table.live[ByteName(name)] != nil {
        return EndpointError(.exists, "endpoint \(name) already exists")
      }
      if !isNew, table.live[ByteName(name)] == nil { return Self.unknown(name) }
      table.changing.insert(ByteName(name))
      return nil
    }
    if let error { throw error }
  }

  /// - Returns: the endpoint that was replaced.
  @discardableResult
  private func put(_ endpoint: LiveEndpoint) -> LiveEndpoint? {
    table.withLock { table in
      table.statistics[ByteName(endpoint.plan.name)] = Dictionary(
        (endpoint.variants + endpoint.shadows).map { ($0.plan.name, $0.statistics) }
      ) { $1 }
      return table.live.updateValue(endpoint, forKey: ByteName(endpoint.plan.name))
    }
  }

  private func end(_ name: String) { _ = table.withLock { $0.changing.remove(ByteName(name)) } }

  private static func check(_ plan: EndpointPlan) throws(EndpointError) {
    let all = plan.variants + plan.shadowVariants
    guard !plan.variants.isEmpty else {
      throw EndpointError(.invalid, "endpoint \(plan.name) has no variants; at least one is expected")
    }
    guard Set(all.map(\.name)).count == all.count else {
      throw EndpointError(.invalid, "two variants of endpoint \(plan.name) have the same name")
    }
    guard all.allSatisfy({ $0.weight >= 0 && $0.weight.isFinite }) else {
      throw EndpointError(
        .invalid, "a variant of endpoint \(plan.name) has a weight that is not a number of at least 0")
    }
  }

  private static func copySettings(from old: LiveEndpoint, to fresh: LiveEndpoint) {
    for variant in fresh.variants {
      guard let before = old.variants.first(where: { $0.plan.name == variant.plan.name }) else { continue }
      variant.apply(
        VariantChange(
          name: variant.plan.name, weight: before.weight, instanceCount: before.instanceCount))
    }
  }

  /// Loads all models of a plan; if one fails, releases those already loaded.
  private func assemble(_ plan: EndpointPlan) async throws(EndpointError) -> LiveEndpoint {
    var taken: [ModelPlan.Key] = []
    do throws(EndpointError) {
      var variants: [LiveVariant] = []
      var shadows: [LiveVariant] = []
      for (index, variant) in (plan.variants + plan.shadowVariants).enumerated() {
        let isShadow = index >= plan.variants.count
        let classifier = try await shelf.take(variant.model)
        taken.append(variant.model.key)
        var limits = ClassifyingQueue.Limits()
        limits.waiting = self.limits.waiting
        if isShadow {
          limits.urgency = .spare
          limits.batch = 4
        }
        let live = LiveVariant(
          variant, queue: ClassifyingQueue(classifier, limits: limits),
          statistics: statistics(plan.name, variant.name),
          meters: VariantMeters(endpoint: plan.name, variant: variant.name, metrics))
        if isShadow { shadows.append(live) } else { variants.append(live) }
      }
      return LiveEndpoint(plan, variants: variants, shadows: shadows)
    } catch {
      for key in taken { await shelf.giveBack(key) }
      throw error
    }
  }

  private func statistics(_ endpoint: String, _ variant: String) -> VariantStatistics {
    table.withLock { $0.statistics[ByteName(endpoint)]?[variant] } ?? VariantStatistics()
  }

  private func retire(_ old: LiveEndpoint) async {
    await old.drain()
    for variant in old.variants + old.shadows { await shelf.giveBack(variant.plan.model.key) }
  }
}

/// The parts of an InvokeEndpoint request other than its image.
package struct InvocationDetails: Sendable {
  /// The variant that the client asks for; nil: chosen by weight.
  package var targetVariant: String?
  /// Returned to the client and captured, otherwise unused.
  package var customAttributes: String?
  /// Captured, otherwise unused.
  package var inferenceID: String?
  package var contentType = "application/x-image"
  package init() {}
}

/// The response of an endpoint to one image.
package struct Invocation: Sendable {
  package let probabilities: [Float]
  /// The class name of each probability; nil if the model has none.
  package let classes: [String]?
  /// The name of the variant that answered.
  package let variant: String
  package let body: [UInt8]
  package let contentType: String
  fileprivate let afterwards: @Sendable () -> Void

  /// Must be called exactly once, after the response has been sent; starts shadow comparison and data capture.
  package func isOnItsWay() { afterwards() }
}

extension EndpointFleet {
  /// Classifies one image with a variant of the endpoint.
  ///
  /// - Parameter client: if the client disconnects before the image is processed, the image is dropped.
  /// - Throws: `EndpointError` if there is no such endpoint or variant, or the endpoint is still loading;
  ///   `ImageRequest.Refusal` if the image cannot be classified.
  package func invoke(
    _ name: String, _ received: ImageRequest, _ details: InvocationDetails, from client: ClientPresence?
  ) async throws -> Invocation {
    let endpoint = try enter(name)
    defer { endpoint.leave() }
    let variant = try endpoint.variant(details.targetVariant, draw: nextDraw())
    let start = ContinuousClock.now
    let probabilities: [Float]
    do throws(ImageRequest.Refusal) {
      probabilities = try await received.classify(
        with: variant.queue, waitingTime: limits.waitingTime, for: client)
    } catch {
      variant.count(error)
      throw error
    }
    let time = ContinuousClock.now - start
    variant.statistics.update { counts in
      counts.answered += 1
      counts.latency.record(time)
    }
    variant.meters.answered(in: time)
    let body = received.format.text(probabilities, classes: variant.queue.classifier.classes)
    let contentType = received.format.mediaType
    return Invocation(
      probabilities: probabilities, classes: variant.queue.classifier.classes, variant: variant.plan.name,
      body: body, contentType: contentType
    ) { [image = received.image] in
      self.copy(image, probabilities, of: endpoint, variant)
      self.sample(image, body, contentType, details, of: endpoint, variant)
    }
  }

  private func copy(
    _ image: [UInt8], _ probabilities: [Float], of endpoint: LiveEndpoint, _ variant: LiveVariant
  ) {
    for shadow in endpoint.shadows where nextDraw() < endpoint.share(of: shadow) {
      shadowing.take(
        .init(
          endpoint: endpoint.plan.name, variant: shadow, image: image, production: variant.plan.name,
          probabilities: probabilities))
    }
  }

  private func sample(
    _ image: [UInt8], _ body: [UInt8], _ contentType: String, _ details: InvocationDetails,
    of endpoint: LiveEndpoint, _ variant: LiveVariant
  ) {
    guard let plan = endpoint.plan.capture, plan.isEnabled,
      nextDraw() * 100 < Double(plan.samplingPercentage)
    else { return }
    capture.take(
      CaptureRecord(
        input: plan.capturesInput ? .init(contentType: details.contentType, data: image) : nil,
        output: plan.capturesOutput ? .init(contentType: contentType, data: body) : nil,
        customAttributes: details.customAttributes, inferenceID: details.inferenceID,
        eventID: UUID().uuidString.lowercased(), time: Date()),
      plan, endpoint: endpoint.plan.name, variant: variant.plan.name)
  }
}

extension LiveVariant {
  fileprivate func count(_ refusal: ImageRequest.Refusal) {
    switch refusal.reason {
    case .client, .gone:
      statistics.update { $0.clientErrors += 1 }
      meters.count(.clientError)
    case .model, .late:
      statistics.update { $0.serverErrors += 1 }
      meters.count(.modelError)
    case .busy:
      statistics.update { $0.refused += 1 }
      meters.count(.refused)
    }
  }
}

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
