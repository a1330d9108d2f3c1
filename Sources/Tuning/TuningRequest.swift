public import Encodings
import Files
package import Jobs
public import Search

/// What CreateHyperParameterTuningJob asks for, checked as far as the request itself goes.
public struct TuningRequest: Sendable {
  /// Ends a tuning before its last job.
  public struct Criteria: Hashable, Sendable {
    /// TargetObjectiveMetricValue: an objective that is at least as good.
    public var target: Double?
    /// MaxNumberOfTrainingJobsNotImproving: so many jobs, one after the other, that are no better than the best.
    public var jobsNotImproving: Int?
    /// CompleteOnConvergence.
    public var endsOnConvergence = false
  }
  public enum WarmStart: String, CaseIterable, Hashable, Sendable {
    case identical = "IdenticalDataAndAlgorithm"
    case transfer = "TransferLearning"
  }
  public struct MetricDefinition: Hashable, Sendable {
    public let name: String
    /// Its first group is the value.
    public let pattern: String

    package init(name: String, pattern: String) { (self.name, self.pattern) = (name, pattern) }

    /// - Throws: what is no pattern of lines, or has no group.
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
  public let plan: Plan
  /// The name of the objective.
  public let metric: String
  /// Whether the median rule stops jobs.
  public let stopsEarly: Bool
  /// For all jobs together, stops between runs not counted.
  public let maxRuntimeSeconds: Int?
  public let criteria: Criteria
  public let warmStart: WarmStart?
  /// Names of parents; or paths of their folders.
  public let parents: [String]
  public let statics: [String: String]
  public let channels: [Channel]
  /// S3OutputPath.
  public let outputPath: String?
  public let metricDefinitions: [MetricDefinition]
  /// StoppingCondition: of each job.
  public let jobSeconds: Int?
  /// MaxNumberOfTrainingJobs: of all definitions together.
  public private(set) var jobs: Int?
  /// MaxParallelTrainingJobs: the same.
  public private(set) var parallelJobs: Int
  /// DefinitionName.
  public let definitionName: String?
  /// All of it, as it was given.
  public private(set) var json: JSON
  private var several: [TuningRequest] = []
  /// A request for each of TrainingJobDefinitions, with its share of the jobs; of a single one this request. Where there
  /// are several, what is said here of ranges, objective, hyperparameters and channels is the first one's.
  public var definitions: [TuningRequest] { several.isEmpty ? [self] : several }

  public static let namePattern = "^[a-zA-Z0-9](-*[a-zA-Z0-9]){0,31}"

  /// Reads a file of the request.
  public init(json bytes: [UInt8]) throws {
    let json: JSON
    do throws(JSONError) { json = try JSON(parsing: bytes) } catch {
      throw TuningError(
        "this is no JSON document, such as {\"HyperParameterTuningJobName\": \"first\", ...}: line "
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
      throw TuningError("Autotune is not offered; write the ranges into ParameterRanges")
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
        throw TuningError("MetricDefinitions has '\(definition.name)' twice; each metric has one Regex")
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
      throw TuningError("TrainingJobDefinitions is empty; one is expected")
    }
    whole.json = json
    if made.count > 1 {
      (whole.several, whole.jobs, whole.parallelJobs) = (made, parts.jobs, parts.parallelJobs)
    }
    return whole
  }

  /// The one that a job is of.
  public func definition(of job: JobRecord) -> TuningRequest {
    let all = definitions
    return all.indices.contains(job.definition ?? 0) ? all[job.definition ?? 0] : self
  }

  /// Whether SageMaker would take it for a tuning's name.
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

  /// Where no RandomSeed is given: FNV-1a of the name, so that the same request gives the same jobs.
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
      throw TuningError("WarmStartConfig has \(parents.count) parents, 1 to 5 are expected")
    }
    guard Set(parents).count == parents.count else {
      throw TuningError("WarmStartConfig names a parent more than once")
    }
    return parents
  }
}
