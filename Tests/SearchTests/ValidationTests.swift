import Search
import Testing

/// The error that a closure throws.
private func failure(_ body: () throws(SearchError) -> some Any) -> SearchError? {
  do { _ = try body() } catch { return error }
  return nil
}

struct ValidationTests {
  @Test(
    "a continuous range that cannot be is refused",
    arguments: [
      ("0.5", "0.1", "Auto", SearchError.Reason.invertedRange(minimum: "0.5", maximum: "0.1")),
      ("0.5", "0.5", "Auto", .invertedRange(minimum: "0.5", maximum: "0.5")),
      ("0", "1", "Logarithmic", .logarithmOf(minimum: "0.0")),
      ("-1", "1", "Logarithmic", .logarithmOf(minimum: "-1.0")),
      ("0", "1", "ReverseLogarithmic", .reverseLogarithmOf(minimum: "0.0", maximum: "1.0")),
      ("-0.1", "0.9", "ReverseLogarithmic", .reverseLogarithmOf(minimum: "-0.1", maximum: "0.9")),
      ("nan", "1", "Auto", .notANumber(bound: "MinValue", text: "nan", wanted: "a finite number")),
      ("0", "inf", "Auto", .notANumber(bound: "MaxValue", text: "inf", wanted: "a finite number")),
      ("", "1", "Auto", .notANumber(bound: "MinValue", text: "", wanted: "a finite number")),
      (
        "0", "1", "Log",
        .unknownWord(
          "Log", of: "scalingType", known: ["Auto", "Linear", "Logarithmic", "ReverseLogarithmic"])
      ),
    ])
  func continuous(_ low: String, _ high: String, _ scaling: String, _ reason: SearchError.Reason) {
    let found = failure { () throws(SearchError) in
      try Parameter(continuous: "rate", from: low, to: high, scaling: scaling)
    }
    #expect(found == SearchError(reason, parameter: "rate"))
    #expect(found?.description.hasPrefix("rate: ") == true)
  }

  @Test(
    "an integer range that cannot be is refused",
    arguments: [
      ("8", "4", "Auto", SearchError.Reason.invertedRange(minimum: "8", maximum: "4")),
      ("0", "10", "Logarithmic", .logarithmOf(minimum: "0")),
      ("1", "10", "ReverseLogarithmic", .reverseLogarithmOfIntegers),
      ("1.5", "10", "Auto", .notANumber(bound: "MinValue", text: "1.5", wanted: "an integer")),
      ("1", "1e300", "Auto", .notANumber(bound: "MaxValue", text: "1e300", wanted: "an integer")),
      (
        "1", "9223372036854775807", "Auto",
        .notANumber(bound: "MaxValue", text: "9223372036854775807", wanted: "an integer of at most 2^53")
      ),
    ])
  func integer(_ low: String, _ high: String, _ scaling: String, _ reason: SearchError.Reason) {
    let found = failure { () throws(SearchError) in
      try Parameter(integer: "n", from: low, to: high, scaling: scaling)
    }
    #expect(found == SearchError(reason, parameter: "n"))
  }

