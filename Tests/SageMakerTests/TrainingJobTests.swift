import Encodings
import Files
import Glibc
import TestSupport
import Testing

@testable import SageMaker

@Suite("Training jobs")
struct TrainingJobTests {
  /// A trainer that leaves a model, a checkpoint and figures.
  private static let trainer = """
    cat "$3/input/data/train/a.rec" && echo "TRAINING_JOB_NAME=$TRAINING_JOB_NAME"
    echo weights > "$3/model/image-classification-0001.params"
    echo state > "$3/checkpoints/checkpoint"
    echo '{"epoch":0,"images":8,"train_loss":1,"train_accuracy":0.5,"validation_images":8,"validation_loss":1,"validation_accuracy":0.25,"learning_rate":0.1,"shape":[3,28,28],"seconds":1,"images_per_second":8,"data_seconds":0,"forward_seconds":0,"backward_seconds":0,"update_seconds":0,"validation_seconds":0,"is_best":true}' > "$3/output/data/metrics.jsonl"
    """

  private func run(
    _ script: String, _ changes: JSON = [:], _ body: @escaping @Sendable (Desk, JSON) async throws -> Void
  ) async throws {
    try await withScratchFolder { folder in
      let desk = try Desk(folder, script: script)
      desk.put("train/a.rec", "records")
      try await desk.working { desk in
        try await desk.ask("CreateTrainingJob", trainingJob("a", changes))
        try await body(
          desk,
          try await desk.wait(
            "DescribeTrainingJob", ["TrainingJobName": "a"], "TrainingJobStatus", Desk.ended))
      }
    }
  }

