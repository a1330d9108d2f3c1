import Dispatch
import Glibc
import Synchronization
import TestSupport
import Testing

@Suite("A hosted model as a program")
struct HostCommandTests {
  private let headers = ["Content-Type": "image/jpeg"]

  /// Hosts a small model while `body` runs with its port and process, then has it end.
  private func host(
    _ options: [String] = [], environment: [String: String] = [:], _ body: (Int) -> Void
  )
    throws -> ProgramRun
  {
    try withScratchFolder { folder in
      try writeSmallModel(folder + "/ml/model")
      let log = folder + "/log"
      writeScratchFile(log, [])
      let arguments = options.isEmpty ? ["host", "ml/model", "--port", "0"] : ["host"] + options
      let run = imrec.run(arguments, in: folder, environment: environment, errors: .file(log)) { pid in
        var port: Int?
        for _ in 0..<3000 where port == nil {
          usleep(5000)
          port = readScratchFile(log).firstMatch(of: /:(\d+): ready/).flatMap { Int($0.1) }
        }
        if let port { body(port) } else { Issue.record("it starts: \(readScratchFile(log))") }
        kill(pid, SIGTERM)
      }
      return run.with(errors: readScratchFile(log))
    }
  }

  @Test("answers, logs a line for each request, and ends in order on SIGTERM with status 0")
  func ending() throws {
    let file = try jpeg()
    let run = try host { port in
      let connection = HTTPConnection(port: port)
      connection?.send("GET", "/ping")
      #expect(connection?.reply()?.status == 200)
      connection?.send("POST", "/invocations", headers, body: file)
      #expect(connection?.reply()?.text.split(separator: ",").count == 5)
    }
    #expect(run.status == 0 && run.output.isEmpty, "\(run)")
    #expect(
      run.errors.contains(" info POST /invocations 200 ") && run.errors.contains("ended: 1 images"), "\(run)")
  }

  @Test("a picture of more than 25 million pixels is refused unread, unless more are allowed")
  func largePictures() throws {
    for (options, words) in [
      ([], "6000x5000 pixels, more than the 25000000"), (["--max-pixels", "30000000"], "cut short"),
    ] as [([String], String)] {
      _ = try host(["ml/model", "--port", "0"] + options) { port in
        let connection = HTTPConnection(port: port)
        connection?.send("POST", "/invocations", headers, body: hugePicture)
        let reply = connection?.reply()
        #expect(reply?.status == 400 && reply?.text.contains(words) == true, "\(String(describing: reply))")
      }
    }
  }

  @Test("asked to end under load answers every request that it took, whenever that is")
  func draining() throws {
    let file = try jpeg()
    for delay in [20_000, 100_000, 250_000] as [UInt32] {
      let answered = Atomic(0)
      let lost = Atomic(0)
      let clients = DispatchGroup()
      let run = try host { port in
        for _ in 0..<8 {
          DispatchQueue(label: "client").async(group: clients) {
            guard let connection = HTTPConnection(port: port) else { return }
            // A connection that comes too late is refused by the system: only one that was answered counts.
            connection.send("GET", "/ping")
            var goesOn = connection.reply().map { $0.headers["connection"] != "close" } ?? false
            while goesOn {
              guard connection.send("POST", "/invocations", headers, body: file),
                let reply = connection.reply(), reply.status == 200
              else {
                lost.add(1, ordering: .relaxed)
                return
              }
              answered.add(1, ordering: .relaxed)
              goesOn = reply.headers["connection"] != "close"
            }
          }
        }
        usleep(delay)
      }
      clients.wait()
      #expect(run.status == 0 && lost.load(ordering: .relaxed) == 0, "\(run)")
      #expect(run.errors.contains("ended: \(answered.load(ordering: .relaxed)) images"), "\(run)")
    }
  }

  @Test("ends in order also while new connections keep coming")
  func connecting() throws {
    for _ in 0..<5 {
      let clients = DispatchGroup()
      let run = try host { port in
        for _ in 0..<4 {
          DispatchQueue(label: "client").async(group: clients) {
            while let connection = HTTPConnection(port: port) {
              connection.send("GET", "/ping")
              _ = connection.reply()
            }
          }
        }
        usleep(50_000)
      }
      clients.wait()
      #expect(run.status == 0, "\(run)")
    }
  }

  @Test(
    "is SageMaker's container with --opt-ml: the model's place, the port and the limits of the environment")
  func container() throws {
    let run = try host(
      ["--opt-ml", "ml", "--port", "0"], environment: ["SAGEMAKER_MAX_PAYLOAD_IN_MB": "1"]
    ) { port in
      let connection = HTTPConnection(port: port)
      connection?.send("GET", "/execution-parameters")
      #expect(connection?.reply()?.text.contains("\"MaxPayloadInMB\": 1}") == true)
    }
    #expect(run.status == 0 && run.errors.contains("0.0.0.0"), "\(run)")
  }

  @Test("says what keeps it from starting")
  func failures() throws {
    try withScratchFolder { folder in
      try writeSmallModel(folder + "/model")
      let wrong = imrec.run(["host", "--opt-ml", "none"], in: folder)
      #expect(wrong.status == 1 && wrong.errors.contains("none/model"), "\(wrong)")
      let variable = imrec.run(
        ["host", "--opt-ml", "."], in: folder, environment: ["SAGEMAKER_BIND_TO_PORT": "http"])
      #expect(variable.status == 1 && variable.errors.contains("SAGEMAKER_BIND_TO_PORT"), "\(variable)")
    }
    let taken = try host { port in
      withScratchFolder { folder in
        try? writeSmallModel(folder + "/model")
        let second = imrec.run(["host", "model", "--port", "\(port)"], in: folder)
        #expect(second.status == 1 && second.errors.contains("another program is using"), "\(second)")
      }
    }
    #expect(taken.status == 0)
  }
}

/// The beginning of a grey PNG of 6000 x 5000 pixels.
private let hugePicture: [UInt8] = [
  0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A, 0x00, 0x00, 0x00, 0x0D, 0x49, 0x48, 0x44, 0x52,
  0x00, 0x00, 0x17, 0x70, 0x00, 0x00, 0x13, 0x88, 0x08, 0x00, 0x00, 0x00, 0x00, 0xCB, 0xB1, 0x67,
  0xF8, 0x00, 0x00, 0x00, 0x0C, 0x49, 0x44, 0x41, 0x54, 0x78, 0x9C, 0x63, 0x60, 0xA0, 0x3D, 0x00,
  0x00, 0x00, 0x64, 0x00, 0x01, 0x86, 0x64, 0x3C, 0x35,
]
