import Foundation
import Search
import TestSupport
import Testing

/// A learning rate, a batch and an optimizer.
func sampleSpace() throws -> Space {
  try Space([
    Parameter(continuous: "rate", from: 1e-6, to: 0.5, scaling: .logarithmic),
    Parameter(integer: "batch", from: 8, to: 64, scaling: .logarithmic),
    Parameter(categorical: "optimizer", ["sgd", "adam", "nag"]),
  ])
}

func samplePlan(
  _ strategy: Strategy, jobs: Int? = 20, parallel: Int = 1, seed: Int = 5, direction: Direction = .maximize,
  _ space: Space? = nil
) throws -> Plan {
  try Plan(
    space ?? sampleSpace(), strategy: strategy, direction: direction, jobs: jobs, parallelJobs: parallel,
    seed: seed)
}

/// Best, with 1, at a rate of 1e-2, a batch of 32 and nag.
func accuracy(_ configuration: Configuration) -> Double {
  guard case .real(let rate) = configuration.values[0], case .whole(let batch) = configuration.values[1]
  else {
    return 0
  }
  let penalty = configuration.values[2] == .choice("nag") ? 0 : 0.2
  return 1 - pow(log10(rate) + 2, 2) / 20 - pow(log2(Double(batch) / 32), 2) / 20 - penalty
}

/// A search of some jobs, each done before the next begins.
func search(
  _ plan: Plan, _ history: History = History(), jobs: Int, score: (Int, Configuration) -> Double?
) -> History {
  var history = history
  for index in 0..<jobs {
    guard let configuration = Proposer(plan).next(history) else { break }
    history.finished.append(Observation(configuration, score: score(index, configuration)))
  }
  return history
}

private func best(_ history: History) -> Double { history.finished.compactMap(\.score).max() ?? -.infinity }

