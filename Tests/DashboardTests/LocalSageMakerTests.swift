import ServiceTestSupport
import TestSupport
import Testing

@testable import Dashboard
@testable import Endpoints
@testable import S3
@testable import SageMaker
@testable import Services

/// Leaves what it was given as the model, a metric, and a line.
private let trainer = """
  cp "$3/input/data/train/a.txt" "$3/model/a.txt"
  echo '{"epoch":0,"images":8,"train_loss":1,"train_accuracy":0.5,"validation_images":8,"validation_loss":1,"validation_accuracy":0.75,"learning_rate":0.1,"shape":[3,28,28],"seconds":1,"images_per_second":8,"data_seconds":0,"forward_seconds":0,"backward_seconds":0,"update_seconds":0,"validation_seconds":0,"is_best":true}' > "$3/output/data/metrics.jsonl"
  echo 'Epoch[0] is done'
  """
private let s3Authorization =
  "AWS4-HMAC-SHA256 Credential=key/20261129/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0"

@Suite("All of the local SageMaker on one port")
struct LocalSageMakerTests {
  @Test("it answers under the host names that it is configured with, whatever it listens on")
  func hostNames() async throws {
    @Sendable func statuses(_ server: SageMakerServer) async throws -> [Int?] {
      try await onThread {
        ["127.0.0.1", "0.0.0.0", "Trainer.lan:\(server.port)", "[fe80::1]", "evil.example"].map { host in
          let connection = HTTPConnection(port: server.port)
          connection?.send(Array("GET /-/models HTTP/1.1\r\nHost: \(host)\r\n\r\n".utf8))
          return connection?.reply()?.status
        }
      }
    }
    for (names, expected) in [
      ([], [200, 200, 403, 403, 403]), (["trainer.lan", "fe80::1"], [200, 200, 200, 200, 403]),
      (["*"], [200, 200, 200, 200, 200]),
    ] {
      func open(_ server: inout LocalSageMaker) {
        (server.hostname, server.allowedHosts) = ("0.0.0.0", names)
      }
      let found = try await SageMakerServer.with(open) { try await statuses($0) }
      #expect(found == expected)
    }
  }

