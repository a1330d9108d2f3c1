import Dispatch
import Imaging
import InferenceTestSupport
import Networks
import Synchronization
import TestSupport
import Testing

@testable import Inference

@Suite("The queue in front of a network")
struct ClassifyingQueueTests {
  private let later = ContinuousClock.now + .seconds(600)

  @Test("batches waiting requests, in order")
  func batching() async throws {
    let gate = Gate()
    let network = StubNetwork { _ in gate.pass() }
    var limits = ClassifyingQueue.Limits()
    limits.batch = 4
    let queue = ClassifyingQueue(try makeClassifier(network), limits: limits)
    var tickets = [try queue.submit(try jpeg(seed: 1), deadline: later)]
    gate.waitForRun()
    for seed in 2...7 { tickets.append(try queue.submit(try jpeg(seed: seed), deadline: later)) }
    #expect(queue.waitingCount == 6)
    gate.open()
    let expected = try makeClassifier(StubNetwork())
    for (index, ticket) in tickets.enumerated() {
      #expect(try await ticket.probabilities() == expected.classifyHere([jpeg(seed: index + 1)])[0].get())
    }
    #expect(network.batches == [1, 4, 2])
    #expect(queue.statistics.images == 7 && queue.statistics.largestBatch == 4)
    #expect(queue.statistics.longestLatency > .zero)
  }

  @Test("refuses requests beyond its capacity, and accepts more once there is room")
  func full() async throws {
    let gate = Gate()
    var limits = ClassifyingQueue.Limits()
    limits.waiting = 2
    let queue = ClassifyingQueue(try makeClassifier(StubNetwork { _ in gate.pass() }), limits: limits)
    let image = try jpeg()
    var tickets = [try queue.submit(image, deadline: later)]
    gate.waitForRun()
    for _ in 0..<2 { tickets.append(try queue.submit(image, deadline: later)) }
    #expect(throws: ClassifyingQueue.Refusal.full) { try queue.submit(image, deadline: later) }
    gate.open()
    for ticket in tickets { _ = try await ticket.probabilities() }
    _ = try await queue.submit(image, deadline: later).probabilities()
    #expect(queue.statistics.refused == 1 && queue.statistics.images == 4)
  }