  @Test("a list of categories is not empty, not long, and has nothing twice")
  func categories() throws {
    let many = (0...30).map { "\($0)" }
    #expect(
      failure { () throws(SearchError) in try Parameter(categorical: "c", []) }
        == SearchError(.categoryCount(0, limit: 30), parameter: "c"))
    #expect(
      failure { () throws(SearchError) in try Parameter(categorical: "c", many) }
        == SearchError(.categoryCount(31, limit: 30), parameter: "c"))
    #expect(
      failure { () throws(SearchError) in try Parameter(categorical: "c", ["a", "b", "a"]) }
        == SearchError(.repeatedCategory("a"), parameter: "c"))
    #expect(try Parameter(categorical: "c", Array(many.dropLast())).valueCount == 30)
  }

  @Test("a space has parameters, not too many, with names of their own")
  func space() throws {
    let one = try Parameter(integer: "n", from: 1, to: 2)
    #expect(failure { () throws(SearchError) in try Space([]) } == SearchError(.noParameters))
    #expect(
      failure { () throws(SearchError) in try Space([one, one]) }
        == SearchError(.repeatedParameter, parameter: "n"))
    let many = try (0...30).map { try Parameter(integer: "n\($0)", from: 1, to: 2) }
    #expect(
      failure { () throws(SearchError) in try Space(many) } == SearchError(.tooManyParameters(31, limit: 30)))
  }

  private static let words = [["a", "b", "c"], ["x", "y"]]

  private func plan(
    _ strategy: Strategy, jobs: Int?, parallel: Int = 1, seed: Int = 1, resource: Plan.Resource? = nil,
    stopsEarly: Bool = false, continuous: Bool = false
  ) -> SearchError? {
    failure { () throws(SearchError) in
      var parameters: [Parameter] = []
      for (index, words) in Self.words.enumerated() {
        parameters.append(try Parameter(categorical: "c\(index)", words))
      }
      if continuous { parameters.append(try Parameter(continuous: "rate", from: 0, to: 1)) }
      return try Plan(
        Space(parameters), strategy: strategy, direction: .maximize, jobs: jobs, parallelJobs: parallel,
        seed: seed,
        resource: resource, stopsEarly: stopsEarly)
    }
  }

  @Test("a plan whose parts do not go together is refused")
  func plans() {
    #expect(plan(.random, jobs: 0) == SearchError(.jobCount(0)))
    #expect(plan(.random, jobs: 4, parallel: 0) == SearchError(.parallelCount(0)))
    #expect(plan(.random, jobs: 4, parallel: 5) == SearchError(.moreParallelThanJobs(parallel: 5, jobs: 4)))
    #expect(plan(.random, jobs: 4, seed: -1) == SearchError(.seed(-1)))
    #expect(plan(.grid, jobs: 6, continuous: true) == SearchError(.gridOfRange, parameter: "rate"))
    #expect(plan(.grid, jobs: 5) == SearchError(.gridSize(jobs: 5, combinations: "6")))
    #expect(plan(.bayesian, jobs: 7) == SearchError(.tooFewCombinations(6, jobs: 7)))
    #expect(plan(.hyperband, jobs: 6) == SearchError(.hyperbandWithoutResource))
    let epochs = Plan.Resource(maximum: 9)
    #expect(
      plan(.hyperband, jobs: 6, resource: .init(minimum: 9, maximum: 9))
        == SearchError(.hyperbandResource(minimum: 9, maximum: 9)))
    #expect(
      plan(.hyperband, jobs: 6, resource: .init(minimum: 0, maximum: 9))
        == SearchError(.hyperbandResource(minimum: 0, maximum: 9)))
    #expect(
      plan(.hyperband, jobs: 6, resource: epochs, stopsEarly: true) == SearchError(.hyperbandStopsEarly))
    #expect(
      plan(.random, jobs: 6, resource: epochs) == SearchError(.strategyConfiguration(strategy: "Random")))
  }

  @Test("what goes together is taken: one job, a whole grid with and without its number")
  func fine() {
    #expect(plan(.bayesian, jobs: 1) == nil)
    #expect(plan(.bayesian, jobs: nil, continuous: true) == nil)
    #expect(plan(.grid, jobs: 6) == nil)
    #expect(plan(.grid, jobs: nil, parallel: 3) == nil)
    #expect(plan(.hyperband, jobs: 6, resource: .init(maximum: 9)) == nil)
  }

  @Test("too few combinations are said in SageMaker's words")
  func wording() {
    #expect(
      plan(.bayesian, jobs: 7)?.description
        == "You don't have enough combinations of hyperparameter ranges. The total number of hyperparameter"
        + " combinations for the provided ranges [6] must be equal or greater than the value of"
        + " MaxNumberOfTrainingJobs, [7]. Provide additional ranges.")
  }

  @Test("texts of an earlier job that are not values are refused")
  func texts() throws {
    let space = try Space([Parameter(integer: "n", from: 1, to: 9), Parameter(categorical: "c", ["a", "b"])])
    #expect(
      failure { () throws(SearchError) in try space.configuration(of: ["n": "4", "c": "z"]) }
        == SearchError(.unfitValue("z", wanted: "one of a, b"), parameter: "c"))
    #expect(
      failure { () throws(SearchError) in try space.configuration(of: ["n": "4.5", "c": "a"]) }
        == SearchError(.unfitValue("4.5", wanted: "an integer"), parameter: "n"))
    #expect(
      failure { () throws(SearchError) in try space.configuration(of: ["c": "a"]) }
        == SearchError(.unfitValue("", wanted: "a value"), parameter: "n"))
    let found = try space.configuration(of: ["n": "12", "c": "b", "other": "1"])
    #expect(found == Configuration([.whole(12), .choice("b")]))
    #expect(space.texts(of: found) == ["n": "12", "c": "b"])
  }
}