  @Test("a second server on the same folder or the same port changes nothing")
  func second() async throws {
    let script = """
      while [ ! -e "$FOLDER/go" ]; do sleep 0.05; done
      [ -e "$3/input/data/train/a.txt" ] && cp "$3/input/data/train/a.txt" "$3/model/a.txt"
      """
    try await SageMakerServer.with(script: script) { server in
      _ = try await server.ask("PUT", "/photos")
      _ = try await server.ask("PUT", "/photos/data/a.txt", body: "x")
      _ = try await server.operate("CreateTrainingJob", SageMakerServer.trainingJob("only"))
      let input = server.folder + "/root/jobs/only/opt-ml/input/data/train/a.txt"
      for _ in 0..<3000 where readScratchFile(input).isEmpty { try await Task.sleep(for: .milliseconds(10)) }
      for (root, port) in [("/root", server.port), ("/root", 0), ("/other", server.port)] {
        var second = LocalSageMaker(ControlPlaneOptions(root: server.folder + root))
        (second.port, second.isQuiet) = (port, true)
        let error = await #expect(throws: (any Error).self) {
          try await second.run { _ in Issue.record("it does not start") }
        }
        let words = error.map { "\($0)" } ?? ""
        #expect(
          words.contains(root == "/root" ? "it is in use by process" : "another program is using"), "\(words)"
        )
      }
      #expect(scratchNames(server.folder + "/other").isEmpty)
      #expect(readScratchFile(input) == "x")
      writeScratchFile(server.folder + "/go", [])
      let ending = try await server.ending(ofTrainingJob: "only")
      #expect(ending.contains(#""TrainingJobStatus":"Completed""#), "\(ending)")
      #expect(!ending.contains("FailureReason"))
    }
  }

  @Test("the dashboard shows the jobs and objects that there are")
  func dashboard() async throws {
    try await SageMakerServer.with(script: trainer) { server in
      #expect(try await server.ask("PUT", "/photos")?.status == 200)
      #expect(try await server.ask("PUT", "/photos/data/a.txt", body: "twelve bytes")?.status == 200)
      let made = try await server.operate("CreateTrainingJob", SageMakerServer.trainingJob("first"))
      #expect(made?.status == 200, "\(made?.text ?? "")")
      let ending = try await server.ending(ofTrainingJob: "first")
      #expect(ending.contains(#""TrainingJobStatus":"Completed""#), "\(ending)")
      _ = try await server.operate(
        "CreateModel",
        #"{"ModelName":"m","PrimaryContainer":{"Image":"i","ModelDataUrl":"s3://photos/out/m.tar.gz"}}"#)

      let jobs = try #require(try await server.ask("GET", "/"))
      #expect(jobs.status == 200 && jobs.headers["content-type"] == "text/html; charset=utf-8")
      #expect(jobs.text.contains("first") && jobs.text.contains("Completed") && jobs.text.contains("0.75"))
      let job = try await server.ask("GET", "/-/training-jobs/first")?.text ?? ""
      for part in ["Epoch[0] is done", "classification:1", "epochs", "s3://photos/data/", "model.tar.gz"] {
        #expect(job.contains(part), "\(part)")
      }
      #expect(try await server.ask("GET", "/-/training-jobs/second")?.status == 404)
      #expect(try await server.ask("GET", "/-/models")?.text.contains("s3://photos/out/m.tar.gz") == true)
      #expect(try await server.ask("GET", "/-/s3")?.text.contains("photos") == true)
      let folder = try await server.ask("GET", "/-/s3/photos")?.text ?? ""
      #expect(folder.contains("data/") && folder.contains("out/"))
      #expect(try await server.ask("GET", "/-/s3/pictures")?.status == 404)
      for page in ["/", "/-/models"] {
        #expect(try await server.ask("GET", page + "?after=0")?.status == 400)
      }
      #expect(try await server.ask("GET", "/-/object/photos?key=data/a.txt")?.text == "twelve bytes")
      #expect(try await server.ask("GET", "/-/object/photos?key=../imrec.sqlite")?.status == 404)
    }
  }

  @Test(
    "a body with invalid HTTP framing is the client's fault, for every service",
    arguments: [
      ("PUT", "/photos/key"), ("POST", "/photos?delete"), ("POST", "/-/endpoints/e/try"),
      ("POST", "/endpoints/e/invocations"),
    ])
  func badFrames(_ row: (method: String, path: String)) async throws {
    try await SageMakerServer.with { server in
      #expect(try await server.ask("PUT", "/photos")?.status == 200)
      let status = try await onThread { () -> Int? in
        let connection = HTTPConnection(port: server.port)
        let head =
          "\(row.method) \(row.path) HTTP/1.1\r\nHost: 127.0.0.1:\(server.port)\r\nSec-Fetch-Site: same-origin\r\n"
          + "Content-Type: multipart/form-data; boundary=b\r\nTransfer-Encoding: chunked\r\n\r\n"
        connection?.send(Array((head + "4\r\nbody\r\nzz\r\nhello\r\n").utf8))
        return connection?.reply()?.status
      }
      #expect((400..<500).contains(status ?? 0), "\(String(describing: status))")
      #expect(try await server.ask("GET", "/photos/key")?.status == 404)
    }
  }

  @Test("the next start removes what a killed server was downloading for an endpoint")
  func fetched() throws {
    try withScratchFolder { folder in
      for name in ["model.tar.gz", "model.tar.gz.7.partial", "model.tar.gz.7.partial.partial"] {
        writeScratchFile(folder + "/models/a/" + name, [1])
      }
      let store = try ObjectStore(root: folder + "/s3", durably: false)
      writeScratchFile(
        folder + "/models/e.json", #"[{"data":"s3://b/m.tar.gz","version":"1","folder":"a"}]"#.utf8)
      _ = FleetHost(
        makeFleet(StubLoader([:])), objects: LocalObjects(store), folder: folder + "/models")
      #expect(scratchNames(folder + "/models/a") == ["model.tar.gz"])
    }
  }

  @Test("the dashboard tells names apart that differ in their bytes alone")
  func names() async throws {
    try await SageMakerServer.with { server in
      _ = try await server.ask("PUT", "/photos")
      for key in ["%C3%A9/a", "e%CC%81/b", "x/%CC%81c"] {
        let put = try await server.ask("PUT", "/photos/\(key)", body: key)
        #expect(put?.status == 200)
      }
      for (prefix, own, other) in [
        ("%C3%A9%2F", ">a<", ">b<"), ("e%CC%81%2F", ">b<", ">a<"), ("x%2F", ">\u{301}c<", ">a<"),
      ] {
        let page = try await server.ask("GET", "/-/s3/photos?prefix=\(prefix)")?.text ?? ""
        #expect(
          page.utf8.firstRange(of: own.utf8) != nil && page.utf8.firstRange(of: other.utf8) == nil,
          "\(prefix)")
      }
      let download = try await server.ask("GET", "/-/object/photos?key=x/%CC%81c")
      #expect(download?.text == "x/%CC%81c")
      #expect(download?.headers["content-disposition"]?.hasSuffix("''%CC%81c") == true)
    }
  }

  @Test("lists of several kinds are cut into pages without a row lost or shown twice")
  func pages() async throws {
    try await SageMakerServer.with { server in
      for index in 0..<5 {
        _ = try await server.operate(
          "CreateModel",
          "{\"ModelName\":\"m\(index)\",\"PrimaryContainer\":{\"Image\":\"i\"}}")
      }
      let store = try Store(server.folder + "/root/imrec.sqlite") { 0 }
      var names: [String] = []
      var token: String?
      repeat {
        let page = try await store.newest([.model, .trainingJob], most: 2, after: token)
        names += page.rows.map(\.resource.name)
        token = page.next
      } while token != nil
      #expect(names == ["m4", "m3", "m2", "m1", "m0"])
      await #expect(throws: ControlPlaneError.self) {
        _ = try await store.newest([.model], most: 2, after: "0.x")
      }
    }
  }

  @Test("a page receives a job's log lines while it runs, and its end")
  func events() async throws {
    let script = """
      echo begun
      while [ ! -e "$FOLDER/go" ]; do sleep 0.05; done
      echo 'last line'
      """
    try await SageMakerServer.with(script: script) { server in
      _ = try await server.ask("PUT", "/photos")
      _ = try await server.ask("PUT", "/photos/data/a.txt", body: "x")
      _ = try await server.operate("CreateTrainingJob", SageMakerServer.trainingJob("live"))
      let heard = try await onThread { () -> [Bool] in
        guard let connection = server.connection("GET", "/-/training-jobs/live/events") else { return [] }
        let isHere = connection.waits(for: ": here")
        writeScratchFile(server.folder + "/go", [])
        return [
          isHere, connection.waits(for: "event: log\ndata: last line"),
          connection.waits(for: "event: changed"), connection.waits(for: "event: ended"),
        ]
      }
      #expect(heard == [true, true, true, true])
    }
  }

  @Test("/ lists buckets for a client of S3, and buckets may have the names of other parts' paths")
  func routes() async throws {
    try await SageMakerServer.with { server in
      let s3 = ["Authorization": s3Authorization]
      for bucket in ["photos", "metrics", "endpoints"] {
        #expect(try await server.ask("PUT", "/\(bucket)", s3)?.status == 200)
      }
      let buckets = try await server.ask("GET", "/", s3)?.text ?? ""
      #expect(buckets.contains("<ListAllMyBucketsResult") && buckets.contains("<Name>photos</Name>"))
      #expect(try await server.ask("GET", "/metrics", s3)?.text.contains("<ListBucketResult") == true)
      let path = "/endpoints/a/invocations"
      #expect(try await server.ask("PUT", path, s3, body: "x")?.status == 200)
      #expect(try await server.ask("GET", path, s3)?.text == "x")
      let missing = try #require(
        try await server.ask("POST", path, ["Content-Type": "image/jpeg"], body: "x"))
      #expect(missing.status == 400 && missing.headers["x-amzn-errortype"] == "ValidationError")
      #expect(try await server.ask("GET", "/ping")?.status == 200)
      #expect(try await server.ask("GET", "/healthz")?.text.contains("ok") == true)
      let metrics = try await server.ask("GET", "/metrics")?.text ?? ""
      #expect(
        metrics.contains(#"imrec_http_requests_total{part="s3",method="PUT",status="200"} 4"#), "\(metrics)")
      #expect(metrics.contains(#"part="runtime",method="POST",status="400"} 1"#), "\(metrics)")
    }
  }

  @Test("an object may be larger than a runtime request, and may take its time to arrive")
  func largeObjects() async throws {
    #expect(LocalSageMaker.limits.bodyBytesPerSecond != nil)
    try await SageMakerServer.with { server in
      _ = try await server.ask("PUT", "/photos")
      let body = [UInt8](repeating: 7, count: 7 << 20)
      let replies = try await onThread { () -> [Int?] in
        guard let connection = HTTPConnection(port: server.port) else { return [] }
        connection.send(
          Array(
            "PUT /photos/large HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: \(body.count)\r\nExpect: 100-continue\r\n\r\n"
              .utf8))
        let first = connection.reply()?.status
        connection.send(body)
        return [first, connection.reply()?.status]
      }
      #expect(replies == [100, 200])
    }
  }

  @Test("captured requests become objects of the store, and only there")
  func capture() async throws {
    try await withScratchFolder { folder in
      let store = try ObjectStore(root: folder, durably: false)
      try store.makeBucket("photos")
      let writer = CaptureWriter(objects: LocalObjects(store))
      try await writer.write(Array("{}\n".utf8), to: "s3://photos/captured/ep/a.jsonl")
      #expect(try store.info("photos", "captured/ep/a.jsonl").byteCount == 3)
      await #expect(throws: EndpointError.self) { try await writer.write([1], to: "file://\(folder)/b") }
    }
  }

  @Test("with another S3 as the store of jobs, they read and write there")
  func remoteObjects() async throws {
    try await withS3 { port, root, store in
      writeScratchFile(root + "/photos/data/a.txt", "twelve bytes".utf8)
      let remote = try RemoteObjects(endpoint: "http://127.0.0.1:\(port)", credential: nil)
      try await SageMakerServer.with(script: trainer, { $0.remoteObjects = remote }) { server in
        _ = try await server.operate("CreateTrainingJob", SageMakerServer.trainingJob("far"))
        let ending = try await server.ending(ofTrainingJob: "far")
        #expect(ending.contains(#""TrainingJobStatus":"Completed""#), "\(ending)")
        #expect(try store.info("photos", "out/far/output/model.tar.gz").byteCount > 0)
        #expect(try await server.ask("GET", "/photos")?.status == 404)
      }
    }
  }
}