  @Test("a small image waits for one batch of large ones, not for all of them")
  func largeImages() async throws {
    let gate = Gate()
    let network = StubNetwork { _ in gate.pass() }
    var limits = ClassifyingQueue.Limits()
    limits.batchPixels = 6_000_000
    let queue = ClassifyingQueue(try makeClassifier(network), limits: limits)
    let (small, large) = (try jpeg(), try bigPNG())
    #expect(
      WaitingImages.cost(of: large) > WaitingImages.expensiveCost && WaitingImages.cost(of: [1, 2, 3]) == 0)
    var tickets = [try queue.submit(small, deadline: later)]
    gate.waitForRun()
    for _ in 0..<5 { tickets.append(try queue.submit(large, deadline: later)) }
    tickets.append(try queue.submit(small, deadline: later))
    gate.open()
    for ticket in tickets { _ = try await ticket.probabilities() }
    // Two of 5.3 million pixels are what two threads decode at once; the small one comes after the first two.
    #expect(network.batches == [1, 2, 1, 2, 1])
  }

  @Test("clients take turns: one that sends many does not block the others")
  func turns() {
    var waiting = WaitingImages()
    func add(_ client: String) { waiting.add(.init([], from: client, deadline: later)) }
    for _ in 0..<4 { add("a") }
    add("b")
    // Names are bytes: these two are equal for Swift's String.
    add("\u{e9}")
    add("e\u{301}")
    var order: [String] = []
    waiting.beginBatch()
    while let ticket = waiting.take(costing: .max) { order.append(ticket.client.text) }
    #expect(
      order.map { Array($0.utf8) } == ["a", "b", "\u{e9}", "e\u{301}", "a", "a", "a"].map { Array($0.utf8) })
    #expect(waiting.count == 0)
  }

  @Test("drops abandoned and late requests before they reach the network")
  func dropping() async throws {
    let gate = Gate()
    let network = StubNetwork { _ in gate.pass() }
    let queue = ClassifyingQueue(try makeClassifier(network))
    let image = try jpeg()
    let first = try queue.submit(image, deadline: later)
    gate.waitForRun()
    let dropped = try queue.submit(image, deadline: later)
    let late = try queue.submit(image, deadline: .now)
    let last = try queue.submit(image, deadline: later)
    dropped.drop()
    await #expect(throws: ClassifyingQueue.Refusal.dropped) { try await dropped.probabilities() }
    // What is in the network already is finished.
    first.drop()
    gate.open()
    _ = try await first.probabilities()
    _ = try await last.probabilities()
    await #expect(throws: ClassifyingQueue.Refusal.late) { try await late.probabilities() }
    #expect(network.batches == [1, 1])
    #expect(queue.statistics.dropped == 1 && queue.statistics.late == 1)
  }

  @Test("loses nothing of what many callers send at once")
  func manyCallers() async throws {
    var limits = ClassifyingQueue.Limits()
    limits.waiting = 1000
    let queue = ClassifyingQueue(try makeClassifier(StubNetwork()), limits: limits)
    let images = try (1...20).map { try jpeg(seed: $0) }
    let expected = try images.map { try queue.classifier.classifyHere([$0])[0].get() }
    let wrong = try await withThrowingTaskGroup(of: Bool.self) { group in
      for number in 0..<400 {
        group.addTask {
          let ticket = try queue.submit(images[number % 20], deadline: .now + .seconds(60))
          return try await ticket.probabilities() != expected[number % 20]
        }
      }
      return try await group.reduce(0) { $0 + ($1 ? 1 : 0) }
    }
    #expect(wrong == 0 && queue.statistics.images == 400 && queue.waitingCount == 0)
  }
}

/// A PNG of 5.3 million grey pixels and few bytes.
private func bigPNG() throws -> [UInt8] {
  let samples = [UInt8](repeating: 0, count: 2300 * 2300)
  return try encode(
    try Pixels(width: 2300, height: 2300, channels: 1, samples: samples.span), as: .png(level: 1))
}

@Suite("Cores that several classifiers share")
struct CoresTests {
  @Test("run one network at a time, a batch of each in turn, and low-priority work last")
  func turns() async throws {
    let gate = Gate()
    let order = Mutex<[String]>([])
    func network(_ name: String) -> StubNetwork {
      StubNetwork { _ in
        gate.pass()
        order.withLock { $0.append(name) }
      }
    }
    let cores = Cores(Workers(count: 2))
    var limits = ClassifyingQueue.Limits()
    limits.batch = 1
    var spare = limits
    spare.urgency = .spare
    let a = ClassifyingQueue(try makeClassifier(network("a"), cores: cores), limits: limits)
    let b = ClassifyingQueue(try makeClassifier(network("b"), cores: cores), limits: limits)
    let shadow = ClassifyingQueue(try makeClassifier(network("shadow"), cores: cores), limits: spare)
    let file = try jpeg()
    var tickets = [try a.submit(file, deadline: .now + .seconds(60))]
    gate.waitForRun()
    for _ in 0..<2 { tickets.append(try shadow.submit(file, deadline: .now + .seconds(60))) }
    for _ in 0..<2 { tickets.append(try a.submit(file, deadline: .now + .seconds(60))) }
    for _ in 0..<2 { tickets.append(try b.submit(file, deadline: .now + .seconds(60))) }
    gate.open()
    for ticket in tickets { _ = try await ticket.probabilities() }
    #expect(order.withLock { $0 } == ["a", "b", "a", "b", "a", "shadow", "shadow"])
  }
}
