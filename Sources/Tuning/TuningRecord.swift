public import Encodings
import Search

/// The state of a tuning: all that is needed to resume it and to report it.
public struct TuningRecord: Codable, Hashable, Sendable {
  /// SageMaker's HyperParameterTuningJobStatus.
  public enum Status: String, Codable, Sendable {
    case inProgress = "InProgress"
    case completed = "Completed"
    case failed = "Failed"
    case stopped = "Stopped"
  }
  /// The request as given.
  public let request: JSON
  public var status = Status.inProgress
  public var jobs: [JobRecord] = []
  /// The parents of a warm start.
  public var warmStart: [ParentRecord] = []
  /// The time of the first start, in seconds since 1970; 0 before it.
  public var creationTime = 0.0
  /// The time when the last run ended, in seconds since 1970.
  public var endTime: Double?
  /// The running time of all runs in seconds, without the time between them.
  public var runtimeSeconds = 0.0
  public var failureReason: String?
  /// What ended the tuning before its last job; nil if nothing did.
  public var completionReason: String?
  /// The time when convergence was detected, in seconds since 1970; nil if it was not.
  public var convergenceTime: Double?

  public init(_ request: JSON) { self.request = request }
}

/// One job of a tuning.
public struct JobRecord: Codable, Hashable, Sendable {
  /// SageMaker's TrainingJobStatus.
  public enum Status: String, Codable, Sendable {
    /// Includes a job that was interrupted with the tuning and will resume with it.
    case inProgress = "InProgress"
    case completed = "Completed"
    case stopped = "Stopped"
    case failed = "Failed"
  }
  /// Counted from 1 within the tuning.
  public let number: Int
  public let name: String
  /// TunedHyperParameters: the values that the search chose.
  public let tuned: [String: String]
  /// The index of the definition that the job belongs to; nil if the tuning has only one.
  public var definition: Int?
  public var status = Status.inProgress
  /// The objective after each epoch.
  public var curve: [Double] = []
  /// The objective of the job's model; nil before the first epoch. May be NaN.
  public var objective: Double?
  /// With Hyperband, the total number of epochs at the end of the current or last rung.
  public var resource: Int?
  /// With Hyperband, the objective at the end of each rung.
  public var rungs: [Double] = []
  /// In seconds since 1970, as are `startTime` and `endTime`.
  public var creationTime = 0.0
  public var startTime: Double?
  public var endTime: Double?
  public var failureReason: String?
  /// Whether the median rule stopped the job.
  public var wasStoppedEarly = false

  init(number: Int, name: String, tuned: [String: String]) {
    (self.number, self.name, self.tuned) = (number, name, tuned)
  }

  /// The objective; nil if it is missing or not finite, or if the job failed.
  public var score: Double? { status == .failed ? nil : objective.flatMap { $0.isFinite ? $0 : nil } }
}

/// An earlier tuning whose jobs a warm start begins with.
public struct ParentRecord: Codable, Hashable, Sendable {
  /// An ended job of the parent.
  public struct Job: Codable, Hashable, Sendable {
    public let name: String
    /// Static and tuned hyperparameters together.
    public let values: [String: String]
    /// The objective; nil if the job has none.
    public let score: Double?
  }
  public let name: String
  /// Whether the parent's jobs count like this tuning's own (IdenticalDataAndAlgorithm).
  public let isIdentical: Bool
  public let jobs: [Job]
}

extension TuningRecord {
  /// The best completed job, or the best stopped one if none completed; on a tie, the first one. Nil if no job has a score.
  public func best(_ isBetter: (Double, Double) -> Bool) -> JobRecord? {
    for status in [JobRecord.Status.completed, .stopped] {
      var best: (job: JobRecord, score: Double)?
      for job in jobs where job.status == status {
        guard let score = job.score else { continue }
        if best.map({ isBetter(score, $0.score) }) ?? true { best = (job, score) }
      }
      if let best { return best.job }
    }
    return nil
  }

  /// The ended jobs, in the order in which they ended.
  var ended: [JobRecord] {
    jobs.filter { $0.status != .inProgress }
      .sorted { ($0.endTime ?? 0, $0.number) < ($1.endTime ?? 0, $1.number) }
  }

  /// The number of jobs with a status.
  public func count(_ status: JobRecord.Status) -> Int { jobs.count { $0.status == status } }
}

/// The name of a job: `<tuning>-<NNN>-<8 hex>`. The last part is derived from the seed and the number, so that a repeated
/// tuning has the same names.
func jobName(_ tuning: String, number: Int, seed: UInt64) -> String {
  // SplitMix64 (Steele, Lea, Flood 2014).
  var word = seed &+ UInt64(number) &* 0x9e37_79b9_7f4a_7c15
  word = (word ^ word >> 30) &* 0xbf58_476d_1ce4_e5b9
  word = (word ^ word >> 27) &* 0x94d0_49bb_1331_11eb
  word ^= word >> 31
  let (digits, hex) = ("\(number)", String(word >> 32, radix: 16))
  let zeros = { (count: Int) in String(repeating: "0", count: max(0, count)) }
  return "\(tuning)-\(zeros(3 - digits.count))\(digits)-\(zeros(8 - hex.count))\(hex)"
}

