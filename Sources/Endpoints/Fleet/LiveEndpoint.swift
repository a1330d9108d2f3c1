import Encodings
import Files
import HTTP
import Inference
import Metrics
import Synchronization

/// A running endpoint: its variants with their models, and the count of requests in progress.
///
/// An update creates a new one; the old one is drained and released.
final class LiveEndpoint: Sendable {
  let plan: EndpointPlan
  let variants: [LiveVariant]
  let shadows: [LiveVariant]
  private let state = Mutex(State())

  private struct State {
    var inWork = 0
    var isEnding = false
    var waiter: CheckedContinuation<Void, Never>?
  }

  init(_ plan: EndpointPlan, variants: [LiveVariant], shadows: [LiveVariant]) {
    self.plan = plan
    self.variants = variants
    self.shadows = shadows
  }

  /// Chooses the variant for a request.
  ///
  /// - Parameters:
  ///   - target: the variant that the client asked for; nil: choose by weight.
  ///   - draw: a random number in 0..<1.
  /// - Throws: `.invalid` if the target does not exist.
  func variant(_ target: String?, draw: Double) throws(EndpointError) -> LiveVariant {
    if let target {
      guard let found = variants.first(where: { hasSameBytes($0.plan.name, target) }) else {
        throw EndpointError(.invalid, "Variant \(shown(target)) not found for Request.")
      }
      return found
    }
    let weights = variants.map(\.weight)
    let sum = weights.reduce(0, +)
    var rest = draw * sum
    for (variant, weight) in zip(variants, weights) where weight > 0 {
      if rest < weight { return variant }
      rest -= weight
    }
    // Reached by rounding, or if all weights are 0, in which case the first variant serves.
    guard let last = variants.indices.last(where: { weights[$0] > 0 }).map({ variants[$0] }) ?? variants.first
    else {
      throw EndpointError(.invalid, "endpoint \(plan.name) has no variants")
    }
    return last
  }

  /// The fraction of requests, 0...1, that a shadow variant receives copies of.
  func share(of shadow: LiveVariant) -> Double {
    let sum = variants.reduce(0) { $0 + $1.weight }
    return sum > 0 ? min(1, shadow.weight / sum) : min(1, shadow.weight)
  }

  /// Admits a request; `false` if this endpoint is draining and its successor must take the request.
  func enter() -> Bool {
    state.withLock { state in
      if state.isEnding { return false }
      state.inWork += 1
      return true
    }
  }

  func leave() {
    let waiter = state.withLock { state -> CheckedContinuation<Void, Never>? in
      state.inWork -= 1
      guard state.inWork == 0, state.isEnding else { return nil }
      defer { state.waiter = nil }
      return state.waiter
    }
    waiter?.resume()
  }

  /// Stops admitting requests and waits until those in progress are answered. Must be called only once.
  func drain() async {
    await withCheckedContinuation { continuation in
      let isEmpty = state.withLock { state in
        state.isEnding = true
        if state.inWork == 0 { return true }
        state.waiter = continuation
        return false
      }
      if isEmpty { continuation.resume() }
    }
  }
}

/// A running variant: its plan, queue, and current weight.
final class LiveVariant: Sendable {
  let plan: VariantPlan
  let queue: ClassifyingQueue
  let statistics: VariantStatistics
  let meters: VariantMeters
  private let settings: Mutex<(weight: Double, instanceCount: Int)>

  init(
    _ plan: VariantPlan, queue: ClassifyingQueue, statistics: VariantStatistics, meters: VariantMeters
  ) {
    self.plan = plan
    self.queue = queue
    self.statistics = statistics
    self.meters = meters
    settings = Mutex((plan.weight, plan.instanceCount))
  }

  var weight: Double { settings.withLock { $0.weight } }
  var instanceCount: Int { settings.withLock { $0.instanceCount } }

  func apply(_ change: VariantChange) {
    settings.withLock { settings in
      if let weight = change.weight { settings.weight = weight }
      if let count = change.instanceCount { settings.instanceCount = count }
    }
  }
}

/// A variant's counters in the server's metrics.
struct VariantMeters: Sendable {
  private let outcomes: [Outcome: Counter]
  private let latency: Timer

