public import Encodings
import Files
import Hyperparameters
package import Jobs
public import Search

/// A request of CreateHyperParameterTuningJob, checked as far as possible without reading any data.
public struct TuningRequest: Sendable {
  /// TuningJobCompletionCriteria: what ends a tuning before its last job.
  public struct Criteria: Hashable, Sendable {
    /// TargetObjectiveMetricValue: ends the tuning when an objective is at least as good.
    public var target: Double?
    /// MaxNumberOfTrainingJobsNotImproving: ends the tuning after this many jobs in a row without a better objective.
    public var jobsNotImproving: Int?
    /// CompleteOnConvergence: ends the tuning when the search has converged.
    public var endsOnConvergence = false
  }
  /// WarmStartType.
  public enum WarmStart: String, CaseIterable, Hashable, Sendable {
    case identical = "IdenticalDataAndAlgorithm"
    case transfer = "TransferLearning"
  }
  /// A metric, and how its values are found in the log.
  public struct MetricDefinition: Hashable, Sendable {
    public let name: String
    /// A regular expression whose first group captures the value.
    public let pattern: String

    package init(name: String, pattern: String) { (self.name, self.pattern) = (name, pattern) }

    /// Compiles the regular expression.
    ///
    /// - Throws: `TuningError` if it is malformed, not supported or has no group.
    package func read() throws(TuningError) -> LinePattern {
      let read: LinePattern
      do throws(LinePatternError) { read = try LinePattern(pattern) } catch {
        throw TuningError(
          "MetricDefinitions: the Regex of '\(name)' cannot be read: [\(pattern.prefix(200))]: \(error)")
      }
      guard read.groupCount > 0 else {
        throw TuningError(
          "MetricDefinitions: the Regex of '\(name)' has no group, such as (\\S+), for the value")
      }
      return read
    }
  }
  enum EarlyStopping: String, CaseIterable {
    case off = "Off"
    case auto = "Auto"
  }
  private enum Switch: String, CaseIterable {
    case enabled = "Enabled"
    case disabled = "Disabled"
  }

  public let name: String
  /// What the search works from: the strategy, the parameter space and the limits.
  public let plan: Plan
  /// The MetricName of the objective.
  public let metric: String
  /// Whether the median rule stops jobs early.
  public let stopsEarly: Bool
  /// The limit on the running time of the whole tuning in seconds, without the time between runs; nil means none.
  public let maxRuntimeSeconds: Int?
  public let criteria: Criteria
  /// WarmStartConfig's type; nil without a warm start.
  public let warmStart: WarmStart?
  /// The names of the warm start's parents, or the paths of their folders.
  public let parents: [String]
  /// StaticHyperParameters.
  public let statics: [String: String]
  /// InputDataConfig.
  public let channels: [Channel]
  /// S3OutputPath.
  public let outputPath: String?
  public let metricDefinitions: [MetricDefinition]
  /// MaxRuntimeInSeconds of StoppingCondition, the limit for each job; nil means none.
  public let jobSeconds: Int?
  /// MaxNumberOfTrainingJobs, for all definitions together; nil means no limit.
  public private(set) var jobs: Int?
  /// MaxParallelTrainingJobs, for all definitions together.
  public private(set) var parallelJobs: Int
  /// DefinitionName.
  public let definitionName: String?
  /// The whole request as given.
  public private(set) var json: JSON
  private var several: [TuningRequest] = []
  /// A request for each training job definition, with its share of the jobs; for a single definition, this request. If there
  /// are several, this request's ranges, objective, hyperparameters and channels are those of the first definition.
  public var definitions: [TuningRequest] { several.isEmpty ? [self] : several }

  /// SageMaker's pattern for the name of a tuning job.
  public static let namePattern = "^[a-zA-Z0-9](-*[a-zA-Z0-9]){0,31}"

