import DashboardSamples
import Encodings
import Foundation
import InferenceTestSupport
import ServiceTestSupport
import TestSupport
import Testing

@testable import Dashboard
@testable import Endpoints
@testable import HTTP
@testable import SageMaker

/// Runs `body` with the port of a dashboard.
private func withDashboard<Result: Sendable>(
  _ source: SampleSource = SampleSource(),
  _ body: @escaping @Sendable (_ port: Int, EndpointFleet) async throws -> Result
) async throws -> Result {
  let fleet = makeFleet(StubLoader(["a": StubNetwork(), "b": StubNetwork()]))
  try await fleet.create(plan("demo", variant("One", "a"), variant("Two", "b"), shadows: [variant("S", "b")]))
  let dashboard = DashboardService(source, fleet: fleet)
  return try await withServer {
    try await dashboard.respond(to: $0, from: $1)
  } _: {
    try await body($0, fleet)
  }
}

private func get(
  _ port: Int, _ path: String, method: String = "GET", _ more: String = ""
)
  async throws -> HTTPConnection.Reply?
{
  try await onThread {
    guard let connection = HTTPConnection(port: port) else { return nil }
    connection.send("\(method) \(path) HTTP/1.1\r\nHost: 127.0.0.1\r\n\(more)\r\n".utf8)
    return connection.reply()
  }
}

private func post(
  _ port: Int, _ path: String, _ parts: [(name: String, file: String?, bytes: [UInt8])],
  _ headers: String = "Sec-Fetch-Site: same-origin\r\n"
) async throws -> HTTPConnection.Reply? {
  var body: [UInt8] = []
  for part in parts {
    let file = part.file.map { "; filename=\"\($0)\"" } ?? ""
    body += Array("--XX\r\nContent-Disposition: form-data; name=\"\(part.name)\"\(file)\r\n\r\n".utf8)
    body += part.bytes + Array("\r\n".utf8)
  }
  body += Array("--XX--\r\n".utf8)
  return try await onThread { [body] in
    guard let connection = HTTPConnection(port: port) else { return nil }
    let head =
      "POST \(path) HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: multipart/form-data; boundary=XX\r\n"
      + "Content-Length: \(body.count)\r\n\(headers)\r\n"
    connection.send(Array(head.utf8) + body)
    return connection.reply()
  }
}

private let pages = [
  "/", "/?kind=tuning", "/?after=50", "/-/training-jobs/DEMO-imageclassification--2026-09-0",
  "/-/training-jobs/DEMO-imageclassification--2026-09-3",
  "/-/tuning-jobs/DEMO-imageclassification--2026-09-1",
  "/-/transform-jobs/DEMO-imageclassification--2026-09-2", "/-/models", "/-/endpoints", "/-/endpoints/demo",
  "/-/endpoints/broken", "/-/s3", "/-/s3/demo-bucket", "/-/s3/demo-bucket?prefix=a%2Fb%2F",
]

/// Used by one thread at a time.
private struct HeldConnection: @unchecked Sendable { let connection: HTTPConnection }

@Suite("The dashboard")
struct DashboardTests {
  @Test("has a page for everything, with a policy that lets nothing in", arguments: pages)
  func everyPage(_ path: String) async throws {
    try await withDashboard { port, _ in
      let reply = try await get(port, path)
      #expect(reply?.status == 200, "\(String(describing: reply?.status))")
      let policy = reply?.headers["content-security-policy"] ?? ""
      #expect(policy.hasPrefix("default-src 'none'; style-src 'self'; script-src 'self'"))
      #expect(!policy.contains("unsafe") && reply?.headers["x-content-type-options"] == "nosniff")
      let text = try #require(reply?.text)
      #expect(text.hasPrefix("<!DOCTYPE html>") && text.hasSuffix("</html>\n"))
      #expect(!text.contains("://") || !text.contains("src=\"http") && !text.contains("href=\"http"))
      let head = try await onThread { () -> String? in
        let connection = HTTPConnection(port: port)
        connection?.send("HEAD \(path) HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".utf8)
        return connection?.everything().lowercased()
      }
      #expect(head?.contains("\r\ncontent-length: \(text.utf8.count)\r\n") == true, "\(head ?? "")")
      #expect(head?.hasSuffix("\r\n\r\n") == true)
    }
  }

