import TestSupport
import Testing

@testable import ControlPlane

@Suite("Tuning jobs")
struct TuningJobTests {
  /// Its accuracy is its learning rate.
  private static let trainer = """
    rate=$(sed 's/.*"learning_rate":"\\([^"]*\\)".*/\\1/' $3/input/config/hyperparameters.json)
    echo weights > "$3/model/image-classification-0001.params"
    cat > "$3/output/data/metrics.partial" <<END
    {"epoch":0,"images":8,"train_loss":1,"train_accuracy":0.5,"validation_images":8,"validation_loss":1,"validation_accuracy":$rate,"learning_rate":0.1,"shape":[3,28,28],"seconds":1,"images_per_second":8,"data_seconds":0,"forward_seconds":0,"backward_seconds":0,"update_seconds":0,"validation_seconds":0,"is_best":true}
    END
    mv "$3/output/data/metrics.partial" "$3/output/data/metrics.jsonl"
    """

  private static func request(_ changes: JSON = [:]) -> JSON {
    let definition: JSON = [
      "AlgorithmSpecification": ["TrainingImage": "image-classification:1", "TrainingInputMode": "File"],
      "RoleArn": role, "OutputDataConfig": ["S3OutputPath": "s3://b/output"],
      "ResourceConfig": ["InstanceType": "ml.p3.2xlarge", "InstanceCount": 1, "VolumeSizeInGB": 50],
      "StoppingCondition": ["MaxRuntimeInSeconds": 3600],
      "InputDataConfig": [channel("train"), channel("validation", uri: "s3://b/train/")],
      "StaticHyperParameters": [
        "num_layers": "20", "image_shape": "3,28,28", "num_classes": "2", "num_training_samples": "8",
        "mini_batch_size": "4", "epochs": "1",
      ],
    ]
    let request: JSON = [
      "HyperParameterTuningJobName": "tuning",
      "HyperParameterTuningJobConfig": [
        "Strategy": "Random", "RandomSeed": 7,
        "HyperParameterTuningJobObjective": ["Type": "Maximize", "MetricName": "validation:accuracy"],
        "ResourceLimits": ["MaxNumberOfTrainingJobs": 3, "MaxParallelTrainingJobs": 2],
        "ParameterRanges": [
          "ContinuousParameterRanges": [["Name": "learning_rate", "MinValue": "0.001", "MaxValue": "0.1"]]
        ],
      ],
      "TrainingJobDefinition": definition,
    ]
    return request.merging(changes)
  }

  private let name: JSON = ["HyperParameterTuningJobName": "tuning"]

