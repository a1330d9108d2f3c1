import Search
import Testing

private func best(_ history: History) -> Double { history.finished.compactMap(\.score).max() ?? -.infinity }

struct BayesianTests {
  @Test("it finds better configurations than chance does", arguments: [1, 2, 3])
  func better(_ seed: Int) throws {
    let bayesian = search(try samplePlan(.bayesian, seed: seed), jobs: 20) { accuracy($1) }
    let random = search(try samplePlan(.random, seed: seed), jobs: 20) { accuracy($1) }
    #expect(best(bayesian) > 0.98)
    #expect(best(bayesian) > best(random))
  }

  @Test("with the direction reversed it minimises")
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
