import Glibc
import Jobs
import TestSupport
import Testing

/// A shell command whose log is `log` in the folder.
func shell(_ words: String, in folder: String, _ more: [String] = []) -> Command {
  var command = Command("/bin/sh", ["-c", words, "sh"] + more, folder: folder, logPath: folder + "/log")
  command.environment = ["PATH": "/usr/bin:/bin"]
  return command
}

/// Waits until a condition holds, a minute at most, without blocking the thread.
func eventually(_ holds: () -> Bool) async -> Bool {
  for _ in 0..<6000 {
    if holds() { return true }
    try? await Task.sleep(for: .milliseconds(10))
  }
  return false
}

/// The same, blocking a thread of its own.
func waitUntil(_ holds: () -> Bool) -> Bool {
  for _ in 0..<6000 {
    if holds() { return true }
    usleep(10_000)
  }
  return false
}

/// Whether a process exists and is not a zombie.
func isAlive(_ pid: Int32) -> Bool {
  let stat = readScratchFile("/proc/\(pid)/stat")
  let state = stat.split(separator: ")").last?.split(separator: " ").first
  return state != nil && state != "Z" && state != "X"
}

@Suite("A job")
struct ChildTests {
  @Test("has the arguments, variables, folder and streams that it was given, and nothing else")
  func setting() async throws {
    try await withScratchFolder { folder in
      writeScratchFile(folder + "/log", "before\n".utf8)
      // A descriptor without close-on-exec, as a library may leave it.
      let stray = open("/dev/null", O_RDONLY)
      defer { close(stray) }
      var command = shell(
        #"pwd; echo "$1|$2|$NAME|$HOME"; cat; ls /proc/self/fd | tr '\n' ' '; echo oops >&2"#, in: folder,
        ["a b", "'\"$("])
      command.environment["NAME"] = "ä=1"
      let ending = try await run(command)
      #expect(ending.isSuccess && ending.cause == .itself && ending.peakByteCount > 0)
      #expect(readScratchFile(folder + "/log") == "before\n\(folder)\na b|'\"$(|ä=1|\n0 1 2 3 oops\n")
    }
  }

  @Test(
    "that fails says its status, or the signal that ended it",
    arguments: [("exit 7", 7, 0), ("kill -11 $$", 0, 11)])
  func failure(_ row: (words: String, status: Int32, signal: Int32)) async throws {
    try await withScratchFolder { folder in
      let ending = try await run(shell(row.words, in: folder))
      #expect(ending.status == (row.signal == 0 ? .exited(row.status) : .signalled(row.signal)))
      #expect(!ending.isSuccess && ending.sentence.contains(row.signal == 0 ? "status 7" : "signal 11 (Segm"))
    }
  }

  @Test("receives signals that this process ignores")
  func signals() async throws {
    try await withScratchFolder { folder in
      let before = signal(SIGTERM, SIG_IGN)
      defer { _ = signal(SIGTERM, before) }
      let ending = try await run(shell("kill -TERM $$; echo alive", in: folder))
      #expect(ending.status == .signalled(SIGTERM) && readScratchFile(folder + "/log").isEmpty)
    }
  }