  /// Reads a request from the bytes of a JSON file.
  ///
  /// - Throws: `TuningError`, also if the bytes are not JSON; `SearchError`.
  public init(json bytes: [UInt8]) throws {
    let json: JSON
    do throws(JSONError) { json = try JSON(parsing: bytes) } catch {
      throw TuningError(
        "this is not a JSON document, such as {\"HyperParameterTuningJobName\": \"first\", ...}: line "
          + "\(error.line(in: bytes)), \(error)")
    }
    try self.init(json)
  }

  /// - Throws: `TuningError` and `SearchError`, in SageMaker's words where they are known.
  public init(_ json: JSON) throws {
    let input = try RequestReader(json, "", known: Self.members)
    if input.has("TrainingJobDefinitions") {
      self = try Self.request(ofSeveral: json, input)
      return
    }
    self.json = json
    let name = try input.required(input.text("HyperParameterTuningJobName"), "HyperParameterTuningJobName")
    guard Self.isName(name) else {
      throw input.invalid(
        name, "HyperParameterTuningJobName",
        "Member must satisfy regular expression pattern: \(Self.namePattern)")
    }
    self.name = name
    if input.has("Autotune") {
      throw TuningError("Autotune is not supported; give the ranges in ParameterRanges")
    }
    let config = try input.required(
      input.object("HyperParameterTuningJobConfig", known: Self.configMembers),
      "HyperParameterTuningJobConfig")
    let definition = try input.required(
      input.object("TrainingJobDefinition", known: Self.definitionMembers), "TrainingJobDefinition")
    definitionName = try definition.text("DefinitionName")
    statics = try Self.statics(definition)
    let objective = try config.required(
      config.object("HyperParameterTuningJobObjective", known: ["Type", "MetricName"])
        ?? definition.object("TuningObjective", known: ["Type", "MetricName"]),
      "HyperParameterTuningJobObjective")
    metric = try objective.required(objective.text("MetricName"), "MetricName")
    stopsEarly = try config.word("TrainingJobEarlyStoppingType", EarlyStopping.self) == .auto
    let limits = try config.required(
      config.object(
        "ResourceLimits",
        known: ["MaxNumberOfTrainingJobs", "MaxParallelTrainingJobs", "MaxRuntimeInSeconds"]),
      "ResourceLimits")
    maxRuntimeSeconds = try limits.whole("MaxRuntimeInSeconds", 120...15_768_000)
    criteria = try Self.criteria(config)
    plan = try Self.plan(
      config, limits, direction: objective.required(objective.word("Type", Direction.self), "Type"),
      ranges: config.object("ParameterRanges", known: Self.rangeMembers)
        ?? definition.object("HyperParameterRanges", known: Self.rangeMembers),
      statics: statics, stopsEarly: stopsEarly,
      endsOtherwise: maxRuntimeSeconds != nil || criteria != Criteria(),
      seed: Self.seed(ofName: name))
    (jobs, parallelJobs) = (plan.jobs, plan.parallelJobs)
    let warm = try input.object(
      "WarmStartConfig", known: ["ParentHyperParameterTuningJobs", "WarmStartType"])
    warmStart = try warm.map { try $0.required($0.word("WarmStartType", WarmStart.self), "WarmStartType") }
    parents = try warm.map { try Self.parents($0) } ?? []
    channels = try definition.objects("InputDataConfig", known: Channel.members).map { try Channel($0) }
    let output = try definition.object("OutputDataConfig")
    outputPath = try output.flatMap { try $0.text("S3OutputPath") }
    let algorithm = try definition.object("AlgorithmSpecification")
    metricDefinitions =
      try algorithm?.objects("MetricDefinitions", known: ["Name", "Regex"]).map {
        MetricDefinition(
          name: try $0.required($0.text("Name"), "Name"), pattern: try $0.required($0.text("Regex"), "Regex"))
      } ?? []
    for (index, definition) in metricDefinitions.enumerated() {
      _ = try definition.read()
      guard !metricDefinitions[..<index].contains(where: { hasSameBytes($0.name, definition.name) }) else {
        throw TuningError(
          "MetricDefinitions defines '\(definition.name)' twice; a metric can have only one Regex")
      }
    }
    jobSeconds = try definition.object("StoppingCondition")?.whole("MaxRuntimeInSeconds", 1...Int.max)
  }

