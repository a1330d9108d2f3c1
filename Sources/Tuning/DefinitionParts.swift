import Encodings
import Search

/// TrainingJobDefinitions, taken apart: for each definition a request of its own.
///
/// One budget is over all of them. By turns each gets its share of MaxNumberOfTrainingJobs; where they do not divide, the
/// first ones get one more. Each has a seed of its own, that two of the same ranges do not try the same.
struct DefinitionParts {
  /// The names of the definitions, and their requests.
  private(set) var requests: [(name: String, json: JSON)] = []
  let jobs: Int?
  let parallelJobs: Int

  private static let most = 10

  /// - Throws: also for names that are not there or not one definition's own, and for a warm start.
  init(_ json: JSON, _ input: RequestReader) throws(TuningError) {
    guard case .object(var members) = json else { throw TuningError("The request is no JSON object") }
    if input.has("TrainingJobDefinition") {
      throw TuningError("TrainingJobDefinition and TrainingJobDefinitions cannot both be given")
    }
    let definitions = try input.objects("TrainingJobDefinitions", known: TuningRequest.definitionMembers)
    guard (1...Self.most).contains(definitions.count) else {
      throw TuningError(
        "TrainingJobDefinitions has \(definitions.count) definitions, 1 to \(Self.most) are expected")
    }
    if definitions.count > 1, input.has("WarmStartConfig") {
      throw TuningError("WarmStartConfig is not offered with several TrainingJobDefinitions")
    }
    let config = try input.required(
      input.object("HyperParameterTuningJobConfig", known: TuningRequest.configMembers),
      "HyperParameterTuningJobConfig")
    let limits = try config.object("ResourceLimits")
    jobs = try limits?.whole("MaxNumberOfTrainingJobs", 1...Int.max)
    parallelJobs = try limits?.whole("MaxParallelTrainingJobs", 1...Int.max) ?? 1
    if let jobs, jobs < definitions.count {
      throw TuningError(
        "MaxNumberOfTrainingJobs is \(jobs), and there are \(definitions.count) TrainingJobDefinitions; each needs"
          + " one at least")
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
            "\(definition.place("DefinitionName")): each of several definitions needs a DefinitionName of its own"
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

  /// A definition's own objective and ranges come first; what is common stands in for them.
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

  /// - Throws: where the best of all could not be said; where a grid has other jobs than are asked for.
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
