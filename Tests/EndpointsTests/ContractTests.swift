import HTTP
import Inference
import InferenceTestSupport
import TestSupport
import Testing

@testable import Endpoints

private let image = ["Content-Type": "application/x-image"]

@Suite("The hosting contract")
struct ContractTests {
  @Test("answers /ping with nothing and /execution-parameters with what a batch transform asks")
  func fixedPaths() async throws {
    try await withHost { port, _ in
      let ping = try await ask(port, "GET", "/ping")
      #expect(ping?.status == 200 && ping?.body.isEmpty == true, "\(String(describing: ping))")
      let parameters = try await ask(port, "GET", "/execution-parameters")
      #expect(
        parameters?.text
          == "{\"MaxConcurrentTransforms\": 32, \"BatchStrategy\": \"SINGLE_RECORD\", \"MaxPayloadInMB\": 6}\n"
      )
      #expect(parameters?.headers["content-type"] == "application/json")
    }
  }

  @Test(
    "gives probabilities in the format that Accept asks for",
    arguments: [
      (nil, PredictionFormat.json), ("*/*", .json), ("application/json", .json), ("application/*", .json),
      ("application/jsonlines", .jsonlines), ("Application/JSONLines; verbose=true", .jsonlines),
      ("text/html, application/jsonlines", .jsonlines),
      ("application/json;q=0.5,application/jsonlines", .jsonlines),
      ("text/html, */*;q=0.1", .json),
      ("application/json;verbose", .verbose), ("application/json; Verbose; q=0.9, text/html", .verbose),
      ("application/json;verbose;q=0.1, application/jsonlines", .jsonlines),
    ] as [(String?, PredictionFormat)])
  func formats(_ accept: String?, _ format: PredictionFormat) async throws {
    try await withHost { port, host in
      let file = try jpeg()
      let headers = accept.map { image.merging(["Accept": $0]) { $1 } } ?? image
      let reply = try await ask(port, "POST", "/invocations", headers, body: file)
      let expected = format.text(try host.queue.classifier.classifyHere([file])[0].get())
      #expect(reply?.status == 200 && reply?.body == expected, "\(String(describing: reply))")
      #expect(reply?.headers["content-type"] == format.mediaType)
    }
  }

  @Test("names the classes where Accept asks for it and the model has names")
  func classNames() async throws {
    try await withHost(classes: ["ant", "bee", "crab"]) { port, host in
      let headers = image.merging(["Accept": "application/json;verbose"]) { $1 }
      let reply = try await ask(port, "POST", "/invocations", headers, body: try jpeg())
      #expect(reply?.text.contains(#""labels": ["ant", "bee", "crab"], "predicted_label": ""#) == true)
      #expect(reply?.headers["content-type"] == "application/json;verbose")
    }
  }

  @Test("takes an image under each of its types, and says which it takes")
  func contentTypes() async throws {
    try await withHost { port, _ in
      let file = try jpeg()
      for type in ["application/x-image", "image/jpeg", "image/png", "IMAGE/JPEG; charset=binary"] {
        #expect(
          try await ask(port, "POST", "/invocations", ["Content-Type": type], body: file)?.status == 200)
      }
      for type in ["application/octet-stream", "text/csv", "image/gif", "a\"b"] {
        let reply = try await ask(port, "POST", "/invocations", ["Content-Type": type], body: file)
        #expect(reply?.status == 415 && reply?.text.contains("not supported") == true)
      }
      let packed = try await ask(
        port, "POST", "/invocations", image.merging(["Content-Encoding": "gzip"]) { $1 }, body: file)
      #expect(packed?.status == 415)
    }
  }

  @Test("refuses invalid requests with a status and a reason, and keeps serving")
  func refusals() async throws {
    var options = HostOptions()
    options.maximumPayloadMegabytes = 1
    try await withHost(options: options) { port, _ in
      let file = try jpeg(seed: 3, width: 60, height: 60)
      let large = [UInt8](repeating: 0xFF, count: 1 << 20)
      for (method, path, headers, body, status, words) in [
        ("POST", "/invocations", image, Array(file.prefix(200)), 400, "cut short"),
        ("POST", "/invocations", image, Array("GIF89a".utf8), 400, "GIF"),
        ("POST", "/invocations", image, [], 400, "empty"),
        ("POST", "/invocations", image.merging(["Accept": "text/html"]) { $1 }, file, 406, "text/html"),
        ("POST", "/invocations", image, large, 400, "unable to evaluate payload"),
        ("POST", "/invocations", image, large + [0], 413, "1048576"),
        ("GET", "/invocations", [:], [], 405, "POST"), ("PUT", "/ping", [:], [1, 2], 405, "GET"),
        ("GET", "/", [:], [], 404, "/invocations"), ("POST", "/invocations/x", image, file, 404, "/ping"),
      ] as [(String, String, [String: String], [UInt8], Int, String)] {
        let reply = try await ask(port, method, path, headers, body: body)
        #expect(
          reply?.status == status && reply?.text.hasPrefix("{\"error\": \"") == true
            && reply?.text.contains(words) == true, "\(method) \(path): \(String(describing: reply))")
        if status == 405 { #expect(reply?.headers["allow"]?.contains(words) == true) }
      }
      #expect(try await ask(port, "POST", "/invocations", image, body: file)?.status == 200)
    }
  }

  @Test("refuses a body that is too large before it is sent, and one without a length while it comes")
  func largeBodies() async throws {
    var options = HostOptions()
    options.maximumPayloadMegabytes = 1
    try await withHost(options: options) { port, _ in
      let announced = try await onThread {
        let connection = HTTPConnection(port: port, seconds: 10)
        connection?.send(
          "POST", "/invocations", image.merging(["Content-Length": "900000000000"]) { $1 },
          body: [UInt8](repeating: 0, count: 100_000))
        return (connection?.reply(), connection?.isClosedByServer())
      }
      #expect(announced.0?.status == 413 && announced.0?.headers["connection"] == "close")
      #expect(announced.1 == true)
      let chunked = try await onThread {
        let connection = HTTPConnection(port: port, seconds: 10)
        connection?.send("POST", "/invocations", image.merging(["Transfer-Encoding": "chunked"]) { $1 })
        let chunk = Array("10000\r\n".utf8) + [UInt8](repeating: 1, count: 0x10000) + Array("\r\n".utf8)
        for _ in 0..<40 where connection?.send(chunk) != true { break }
        return connection?.reply()
      }
      #expect(chunked?.status == 413, "\(String(describing: chunked))")
    }
  }

  @Test("answers Expect: 100-continue by going on or by refusing a body that is too large")
  func expectations() async throws {
    try await withHost { port, _ in
      let file = try jpeg()
      let headers = image.merging(["Expect": "100-continue", "Content-Length": "\(file.count)"]) { $1 }
      let replies = try await onThread {
        let connection = HTTPConnection(port: port, seconds: 10)
        connection?.send("POST", "/invocations", headers)
        let first = connection?.reply()
        connection?.send(file)
        return (first, connection?.reply())
      }
      #expect(replies.0?.status == 100 && replies.1?.status == 200)
      let refused = try await ask(
        port, "POST", "/invocations", headers.merging(["Content-Length": "7000000"]) { $1 })
      #expect(refused?.status == 413)
    }
  }

  @Test("answers many requests on one connection, also those sent at once")
  func keepAlive() async throws {
    try await withHost { port, host in
      let files = try (1...20).map { try jpeg(seed: $0) }
      let bodies = try await onThread {
        let connection = HTTPConnection(port: port)
        for file in files.prefix(10) { connection?.send("POST", "/invocations", image, body: file) }
        var bodies = (0..<10).map { _ in connection?.reply()?.body }
        for file in files.dropFirst(10) {
          connection?.send("POST", "/invocations", image, body: file)
          bodies.append(connection?.reply()?.body)
        }
        return bodies
      }
      let expected = try files.map {
        PredictionFormat.json.text(try host.queue.classifier.classifyHere([$0])[0].get())
      }
      #expect(bodies == expected)
    }
  }

  @Test("takes its port and limits from SageMaker's variables, and says which one makes no sense")
  func environment() throws {
    var options = HostOptions()
    try options.apply([
      "SAGEMAKER_BIND_TO_PORT": "9000", "SAGEMAKER_MAX_PAYLOAD_IN_MB": "20",
      "SAGEMAKER_MAX_CONCURRENT_TRANSFORMS": "4", "SAGEMAKER_BATCH": "true",
    ])
    #expect(
      options.port == 9000 && options.maximumPayloadMegabytes == 20 && options.concurrentTransforms == 4)
    for name in ["SAGEMAKER_BIND_TO_PORT", "SAGEMAKER_MAX_PAYLOAD_IN_MB"] {
      let error = #expect(throws: ServerError.self) { try options.apply([name: "1000000"]) }
      #expect(error?.description.contains(name) == true)
    }
  }
}
