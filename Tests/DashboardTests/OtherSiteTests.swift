import HTTPTypes
import TestSupport
import Testing

@testable import S3
@testable import SageMaker

/// What other sites could ask of each service.
private let requests: [(method: String, path: String, headers: String)] = [
  ("DELETE", "/photos/kept", ""), ("POST", "/photos?delete", "Content-Type: text/plain\r\n"),
  ("GET", "/photos/kept", ""), ("GET", "/photos", ""), ("PUT", "/other", ""), ("GET", "/", ""),
  ("POST", "/", "X-Amz-Target: SageMaker.ListModels\r\n"),
  ("POST", "/", "X-Amz-Target: Logs_20140328.DescribeLogStreams\r\n"),
  ("POST", "/endpoints/e/invocations", "Content-Type: image/jpeg\r\n"), ("GET", "/-/models", ""),
  ("POST", "/-/endpoints/e/try", ""), ("GET", "/metrics", ""), ("GET", "/healthz", ""), ("GET", "/ping", ""),
  ("OPTIONS", "/photos/kept", "Access-Control-Request-Method: DELETE\r\n"),
]
private let own = "Host: 127.0.0.1\r\n"

@Suite("Pages of other sites")
struct OtherSiteTests {
  /// One request, with the headers as they are given; its body is announced and never sent.
  private func ask(_ port: Int, _ method: String, _ path: String, _ headers: String) async throws
    -> HTTPConnection.Reply?
  {
    try await onThread {
      let connection = HTTPConnection(port: port, seconds: 10)
      let body = ["POST", "PUT"].contains(method) ? "Content-Length: 100000\r\nExpect: 100-continue\r\n" : ""
      connection?.send(Array("\(method) \(path) HTTP/1.1\r\n\(headers)\(body)\r\n".utf8))
      return connection?.reply()
    }
  }

  @Test(
    "are refused by every service before a body is read or a path is looked at",
    arguments: [
      own + "Sec-Fetch-Site: cross-site\r\n", own + "Sec-Fetch-Site: same-site\r\n", own + "Origin: null\r\n",
      own + "Origin: http://evil.example\r\n", own + "Origin: http://127.0.0.1:1\r\n",
      own + "Origin: http://127.0.0.1.evil.example\r\nSec-Fetch-Site: none\r\n",
      // A page whose name was pointed at this machine is of its own site, as browsers see it.
      "Host: evil.example\r\nOrigin: http://evil.example\r\nSec-Fetch-Site: same-origin\r\n",
      "Host: evil.example:80\r\n", "Host: localhost.evil.example\r\n", "Host: 127.0.0.1.evil.example\r\n",
      "Host: 127.0.0\r\n", "Host: [::2]\r\n", "Host: 10.0.0.1\r\n", "Host: \r\n",
    ])
  func refused(_ origin: String) async throws {
    try await SageMakerServer.with { server in
      _ = try await server.ask("PUT", "/photos")
      _ = try await server.ask("PUT", "/photos/kept", body: "x")
      for (method, path, headers) in requests {
        let reply = try await ask(server.port, method, path, origin + headers)
        #expect(reply?.status == 403 && reply?.headers["connection"] == "close", "\(method) \(path)")
        #expect(reply?.headers["access-control-allow-origin"] == nil)
      }
      #expect(try await server.ask("GET", "/photos/kept")?.text == "x")
      #expect(try await server.ask("GET", "/other")?.status == 404)
    }
  }

  @Test("programs and pages of the server's own are answered")
  func answered() async throws {
    try await SageMakerServer.with { server in
      for origin in [
        own, "Host: localhost:4566\r\n", "Host: [::1]:80\r\n", "Host: IMREC.localhost\r\n",
        own + "Sec-Fetch-Site: none\r\n", own + "Sec-Fetch-Site: same-origin\r\nOrigin: http://127.0.0.1\r\n",
        own + "Origin: https://127.0.0.1\r\n",
      ] {
        let page = try await ask(server.port, "GET", "/-/models", origin)
        let bucket = try await ask(server.port, "GET", "/photos", origin)
        #expect(page?.status == 200 && bucket?.status == 404, "\(origin)")
      }
    }
  }

