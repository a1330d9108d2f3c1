import Foundation
import TestSupport
import Testing

@Suite("imrec compare")
struct CompareTests {
  /// Scores of two runs: B has `a/2.jpg` right and `c/1.jpg` wrong.
  private func withScores(_ body: (String) throws -> Void) throws {
    try withOutputs { (folder) throws in
      #expect(imrec.run(["score", "out", "--truth", "t.lst", "-o", "a.json"], in: folder).status == 0)
      writeScratchFile("\(folder)/out/a/2.jpg.out", "[0.8,0.1,0.1]".utf8)
      writeScratchFile("\(folder)/out/c/1.jpg.out", "[0.8,0.1,0.1]".utf8)
      #expect(imrec.run(["score", "out", "--truth", "t.lst", "-o", "b.json"], in: folder).status == 0)
      try body(folder)
    }
  }

  @Test("tells what changed, as text and as JSON")
  func changes() throws {
    try withScores { (folder) throws in
      let run = imrec.run(["compare", "a.json", "b.json", "--json"], in: folder)
      #expect(run.status == 0, "\(run)")
      let comparison = try document(run.output)
      #expect(
        comparison["images"] as? Int == 4 && comparison["only_a_right"] as? Int == 1
          && comparison["only_b_right"] as? Int == 1)
      #expect(
        (comparison["flips"] as? [[String: Any]])?.map { $0["path"] as? String } == ["a/2.jpg", "c/1.jpg"])
      let text = imrec.run(["compare", "a.json", "b.json", "-o", "c.json"], in: folder).output
      #expect(text.contains("2 images changed: 1 fixed, 1 broken") && text.contains("p = 1.0000"))
      #expect(readScratchFile("\(folder)/c.json") == run.output)
    }
  }

  @Test("fails with 3 where a figure drops by more than allowed")
  func drops() throws {
    try withScores { (folder) throws in
      let arguments = ["compare", "a.json", "b.json", "--fail-drop"]
      #expect(imrec.run(arguments + ["top1=0.01"], in: folder).status == 0)
      let failed = imrec.run(arguments + ["macro_f1=0.01,class:2.recall=0.5"], in: folder)
      #expect(
        failed.status == 3
          && failed.errors.contains("gate failed: class:2.recall is 1.0, a drop of at most 0.5 is required"))
      #expect(imrec.run(arguments + ["f1=0.1"], in: folder).status == 64)
    }
  }

  @Test("takes images that one run has missing, and says so; nothing in common is an error")
  func missing() throws {
    try withScores { (folder) throws in
      unlink("\(folder)/out/b/1.jpg.out")
      #expect(
        imrec.run(["score", "out", "--truth", "t.lst", "-o", "b.json", "--quiet"], in: folder).status == 2)
      let run = imrec.run(["compare", "a.json", "b.json", "--json"], in: folder)
      #expect(run.status == 2 && run.errors.contains("only in A: b/1.jpg: not scored in B; left out"))
      let comparison = try document(run.output)
      #expect(comparison["images"] as? Int == 3 && comparison["missing_in_b"] as? [String] == ["b/1.jpg"])
      let text = imrec.run(["compare", "a.json", "b.json"], in: folder).output
      #expect(text.contains("3 scored by both") && text.contains("only in A     1 image not scored in B"))
      let back = imrec.run(["compare", "b.json", "a.json", "--fail-drop", "top1=0.5"], in: folder)
      #expect(back.status == 2 && back.errors.contains("only in B: b/1.jpg"))
      let failed = imrec.run(
        ["compare", "b.json", "a.json", "--fail-drop", "class:0.recall=0.1"], in: folder)
      #expect(failed.status == 3 && failed.errors.contains("gate failed: class:0.recall is 0.5"))
      writeScratchFile("\(folder)/o2/x.jpg.out", "[1,0,0]".utf8)
      writeScratchFile("\(folder)/t2.csv", "x.jpg,0\n".utf8)
      #expect(imrec.run(["score", "o2", "--truth", "t2.csv", "-o", "c.json"], in: folder).status == 0)
      let apart = imrec.run(["compare", "a.json", "c.json"], in: folder)
      #expect(apart.status == 1 && apart.errors.contains("no image in common"))
    }
  }

  @Test("lets as many images be missing as score does: --allow-missing, one rule for both")
  func allowMissing() throws {
    try withScores { (folder) throws in
      unlink("\(folder)/out/b/1.jpg.out")
      let scoring = ["score", "out", "--truth", "t.lst", "-o", "b.json", "--quiet"]
      #expect(imrec.run(scoring + ["--allow-missing", "1"], in: folder).status == 0)
      #expect(imrec.run(scoring + ["--allow-missing", "0"], in: folder).status == 2)
      for pair in [["a.json", "b.json"], ["b.json", "a.json"], ["b.json", "b.json"]] {
        #expect(imrec.run(["compare"] + pair, in: folder).status == 2, "\(pair)")
        #expect(imrec.run(["compare"] + pair + ["--allow-missing", "1"], in: folder).status == 0, "\(pair)")
      }
      // What is invalid is not missing.
      writeScratchFile("\(folder)/out/b/1.jpg.out", "[".utf8)
      #expect(imrec.run(scoring + ["--allow-missing", "9"], in: folder).status == 2)
      #expect(imrec.run(["compare", "b.json", "b.json", "--allow-missing", "9"], in: folder).status == 2)
    }
  }

  @Test("joins images and classes whose names differ in Unicode form or case only, and says so")
  func lookalikes() throws {
    try withScratchFolder { (folder) throws in
      for (run, path, names) in [
        ("a", "caf\u{E9}/1.jpg", "caf\u{E9}\nx\n"), ("b", "cafe\u{301}/1.JPG", "cafe\u{301}\nX\n"),
      ] {
        writeScratchFile(
          "\(folder)/\(run).jsonl",
          "{\"path\":\"\(path)\",\"prediction\":[1,0]}\n{\"path\":\"x/2\",\"label\":1}\n".utf8)
        writeScratchFile("\(folder)/\(run).csv", "path,label\n\(path),0\nx/2,1\n".utf8)
        writeScratchFile("\(folder)/\(run).txt", names.utf8)
        let score = imrec.run(
          ["score", "\(run).jsonl", "--truth", "\(run).csv", "--classes", "\(run).txt", "-o", "\(run).json"],
          in: folder)
        #expect(score.status == 0, "\(score)")
      }
      let run = imrec.run(["compare", "a.json", "b.json", "--json"], in: folder)
      #expect(
        run.status == 0
          && run.errors.contains("joined: 1 image whose names differ in Unicode form or case, such as"),
        "\(run)")
      #expect(try document(run.output)["images"] as? Int == 2)
    }
  }

  @Test("refuses a file that is not a score.json", arguments: ["", "{}", "[1,2", "{\"version\":1}", "\u{0}"])
  func notAScore(_ text: String) throws {
    try withScores { (folder) throws in
      writeScratchFile("\(folder)/bad.json", text.utf8)
      let run = imrec.run(["compare", "a.json", "bad.json"], in: folder)
      #expect(run.status == 1 && run.errors.contains("bad.json: not a score.json"), "\(run)")
    }
  }

  @Test("counts what neither run could score, and images whose truth the runs give differently")
  func neither() throws {
    try withScores { (folder) throws in
      writeScratchFile(
        "\(folder)/t.lst", "0\t0\ta/1.jpg\n1\t1\ta/2.jpg\n2\t1\tb/1.jpg\n3\t2\tc/1.jpg\n4\t2\tno.jpg\n".utf8)
      #expect(imrec.run(["score", "out", "--truth", "t.lst", "-o", "b.json"], in: folder).status == 2)
      let run = imrec.run(["compare", "b.json", "b.json"], in: folder)
      #expect(run.status == 2 && run.output.contains("in neither    1 image missing or invalid in both"))
      let differing = imrec.run(["compare", "a.json", "b.json", "--json"], in: folder)
      #expect(differing.status == 2, "\(differing)")
      #expect(differing.errors.contains("truth differs: a/2.jpg: its true class differs between the runs"))
      #expect(try document(differing.output)["truth_conflicts"] as? [String] == ["a/2.jpg"])
    }
  }

  @Test(
    "refuses labels that the classes of the file do not have", arguments: ["99", "-1", "2147483647"],
    ["truth", "predicted"])
  func strangeLabels(_ label: String, _ column: String) throws {
    try withScores { (folder) throws in
      let text = readScratchFile("\(folder)/a.json")
      let start = try #require(text.range(of: "\"predictions\":"))
      let key = try #require(text.range(of: "\"\(column)\":[", range: start.upperBound..<text.endIndex))
      let end = try #require(text[key.upperBound...].firstIndex { $0 == "," || $0 == "]" })
      let changed = text[..<key.upperBound] + label + text[end...]
      writeScratchFile("\(folder)/changed.json", changed.utf8)
      let run = imrec.run(["compare", "changed.json", "b.json", "--html", "c.html"], in: folder)
      #expect(run.status == 1 && run.errors.contains("there are only 3 classes"), "\(run)")
    }
  }

  @Test("never replaces a score by the comparison")
  func replacing() throws {
    try withScores { (folder) throws in
      let before = readScratchBytes("\(folder)/a.json")
      let run = imrec.run(["compare", "a.json", "b.json", "-o", "./a.json"], in: folder)
      #expect(run.status == 64 && run.errors.contains("choose another name for the output"))
      #expect(readScratchBytes("\(folder)/a.json") == before)
    }
  }
}
