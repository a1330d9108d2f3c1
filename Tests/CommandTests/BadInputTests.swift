import Glibc
import TestSupport
import Testing

/// No bad input may take more memory than this, whatever it claims to be.
private let gigabyte = ["prlimit", "--as=1073741824"]

@Suite("A bad input")
struct BadInputTests {
  @Test("is skipped with its reason, or stops a strict run; the others are packed", arguments: [false, true])
  func files(passesThrough: Bool) throws {
    let hostile = try HostileFile.all()
    try withScratchFolder { folder in
      for file in hostile { writeScratchFile("\(folder)/photos/a/\(file.name)", file.bytes) }
      for number in 0..<3 {
        writeScratchFile("\(folder)/photos/b/good-\(number).jpg", try jpeg(seed: number))
      }
      #expect(imrec.run(["list", "photos", "l"], in: folder).status == 0)
      let options = passesThrough ? ["--pass-through"] : ["--resize", "16"]
      let run = imrec.run(["pack", "l.lst", "photos"] + options, in: folder, wrapper: gigabyte)
      #expect(run.status == 2 && run.output.hasPrefix("l.rec: 3 records, "), "\(run)")
      for file in hostile {
        let line = run.errors.split(separator: "\n").first { $0.hasPrefix("skipped: a/\(file.name): ") }
        #expect(line?.contains(file.sentence) == true, "\(file.name): \(line ?? "not skipped")")
      }
      #expect(run.errors.split(separator: "\n").filter { $0.hasPrefix("skipped: ") }.count == hostile.count)
      let strict = imrec.run(
        ["pack", "l.lst", "photos", "-o", "s.rec", "--strict"] + options, in: folder, wrapper: gigabyte)
      #expect(strict.status == 1 && strict.errors.contains("imrec: a/"), "\(strict)")
      #expect(finalFiles(folder)["s.rec"] == nil && finalFiles(folder)["s.idx"] == nil)
    }
  }

  @Test("alone makes no record", arguments: try HostileFile.all())
  func alone(_ file: HostileFile) {
    withScratchFolder { folder in
      writeScratchFile("\(folder)/photos/a/\(file.name)", file.bytes)
      let run = imrec.run(
        ["convert", "photos", "c", "--train-ratio", "1", "--quiet"], in: folder, wrapper: gigabyte,
        seconds: 20)
      #expect(run.status == 1 && run.output.isEmpty, "\(run)")
      #expect(run.errors.contains("\(file.name): ") && run.errors.contains(file.sentence), "\(run)")
      #expect(scratchNames(folder).filter { !$0.hasSuffix(".partial") } == ["photos"])
    }
  }

  @Test("that is truncated or damaged is packed with --keep-damaged; a file that is not an image is not")
  func keepingDamaged() throws {
    try withScratchFolder { folder in
      writeScratchFile("\(folder)/photos/a/cut.jpg", try jpeg(64, 48).prefix(900))
      writeScratchFile("\(folder)/photos/a/page.jpg", Array("<html>".utf8))
      for options in [["--keep-damaged"], ["--keep-damaged", "--pass-through"]] {
        #expect(imrec.run(["list", "photos", "l"], in: folder).status == 0)
        let run = imrec.run(["pack", "l.lst", "photos", "--quiet"] + options, in: folder)
        #expect(run.status == 2 && run.output.contains(": 1 record, "), "\(run)")
        #expect(run.errors.hasPrefix("skipped: a/page.jpg: this is an HTML page"), "\(run)")
      }
    }
  }