  @Test("a link leads to the pages for people, and to nothing else")
  func links() async throws {
    let link = own + "Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: "
    try await SageMakerServer.with { server in
      for (method, path, kind, status) in [
        ("GET", "/-/models", "document", 200), ("GET", "/?kind=tuning", "document", 200),
        ("GET", "/-/models", "iframe", 403), ("GET", "/photos", "document", 403),
        ("POST", "/-/endpoints/e/try", "document", 403), ("POST", "/photos?delete", "document", 403),
      ] {
        let reply = try await ask(server.port, method, path, link + kind + "\r\n")
        #expect(reply?.status == status, "\(method) \(path) \(kind)")
      }
    }
  }

  @Test("allowed origins may send requests and read the responses")
  func allowed() async throws {
    let site = "http://pages.example:8888"
    try await SageMakerServer.with {
      $0.allowedOrigins = [site]
    } _: { server in
      let origin = own + "Origin: \(site)\r\nSec-Fetch-Site: cross-site\r\n"
      let models = try await ask(server.port, "GET", "/photos", origin)
      #expect(models?.status == 404 && models?.headers["access-control-allow-origin"] == site)
      let question = try await ask(
        server.port, "OPTIONS", "/photos/kept",
        origin + "Access-Control-Request-Method: PUT\r\nAccess-Control-Request-Headers: x-amz-date\r\n")
      #expect(question?.status == 204 && question?.headers["access-control-allow-methods"] == "PUT")
      #expect(question?.headers["access-control-allow-headers"] == "x-amz-date")
      let other = own + "Origin: http://pages.example\r\n"
      #expect(try await ask(server.port, "GET", "/photos", other)?.status == 403)
    }
  }

  @Test("an object has no rights in a browser, whatever it holds")
  func objects() async throws {
    try await SageMakerServer.with { server in
      _ = try await server.ask("PUT", "/photos")
      let page = "<script>fetch('/-/s3/photos')</script>"
      _ = try await server.ask("PUT", "/photos/a.html", ["Content-Type": "text/html"], body: page)
      for path in [
        "/photos/a.html", "/photos/a.html?response-content-type=image/svg%2Bxml", "/photos", "/photos/none",
      ] {
        let reply = try await server.ask("GET", path)
        #expect(reply?.headers["x-content-type-options"] == "nosniff")
        let policy = reply?.headers["content-security-policy"] ?? ""
        #expect(policy.contains("sandbox") && policy.contains("default-src 'none'"), "\(path): \(policy)")
        #expect(!policy.contains("allow-scripts") && !policy.contains("allow-same-origin"))
      }
      #expect(try await server.ask("GET", "/photos/a.html")?.text == page)
    }
  }

  @Test("a header that names the operation and is not signed is refused beside a signature that is right")
  func unsigned() async throws {
    let credential = Credential(accessKey: "AKID", secretKey: "secret")
    try await SageMakerServer.with {
      $0.signer = credential
    } _: { server in
      for (path, name, value) in [
        ("/", "X-Amz-Target", "SageMaker.ListModels"),
        ("/endpoints/e/invocations", "X-Amz-Target", "SageMaker.ListModels"),
        ("/endpoints/e/invocations", "X-Amzn-SageMaker-Target-Variant", "other"),
      ] {
        var request = HTTPRequest(
          method: .post, scheme: nil, authority: "127.0.0.1:\(server.port)", path: path)
        try RequestSigner(credential, region: "us-east-1", service: "sagemaker", rules: .general)
          .sign(&request, payload: PayloadDigest(of: Array("{}".utf8)), at: .now)
        var headers = Dictionary(request.headerFields.map { ($0.name.canonicalName, $0.value) }) { $1 }
        headers[name] = value
        let reply = try await server.ask("POST", path, headers, body: "{}")
        #expect(reply?.status == 403 && reply?.text.contains("is not signed") == true, "\(path) \(name)")
      }
    }
  }
}
