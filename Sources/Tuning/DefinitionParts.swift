import Encodings
import Search

/// Splits a request with TrainingJobDefinitions into one request per definition.
///
/// The definitions share one budget. MaxNumberOfTrainingJobs is divided evenly among them; if there is a remainder, the
/// first ones get one job more. Each has its own seed, so that two with equal ranges do not try the same values.
struct DefinitionParts {
  /// The definitions' names, empty if a definition has none, and their requests.
  private(set) var requests: [(name: String, json: JSON)] = []
  /// MaxNumberOfTrainingJobs, for all definitions together; nil if there is no limit.
  let jobs: Int?
  /// MaxParallelTrainingJobs, for all definitions together.
  let parallelJobs: Int

  private static let most = 10

  /// - Throws: `TuningError`; with several definitions also for a missing or duplicate DefinitionName, and for a warm start.
  init(_ json: JSON, _ input: RequestReader) throws(TuningError) {
    guard case .object(var members) = json else { throw TuningError("The request is not a JSON object") }
    if input.has("TrainingJobDefinition") {
      throw TuningError("TrainingJobDefinition and TrainingJobDefinitions cannot both be given")
    }
    let definitions = try input.objects("TrainingJobDefinitions", known: TuningRequest.definitionMembers)
    guard (1...Self.most).contains(definitions.count) else {
      throw TuningError(
        "TrainingJobDefinitions has \(definitions.count) definitions; 1 to \(Self.most) are expected")
    }
    if definitions.count > 1, input.has("WarmStartConfig") {
      throw TuningError("WarmStartConfig is not supported with several TrainingJobDefinitions")
    }
    let config = try input.required(
      input.object("HyperParameterTuningJobConfig", known: TuningRequest.configMembers),
      "HyperParameterTuningJobConfig")
    let limits = try config.object("ResourceLimits")
    jobs = try limits?.whole("MaxNumberOfTrainingJobs", 1...Int.max)
    parallelJobs = try limits?.whole("MaxParallelTrainingJobs", 1...Int.max) ?? 1
    if let jobs, jobs < definitions.count {
      throw TuningError(
        "MaxNumberOfTrainingJobs is \(jobs), but there are \(definitions.count) TrainingJobDefinitions; each needs"
          + " at least one job")
    }
    if let jobs, parallelJobs > jobs {
      throw TuningError("MaxParallelTrainingJobs must be less than or equal to MaxNumberOfTrainingJobs")
    }
    members["TrainingJobDefinitions"] = nil
    let name = try input.text("HyperParameterTuningJobName") ?? ""
    let seed = try config.whole("RandomSeed", 0...Int.max) ?? TuningRequest.seed(ofName: name)
    let isGrid = try config.text("Strategy") == Strategy.grid.rawValue
    let own = try input.list("TrainingJobDefinitions")
    for (index, definition) in definitions.enumerated() {
      let name = try definition.text("DefinitionName")
      if definitions.count > 1 {
        guard let name, !requests.contains(where: { $0.name == name }) else {
          throw TuningError(
            "\(definition.place("DefinitionName")): each of several definitions needs a unique DefinitionName"
          )
        }
        let share = jobs.map { $0 / definitions.count + (index < $0 % definitions.count ? 1 : 0) }
        members["HyperParameterTuningJobConfig"] = Self.config(
          of: definition, json["HyperParameterTuningJobConfig"], share: isGrid ? nil : share,
          parallelJobs: min(parallelJobs, share ?? .max), seed: (seed &+ index) & .max)
      }
      members["TrainingJobDefinition"] = own[index]
      requests.append((name ?? "", .object(members)))
    }
  }

  /// The tuning configuration for one definition, whose own objective and ranges replace the common ones.
  private static func config(
    of definition: RequestReader, _ config: JSON?, share: Int?, parallelJobs: Int, seed: Int
  ) -> JSON? {
    guard case .object(var members)? = config, case .object(var limits)? = members["ResourceLimits"] else {
      return config
    }
    limits["MaxNumberOfTrainingJobs"] = share.map { .integer($0) }
    limits["MaxParallelTrainingJobs"] = .integer(parallelJobs)
    members["ResourceLimits"] = .object(limits)
    members["RandomSeed"] = .integer(seed)
    if definition.has("TuningObjective") { members["HyperParameterTuningJobObjective"] = nil }
    if definition.has("HyperParameterRanges") { members["ParameterRanges"] = nil }
    return .object(members)
  }

  /// Checks the plans of all definitions together.
  ///
  /// - Throws: `TuningError` if their objectives differ in Type, so that no job is the best overall; `SearchError` if the grids
  ///   have another number of combinations than MaxNumberOfTrainingJobs.
  func check(_ plans: [Plan]) throws {
    guard plans.count > 1 else { return }
    guard Set(plans.map(\.direction)).count == 1 else {
      throw TuningError("The objectives of all TrainingJobDefinitions must have the same Type")
    }
    guard plans.first?.strategy == .grid, let jobs else { return }
    let all = plans.reduce(Int?(0)) { sum, plan in
      guard let sum, let more = plan.space.combinations else { return nil }
      return sum.addingReportingOverflow(more).overflow ? nil : sum + more
    }
    guard jobs != all else { return }
    throw SearchError(.gridSize(jobs: jobs, combinations: all.map { "\($0)" } ?? "more than 2^63"))
  }
}