  @Test("a job goes through its states, and its model is where the request says")
  func whole() async throws {
    try await run(Self.trainer, ["Environment": ["MORE": "1"]]) { desk, job in
      #expect(job["TrainingJobStatus"] == "Completed", "\(job)")
      #expect(
        job["SecondaryStatusTransitions"]?.list?.compactMap { $0["Status"]?.text }
          == ["Starting", "Starting", "Downloading", "Training", "Uploading", "Completed"])
      #expect(desk.object("output/a/output/model.tar.gz").isEmpty == false)
      #expect(job["ModelArtifacts"]?["S3ModelArtifacts"] == "s3://b/output/a/output/model.tar.gz")
      #expect(
        job["FinalMetricDataList"]?.list?.compactMap { $0["MetricName"]?.text } == [
          "train:accuracy", "validation:accuracy",
        ])
      #expect(job["TrainingTimeInSeconds"]?.integer ?? 0 >= 1)
      let log = readScratchFile(desk.folder + "/root/jobs/a/log")
      #expect(log.contains("records") && log.contains("TRAINING_JOB_NAME=a"))
    }
  }

  @Test("the container's folder has what the contract says")
  func container() async throws {
    try await run("ls -R $3/input; cat $3/input/config/*; exit 0") { desk, job in
      #expect(job["TrainingJobStatus"] == "Completed")
      let config = desk.folder + "/root/jobs/a/opt-ml/input/config/"
      #expect(readScratchFile(config + "hyperparameters.json") == "{\"epochs\":\"2\"}")
      #expect(readScratchFile(config + "resourceconfig.json").contains("\"current_host\":\"algo-1\""))
      #expect(
        readScratchFile(config + "inputdataconfig.json").contains(
          "\"ContentType\":\"application/x-recordio\""))
    }
  }

  @Test(
    "a job that fails says why",
    arguments: [
      (
        "mkdir -p $3/output; printf 'ClientError: too few images, exit code: 1' > $3/output/failure; exit 1",
        "ClientError: too few images, exit code: 1"
      ),
      ("exit 3", "AlgorithmError: the training failed: it exited with status 3"),
      (
        "echo 'imrec: m.params: the disk is full' >&2; echo '  Make room.' >&2; exit 1",
        "status 1: m.params: the disk is full"
      ),
      ("echo half a line; echo the last one; exit 4", "status 4: the last one"),
      ("echo later; kill -SEGV $$", "it was ended by signal 11 (Segmentation fault); see its log."),
    ])
  func failing(_ script: String, _ reason: String) async throws {
    try await run(script) { desk, job in
      #expect(job["TrainingJobStatus"] == "Failed" && job["SecondaryStatus"] == "Failed")
      #expect(job["FailureReason"]?.text?.contains(reason) ?? false, "\(job)")
      #expect(desk.object("output/a/output/model.tar.gz").isEmpty)
    }
  }

  @Test("a job whose time is over is stopped, and keeps what it has")
  func overtime() async throws {
    try await run(Self.trainer + "\nexec sleep 60", ["StoppingCondition": ["MaxRuntimeInSeconds": 1]]) {
      desk, job in
      #expect(
        job["TrainingJobStatus"] == "Stopped" && job["SecondaryStatus"] == "MaxRuntimeExceeded", "\(job)")
      #expect(desk.object("output/a/output/model.tar.gz").isEmpty == false)
    }
  }

  @Test("a job that is stopped while it trains ends as Stopped; its model is kept")
  func stopped() async throws {
    try await withScratchFolder { folder in
      let desk = try Desk(folder, script: Self.trainer + "\nexec sleep 60")
      desk.put("train/a.rec")
      try await desk.working { desk in
        try await desk.ask("CreateTrainingJob", trainingJob("a"))
        let name: JSON = ["TrainingJobName": "a"]
        _ = try await desk.wait("DescribeTrainingJob", name, "SecondaryStatus", ["Training"])
        for _ in 0..<500 where scratchNames(desk.folder + "/root/jobs/a/opt-ml/output/data").isEmpty {
          try await Task.sleep(for: .milliseconds(10))
        }
        try await desk.ask("StopTrainingJob", name)
        let job = try await desk.wait("DescribeTrainingJob", name, "TrainingJobStatus", Desk.ended)
        #expect(job["TrainingJobStatus"] == "Stopped", "\(job)")
        #expect(desk.object("output/a/output/model.tar.gz").isEmpty == false)
      }
    }
  }

  @Test("as many run at once as allowed; the others wait, and can be stopped meanwhile")
  func queue() async throws {
    try await withScratchFolder { folder in
      let desk = try Desk(folder, script: "exec sleep 60")
      desk.put("train/a.rec")
      try await desk.working { desk in
        for name in ["a", "b"] { try await desk.ask("CreateTrainingJob", trainingJob(name)) }
        var training: [String] = []
        for _ in 0..<500 where training.isEmpty {
          for name in ["a", "b"] {
            let job = try await desk.ask("DescribeTrainingJob", ["TrainingJobName": .string(name)])
            if job["SecondaryStatus"] == "Training" { training.append(name) }
          }
          try await Task.sleep(for: .milliseconds(10))
        }
        #expect(training.count == 1)
        for name in training == ["a"] ? ["b", "a"] : ["a", "b"] {
          try await desk.ask("StopTrainingJob", ["TrainingJobName": .string(name)])
          let job = try await desk.wait(
            "DescribeTrainingJob", ["TrainingJobName": .string(name)], "TrainingJobStatus", Desk.ended)
          #expect(job["TrainingJobStatus"] == "Stopped")
        }
      }
    }
  }

  @Test("checkpoints come from and go to their prefix")
  func checkpoints() async throws {
    try await withScratchFolder { folder in
      let desk = try Desk(folder, script: "cat $3/checkpoints/former; " + Self.trainer)
      desk.put("train/a.rec")
      desk.put("points/former", "former state")
      try await desk.working { desk in
        try await desk.ask(
          "CreateTrainingJob", trainingJob("a", ["CheckpointConfig": ["S3Uri": "s3://b/points"]]))
        _ = try await desk.wait(
          "DescribeTrainingJob", ["TrainingJobName": "a"], "TrainingJobStatus", Desk.ended)
        #expect(readScratchFile(desk.folder + "/root/jobs/a/log").contains("former state"))
        #expect(desk.object("points/checkpoint") == "state\n")
      }
    }
  }

  @Test("channels may be prefixes within a name, one object, a manifest, or an augmented manifest")
  func channels() async throws {
    try await withScratchFolder { folder in
      let desk = try Desk(
        folder,
        script: "cd $3/input/data; find . -type f | sort; cat d/data.manifest ../config/inputdataconfig.json")
      desk.put("train_a/1.rec")
      desk.put("train_b/2.rec")
      desk.put("one/x.rec")
      desk.put("list.json", #"[{"prefix":"s3://b/train_a/"},"1.rec"]"#)
      desk.put("image.jpg", "image")
      desk.put("labels.jsonl", #"{"image-ref":"s3://b/image.jpg","class":3}"# + "\n")
      let attributes: JSON = [
        "DataSource": [
          "S3DataSource": [
            "S3DataType": "AugmentedManifestFile", "S3Uri": "s3://b/labels.jsonl",
            "AttributeNames": ["image-ref", "class"],
          ]
        ]
      ]
      let request = trainingJob(
        "a",
        [
          "InputDataConfig": [
            channel("a", uri: "s3://b/train"), channel("b", uri: "s3://b/one/x.rec"),
            channel("c", uri: "s3://b/list.json", type: "ManifestFile"), channel("d", attributes),
          ]
        ])
      try await desk.working { desk in
        try await desk.ask("CreateTrainingJob", request)
        let job = try await desk.wait(
          "DescribeTrainingJob", ["TrainingJobName": "a"], "TrainingJobStatus", Desk.ended)
        #expect(job["TrainingJobStatus"] == "Completed", "\(job)")
        let log = readScratchFile(desk.folder + "/root/jobs/a/log")
        for path in [
          "./a/train_a/1.rec", "./a/train_b/2.rec", "./b/x.rec", "./c/1.rec", "./d/objects/0-image.jpg",
        ] {
          #expect(log.contains(path + "\n"), "\(log)")
        }
        #expect(log.contains("\"class\":3") && log.contains("objects/0-image.jpg\""), "\(log)")
        #expect(log.contains("\"AttributeNames\":[\"image-ref\",\"class\"]"), "\(log)")
      }
    }
  }

  @Test(
    "FinalMetricDataList is of the model that is left: the best epoch's, or the last that is stored",
    arguments: [
      ([:], 0.75), (["checkpoint_frequency": "2"], 0.5), (["checkpoint_frequency": "9"], 0.25),
    ] as [(JSON, Double)])
  func metrics(_ hyperparameters: JSON, _ expected: Double) async throws {
    let script = """
      echo weights > "$3/model/image-classification-0001.params"
      rest='"images":8,"train_loss":1,"validation_images":8,"validation_loss":1,"learning_rate":0.1,"shape":[3,28,28],"seconds":1,"images_per_second":8,"data_seconds":0,"forward_seconds":0,"backward_seconds":0,"update_seconds":0,"validation_seconds":0'
      cat > "$3/output/data/metrics.jsonl" <<END
      {"epoch":0,"train_accuracy":0.1,"validation_accuracy":0.75,"is_best":true,$rest}
      {"epoch":1,"train_accuracy":0.2,"validation_accuracy":0.5,"is_best":false,$rest}
      {"epoch":2,"train_accuracy":0.3,"validation_accuracy":0.25,"is_best":false,$rest}
      END
      """
    try await run(script, ["HyperParameters": hyperparameters]) { _, job in
      let metrics = job["FinalMetricDataList"]?.list ?? []
      #expect(
        metrics.first { $0["MetricName"] == "validation:accuracy" }?["Value"]?.number == expected, "\(job)")
    }
  }

  @Test(
    "an invalid or unsupported metric pattern is refused on creation; a slow one still finds its value"
  )
  func patterns() async throws {
    func definitions(_ pattern: String) -> JSON {
      [
        "AlgorithmSpecification": [
          "TrainingImage": "image-classification:1", "TrainingInputMode": "File",
          "MetricDefinitions": [["Name": "mine", "Regex": .string(pattern)]],
        ]
      ]
    }
    try await withScratchFolder { folder in
      let desk = try Desk(folder)
      desk.put("train/a.rec")
      for (pattern, words) in [
        ("((", "a ( without its )"), ("(?=a)(b)", "lookaheads"), ("a", "has no group"),
      ] {
        let refusal = await desk.refusal("CreateTrainingJob", trainingJob("a", definitions(pattern)))
        #expect(
          refusal?.code == .validation && refusal?.message.contains("the Regex of 'mine'") == true
            && refusal?.message.contains(words) == true, "\(refusal as Any)")
      }
    }
    let script = "echo 'mine=0.5'; head -c 30000 /dev/zero | tr '\\0' a; echo '!'"
    try await run(script, definitions("(?:(?:a+)+$)|mine=(.*)")) { _, job in
      #expect(job["TrainingJobStatus"] == "Completed", "\(job)")
      #expect(job["FinalMetricDataList"]?.list?.first?["Value"]?.number == 0.5, "\(job)")
    }
  }

  @Test("what a request or a manifest names and is not there is the caller's fault, and named")
  func missing() async throws {
    try await withScratchFolder { folder in
      let desk = try Desk(folder)
      desk.put("train/a.rec")
      desk.put("m.manifest", #"{"source-ref":"s3://b/nope.jpg","l":0}"# + "\n")
      desk.put("other.manifest", #"{"source-ref":"s3://nowhere/x.jpg","l":0}"# + "\n")
      desk.put("list.json", #"[{"prefix":"s3://b/train/"},"a.rec","none.rec"]"#)
      func manifest(_ uri: String) -> JSON {
        channel(
          "train",
          [
            "DataSource": [
              "S3DataSource": [
                "S3DataType": "AugmentedManifestFile", "S3Uri": .string(uri),
                "AttributeNames": ["source-ref", "l"],
              ]
            ]
          ])
      }
      let rows: [(JSON, String)] = [
        (
          manifest("s3://b/m.manifest"),
          "there is no object s3://b/nope.jpg, which line 1 of s3://b/m.manifest names"
        ),
        (manifest("s3://b/other.manifest"), "there is no object s3://nowhere/x.jpg, which line 1 of"),
        (
          channel("train", uri: "s3://b/list.json", type: "ManifestFile"),
          "there is no object s3://b/train/none.rec"
        ),
      ]
      try await desk.working { desk in
        for (index, (channel, words)) in rows.enumerated() {
          let name = "job-\(index)"
          try await desk.ask("CreateTrainingJob", trainingJob(name, ["InputDataConfig": [channel]]))
          let job = try await desk.wait(
            "DescribeTrainingJob", ["TrainingJobName": .string(name)], "TrainingJobStatus", Desk.ended)
          #expect(job["FailureReason"]?.text?.hasPrefix("ClientError: " + words) == true, "\(job)")
        }
        let nowhere: JSON = ["InputDataConfig": [channel("train", uri: "s3://nowhere/x/")]]
        let refusal = await desk.refusal("CreateTrainingJob", trainingJob("n", nowhere))
        #expect(refusal?.message.hasPrefix("No S3 objects found under S3 URL \"s3://nowhere/x/\"") == true)
      }
    }
  }

  @Test("two keys that differ in the form of a letter only are two files, and so are their prefixes")
  func forms() async throws {
    try await withScratchFolder { folder in
      let desk = try Desk(folder, script: "cd $3/input/data/train; ls | wc -l; cat *")
      desk.put("caf\u{E9}/a\u{E9}.rec", "composed\n")
      desk.put("caf\u{E9}/ae\u{301}.rec", "decomposed\n")
      desk.put("cafe\u{301}/other.rec", "another prefix\n")
      try await desk.working { desk in
        let one = channel("train", uri: "s3://b/caf\u{E9}/")
        try await desk.ask("CreateTrainingJob", trainingJob("a", ["InputDataConfig": [one]]))
        let job = try await desk.wait(
          "DescribeTrainingJob", ["TrainingJobName": "a"], "TrainingJobStatus", Desk.ended)
        #expect(job["TrainingJobStatus"] == "Completed", "\(job)")
        let log = readScratchFile(desk.folder + "/root/jobs/a/log")
        #expect(log == "2\ndecomposed\ncomposed\n" || log == "2\ncomposed\ndecomposed\n", "\(log)")
      }
    }
  }

  @Test("a compressed channel is unpacked, and its records are found by their names")
  func compressed() async throws {
    try await withScratchFolder { folder in
      let desk = try Desk(folder, script: "cat $3/input/data/train/deep/a.rec")
      try desk.putGzip("train/deep/a.rec.gz", "packed records")
      try await desk.working { desk in
        let packed = channel("train", ["CompressionType": "Gzip"])
        try await desk.ask("CreateTrainingJob", trainingJob("a", ["InputDataConfig": [packed]]))
        let job = try await desk.wait(
          "DescribeTrainingJob", ["TrainingJobName": "a"], "TrainingJobStatus", Desk.ended)
        #expect(job["TrainingJobStatus"] == "Completed", "\(job)")
        #expect(readScratchFile(desk.folder + "/root/jobs/a/log").contains("packed records"))
        desk.put("train/deep/a.rec")
        try await desk.ask("CreateTrainingJob", trainingJob("b", ["InputDataConfig": [packed]]))
        let other = try await desk.wait(
          "DescribeTrainingJob", ["TrainingJobName": "b"], "TrainingJobStatus", Desk.ended)
        #expect(
          other["FailureReason"]?.text?.contains("would both be decompressed to deep/a.rec") ?? false,
          "\(other)")
      }
    }
  }

  @Test("what a deleted job of the same name has left is nobody's checkpoint")
  func sameName() async throws {
    try await withScratchFolder { folder in
      let desk = try Desk(folder, script: "ls $3/checkpoints")
      desk.put("train/a.rec")
      writeScratchFile(folder + "/root/jobs/a/opt-ml/checkpoints/old", [1])
      try await desk.working { desk in
        try await desk.ask("CreateTrainingJob", trainingJob("a"))
        let job = try await desk.wait(
          "DescribeTrainingJob", ["TrainingJobName": "a"], "TrainingJobStatus", Desk.ended)
        #expect(job["TrainingJobStatus"] == "Completed", "\(job)")
        #expect(readScratchFile(folder + "/root/jobs/a/log").isEmpty)
      }
    }
  }

  @Test(
    "a job whose service ended goes on from its checkpoint, or fails where there is none",
    arguments: [true, false])
  func restart(_ hasCheckpoint: Bool) async throws {
    try await withScratchFolder { folder in
      let first = try Desk(
        folder, script: (hasCheckpoint ? Self.trainer : "true") + "\ntouch $3/begun; exec sleep 60")
      first.put("train/a.rec")
      let name: JSON = ["TrainingJobName": "a"]
      try await first.working { desk in
        try await desk.ask("CreateTrainingJob", trainingJob("a"))
        for _ in 0..<1000 where access(desk.folder + "/root/jobs/a/opt-ml/begun", F_OK) != 0 {
          try await Task.sleep(for: .milliseconds(10))
        }
      }
      #expect(try await first.ask("DescribeTrainingJob", name)["TrainingJobStatus"] == "InProgress")
      let second = try Desk(folder, script: Self.trainer)
      try await second.working { desk in
        let job = try await desk.wait("DescribeTrainingJob", name, "TrainingJobStatus", Desk.ended)
        #expect(job["TrainingJobStatus"] == (hasCheckpoint ? "Completed" : "Failed"), "\(job)")
        if !hasCheckpoint {
          #expect(job["FailureReason"]?.text?.contains("the service ended while the job ran") ?? false)
        }
      }
    }
  }
}
