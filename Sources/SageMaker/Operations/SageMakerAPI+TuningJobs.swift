package import Encodings
import S3
import Tuning

extension SageMakerAPI {
  func createTuningJob(_ call: Call) async throws(ControlPlaneError) -> JSON {
    let name = call.text("HyperParameterTuningJobName")
    let request = call.request.without("Tags")
    try TuningRules.check(request, options.quotas)
    try TuningRules.checkSearch(request)
    for definition in TuningRules.definitions(of: request) {
      let role = definition["RoleArn"]?.text ?? ""
      for channel in definition["InputDataConfig"]?.list ?? [] {
        guard let uri = channel["DataSource"]?["S3DataSource"]?["S3Uri"]?.text else { continue }
        try await checkObjects(uri, role: role, call)
      }
    }
    for parent in TuningRules.parents(of: request) {
      guard let parent = try await store.find(.tuningJob, parent) else {
        throw .invalid("The parent hyperparameter tuning job \(parent) does not exist.")
      }
      guard !parent.isInWork else {
        throw .invalid(
          "The parent hyperparameter tuning job \(parent.name) is in status \(parent.status); it must have ended."
        )
      }
      try TuningRules.check(parent: parent, of: request)
    }
    // The ARNs of the tuning job's training jobs have the same region and account.
    let caller: JSON = ["region": .string(call.caller.region), "account": .string(call.caller.account)]
    let answer = try await add(.tuningJob, call, status: "InProgress", state: ["caller": caller])
    engine.submit(new: .init(.tuningJob, name))
    return answer
  }

  func describeTuningJob(_ call: Call) async throws(ControlPlaneError) -> JSON {
    let name = call.text("HyperParameterTuningJobName")
    let job = try await existing(.tuningJob, name, call)
    var answer = job.request.merging(job.state.shown)
    answer["HyperParameterTuningJobName"] = .string(name)
    answer["HyperParameterTuningJobArn"] = .string(job.arn)
    answer["HyperParameterTuningJobStatus"] = .string(job.status)
    answer["CreationTime"] = .number(job.created)
    answer["LastModifiedTime"] = .number(job.modified)
    let counters = try await store.tuningCounters(of: name)
    answer["TrainingJobStatusCounters"] = counters.jobs
    answer["ObjectiveStatusCounters"] = counters.objectives
    let isMaximized = TuningRules.isMaximized(job.request)
    if let best = try await store.bestTrainingJob(of: name, isMaximized: isMaximized) {
      answer["BestTrainingJob"] = Self.summary(of: best, in: job)
      if job.request["WarmStartConfig"]?["WarmStartType"]?.text == "IdenticalDataAndAlgorithm" {
        answer["OverallBestTrainingJob"] = try await overallBest(best, of: job, isMaximized)
      }
    }
    return answer
  }

  /// The best training job of a tuning job and its parents.
  private func overallBest(
    _ best: Resource, of job: Resource, _ isMaximized: Bool
  ) async throws(ControlPlaneError) -> JSON {
    var (overall, owner) = (best, job)
    for name in TuningRules.parents(of: job.request) {
      guard let parent = try await store.find(.tuningJob, name),
        let other = try await store.bestTrainingJob(of: name, isMaximized: isMaximized),
        let (value, most) = other.objective.flatMap({ value in overall.objective.map { (value, $0) } }),
        isMaximized ? value > most : value < most
      else { continue }
      (overall, owner) = (other, parent)
    }
    return Self.summary(of: overall, in: owner)
  }

