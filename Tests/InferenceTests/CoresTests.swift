import Inference
import InferenceTestSupport
import Networks
import Synchronization
import TestSupport
import Testing

@Suite("Cores that several classifiers share")
struct CoresTests {
  @Test("run one network at a time, a batch of each in turn, and spare work last")
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