  private static func request(ofSeveral json: JSON, _ input: RequestReader) throws -> TuningRequest {
    let parts = try DefinitionParts(json, input)
    var made: [TuningRequest] = []
    for (name, part) in parts.requests {
      do { made.append(try TuningRequest(part)) } catch {
        throw TuningError(parts.requests.count > 1 ? "The definition '\(name)': \(error)" : "\(error)")
      }
    }
    try parts.check(made.map(\.plan))
    guard var whole = made.first else {
      throw TuningError("TrainingJobDefinitions is empty; at least one definition is expected")
    }
    whole.json = json
    if made.count > 1 {
      (whole.several, whole.jobs, whole.parallelJobs) = (made, parts.jobs, parts.parallelJobs)
    }
    return whole
  }

  /// The definition that a job belongs to.
  public func definition(of job: JobRecord) -> TuningRequest {
    let all = definitions
    return all.indices.contains(job.definition ?? 0) ? all[job.definition ?? 0] : self
  }

  /// Whether SageMaker accepts a name: it matches `namePattern` and has at most 32 characters.
  static func isName(_ name: String) -> Bool {
    let bytes = Array(name.utf8)
    guard (1...32).contains(bytes.count), bytes.first != UInt8(ascii: "-"), bytes.last != UInt8(ascii: "-")
    else {
      return false
    }
    return bytes.allSatisfy { byte in
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"):
        true
      default: false
      }
    }
  }

  /// The seed for a request without RandomSeed: a hash of the name (FNV-1a), so that the same request gives the same jobs.
  static func seed(ofName name: String) -> Int {
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    for byte in name.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
    return Int(hash >> 33)
  }

  private static func statics(_ definition: RequestReader) throws -> [String: String] {
    guard let reader = try definition.object("StaticHyperParameters") else { return [:] }
    var statics: [String: String] = [:]
    for name in reader.names { statics[name] = try reader.numeral(name) }
    return statics
  }

  private static func criteria(_ config: RequestReader) throws -> Criteria {
    var criteria = Criteria()
    guard
      let given = try config.object(
        "TuningJobCompletionCriteria",
        known: ["TargetObjectiveMetricValue", "BestObjectiveNotImproving", "ConvergenceDetected"])
    else { return criteria }
    criteria.target = try given.real("TargetObjectiveMetricValue")
    criteria.jobsNotImproving = try given.object(
      "BestObjectiveNotImproving", known: ["MaxNumberOfTrainingJobsNotImproving"])?
      .whole("MaxNumberOfTrainingJobsNotImproving", 3...Int.max)
    criteria.endsOnConvergence =
      try given.object("ConvergenceDetected", known: ["CompleteOnConvergence"])?
      .word("CompleteOnConvergence", Switch.self) == .enabled
    return criteria
  }

  private static func parents(_ warm: RequestReader) throws -> [String] {
    let parents = try warm.objects("ParentHyperParameterTuningJobs", known: ["HyperParameterTuningJobName"])
      .map {
        try $0.required($0.text("HyperParameterTuningJobName"), "HyperParameterTuningJobName")
      }
    guard (1...5).contains(parents.count) else {
      throw TuningError("WarmStartConfig has \(parents.count) parents; 1 to 5 are expected")
    }
    guard Set(parents).count == parents.count else {
      throw TuningError("WarmStartConfig names a parent more than once")
    }
    return parents
  }
}

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
  /// The static hyperparameters that give Hyperband's maximum resource if StrategyConfig does not.
  static let resourceNames = ["epochs", "numepochs", "n-epochs", "n_epochs", "num_epochs"]

  /// The largest number of epochs that the trainer accepts.
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
        "The hyperparameter '\(parameter.name)' has a range and is also in StaticHyperParameters; remove one of them"
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
      throw TuningError("AutoParameters are not supported; give ranges with MinValue and MaxValue")
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
    // `Plan` refuses a resource with any other strategy, so a placeholder is enough.
    guard strategy == .hyperband else { return given == nil ? nil : Plan.Resource(maximum: 1) }
    let limits = 1...largestResource
    let named = resourceNames.lazy.compactMap { statics[$0] }.first.flatMap { Int($0) }
    if let named, !limits.contains(named), given?.has("MaxResource") != true {
      throw TuningError("epochs is \(named); Hyperband takes 1 to \(largestResource)")
    }
    guard let most = try given?.whole("MaxResource", limits) ?? named else { return nil }
    return Plan.Resource(minimum: try given?.whole("MinResource", limits) ?? 1, maximum: most)
  }
}

