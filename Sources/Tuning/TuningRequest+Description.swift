import Search

extension TuningRequest {
  /// DescribeHyperParameterTuningJob's answer, with the jobs as `TrainingJobs`. Times are seconds since 1970; ARNs are of
  /// no account.
  public func description(of record: TuningRecord) -> JSONValue {
    let best = record.best(plan.direction.isBetter)
    let ended = record.ended
    var members: [String: JSONValue?] = [
      "HyperParameterTuningJobName": .text(name),
      "HyperParameterTuningJobArn": .text(Self.arn("hyper-parameter-tuning-job", name)),
      "HyperParameterTuningJobConfig": json["HyperParameterTuningJobConfig"],
      "TrainingJobDefinition": json["TrainingJobDefinition"],
      "TrainingJobDefinitions": json["TrainingJobDefinitions"], "WarmStartConfig": json["WarmStartConfig"],
      "HyperParameterTuningJobStatus": .text(record.status.rawValue),
      "CreationTime": .real(record.creationTime),
      "HyperParameterTuningEndTime": record.endTime.map { .real($0) },
      "LastModifiedTime": .real(
        record.endTime ?? record.jobs.flatMap { [$0.endTime, $0.startTime] }.compactMap { $0 }.max()
          ?? record.creationTime),
      "RandomSeed": Int(exactly: plan.seed).map { .whole($0) },
      "TrainingJobStatusCounters": counters(record), "ObjectiveStatusCounters": objectiveCounters(record),
      "BestTrainingJob": best.map { summary($0, record) },
      "FailureReason": record.failureReason.map { .text($0) },
      "CompletionReason": record.completionReason.map { .text($0) },
      "ConsumedResources": .object(["RuntimeInSeconds": .whole(seconds(record.runtimeSeconds))]),
      "TrainingJobs": .list(record.jobs.map { summary($0, record) }),
    ]
    var details: [String: JSONValue] = [
      "NumberOfTrainingJobsObjectiveNotImproving": .whole(
        TuningRequest.jobsNotImproving(ended, plan.direction))
    ]
    if let time = record.convergenceTime { details["ConvergenceDetectedTime"] = .real(time) }
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

  private func counters(_ record: TuningRecord) -> JSONValue {
    .object([
      "Completed": .whole(record.count(.completed)), "InProgress": .whole(record.count(.inProgress)),
      "RetryableError": .whole(0), "NonRetryableError": .whole(record.count(.failed)),
      "Stopped": .whole(record.count(.stopped)),
    ])
  }

  private func objectiveCounters(_ record: TuningRecord) -> JSONValue {
    var counts: [String: Int] = ["Succeeded": 0, "Pending": 0, "Failed": 0]
    for job in record.jobs { counts[objectiveStatus(job), default: 0] += 1 }
    return .object(counts.mapValues { .whole($0) })
  }

  private func objectiveStatus(_ job: JobRecord) -> String {
    job.status == .inProgress ? "Pending" : job.score == nil ? "Failed" : "Succeeded"
  }

  /// A job that was broken off with the whole is stopped, for who reads it.
  private func summary(_ job: JobRecord, _ record: TuningRecord) -> JSONValue {
    let isBrokenOff = job.status == .inProgress && record.status != .inProgress
    let status = isBrokenOff ? JobRecord.Status.stopped : job.status
    let members: [String: JSONValue?] = [
      "TrainingJobName": .text(job.name), "TrainingJobArn": .text(Self.arn("training-job", job.name)),
      "TrainingJobDefinitionName": definition(of: job).definitionName.map { .text($0) },
      "TuningJobName": .text(name), "TrainingJobStatus": .text(status.rawValue),
      "TunedHyperParameters": .object(job.tuned.mapValues { .text($0) }),
      "CreationTime": .real(job.creationTime), "TrainingStartTime": job.startTime.map { .real($0) },
      "TrainingEndTime": job.endTime.map { .real($0) }, "FailureReason": job.failureReason.map { .text($0) },
      "ObjectiveStatus": .text(objectiveStatus(job)), "FinalObjective": job.score.map { .real($0) },
      "FinalHyperParameterTuningJobObjectiveMetric": job.score.map { definition(of: job).objective($0) },
    ]
    return .object(members.compactMapValues { $0 })
  }

  private func objective(_ value: Double) -> JSONValue {
    .object([
      "Type": .text(plan.direction.rawValue), "MetricName": .text(metric), "Value": .real(value),
    ])
  }

  private func overallBest(_ record: TuningRecord, _ own: JobRecord?) -> JSONValue? {
    var best = own.flatMap { job in job.score.map { (summary(job, record), $0) } }
    for parent in record.warmStart where parent.isIdentical {
      for job in parent.jobs {
        guard let score = job.score, best.map({ plan.direction.isBetter(score, than: $0.1) }) ?? true else {
          continue
        }
        let tuned = job.values.filter { value in plan.space.parameters.contains { $0.name == value.key } }
        best = (
          .object([
            "TrainingJobName": .text(job.name), "TrainingJobArn": .text(Self.arn("training-job", job.name)),
            "TuningJobName": .text(parent.name),
            "TunedHyperParameters": .object(tuned.mapValues { .text($0) }),
            "ObjectiveStatus": .text("Succeeded"), "FinalObjective": .real(score),
            "FinalHyperParameterTuningJobObjectiveMetric": objective(score),
          ]), score
        )
      }
    }
    return best?.0
  }
}