  @Test("that cannot start says which part is at fault")
  func cannotStart() async throws {
    await withScratchFolder { folder in
      let command = Command("/no/such/program", [], folder: folder, logPath: folder + "/log")
      await #expect(
        throws: JobError(.system(what: "the program cannot be run", code: ENOENT), path: command.program)
      ) {
        try await run(command)
      }
      var other = shell("true", in: folder)
      other.folder = folder + "/none"
      await #expect(throws: JobError.self) { try await run(other) }
      other = shell("true", in: folder)
      other.logPath = folder + "/none/log"
      await #expect(
        throws: JobError(.system(what: "the log cannot be opened", code: ENOENT), path: other.logPath)
      ) {
        try await run(other)
      }
      await #expect(throws: JobError(.zeroByte(in: "a\0b"), path: "/bin/sh")) {
        try await run(shell("true", in: folder, ["a\0b"]))
      }
    }
  }

  @Test("shuts down in its own way when asked to stop")
  func stop() async throws {
    try await withScratchFolder { folder in
      let command = shell("trap 'echo bye; exit 3' TERM; echo up; while :; do sleep 0.05; done", in: folder)
      let ending = try await run(command) { child in
        Thread.start {
          _ = waitUntil { readScratchFile(folder + "/log") == "up\n" }
          child.stop()
          child.stop()
        }
      }
      #expect(ending.status == .exited(3) && ending.cause == .stopped && !ending.wasKilled)
      // The shell may say between them that its sleep was ended, too.
      let log = readScratchFile(folder + "/log")
      #expect(log.hasPrefix("up\n") && log.hasSuffix("bye\n"))
    }
  }

  @Test("that does not stop is killed after its grace period, with all its processes")
  func grace() async throws {
    try await withScratchFolder { folder in
      var command = shell("trap '' TERM; sleep 600 & echo $!; sleep 600", in: folder)
      command.gracePeriod = .milliseconds(200)
      let ending = try await run(command) { child in
        Thread.start {
          _ = waitUntil { readScratchFile(folder + "/log").hasSuffix("\n") }
          child.stop()
        }
      }
      #expect(ending.status == .signalled(SIGKILL) && ending.wasKilled && !ending.isOutOfMemory)
      let other = try #require(Int32(readScratchFile(folder + "/log").dropLast()))
      #expect(await eventually { !isAlive(other) })
    }
  }

  @Test("that ends leaves no process behind")
  func leftovers() async throws {
    try await withScratchFolder { folder in
      _ = try await run(shell("sleep 600 & echo $!", in: folder))
      let other = try #require(Int32(readScratchFile(folder + "/log").dropLast()))
      #expect(await eventually { !isAlive(other) })
    }
  }

  @Test("whose time is over is asked to end")
  func timeLimit() async throws {
    try await withScratchFolder { folder in
      var command = shell("sleep 600", in: folder)
      command.timeLimit = .milliseconds(300)
      let ending = try await run(command)
      #expect(ending.cause == .timeLimit && ending.status == .signalled(SIGTERM))
      #expect(ending.duration >= .milliseconds(300) && ending.sentence.contains("its time limit was reached"))
    }
  }

  @Test("ends with the task that runs it, also before it has begun")
  func cancelled() async throws {
    try await withScratchFolder { folder in
      let task = Task { try await run(shell("echo up; sleep 600", in: folder)) }
      _ = await eventually { readScratchFile(folder + "/log") == "up\n" }
      task.cancel()
      let ended = try await task.value
      #expect(ended.cause == .stopped)
      let late = Task {
        withUnsafeCurrentTask { $0?.cancel() }
        return try await run(shell("echo late", in: folder))
      }
      await #expect(throws: CancellationError.self) { try await late.value }
      #expect(readScratchFile(folder + "/log") == "up\n")
    }
  }

  @Test("gets no more memory than its limit")
  func memory() async throws {
    try await withScratchFolder { folder in
      var command = shell(
        "x=0123456789; for i in 1 2 3 4 5 6 7 8; do x=$x$x$x$x$x$x$x$x$x$x; done; echo ${#x}", in: folder)
      command.memoryLimit = 40 << 20
      let ending = try await run(command)
      #expect(!ending.isSuccess)
    }
  }

  @Test("many at once all end, each with its own status code")
  func many() async throws {
    try await withScratchFolder { folder in
      let statuses = try await withThrowingTaskGroup(of: (Int32, Ending.Status).self) { group in
        for number in Int32(0)..<24 {
          group.addTask { (number, try await run(shell("exit \(number)", in: folder)).status) }
        }
        return try await group.reduce(into: [Int32: Ending.Status]()) { $0[$1.0] = $1.1 }
      }
      for number in Int32(0)..<24 { #expect(statuses[number] == .exited(number)) }
    }
  }
}

/// A thread for blocking work: Swift's tasks have few.
enum Thread {
  static func start(_ body: @escaping @Sendable () -> Void) {
    final class Box: Sendable {
      let body: @Sendable () -> Void
      init(_ body: @escaping @Sendable () -> Void) { self.body = body }
    }
    var thread = pthread_t()
    let box = Unmanaged.passRetained(Box(body)).toOpaque()
    pthread_create(
      &thread, nil,
      { argument in
        if let argument { Unmanaged<Box>.fromOpaque(argument).takeRetainedValue().body() }
        return nil
      }, box)
    pthread_detach(thread)
  }
}
