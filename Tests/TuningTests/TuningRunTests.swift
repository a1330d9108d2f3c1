import Search
import Synchronization
import TestSupport
import Testing

@testable import Tuning

@Suite("A run of a tuning")
struct TuningRunTests {
  @Test("trains as many jobs as were asked for, never more at once, and finds the best", arguments: [1, 3])
  func whole(_ parallel: Int) async throws {
    let runner = StubRunner()
    let record = try await tuned(try request(jobs: 9, parallel: parallel), runner)
    #expect(record.status == .completed && record.jobs.count == 9 && record.count(.completed) == 9)
    #expect(runner.log.running.withLock { $0.most } <= parallel)
    let best = try #require(record.best { $0 > $1 })
    #expect(record.jobs.allSatisfy { ($0.score ?? 0) <= (best.score ?? 0) })
    #expect(Set(record.jobs.map(\.tuned)).count == 9, "no two are the same")
    #expect(record.jobs.map(\.curve.count).allSatisfy { $0 == 4 })
    for (index, job) in record.jobs.enumerated() {
      #expect(job.name.wholeMatch(of: /unit-00[1-9]-[0-9a-f]{8}/) != nil && job.number == index + 1)
    }
  }

  @Test("with the same seed has the same jobs", arguments: ["Random", "Bayesian"])
  func repeated(_ strategy: String) async throws {
    let runs = try await [7, 7, 8].asyncMap { seed in
      try await tuned(try request(strategy, jobs: 9, config: "\"RandomSeed\": \(seed)")).jobs.map {
        [$0.name, $0.tuned.description]
      }
    }
    #expect(runs[0] == runs[1] && runs[0] != runs[2])
  }