extension TuningRequest {
  /// Checks static hyperparameters and the ends of all ranges as the trainer does, before the first job starts.
  ///
  /// - Throws: `TrainingError` in SageMaker's words, with the closest known name; `TuningError` for the end of a range, and
  ///   for Hyperband with a learning rate schedule that depends on the number of epochs.
  public func checkHyperparameters() throws {
    for definition in definitions {
      do { try definition.checkOwn() } catch {
        guard definitions.count > 1 else { throw error }
        throw TuningError("The definition '\(definition.definitionName ?? "")': \(error)")
      }
    }
  }

  private func checkOwn() throws {
    let first = plan.space.parameters.map { ($0.name, ends($0)) }
    let usual = first.map { (name: $0.0, value: $0.1.first ?? "") }
    let fixed = statics.sorted { $0.key < $1.key }.map { (name: $0.key, value: $0.value) }
    let common = try HyperparameterSet(fixed + usual, isComplete: false)
    try common.check()
    // With a single label per image, the number of classes follows from the largest label.
    if common.multiLabel, common.numClasses == 0 {
      throw TuningError("num_classes is required with multi_label; add it to StaticHyperParameters")
    }
    for (name, values) in first {
      for value in values {
        do {
          try HyperparameterSet(fixed + usual + [(name: name, value: value)], isComplete: false).check()
        } catch {
          throw TuningError("The range of '\(name)' includes \(value): \(error)")
        }
      }
    }
    guard plan.strategy == .hyperband, let resource = plan.resource else { return }
    guard !plan.space.parameters.contains(where: { $0.name == "epochs" }) else {
      throw TuningError(
        "The range of 'epochs' has no effect with Hyperband, which sets the number of epochs; remove it")
    }
    let values = try HyperparameterSet(
      fixed + usual + [(name: "epochs", value: "\(resource.minimum)")], isComplete: false)
    try values.check()
    guard values.lrSchedule == .step, values.progressiveStart == nil else {
      throw TuningError(
        "Hyperband resumes jobs with more epochs, which requires lr_schedule 'step' and no progressive_start"
      )
    }
  }

  /// Warnings to show before the first job starts: about ranges without effect, and scales on which most samples are wasted.
  public func warnings() -> [String] {
    let all = definitions
    return all.flatMap { definition in
      definition.ownWarnings().map { all.count > 1 ? "\(definition.definitionName ?? ""): \($0)" : $0 }
    }
  }