  func listTuningJobs(_ call: Call) async throws(ControlPlaneError) -> JSON {
    var answer = try await list(
      .tuningJob, call, as: "HyperParameterTuningJobSummaries", ascending: true, sortBy: .name
    ) { job in
      var summary: JSON = [
        "HyperParameterTuningJobName": .string(job.name), "HyperParameterTuningJobArn": .string(job.arn),
        "CreationTime": .number(job.created), "LastModifiedTime": .number(job.modified),
        "HyperParameterTuningJobStatus": .string(job.status),
      ]
      summary["HyperParameterTuningEndTime"] = job.state["HyperParameterTuningEndTime"]
      return summary
    }
    var summaries: [JSON] = []
    for var summary in answer["HyperParameterTuningJobSummaries"]?.list ?? [] {
      let name = summary["HyperParameterTuningJobName"]?.text ?? ""
      let counters = try await store.tuningCounters(of: name)
      summary["TrainingJobStatusCounters"] = counters.jobs
      summary["ObjectiveStatusCounters"] = counters.objectives
      let config = try await store.find(.tuningJob, name)?.request["HyperParameterTuningJobConfig"]
      summary["Strategy"] = config?["Strategy"] ?? "Bayesian"
      summary["ResourceLimits"] = config?["ResourceLimits"]
      summaries.append(summary)
    }
    answer["HyperParameterTuningJobSummaries"] = .list(summaries)
    return answer
  }

  func listTrainingJobsOfTuning(_ call: Call) async throws(ControlPlaneError) -> JSON {
    let tuning = try await existing(.tuningJob, call.text("HyperParameterTuningJobName"), call)
    return try await list(
      .trainingJob, call, as: "TrainingJobSummaries", ascending: true, sortBy: .name, parent: tuning.name
    ) { Self.summary(of: $0, in: tuning).without("TuningJobName") }
  }

  static func summary(of job: Resource, in tuning: Resource) -> JSON {
    var summary: JSON = [
      "TrainingJobName": .string(job.name), "TrainingJobArn": .string(job.arn),
      "TuningJobName": .string(tuning.name), "CreationTime": .number(job.created),
      "TrainingJobStatus": .string(job.status), "TunedHyperParameters": job.state["tuned"] ?? [:],
    ]
    for name in ["TrainingStartTime", "TrainingEndTime", "FailureReason"] { summary[name] = job.state[name] }
    summary["TrainingJobDefinitionName"] = job.state["definition"]
    let definition = job.state["definition"]?.text
    if let value = job.objective,
      let objective = TuningRules.objective(of: tuning.request, definition: definition)
    {
      summary["FinalHyperParameterTuningJobObjectiveMetric"] = [
        "Type": objective["Type"] ?? "Maximize", "MetricName": objective["MetricName"] ?? "",
        "Value": .number(value),
      ]
    }
    summary["ObjectiveStatus"] =
      switch job.status {
      case "InProgress", "Stopping": "Pending"
      default: job.objective == nil ? "Failed" : "Succeeded"
      }
    return summary
  }

  func deleteTuningJob(_ call: Call) async throws(ControlPlaneError) {
    let name = call.text("HyperParameterTuningJobName")
    let job = try await store.delete(.tuningJob, name) { job in
      guard !job.isInWork else {
        throw ControlPlaneError.invalid(
          "The hyperparameter tuning job \(name) is in status \(job.status); stop it, and wait until it has ended."
        )
      }
    }
    if job == nil { throw ResourceKind.tuningJob.missing("") }
    engine.removeFolder(of: .init(.tuningJob, name))
  }
}

