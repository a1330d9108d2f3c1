import Dispatch
import TestSupport
import Testing

@Suite("The local SageMaker over HTTP")
struct ControlPlaneServiceTests {
  private func ask(
    _ port: Int, _ operation: String, _ body: String, region: String = "eu-west-1"
  ) async -> HTTPConnection.Reply? {
    await withCheckedContinuation { continuation in
      DispatchQueue(label: "client").async {
        let connection = HTTPConnection(port: port)
        connection?.send(
          "POST", "/",
          [
            "X-Amz-Target": "SageMaker.\(operation)", "Content-Type": "application/x-amz-json-1.1",
            "Authorization":
              "AWS4-HMAC-SHA256 Credential=key/20261129/\(region)/sagemaker/aws4_request, SignedHeaders=host, Signature=0",
          ], body: Array(body.utf8))
        continuation.resume(returning: connection?.reply())
      }
    }
  }

  @Test("an operation is answered in JSON 1.1, with a request's id, for the region of its signature")
  func answers() async throws {
    try await SageMakerServer.with { server in
      let port = server.port
      let request = #"{"ModelName":"m","PrimaryContainer":{"Image":"i","ModelDataUrl":"s3://b/m.tar.gz"}}"#
      let made = try #require(await ask(port, "CreateModel", request))
      #expect(made.status == 200 && made.headers["content-type"] == "application/x-amz-json-1.1", "\(made)")
      #expect(made.text == #"{"ModelArn":"arn:aws:sagemaker:eu-west-1:123456789012:model/m"}"#)
      #expect(made.headers["x-amzn-requestid"]?.count == 36)
      let gone = try #require(await ask(port, "DeleteModel", #"{"ModelName":"m"}"#))
      #expect(gone.status == 200 && gone.body.isEmpty)
    }
  }

  @Test("a refusal has a type and a message")
  func refusals() async throws {
    try await SageMakerServer.with { server in
      let port = server.port
      let missing = try #require(await ask(port, "DescribeTrainingJob", #"{"TrainingJobName":"a"}"#))
      #expect(missing.status == 400)
      #expect(missing.text == #"{"__type":"ResourceNotFound","message":"Requested resource not found."}"#)
      let unknown = try #require(await ask(port, "CreateNotebookInstance", "{}"))
      #expect(unknown.status == 400 && unknown.text.contains("UnknownOperationException"))
      let broken = try #require(await ask(port, "ListModels", "{"))
      #expect(broken.status == 400 && broken.text.contains("SerializationException"))
      let large = try #require(await ask(port, "ListModels", String(repeating: " ", count: 2 << 20)))
      #expect(large.status == 400 && large.text.contains("more than 1048576 bytes"))
    }
  }
}