extension TuningRequest {
  /// The response of DescribeHyperParameterTuningJob, with all jobs as an additional member `TrainingJobs`. Times are in
  /// seconds since 1970; the account in ARNs is 000000000000.
  public func description(of record: TuningRecord) -> JSON {
    let best = record.best(plan.direction.isBetter)
    let ended = record.ended
    var members: [String: JSON?] = [
      "HyperParameterTuningJobName": .string(name),
      "HyperParameterTuningJobArn": .string(Self.arn("hyper-parameter-tuning-job", name)),
      "HyperParameterTuningJobConfig": json["HyperParameterTuningJobConfig"],
      "TrainingJobDefinition": json["TrainingJobDefinition"],
      "TrainingJobDefinitions": json["TrainingJobDefinitions"], "WarmStartConfig": json["WarmStartConfig"],
      "HyperParameterTuningJobStatus": .string(record.status.rawValue),
      "CreationTime": .number(record.creationTime),
      "HyperParameterTuningEndTime": record.endTime.map { .number($0) },
      "LastModifiedTime": .number(
        record.endTime ?? record.jobs.flatMap { [$0.endTime, $0.startTime] }.compactMap { $0 }.max()
          ?? record.creationTime),
      "RandomSeed": Int(exactly: plan.seed).map { .integer($0) },
      "TrainingJobStatusCounters": counters(record), "ObjectiveStatusCounters": objectiveCounters(record),
      "BestTrainingJob": best.map { summary($0, record) },
      "FailureReason": record.failureReason.map { .string($0) },
      "CompletionReason": record.completionReason.map { .string($0) },
      "ConsumedResources": .object(["RuntimeInSeconds": .integer(seconds(record.runtimeSeconds))]),
      "TrainingJobs": .list(record.jobs.map { summary($0, record) }),
    ]
    var details: [String: JSON] = [
      "NumberOfTrainingJobsObjectiveNotImproving": .integer(
        TuningRequest.jobsNotImproving(ended, plan.direction))
    ]
    if let time = record.convergenceTime { details["ConvergenceDetectedTime"] = .number(time) }
    members["TuningJobCompletionDetails"] = .object(details)
    if warmStart == .identical { members["OverallBestTrainingJob"] = overallBest(record, best) }
    return .object(members.compactMapValues { $0 })
  }

  /// How many jobs have ended since the best objective last improved; 0 if no job has an objective.
  static func jobsNotImproving(_ ended: [JobRecord], _ direction: Direction) -> Int {
    var best: Double?
    var count = 0
    for job in ended {
      if let score = job.score, best.map({ direction.isBetter(score, than: $0) }) ?? true {
        best = score
        count = 0
      } else {
        count += 1
      }
    }
    return best == nil ? 0 : count
  }

  private static func arn(_ kind: String, _ name: String) -> String {
    "arn:aws:sagemaker:local:000000000000:\(kind)/\(name)"
  }

  private func seconds(_ value: Double) -> Int { Int(exactly: value.rounded()) ?? 0 }

  private func counters(_ record: TuningRecord) -> JSON {
    .object([
      "Completed": .integer(record.count(.completed)), "InProgress": .integer(record.count(.inProgress)),
      "RetryableError": .integer(0), "NonRetryableError": .integer(record.count(.failed)),
      "Stopped": .integer(record.count(.stopped)),
    ])
  }

  private func objectiveCounters(_ record: TuningRecord) -> JSON {
    var counts: [String: Int] = ["Succeeded": 0, "Pending": 0, "Failed": 0]
    for job in record.jobs { counts[objectiveStatus(job), default: 0] += 1 }
    return .object(counts.mapValues { .integer($0) })
  }

  private func objectiveStatus(_ job: JobRecord) -> String {
    job.status == .inProgress ? "Pending" : job.score == nil ? "Failed" : "Succeeded"
  }

  /// The summary of a job. A job that was interrupted with the tuning is shown as stopped.
  private func summary(_ job: JobRecord, _ record: TuningRecord) -> JSON {
    let isBrokenOff = job.status == .inProgress && record.status != .inProgress
    let status = isBrokenOff ? JobRecord.Status.stopped : job.status
    let members: [String: JSON?] = [
      "TrainingJobName": .string(job.name), "TrainingJobArn": .string(Self.arn("training-job", job.name)),
      "TrainingJobDefinitionName": definition(of: job).definitionName.map { .string($0) },
      "TuningJobName": .string(name), "TrainingJobStatus": .string(status.rawValue),
      "TunedHyperParameters": .object(job.tuned.mapValues { .string($0) }),
      "CreationTime": .number(job.creationTime), "TrainingStartTime": job.startTime.map { .number($0) },
      "TrainingEndTime": job.endTime.map { .number($0) },
      "FailureReason": job.failureReason.map { .string($0) },
      "ObjectiveStatus": .string(objectiveStatus(job)), "FinalObjective": job.score.map { .number($0) },
      "FinalHyperParameterTuningJobObjectiveMetric": job.score.map { definition(of: job).objective($0) },
    ]
    return .object(members.compactMapValues { $0 })
  }

  private func objective(_ value: Double) -> JSON {
    .object([
      "Type": .string(plan.direction.rawValue), "MetricName": .string(metric), "Value": .number(value),
    ])
  }

  private func overallBest(_ record: TuningRecord, _ own: JobRecord?) -> JSON? {
    var best = own.flatMap { job in job.score.map { (summary(job, record), $0) } }
    for parent in record.warmStart where parent.isIdentical {
      for job in parent.jobs {
        guard let score = job.score, best.map({ plan.direction.isBetter(score, than: $0.1) }) ?? true else {
          continue
        }
        let tuned = job.values.filter { value in plan.space.parameters.contains { $0.name == value.key } }
        best = (
          .object([
            "TrainingJobName": .string(job.name),
            "TrainingJobArn": .string(Self.arn("training-job", job.name)),
            "TuningJobName": .string(parent.name),
            "TunedHyperParameters": .object(tuned.mapValues { .string($0) }),
            "ObjectiveStatus": .string("Succeeded"), "FinalObjective": .number(score),
            "FinalHyperParameterTuningJobObjectiveMetric": objective(score),
          ]), score
        )
      }
    }
    return best?.0
  }
}
