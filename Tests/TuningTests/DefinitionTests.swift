import Search
import Synchronization
import TestSupport
import Testing

@testable import Tuning

/// A definition with a range of its own.
private func definition(
  _ name: String, _ statics: String = #""num_layers": "20", "image_shape": "3,28,28""#,
  type: String = "Maximize",
  metric: String = "validation:accuracy",
  ranges: String =
    #""ContinuousParameterRanges": [{"Name": "learning_rate", "MinValue": "0.01", "MaxValue": "1"}]"#
) -> String {
  """
  {"DefinitionName": "\(name)", "StaticHyperParameters": {\(statics)}, "HyperParameterRanges": {\(ranges)},
   "TuningObjective": {"Type": "\(type)", "MetricName": "\(metric)"}}
  """
}

private func several(
  _ definitions: String..., strategy: String = "Random", jobs: Int? = 5, parallel: Int = 1,
  config: String = "",
  more: String = ""
) throws -> TuningRequest {
  let limit = jobs.map { "\"MaxNumberOfTrainingJobs\": \($0), " } ?? ""
  return try TuningRequest(
    json: Array(
      """
      {"HyperParameterTuningJobName": "unit", "HyperParameterTuningJobConfig": {"Strategy": "\(strategy)",
      "ResourceLimits": {\(limit)"MaxParallelTrainingJobs": \(parallel)}\(config)},
      "TrainingJobDefinitions": [\(definitions.joined(separator: ", "))]\(more)}
      """.utf8))
}

private let momentum =
  #""ContinuousParameterRanges": [{"Name": "momentum", "MinValue": "0.1", "MaxValue": "0.9"}]"#

@Suite("A tuning of several definitions")
struct DefinitionTests {
  @Test("shares its jobs by turns, each with its definition's own hyperparameters and ranges")
  func turns() async throws {
    let asked = try several(
      definition("a"), definition("b", #""num_layers": "32", "image_shape": "3,28,28""#, ranges: momentum))
    try asked.checkHyperparameters()
    let runner = StubRunner()
    let record = try await tuned(asked, runner)
    #expect(record.status == .completed && record.jobs.map(\.definition) == [0, 1, 0, 1, 0])
    #expect(record.jobs.map(\.number) == [1, 2, 3, 4, 5])
    #expect(
      record.jobs.map { $0.tuned.keys.sorted() } == [
        ["learning_rate"], ["momentum"], ["learning_rate"], ["momentum"], ["learning_rate"],
      ])
    let orders = runner.log.orders.withLock(\.self)
    #expect(orders.map(\.definition) == [0, 1, 0, 1, 0])
    #expect(orders.map { $0.hyperparameters["num_layers"] } == ["20", "32", "20", "32", "20"])
  }

  @Test("tries different values where the ranges are the same")
  func seeds() async throws {
    let record = try await tuned(several(definition("a"), definition("b"), jobs: 6))
    #expect(Set(record.jobs.map(\.tuned)).count == 6)
  }

  @Test("its best job is the best of all, and each is told with its definition's name and objective")
  func best() async throws {
    let asked = try several(definition("a"), definition("b", metric: "train:accuracy", ranges: momentum))
    var runner = StubRunner()
    runner.value = { order, epoch in order.definition == 1 ? 0.9 + Double(order.number) / 100 : 0.1 }
    let record = try await tuned(asked, runner)
    let told = asked.description(of: record)
    #expect(told["BestTrainingJob"]?["TrainingJobDefinitionName"] == .string("b"))
    #expect(told["BestTrainingJob"]?["TrainingJobName"] == .string(record.jobs[3].name))
    #expect(
      told["BestTrainingJob"]?["FinalHyperParameterTuningJobObjectiveMetric"]?["MetricName"]
        == .string("train:accuracy"))
    guard case .list(let definitions)? = told["TrainingJobDefinitions"] else {
      Issue.record("the definitions are not told")
      return
    }
    #expect(definitions.count == 2)
  }

  @Test("goes on from any of its states to the same end", arguments: ["Random", "Bayesian"])
  func resuming(_ strategy: String) async throws {
    let asked = try several(definition("a"), definition("b", ranges: momentum), strategy: strategy)
    let states = Mutex<[TuningRecord]>([])
    let whole = try await tuned(asked, keep: { record in states.withLock { $0.append(record) } })
    for state in states.withLock(\.self) {
      let again = try await tuned(asked, from: state)
      #expect(again.jobs.map(\.tuned) == whole.jobs.map(\.tuned))
      #expect(again.jobs.map(\.definition) == whole.jobs.map(\.definition))
    }
  }