  @Test("its trainings are training jobs, and the best of them is named")
  func whole() async throws {
    try await withScratchFolder { folder in
      let desk = try Desk(folder, script: Self.trainer)
      desk.put("train/a.rec")
      let name = name
      try await desk.working { desk in
        try await desk.ask("CreateHyperParameterTuningJob", Self.request())
        let job = try await desk.wait(
          "DescribeHyperParameterTuningJob", name, "HyperParameterTuningJobStatus", Desk.ended)
        #expect(job["HyperParameterTuningJobStatus"] == "Completed", "\(job)")
        #expect(
          job["TrainingJobStatusCounters"]?["Completed"] == 3
            && job["ObjectiveStatusCounters"]?["Succeeded"] == 3)
        let sort: JSON = ["SortBy": "FinalObjectiveMetricValue", "SortOrder": "Descending"]
        let children = try await desk.ask("ListTrainingJobsForHyperParameterTuningJob", name.merging(sort))
        let jobs = try #require(children["TrainingJobSummaries"]?.list)
        let values = jobs.compactMap { $0["FinalHyperParameterTuningJobObjectiveMetric"]?["Value"]?.number }
        #expect(values.count == 3 && values == values.sorted(by: >))
        #expect(job["BestTrainingJob"]?["TrainingJobName"] == jobs.first?["TrainingJobName"])
        for child in jobs {
          let tuned = child["TunedHyperParameters"]?["learning_rate"]?.text.flatMap { Double($0) }
          #expect(tuned != nil && child["TunedHyperParameters"]?.object?.count == 1)
          let described = try await desk.ask(
            "DescribeTrainingJob", ["TrainingJobName": child["TrainingJobName"] ?? ""])
          #expect(described["TuningJobArn"] == job["HyperParameterTuningJobArn"])
          #expect(described["HyperParameters"]?["epochs"] == "1")
        }
        #expect(try await desk.ask("ListTrainingJobs")["TrainingJobSummaries"]?.list?.count == 3)
      }
    }
  }

  @Test("stopped, it stops its trainings, and ends as Stopped")
  func stopped() async throws {
    try await withScratchFolder { folder in
      let desk = try Desk(folder, script: "exec sleep 60")
      desk.put("train/a.rec")
      let name = name
      try await desk.working { desk in
        try await desk.ask("CreateHyperParameterTuningJob", Self.request())
        for _ in 0..<500 where try await desk.ask("ListTrainingJobs")["TrainingJobSummaries"] == [] {
          try await Task.sleep(for: .milliseconds(10))
        }
        try await desk.ask("StopHyperParameterTuningJob", name)
        let job = try await desk.wait(
          "DescribeHyperParameterTuningJob", name, "HyperParameterTuningJobStatus", Desk.ended)
        #expect(job["HyperParameterTuningJobStatus"] == "Stopped", "\(job)")
        #expect(job["TrainingJobStatusCounters"]?["InProgress"] == 0)
      }
    }
  }

  @Test("where the service ended while it was being stopped, the next start ends its trainings, too")
  func stoppedByHalf() async throws {
    try await withScratchFolder { folder in
      let desk = try Desk(folder, script: "exec sleep 60")
      desk.put("train/a.rec")
      try await desk.ask("CreateHyperParameterTuningJob", Self.request())
      let tuning = try #require(name["HyperParameterTuningJobName"]?.text)
      try await desk.api.store.update(.tuningJob, tuning) { $0.status = "Stopping" }
      try await desk.api.store.insert(
        .trainingJob,
        Resource(
          name: "child", arn: Caller().arn(.trainingJob, "child"), created: 1, status: "InProgress",
          parent: tuning, request: trainingJob("child"), state: ["SecondaryStatus": "Training"]),
        taken: .invalid("taken"))
      // Not the desk that was asked: its engine has the tuning job in its line.
      try await Desk(folder, script: "exec sleep 60").working { desk in
        let child = try await desk.wait(
          "DescribeTrainingJob", ["TrainingJobName": "child"], "TrainingJobStatus", Desk.ended)
        #expect(child["TrainingJobStatus"] == "Stopped", "\(child)")
      }
    }
  }

  @Test("where every training fails it fails, with a reason and without a best job")
  func failing() async throws {
    try await withScratchFolder { folder in
      let desk = try Desk(folder, script: "exit 1")
      desk.put("train/a.rec")
      let name = name
      try await desk.working { desk in
        try await desk.ask("CreateHyperParameterTuningJob", Self.request())
        let job = try await desk.wait(
          "DescribeHyperParameterTuningJob", name, "HyperParameterTuningJobStatus", Desk.ended)
        #expect(job["HyperParameterTuningJobStatus"] == "Failed" && job["BestTrainingJob"] == nil, "\(job)")
        #expect(job["FailureReason"]?.text?.isEmpty == false)
        #expect(job["TrainingJobStatusCounters"]?["NonRetryableError"] == 3)
      }
    }
  }

  @Test("a range, a hyperparameter or an objective that is none is refused before anything is kept")
  func refused() async throws {
    try await withScratchFolder { folder in
      let desk = try Desk(folder)
      desk.put("train/a.rec")
      for (path, value) in [
        (["HyperParameterTuningJobConfig", "HyperParameterTuningJobObjective", "MetricName"], "nonsense"),
        (["TrainingJobDefinition", "StaticHyperParameters", "num_layers"], "21"),
      ] as [([String], JSON)] {
        var request = Self.request()
        request[path[0]]?[path[1]]?[path[2]] = value
        #expect(await desk.refusal("CreateHyperParameterTuningJob", request)?.code == .validation)
      }
      #expect(
        await desk.refusal("CreateHyperParameterTuningJob", Self.request(["TrainingJobDefinition": .null]))?
          .code == .validation)
      #expect(try await desk.ask("ListHyperParameterTuningJobs") == ["HyperParameterTuningJobSummaries": []])
    }
  }
}
