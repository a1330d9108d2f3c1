import Search
import Testing

struct HyperbandTests {
  private func plan(
    _ maximum: Int, minimum: Int = 1, jobs: Int?, parallel: Int = 1, seed: Int = 4
  ) throws -> Plan {
    try Plan(
      Space([Parameter(continuous: "x", from: 0, to: 1)]), strategy: .hyperband, direction: .maximize,
      jobs: jobs,
      parallelJobs: parallel, seed: seed, resource: .init(minimum: minimum, maximum: maximum))
  }

  @Test("a round's brackets are those of the paper's table for R = 81 and eta = 3")
  func table() throws {
    let brackets = try Hyperband(plan(81, jobs: nil)).brackets(of: 81 + 34 + 15 + 8 + 5)
    let table = brackets.map { $0.rungs.map { [$0.jobs, $0.resource] } }
    #expect(
      table == [
        [[81, 1], [27, 3], [9, 9], [3, 27], [1, 81]], [[34, 3], [11, 9], [3, 27], [1, 81]],
        [[15, 9], [5, 27], [1, 81]], [[8, 27], [2, 81]], [[5, 81]],
      ])
  }

  @Test(
    "resources are rounded, stay within their bounds and grow",
    arguments: [(30, 1), (10, 2), (100, 7), (2, 1), (3, 2)])
  func resources(_ maximum: Int, _ minimum: Int) throws {
    for bracket in try Hyperband(plan(maximum, minimum: minimum, jobs: nil)).brackets(of: 200) {
      #expect(bracket.rungs.last?.resource == maximum)
      #expect(bracket.rungs.allSatisfy { $0.resource >= minimum })
      #expect(zip(bracket.rungs, bracket.rungs.dropFirst()).allSatisfy { $0.resource < $1.resource })
    }
  }

  @Test("fewer jobs than a bracket's cut it, and a rung keeps at least one")
  func cut() throws {
    let brackets = try Hyperband(plan(27, jobs: 30)).brackets(of: 30)
    #expect(
      brackets.map { $0.rungs.map { [$0.jobs, $0.resource] } }
        == [[[27, 1], [9, 3], [3, 9], [1, 27]], [[3, 3], [1, 9], [1, 27]]])
  }

  /// A search whose jobs score x, `parallel` at a time; the oldest running job ends first.
  private struct Run {
    var jobs: [Hyperband.Job] = []
    var running: [(job: Int, resource: Int)] = []
    var trained: [Int: Int] = [:]

    /// - Parameter score: of a job's index and x; `nil` fails it.
    init(_ hyperband: Hyperband, steps: Int = .max, score: (Int, Double) -> Double?) {
      var done = 0
      while done < steps {
        let step = hyperband.next(jobs)
        if step == .finished { break }
        if running.count < hyperband.plan.parallelJobs, step != .wait {
          switch step {
          case .begin(let configuration, let resource):
            running.append((jobs.count, resource))
            jobs.append(.init(configuration))
          case .resume(let job, let resource):
            running.append((job, resource))
            jobs[job].state = .running
          case .wait, .finished: break
          }
          continue
        }
        let (job, resource) = running.removeFirst()
        done += 1
        guard case .real(let x) = jobs[job].configuration.values[0], let score = score(job, x) else {
          jobs[job].state = .failed
          continue
        }
        jobs[job].scores.append(score)
        jobs[job].state = .paused
        trained[job] = resource
      }
    }

    var counts: [Int: Int] { trained.values.reduce(into: [:]) { $0[$1, default: 0] += 1 } }
  }

  @Test(
    "as many jobs end with each resource as the rungs say, alone and in parallel", arguments: [1, 2, 4, 10])
  func rungs(_ parallel: Int) throws {
    let run = Run(try Hyperband(plan(27, jobs: 27 + 12 + 6 + 4, parallel: parallel))) { _, x in x }
    #expect(run.jobs.count == 49)
    // 27-9-3-1, 12-4-1, 6-2, 4: at 1, 3, 9, 27.
    #expect(run.counts == [1: 18, 3: 6 + 8, 9: 2 + 3 + 4, 27: 1 + 1 + 2 + 4])
    #expect(run.jobs.allSatisfy { $0.state == .paused })
  }

  @Test("the best of a rung go on")
  func best() throws {
    let run = Run(try Hyperband(plan(27, jobs: 27))) { _, x in x }
    let order = run.jobs.indices.sorted { run.jobs[$0].scores[0] > run.jobs[$1].scores[0] }
    #expect(
      order.map { run.trained[$0] } == [27] + [9, 9] + Array(repeating: 3, count: 6)
        + Array(repeating: 1, count: 18))
  }

  @Test("while a rung still runs the next bracket begins, so that nobody waits before the last jobs")
  func parallel() throws {
    let hyperband = try Hyperband(plan(9, jobs: 9 + 5 + 3, parallel: 3))
    var jobs: [Hyperband.Job] = []
    for _ in 0..<9 {
      guard case .begin(let configuration, let resource) = hyperband.next(jobs) else {
        Issue.record("nine jobs begin")
        return
      }
      #expect(resource == 1)
      jobs.append(.init(configuration))
    }
    for index in 0..<8 { (jobs[index].scores, jobs[index].state) = ([Double(index)], .paused) }
    guard case .begin(let next, resource: 3) = hyperband.next(jobs) else {
      Issue.record("the first rung is not full: a job of the second bracket begins")
      return
    }
    jobs.append(.init(next))
    (jobs[8].scores, jobs[8].state) = ([-1], .paused)
    #expect(hyperband.next(jobs) == .resume(job: 7, resource: 3))
  }

  @Test("failed jobs and NaN scores are not promoted, and hold up no other job")
  func failures() throws {
    let run = Run(try Hyperband(plan(9, jobs: 9, parallel: 2))) { job, x in job < 4 ? nil : job < 7 ? .nan : x
    }
    #expect(run.jobs.count { $0.state == .failed } == 4)
    #expect(run.counts == [1: 3, 3: 1, 9: 1])
    let all = Run(try Hyperband(plan(9, jobs: 9))) { _, _ in nil }
    #expect(all.jobs.count == 9 && all.trained.isEmpty)
  }

  @Test(
    "a search goes on from the list of its jobs as if it had not been broken off", arguments: [3, 11, 20])
  func resumed(_ steps: Int) throws {
    let hyperband = try Hyperband(plan(9, jobs: 20))
    let whole = Run(hyperband) { _, x in x }
    let part = Run(hyperband, steps: steps) { _, x in x }
    let begun = Run(try Hyperband(plan(9, jobs: 20)), steps: steps) { _, x in x }
    #expect(part.jobs == begun.jobs)
    #expect(part.jobs.map(\.configuration) == Array(whole.jobs.map(\.configuration).prefix(part.jobs.count)))
    #expect(hyperband.next(whole.jobs) == .finished)
  }
}

