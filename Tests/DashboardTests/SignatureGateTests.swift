import DashboardSamples
import Encodings
import HTTP
import HTTPTypes
import HummingbirdCore
import InferenceTestSupport
import ServiceTestSupport
import TestSupport
import Testing

@testable import Dashboard
@testable import Endpoints
@testable import S3
@testable import SageMaker

private let credential = Credential(accessKey: "AKID", secretKey: "secret")

/// The headers of a signed request to `Host: 127.0.0.1:PORT`.
private func signed(
  _ server: SageMakerServer, _ method: HTTPRequest.Method, _ path: String, service: String = "sagemaker",
  by who: Credential = credential, body: String = "", at time: UTCTime = .now
) throws -> [String: String] {
  var request = HTTPRequest(
    method: method, scheme: nil, authority: "127.0.0.1:\(server.port)", path: path)
  if service == "sagemaker", path == "/" {
    request.headerFields[.name("X-Amz-Target")] = "SageMaker.ListModels"
  }
  try RequestSigner(who, region: "us-east-1", service: service, rules: service == "s3" ? .s3 : .general)
    .sign(&request, payload: PayloadDigest(of: Array(body.utf8)), at: time)
  return Dictionary(request.headerFields.map { ($0.name.canonicalName, $0.value) }) { $1 }
}

@Suite("Signatures that are required")
struct SignatureGateTests {
  private func withGuarded(_ body: @escaping @Sendable (SageMakerServer) async throws -> Void) async throws {
    try await SageMakerServer.with({ $0.signer = credential }, body)
  }

  @Test("let what is signed rightly pass: the control plane, the runtime, S3")
  func right() async throws {
    try await withGuarded { server in
      let list = try await server.ask("POST", "/", try signed(server, .post, "/", body: "{}"), body: "{}")
      #expect(list?.status == 200 && list?.text == #"{"Models":[]}"#, "\(list?.text ?? "")")
      let path = "/endpoints/none/invocations"
      let runtime = try await server.ask(
        "POST", path, try signed(server, .post, path, body: "x"), body: "x")
      #expect(runtime?.headers["x-amzn-errortype"] == "ValidationError", "\(runtime?.text ?? "")")
      #expect(
        try await server.ask("PUT", "/photos", try signed(server, .put, "/photos", service: "s3"))?.status
          == 200)
      let buckets = try await server.ask("GET", "/", try signed(server, .get, "/", service: "s3"))
      #expect(buckets?.text.contains("<Name>photos</Name>") == true, "\(buckets?.text ?? "")")
      let form = "Action=GetCallerIdentity"
      let who = try await server.ask(
        "POST", "/", try signed(server, .post, "/", service: "sts", body: form), body: form)
      #expect(who?.text.contains("<Account>") == true, "\(who?.text ?? "")")
      let guess = Credential(accessKey: "AKID", secretKey: "guess")
      let refused = try await server.ask(
        "POST", "/", try signed(server, .post, "/", service: "sts", by: guess, body: form), body: form)
      #expect(refused?.status == 403 && refused?.text.contains("<Error>") == true, "\(refused?.text ?? "")")
      // This machine sees the dashboard, and whether the server lives.
      #expect(try await server.ask("GET", "/-/models")?.status == 200)
      #expect(try await server.ask("GET", "/ping")?.status == 200)
    }
  }

  @Test("refuse the others in the service's own form")
  func wrong() async throws {
    try await withGuarded { server in
      let stranger = Credential(accessKey: "AKIX", secretKey: "secret")
      let guess = Credential(accessKey: "AKID", secretKey: "guess")
      let late = UTCTime.now.advanced(bySeconds: -16 * 60)
      let cases: [(headers: [String: String], code: String)] = [
        (["x-amz-target": "SageMaker.ListModels"], "MissingAuthenticationTokenException"),
        (try signed(server, .post, "/", by: stranger, body: "{}"), "UnrecognizedClientException"),
        (try signed(server, .post, "/", by: guess, body: "{}"), "InvalidSignatureException"),
        (try signed(server, .post, "/", body: "{}", at: late), "InvalidSignatureException"),
        // What was signed is another body.
        (try signed(server, .post, "/", body: #"{"MaxResults":1}"#), "InvalidSignatureException"),
      ]
      for (headers, code) in cases {
        let reply = try #require(try await server.ask("POST", "/", headers, body: "{}"))
        #expect(reply.status == 403 && reply.headers["x-amzn-errortype"] == code, "\(code): \(reply.text)")
        #expect(reply.text.contains(#""__type":"\#(code)""#))
      }
      let path = "/endpoints/none/invocations"
      let runtime = try #require(try await server.ask("POST", path, body: "x"))
      #expect(runtime.status == 403 && runtime.text.contains(#""Message": "#), "\(runtime.text)")
      #expect(runtime.headers["x-amzn-errortype"] == "MissingAuthenticationTokenException")
      let s3 = try #require(try await server.ask("PUT", "/photos"))
      #expect(s3.status == 403 && s3.text.contains("<Error>"), "\(s3.text)")
      // A signature of one service is none of another's.
      let other = try #require(
        try await server.ask("PUT", "/photos", try signed(server, .put, "/photos")))
      #expect(other.status >= 400 && other.text.contains("<Error>"), "\(other.text)")
    }
  }

  @Test("leave the dashboard to clients of this machine")
  func elsewhere() async throws {
    try await withScratchFolder { folder in
      let store = try ObjectStore(root: folder + "/s3", durably: false)
      var options = S3Service.Options()
      (options.requiresSignature, options.credentials) = (true, [credential])
      let fleet = makeFleet(StubLoader([:]))
      let api = try SageMakerAPI(
        ControlPlaneOptions(root: folder), objects: LocalObjects(store))
      func parts(_ gate: SignatureGate?) -> Parts {
        Parts(
          control: ControlPlaneService(api), runtime: RuntimeService(fleet),
          s3: S3Service(store, options: options),
          companions: Companions(logs: JobLogs(api), caller: Caller()),
          dashboard: DashboardService(SampleSource(), fleet: fleet), gate: gate)
      }
      let request = Request(
        head: HTTPRequest(method: .get, scheme: nil, authority: "localhost", path: "/-/models"),
        body: RequestBody(buffer: .init()))
      // A client that is not known to be of this machine.
      let open = try await parts(nil).respond(to: request, from: nil)
      #expect(open.status == .ok)
      let closed = try await parts(SignatureGate(credential, bodies: ReceivedBytes()))
        .respond(to: request, from: nil)
      #expect(closed.status == .forbidden)
    }
  }
}
