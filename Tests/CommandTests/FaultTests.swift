import Glibc
import TestSupport
import Testing

@Suite("A fault of the machine")
struct FaultTests {
  private static let hasStrace = Program.isInstalled("strace")

  /// One fault: the system call that fails or kills, what happens, and at which call on an output.
  struct Fault: Sendable, CustomTestStringConvertible {
    let call: String
    let effect: String
    let places: ClosedRange<Int>
    var testDescription: String { "\(call) \(effect)" }
  }
  private static let faults = [
    Fault(call: "pwrite64", effect: "error=ENOSPC", places: 1...4),
    Fault(call: "pwrite64", effect: "error=EIO", places: 1...2),
    Fault(call: "fsync", effect: "error=EIO", places: 1...5),
    Fault(call: "rename", effect: "error=EIO", places: 1...8),
    Fault(call: "rename", effect: "signal=SIGKILL", places: 1...8),
    Fault(call: "fsync", effect: "signal=SIGKILL", places: 1...5),
    Fault(call: "openat", effect: "error=EMFILE", places: 1...4),
    Fault(call: "flock", effect: "error=ENOLCK", places: 1...2),
  ]

  @Test(
    "leaves each file as it was or whole, is reported, and is made good by a run with --resume",
    .enabled(if: hasStrace, "strace injects the faults; it is not installed"), arguments: faults)
  func injected(_ fault: Fault) throws {
    try withScratchFolder { folder in
      try writeClasses(folder + "/photos", classes: 2, each: 4)
      let converting = ["convert", "photos", folder + "/out/c", "--per-class", "2", "--quiet"]
      mkdir(folder + "/out", 0o700)
      #expect(imrec.run(converting, in: folder).status == 0)
      let whole = finalFiles(folder + "/out")
      let filters = whole.keys.sorted().flatMap { name in
        ["", ".partial", ".journal.partial"].flatMap { ["-P", "\(folder)/out/\(name)\($0)"] }
      }
      var reached = 0
      for place in fault.places {
        for name in scratchNames(folder + "/out") { unlink("\(folder)/out/\(name)") }
        for name in whole.keys { writeScratchFile("\(folder)/out/\(name)", Array("former\n".utf8)) }
        let run = imrec.run(
          converting, in: folder,
          wrapper: ["strace", "-f", "-qq", "-o", "trace"] + filters
            + ["-e", "trace=\(fault.call)", "-e", "inject=\(fault.call):\(fault.effect):when=\(place)"])
        let trace = readScratchFile(folder + "/trace")
        let hasHappened = trace.contains("(INJECTED)") || trace.contains("killed by SIGKILL")
        reached += hasHappened ? 1 : 0
        for (name, bytes) in finalFiles(folder + "/out") {
          #expect(
            bytes == whole[name] || bytes == Array("former\n".utf8), "\(name) is partial after \(place)")
        }
        // Where there are no locks, a file is one.
        if hasHappened && fault.call == "flock" {
          #expect(run.status == 0 && finalFiles(folder + "/out") == whole, "\(place): \(run)")
        } else if hasHappened && fault.effect.hasPrefix("error") {
          #expect(
            run.status == 1 && run.errors.contains("imrec: ") && run.output.isEmpty, "\(place): \(run)")
        }
        let last = imrec.run(converting + ["--resume"], in: folder)
        #expect(last.status == 0 && finalFiles(folder + "/out") == whole, "\(place): \(last)")
      }
      #expect(reached > 0, "the fault never happened")
    }
  }

  @Test(
    "of the disk that the images are on ends the run, blames no image and leaves the former files",
    .enabled(if: hasStrace, "strace injects the faults; it is not installed"),
    arguments: ["openat:error=EIO", "pread64:error=EIO", "openat:error=ESTALE", "openat:error=ENOTCONN"])
  func readErrors(_ fault: String) throws {
    try withRecords(each: 10) { folder in
      let images = scratchNames(folder + "/photos/b").flatMap { ["-P", "photos/b/\($0)"] }
      let former = Array("former\n".utf8)
      for name in ["p.rec", "p.idx", "c-4-val.rec"] { writeScratchFile(folder + "/" + name, former) }
      for verb in [
        ["pack", "in.lst", "photos", "-o", "p.rec"], ["convert", "photos", "c", "--per-class", "4"],
      ] {
        let call = fault.split(separator: ":")[0]
        let run = imrec.run(
          verb + ["--quiet"], in: folder,
          wrapper: ["strace", "-f", "-qq", "-o", "trace"] + images
            + ["-e", "trace=\(call)", "-e", "inject=\(fault)"])
        #expect(readScratchFile(folder + "/trace").contains("(INJECTED)"))
        #expect(run.status == 1 && run.output.isEmpty && !run.errors.contains("skipped:"), "\(run)")
        #expect(run.errors.contains("Nothing was replaced."), "\(run)")
      }
      let files = finalFiles(folder)
      #expect(files["p.rec"] == former && files["p.idx"] == former && files["c-4-val.rec"] == former)
    }
  }

  @Test("such as a folder that cannot be read ends a listing", .enabled(if: hasStrace, "needs strace"))
  func unreadableFolder() throws {
    try withRecords { folder in
      for (fault, words) in [("EIO", "the disk or its connection failed"), ("ESTALE", "the file server")] {
        let run = imrec.run(
          ["list", "photos", "l", "--quiet"], in: folder,
          wrapper: [
            "strace", "-f", "-qq", "-o", "trace", "-P", "photos/b", "-e", "trace=openat", "-e",
            "inject=openat:error=\(fault)",
          ])
        #expect(readScratchFile(folder + "/trace").contains("(INJECTED)"))
        #expect(run.status == 1 && run.errors.contains(words) && finalFiles(folder)["l.lst"] == nil, "\(run)")
      }
    }
  }

  @Test(
    "such as a limit of file sizes ends the run with a sentence",
    .enabled(if: Program.isInstalled("prlimit"), "needs prlimit (Debian: util-linux)"),
    arguments: [600, 3000, 20_000])
  func fileSizeLimit(_ limit: Int) throws {
    try withRecords(classes: 2, each: 20) { folder in
      for line in [
        "pack in.lst photos -o p.rec", "merge p.rec in.rec", "tensors in.rec -o p.npy --shape 3,32,32",
      ] {
        let run = imrec.run(
          line.split(separator: " ").map(String.init) + ["--quiet"], in: folder,
          wrapper: ["prlimit", "--fsize=\(limit)"])
        #expect(run.status == 1 && run.errors.contains("larger than is allowed (ulimit -f)"), "\(run)")
        #expect(!finalFiles(folder).keys.contains { $0.hasPrefix("p") && $0 != "photos" })
      }
      #expect(imrec.run(["pack", "in.lst", "photos", "-o", "p.rec", "--resume"], in: folder).status == 0)
      #expect(finalFiles(folder)["p.rec"] == finalFiles(folder)["in.rec"])
    }
  }

  @Test(
    "such as too few open files ends the run with a sentence, and blames no image",
    .enabled(if: Program.isInstalled("prlimit"), "needs prlimit (Debian: util-linux)"),
    arguments: [12, 16, 18, 20])
  func openFileLimit(_ limit: Int) throws {
    try withRecords { folder in
      let run = imrec.run(
        ["pack", "in.lst", "photos", "-o", "p.rec"], in: folder,
        wrapper: ["prlimit", "--nofile=\(limit):\(limit)"])
      #expect(run.status == 0 || run.status == 1 || run.errors.contains("shared libraries"), "\(run)")
      #expect(!run.errors.contains("skipped: "), "\(run)")
      if run.status == 1 { #expect(run.errors.contains("ulimit -n"), "\(run)") }
      if let packed = finalFiles(folder)["p.rec"] { #expect(packed == finalFiles(folder)["in.rec"]) }
    }
  }

  @Test("such as closed standard streams never gets words into an output")
  func closedStreams() throws {
    try withRecords(each: 20) { folder in
      let whole = finalFiles(folder)["in.rec"]
      typealias Streams = (
        input: Program.Stream, output: Program.Stream, errors: Program.Stream, status: Int32
      )
      let cases: [Streams] = [
        (.closed, .standard, .standard, 0), (.standard, .standard, .closed, 0),
        (.closed, .standard, .closed, 0),
        (.standard, .closed, .standard, 1), (.closed, .closed, .closed, 1),
        (.standard, .file("/dev/full"), .standard, 1), (.standard, .standard, .file("/dev/full"), 0),
      ]
      for (number, streams) in cases.enumerated() {
        let run = imrec.run(
          ["convert", "photos", "c\(number)", "--train-ratio", "1"], in: folder, input: streams.input,
          output: streams.output, errors: streams.errors)
        let files = finalFiles(folder).filter { $0.key.hasPrefix("c\(number)-") }
        #expect(files.count == 5, "\(number): \(files.keys.sorted())")
        #expect(files["c\(number)-classes.txt"] == Array("a\nb\n".utf8))
        let verified = imrec.run(["verify", "c\(number)-train.rec"], in: folder)
        #expect(verified.status == 0 && files["c\(number)-train.rec"]?.count == whole?.count, "\(verified)")
        if case .closed = streams.output { continue }
        #expect(run.status == streams.status, "\(number): \(run)")
      }
    }
  }

  @Test(
    "never makes an output replace an input or another output",
    arguments: [
      "pack in.lst photos -o in.lst", "pack in.lst photos -o ./in.lst", "pack in.lst photos -o x.idx",
      "tensors in.rec -o ./in.rec", "tensors in.rec -o link.rec", "verify in.rec --salvage ./in.rec",
      "verify in.rec --salvage in.idx", "merge ./in.rec in.rec", "merge in.idx in.rec",
      "merge link.rec in.rec",
    ])
  func replacedInput(_ line: String) throws {
    try withRecords { folder in
      symlink("in.rec", folder + "/link.rec")
      let before = finalFiles(folder)
      let run = imrec.run(line.split(separator: " ").map(String.init), in: folder)
      #expect(run.status == 1 && run.errors.contains("choose another"), "\(run)")
      #expect(finalFiles(folder) == before)
    }
  }

  @Test(
    "such as an output that cannot be there is named, with what to do",
    arguments: [
      ("none/p.rec", "there is no folder none to write it in"), ("photos", "this is a folder, not a file"),
      ("/dev/null", "this is a device, not a file"), ("in.lst/p.rec", "a part of this path is a file"),
      (String(repeating: "n", count: 252) + ".rec", "longer than the system allows"),
    ])
  func impossibleOutput(_ path: String, _ words: String) throws {
    try withRecords { folder in
      for line in [["pack", "in.lst", "photos", "-o", path], ["merge", path, "in.rec"]] {
        let run = imrec.run(line, in: folder)
        #expect(run.status == 1 && run.errors.contains(words), "\(run)")
        #expect(!scratchNames(folder).contains { $0.hasPrefix("p.") || $0.hasPrefix("n") })
      }
    }
  }
}
