import Synchronization
import Testing

@testable import Files

@Suite("The ordered pipeline")
struct InOrderTests {
  @Test("hands results over in the order of the inputs", arguments: [1, 2, 3, 8])
  func order(width: Int) async throws {
    var next = 0
    var taken: [Int] = []
    try await inOrder(width: width) { () -> Int? in
      next += 1
      return next <= 500 ? next : nil
    } work: { number in
      // Uneven work, so that results come out of order.
      var sum = 0
      for value in 0..<((number * 7919) % 2000) { sum &+= value }
      return (number, sum)
    } take: {
      taken.append($0.0)
    }
    #expect(taken == Array(1...500))
  }

  @Test("starts no more inputs than the window holds while one is slow")
  func window() async throws {
    let started = Mutex(0)
    let slowMayEnd = Atomic(false)
    var next = 0
    var most = 0
    var taken = 0
    try await inOrder(width: 2, window: 6) { () -> Int? in
      next += 1
      most = max(most, next - taken)
      if next == 7 { slowMayEnd.store(true, ordering: .releasing) }
      return next <= 100 ? next : nil
    } work: { number in
      started.withLock { $0 += 1 }
      if number == 1 {
        // The first result is held back until the window is full: the sixth input is then in work.
        while started.withLock({ $0 }) < 6 {}
      }
      return number
    } take: { _ in
      taken += 1
    }
    #expect(taken == 100)
    #expect(most <= 7)
  }

  @Test("ends with the first error of the work, and takes nothing after it")
  func failure() async throws {
    struct Broken: Error {}
    var next = 0
    var taken: [Int] = []
    await #expect(throws: Broken.self) {
      try await inOrder(width: 4) { () -> Int? in
        next += 1
        return next
      } work: { number in
        if number == 20 { throw Broken() }
        return number
      } take: {
        taken.append($0)
      }
    }
    #expect(taken == Array(1..<(taken.count + 1)))
    #expect(taken.count < 20)
  }

  @Test("ends when its task is cancelled")
  func cancellation() async throws {
    let task = Task {
      var next = 0
      try await inOrder(width: 2) { () -> Int? in
        next += 1
        return next
      } work: {
        $0
      } take: { _ in
      }
    }
    task.cancel()
    await #expect(throws: CancellationError.self) { try await task.value }
  }

  @Test("does nothing for no input")
  func empty() async throws {
    try await inOrder(width: 3) { () -> Int? in
      nil
    } work: {
      $0
    } take: { _ in
      Issue.record("nothing to take")
    }
  }
}
