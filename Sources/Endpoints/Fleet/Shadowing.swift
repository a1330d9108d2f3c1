import HTTP
import Inference
import Logging
import Synchronization

/// How a shadow variant's answers compare with those that were given.
public struct ShadowCounts: Sendable, Hashable {
  /// Both models answered.
  public var compared = 0
  /// Of those, the class of the highest probability was the same.
  public var agreed = 0
  /// Of a class's probability, over all that were compared.
  public var largestDifference: Float = 0
  /// The shadow model could not answer.
  public var failed = 0
  /// Copies for which there was no room.
  public var dropped = 0
  public init() {}

  mutating func add(_ production: [Float], _ shadow: [Float]) -> Float {
    compared += 1
    // Networks of other classes are compared as far as they go.
    if firstOfMost(production) == firstOfMost(shadow), production.count == shadow.count { agreed += 1 }
    let difference = zip(production, shadow).reduce(Float(0)) { max($0, abs($1.0 - $1.1)) }
    largestDifference = max(largestDifference, difference)
    return difference
  }
}

private func firstOfMost(_ values: [Float]) -> Int? {
  values.indices.max { values[$0] < values[$1] || (values[$0] == values[$1] && $0 > $1) }
}

/// Gives shadow variants copies of requests after the answer is on its way.
///
/// Never slows production: a copy waits in a bounded queue, or is dropped and counted where that is full, and its batch
/// is run only while no image of production waits for the cores.
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

  /// Copies that are compared at once: they share a batch, small, for production waits while it is run.
  private static let width = 4

  /// - Parameter limit: copies that wait.
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

  /// Compares until it is ended and nothing waits.
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

  /// Takes no more; `run` returns when what waits is done.
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
