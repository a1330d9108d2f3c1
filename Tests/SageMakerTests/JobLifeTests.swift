import Encodings
import Files
import Foundation
import Glibc
import S3
import TestSupport
import Testing

@testable import SageMaker

/// What stays of jobs, how long they may train, and when they can be stopped.
@Suite("The life of jobs")
struct JobLifeTests {
  private let name: JSON = ["TrainingJobName": "a"]
  private static let trainer = """
    echo weights > "$3/model/image-classification-0001.params"
    echo state > "$3/checkpoints/checkpoint"
    """

  private func end(_ desk: Desk) async throws -> JSON {
    try await desk.wait("DescribeTrainingJob", name, "TrainingJobStatus", Desk.ended)
  }

  @Test(
    "of a job that has ended config, log, checkpoints and model stay, and what it read goes",
    arguments: ["exit 0", "exit 1"])
  func room(_ ending: String) async throws {
    try await withScratchFolder { folder in
      let desk = try Desk(folder, script: Self.trainer + "\n" + ending)
      desk.put("train/a.rec", "records")
      try await desk.working { desk in
        try await desk.ask("CreateTrainingJob", trainingJob("a"))
        _ = try await end(desk)
      }
      let container = folder + "/root/jobs/a/opt-ml"
      #expect(scratchNames(container + "/input") == ["config"])
      #expect(scratchNames(container + "/checkpoints") == ["checkpoint"])
      #expect(scratchNames(folder + "/root/jobs/a").contains("log"))
      #expect(desk.object("train/a.rec") == "records")
    }
  }

  @Test("a channel that cannot be downloaded leaves nothing of the others")
  func brokenChannel() async throws {
    try await withScratchFolder { folder in
      let desk = try Desk(folder)
      desk.put("train/a.rec", "records")
      desk.put("list.json", "no JSON")
      try await desk.working { desk in
        let channels: JSON = [
          "InputDataConfig": [channel("train"), channel("b", uri: "s3://b/list.json", type: "ManifestFile")]
        ]
        try await desk.ask("CreateTrainingJob", trainingJob("a", channels))
        #expect(try await end(desk)["TrainingJobStatus"] == "Failed")
      }
      #expect(!scratchNames(folder + "/root/jobs/a/opt-ml/input").contains("data"))
    }
  }

  @Test("a trainer that writes over what it reads does not change the object")
  func objectsStay() async throws {
    try await withScratchFolder { folder in
      let store = try ObjectStoreDesk(folder)
      try store.put("train/a.rec", "records")
      let path = folder + "/copy"
      try await store.objects.download(S3Location(bucket: "bucket", key: "train/a.rec"), to: path)
      #expect(readScratchFile(path) == "records")
      writeScratchFile(path, "other".utf8)
      try FileManager.default.setAttributes([.posixPermissions: 0o400], ofItemAtPath: path)
      try await store.objects.download(S3Location(bucket: "bucket", key: "train/a.rec"), to: path + "2")
      #expect(readScratchFile(path + "2") == "records")
      #expect(scratchNames(folder).sorted() == ["copy", "copy2", "s3"])
    }
  }

  @Test("MaxRuntimeInSeconds is of the whole job, also where the service ended in between")
  func runtime() async throws {
    try await withScratchFolder { folder in
      let limit: JSON = ["StoppingCondition": ["MaxRuntimeInSeconds": 3600]]
      let first = try Desk(folder, script: Self.trainer + "\ntouch $3/begun; exec sleep 60")
      first.put("train/a.rec")
      try await first.working { desk in
        try await desk.ask("CreateTrainingJob", trainingJob("a", limit))
        for _ in 0..<1000 where access(desk.folder + "/root/jobs/a/opt-ml/begun", F_OK) != 0 {
          try await Task.sleep(for: .milliseconds(10))
        }
      }
      // It trained for an hour before the service ended, and showed its last sign of life then.
      try await first.api.store.update(.trainingJob, "a") { job in
        let since = job.state["trainingSince"]?.number ?? 0
        job.state["trainingSince"] = .number(since - 3700)
      }
      let second = try Desk(folder, script: Self.trainer + "\nexec sleep 60")
      try await second.working { desk in
        let job = try await end(desk)
        #expect(job["SecondaryStatus"] == "MaxRuntimeExceeded", "\(job)")
        #expect(job["TrainingTimeInSeconds"]?.integer ?? 0 >= 3600)
        #expect(desk.object("output/a/output/model.tar.gz").isEmpty == false)
      }
    }
  }

  @Test("time during which the service was down is not training time")
  func pause() async throws {
    try await withScratchFolder { folder in
      let first = try Desk(folder, script: Self.trainer + "\ntouch $3/begun; exec sleep 60")
      first.put("train/a.rec")
      try await first.working { desk in
        try await desk.ask("CreateTrainingJob", trainingJob("a"))
        for _ in 0..<1000 where access(desk.folder + "/root/jobs/a/opt-ml/begun", F_OK) != 0 {
          try await Task.sleep(for: .milliseconds(10))
        }
      }
      // A day later.
      let second = try Desk(folder, script: Self.trainer, now: { secondsSince1970() + 86_400 })
      try await second.working { desk in
        let job = try await end(desk)
        #expect(job["TrainingJobStatus"] == "Completed", "\(job)")
        #expect(job["TrainingTimeInSeconds"]?.integer ?? .max < 3600)
      }
    }
  }

