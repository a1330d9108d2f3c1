import Files
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
