import Foundation
import Search
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
