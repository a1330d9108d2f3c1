import Endpoints
import Foundation
import SageMaker
import Services
import TestSupport

/// The local SageMaker in a folder of its own, with a script where the trainer would be.
struct SageMakerServer: Sendable {
  let port: Int
  let folder: String

  /// - Parameter script: of /bin/sh; `$3` is the container's folder of a training job.
  static func with<Result: Sendable>(
    script: String = "exit 0", _ change: (inout LocalSageMaker) -> Void = { _ in },
    _ body: @escaping @Sendable (SageMakerServer) async throws -> Result
  ) async throws -> Result {
    try await withScratchFolder { folder in
      let program = folder + "/program"
      writeScratchFile(program, "#!/bin/sh\n\(script)\n".utf8)
      try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: program)
      var options = ControlPlaneOptions(root: folder + "/root")
      options.program = program
      options.environment = ["PATH": "/usr/bin:/bin", "FOLDER": folder]
      options.gracePeriod = .seconds(5)
      var server = LocalSageMaker(options)
      server.port = 0
      server.isQuiet = true
      change(&server)
      let ready = server
      let (ports, source) = AsyncStream<Int>.makeStream()
      return try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask { try await ready.run { source.yield($0) } }
        defer { group.cancelAll() }
        for await port in ports { return try await body(SageMakerServer(port: port, folder: folder)) }
        throw CancellationError()
      }
    }
  }

  /// A request to the machine's own address, as browsers send it.
  func connection(_ method: String, _ path: String, _ headers: [String: String] = [:], body: String = "")
    -> HTTPConnection?
  {
    let connection = HTTPConnection(port: port)
    var head =
      "\(method) \(path) HTTP/1.1\r\nHost: 127.0.0.1:\(port)\r\nContent-Length: \(body.utf8.count)\r\n"
    for (name, value) in headers { head += "\(name): \(value)\r\n" }
    connection?.send(Array((head + "\r\n" + body).utf8))
    return connection
  }

  func ask(_ method: String, _ path: String, _ headers: [String: String] = [:], body: String = "")
    async throws
    -> HTTPConnection.Reply?
  {
    try await onThread { connection(method, path, headers, body: body)?.reply() }
  }

  func operate(_ operation: String, _ body: String) async throws -> HTTPConnection.Reply? {
    try await ask("POST", "/", ["X-Amz-Target": "SageMaker.\(operation)"], body: body)
  }

  /// Asks until the training job has ended; its last description.
  func ending(ofTrainingJob name: String) async throws -> String {
    var text = ""
    for _ in 0..<3000 {
      text = try await operate("DescribeTrainingJob", "{\"TrainingJobName\":\"\(name)\"}")?.text ?? ""
      if !text.contains("\"TrainingJobStatus\":\"InProgress\"") { break }
      try await Task.sleep(for: .milliseconds(20))
    }
    return text
  }

  /// What CreateTrainingJob needs, with a channel of `s3://photos/data/` and outputs in `s3://photos/out`.
  static func trainingJob(_ name: String) -> String {
    """
    {"TrainingJobName": "\(name)", "RoleArn": "arn:aws:iam::123456789012:role/r",
     "AlgorithmSpecification": {"TrainingImage": "classification:1", "TrainingInputMode": "File"},
     "InputDataConfig": [{"ChannelName": "train", "DataSource": {"S3DataSource":
       {"S3DataType": "S3Prefix", "S3Uri": "s3://photos/data/"}}}],
     "OutputDataConfig": {"S3OutputPath": "s3://photos/out"}, "HyperParameters": {"epochs": "2"},
     "ResourceConfig": {"InstanceType": "ml.p2.xlarge", "InstanceCount": 1, "VolumeSizeInGB": 1},
     "StoppingCondition": {"MaxRuntimeInSeconds": 60}}
    """
  }
}
