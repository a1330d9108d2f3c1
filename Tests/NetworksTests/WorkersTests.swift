import Foundation
import Synchronization
import TestSupport
import Testing

@testable import Networks

/// Counts what the workers do.
private final class Marks: Sendable {
  private let state: Mutex<(parts: [Int], inWork: Set<Int>, faults: [String])>
  private let threads: Int

  init(parts: Int, threads: Int) {
    state = Mutex((Array(repeating: 0, count: parts), [], []))
    self.threads = threads
  }

  func begin(_ part: Int, _ worker: Int) {
    state.withLock { state in
      state.parts[part] += 1
      if !(0..<threads).contains(worker) { state.faults.append("worker \(worker) of \(threads)") }
      if !state.inWork.insert(worker).inserted { state.faults.append("worker \(worker) twice at once") }
    }
  }

  func end(_ worker: Int) { state.withLock { _ = $0.inWork.remove(worker) } }

  var parts: [Int] { state.withLock { $0.parts } }
  var faults: [String] { state.withLock { $0.faults } }
}

/// Who is in work for which caller.
private final class Crowd: Sendable {
  private let state: Mutex<(inWork: [Int], wasMixed: Bool)>

  init(callers: Int) { state = Mutex((Array(repeating: 0, count: callers), false)) }

  func begin(_ caller: Int) {
    state.withLock { state in
      state.inWork[caller] += 1
      if state.inWork.reduce(0, +) != state.inWork[caller] { state.wasMixed = true }
    }
  }

  func end(_ caller: Int) { state.withLock { $0.inWork[caller] -= 1 } }

  var wasMixed: Bool { state.withLock { $0.wasMixed } }
}

/// The system's number of the calling thread.
private func currentThread() -> Int {
  var path = [CChar](repeating: 0, count: 64)
  let length = readlink("/proc/thread-self", &path, path.count)
  let name = path.prefix(max(0, length)).map { UInt8(bitPattern: $0) }
  return String(decoding: name, as: UTF8.self).split(separator: "/").last.flatMap { Int($0) } ?? -1
}

/// The system's numbers of some threads.
private final class ThreadList: Sendable {
  private let numbers = Mutex(Set<Int>())

  func add() { numbers.withLock { _ = $0.insert(currentThread()) } }
  var all: Set<Int> { numbers.withLock { $0 } }
}

/// Whether it becomes true within some seconds.
private func becomesTrue(_ condition: () -> Bool) -> Bool {
  for _ in 0..<2000 {
    if condition() { return true }
    usleep(2000)
  }
  return false
}

/// The numbers of all threads that work for `workers`, the caller's own among them.
private func threads(of workers: Workers) -> Set<Int> {
  let list = ThreadList()
  let arrived = Atomic<Int>(0)
  // Nobody leaves before all are there.
  workers.forEach(workers.count) { _, _ in
    list.add()
    arrived.add(1, ordering: .sequentiallyConsistent)
    while arrived.load(ordering: .sequentiallyConsistent) < workers.count { usleep(100) }
  }
  return list.all
}

/// R, S, ... of a thread of this process; nil where there is none.
private func state(of thread: Int) -> Character? {
  guard let text = try? String(contentsOfFile: "/proc/self/task/\(thread)/stat", encoding: .utf8) else {
    return nil
  }
  return text.split(separator: ")").last?.first { $0 != " " }
}

@Suite("Workers") struct WorkersTests {
  @Test(
    "run every part exactly once, one at a time each", arguments: [1, 2, 3, 4, 7], [0, 1, 2, 3, 7, 64, 1000])
  func everyPart(_ threads: Int, _ parts: Int) {
    let workers = Workers(count: threads)
    #expect(workers.count == threads)
    for _ in 0..<3 {
      let marks = Marks(parts: parts, threads: threads)
      workers.forEach(parts) { part, worker in
        marks.begin(part, worker)
        marks.end(worker)
      }
      #expect(marks.parts == Array(repeating: 1, count: parts))
      #expect(marks.faults == [])
    }
  }

  @Test("are at least one, and do nothing for no part or fewer")
  func few() {
    #expect(Workers(count: 0).count == 1)
    #expect(Workers(count: -3).count == 1)
    #expect(Workers.coreCount >= 1)
    Workers(count: 2).forEach(-1) { _, _ in Issue.record("there is no part") }
  }

  @Test("all work at once", arguments: [2, 3, 4])
  func together(_ count: Int) {
    let workers = Workers(count: count)
    let found = threads(of: workers)
    #expect(found.count == count)
    #expect(found.contains(currentThread()))
  }

