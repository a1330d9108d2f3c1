import Encodings
import TestSupport
import Testing

@testable import SageMaker

private let name: JSON = ["HyperParameterTuningJobName": "tuning"]

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

  static func request(_ changes: JSON = [:]) -> JSON {
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

  /// Two definitions, of which the second has the better values.
  private static func several(_ changes: JSON = [:]) -> JSON {
    let request = Self.request()
    let objective: JSON = ["Type": "Maximize", "MetricName": "validation:accuracy"]
    let definitions = [("small", "0.001", "0.002"), ("large", "0.1", "0.2")].map { name, least, most in
      (request["TrainingJobDefinition"] ?? [:]).merging([
        "DefinitionName": .string(name), "TuningObjective": objective,
        "HyperParameterRanges": [
          "ContinuousParameterRanges": [
            ["Name": "learning_rate", "MinValue": .string(least), "MaxValue": .string(most)]
          ]
        ],
      ])
    }
    var several = request.without("TrainingJobDefinition").merging([
      "TrainingJobDefinitions": .list(definitions)
    ])
    several["HyperParameterTuningJobConfig"] = request["HyperParameterTuningJobConfig"]?
      .without("HyperParameterTuningJobObjective", "ParameterRanges")
    return several.merging(changes)
  }

  /// Runs a tuning job to its end; its last description.
  private func tune(_ desk: Desk, _ request: JSON) async throws -> JSON {
    try await desk.ask("CreateHyperParameterTuningJob", request)
    return try await end(desk)
  }

  private func end(_ desk: Desk, _ name: JSON = name) async throws -> JSON {
    try await desk.wait("DescribeHyperParameterTuningJob", name, "HyperParameterTuningJobStatus", Desk.ended)
  }

  @Test("its trainings are training jobs, and the best of them is named")
  func whole() async throws {
    try await withScratchFolder { folder in
      let desk = try Desk(folder, script: Self.trainer)
      desk.put("train/a.rec")
      try await desk.working { desk in
        let job = try await tune(desk, Self.request())
        #expect(job["HyperParameterTuningJobStatus"] == "Completed", "\(job)")
        #expect(readScratchFile(desk.api.folder(of: .tuningJob, "tuning") + "/tuning.html") == "3 jobs")
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
          // By which the trainer takes what is not given from the data.
          #expect(described["HyperParameters"]?["_tuning_objective_metric"] == "validation:accuracy")
          let final = described["FinalMetricDataList"]?.list?.first {
            $0["MetricName"] == "validation:accuracy"
          }
          #expect(final?["Value"] == child["FinalHyperParameterTuningJobObjectiveMetric"]?["Value"])
        }
        #expect(try await desk.ask("ListTrainingJobs")["TrainingJobSummaries"]?.list?.count == 3)
      }
    }
  }

  @Test("a pattern finds the same value of a long line for the objective as for any other metric")
  func patterns() async throws {
    try await withScratchFolder { folder in
      let script = """
        echo weights > "$3/model/image-classification-0001.params"
        printf 'before\\r\\n%2990d score=0.625\\r\\nafter\\r\\n' 1
        """
      let desk = try Desk(folder, script: script)
      desk.put("train/a.rec")
      var request = Self.request()
      request["HyperParameterTuningJobConfig"]?["HyperParameterTuningJobObjective"]?["MetricName"] = "mine"
      let pattern: JSON = #"^ *1 score=(\S+)\s*$"#
      request["TrainingJobDefinition"]?["AlgorithmSpecification"]?["MetricDefinitions"] = [
        ["Name": "mine", "Regex": pattern], ["Name": "other", "Regex": pattern],
      ]
      let asked = request
      try await desk.working { desk in
        let best = try await tune(desk, asked)["BestTrainingJob"]
        #expect(best?["FinalHyperParameterTuningJobObjectiveMetric"]?["Value"]?.number == 0.625)
        let child = try await desk.ask(
          "DescribeTrainingJob", ["TrainingJobName": best?["TrainingJobName"] ?? ""])
        let metrics = child["FinalMetricDataList"]?.list ?? []
        #expect(metrics.map { $0["MetricName"] } == ["mine", "other"], "\(child)")
        #expect(metrics.map { $0["Value"]?.number } == [0.625, 0.625], "\(child)")
      }
    }
  }

  @Test("stopped, it stops its trainings, and ends as Stopped")
  func stopped() async throws {
    try await withScratchFolder { folder in
      let desk = try Desk(folder, script: "exec sleep 60")
      desk.put("train/a.rec")
      try await desk.working { desk in
        try await desk.ask("CreateHyperParameterTuningJob", Self.request())
        for _ in 0..<500 where try await desk.ask("ListTrainingJobs")["TrainingJobSummaries"] == [] {
          try await Task.sleep(for: .milliseconds(10))
        }
        try await desk.ask("StopHyperParameterTuningJob", name)
        let job = try await end(desk)
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
      try await desk.working { desk in
        let job = try await tune(desk, Self.request())
        #expect(job["HyperParameterTuningJobStatus"] == "Failed" && job["BestTrainingJob"] == nil, "\(job)")
        #expect(job["FailureReason"]?.text?.isEmpty == false)
        #expect(job["TrainingJobStatusCounters"]?["NonRetryableError"] == 3)
      }
    }
  }

  @Test("an invalid range, hyperparameter or objective is refused before anything is stored")
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

  @Test("several definitions share its jobs; the best of all is named with its definition")
  func definitions() async throws {
    try await withScratchFolder { folder in
      let desk = try Desk(folder, script: Self.trainer)
      desk.put("train/a.rec")
      try await desk.working { desk in
        let job = try await tune(desk, Self.several())
        #expect(job["HyperParameterTuningJobStatus"] == "Completed", "\(job)")
        #expect(job["TrainingJobDefinitions"]?.list?.map { $0["DefinitionName"] } == ["small", "large"])
        #expect(job["BestTrainingJob"]?["TrainingJobDefinitionName"] == "large")
        let children = try await desk.ask("ListTrainingJobsForHyperParameterTuningJob", name)
        let jobs = try #require(children["TrainingJobSummaries"]?.list)
        #expect(jobs.map { $0["TrainingJobDefinitionName"] } == ["small", "large", "small"])
        for child in jobs {
          let rate = child["TunedHyperParameters"]?["learning_rate"]?.text.flatMap { Double($0) } ?? 0
          #expect(child["TrainingJobDefinitionName"] == (rate < 0.01 ? "small" : "large"))
          #expect(
            child["FinalHyperParameterTuningJobObjectiveMetric"]?["MetricName"] == "validation:accuracy")
        }
        let warm = Self.request([
          "HyperParameterTuningJobName": "warm",
          "WarmStartConfig": [
            "WarmStartType": "TransferLearning", "ParentHyperParameterTuningJobs": [name],
          ],
        ])
        #expect(
          await desk.refusal("CreateHyperParameterTuningJob", warm)?.message.contains("several") ?? false)
      }
    }
  }

  @Test("several definitions need names of their own; Autotune is refused")
  func refusedDefinitions() async throws {
    try await withScratchFolder { folder in
      let desk = try Desk(folder)
      desk.put("train/a.rec")
      var twins = Self.several()
      let first = twins["TrainingJobDefinitions"]?.list?.first ?? [:]
      twins["TrainingJobDefinitions"] = [first, first]
      for request in [twins, Self.request(["Autotune": ["Mode": "Enabled"]])] {
        let refusal = await desk.refusal("CreateHyperParameterTuningJob", request)
        #expect(refusal?.code == .validation, "\(String(describing: refusal))")
      }
    }
  }

  @Test("a warm start knows its parent's jobs; only of the same data is the best of both told")
  func warmStart() async throws {
    try await withScratchFolder { folder in
      let desk = try Desk(folder, script: Self.trainer)
      desk.put("train/a.rec")
      try await desk.working { desk in
        try await desk.ask("CreateHyperParameterTuningJob", Self.request())
        func warm(_ child: String, _ type: String) -> JSON {
          Self.request([
            "HyperParameterTuningJobName": .string(child),
            "WarmStartConfig": [
              "WarmStartType": .string(type),
              "ParentHyperParameterTuningJobs": [["HyperParameterTuningJobName": "tuning"]],
            ],
          ])
        }
        #expect(
          await desk.refusal("CreateHyperParameterTuningJob", warm("early", "TransferLearning"))?.message
            .contains("must have ended") ?? false)
        let parent = try await end(desk)
        func value(_ job: JSON?) -> Double {
          job?["FinalHyperParameterTuningJobObjectiveMetric"]?["Value"]?.number ?? -1
        }
        for (child, type) in [("same", "IdenticalDataAndAlgorithm"), ("other", "TransferLearning")] {
          try await desk.ask("CreateHyperParameterTuningJob", warm(child, type))
          let job = try await end(desk, ["HyperParameterTuningJobName": .string(child)])
          #expect(job["HyperParameterTuningJobStatus"] == "Completed", "\(job)")
          if child == "same" {
            let best = [value(parent["BestTrainingJob"]), value(job["BestTrainingJob"])]
            #expect(value(job["OverallBestTrainingJob"]) == best.max())
          } else {
            #expect(job["OverallBestTrainingJob"] == nil)
          }
          let state = readScratchFile(desk.folder + "/root/tunings/\(child)/state.json")
          #expect(state.contains("\"isIdentical\" : \(child == "same")"), "\(state.prefix(2000))")
        }
        var changed = warm("odd", "TransferLearning")
        changed["HyperParameterTuningJobConfig"]?["HyperParameterTuningJobObjective"] = [
          "Type": "Maximize", "MetricName": "train:accuracy",
        ]
        #expect(
          await desk.refusal("CreateHyperParameterTuningJob", changed)?.message.contains(
            "a different objective")
            ?? false)
      }
    }
  }

  @Test("goes on where the service ended: what is done stands, what was in work is begun again")
  func restart() async throws {
    try await withScratchFolder { folder in
      let request = Self.several([
        "HyperParameterTuningJobConfig": [
          "Strategy": "Random",
          "ResourceLimits": ["MaxNumberOfTrainingJobs": 3, "MaxParallelTrainingJobs": 1],
        ]
      ])
      let count = "echo run >> $3/runs\n"
      let first = try Desk(
        folder,
        script: count + Self.trainer + "\ncase $3 in *-001-*) exit 0;; esac; touch $3/begun; exec sleep 60")
      first.put("train/a.rec", "records")
      try await first.working { desk in
        try await desk.ask("CreateHyperParameterTuningJob", request)
        for _ in 0..<2000 where Self.runs(desk, "/begun").isEmpty {
          try await Task.sleep(for: .milliseconds(10))
        }
      }
      #expect(
        try await first.ask("DescribeHyperParameterTuningJob", name)["HyperParameterTuningJobStatus"]
          == "InProgress")
      let second = try Desk(folder, script: count + "cat $3/input/data/train/a.rec\n" + Self.trainer)
      try await second.working { desk in
        let job = try await end(desk)
        #expect(job["HyperParameterTuningJobStatus"] == "Completed", "\(job)")
        let jobs = try await desk.ask("ListTrainingJobsForHyperParameterTuningJob", name)
        #expect(job["TrainingJobStatusCounters"]?["Completed"] == 3, "\(jobs)")
      }
      #expect(Self.runs(second, "/runs") == ["run\n", "run\nrun\n", "run\n"])
    }
  }

  /// What the containers of its jobs have under a name, in the order of the jobs.
  private static func runs(_ desk: Desk, _ name: String) -> [String] {
    let jobs = scratchNames(desk.folder + "/root/jobs").sorted()
    return jobs.filter {
      scratchNames(desk.folder + "/root/jobs/\($0)/opt-ml").contains(String(name.dropFirst()))
    }
    .map { readScratchFile(desk.folder + "/root/jobs/\($0)/opt-ml\(name)") }
  }

  @Test("its jobs learn from one copy of the channels, which goes with the tuning")
  func sharedData() async throws {
    try await withScratchFolder { folder in
      // Each job sees what the first one saw, though the object is another one by then.
      let script = """
        cat $3/input/data/train/a.rec; readlink $3/input/data
        printf changed > "\(folder)/new"; mv "\(folder)/new" "\(folder)/s3/b/train/a.rec"
        """
      let desk = try Desk(folder, script: script + "\n" + Self.trainer)
      desk.put("train/a.rec", "as it was")
      try await desk.working { desk in
        let job = try await tune(desk, Self.request())
        #expect(job["HyperParameterTuningJobStatus"] == "Completed", "\(job)")
      }
      let jobs = scratchNames(folder + "/root/jobs")
      #expect(jobs.count == 3)
      for job in jobs {
        #expect(
          readScratchFile(folder + "/root/jobs/\(job)/log").hasPrefix(
            "as it was\(folder)/root/tunings/tuning/data"))
        #expect(!scratchNames(folder + "/root/jobs/\(job)/opt-ml/input").contains("data"))
      }
      #expect(!scratchNames(folder + "/root/tunings/tuning").contains("data"))
    }
  }

  @Test(
    "one that was Stopping when the service ended is Stopped by the next start, and so are its trainings")
  func stoppedAtRestart() async throws {
    try await withScratchFolder { folder in
      let first = try Desk(folder, script: "echo state > $3/checkpoints/c; touch $3/begun; exec sleep 60")
      first.put("train/a.rec")
      try await first.working { desk in
        try await desk.ask("CreateHyperParameterTuningJob", Self.request())
        for _ in 0..<2000 where Self.runs(desk, "/begun").isEmpty {
          try await Task.sleep(for: .milliseconds(10))
        }
      }
      // As if it had been killed in the midst of the stopping.
      try await first.api.store.update(.tuningJob, "tuning") { $0.status = "Stopping" }
      let second = try Desk(folder, script: "exit 0")
      try await second.working { desk in
        let job = try await end(desk)
        #expect(job["HyperParameterTuningJobStatus"] == "Stopped")
        for _ in 0..<500 {
          if try await desk.ask("ListTrainingJobs", ["StatusEquals": "InProgress"])["TrainingJobSummaries"]
            == []
          {
            break
          }
          try await Task.sleep(for: .milliseconds(10))
        }
        let jobs = try await desk.ask("ListTrainingJobs")["TrainingJobSummaries"]?.list ?? []
        #expect(!jobs.isEmpty && jobs.allSatisfy { $0["TrainingJobStatus"] == "Stopped" }, "\(jobs)")
      }
    }
  }
}