  @Test("broken off after any event goes on to the same jobs and values", arguments: ["Random", "Bayesian"])
  func resumed(_ strategy: String) async throws {
    let asked = try request(strategy, jobs: 4)
    let whole = try await tuned(asked)
    let kept = Mutex<[TuningRecord]>([])
    _ = try await tuned(asked, keep: { record in kept.withLock { $0.append(record) } })
    let states = kept.withLock { $0 }
    #expect(states.count > 4 * 5)
    for state in states {
      let runner = StubRunner()
      let record = try await tuned(asked, runner, from: state)
      #expect(record.jobs.map(\.name) == whole.jobs.map(\.name) && record.status == .completed)
      #expect(record.jobs.map(\.tuned) == whole.jobs.map(\.tuned))
      #expect(
        record.jobs.map(\.curve) == whole.jobs.map(\.curve)
          && record.jobs.map(\.objective) == whole.jobs.map(\.objective))
      let done = Set(state.jobs.filter { $0.status == .completed }.map(\.name))
      let orders = runner.log.orders.withLock { $0 }
      #expect(!orders.contains { done.contains($0.name) }, "no finished job is trained again")
      for order in orders where state.jobs.contains(where: { $0.name == order.name }) {
        #expect(order.resumes)
      }
    }
  }

  @Test("that is cancelled stops its jobs, and goes on with them")
  func cancelled() async throws {
    let asked = try request(jobs: 4, parallel: 2)
    var runner = StubRunner()
    runner.fate = { $0.number == 2 ? .hangs : .done }
    let hanging = runner
    let (events, next) = AsyncStream.makeStream(of: Void.self)
    let task = Task {
      try await tuned(
        asked, hanging,
        keep: { record in
          if record.count(.completed) == 3, record.jobs[1].curve.count == 4 { next.yield() }
        })
    }
    for await _ in events { break }
    task.cancel()
    let record = try await task.value
    #expect(
      record.status == .stopped && record.count(.completed) == 3 && record.jobs[1].status == .inProgress)
    let described = asked.description(of: record)
    #expect(
      described["TrainingJobs"].flatMap { list in
        if case .list(let jobs) = list { jobs[1]["TrainingJobStatus"] } else { nil }
      } == .string("Stopped"))
    let last = try await tuned(asked, from: record)
    #expect(last.status == .completed && last.count(.completed) == 4)
  }

  @Test(
    "the median rule stops jobs that do worse than most did, and only where it is asked for",
    arguments: [true, false])
  func earlyStopping(_ isAuto: Bool) async throws {
    var runner = StubRunner()
    runner.value = { order, epoch in order.number <= 5 ? 0.5 + Double(epoch) / 100 : 0.1 }
    let record = try await tuned(
      try request(jobs: 7, config: "\"TrainingJobEarlyStoppingType\": \"\(isAuto ? "Auto" : "Off")\""), runner
    )
    let stopped = record.jobs.filter(\.wasStoppedEarly)
    #expect(stopped.map(\.number) == (isAuto ? [6, 7] : []))
    #expect(stopped.allSatisfy { $0.status == .stopped && $0.curve.count == 2 && $0.score == 0.1 })
    #expect(record.status == .completed)
  }

  @Test(
    "ends when the criteria say so",
    arguments: [
      ("\"TargetObjectiveMetricValue\": 0.4", 4, "TargetObjectiveMetricValue"),
      (
        "\"BestObjectiveNotImproving\": {\"MaxNumberOfTrainingJobsNotImproving\": 3}", 8,
        "not improved in 3 jobs"
      ),
      ("\"ConvergenceDetected\": {\"CompleteOnConvergence\": \"Enabled\"}", 12, "converged"),
    ])
  func criteria(_ row: (words: String, jobs: Int, reason: String)) async throws {
    var runner = StubRunner()
    // Better and better up to the fifth job.
    runner.value = { order, _ in min(Double(order.number), 5) / 10 }
    let record = try await tuned(
      try request(jobs: 40, config: "\"TuningJobCompletionCriteria\": {\(row.words)}"), runner)
    #expect(record.status == .completed && record.jobs.count == row.jobs)
    #expect(record.completionReason?.contains(row.reason) == true)
    #expect((record.convergenceTime != nil) == row.reason.contains("converged"))
  }

  @Test("a criterion that is met stops the jobs that run")
  func criterionStops() async throws {
    var runner = StubRunner()
    runner.fate = { $0.number == 1 ? .hangs : .done }
    let record = try await tuned(
      try request(
        jobs: 9, parallel: 2, config: "\"TuningJobCompletionCriteria\": {\"TargetObjectiveMetricValue\": -9}"),
      runner)
    #expect(record.status == .completed && record.jobs.map(\.status) == [.stopped, .completed])
  }

  @Test("ends when its time is over, that of former runs counted")
  func maxRuntime() async throws {
    var runner = StubRunner()
    runner.fate = { _ in .hangs }
    let asked = try request(jobs: nil, limits: "\"MaxRuntimeInSeconds\": 120, ")
    var former = TuningRecord(asked.json)
    former.creationTime = 1
    former.runtimeSeconds = 119.5
    let record = try await tuned(asked, runner, from: former)
    #expect(
      record.status == .completed && record.jobs.map(\.status) == [.stopped] && record.runtimeSeconds >= 120)
    #expect(record.completionReason == "MaxRuntimeInSeconds was reached")
  }

  @Test("failed jobs are counted, and are no end of it")
  func someFail() async throws {
    var runner = StubRunner()
    runner.fate = { $0.number % 2 == 0 ? .fails("no room for \($0.number)") : .done }
    let record = try await tuned(try request("Bayesian", jobs: 6), runner)
    #expect(record.status == .completed && record.count(.failed) == 3)
    #expect(record.jobs[1].failureReason == "no room for 2" && record.best { $0 > $1 }?.status == .completed)
  }

  @Test("where every job fails it has failed, with the reason of the first")
  func allFail() async throws {
    var runner = StubRunner()
    runner.fate = { .fails("the disk is full: \($0.number)") }
    let asked = try request(jobs: 3)
    let record = try await tuned(asked, runner)
    #expect(record.status == .failed)
    #expect(record.failureReason?.hasPrefix("All training jobs failed. The first one, unit-001-") == true)
    #expect(record.failureReason?.hasSuffix(": the disk is full: 1") == true)
    #expect(asked.description(of: record)["BestTrainingJob"] == nil)
  }

  @Test("an objective of NaN does not count, and is never the best", arguments: ["Random", "Bayesian"])
  func notANumber(_ strategy: String) async throws {
    var runner = StubRunner()
    runner.value = { order, epoch in order.number % 2 == 0 ? .nan : Double(order.number) / 10 }
    let record = try await tuned(try request(strategy, jobs: 6), runner)
    #expect(
      record.status == .completed
        && record.jobs.map { $0.score != nil } == [true, false, true, false, true, false])
    #expect(record.best { $0 > $1 }?.number == 5)
    runner.value = { _, _ in .nan }
    #expect(
      try await tuned(try request(strategy, jobs: 2), runner).failureReason?.contains(
        "No training job reported the objective metric") == true)
  }

  @Test("smaller is better where that is asked for")
  func minimize() async throws {
    var runner = StubRunner()
    runner.value = { order, _ in Double(order.number) }
    let record = try await tuned(try request(jobs: 3, metric: "validation:loss", type: "Minimize"), runner)
    #expect(record.best { $0 < $1 }?.number == 1)
  }

  @Test("Hyperband goes on with the best of a rung, up to the largest resource")
  func hyperband() async throws {
    let runner = StubRunner()
    let asked = try request("Hyperband", jobs: 9, parallel: 2, statics: "\"epochs\": \"9\"")
    let record = try await tuned(asked, runner)
    #expect(record.status == .completed && record.jobs.count == 9)
    let first = record.jobs
    #expect(Set(first.map(\.curve.count)) == [1, 3, 9], "\(first.map(\.curve.count))")
    #expect(first.count { $0.curve.count == 9 } == 1 && first.count { $0.curve.count == 3 } == 2)
    let longest = try #require(first.first { $0.curve.count == 9 })
    #expect(longest.rungs.count == 3 && record.best { $0 > $1 }?.number == longest.number)
    // Each leg goes on where the one before it ended.
    let legs = runner.log.orders.withLock { $0 }.filter { $0.name == longest.name }
    #expect(legs.map(\.known) == [0, 1, 3] && legs.map(\.resumes) == [false, true, true])
    #expect(legs.map { $0.hyperparameters["epochs"] } == ["1", "3", "9"])
  }

  @Test("Grid tries each combination once")
  func grid() async throws {
    let record = try await tuned(
      try request(
        "Grid", jobs: nil,
        ranges:
          #""CategoricalParameterRanges": [{"Name": "optimizer", "Values": ["sgd", "nag"]}, {"Name": "learning_rate", "Values": ["0.1", "0.2", "0.3"]}]"#
      ))
    #expect(record.status == .completed && Set(record.jobs.map(\.tuned)).count == 6 && record.jobs.count == 6)
  }

  @Test("a state that cannot be written is told, tried again, and an error in the end")
  func fullDisk() async throws {
    struct Full: Error {}
    let told = Mutex(0)
    let count = Mutex(0)
    let fails: @Sendable (TuningRecord) throws -> Void = { _ in
      if count.withLock({
        $0 += 1
        return $0
      }) > 1 {
        throw Full()
      }
    }
    await #expect(throws: Full.self) {
      try await tuned(
        try request(jobs: 2), keep: fails, tell: { if case .warning = $0 { told.withLock { $0 += 1 } } })
    }
    #expect(told.withLock { $0 } == 1)
    await #expect(throws: Full.self) { try await tuned(try request(jobs: 2), keep: { _ in throw Full() }) }
  }

  @Test("names are those of the seed and the number")
  func names() {
    #expect(jobName("t", number: 7, seed: 1) == jobName("t", number: 7, seed: 1))
    #expect(jobName("t", number: 7, seed: 1) != jobName("t", number: 7, seed: 2))
    #expect(jobName("t", number: 1234, seed: 0).hasPrefix("t-1234-"))
    #expect(jobName(String(repeating: "a", count: 32), number: 750, seed: 0).utf8.count == 45)
  }
}

extension Sequence {
  func asyncMap<Result>(_ body: (Element) async throws -> Result) async rethrows -> [Result] {
    var results: [Result] = []
    for element in self { results.append(try await body(element)) }
    return results
  }
}