  @Test("lose none of many thousand calls", arguments: [2, 3])
  func manyCalls(_ threads: Int) {
    let workers = Workers(count: threads)
    let done = Atomic<Int>(0)
    var random = SplitMix64(seed: 6)
    var expected = 0
    for call in 0..<10_000 {
      let parts = Int.random(in: 1...4, using: &random)
      expected += parts
      workers.forEach(parts) { _, _ in done.add(1, ordering: .relaxed) }
      // Everything is done when the call returns, not later.
      if done.load(ordering: .relaxed) != expected { Issue.record("call \(call)") }
      // Now and then long enough for the others to fall asleep, or to be about to.
      if call % 200 == 0 { usleep(UInt32.random(in: 0...300, using: &random)) }
    }
    #expect(done.load(ordering: .relaxed) == expected)
  }

  @Test("see what the caller wrote before, and show what they wrote afterwards")
  func memory() {
    let workers = Workers(count: 3)
    let count = 999
    var numbers = [Int](repeating: 0, count: count)
    for call in 1...300 {
      numbers.withUnsafeMutableBufferPointer { numbers in
        nonisolated(unsafe) let numbers = numbers
        for index in numbers.indices { numbers[index] += 1 }
        workers.forEach(9) { part, _ in
          for index in part * 111..<(part + 1) * 111 { numbers[index] += 1 }
        }
      }
      #expect(numbers.allSatisfy { $0 == 2 * call })
    }
  }

  @Test("take calls from several threads, one after the other")
  func callers() async {
    let workers = Workers(count: 2)
    let crowd = Crowd(callers: 4)
    let sums = await withTaskGroup(of: Int.self) { group in
      for caller in 0..<4 {
        group.addTask {
          let sum = Atomic<Int>(0)
          for _ in 0..<200 {
            workers.forEach(5) { part, _ in
              crowd.begin(caller)
              sum.add(part, ordering: .relaxed)
              crowd.end(caller)
            }
          }
          return sum.load(ordering: .relaxed)
        }
      }
      return await group.reduce(into: [Int]()) { $0.append($1) }
    }
    #expect(sums == Array(repeating: 200 * 10, count: 4))
    #expect(!crowd.wasMixed)
  }

  @Test("sleep when nobody calls, and wake up for the next call")
  func idle() {
    let workers = Workers(count: 3)
    let helpers = threads(of: workers).subtracting([currentThread()])
    for _ in 0..<20 {
      #expect(becomesTrue { helpers.allSatisfy { state(of: $0) == "S" } })
      #expect(threads(of: workers).subtracting([currentThread()]) == helpers)
    }
  }

  @Test("end with their owner, awake or asleep", arguments: [0, 20_000])
  func end(_ idleMicroseconds: UInt32) {
    for _ in 0..<10 {
      var workers: Workers? = Workers(count: 4)
      let helpers = workers.map { threads(of: $0).subtracting([currentThread()]) } ?? []
      #expect(helpers.count == 3)
      usleep(idleMicroseconds)
      workers = nil
      #expect(becomesTrue { helpers.allSatisfy { state(of: $0) == nil } })
    }
    // Without a single call, too.
    for count in [1, 2, 8] { _ = Workers(count: count) }
  }
}

@Suite("Buffers") struct FloatBufferTests {
  @Test("hold zeros, from a page's beginning to their end", arguments: [0, 1, 1023, 1025, 1_000_000])
  func zeros(_ count: Int) throws {
    let buffer = try FloatBuffer(count: count)
    #expect(buffer.count == count)
    #expect(Int(bitPattern: buffer.start) % 4096 == 0)
    let numbers = UnsafeMutableBufferPointer(start: buffer.start, count: count)
    #expect(numbers.indices.allSatisfy { numbers[$0] == 0 })
    numbers.update(repeating: 1)
  }

  @Test(
    "are refused where there is no such memory, with its size",
    arguments: [-1, Int.max, Int.max / 4, 1 << 50])
  func refused(_ count: Int) {
    #expect(throws: OutOfMemory.self) { try FloatBuffer(count: count) }
  }

  @Test("say what is missing")
  func words() {
    #expect(OutOfMemory(byteCount: 5 << 20).description == "could not allocate 5 MiB of memory")
    #expect(OutOfMemory(byteCount: 5 << 20 + 1).description == "could not allocate 6 MiB of memory")
  }
}