  @Test("shows names that would be markup as text, in every page")
  func hostileNames() async throws {
    let odd = "\"><img src=x onerror=alert(1)></script><script>pwn=1</script>{{x}}&amp;"
    try await withDashboard(SampleSource(odd: odd)) { port, _ in
      let encoded = percentEncoded(odd.utf8)
      for path in pages {
        let parts = path.split(separator: "?", omittingEmptySubsequences: false)
        let isNamed = parts[0].split(separator: "/").count == 3 && !path.contains("s3")
        let reply = try await get(
          port,
          parts[0] + (isNamed && !path.hasSuffix("demo") ? encoded : "")
            + (parts.count > 1 ? "?" + parts[1] : ""))
        #expect(reply?.status == 200, "\(path)")
        let text = reply?.text ?? ""
        #expect(!text.contains("<img src=x") && !text.contains("<script>pwn"), "\(path)")
      }
    }
  }

  @Test("lists jobs by kind, a part at a time")
  func overview() async throws {
    try await withDashboard { port, _ in
      let first = try await get(port, "/")?.text ?? ""
      #expect(first.contains("2026-09-0<") && first.contains("2026-09-49<") && !first.contains("2026-09-50<"))
      #expect(first.contains("/?after=50\""))
      let second = try await get(port, "/?after=50")?.text ?? ""
      #expect(second.contains("2026-09-50<") && second.contains(">Newest<"))
      let tuning = try await get(port, "/?kind=tuning")?.text ?? ""
      #expect(tuning.contains("/-/tuning-jobs/") && !tuning.contains("/-/training-jobs/"))
    }
  }