  enum Outcome: String, CaseIterable {
    case answered, refused
    case clientError = "client_error"
    case modelError = "model_error"
  }

  init(endpoint: String, variant: String, _ factory: any MetricsFactory) {
    let names = [("endpoint", endpoint), ("variant", variant)]
    outcomes = Dictionary(
      uniqueKeysWithValues: Outcome.allCases.map {
        (
          $0,
          Counter(
            label: "imrec_invocations", dimensions: names + [("outcome", $0.rawValue)], factory: factory)
        )
      })
    latency = Timer(label: "imrec_invocation_seconds", dimensions: names, factory: factory)
  }

  func count(_ outcome: Outcome) { outcomes[outcome]?.increment() }

  func answered(in time: Duration) {
    count(.answered)
    latency.recordNanoseconds(Int64(exactly: (time / .nanoseconds(1)).rounded()) ?? .max)
  }
}

/// Counts a variant's requests by outcome. An update that keeps the variant's name keeps its counts.
final class VariantStatistics: Sendable {
  struct Counts: Sendable, Hashable {
    var answered = 0
    /// Requests refused because of what the client sent.
    var clientErrors = 0
    /// Requests that failed because of the model or the server.
    var serverErrors = 0
    /// Requests refused because too many were waiting.
    var refused = 0
    /// Latencies of answered requests, measured from the end of the request body.
    var latency = LatencyHistogram()
    var shadow = ShadowCounts()
  }
  private let counts = Mutex(Counts())

  var now: Counts { counts.withLock { $0 } }

  func update(_ body: (inout Counts) -> Void) { counts.withLock { body(&$0) } }
}

/// Request latencies in fixed buckets, ten per power of ten from 0.1 ms to 100 s. Memory and time do not grow
/// with the number of requests. A quantile is accurate to one bucket, 26 %.
public struct LatencyHistogram: Hashable, Sendable {
  /// Counts by bucket; the last bucket is for everything longer than 100 s.
  private var counts = [Int](repeating: 0, count: bounds.count + 1)
  public private(set) var count = 0
  /// The sum of all latencies.
  public private(set) var total = Duration.zero
  public private(set) var longest = Duration.zero

  public init() {}

  /// The upper bounds of the buckets, in seconds.
  static let bounds: [Double] = (0...60).map { step in
    var value = 1e-4
    for _ in 0..<step / 10 { value *= 10 }
    return value * tenths[step % 10]
  }
  /// 10^(n/10)
  private static let tenths = [
    1, 1.258_925_411_794_167_2, 1.584_893_192_461_113_5, 1.995_262_314_968_879_6, 2.511_886_431_509_580_1,
    3.162_277_660_168_379_4, 3.981_071_705_534_972_5, 5.011_872_336_272_722, 6.309_573_444_801_932,
    7.943_282_347_242_815,
  ]

  /// Counts one latency; O(log buckets).
  public mutating func record(_ latency: Duration) {
    counts[Self.step(of: latency / .seconds(1))] += 1
    count += 1
    total += latency
    longest = max(longest, latency)
  }

  /// The index of the bucket that a latency, in seconds, belongs to.
  static func step(of seconds: Double) -> Int {
    var (low, high) = (0, bounds.count)
    while low < high {
      let middle = (low + high) / 2
      if bounds[middle] < seconds { low = middle + 1 } else { high = middle }
    }
    return low
  }

  /// The latency that a given share of the requests did not exceed; nil if nothing was recorded.
  ///
  /// - Parameter share: 0...1.
  public func quantile(_ share: Double) -> Duration? {
    guard count > 0 else { return nil }
    let wanted = max(1, Int(exactly: (share * Double(count)).rounded(.up)) ?? count)
    var seen = 0
    for (step, number) in counts.enumerated() {
      seen += number
      if seen >= wanted {
        return step < Self.bounds.count ? min(longest, .seconds(Self.bounds[step])) : longest
      }
    }
    return longest
  }

  /// The mean latency; nil if nothing was recorded.
  public var mean: Duration? { count > 0 ? total / count : nil }
}
