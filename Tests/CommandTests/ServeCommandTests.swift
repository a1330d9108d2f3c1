import Glibc
import TestSupport
import Testing

@Suite("The local SageMaker as a program")
struct ServeCommandTests {
  /// Serves while `body` runs with its port, then has it end.
  private func serve(_ options: [String], environment: [String: String] = [:], _ body: (Int) -> Void)
    -> ProgramRun
  {
    withScratchFolder { folder in
      let log = folder + "/log"
      writeScratchFile(log, [])
      let run = imrec.run(
        ["serve", "--root", "root", "--port", "0"] + options, in: folder, environment: environment,
        errors: .file(log)
      ) { pid in
        var port: Int?
        for _ in 0..<3000 where port == nil {
          usleep(5000)
          port = readScratchFile(log).firstMatch(of: /http:\/\/[\w.]+:(\d+): export/).flatMap { Int($0.1) }
        }
        if let port { body(port) } else { Issue.record("it starts: \(readScratchFile(log))") }
        kill(pid, SIGTERM)
      }
      return run.with(errors: readScratchFile(log))
    }
  }

  private func list(_ port: Int) -> HTTPConnection.Reply? {
    let connection = HTTPConnection(port: port)
    connection?.send("POST", "/", ["X-Amz-Target": "SageMaker.ListModels"], body: Array("{}".utf8))
    return connection?.reply()
  }

  @Test("answers what is not signed, logs it by its operation, and ends in order on SIGTERM")
  func open() {
    let run = serve([]) { #expect(list($0)?.text == #"{"Models":[]}"#) }
    #expect(run.status == 0 && run.errors.contains(" info POST ListModels 200 "), "\(run)")
  }

  @Test("says who has the folder, and takes it over from a server that was killed")
  func folders() {
    withScratchFolder { folder in
      func start(_ log: String, _ body: (pid_t) -> Void) -> ProgramRun {
        writeScratchFile(log, [])
        let run = imrec.run(
          ["serve", "--root", "root", "--port", "0", "--quiet"], in: folder, errors: .file(log)
        ) { pid in
          for _ in 0..<3000 where !readScratchFile(log).contains("export") { usleep(5000) }
          #expect(readScratchFile(log).contains("export"), "it starts")
          body(pid)
        }
        return run.with(errors: readScratchFile(log))
      }
      let killed = start(folder + "/first") { pid in
        let second = imrec.run(["serve", "--root", "root", "--port", "0"], in: folder)
        #expect(second.status == 1 && second.output.isEmpty, "\(second)")
        #expect(
          second.errors.contains("it is in use by process \(pid), since ")
            && second.errors.contains("--root"),
          "\(second)")
        kill(pid, SIGKILL)
      }
      #expect(killed.signal == SIGKILL)
      #expect(start(folder + "/third") { kill($0, SIGTERM) }.status == 0)
    }
  }

  @Test(
    "says which limit of the system is too low for it, and does not begin",
    arguments: [
      ("--as=500000000", "ulimit -v"), ("--nofile=20", "ulimit -n"), ("--nofile=16", "ulimit -n"),
    ])
  func limits(_ limit: String, _ words: String) {
    guard Program.isInstalled("prlimit") else {
      print("not tried: there is no prlimit")
      return
    }
    withScratchFolder { folder in
      let run = imrec.run(
        ["serve", "--root", "root", "--port", "0"], in: folder, environment: ["OPENBLAS_NUM_THREADS": "1"],
        wrapper: ["prlimit", limit])
      #expect(run.status == 1 && run.errors.contains(words), "\(run)")
      #expect(run.errors.split(separator: "\n").count <= 2, "\(run)")
    }
  }

  @Test("refuses what is not signed when told to, with the key of the options or of the environment")
  func guarded() {
    let key = ["AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": "secret"]
    for (options, environment) in [
      (["--access-key", "AKID", "--secret-key", "secret"], [:]), ([], key),
    ] as [([String], [String: String])] {
      let run = serve(["--require-signature"] + options, environment: environment) { port in
        #expect(list(port)?.status == 403)
      }
      #expect(run.status == 0, "\(run)")
    }
  }

  @Test(
    "reports wrong usage with status 64",
    arguments: [
      (["--require-signature"], "AWS_SECRET_ACCESS_KEY"),
      (["--require-signature", "--access-key", "AKID"], "--secret-key"),
      (["--s3-endpoint", "ftp://host"], "--s3-endpoint"), (["--account", "1"], "12 digits"),
      (["--allow-host", "http://trainer.lan"], "without http://"),
      (["--allow-host", "trainer.lan:80"], "without http:// or a port"),
      (["--allow-origin", "trainer.lan"], "--allow-origin"),
      (["--allow-origin", "http://trainer.lan/"], "without a path"),
      (["--connections", "0"], "--connections"),
    ])
  func usage(_ options: [String], _ words: String) {
    let run = imrec.run(["serve", "--root", "/nowhere/root"] + options, in: "/")
    #expect(run.status == 64 && run.output.isEmpty && run.errors.contains(words), "\(run)")
  }
}
