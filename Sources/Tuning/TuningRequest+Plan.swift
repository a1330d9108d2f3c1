import Encodings
import Search

extension TuningRequest {
  static let members = [
    "HyperParameterTuningJobName", "HyperParameterTuningJobConfig", "TrainingJobDefinition",
    "TrainingJobDefinitions",
    "WarmStartConfig", "Tags", "Autotune",
  ]
  static let configMembers = [
    "Strategy", "StrategyConfig", "HyperParameterTuningJobObjective", "ResourceLimits", "ParameterRanges",
    "TrainingJobEarlyStoppingType", "TuningJobCompletionCriteria", "RandomSeed",
  ]
  static let definitionMembers = [
    "DefinitionName", "TuningObjective", "HyperParameterRanges", "StaticHyperParameters",
    "AlgorithmSpecification",
    "RoleArn", "InputDataConfig", "VpcConfig", "OutputDataConfig", "ResourceConfig",
    "HyperParameterTuningResourceConfig", "StoppingCondition", "EnableNetworkIsolation",
    "EnableInterContainerTrafficEncryption", "EnableManagedSpotTraining", "CheckpointConfig", "RetryStrategy",
    "Environment",
  ]
  static let rangeMembers = [
    "IntegerParameterRanges", "ContinuousParameterRanges", "CategoricalParameterRanges", "AutoParameters",
  ]
  /// Static hyperparameters that say Hyperband's largest resource where its configuration does not.
  static let resourceNames = ["epochs", "numepochs", "n-epochs", "n_epochs", "num_epochs"]

  /// Epochs, as many as the trainer takes.
  private static let largestResource = 1_000_000

  static func plan(
    _ config: RequestReader, _ limits: RequestReader, direction: Direction, ranges: RequestReader?,
    statics: [String: String], stopsEarly: Bool, endsOtherwise: Bool, seed: Int
  ) throws -> Plan {
    let strategy = try config.required(config.word("Strategy", Strategy.self), "Strategy")
    let jobs = try limits.whole("MaxNumberOfTrainingJobs", 1...Int.max)
    if jobs == nil, strategy != .grid, !endsOtherwise {
      throw TuningError(
        "ResourceLimits has neither MaxNumberOfTrainingJobs nor MaxRuntimeInSeconds, and there are no"
          + " TuningJobCompletionCriteria: the tuning would not end; give one of them")
    }
    let space = try Space(ranges.map(parameters) ?? [])
    for parameter in space.parameters where statics[parameter.name] != nil {
      throw TuningError(
        "The hyperparameter '\(parameter.name)' has a range and is in StaticHyperParameters, too; leave one of them out"
      )
    }
    return try Plan(
      space, strategy: strategy, direction: direction, jobs: jobs,
      parallelJobs: limits.required(
        limits.whole("MaxParallelTrainingJobs", 1...Int.max), "MaxParallelTrainingJobs"),
      seed: config.whole("RandomSeed", 0...Int.max) ?? seed,
      resource: resource(config, strategy, statics), stopsEarly: stopsEarly)
  }

  private static func parameters(_ ranges: RequestReader) throws -> [Parameter] {
    guard try ranges.list("AutoParameters").isEmpty else {
      throw TuningError("AutoParameters are not offered; write ranges with MinValue and MaxValue")
    }
    let members = ["Name", "MinValue", "MaxValue", "ScalingType"]
    func bounds(_ range: RequestReader) throws -> (name: String, from: String, to: String, scaling: String?) {
      (
        try range.required(range.text("Name"), "Name"),
        try range.required(range.numeral("MinValue"), "MinValue"),
        try range.required(range.numeral("MaxValue"), "MaxValue"), try range.text("ScalingType")
      )
    }
    let continuous = try ranges.objects("ContinuousParameterRanges", known: members).map {
      let range = try bounds($0)
      return try Parameter(continuous: range.name, from: range.from, to: range.to, scaling: range.scaling)
    }
    let integer = try ranges.objects("IntegerParameterRanges", known: members).map {
      let range = try bounds($0)
      return try Parameter(integer: range.name, from: range.from, to: range.to, scaling: range.scaling)
    }
    let categorical = try ranges.objects("CategoricalParameterRanges", known: ["Name", "Values"]).map {
      range in
      let values = try range.list("Values").map { value throws(TuningError) in
        guard let text = RequestReader.numeral(value) else {
          throw TuningError("\(range.place("Values")): strings are expected")
        }
        return text
      }
      return try Parameter(categorical: range.required(range.text("Name"), "Name"), values)
    }
    return continuous + integer + categorical
  }

  private static func resource(
    _ config: RequestReader, _ strategy: Strategy, _ statics: [String: String]
  ) throws -> Plan.Resource? {
    let given = try config.object("StrategyConfig", known: ["HyperbandStrategyConfig"])?
      .object("HyperbandStrategyConfig", known: ["MinResource", "MaxResource"])
    // Said by the plan, which refuses it.
    guard strategy == .hyperband else { return given == nil ? nil : Plan.Resource(maximum: 1) }
    let limits = 1...largestResource
    let named = resourceNames.lazy.compactMap { statics[$0] }.first.flatMap { Int($0) }
    if let named, !limits.contains(named), given?.has("MaxResource") != true {
      throw TuningError("epochs is \(named), Hyperband takes 1 to \(largestResource) of them")
    }
    guard let most = try given?.whole("MaxResource", limits) ?? named else { return nil }
    return Plan.Resource(minimum: try given?.whole("MinResource", limits) ?? 1, maximum: most)
  }
}