  @Test("a deleted job's folder goes, and another job of that name finds nothing of it")
  func deleted() async throws {
    try await withScratchFolder { folder in
      let desk = try Desk(folder, script: "ls $3/checkpoints; " + Self.trainer)
      desk.put("train/a.rec")
      try await desk.working { desk in
        try await desk.ask("CreateTrainingJob", trainingJob("a"))
        _ = try await end(desk)
        try await desk.ask("DeleteTrainingJob", name)
        #expect(scratchNames(desk.folder + "/root/jobs").isEmpty)
        // As if it had been killed before the folder was gone.
        writeScratchFile(desk.folder + "/root/jobs/a/opt-ml/checkpoints/former", "state".utf8)
        try await desk.ask("CreateTrainingJob", trainingJob("a"))
        _ = try await end(desk)
        #expect(!readScratchFile(desk.folder + "/root/jobs/a/log").contains("former"))
      }
    }
  }

  @Test(
    "a job can be stopped while it downloads and while it uploads; asked twice is asked once",
    arguments: ["download", "upload"])
  func stopping(_ part: String) async throws {
    try await withScratchFolder { folder in
      let gate = Gate()
      let objects = SlowObjects(base: FolderObjects(folder + "/s3"), slow: part, gate: gate)
      let desk = try Desk(folder, script: Self.trainer, objects: objects)
      desk.put("train/a.rec")
      try await desk.working { desk in
        try await desk.ask("CreateTrainingJob", trainingJob("a"))
        for _ in 0..<1000 where await !gate.isReached { try await Task.sleep(for: .milliseconds(10)) }
        let state = try await desk.ask("DescribeTrainingJob", name)["SecondaryStatus"]
        #expect(state == (part == "download" ? "Downloading" : "Uploading"))
        try await desk.ask("StopTrainingJob", name)
        try await desk.ask("StopTrainingJob", name)
        await gate.open()
        let job = try await end(desk)
        #expect(job["TrainingJobStatus"] == "Stopped" && job["SecondaryStatus"] == "Stopped", "\(job)")
        // What was trained is kept.
        #expect(desk.object("output/a/output/model.tar.gz").isEmpty == (part == "download"))
        #expect(await desk.refusal("StopTrainingJob", name)?.message.contains("Stopped") ?? false)
      }
    }
  }

  @Test("more jobs, models and endpoints than there may be are refused, and nothing is kept of them")
  func quotas() async throws {
    try await withScratchFolder { folder in
      var quotas = Quotas()
      (quotas.trainingJobsInProgress, quotas.transformJobsInProgress, quotas.tuningJobsInProgress) = (1, 1, 1)
      (quotas.models, quotas.endpointConfigs, quotas.endpoints) = (1, 1, 1)
      // Nothing runs: what was made stays in progress.
      let desk = try Desk(folder, quotas: quotas)
      desk.put("train/a.rec")
      desk.put("in/1.jpg")
      func config(_ name: String) -> JSON {
        [
          "EndpointConfigName": .string(name),
          "ProductionVariants": [
            ["VariantName": "A", "ModelName": "m", "InitialInstanceCount": 1, "InstanceType": "ml.m4.xlarge"]
          ],
        ]
      }
      func tuning(_ name: String) -> JSON {
        TuningJobTests.request(["HyperParameterTuningJobName": .string(name)])
      }
      let requests: [(String, (String) -> JSON)] = [
        ("CreateTrainingJob", { trainingJob($0) }),
        ("CreateModel", { model.merging(["ModelName": .string($0)]) }),
        ("CreateTransformJob", { transformJob($0) }), ("CreateEndpointConfig", config),
        ("CreateEndpoint", { ["EndpointName": .string($0), "EndpointConfigName": "m"] }),
        ("CreateHyperParameterTuningJob", tuning),
      ]
      for (operation, request) in requests {
        try await desk.ask(operation, request("m"))
        let refusal = await desk.refusal(operation, request("n"))
        #expect(refusal?.code == .limitExceeded, "\(operation): \(String(describing: refusal))")
        #expect(refusal?.message.contains("is 1, with current utilization of 1") ?? false)
      }
      #expect(await desk.refusal("DescribeTrainingJob", ["TrainingJobName": "n"])?.code == .notFound)
    }
  }
}

/// The object store of the service, in a folder.
private struct ObjectStoreDesk {
  let store: ObjectStore
  let objects: LocalObjects

  init(_ folder: String) throws {
    store = try ObjectStore(root: folder + "/s3")
    try store.makeBucket("bucket")
    objects = LocalObjects(store)
  }

  func put(_ key: String, _ text: String) throws { try store.put(Array(text.utf8), as: "bucket", key) }
}

/// Somebody waits at it until it is opened, or is cancelled.
private actor Gate {
  private(set) var isReached = false
  private var isOpen = false
  private var waiting: [CheckedContinuation<Void, Never>] = []

  func pass() async {
    isReached = true
    await withTaskCancellationHandler {
      if isOpen || Task.isCancelled { return }
      await withCheckedContinuation { waiting.append($0) }
    } onCancel: {
      Task { await self.open() }
    }
  }

  func open() {
    isOpen = true
    for one in waiting { one.resume() }
    waiting = []
  }
}

/// Objects of which one kind of transfer waits at a gate.
private struct SlowObjects: ObjectSource {
  let base: FolderObjects
  let slow: String
  let gate: Gate

  func list(_ prefix: S3Location, visit: ([ListedObject]) throws -> Bool) async throws {
    try await base.list(prefix, visit: visit)
  }

  func download(_ object: S3Location, to path: String) async throws {
    if slow == "download" { await gate.pass() }
    try Task.checkCancellation()
    try await base.download(object, to: path)
  }

  func upload(_ path: String, to object: S3Location) async throws {
    if slow == "upload" { await gate.pass() }
    try await base.upload(path, to: object)
  }

  func put(_ bytes: [UInt8], to object: S3Location) async throws { try await base.put(bytes, to: object) }
}
