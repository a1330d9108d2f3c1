public import Encodings
import Search

extension TuningRequest {
  /// DescribeHyperParameterTuningJob's answer, with the jobs as `TrainingJobs`. Times are seconds since 1970; ARNs are of
  /// no account.
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

  /// How many jobs ended, the last ones, that did not improve the best objective.
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

  /// A job that was broken off with the whole is stopped, for who reads it.
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