struct MedianRuleTests {
  private let earlier = [[0.1, 0.3, 0.5], [0.2, 0.4, 0.6], [0.3, 0.5, 0.7], [0.9, 0.9]]

  @Test(
    "a job worse than the median of the averages up to its epoch is stopped",
    arguments: [
      // Averages over two epochs: 0.2, 0.3, 0.4, 0.9; over three: 0.3, 0.4, 0.5.
      ([0.9, 0.34], true), ([0.0, 0.36], false), ([0, 0, 0.39], true), ([0, 0, 0.41], false),
      ([0.9, 0.9, .nan], true),
    ])
  func judged(_ curve: [Double], _ stops: Bool) {
    #expect(MedianRule(.maximize, fewestJobs: 3).stops(curve, earlier: earlier) == stops)
    let turned = MedianRule(.minimize, fewestJobs: 3).stops(
      curve.map { -$0 }, earlier: earlier.map { $0.map { -$0 } })
    #expect(turned == stops)
  }

  @Test("as good as the median goes on")
  func equal() {
    #expect(!MedianRule(.maximize, fewestJobs: 1).stops([0, 0.5], earlier: [[0.25, 0.75]]))
    #expect(!MedianRule(.minimize, fewestJobs: 1).stops([0, 0.5], earlier: [[0.25, 0.75]]))
  }

  @Test("nobody is judged by too few jobs, in the first epoch, or without an epoch")
  func early() {
    #expect(!MedianRule(.maximize, fewestJobs: 5).stops([0, 0], earlier: earlier))
    #expect(!MedianRule(.maximize, fewestJobs: 4).stops([0, 0, 0], earlier: earlier))
    #expect(!MedianRule(.maximize, fewestJobs: 1).stops([0], earlier: earlier))
    #expect(MedianRule(.maximize, fewestJobs: 1, firstEpoch: 1).stops([0], earlier: earlier))
    #expect(!MedianRule(.maximize, fewestJobs: 1).stops([], earlier: earlier))
  }

  @Test("a job whose curve is broken has no say")
  func broken() {
    #expect(!MedianRule(.maximize, fewestJobs: 1).stops([0, 0], earlier: [[1, .nan], [.infinity, 1]]))
  }
}