/// SageMaker's rules for a tuning job that shapes cannot express.
package enum TuningRules {
  /// The training job definitions of a request, from TrainingJobDefinition or TrainingJobDefinitions.
  package static func definitions(of request: JSON) -> [JSON] {
    request["TrainingJobDefinition"].map { [$0] } ?? request["TrainingJobDefinitions"]?.list ?? []
  }

  static func parents(of request: JSON) -> [String] {
    (request["WarmStartConfig"]?["ParentHyperParameterTuningJobs"]?.list ?? []).compactMap {
      $0["HyperParameterTuningJobName"]?.text
    }
  }

  /// The objective of a training job definition; nil if there is none. With several definitions, a definition's own
  /// objective takes precedence over the tuning job's; with a single definition it is the other way round.
  ///
  /// - Parameter name: the definition's name; nil means the first definition. All definitions have the same Type.
  package static func objective(of request: JSON, definition name: String? = nil) -> JSON? {
    let definitions = definitions(of: request)
    let common = request["HyperParameterTuningJobConfig"]?["HyperParameterTuningJobObjective"]
    let named = definitions.first { name == nil || $0["DefinitionName"]?.text == name } ?? definitions.first
    let own = named?["TuningObjective"]
    return definitions.count > 1 ? own ?? common : common ?? own
  }

  /// The parameter ranges of all definitions. A hyperparameter that several definitions tune appears once, with the first
  /// range.
  package static func ranges(of request: JSON) -> JSON {
    let common = request["HyperParameterTuningJobConfig"]?["ParameterRanges"]
    var known: Set<String> = []
    var all: JSON = [:]
    for definition in definitions(of: request) {
      for (member, ranges) in ((definition["HyperParameterRanges"] ?? common)?.object ?? [:]).sorted(by: {
        $0.key < $1.key
      }) {
        let new = (ranges.list ?? []).filter { $0["Name"]?.text.map { known.insert($0).inserted } ?? false }
        all[member] = .list((all[member]?.list ?? []) + new)
      }
    }
    return all
  }

  /// Whether a larger objective is better.
  package static func isMaximized(_ request: JSON) -> Bool {
    objective(of: request)?["Type"]?.text != "Minimize"
  }

  static func check(_ request: JSON, _ quotas: Quotas) throws(ControlPlaneError) {
    guard (request["TrainingJobDefinition"] == nil) != (request["TrainingJobDefinitions"] == nil) else {
      throw .invalid("You must specify exactly one of TrainingJobDefinition and TrainingJobDefinitions.")
    }
    let definitions = definitions(of: request)
    guard objective(of: request) != nil else {
      throw .invalid("HyperParameterTuningJobObjective is missing.")
    }
    guard request["Autotune"] == nil else {
      throw .invalid("imrec does not support Autotune; give the ranges of the hyperparameters.")
    }
    let limits = request["HyperParameterTuningJobConfig"]?["ResourceLimits"]
    let (jobs, parallel) = (
      limits?["MaxNumberOfTrainingJobs"]?.integer, limits?["MaxParallelTrainingJobs"]?.integer ?? 1
    )
    if let jobs {
      guard parallel <= jobs else {
        throw .invalid("MaxParallelTrainingJobs must be less than or equal to MaxNumberOfTrainingJobs.")
      }
      try check("MaxNumberOfTrainingJobs", jobs, quotas.tuningTrainingJobs)
    }
    try check("MaxParallelTrainingJobs", parallel, quotas.tuningParallelTrainingJobs)
    for definition in definitions {
      try TrainingRules.checkChannels(of: definition)
      _ = try S3Location(uri: definition["OutputDataConfig"]?["S3OutputPath"]?.text ?? "")
    }
  }

  /// Checks what the search and the trainer require: ranges, strategy, hyperparameters and the objective.
  static func checkSearch(_ request: JSON) throws(ControlPlaneError) {
    do {
      let asked = try TuningRequest(request)
      try asked.checkHyperparameters()
      _ = try Objective(asked)
    } catch {
      throw .invalid("\(error)")
    }
  }

  private static func check(_ name: String, _ value: Int, _ most: Int) throws(ControlPlaneError) {
    guard value > most else { return }
    throw ControlPlaneError(
      .limitExceeded, "The account-level service limit '\(name)' is \(most), with a request of \(value).")
  }

  /// Checks that the parent of a warm start has a single definition and the same objective.
  static func check(parent: Resource, of request: JSON) throws(ControlPlaneError) {
    guard definitions(of: parent.request).count == 1 else {
      throw .invalid(
        "The parent hyperparameter tuning job \(parent.name) has several TrainingJobDefinitions; a warm start is supported "
          + "only from a parent with one.")
    }
    guard objective(of: parent.request)?["MetricName"] == objective(of: request)?["MetricName"],
      isMaximized(parent.request) == isMaximized(request)
    else {
      throw .invalid(
        "The parent hyperparameter tuning job \(parent.name) has a different objective; MetricName and Type must match."
      )
    }
  }
}
