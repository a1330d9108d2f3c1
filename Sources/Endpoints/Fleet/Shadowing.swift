import HTTP
import Inference
import Logging
import Synchronization

/// How a shadow variant's answers compare with those of the production variants.
public struct ShadowCounts: Sendable, Hashable {
  /// Requests that both models answered.
  public var compared = 0
  /// Compared requests in which both models have the same most probable class.
  public var agreed = 0
  /// The largest difference of any class's probability over all compared requests.
  public var largestDifference: Float = 0
  /// Copies that the shadow model could not answer.
  public var failed = 0
  /// Copies dropped because the queue was full.
  public var dropped = 0
  public init() {}

  mutating func add(_ production: [Float], _ shadow: [Float]) -> Float {
    compared += 1
    // If the models have different numbers of classes, the common ones are compared.
    if firstOfMost(production) == firstOfMost(shadow), production.count == shadow.count { agreed += 1 }
    let difference = zip(production, shadow).reduce(Float(0)) { max($0, abs($1.0 - $1.1)) }
    largestDifference = max(largestDifference, difference)
    return difference
  }
}

private func firstOfMost(_ values: [Float]) -> Int? {
  values.indices.max { values[$0] < values[$1] || (values[$0] == values[$1] && $0 > $1) }
}

/// Sends shadow variants copies of requests after the client has its response.
///
/// Never slows production down: a copy waits in a bounded queue, or is dropped and counted if the queue is
/// full; and shadow batches run only while no production image waits for the cores.
final class Shadowing: Sendable {
  struct Copy: Sendable {
    let endpoint: String
    let variant: LiveVariant
    let image: [UInt8]
    let production: String
    let probabilities: [Float]
  }
  private let copies: AsyncStream<Copy>
  private let source: AsyncStream<Copy>.Continuation
  private let bytes: ReceivedBytes
  private let logger: Logger
  private let done = Mutex(0)

  /// How many copies are compared at once. They form one batch, a small one, because production waits while
  /// it runs.
  private static let width = 4

  /// - Parameter limit: the maximum number of waiting copies.
  init(limit: Int, logger: Logger) {
    (copies, source) = AsyncStream.makeStream(bufferingPolicy: .bufferingOldest(max(1, limit)))
    bytes = ReceivedBytes(limit: 64 << 20)
    self.logger = logger
  }

  func take(_ copy: Copy) {
    guard bytes.take(copy.image.count) else { return drop(copy) }
    if case .enqueued = source.yield(copy) { return }
    bytes.give(back: copy.image.count)
    drop(copy)
  }

  private func drop(_ copy: Copy) { copy.variant.statistics.update { $0.shadow.dropped += 1 } }

  /// Compares queued copies until `end` is called and the queue is empty.
  func run() async {
    await withTaskGroup(of: Void.self) { group in
      var inWork = 0
      for await copy in copies {
        if inWork == Self.width {
          await group.next()
          inWork -= 1
        }
        inWork += 1
        group.addTask { await self.compare(copy) }
      }
    }
  }

  /// Stops accepting copies; `run` returns once the queue is empty.
  func end() { source.finish() }

  private func compare(_ copy: Copy) async {
    defer { bytes.give(back: copy.image.count) }
    let (statistics, name) = (copy.variant.statistics, copy.variant.plan.name)
    do {
      let start = ContinuousClock.now
      let ticket = try copy.variant.queue.submit(copy.image, deadline: start + .seconds(60))
      let answer = try await ticket.probabilities()
      var difference: Float = 0
      statistics.update { counts in
        counts.answered += 1
        counts.latency.record(.now - start)
        difference = counts.shadow.add(copy.probabilities, answer)
      }
      logger.info(
        "shadow compared",
        metadata: [
          "endpoint": "\(copy.endpoint)", "variant": "\(copy.production)", "shadow": "\(name)",
          "agrees": "\(firstOfMost(answer) == firstOfMost(copy.probabilities))",
          "difference": "\(difference)",
        ])
    } catch {
      statistics.update { $0.shadow.failed += 1 }
      logger.warning(
        "shadow failed: \(error)", metadata: ["endpoint": "\(copy.endpoint)", "shadow": "\(name)"])
    }
  }
}
