import Glibc
import TestSupport
import Testing

@Suite("A list or folder with something wrong")
struct BadListTests {
  @Test(
    "has its bad lines named and left out",
    arguments: [
      ("1\ta/00.jpg", "2 of the 3 fields"), ("1 0 a/00.jpg", "1 of the 3 fields"), ("", "empty line"),
      ("x\t0\ta/00.jpg", "the id is \"x\""), ("-1\t0\ta/00.jpg", "the id is \"-1\""),
      ("1.5\t0\ta/00.jpg", "the id is \"1.5\""), ("99999999999999999999\t0\ta/00.jpg", "the id is \"9999"),
      ("1\tx\ta/00.jpg", "a label is \"x\""), ("1\tnan\ta/00.jpg", "a label is \"nan\""),
      ("1\t1e39\ta/00.jpg", "32-bit labels cannot hold"), ("1\t\ta/00.jpg", "a label is \"\""),
      ("0\t0\ta/00.jpg", "an earlier line has the same id 0"), ("1\t0\tnone.jpg", "there is no such file"),
      ("1\t0\ta", "this is a folder, not a file"), ("1\t0\ta/00.jpg/x", "is a file, not a folder"),
      ("1\t0\t" + String(repeating: "n", count: 300) + ".jpg", "longer than the system allows"),
      (String(repeating: "n", count: 100_000), "longer than 65536 bytes"),
    ])
  func lines(_ line: String, _ reason: String) throws {
    try withRecords(each: 1) { folder in
      writeScratchFile(folder + "/x.lst", "0\t0\ta/00.jpg\n\(line)\n7\t0\tb/00.jpg\n".utf8)
      let run = imrec.run(["pack", "x.lst", "photos", "--quiet"], in: folder)
      #expect(run.status == 2 && run.output.hasPrefix("x.rec: 2 records, "), "\(run)")
      #expect(run.errors.hasPrefix("skipped: ") && run.errors.contains(reason), "\(run)")
      let strict = imrec.run(["pack", "x.lst", "photos", "-o", "s.rec", "--quiet", "--strict"], in: folder)
      #expect(strict.status == 1 && strict.errors.contains(reason), "\(strict)")
      #expect(finalFiles(folder)["s.rec"] == nil)
    }
  }

  @Test("is read, and anything odd is reported")
  func oddities() throws {
    try withRecords(each: 1) { folder in
      writeScratchFile(folder + "/other.jpg", try jpeg())
      let lines = "0\t0\t\(folder)/other.jpg\n1\t4\ta/../b/00.jpg\n2\t0\t1\ta/00.jpg\n"
      writeScratchFile(folder + "/x.lst", lines.utf8)
      let run = imrec.run(["pack", "x.lst", "photos"], in: folder)
      #expect(run.status == 0, "\(run)")
      for words in [
        "1 path of the list is absolute", "1 path of the list contains '..'", "1 line has several labels",
        "labels go up to 4, but 3 smaller labels do not occur: 1, 2, 3",
      ] { #expect(run.errors.contains("warning: \(words)"), "\(words) in \(run)") }
    }
  }

  @Test(
    "that is not a list at all is refused",
    arguments: [
      ("", "no line of the list can be used"), ("\n\n", "no line of the list can be used"),
      ("\u{0}\u{1}\u{2}", "no line of the list can be used"), ("GIF89a", "this is a GIF image, not a list"),
      ("{\"a\": 1}", "this is a JSON document, not a list"),
    ])
  func noList(_ text: String, _ words: String) throws {
    try withRecords(each: 1) { folder in
      writeScratchFile(folder + "/x.lst", text.utf8)
      let run = imrec.run(["pack", "x.lst", "photos"], in: folder)
      #expect(run.status == 1 && run.errors.hasPrefix("imrec: x.lst: \(words)"), "\(run)")
      #expect(finalFiles(folder)["x.rec"] == nil)
    }
  }

  @Test("with names that no list can hold has them named")
  func names() throws {
    try withScratchFolder { folder in
      let bytes = try jpeg()
      let good = [
        " leading.jpg", "trailing .jpg", "\"quoted'.jpg", "Größe.jpg", "\u{1B}[31m.jpg", "\u{202E}x.jpg",
      ]
      for name in good + ["new\nline.jpg", "t\tab.jpg", "carriage\rreturn.jpg"] {
        writeScratchFile("\(folder)/photos/a/\(name)", bytes)
      }
      let latin1 = Array("\(folder)/photos/a/caf".utf8CString.dropLast()) + [CChar(bitPattern: 0xe9)]
      close(open(latin1 + ".jpg\0".utf8.map { CChar(bitPattern: $0) }, O_CREAT | O_WRONLY, 0o600))
      let run = imrec.run(["convert", "photos", "c", "--train-ratio", "1"], in: folder)
      #expect(run.status == 2 && run.output.contains("train: \(good.count) records"), "\(run)")
      for name in ["a/new\\nline.jpg", "a/t\\tab.jpg", "a/carriage\\rreturn.jpg", "a/caf\\xe9.jpg"] {
        #expect(run.errors.contains("skipped: \(name): its name "), "\(name) in \(run)")
      }
      // Nothing that a name holds may steer the terminal.
      #expect(!run.errors.contains("\u{1B}") && !run.errors.contains("\u{202E}"))
    }
  }

  @Test(
    "that leaves nothing to do is refused",
    arguments: [
      ("empty", "there is no class folder"), ("flat", "there is no class folder"),
      ("hollow", "no image found in 2 class folders"), ("photos/a/00.jpg", "not a folder"),
    ])
  func folders(_ root: String, _ words: String) throws {
    try withScratchFolder { folder in
      try writeClasses(folder + "/photos", classes: 1, each: 1)
      writeScratchFile(folder + "/flat/x.jpg", try jpeg())
      for name in ["empty", "hollow", "hollow/a", "hollow/b"] { mkdir("\(folder)/\(name)", 0o700) }
      for verb in ["convert", "list"] {
        let run = imrec.run([verb, root, "out"], in: folder)
        #expect(run.status == 1 && run.errors.contains(words) && run.errors.contains(root), "\(run)")
        #expect(!scratchNames(folder).contains { $0.hasPrefix("out") })
      }
    }
  }

  @Test("whose classes are too small for K is refused, or keeps one image of each for validation")
  func smallClasses() throws {
    try withScratchFolder { folder in
      try writeClasses(folder + "/photos", classes: 2, each: 3)
      for count in ["3", "60"] {
        let run = imrec.run(["convert", "photos", "c", "--per-class", count], in: folder)
        #expect(run.status == 1 && run.errors.contains("a (3), b (3)"), "\(run)")
        #expect(run.errors.contains("Use --per-class 2 or less"), "\(run)")
        #expect(scratchNames(folder) == ["photos"])
      }
      let run = imrec.run(
        ["convert", "photos", "c", "--per-class", "60", "--allow-small-classes"], in: folder)
      #expect(run.status == 0 && run.output.contains("train: 4 records"), "\(run)")
      #expect(run.output.contains("val: 2 records"), "\(run)")
    }
  }
}