  @Test("has all of each definition's grid, and all of its rungs")
  func otherStrategies() async throws {
    let grid = #""CategoricalParameterRanges": [{"Name": "optimizer", "Values": ["sgd", "adam"]}]"#
    let other = #""CategoricalParameterRanges": [{"Name": "optimizer", "Values": ["sgd", "adam", "nag"]}]"#
    for jobs in [nil, 5] {
      let record = try await tuned(
        several(definition("a", ranges: grid), definition("b", ranges: other), strategy: "Grid", jobs: jobs))
      #expect(record.jobs.map(\.definition) == [0, 1, 0, 1, 1])
    }
    let epochs = #""num_layers": "20", "image_shape": "3,28,28", "epochs": "4""#
    let rungs = try await tuned(
      several(
        definition("a", epochs), definition("b", epochs, ranges: momentum), strategy: "Hyperband", jobs: 8))
    #expect(rungs.jobs.count == 8 && rungs.jobs.count { $0.definition == 1 } == 4)
    #expect(rungs.jobs.contains { $0.rungs.count > 1 })
  }

  @Test("is shown with an axis for each range, and nothing where a job has none")
  func report() async throws {
    let narrow =
      #""ContinuousParameterRanges": [{"Name": "learning_rate", "MinValue": "0.001", "MaxValue": "0.002"}]"#
    let asked = try several(
      definition("a"), definition("b", ranges: narrow), definition("c"), definition("d", ranges: momentum))
    let shown = try SharedSearch(asked).report(try await tuned(asked))
    #expect(shown.parameters.map(\.name) == ["learning_rate", "learning_rate (b)", "momentum"])
    #expect(
      shown.jobs.map { $0.values.map(\.isEmpty) } == [
        [false, true, true], [true, false, true], [false, true, true], [true, true, false],
        [false, true, true],
      ])
    #expect(shown.jobs.allSatisfy { $0.places.compactMap { $0 }.count == 1 })
    #expect(!"\(shown)".contains("no name"))
  }

  @Test("with one definition is a tuning like any other")
  func one() async throws {
    let record = try await tuned(several(definition("a"), jobs: 2))
    #expect(record.jobs.map(\.definition) == [nil, nil])
    #expect(
      record.jobs.map(\.name)
        == (1...2).map { jobName("unit", number: $0, seed: UInt64(TuningRequest.seed(ofName: "unit"))) })
  }

  private func refusal(_ body: () throws -> TuningRequest) -> String {
    do {
      try body().checkHyperparameters()
      return ""
    } catch { return "\(error)" }
  }

  @Test("that contradicts itself is refused with a message")
  func refused() {
    #expect(refusal { try several(definition("a"), definition("a")) }.contains("unique DefinitionName"))
    #expect(refusal { try several(definition("a"), definition("b", type: "Minimize")) }.contains("same Type"))
    #expect(refusal { try several(definition("a"), definition("b"), jobs: 1) }.contains("at least one job"))
    #expect(
      refusal { try several(definition("a"), definition("b", ranges: "")) }.contains("The definition 'b': "))
    #expect(
      refusal { try several(definition("a"), definition("b", #""num_layers": "21""#)) }.contains(
        "The definition 'b': "))
    let warm =
      #", "WarmStartConfig": {"WarmStartType": "TransferLearning", "ParentHyperParameterTuningJobs": [{"HyperParameterTuningJobName": "p"}]}"#
    #expect(refusal { try several(definition("a"), definition("b"), more: warm) }.contains("WarmStartConfig"))
    let both = #", "TrainingJobDefinition": {}"#
    #expect(refusal { try several(definition("a"), more: both) }.contains("cannot both be given"))
    let grid = #""CategoricalParameterRanges": [{"Name": "optimizer", "Values": ["sgd", "adam"]}]"#
    #expect(
      !refusal {
        try several(definition("a", ranges: grid), definition("b", ranges: grid), strategy: "Grid", jobs: 3)
      }.isEmpty)
    #expect(refusal { try several(jobs: 1) }.contains("0 definitions"))
  }
}
