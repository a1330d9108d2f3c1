import Encodings
import Files
import Foundation
import S3
import Synchronization
import TestSupport

@testable import SageMaker

/// A control plane in a folder of its own, with a script where the trainer would be.
struct Desk: Sendable {
  let folder: String
  let api: SageMakerAPI

  /// - Parameter script: of /bin/sh; `$1` is the verb, `$3` the container's folder of a training job, `$2` the description of
  ///   a transform job.
  init(
    _ folder: String, script: String = "exit 0", endpoints: any EndpointHost = NoEndpointHost(),
    quotas: Quotas = Quotas(), objects: (any ObjectSource)? = nil, lockTime: Duration = .seconds(5),
    now: @escaping @Sendable () -> Double = secondsSince1970
  ) throws {
    self.folder = folder
    writeScratchFile(folder + "/program", "#!/bin/sh\n\(script)\n".utf8)
    try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: folder + "/program")
    var options = ControlPlaneOptions(root: folder + "/root")
    options.program = folder + "/program"
    options.environment = ["PATH": "/usr/bin:/bin"]
    options.gracePeriod = .seconds(5)
    options.quotas = quotas
    options.lockTime = lockTime
    options.tuningPage = { "\($0.jobs.count) jobs" }
    api = try SageMakerAPI(
      options, objects: objects ?? FolderObjects(folder + "/s3"), endpoints: endpoints, now: now)
  }

  /// - Throws: as the service does.
  @discardableResult
  func ask(_ operation: String, _ request: JSON = [:]) async throws -> JSON {
    let answer = try await api.respond(to: operation, body: request.bytes, from: Caller())
    let json = answer.isEmpty ? [:] : try JSON(parsing: answer)
    // Each answer is of its shape.
    if let output = Shapes.standard.operations[operation]?.output {
      let known = try Violations.check(json, as: output)
      guard known == json else {
        throw ControlPlaneError(
          .internalFailure, "\(operation) answers what its shape does not have: \(json.encoded)")
      }
    }
    return json
  }

  /// The refusal of a request; nil where it is not refused.
  func refusal(_ operation: String, _ request: JSON = [:]) async -> ControlPlaneError? {
    do {
      try await ask(operation, request)
      return nil
    } catch {
      return error as? ControlPlaneError
    }
  }

  /// Runs the engine while the body does.
  func working<Result: Sendable>(_ body: @escaping @Sendable (Desk) async throws -> Result) async throws
    -> Result
  {
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { try await api.run() }
      defer { group.cancelAll() }
      return try await body(self)
    }
  }

  /// Asks until a member has one of the values; the last answer where it never has.
  func wait(_ operation: String, _ request: JSON, _ member: String, _ values: [String]) async throws -> JSON {
    var answer: JSON = [:]
    for _ in 0..<3000 {
      answer = try await ask(operation, request)
      if values.contains(answer[member]?.text ?? "") { return answer }
      try await Task.sleep(for: .milliseconds(20))
    }
    return answer
  }

  func put(_ key: String, _ text: String = "x", bucket: String = "b") {
    writeScratchFile(folder + "/s3/\(bucket)/\(key)", text.utf8)
  }

  /// An object of text, packed by the machine's own gzip.
  func putGzip(_ key: String, _ text: String) throws {
    put(key, text)
    let path = folder + "/s3/b/" + key
    try FileManager.default.moveItem(atPath: path, toPath: path + ".plain")
    let packer = Process()
    packer.executableURL = URL(filePath: "/bin/sh")
    packer.arguments = ["-c", "gzip -nc \"$0.plain\" > \"$0\" && rm \"$0.plain\"", path]
    try packer.run()
    packer.waitUntilExit()
  }

  func remove(_ prefix: String) throws {
    try FileManager.default.removeItem(atPath: folder + "/s3/b/" + prefix)
  }

  func object(_ key: String, bucket: String = "b") -> String {
    readScratchFile(folder + "/s3/\(bucket)/\(key)")
  }

  static let ended = ["Completed", "Failed", "Stopped"]
}

/// A clock that goes on by a second each time it is asked.
final class SteppingClock: Sendable {
  private let time = Mutex(1_000_000.0)

  var now: @Sendable () -> Double {
    {
      self.time.withLock { time in
        time += 1
        return time
      }
    }
  }
}

let role: JSON = "arn:aws:iam::123456789012:role/imrec"

func trainingJob(_ name: String, channels: [String] = ["train"], _ changes: JSON = [:]) -> JSON {
  let request: JSON = [
    "TrainingJobName": .string(name), "RoleArn": role,
    "AlgorithmSpecification": ["TrainingImage": "image-classification:1", "TrainingInputMode": "File"],
    "OutputDataConfig": ["S3OutputPath": "s3://b/output"],
    "ResourceConfig": ["InstanceType": "ml.p3.2xlarge", "InstanceCount": 1, "VolumeSizeInGB": 50],
    "StoppingCondition": ["MaxRuntimeInSeconds": 3600],
    "InputDataConfig": .list(channels.map { channel($0) }), "HyperParameters": ["epochs": "2"],
  ]
  return request.merging(changes)
}

func channel(_ name: String, uri: String? = nil, type: String = "S3Prefix", _ changes: JSON = [:]) -> JSON {
  let channel: JSON = [
    "ChannelName": .string(name), "ContentType": "application/x-recordio",
    "DataSource": [
      "S3DataSource": ["S3DataType": .string(type), "S3Uri": .string(uri ?? "s3://b/\(name)/")]
    ],
  ]
  return channel.merging(changes)
}

let model: JSON = [
  "ModelName": "m", "ExecutionRoleArn": role,
  "PrimaryContainer": ["Image": "image-classification:1", "ModelDataUrl": "s3://b/model.tar.gz"],
]

func transformJob(_ name: String, _ changes: JSON = [:]) -> JSON {
  let request: JSON = [
    "TransformJobName": .string(name), "ModelName": "m",
    "TransformInput": [
      "DataSource": ["S3DataSource": ["S3DataType": "S3Prefix", "S3Uri": "s3://b/in/"]],
      "ContentType": "application/x-image",
    ],
    "TransformOutput": ["S3OutputPath": "s3://b/out"],
    "TransformResources": ["InstanceType": "ml.p2.xlarge", "InstanceCount": 1],
  ]
  return request.merging(changes)
}
