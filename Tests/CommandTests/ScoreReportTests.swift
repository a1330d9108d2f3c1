import Foundation
import FoundationXML
import TestSupport
import Testing

/// Outputs of four images in three classes and their truth, in a new folder: three right, one wrong.
private func withOddOutputs(_ body: (String) throws -> Void) throws {
  try withScratchFolder { folder in
    for (name, row) in [
      ("a/1.jpg", "[0.7,0.2,0.1]"), ("a/2.jpg", "[0.1,0.8,0.1]"), ("b/=1.jpg", "[0.2,0.6,0.2]"),
      ("c/1.jpg", "[0.1,0.1,0.8]"),
    ] { writeScratchFile("\(folder)/out/\(name).out", "{\"prediction\": \(row)}".utf8) }
    writeScratchFile("\(folder)/t.lst", "0\t0\ta/1.jpg\n1\t0\ta/2.jpg\n2\t1\tb/=1.jpg\n3\t2\tc/1.jpg\n".utf8)
    writeScratchFile("\(folder)/names.txt", "=cmd()\n|@boat`\n</script>\n".utf8)
    try body(folder)
  }
}

private let scoring = ["score", "out", "--truth", "t.lst", "--classes", "names.txt"]
private let reports = ["--csv", "tables", "--markdown", "report.md", "--junit", "junit.xml"]