  @Test(
    "that is suspicious is packed and named in the messages, the JSON and the report; --strict refuses it")
  func doubtful() throws {
    try withScratchFolder { folder in
      for number in 0..<3 { writeScratchFile("\(folder)/photos/a/\(number).jpg", try jpeg(seed: number)) }
      writeScratchFile("\(folder)/photos/b/0.jpg", try jpeg(seed: 3))
      writeScratchFile("\(folder)/photos/a/open.jpg", try jpeg(64, 48).dropLast(2))
      let arguments = ["convert", "photos", "c", "--train-ratio", "1", "--pass-through", "--quiet", "--json"]
      let run = imrec.run(arguments, in: folder)
      #expect(run.status == 0, "\(run)")
      #expect(run.errors.hasPrefix("doubtful: a/open.jpg: the image may be damaged near byte"), "\(run)")
      let report = readScratchFile(folder + "/c-report.json")
      for text in [run.output, report] {
        let list = text.split(separator: "\"doubtful\"").last ?? ""
        #expect(list.prefix { $0 != "]" }.contains("open.jpg"), "\(text)")
      }
      let check = imrec.run(["verify", "c-train.rec", "--json"], in: folder)
      #expect(check.status == 0 && check.output.contains("the end marker is missing"), "\(check)")
      let strict = imrec.run(arguments + ["--strict"], in: folder)
      #expect(
        strict.status == 1 && strict.errors.contains("a/open.jpg: the image may be damaged"), "\(strict)")
    }
  }

  @Test("of a shape that would grow beyond a JPEG is skipped", arguments: [(1, 400), (400, 1)])
  func thin(_ width: Int, _ height: Int) throws {
    try withScratchFolder { folder in
      writeScratchFile("\(folder)/photos/a/thin.png", try png(width, height))
      writeScratchFile("\(folder)/photos/a/good.jpg", try jpeg())
      writeScratchFile("\(folder)/l.lst", "0\t0\ta/thin.png\n1\t0\ta/good.jpg\n".utf8)
      let run = imrec.run(
        ["pack", "l.lst", "photos", "--resize", "256", "--quiet"], in: folder, wrapper: gigabyte)
      #expect(
        run.status == 2 && run.errors.contains("skipped: a/thin.png: with a short edge of 256 pixels"),
        "\(run)")
    }
  }

  @Test("that is not a regular file, or cannot be read, is named and does not block")
  func specials() throws {
    try withScratchFolder { folder in
      try writeClasses(folder + "/photos", classes: 1, each: 2)
      let a = folder + "/photos/a/"
      mkfifo(a + "fifo.jpg", 0o600)
      mkdir(a + "folder.jpg", 0o700)
      symlink("self.jpg", a + "self.jpg")
      symlink("nowhere.jpg", a + "dangling.jpg")
      symlink("/dev/zero", a + "device.jpg")
      symlink("..", a + "loop")
      let run = imrec.run(["list", "photos", "l", "--quiet"], in: folder, seconds: 20)
      let reasons = [
        ("fifo.jpg", "this is a FIFO"), ("folder.jpg", "this is a folder"),
        ("self.jpg", "leads back to itself"),
        ("dangling.jpg", "leads nowhere"), ("device.jpg", "this is a device"),
        ("loop", "the same folder as ."),
      ]
      #expect(run.status == 2 && run.output == "0\ta\n", "\(run)")
      for (name, reason) in reasons {
        let line = run.errors.split(separator: "\n").first { $0.hasPrefix("skipped: a/\(name): ") }
        #expect(line?.contains(reason) == true, "\(name): \(line ?? "not skipped")")
      }
      #expect(readScratchFile(folder + "/l.lst").split(separator: "\n").count == 2)
      // The same in a list that was made by hand.
      let names = ["00.jpg"] + reasons.map(\.0)
      let lines = names.enumerated().map { "\($0)\t0\ta/\($1)\n" }.joined()
      writeScratchFile(folder + "/h.lst", lines.utf8)
      let packed = imrec.run(["pack", "h.lst", "photos", "--quiet"], in: folder, seconds: 20)
      #expect(packed.status == 2 && packed.output.hasPrefix("h.rec: 1 record, "), "\(packed)")
      #expect(packed.errors.split(separator: "\n").count == reasons.count, "\(packed)")
    }
  }

  @Test(
    "that the user may not read is named",
    .enabled(
      if: geteuid() == 0 && Program.isInstalled("setpriv"), "needs root and setpriv (Debian: util-linux)"))
  func unreadable() throws {
    try withScratchFolder { folder in
      try writeClasses(folder + "/photos", classes: 2, each: 3)
      chmod(folder, 0o777)
      chmod(folder + "/photos/a/00.jpg", 0)
      chmod(folder + "/photos/b", 0)
      let nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
      let run = imrec.run(["convert", "photos", "c", "--train-ratio", "1"], in: folder, wrapper: nobody)
      #expect(run.status == 2, "\(run)")
      #expect(run.errors.contains("skipped: b: permission to open it is denied"), "\(run)")
      #expect(run.errors.contains("skipped: a/00.jpg: permission to open it is denied"), "\(run)")
      #expect(
        run.errors.contains("warning: b: the class folder has no image; the class keeps its label"), "\(run)")
      chmod(folder, 0o555)
      let closed = imrec.run(["list", "photos", "l"], in: folder, wrapper: nobody)
      #expect(closed.status == 1 && closed.errors.contains("permission to write it is denied"), "\(closed)")
    }
  }
}
