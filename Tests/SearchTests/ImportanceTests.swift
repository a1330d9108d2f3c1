import Search
import Testing

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

  @Test("for a sum, each parameter's share is that of its variance")
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

  @Test("too few jobs, or equal scores, give no importance")
  func nothing() throws {
    #expect(try importance { _, _, _ in 1 } == nil)
    let plan = try samplePlan(.bayesian)
    #expect(Importance(plan, search(plan, jobs: 3) { accuracy($1) }) == nil)
    #expect(Importance(plan, History()) == nil)
  }
}