struct ProposerTests {
  @Test(
    "the same seed and history give the same configurations, another seed others",
    arguments: [Strategy.random, .bayesian])
  func seeded(_ strategy: Strategy) throws {
    let runs = try [5, 5, 6].map { seed in
      search(try samplePlan(strategy, seed: seed), jobs: 9) { _, configuration in accuracy(configuration) }
    }
    #expect(runs[0] == runs[1])
    #expect(
      Set(runs[0].finished.map(\.configuration)).isDisjoint(with: runs[2].finished.map(\.configuration)))
  }

  @Test("a search that was broken off goes on with the same configurations")
  func resumed() throws {
    let plan = try samplePlan(.bayesian)
    let whole = search(plan, jobs: 10) { _, configuration in accuracy(configuration) }
    let part = History(finished: Array(whole.finished.prefix(6)))
    #expect(search(plan, part, jobs: 4) { _, configuration in accuracy(configuration) } == whole)
  }

  @Test(
    "parallel proposals never repeat one, nor come near to it", arguments: [Strategy.random, .bayesian],
    [2, 6])
  func parallel(_ strategy: Strategy, _ count: Int) throws {
    let plan = try samplePlan(strategy, parallel: count)
    var history = History()
    var all: Set<Configuration> = []
    for round in 0..<4 {
      while history.pending.count < count {
        let configuration = try #require(Proposer(plan).next(history))
        #expect(all.insert(configuration).inserted)
        history.pending.append(configuration)
      }
      for _ in 0..<max(1, count - round) {
        let configuration = history.pending.removeFirst()
        history.finished.append(Observation(configuration, score: accuracy(configuration)))
      }
    }
  }

  @Test("a running job keeps the next one away from where it is")
  func pending() throws {
    let space = try Space([Parameter(continuous: "x", from: 0, to: 1, scaling: .linear)])
    let plan = try samplePlan(.bayesian, jobs: 30, space)
    var history = History()
    for step in 0...6 {
      let x = Double(step) / 6
      history.finished.append(Observation(Configuration([.real(x)]), score: -pow(x - 0.4, 2)))
    }
    guard let one = Proposer(plan).next(history), case .real(let first) = one.values[0] else {
      Issue.record("a configuration is left")
      return
    }
    #expect(abs(first - 0.4) < 0.1)
    history.pending = [one]
    guard let other = Proposer(plan).next(history), case .real(let second) = other.values[0] else {
      Issue.record("a configuration is left")
      return
    }
    #expect(abs(second - first) > 0.005)
  }

  @Test(
    "a small space is gone through once, and then there is nothing left",
    arguments: [Strategy.random, .bayesian, .grid])
  func exhausted(_ strategy: Strategy) throws {
    let space = try Space([
      Parameter(categorical: "a", ["x", "y", "z"]), Parameter(categorical: "b", ["p", "q"]),
    ])
    let history = search(try samplePlan(strategy, jobs: nil, space), jobs: 50) { index, _ in Double(index % 3)
    }
    #expect(history.finished.count == 6)
    #expect(Set(history.finished.map(\.configuration)).count == 6)
  }

  @Test("a grid goes through all combinations, the last parameter fastest, whatever is still running")
  func grid() throws {
    let space = try Space([
      Parameter(categorical: "a", ["x", "y"]), Parameter(categorical: "b", ["p", "q"]),
    ])
    let plan = try samplePlan(.grid, jobs: 4, parallel: 2, space)
    var history = History()
    var words: [String] = []
    while let configuration = Proposer(plan).next(history) {
      words.append(configuration.values.map(\.description).joined())
      history.pending.append(configuration)
      if words.count == 2 { history.finished.append(Observation(history.pending.removeLast(), score: nil)) }
    }
    #expect(words == ["xp", "xq", "yp", "yq"])
  }

  @Test("random draws cover each parameter evenly on its scale")
  func random() throws {
    let plan = try samplePlan(.random, jobs: 600)
    var history = History()
    for _ in 0..<600 {
      history.finished.append(Observation(try #require(Proposer(plan).next(history)), score: 0))
    }
    let rates = history.finished.compactMap {
      if case .real(let rate) = $0.configuration.values[0] { rate } else { nil }
    }
    let middle = (1e-6 * 0.5).squareRoot()
    #expect((240...360).contains(rates.count { $0 < middle }))
    for word in ["sgd", "adam", "nag"] {
      #expect((150...250).contains(history.finished.count { $0.configuration.values[2] == .choice(word) }))
    }
  }
}

struct BayesianTests {
  @Test("it finds better configurations than chance does", arguments: [1, 2, 3])
  func better(_ seed: Int) throws {
    let bayesian = search(try samplePlan(.bayesian, seed: seed), jobs: 20) { accuracy($1) }
    let random = search(try samplePlan(.random, seed: seed), jobs: 20) { accuracy($1) }
    #expect(best(bayesian) > 0.98)
    #expect(best(bayesian) > best(random))
  }

  @Test("turned round it minimises")
  func minimises() throws {
    let plan = try samplePlan(.bayesian, direction: .minimize)
    let history = search(plan, jobs: 18) { -accuracy($1) }
    #expect(history.finished.compactMap(\.score).min() ?? 0 < -0.97)
  }

  @Test("failed jobs and NaN are passed over, and the search still finds what is good")
  func failures() throws {
    let history = search(try samplePlan(.bayesian), jobs: 20) { index, configuration in
      guard case .real(let rate) = configuration.values[0], rate < 0.1 else {
        return index % 2 == 0 ? nil : .nan
      }
      return accuracy(configuration)
    }
    #expect(history.finished.count == 20)
    #expect(history.finished.contains { $0.score == nil })
    // Chance fails an eighth of the time; it learns where.
    #expect(history.finished.suffix(10).count { $0.score == nil } <= 2)
    #expect(best(history) > 0.95)
  }

  @Test(
    "when every job fails, or all score the same, it goes on with new configurations", arguments: [nil, 0.5])
  func hopeless(_ score: Double?) throws {
    let history = search(try samplePlan(.bayesian), jobs: 12) { _, _ in score }
    #expect(Set(history.finished.map(\.configuration)).count == 12)
  }

  @Test("huge and tiny scores are no trouble", arguments: [1e300, 1e-300])
  func extremes(_ scale: Double) throws {
    let history = search(try samplePlan(.bayesian), jobs: 14) { accuracy($1) * scale }
    #expect(Set(history.finished.map(\.configuration)).count == 14)
    #expect(best(history) > 0.9 * scale)
  }

  @Test("one job, and a job more than were planned, are proposed")
  func one() throws {
    let plan = try samplePlan(.bayesian, jobs: 1)
    #expect(search(plan, jobs: 3) { accuracy($1) }.finished.count == 3)
  }

  @Test("an identical earlier search is gone on with: nothing is repeated, and what it found is used")
  func identical() throws {
    let plan = try samplePlan(.bayesian)
    let earlier = search(plan, jobs: 14) { accuracy($1) }
    let history = search(plan, History(identical: earlier.finished), jobs: 4) { accuracy($1) }
    #expect(
      Set(history.finished.map(\.configuration)).isDisjoint(with: earlier.finished.map(\.configuration)))
    #expect(best(history) > 0.95)
  }

  @Test("a parent on other data says where to begin, however its scores are scaled")
  func parent() throws {
    let earlier = search(try samplePlan(.bayesian), jobs: 14) { accuracy($1) }
    let scaled = earlier.finished.map { Observation($0.configuration, score: $0.score.map { 40 + 300 * $0 }) }
    let other = try samplePlan(.bayesian, seed: 9)
    let warm = search(other, History(parents: [scaled]), jobs: 4) { accuracy($1) - 0.5 }
    let cold = search(other, jobs: 4) { accuracy($1) - 0.5 }
    #expect(best(warm) > best(cold))
    #expect(best(warm) > 0.4)
  }

  @Test("an earlier job beyond the ranges of now, or of another space, does no harm")
  func foreign() throws {
    let strangers = [
      Observation(Configuration([.real(2), .whole(100), .choice("sgd")]), score: 0.4),
      Observation(Configuration([.real(-1), .whole(10), .choice("sgd")]), score: 0.5),
      Observation(Configuration([.real(0.1)]), score: 0.6),
      Observation(Configuration([.real(0.1), .whole(16), .choice("other")]), score: 0.7),
    ]
    let history = search(
      try samplePlan(.bayesian), History(identical: strangers, parents: [strangers]), jobs: 8
    ) {
      accuracy($1)
    }
    #expect(Set(history.finished.map(\.configuration)).count == 8)
  }
}

