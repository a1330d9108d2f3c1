import Encodings
import TestSupport
import Testing

@testable import SageMaker

@Suite("Transform jobs")
struct TransformJobTests {
  private func run(
    _ script: String, _ changes: JSON = [:], before: @escaping @Sendable (Desk) throws -> Void = { _ in },
    _ body: @escaping @Sendable (Desk, JSON) async throws -> Void
  ) async throws {
    try await withScratchFolder { folder in
      let desk = try Desk(folder, script: script)
      desk.put("model.tar.gz")
      desk.put("in/1.jpg")
      desk.put("in/deep/2.jpg")
      try before(desk)
      desk.put("input_other/3.jpg")
      desk.put("list.json", #"[{"prefix":"s3://b/in/"},"deep/2.jpg"]"#)
      try await desk.working { desk in
        try await desk.ask("CreateModel", model)
        try await desk.ask("CreateTransformJob", transformJob("t", changes))
        // The job has the model as it was.
        try await desk.ask("DeleteModel", ["ModelName": "m"])
        try await body(
          desk,
          try await desk.wait(
            "DescribeTransformJob", ["TransformJobName": "t"], "TransformJobStatus", Desk.ended))
      }
    }
  }

  /// Answers each input with its name.
  private static let echo = """
    cd input; find . -type f | while read name; do mkdir -p "../output/$(dirname $name)"; echo $name > ../output/$name.out; done
    """

  private func input(_ type: String, _ uri: String) -> JSON {
    [
      "TransformInput": [
        "DataSource": ["S3DataSource": ["S3DataType": .string(type), "S3Uri": .string(uri)]],
        "ContentType": "application/x-image",
      ]
    ]
  }

  @Test("outputs are named by their inputs, below the prefix's last slash")
  func whole() async throws {
    try await run(Self.echo) { desk, job in
      #expect(job["TransformJobStatus"] == "Completed", "\(job)")
      #expect(
        desk.object("out/1.jpg.out") == "./1.jpg\n" && desk.object("out/deep/2.jpg.out") == "./deep/2.jpg\n")
      #expect(job["TransformStartTime"]?.number ?? 0 <= job["TransformEndTime"]?.number ?? 0)
    }
  }

  @Test("a prefix is text, and a manifest names single objects")
  func inputs() async throws {
    try await run(Self.echo, input("S3Prefix", "s3://b/in")) { desk, job in
      #expect(
        !desk.object("out/in/1.jpg.out").isEmpty && !desk.object("out/input_other/3.jpg.out").isEmpty,
        "\(job)")
    }
    try await run(Self.echo, input("ManifestFile", "s3://b/list.json")) { desk, job in
      #expect(scratchNames(desk.folder + "/s3/b/out") == ["deep"], "\(job)")
    }
  }

  private static let gzipped: JSON = [
    "TransformInput": [
      "DataSource": ["S3DataSource": ["S3DataType": "S3Prefix", "S3Uri": "s3://b/in/"]],
      "ContentType": "application/x-image", "CompressionType": "Gzip",
    ]
  ]

  @Test("compressed inputs are unpacked under their own names; an incomplete gzip file fails the job")
  func compressed() async throws {
    let script = "cd input; for name in *; do cp $name ../output/$name.out; done"
    let packed: @Sendable (Desk) throws -> Void = { desk in
      try desk.remove("in")
      try desk.putGzip("in/1.txt.gz", "packed text")
    }
    try await run(script, Self.gzipped, before: packed) { desk, job in
      #expect(job["TransformJobStatus"] == "Completed", "\(job)")
      #expect(desk.object("out/1.txt.gz.out") == "packed text")
    }
    try await run(script, Self.gzipped) { _, job in
      #expect(job["TransformJobStatus"] == "Failed")
      #expect(
        job["FailureReason"]?.text?.hasPrefix("ClientError: s3://b/in/1.jpg is not a complete gzip file: ")
          ?? false,
        "\(job)")
    }
  }

  @Test("what the request says is told again, and reaches the job's environment")
  func echoed() async throws {
    let changes: JSON = [
      "Environment": ["MORE": "1"], "BatchStrategy": "MultiRecord", "MaxPayloadInMB": 5,
      "ModelClientConfig": ["InvocationsTimeoutInSeconds": 3600, "InvocationsMaxRetries": 3],
      "ExperimentConfig": ["ExperimentName": "e"],
    ]
    try await run("env > output/env.out", changes) { desk, job in
      for (name, value) in changes.object ?? [:] { #expect(job[name] == value) }
      let variables = desk.object("out/env.out").split(separator: "\n")
      for variable in [
        "MORE=1", "SAGEMAKER_BATCH=true", "SAGEMAKER_BATCH_STRATEGY=MULTI_RECORD",
        "SAGEMAKER_MAX_PAYLOAD_IN_MB=5",
      ] {
        #expect(variables.contains(Substring(variable)), "\(variables)")
      }
    }
  }

  @Test("with bad inputs the job fails and the good outputs stand; without an end in order nothing stands")
  func failing() async throws {
    try await run("echo x > output/1.jpg.out; exit 2") { desk, job in
      #expect(job["TransformJobStatus"] == "Failed")
      #expect(job["FailureReason"] == "ClientError: See job logs for more information")
      #expect(desk.object("out/1.jpg.out") == "x\n")
    }
    try await run("echo x > output/1.jpg.out; exit 1") { desk, job in
      #expect(job["TransformJobStatus"] == "Failed" && desk.object("out/1.jpg.out").isEmpty)
    }
  }

  @Test(
    "requests that contradict themselves are refused",
    arguments: [
      (["MaxConcurrentTransforms": 20, "MaxPayloadInMB": 6], "MaxConcurrentTransforms * MaxPayloadInMB"),
      (["MaxPayloadInMB": 101], "MaxPayloadInMB"),
      (["ModelClientConfig": ["InvocationsTimeoutInSeconds": 3601]], "invocationsTimeoutInSeconds"),
      (["ModelClientConfig": ["InvocationsTimeoutInSeconds": 0]], "invocationsTimeoutInSeconds"),
      (["ModelClientConfig": ["InvocationsMaxRetries": 4]], "invocationsMaxRetries"),
      (["DataProcessing": ["OutputFilter": "$["]], "OutputFilter"),
      (["DataProcessing": ["JoinSource": "Input"]], "ContentType"),
    ] as [(JSON, String)])
  func refused(_ changes: JSON, _ words: String) async throws {
    try await withScratchFolder { folder in
      let desk = try Desk(folder)
      desk.put("in/1.jpg")
      try await desk.ask("CreateModel", model)
      let refusal = await desk.refusal("CreateTransformJob", transformJob("t", changes))
      #expect(
        refusal?.code == .validation && refusal?.message.contains(words) ?? false,
        "\(String(describing: refusal))")
      #expect(
        await desk.refusal("CreateTransformJob", transformJob("t", ["ModelName": "n"]))?.code == .notFound)
    }
  }
}
