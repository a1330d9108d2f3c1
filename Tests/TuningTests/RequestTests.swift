import Hyperparameters
import Search
import TestSupport
import Testing

@testable import Tuning

/// What is said of a request that is refused.
private func refusal(_ body: () throws -> TuningRequest) -> String {
  do {
    let request = try body()
    try request.checkHyperparameters()
    _ = try Objective(request)
    return ""
  } catch { return "\(error)" }
}

@Suite("A request for a tuning")
struct RequestTests {
  @Test("that is complete is accepted")
  func whole() throws {
    let asked = try request(
      "Bayesian", jobs: 20, parallel: 4,
      config: #""TrainingJobEarlyStoppingType": "Auto", "RandomSeed": 3"#,
      ranges:
        #""ContinuousParameterRanges": [{"Name": "learning_rate", "MinValue": "1e-6", "MaxValue": "0.5", "ScalingType": "Logarithmic"}], "IntegerParameterRanges": [{"Name": "mini_batch_size", "MinValue": "8", "MaxValue": "512"}], "CategoricalParameterRanges": [{"Name": "optimizer", "Values": ["sgd", "adam"]}]"#,
      definition:
        #""StoppingCondition": {"MaxRuntimeInSeconds": 3600}, "OutputDataConfig": {"S3OutputPath": "s3://b/o"}, "RoleArn": "arn:aws:iam::1:role/r", "AlgorithmSpecification": {"TrainingImage": "x", "TrainingInputMode": "File"}"#
    )
    #expect(asked.plan.space.parameters.map(\.name) == ["learning_rate", "mini_batch_size", "optimizer"])
    #expect(
      asked.plan.seed == 3 && asked.stopsEarly && asked.jobSeconds == 3600 && asked.outputPath == "s3://b/o")
    #expect(asked.warnings().isEmpty)
    try asked.checkHyperparameters()
  }

  @Test("without a seed has one of its name")
  func seed() throws {
    #expect(try request(name: "a").plan.seed == request(name: "a").plan.seed)
    #expect(try request(name: "a").plan.seed != request(name: "b").plan.seed)
  }

  @Test(
    "that cannot be met is refused in a sentence",
    arguments: [
      (
        #""ContinuousParameterRanges": [{"Name": "learning_rate", "MinValue": "1", "MaxValue": "0.1"}]"#,
        "must be less than MaxValue"
      ),
      (
        #""ContinuousParameterRanges": [{"Name": "learning_rate", "MinValue": "0", "MaxValue": "0.1", "ScalingType": "Logarithmic"}]"#,
        "greater than 0"
      ),
      (#""ContinuousParameterRanges": []"#, "nothing to tune"),
      (
        #""ContinuousParameterRanges": [{"Name": "learning_rat", "MinValue": "0.1", "MaxValue": "1"}]"#,
        "did you mean 'learning_rate'?"
      ),
      (
        #""ContinuousParameterRanges": [{"Name": "learning_rate", "MinValue": "0.1", "MaxValue": "7"}]"#,
        "The range of 'learning_rate' includes 7.0"
      ),
      (
        #""ContinuousParameterRanges": [{"Name": "num_layers", "MinValue": "1", "MaxValue": "7"}]"#,
        "is also in StaticHyperParameters"
      ),
      (
        #""IntegerParameterRanges": [{"Name": "epochs", "MinValue": "a", "MaxValue": "7"}]"#,
        "an integer is expected"
      ),
      (#""CategoricalParameterRanges": [{"Name": "optimizer", "Values": []}]"#, "1 to 30"),
      (
        #""CategoricalParameterRanges": [{"Name": "optimizer", "Values": ["sgd", "lion"]}]"#,
        "'lion' is not valid"
      ),
      (
        #""ContinousParameterRanges": []"#,
        "Unknown parameter in hyperParameterTuningJobConfig.parameterRanges"
      ),
      (#""AutoParameters": [{"Name": "a", "ValueHint": "b"}]"#, "AutoParameters are not supported"),
      (#""ContinuousParameterRanges": {}"#, "a list, [...], is expected"),
    ])
  func ranges(_ row: (ranges: String, words: String)) {
    let said = refusal { try request(jobs: 1, ranges: row.ranges) }
    #expect(said.contains(row.words), "\(said)")
  }

  @Test("with a wrong limit or word is refused, too")
  func limits() {
    let cases: [(() throws -> TuningRequest, String)] = [
      ({ try request(jobs: 0) }, "Member must have value greater than or equal to 1"),
      ({ try request(jobs: 2, parallel: 3) }, "must not be greater than MaxNumberOfTrainingJobs"),
      ({ try request(jobs: nil) }, "the tuning would not end"),
      ({ try request("Simplex") }, "Member must satisfy enum value set: [Bayesian, Random, Hyperband, Grid]"),
      ({ try request("Grid") }, "Grid takes categorical ranges only"),
      (
        { try request("Hyperband", statics: "\"num_layers\": \"20\", \"image_shape\": \"3,28,28\"") },
        "Hyperband needs a MaxResource"
      ),
      (
        {
          try request(
            "Hyperband", config: #""TrainingJobEarlyStoppingType": "Auto""#, statics: "\"epochs\": \"9\"")
        }, "must be Off with Hyperband"
      ),
      (
        {
          try request(
            "Hyperband",
            config: #""StrategyConfig": {"HyperbandStrategyConfig": {"MaxResource": 1000000000000000000}}"#)
        }, "less than or equal to 1000000"
      ),
      (
        { try request("Hyperband", statics: "\"epochs\": \"4000000000000000000\"") },
        "Hyperband takes 1 to 1000000"
      ),
      (
        { try request("Hyperband", statics: "\"epochs\": \"9\", \"lr_schedule\": \"cosine\"") },
        "requires lr_schedule 'step'"
      ),
      (
        { try request(config: #""StrategyConfig": {"HyperbandStrategyConfig": {"MaxResource": 3}}"#) },
        "the strategy is [Random]"
      ),
      ({ try request(name: "-a") }, "failed to satisfy constraint: Member must satisfy regular expression"),
      ({ try request(name: String(repeating: "a", count: 33)) }, "hyperParameterTuningJobName"),
      ({ try request(metric: "accuracy") }, "The objective metric 'accuracy' is not known"),
      ({ try request(type: "Most") }, "[Maximize, Minimize]"),
      ({ try request(config: #""RandomSeed": -1"#) }, "greater than or equal to 0"),
      (
        {
          try request(
            config:
              #""TuningJobCompletionCriteria": {"BestObjectiveNotImproving": {"MaxNumberOfTrainingJobsNotImproving": 2}}"#
          )
        }, "equal to 3"
      ),
      ({ try request(statics: "\"epoch\": \"3\"") }, "did you mean 'epochs'?"),
      (
        {
          try request(
            metric: "m",
            definition: #""AlgorithmSpecification": {"MetricDefinitions": [{"Name": "m", "Regex": "(("}]}"#)
        }, "cannot be read"
      ),
      (
        {
          try request(
            metric: "m",
            definition: #""AlgorithmSpecification": {"MetricDefinitions": [{"Name": "m", "Regex": "a=x"}]}"#)
        }, "has no group"
      ),
      ({ try request(more: #""TrainingJobDefinitions": []"#) }, "cannot both be given"),
      ({ try request(more: #""Autotune": {"Mode": "Enabled"}"#) }, "Autotune is not supported"),
      ({ try TuningRequest(json: Array("[1]".utf8)) }, "not a JSON object"),
      (
        { try TuningRequest(json: Array("{".utf8)) },
        "not a JSON document, such as {\"HyperParameterTuningJobName\": \"first\", ...}: line 1, byte 1: "
      ),
      (
        { try TuningRequest(json: Array("{}".utf8)) },
        "Missing required parameter in input: \"HyperParameterTuningJobName\""
      ),
    ]
    for (body, words) in cases {
      let said = refusal(body)
      #expect(said.contains(words), "\(said)")
    }
  }

  @Test("warns about ranges without effect, with what to write instead")
  func inert() throws {
    let ranges = ["beta_1", "beta_2", "eps", "gamma", "momentum"].map {
      #"{"Name": "\#($0)", "MinValue": "0.1", "MaxValue": "0.9"}"#
    }
    let all = "\"ContinuousParameterRanges\": [\(ranges.joined(separator: ","))]"
    let sgd = try request(ranges: all).warnings()
    #expect(
      sgd.count == 4
        && sgd.allSatisfy { $0.contains("has no effect: only") && $0.contains("\"optimizer\": ") })
    #expect(sgd[3].contains("gamma") && sgd[3].contains("\"rmsprop\""))
    let adam = try request(ranges: all, statics: "\"optimizer\": \"adam\"").warnings()
    #expect(adam.map { $0.split(separator: " ")[3] } == ["gamma", "momentum"])
    let any = try request(
      ranges: all
        + #", "CategoricalParameterRanges": [{"Name": "optimizer", "Values": ["sgd", "adam", "rmsprop"]}]"#)
    #expect(any.warnings().isEmpty)
  }

  @Test("a weight_decay of up to 0.999 on a linear scale causes a warning")
  func decay() throws {
    let wide =
      #""ContinuousParameterRanges": [{"Name": "weight_decay", "MinValue": "0.0", "MaxValue": "0.999"}]"#
    #expect(try request(ranges: wide).warnings().first?.contains("\"ScalingType\": \"Logarithmic\"") == true)
    let good =
      #""ContinuousParameterRanges": [{"Name": "weight_decay", "MinValue": "1e-6", "MaxValue": "0.999"}]"#
    #expect(try request(ranges: good).warnings().isEmpty)
    #expect(
      try request("Bayesian", jobs: 3, parallel: 3).warnings().first?.contains("Bayesian acts like Random")
        == true)
  }

  @Test("for remote data is refused here, and accepted with a resolver that knows the data")
  func places() throws {
    #expect(try Channel.pathHere("file:///a%20b") == "/a b")
    let channels =
      #""InputDataConfig": [{"ChannelName": "train", "DataSource": {"S3DataSource": {"S3Uri": "s3://b/train"}}}, {"ChannelName": "validation", "DataSource": {"S3DataSource": {"S3Uri": "s3://b/val"}}}]"#
    let asked = try request(definition: channels)
    #expect(throws: TuningError.self) { try TrainingInputs(asked.channels) }
    try withScratchFolder { folder in
      for name in ["train", "val"] { writeScratchFile("\(folder)/\(name)/x.rec", [1]) }
      let found = try TrainingInputs(asked.channels) { folder + $0.dropFirst("s3://b".count) }
      #expect(
        found.train == .records(folder + "/train/x.rec")
          && found.validation == .records(folder + "/val/x.rec"))
      let one = try TrainingInputs(asked.channels) { folder + $0.dropFirst("s3://b".count) + "/x.rec" }
      #expect(one.train == found.train)
      #expect(throws: TuningError.self) { try TrainingInputs([]) }
    }
  }

  @Test("a channel is an augmented manifest where its S3DataType says so, whatever its content type is")
  func manifests() throws {
    func channels(_ attributes: String, second: String = "kind") -> String {
      let rows = [("train", attributes), ("validation", "\"source-ref\", \"\(second)\"")].map { name, names in
        #"{"ChannelName": "\#(name)", "ContentType": "application/x-image", "DataSource": {"S3DataSource": {"#
          + #""S3DataType": "AugmentedManifestFile", "S3Uri": "\#(name).txt", "AttributeNames": [\#(names)]}}}"#
      }
      return "\"InputDataConfig\": [\(rows.joined(separator: ", "))]"
    }
    let asked = try request(definition: channels(#""source-ref", "id""#))
    let found = try TrainingInputs(asked.channels) { "/data/" + $0 }
    var options = ManifestOptions()
    options.label = "id"
    #expect(found.train == .manifest("/data/train.txt", options))
    options.label = "kind"
    #expect(found.validation == .manifest("/data/validation.txt", options))
    #expect(throws: TuningError.self) { try request(definition: channels("")) }
    let twice = try request(definition: channels(#""source-ref", "id""#)).channels
    #expect(throws: TuningError.self) { try TrainingInputs(twice + twice) { "/data/" + $0 } }
  }

  @Test("what would fail in every job is refused before the first one")
  func refusedBefore() throws {
    func metrics(_ rows: String) -> String {
      "\"AlgorithmSpecification\": {\"MetricDefinitions\": [\(rows)]}"
    }
    let row = #"{"Name": "m", "Regex": "a=(.*)"}"#
    _ = try request(definition: metrics(row))
    for (rows, words) in [
      ("\(row), \(row)", "defines 'm' twice"), (#"{"Name": "other", "Regex": "(?<=a)(b)"}"#, "lookbehinds"),
    ] {
      let error = #expect(throws: TuningError.self) { try request(definition: metrics(rows)) }
      #expect(error?.description.contains(words) == true, "\(error as Any)")
    }
    let many = try request(statics: #""num_layers": "20", "image_shape": "3,28,28", "multi_label": "1""#)
    #expect(throws: TuningError.self) { try many.checkHyperparameters() }
    try request().checkHyperparameters()
  }
}