  @Test("shows a training job's curves from metrics that are being written, its log and its report")
  func trainingJob() async throws {
    try await withDashboard { port, _ in
      let live = try await get(port, "/-/training-jobs/DEMO-imageclassification--2026-09-0")?.text ?? ""
      #expect(live.contains("data-live=\"/-/training-jobs/DEMO-imageclassification--2026-09-0/events\""))
      #expect(live.contains("<meta http-equiv=\"refresh\""))
      #expect(live.contains("Learning curves") && live.contains("Epoch[11] Batch [1180]"))
      let failed = try await get(port, "/-/training-jobs/DEMO-imageclassification--2026-09-3")?.text ?? ""
      #expect(
        failed.contains("ClientError: The loss is no number any more") && !failed.contains("data-live=\"/"))
      let stopped = try await get(port, "/-/training-jobs/DEMO-imageclassification--2026-09-9/report")
      #expect(stopped?.status == 404)
      let sixth = try await get(port, "/-/training-jobs/DEMO-imageclassification--2026-09-15")?.text ?? ""
      #expect(!sixth.contains("Full report"))
    }
  }

  @Test("streams a job's events to a page, line by line, until the job ends")
  func liveEvents() async throws {
    try await withDashboard { port, _ in
      let text = try await onThread { () -> String in
        guard let connection = HTTPConnection(port: port) else { return "" }
        let path = "/-/training-jobs/DEMO-imageclassification--2026-09-0/events"
        connection.send("GET \(path) HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".utf8)
        return connection.everything()
      }
      #expect(text.contains("text/event-stream"))
      #expect(text.contains("event: log\ndata: Epoch[12] Train-accuracy=0.9\n\n"))
      #expect(text.contains("data: two lines\n\n") && text.contains("event: changed"))
      #expect(text.contains("event: ended"))
    }
  }

  @Test("lets the server end while pages are streaming", .timeLimit(.minutes(1)))
  func endingStreams() async throws {
    let fleet = makeFleet(StubLoader([:]))
    let dashboard = DashboardService(SampleSource(isEndless: true), fleet: fleet)
    try await withEndingServer(services: []) {
      try await dashboard.respond(to: $0, from: $1)
    } _: { port in
      let begun = try await onThread { () -> HeldConnection? in
        guard let connection = HTTPConnection(port: port) else { return nil }
        let path = "/-/training-jobs/DEMO-imageclassification--2026-09-0/events"
        connection.send("GET \(path) HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".utf8)
        return connection.waits(for: "event: changed") ? HeldConnection(connection: connection) : nil
      }
      #expect(begun != nil)
      return begun
    }
    // One whose reader goes leaves its place to others.
    try await waitUntil { dashboard.streams.isEmpty }
  }

  @Test("marks the best job of a search")
  func tuningJob() async throws {
    try await withDashboard { port, _ in
      let text = try await get(port, "/-/tuning-jobs/DEMO-imageclassification--2026-09-1")?.text ?? ""
      #expect(text.components(separatedBy: "class=\"strand-best\"").count == 2)
      #expect(text.components(separatedBy: "(best)").count == 2 && text.contains("Best job"))
    }
  }

  @Test("tries an image on an endpoint, by form, with the names of the classes")
  func tryOut() async throws {
    try await withDashboard { port, fleet in
      let file = try jpeg()
      let reply = try await post(
        port, "/-/endpoints/demo/try", [("variant", nil, Array("Two".utf8)), ("image", "a.jpg", file)])
      #expect(reply?.status == 200 && reply?.text.contains("class 0") == true)
      #expect(reply?.text.contains("Answered by the variant Two in") == true)
      #expect(reply?.text.contains("src=\"data:image/jpeg;base64,") == true)
      #expect(fleet.summary(of: "demo")?.variants[1].answered == 1)
      let bad = try await post(port, "/-/endpoints/demo/try", [("image", "a.jpg", Array("GIF89a".utf8))])
      #expect(bad?.status == 200 && bad?.text.contains("unable to evaluate payload") == true)
      let none = try await post(port, "/-/endpoints/demo/try", [("image", "", [])])
      #expect(none?.status == 400)
      let large = [UInt8](repeating: 0, count: 6_291_457)
      #expect(try await post(port, "/-/endpoints/demo/try", [("image", "a.jpg", large)])?.status == 413)
    }
  }

  @Test("takes forms only from its own pages")
  func otherSites() async throws {
    try await withDashboard { port, fleet in
      let file = try jpeg()
      for headers in [
        "", "Sec-Fetch-Site: cross-site\r\n", "Sec-Fetch-Site: same-site\r\n",
        "Origin: http://evil.example\r\n",
        "Origin: null\r\n", "Origin: http://127.0.0.1:1\r\n",
      ] {
        let reply = try await post(port, "/-/endpoints/demo/try", [("image", "a.jpg", file)], headers)
        #expect(reply?.status == 403, "\(headers)")
      }
      #expect(fleet.summary(of: "demo")?.variants.map(\.answered) == [0, 0, 0])
      let own = try await post(
        port, "/-/endpoints/demo/try", [("image", "a.jpg", file)], "Origin: http://127.0.0.1\r\n")
      #expect(own?.status == 200)
      // A form's address answers nothing but forms.
      #expect(try await get(port, "/-/endpoints/demo/try")?.status == 404)
    }
  }

  @Test("makes the accuracy report of a transform job, by a path or a file that is sent")
  func score() async throws {
    try await withScratchFolder { folder in
      let outputs = folder + "/outputs"
      try FileManager.default.createDirectory(atPath: outputs, withIntermediateDirectories: true)
      var list = ""
      for index in 0..<12 {
        try "{\"prediction\": [\(index % 3 == 0 ? 0.8 : 0.1), 0.2]}".write(
          toFile: outputs + "/\(index).jpg.out", atomically: true, encoding: .utf8)
        list += "\(index)\t\(index % 2)\t\(index).jpg\n"
      }
      try list.write(toFile: folder + "/truth.lst", atomically: true, encoding: .utf8)
      let path = "/-/transform-jobs/DEMO-imageclassification--2026-09-2/score"
      let (truth, text) = (folder + "/truth.lst", list)
      try await withDashboard(SampleSource(outputs: outputs)) { port, _ in
        let byPath = try await post(port, path, [("path", nil, Array(truth.utf8)), ("file", "", [])])
        #expect(byPath?.status == 200 && byPath?.text.contains("12 images = 12 scored") == true)
        #expect(byPath?.headers["content-security-policy"]?.hasPrefix("sandbox allow-scripts") == true)
        let bySending = try await post(port, path, [("path", nil, []), ("file", "my.lst", Array(text.utf8))])
        #expect(bySending?.status == 200 && bySending?.text.contains("12 images = 12 scored") == true)
        for (parts, words) in [
          ([("path", nil, Array("/no/such".utf8))], "There is no /no/such"),
          ([], "Give a path, or upload a file."),
          ([("file", "x.lst", Array("rubbish".utf8))], "The ground truth has no labeled image"),
        ] as [([(String, String?, [UInt8])], String)] {
          let reply = try await post(port, path, parts)
          #expect(reply?.status == 400 && reply?.text.contains(words) == true, "\(String(describing: reply))")
        }
      }
    }
  }

  @Test("serves objects as downloads, whatever they contain")
  func downloads() async throws {
    try await withDashboard { port, _ in
      let reply = try await get(port, "/-/object/demo-bucket?key=a%2Fb%20%22c%22.jpg")
      #expect(reply?.status == 200 && reply?.text == "abcdef")
      #expect(reply?.headers["content-disposition"] == "attachment; filename*=UTF-8''b%20%22c%22.jpg")
      #expect(reply?.headers["content-type"] == "application/octet-stream")
      #expect(try await get(port, "/-/object/demo-bucket?key=lost")?.status == 404)
    }
  }

  @Test("serves style and script as cacheable files, and a page for a missing path")
  func files() async throws {
    try await withDashboard { port, _ in
      let text = try await get(port, "/")?.text ?? ""
      for pattern in [/\/-\/assets\/[0-9a-f]{16}\.css/, /\/-\/assets\/[0-9a-f]{16}\.js/] {
        let path = try #require(text.firstMatch(of: pattern)).output
        let reply = try await get(port, String(path))
        #expect(reply?.status == 200 && reply?.headers["cache-control"]?.contains("immutable") == true)
      }
      for path in [
        "/-/lost", "/-/training-jobs/lost", "/-/s3/lost", "/-/assets/x", "/-/training-jobs/%zz", "/-//",
      ] {
        #expect(try await get(port, path)?.status == (path == "/-//" ? 200 : 404), "\(path)")
      }
      #expect(try await get(port, "/", method: "DELETE")?.status == 405)
    }
  }

  @Test("reads forms as browsers send them, and refuses others")
  func forms() throws {
    let type = "multipart/form-data; boundary=\"XX\""
    let body =
      "--XX\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n x \r\n--XX\r\n"
      + "content-disposition: form-data; name=\"f\"; filename=\"p.jpg\"\r\nContent-Type: image/jpeg\r\n\r\n"
      + "1\r\n--X\r\n2\r\n--XX--\r\n"
    let form = try #require(MultipartForm(Array(body.utf8), contentType: type))
    #expect(form.text("a") == "x" && form.text("b") == nil && form.file("f")?.fileName == "p.jpg")
    #expect(
      form.file("f")?.bytes == Array("1\r\n--X\r\n2".utf8) && form.file("f")?.contentType == "image/jpeg")
    // Cut anywhere it is no form, and no crash.
    for count in 0..<(body.utf8.count - 6) {
      #expect(MultipartForm(Array(body.utf8.prefix(count)), contentType: type) == nil, "\(count)")
    }
    for name in ["a;b.jpg", "\u{301}.jpg", "a; filename=c.jpg"] {
      let named = MultipartForm(
        Array(body.replacing("p.jpg", with: name).utf8), contentType: type)
      #expect(named?.file("f")?.fileName == name)
    }
    #expect(MultipartForm(Array(body.utf8), contentType: "application/x-www-form-urlencoded") == nil)
    #expect(MultipartForm(Array(body.utf8), contentType: "multipart/form-data") == nil)
  }
}
