import Encodings
import TestSupport
import Testing

@testable import SageMaker

@Suite("What programs for SageMaker ask of other services")
struct CompanionTests {
  private static let training = "/aws/sagemaker/TrainingJobs"

  private static func logs(_ server: SageMakerServer, _ operation: String, _ request: JSON) async throws
    -> JSON
  {
    let reply = try #require(
      try await server.ask(
        "POST", "/", ["X-Amz-Target": "Logs_20140328.\(operation)"], body: request.encoded))
    return try JSON(parsing: reply.body)
  }

  private func form(_ server: SageMakerServer, _ service: String, _ body: String) async throws
    -> HTTPConnection.Reply
  {
    let scope =
      "AWS4-HMAC-SHA256 Credential=key/20261129/us-east-1/\(service)/aws4_request, SignedHeaders=host"
    return try #require(
      try await server.ask("POST", "/", ["Authorization": scope + ", Signature=0"], body: body))
  }

  @Test("a training job's log is a stream of events, page after page, forward and backward")
  func events() async throws {
    try await SageMakerServer.with(script: "for i in 1 2 3 4 5; do echo line $i; done") { server in
      _ = try await server.ask("PUT", "/photos")
      _ = try await server.ask("PUT", "/photos/data/a.txt", body: "x")
      _ = try await server.operate("CreateTrainingJob", SageMakerServer.trainingJob("job"))
      _ = try await server.ending(ofTrainingJob: "job")
      let streams = try await Self.logs(
        server, "DescribeLogStreams",
        ["logGroupName": .string(Self.training), "logStreamNamePrefix": "job/", "orderBy": "LogStreamName"])
      let stream = try #require(streams["logStreams"]?.list?.first?["logStreamName"]?.text)
      #expect(stream.hasPrefix("job/algo-1-"))
      let all = try await Self.logs(server, "DescribeLogStreams", ["logGroupName": .string(Self.training)])
      #expect(all["logStreams"]?.list?.count == 1)

      func page(_ more: JSON) async throws -> (lines: [String], forward: JSON?, backward: JSON?) {
        var request = more
        request["logGroupName"] = .string(Self.training)
        request["logStreamName"] = .string(stream)
        let answer = try await Self.logs(server, "GetLogEvents", request)
        let events = answer["events"]?.list ?? []
        #expect(events.allSatisfy { ($0["timestamp"]?.integer ?? 0) > 1_700_000_000_000 })
        return (
          events.compactMap { $0["message"]?.text }, answer["nextForwardToken"], answer["nextBackwardToken"]
        )
      }
      let first = try await page(["startFromHead": true, "limit": 3])
      #expect(first.lines == ["line 1", "line 2", "line 3"])
      let second = try await page(["limit": 3, "nextToken": try #require(first.forward)])
      #expect(second.lines == ["line 4", "line 5"])
      // At the end the token stays as it is, which is how clients know.
      let third = try await page(["nextToken": try #require(second.forward)])
      #expect(third.lines == [] && third.forward == second.forward)
      let last = try await page(["limit": 2])
      #expect(last.lines == ["line 4", "line 5"])
      #expect(
        try await page(["limit": 2, "nextToken": try #require(last.backward)]).lines == ["line 2", "line 3"])
      #expect(try await page(["startTime": .integer(.max), "startFromHead": true]).lines == [])
      #expect(try await page(["endTime": 1, "startFromHead": true]).lines == [])

      for (token, code) in [("f/x", "InvalidParameterException"), ("3", "InvalidParameterException")] {
        let refused = try await Self.logs(
          server, "GetLogEvents",
          [
            "logGroupName": .string(Self.training), "logStreamName": .string(stream),
            "nextToken": .string(token),
          ])
        #expect(refused["__type"]?.text == code)
      }
    }
  }

  @Test("a missing log is reported; an operation that is not offered is refused by name")
  func refusals() async throws {
    try await SageMakerServer.with { server in
      let request: JSON = ["logGroupName": .string(Self.training), "logStreamName": "none/algo-1-0"]
      #expect(
        try await Self.logs(server, "GetLogEvents", request)["__type"]?.text == "ResourceNotFoundException")
      #expect(
        try await Self.logs(server, "DescribeLogStreams", ["logGroupName": "/none"])["__type"]?.text
          == "ResourceNotFoundException")
      let streams = try await Self.logs(
        server, "DescribeLogStreams",
        ["logGroupName": .string(Self.training), "logStreamNamePrefix": "none/"])
      #expect(streams["logStreams"]?.list == [])
      let groups = try await Self.logs(
        server, "DescribeLogGroups", ["logGroupNamePrefix": "/aws/sagemaker/Tra"])
      #expect(groups["logGroups"]?.list?.count == 2)
      let unknown = try await Self.logs(server, "PutLogEvents", [:])
      #expect(unknown["__type"]?.text == "UnknownOperationException")
      #expect(unknown["message"]?.text?.contains("PutLogEvents") == true)
    }
  }

  @Test("who asks is the account of the server; another service is refused in its own form")
  func identity() async throws {
    try await SageMakerServer.with { server in
      let who = try await form(server, "sts", "Action=GetCallerIdentity&Version=2011-06-15")
      #expect(who.status == 200 && who.text.contains("<Account>123456789012</Account>"), "\(who.text)")
      let role = try await form(server, "iam", "Action=GetRole&RoleName=my%2Drole")
      #expect(role.text.contains("<Arn>arn:aws:iam::123456789012:role/my-role</Arn>"), "\(role.text)")
      let other = try await form(server, "sts", "Action=AssumeRole")
      #expect(
        other.status == 400 && other.text.contains("imrec does not support AssumeRole of sts"),
        "\(other.text)")
      let registry = try await server.ask(
        "POST", "/",
        [
          "X-Amz-Target": "AmazonEC2ContainerRegistry_V20150921.DescribeImages",
          "Authorization": "AWS4-HMAC-SHA256 Credential=key/20261129/us-east-1/ecr/aws4_request, Signature=0",
        ], body: "{}")
      #expect(
        registry?.status == 400 && registry?.text.contains("imrec does not support the service ecr") == true)
    }
  }
}
