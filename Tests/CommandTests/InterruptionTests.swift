import Glibc
import TestSupport
import Testing

private let converting = ["convert", "photos", "c", "--per-class", "20", "--resize", "200", "--jobs", "2"]
private let finalNames = [
  "c-20-train.idx", "c-20-train.lst", "c-20-train.rec", "c-20-val.idx", "c-20-val.lst", "c-20-val.rec",
  "c-classes.txt", "c-report.json",
]

@Suite("An interrupted conversion")
struct InterruptionTests {
  /// Runs `body` with a folder of photographs, the outputs of an undisturbed run, and its duration in microseconds.
  private func withReference(_ body: (String, [String: [UInt8]], UInt32) throws -> Void) throws {
    try withScratchFolder { folder in
      try writeClasses(folder + "/photos", classes: 2, each: 60)
      let start = ContinuousClock.now
      let run = imrec.run(converting + ["--quiet"], in: folder)
      let microseconds = (ContinuousClock.now - start) / .microseconds(1)
      #expect(run.status == 0, "\(run)")
      let whole = finalFiles(folder)
      #expect(whole.keys.sorted() == finalNames)
      try body(folder, whole, UInt32(min(max(microseconds, 1000), 5_000_000)))
    }
  }

  private func clear(_ folder: String) {
    for name in scratchNames(folder) where name.hasPrefix("c-") { unlink("\(folder)/\(name)") }
  }

  @Test(
    "by kill -9 at random moments leaves no partial file, and resumes to the bytes of an uninterrupted run")
  func killing() throws {
    try withReference { folder, whole, microseconds in
      var generator = SplitMix64(seed: 9)
      for _ in 0..<8 {
        clear(folder)
        for _ in 0..<2 {
          let run = imrec.run(converting + ["--quiet", "--resume"], in: folder) { pid in
            usleep(UInt32.random(in: 5_000...max(6_000, microseconds), using: &generator))
            kill(pid, SIGKILL)
          }
          #expect(run.signal == SIGKILL || run.status == 0, "\(run)")
          for (name, bytes) in finalFiles(folder) { #expect(whole[name] == bytes, "\(name) is partial") }
        }
        let last = imrec.run(converting + ["--quiet", "--resume"], in: folder)
        #expect(last.status == 0 && finalFiles(folder) == whole, "\(last)")
        #expect(!scratchNames(folder).contains { $0.hasSuffix(".partial") })
      }
    }
  }

  @Test(
    "by a signal says so, has status 1, leaves nothing under a final name, and goes on",
    arguments: [SIGINT, SIGTERM])
  func signals(_ signal: Int32) throws {
    try withReference { folder, whole, _ in
      clear(folder)
      let run = imrec.run(converting, in: folder) { pid in
        wait(for: folder + "/c-20-train.rec.partial")
        kill(pid, signal)
      }
      let name = signal == SIGINT ? "SIGINT (Ctrl-C)" : "SIGTERM"
      #expect(
        run.status == 1 && run.errors.contains("imrec: stopped by \(name); no incomplete file"), "\(run)")
      #expect(run.errors.contains("verbs that have --resume continue from there"), "\(run)")
      #expect(finalFiles(folder).isEmpty)
      let last = imrec.run(converting + ["--quiet", "--resume"], in: folder)
      #expect(last.status == 0 && finalFiles(folder) == whole, "\(last)")
    }
  }

  @Test("by two signals ends at once")
  func twoSignals() throws {
    try withReference { folder, _, _ in
      clear(folder)
      let run = imrec.run(converting, in: folder, seconds: 10) { pid in
        wait(for: folder + "/c-20-train.rec.partial")
        for _ in 0..<50 {
          kill(pid, SIGINT)
          usleep(1000)
        }
      }
      #expect(run.status == 1 || run.signal == SIGINT, "\(run)")
      #expect(finalFiles(folder).isEmpty)
    }
  }

  @Test("that was killed is begun anew by a run without --resume, or with other options")
  func otherOptions() throws {
    try withReference { folder, whole, microseconds in
      for options in [[], ["--resume", "--quality", "50"]] {
        clear(folder)
        _ = imrec.run(converting + ["--quiet"], in: folder) { pid in
          usleep(microseconds / 2)
          kill(pid, SIGKILL)
        }
        let other = imrec.run(converting + options + ["--quiet"], in: folder)
        #expect(other.status == 0 && (finalFiles(folder) == whole) == options.isEmpty, "\(other)")
      }
    }
  }

  @Test("whose partial file was damaged is not believed")
  func damagedPartial() throws {
    try withReference { folder, whole, microseconds in
      clear(folder)
      _ = imrec.run(converting + ["--quiet"], in: folder) { pid in
        usleep(microseconds * 2 / 3)
        kill(pid, SIGKILL)
      }
      for name in scratchNames(folder) where name.hasSuffix(".rec.partial") {
        guard var bytes = readScratchBytes("\(folder)/\(name)"), bytes.count > 10 else { continue }
        bytes[bytes.count / 2] ^= 1
        writeScratchFile("\(folder)/\(name)", bytes)
      }
      let last = imrec.run(converting + ["--quiet", "--resume"], in: folder)
      #expect(last.status == 0 && finalFiles(folder) == whole, "\(last)")
    }
  }

  @Test("is not disturbed by a second one with the same output, which is refused")
  func twoAtOnce() throws {
    try withReference { folder, whole, _ in
      clear(folder)
      var second: ProgramRun?
      let first = imrec.run(converting + ["--quiet"], in: folder) { pid in
        wait(for: folder + "/c-20-train.rec.partial")
        kill(pid, SIGSTOP)
        second = imrec.run(converting, in: folder)
        kill(pid, SIGCONT)
      }
      #expect(second?.status == 1, "\(String(describing: second))")
      #expect(second?.errors.contains("imrec: c: it is in use by process ") == true)
      #expect(first.status == 0 && finalFiles(folder) == whole, "\(first)")
    }
  }

  private func wait(for path: String) {
    for _ in 0..<5000 where access(path, F_OK) != 0 { usleep(1000) }
  }
}