struct ImportanceTests {
  private func importance(of score: @escaping (Double, Double, Int) -> Double) throws -> Importance? {
    let space = try Space([
      Parameter(continuous: "x", from: 0, to: 1, scaling: .linear),
      Parameter(continuous: "y", from: 0, to: 1, scaling: .linear),
      Parameter(categorical: "c", ["a", "b"]),
    ])
    let plan = try samplePlan(.random, jobs: 60, direction: .minimize, space)
    let history = search(plan, jobs: 60) { _, configuration in
      guard case .real(let x) = configuration.values[0], case .real(let y) = configuration.values[1] else {
        return nil
      }
      return score(x, y, configuration.values[2] == .choice("a") ? 0 : 1)
    }
    return Importance(plan, history)
  }

  @Test("of a sum, each parameter's share is that of its variance")
  func sum() throws {
    let found = try #require(try importance { x, _, c in 2 * x + Double(c) })
    // Variances 4 / 12 and 1 / 4.
    #expect(abs(found.alone[0] - 4.0 / 7) < 0.1)
    #expect(found.alone[1] < 0.05 && found.total[1] < 0.05)
    #expect(abs(found.alone[2] - 3.0 / 7) < 0.1)
  }

  @Test("what acts only together with another has a part in all and little alone")
  func together() throws {
    let found = try #require(try importance { x, _, c in (x - 0.5) * (c == 0 ? 1 : -1) })
    #expect(found.alone[0] < 0.2 && found.alone[2] < 0.2)
    #expect(found.total[0] > 0.7 && found.total[2] > 0.7)
    #expect(zip(found.alone, found.total).allSatisfy { $0 <= $1 })
  }

  @Test("nothing is said of a few jobs, or of jobs that all score the same")
  func nothing() throws {
    #expect(try importance { _, _, _ in 1 } == nil)
    let plan = try samplePlan(.bayesian)
    #expect(Importance(plan, search(plan, jobs: 3) { accuracy($1) }) == nil)
    #expect(Importance(plan, History()) == nil)
  }
}
