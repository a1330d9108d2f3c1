import Files
import Glibc
import Jobs
import TestSupport
import Testing

/// Collects lines, and waits until there are enough of them.
private actor Lines {
  private(set) var all: [String] = []
  private var waiting: (count: Int, resume: CheckedContinuation<Void, Never>)?

  func take(_ line: String) {
    all.append(line)
    if let waiting, all.count >= waiting.count {
      self.waiting = nil
      waiting.resume.resume()
    }
  }

  func wait(for count: Int) async {
    if all.count >= count { return }
    await withCheckedContinuation { waiting = (count, $0) }
  }
}

@Suite("Lines of a file that is written")
struct FollowLinesTests {
  private func append(_ path: String, _ text: String) {
    let descriptor = open(path, O_WRONLY | O_CREAT | O_APPEND, 0o600)
    defer { close(descriptor) }
    _ = text.withCString { write(descriptor, $0, strlen($0)) }
  }

  @Test("arrive once complete, and the last one even without a line end")
  func appended() async throws {
    try await withScratchFolder { folder in
      let (path, lines) = (folder + "/log", Lines())
      let result = try await followLines(of: path, take: { await lines.take($0) }) {
        append(path, "one\ntw")
        await lines.wait(for: 1)
        #expect(await lines.all == ["one"])
        append(path, "o\nthree\n\nfi")
        await lines.wait(for: 4)
        append(path, "ve")
        return 5
      }
      #expect(result == 5)
      #expect(await lines.all == ["one", "two", "three", "", "five"])
    }
  }

  @Test("of a file that is replaced by a longer one come once each")
  func replaced() async throws {
    try await withScratchFolder { folder in
      let (path, lines) = (folder + "/metrics.jsonl", Lines())
      try writeFile(path, "0\n1\n")
      #expect(lineCount(of: path) == 2)
      try await followLines(of: path, skipping: 1, take: { await lines.take($0) }) {
        await lines.wait(for: 1)
        try writeFile(path, "0\n1\n2\n")
        await lines.wait(for: 2)
        try writeFile(path, "0\n1\n2\n3\n4\n")
        await lines.wait(for: 4)
      }
      #expect(await lines.all == ["1", "2", "3", "4"])
    }
  }

  @Test("of a job come while it runs, and are taken though it fails")
  func ofJob() async throws {
    try await withScratchFolder { folder in
      let lines = Lines()
      let ending = try await followLines(of: folder + "/log", take: { await lines.take($0) }) {
        async let ending = run(
          shell("echo one; while [ ! -e go ]; do sleep 0.02; done; echo two; exit 4", in: folder))
        await lines.wait(for: 1)
        writeScratchFile(folder + "/go", [])
        return try await ending
      }
      #expect(ending.status == .exited(4))
      #expect(await lines.all == ["one", "two"])
    }
  }

  @Test("are cut where they never end; a path that is not a file gives none")
  func odd() async throws {
    try await withScratchFolder { folder in
      let lines = Lines()
      append(folder + "/log", String(repeating: "x", count: 200_000) + "\nnext\n")
      try await followLines(of: folder + "/log", take: { await lines.take($0) }) { await lines.wait(for: 2) }
      #expect(await lines.all.map(\.utf8.count) == [65536, 4])
      makeScratchFolders(above: folder + "/sub/x")
      try await followLines(of: folder + "/sub", take: { _ in Issue.record("a line of a folder") }) {}
      await #expect(throws: JobError.self) {
        try await followLines(of: folder + "/none/log", take: { _ in }) {}
      }
    }
  }
}