  private func ownWarnings() -> [String] {
    var found = inertRanges()
    for parameter in plan.space.parameters {
      guard case .continuous(let range) = parameter.domain else { continue }
      if parameter.name == "weight_decay", parameter.effectiveScaling == .linear, range.upperBound > 0.05 {
        found.append(
          "weight_decay is sampled uniformly from \(range.lowerBound) to \(range.upperBound): nearly all samples are above"
            + " 0.01, with which a network learns nothing. Write \"MinValue\": \"1e-6\", \"MaxValue\": \"0.01\","
            + " \"ScalingType\": \"Logarithmic\"")
      }
      if parameter.name == "learning_rate", parameter.effectiveScaling == .linear,
        range.upperBound >= 100 * max(range.lowerBound, 1e-6)
      {
        found.append(
          "learning_rate is sampled uniformly from \(range.lowerBound) to \(range.upperBound): nine of ten samples are above"
            + " \(range.upperBound / 10). Write \"ScalingType\": \"Logarithmic\", and a MinValue above 0")
      }
    }
    if plan.strategy == .bayesian, let jobs = plan.jobs, jobs == plan.parallelJobs, jobs > 1 {
      found.append(
        "all \(jobs) jobs start at once, so none can learn from another and Bayesian acts like Random. Use a smaller"
          + " MaxParallelTrainingJobs")
    }
    return found
  }

  /// Warnings about ranges that have no effect with any optimizer that a job may get.
  private func inertRanges() -> [String] {
    let optimizers =
      plan.space.parameters.first { $0.name == "optimizer" }.map(ends)
      ?? [statics["optimizer"] ?? HyperparameterSet.OptimizerName.sgd.rawValue]
    var found: [String] = []
    for parameter in plan.space.parameters {
      let reasons = optimizers.map { optimizer -> String? in
        var values = statics.map { (name: $0.key, value: $0.value) }
        values.append((name: parameter.name, value: ends(parameter).last ?? ""))
        values.append((name: "optimizer", value: optimizer))
        let start = "\(parameter.name) has no effect: "
        let all = (try? HyperparameterSet(values, isComplete: false))?.warnings().map(\.description) ?? []
        return all.first { $0.hasPrefix(start) }.map { String($0.dropFirst(start.count)) }
      }
      let known = reasons.compactMap { $0 }
      guard known.count == optimizers.count, let reason = known.first else { continue }
      found.append("the range of \(parameter.name) has no effect: \(reason). \(Self.remedy(parameter.name))")
    }
    return found
  }

  private static func remedy(_ name: String) -> String {
    let optimizers: [String]
    switch name {
    case "beta_1", "beta_2": optimizers = ["adam"]
    case "gamma": optimizers = ["rmsprop"]
    case "eps": optimizers = ["adam", "rmsprop"]
    case "momentum", "weight_decay": optimizers = ["sgd", "nag"]
    default: return "Remove it"
    }
    let words = optimizers.map { "\"\($0)\"" }.joined(separator: " or ")
    return
      "Remove it, or set \"optimizer\": \(words) in StaticHyperParameters, or tune optimizer as a categorical range"
  }

  /// The values at the two ends of a range, or all values of a categorical one.
  private func ends(_ parameter: Parameter) -> [String] {
    switch parameter.domain {
    case .continuous(let range):
      [range.lowerBound, range.upperBound].map { ParameterValue.real($0).description }
    case .integer(let range):
      [range.lowerBound, range.upperBound].map { ParameterValue.whole($0).description }
    case .categorical(let values): values
    }
  }
}

/// Why a tuning cannot start or resume, in SageMaker's words where SageMaker has the same error.
public struct TuningError: Error, Hashable, Sendable, CustomStringConvertible {
  /// What the caller can do about an error, as the thing that is missing.
  public enum Lack: Hashable, Sendable {
    /// A local copy of the data at this URI.
    case copy(of: String)
    /// The end of the warm start's parent tuning, which is unfinished.
    case end
    /// The request that the tuning in the folder was started with.
    case request
    /// Permission to resume the tuning in the folder.
    case permission
  }
  public let description: String
  /// Nil if the description says what to do.
  public let lack: Lack?

  public init(_ description: String, lacks lack: Lack? = nil) {
    (self.description, self.lack) = (description, lack)
  }
}
