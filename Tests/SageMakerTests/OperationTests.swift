import Encodings
import TestSupport
import Testing

@testable import SageMaker

@Suite("Operations")
struct OperationTests {
  @Test("a training job is described with what was asked and what became of it")
  func describe() async throws {
    try await withScratchFolder { folder in
      let desk = try Desk(folder)
      desk.put("train/a.rec")
      let arn = "arn:aws:sagemaker:us-east-1:123456789012:training-job/a"
      #expect(try await desk.ask("CreateTrainingJob", trainingJob("a")) == ["TrainingJobArn": .string(arn)])
      let job = try await desk.ask("DescribeTrainingJob", ["TrainingJobName": "a"])
      #expect(job["TrainingJobStatus"] == "InProgress" && job["SecondaryStatus"] == "Starting")
      #expect(job["TrainingJobArn"] == .string(arn) && job["HyperParameters"] == ["epochs": "2"])
      #expect(job["ModelArtifacts"]?["S3ModelArtifacts"] == "s3://b/output/a/output/model.tar.gz")
      #expect(
        job["SecondaryStatusTransitions"]?.list?.first?["StatusMessage"] == "Starting the training job")
    }
  }

  @Test(
    "a missing resource is reported as each operation does",
    arguments: [
      ("DescribeTrainingJob", "TrainingJobName", ControlPlaneError.Code.notFound),
      ("StopTrainingJob", "TrainingJobName", .notFound), ("DeleteTrainingJob", "TrainingJobName", .notFound),
      ("DescribeHyperParameterTuningJob", "HyperParameterTuningJobName", .notFound),
      ("StopHyperParameterTuningJob", "HyperParameterTuningJobName", .notFound),
      ("ListTrainingJobsForHyperParameterTuningJob", "HyperParameterTuningJobName", .notFound),
      ("DescribeTransformJob", "TransformJobName", .notFound),
      ("StopTransformJob", "TransformJobName", .notFound),
      ("DescribeModel", "ModelName", .validation), ("DeleteModel", "ModelName", .validation),
      ("DescribeEndpointConfig", "EndpointConfigName", .validation),
      ("DeleteEndpointConfig", "EndpointConfigName", .validation),
      ("DescribeEndpoint", "EndpointName", .validation), ("DeleteEndpoint", "EndpointName", .validation),
    ])
  func missing(_ operation: String, _ member: String, _ code: ControlPlaneError.Code) async throws {
    try await withScratchFolder { folder in
      let desk = try Desk(folder)
      let refusal = await desk.refusal(operation, .object([member: "none"]))
      #expect(refusal?.code == code)
      #expect(
        refusal?.message.contains(code == .notFound ? "Requested resource not found." : "Could not find ")
          ?? false)
    }
  }

  @Test("a name is taken once, and told as AWS does")
  func taken() async throws {
    try await withScratchFolder { folder in
      let desk = try Desk(folder)
      desk.put("train/a.rec")
      desk.put("in/1.jpg")
      try await desk.ask("CreateTrainingJob", trainingJob("a"))
      #expect(await desk.refusal("CreateTrainingJob", trainingJob("a"))?.code == .inUse)
      try await desk.ask("CreateModel", model)
      let arn = "arn:aws:sagemaker:us-east-1:123456789012:model/m"
      #expect(
        await desk.refusal("CreateModel", model)
          == ControlPlaneError(.validation, "Cannot create already existing model \"\(arn)\"."))
      try await desk.ask("CreateTransformJob", transformJob("t"))
      #expect(await desk.refusal("CreateTransformJob", transformJob("t"))?.code == .inUse)
    }
  }

  @Test("a channel that leads to nothing is refused before the job begins")
  func noObjects() async throws {
    try await withScratchFolder { folder in
      let desk = try Desk(folder)
      let refusal = try #require(await desk.refusal("CreateTrainingJob", trainingJob("a")))
      #expect(
        refusal.message.hasPrefix(
          "No S3 objects found under S3 URL \"s3://b/train/\" given in input data source. Please ensure that the bucket "
            + "exists in the selected region (us-east-1)"))
      #expect(try await desk.ask("ListTrainingJobs") == ["TrainingJobSummaries": []])
    }
  }

  @Test(
    "requests that contradict themselves are refused with the reason",
    arguments: [
      (["InputDataConfig": [channel("train"), channel("train")]], "Duplicate channel names"),
      (
        ["StoppingCondition": ["MaxRuntimeInSeconds": 10, "MaxWaitTimeInSeconds": 20]], "MaxWaitTimeInSeconds"
      ),
      (["ResourceConfig": ["InstanceCount": 1]], "InstanceType"),
      (["InputDataConfig": [channel("..")]], "refers to a folder"),
      (["InputDataConfig": [channel("train", type: "AugmentedManifestFile")]], "AttributeNames"),
      (
        [
          "InputDataConfig": [
            channel(
              "train",
              [
                "CompressionType": "Gzip",
                "DataSource": [
                  "S3DataSource": [
                    "S3DataType": "AugmentedManifestFile", "S3Uri": "s3://b/train/",
                    "AttributeNames": ["source-ref", "class"],
                  ]
                ],
              ])
          ]
        ], "cannot be compressed"
      ),
      (
        ["AlgorithmSpecification": ["TrainingInputMode": "File"]],
        "exactly one of TrainingImage and AlgorithmName"
      ),
      (["OutputDataConfig": ["S3OutputPath": "https://example.com/x"]], "not a supported S3 URI"),
    ] as [(JSON, String)])
  func contradictions(_ changes: JSON, _ words: String) async throws {
    try await withScratchFolder { folder in
      let desk = try Desk(folder)
      desk.put("train/a.rec")
      let refusal = await desk.refusal("CreateTrainingJob", trainingJob("a", changes: changes))
      #expect(
        refusal?.code == .validation && refusal?.message.contains(words) ?? false,
        "\(String(describing: refusal))")
    }
  }

  @Test("quotas are enforced")
  func quotas() async throws {
    try await withScratchFolder { folder in
      var quotas = Quotas()
      quotas.trainingJobsInProgress = 1
      quotas.models = 1
      quotas.tagsPerResource = 2
      let desk = try Desk(folder, quotas: quotas)
      desk.put("train/a.rec")
      try await desk.ask("CreateTrainingJob", trainingJob("a"))
      #expect(await desk.refusal("CreateTrainingJob", trainingJob("b"))?.code == .limitExceeded)
      try await desk.ask("StopTrainingJob", ["TrainingJobName": "a"])
      try await desk.ask("CreateTrainingJob", trainingJob("b"))
      try await desk.ask("CreateModel", model)
      #expect(await desk.refusal("CreateModel", model.merging(["ModelName": "n"]))?.code == .limitExceeded)
      let tags: JSON = .list((0..<3).map { ["Key": .string("k\($0)"), "Value": "v"] })
      let arn = "arn:aws:sagemaker:us-east-1:123456789012:model/m"
      #expect(
        await desk.refusal("AddTags", ["ResourceArn": .string(arn), "Tags": tags])?.code == .limitExceeded)
    }
  }

  @Test("a job that waits is stopped at once; stopped twice is stopped once; an ended one is not stopped")
  func stopping() async throws {
    try await withScratchFolder { folder in
      let desk = try Desk(folder)
      desk.put("train/a.rec")
      try await desk.ask("CreateTrainingJob", trainingJob("a"))
      #expect(await desk.refusal("DeleteTrainingJob", ["TrainingJobName": "a"])?.code == .inUse)
      try await desk.ask("StopTrainingJob", ["TrainingJobName": "a"])
      let job = try await desk.ask("DescribeTrainingJob", ["TrainingJobName": "a"])
      #expect(job["TrainingJobStatus"] == "Stopped" && job["SecondaryStatus"] == "Stopped")
      #expect(
        await desk.refusal("StopTrainingJob", ["TrainingJobName": "a"])?.message
          == "The request was rejected because the training job is in status Stopped.")
      try await desk.ask("DeleteTrainingJob", ["TrainingJobName": "a"])
      #expect(await desk.refusal("DescribeTrainingJob", ["TrainingJobName": "a"])?.code == .notFound)
    }
  }

  @Test("tags are added, replaced, listed and deleted")
  func tags() async throws {
    try await withScratchFolder { folder in
      let desk = try Desk(folder)
      try await desk.ask("CreateModel", model.merging(["Tags": [["Key": "a", "Value": "1"]]]))
      let arn: JSON = "arn:aws:sagemaker:us-east-1:123456789012:model/m"
      try await desk.ask(
        "AddTags", ["ResourceArn": arn, "Tags": [["Key": "a", "Value": "2"], ["Key": "b", "Value": ""]]])
      #expect(
        try await desk.ask("ListTags", ["ResourceArn": arn])["Tags"]
          == [["Key": "a", "Value": "2"], ["Key": "b", "Value": ""]])
      try await desk.ask("DeleteTags", ["ResourceArn": arn, "TagKeys": ["a", "z"]])
      #expect(try await desk.ask("ListTags", ["ResourceArn": arn])["Tags"] == [["Key": "b", "Value": ""]])
      #expect(
        await desk.refusal("ListTags", ["ResourceArn": "arn:aws:sagemaker:us-east-1:123456789012:model/n"])?
          .code == .validation)
    }
  }

  @Test("operations that are not supported and those that do not exist are named")
  func unknown() async throws {
    try await withScratchFolder { folder in
      let desk = try Desk(folder)
      let known = await desk.refusal("CreateNotebookInstance")
      #expect(
        known?.code == .unknownOperation
          && known?.message.contains("imrec does not support SageMaker's operation CreateNotebookInstance")
            ?? false
      )
      #expect(await desk.refusal("Nonsense")?.message == "SageMaker has no operation 'Nonsense'.")
    }
  }

  @Test("bodies that are not JSON objects are refused", arguments: ["{", "[]", "1", "\u{0}"])
  func bodies(_ text: String) async throws {
    try await withScratchFolder { folder in
      let desk = try Desk(folder)
      let error = await #expect(throws: ControlPlaneError.self) {
        _ = try await desk.api.respond(to: "ListModels", body: Array(text.utf8), from: Caller())
      }
      #expect(error?.code == .serialization)
    }
  }

  @Test("a region and an account stand in the ARNs")
  func callers() async throws {
    try await withScratchFolder { folder in
      let desk = try Desk(folder)
      let answer = try await desk.api.respond(
        to: "CreateModel", body: model.bytes, from: Caller(region: "cn-north-1", account: "210987654321"))
      #expect(
        String(decoding: answer, as: UTF8.self).contains(
          "arn:aws-cn:sagemaker:cn-north-1:210987654321:model/m"))
    }
  }
}

private func trainingJob(_ name: String, changes: JSON) -> JSON {
  SageMakerTests.trainingJob(name, changes)
}
