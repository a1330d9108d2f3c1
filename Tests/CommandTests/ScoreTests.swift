import Foundation
import TestSupport
import Testing

/// Outputs of four images in three classes and a list of them, in a new folder: three right, one wrong.
func withOutputs(_ body: (String) throws -> Void) throws {
  try withScratchFolder { folder in
    let rows = [
      "a/1.jpg": "[0.7,0.2,0.1]", "a/2.jpg": "[0.1,0.8,0.1]", "b/1.jpg": "[0.2,0.6,0.2]",
      "c/1.jpg": "[0.1,0.1,0.8]",
    ]
    for (name, row) in rows { writeScratchFile("\(folder)/out/\(name).out", "{\"prediction\": \(row)}".utf8) }
    writeScratchFile("\(folder)/t.lst", "0\t0\ta/1.jpg\n1\t0\ta/2.jpg\n2\t1\tb/1.jpg\n3\t2\tc/1.jpg\n".utf8)
    writeScratchFile("\(folder)/names.txt", "apple\nboat\n</script>\n".utf8)
    try body(folder)
  }
}

func document(_ text: String) throws -> [String: Any] {
  try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
}

func value(_ document: [String: Any], _ key: String) -> Double? {
  (document[key] as? [String: Any])?["value"] as? Double
}

@Suite("imrec score")
struct ScoreTests {
  @Test("prints the same document that it writes, with every field of its contract")
  func whole() throws {
    try withOutputs { (folder) throws in
      let run = imrec.run(
        ["score", "out", "--truth", "t.lst", "--classes", "names.txt", "-o", "s.json", "--json"], in: folder)
      #expect(run.status == 0, "\(run)")
      #expect(readScratchFile("\(folder)/s.json") == run.output)
      let score = try document(run.output)
      for key in [
        "images", "scored", "missing", "invalid", "unexpected", "top1", "top5", "macro", "weighted",
        "balanced_accuracy",
        "kappa", "mcc", "log_loss", "brier", "ece", "classes", "confusion", "pairs", "predictions",
      ] { #expect(score[key] != nil, "\(key)") }
      #expect(score["images"] as? Int == 4 && score["scored"] as? Int == 4)
      #expect(value(score, "top1") == 0.75)
      #expect(score["confusion"] as? [[Int]] == [[0, 0, 1], [0, 1, 1], [1, 1, 1], [2, 2, 1]])
      #expect(
        (score["classes"] as? [[String: Any]])?.map { $0["name"] as? String } == [
          "apple", "boat", "</script>",
        ])
      let matched = (score["details"] as? [[String: String]])?.first { $0["name"] == "Matched by" }
      #expect(matched?["value"] == "relative path (4)")
    }
  }

  @Test("gives the same bytes for any number of jobs, and shows people a summary")
  func sameBytes() throws {
    try withOutputs { (folder) throws in
      let runs = ["1", "2", "7"].map {
        imrec.run(["score", "out", "--truth", "t.lst", "--json", "--jobs", $0], in: folder).output
      }
      #expect(Set(runs).count == 1 && runs[0].count > 1000)
      let text = imrec.run(["score", "out", "--truth", "t.lst"], in: folder).output
      #expect(text.contains("Top-1 accuracy 75.0 %") && text.contains("3 of 4 correct"))
      #expect(text.contains("4 = 4 scored + 0 invalid + 0 missing"))
      #expect(!text.contains("\u{1B}"), "no colours where there is no terminal")
    }
  }