@Suite("reports of imrec score and compare")
struct ScoreReportTests {
  @Test("are written beside the score, the same for any number of jobs, and named on stderr")
  func written() throws {
    try withOddOutputs { (folder) throws in
      var files: [String: [UInt8]] = [:]
      for jobs in ["1", "3"] {
        let run = imrec.run(scoring + reports + ["--jobs", jobs, "-o", "s.json"], in: folder)
        #expect(run.status == 0 && run.errors.contains("written: tables/*.csv"), "\(run)")
        #expect(run.errors.contains("written: report.md") && run.errors.contains("written: junit.xml"))
        for name in ["report.md", "junit.xml", "s.json"]
          + scratchNames(folder + "/tables").map({ "tables/" + $0 })
        {
          let bytes = try #require(readScratchBytes("\(folder)/\(name)"))
          #expect(!bytes.isEmpty && files[name] ?? bytes == bytes, "\(name)")
          files[name] = bytes
        }
      }
      #expect(files.count == 17)
      #expect(readScratchFile(folder + "/tables/classes.csv").contains("\r\n0,'=cmd(),"))
      #expect(
        readScratchFile(folder + "/tables/predictions.csv").contains(
          "\r\nb/=1.jpg,1,|@boat`,1,|@boat`,true,1,"))
      #expect(readScratchFile(folder + "/report.md").contains("| ``\\|@boat` `` |") == false)
      #expect(readScratchFile(folder + "/report.md").contains("`` \\|@boat` ``"))
      #expect(XMLParser(data: Data(readScratchFile(folder + "/junit.xml").utf8)).parse())
    }
  }

  @Test("are written before a failed gate ends the command with 3, and tell of it")
  func gates() throws {
    try withOddOutputs { (folder) throws in
      let run = imrec.run(
        scoring + reports + ["--fail-under", "top1=0.8,class:=cmd().recall=0.25"], in: folder)
      #expect(run.status == 3, "\(run)")
      let text = readScratchFile(folder + "/report.md")
      #expect(text.contains("❌ **FAILED**: 1 of 2 gates is not met."))
      #expect(text.contains("| ✅ passed | `class:=cmd().recall` | 0.5000 | at least 0.25 |"))
      let junit = readScratchFile(folder + "/junit.xml")
      #expect(junit.contains("<testsuite name=\"imrec score\" tests=\"3\" failures=\"1\""))
      #expect(junit.contains("<failure message=\"top1 is 0.75, at least 0.8 is asked for\""))
      #expect(readScratchFile(folder + "/tables/gates.csv").contains("\r\ntop1,0.75,0.8,false\r\n"))
    }
  }

  @Test("account for inputs that are invalid, missing or unexpected")
  func inputs() throws {
    try withOddOutputs { (folder) throws in
      writeScratchFile("\(folder)/out/a/1.jpg.out", "{\"prediction\": [0.7,NaN,0.1]}".utf8)
      writeScratchFile("\(folder)/out/z.jpg.out", "[1,0,0]".utf8)
      unlink("\(folder)/out/c/1.jpg.out")
      #expect(imrec.run(scoring + reports, in: folder).status == 2)
      let sentence = "4 images: 2 scored, 1 invalid, 1 missing; 1 unexpected output"
      #expect(readScratchFile(folder + "/report.md").contains("⚠️ \(sentence)."))
      #expect(readScratchFile(folder + "/junit.xml").contains("<failure message=\"\(sentence)\""))
      #expect(
        readScratchFile(folder + "/tables/inputs.csv") == """
          status,path,reason\r
          invalid,a/1.jpg,byte 20: 'NaN' where a number is expected\r
          missing,c/1.jpg,it has no output\r
          unexpected,z.jpg.out,it belongs to no image\r\n
          """)
    }
  }

  @Test("are written of a comparison too")
  func comparison() throws {
    try withOddOutputs { (folder) throws in
      #expect(imrec.run(scoring + ["-o", "a.json"], in: folder).status == 0)
      writeScratchFile("\(folder)/out/c/1.jpg.out", "[0.8,0.1,0.1]".utf8)
      #expect(imrec.run(scoring + ["-o", "b.json"], in: folder).status == 0)
      let run = imrec.run(["compare", "a.json", "b.json", "--fail-drop", "top1=0.1"] + reports, in: folder)
      #expect(run.status == 3, "\(run)")
      #expect(
        scratchNames(folder + "/tables") == [
          "changes.csv", "classes.csv", "flips.csv", "gates.csv", "inputs.csv", "summary.csv",
        ])
      #expect(
        readScratchFile(folder + "/tables/flips.csv").contains(
          "\r\nbroken,c/1.jpg,2,</script>,2,</script>,0,'=cmd(),0.8,0.8\r\n"))
      #expect(readScratchFile(folder + "/report.md").contains("## Accuracy -25.0 points"))
      #expect(
        readScratchFile(folder + "/junit.xml").contains(
          "<failure message=\"top1 is 0.25, a drop of at most 0.1 is asked for\""))
    }
  }

  @Test(
    "never replace an input or one another",
    arguments: [
      ["--markdown", "t.lst"], ["--junit", "names.txt"], ["--markdown", "x", "--junit", "./x"],
      ["-o", "s.json", "--markdown", "s.json"],
    ])
  func names(_ options: [String]) throws {
    try withOddOutputs { (folder) throws in
      let before = readScratchBytes(folder + "/t.lst")
      let run = imrec.run(scoring + options, in: folder)
      #expect(run.status == 64 && run.errors.contains("choose another name"), "\(run)")
      #expect(readScratchBytes(folder + "/t.lst") == before && readScratchBytes(folder + "/s.json") == nil)
    }
  }

  @Test("say what is wrong where they cannot be written, or --images has no images")
  func failures() throws {
    try withOddOutputs { (folder) throws in
      makeScratchFolders(above: folder + "/tables/x")
      for (options, sentence) in [
        (["--markdown", "none/report.md"], "there is no folder none"), (["--csv", "t.lst"], "t.lst"),
        (["--junit", "tables"], "this is a folder"),
        (["--images", "none"], "there is no such file or folder"),
        (["--images", "t.lst"], "neither a folder nor a .rec"),
      ] {
        let run = imrec.run(scoring + options, in: folder)
        #expect(run.status == 1 && run.errors.contains(sentence), "\(run)")
      }
    }
  }
}