  @Test("names what is invalid, missing and unexpected, exits 2, and scores the rest")
  func skipped() throws {
    try withOutputs { (folder) throws in
      writeScratchFile("\(folder)/out/a/1.jpg.out", "{\"prediction\": [0.7,NaN,0.1]}".utf8)
      writeScratchFile("\(folder)/out/z.jpg.out", "[1,0,0]".utf8)
      writeScratchFile(
        "\(folder)/t.lst", "0\t0\ta/1.jpg\n1\t0\ta/2.jpg\n2\t1\tb/1.jpg\n3\t2\tc/9\u{202E}.jpg\n".utf8)
      let run = imrec.run(["score", "out", "--truth", "t.lst", "--json", "--quiet"], in: folder)
      #expect(run.status == 2)
      let score = try document(run.output)
      #expect(score["images"] as? Int == 4 && score["scored"] as? Int == 2)
      #expect(
        score["invalid"] as? [[String: String]] == [
          ["path": "a/1.jpg", "reason": "byte 20: 'NaN' where a number is expected"]
        ])
      #expect(score["missing"] as? [String] == ["c/9\u{202E}.jpg"])
      #expect(Set(score["unexpected"] as? [String] ?? []) == ["z.jpg.out", "c/1.jpg.out"])
      #expect(run.errors.contains("invalid: a/1.jpg: byte 20"))
      #expect(run.errors.contains("missing: c/9\\u{202e}.jpg"))
    }
  }

  @Test("fails a gate with 3 after the output is written, and names it with value and threshold")
  func gates() throws {
    try withOutputs { (folder) throws in
      let arguments = [
        "score", "out", "--truth", "t.lst", "--classes", "names.txt", "-o", "s.json", "--fail-under",
      ]
      #expect(imrec.run(arguments + ["top1=0.75,log_loss=2"], in: folder).status == 0)
      #expect(readScratchBytes("\(folder)/s.json") != nil)
      let failed = imrec.run(
        arguments + ["top1=0.8,class:boat.recall=1", "--fail-under", "class:apple.recall=0.9"], in: folder)
      #expect(failed.status == 3)
      #expect(failed.errors.contains("gate failed: top1 is 0.75, at least 0.8 is required"))
      #expect(failed.errors.contains("gate failed: class:apple.recall is 0.5, at least 0.9 is required"))
      #expect(!failed.errors.contains("boat"))
      #expect(try document(readScratchFile("\(folder)/s.json"))["gates"] as? [Any] != nil)
      let missing = imrec.run(["score", "out", "--truth", "t.lst", "--fail-under", "top1=0.8"], in: folder)
      writeScratchFile("\(folder)/t.lst", "0\t0\ta/1.jpg\n9\t0\tnone.jpg\n".utf8)
      #expect(missing.status == 3)
      #expect(
        imrec.run(["score", "out", "--truth", "t.lst", "--fail-under", "log_loss=0.1"], in: folder).status
          == 3)
      let wrong = imrec.run(arguments + ["top7=1"], in: folder)
      #expect(wrong.status == 64 && wrong.errors.contains("there is no gate \"top7\""))
    }
  }

  @Test("slices by the image files and by columns of the truth, and takes groups")
  func slices() throws {
    try withOutputs { (folder) throws in
      for (name, width) in [("a/1.jpg", 20), ("a/2.jpg", 40), ("b/1.jpg", 30), ("c/1.jpg", 30)] {
        writeScratchFile("\(folder)/images/\(name)", try jpeg(width, 20))
      }
      writeScratchFile(
        "\(folder)/t.csv", "camera,path,label\nX,a/1.jpg,0\nX,a/2.jpg,0\nY,b/1.jpg,1\n,c/1.jpg,2\n".utf8)
      writeScratchFile("\(folder)/groups.csv", "0,fruit\n1,things\n2,things\n".utf8)
      let run = imrec.run(
        ["score", "out", "--truth", "t.csv", "--images", "images", "--groups", "groups.csv", "--json"],
        in: folder)
      #expect(run.status == 0, "\(run)")
      let score = try document(run.output)
      let slices = try #require(score["slices"] as? [[String: Any]])
      let names = Set(slices.compactMap { $0["attribute"] as? String })
      #expect(names == ["camera", "image width", "image height", "image aspect", "image grey"])
      let camera = slices.filter { $0["attribute"] as? String == "camera" && $0["value"] as? String == "X" }
      #expect(camera.first?["n"] as? Int == 2 && camera.first?["correct"] as? Int == 1)
      #expect((score["groups"] as? [String: Any])?["source"] as? String == "given")
    }
  }

  @Test("leaves out what needs probabilities where outputs are labels only")
  func labels() throws {
    try withOutputs { (folder) throws in
      writeScratchFile(
        "\(folder)/o.jsonl",
        (#"{"path":"a/1.jpg","predicted_label":0}"# + "\n" + #"{"path":"b/1.jpg","predicted_label":0}"#).utf8)
      writeScratchFile("\(folder)/t.csv", "a/1.jpg,0\nb/1.jpg,1\n".utf8)
      let score = try document(
        imrec.run(["score", "o.jsonl", "--truth", "t.csv", "--json"], in: folder).output)
      #expect(value(score, "top1") == 0.5 && score["hard_labels"] as? Int == 2)
      #expect(score["log_loss"] is NSNull && score["top5"] is NSNull && score["ece"] is NSNull)
    }
  }

  @Test(
    "says what is wrong and writes nothing where truth or outputs cannot be read at all",
    arguments: [
      (["score", "none", "--truth", "t.lst"], "there is no such file or folder"),
      (["score", "out", "--truth", "none.csv"], "none.csv"),
      (["score", "out", "--truth", "t.lst", "--classes", "none.txt"], "none.txt"),
      (["score", "out", "--truth", "t.lst", "--groups", "t.lst"], "is not on the class list"),
      (["score", "t.lst", "--truth", "out"], "none of its first 4 lines is a prediction"),
      (["score", "bare.jsonl", "--truth", "out"], "the order of this truth says nothing"),
    ])
  func failures(_ arguments: [String], _ sentence: String) throws {
    try withOutputs { (folder) throws in
      writeScratchFile("\(folder)/bare.jsonl", "[1,0]\n[0,1]\n".utf8)
      let run = imrec.run(arguments + ["-o", "s.json"], in: folder)
      #expect(run.status == 1 && run.errors.contains(sentence), "\(run)")
      #expect(run.output.isEmpty && readScratchBytes("\(folder)/s.json") == nil)
    }
  }
}
