import Foundation
import TestSupport
import Testing

@Suite("imrec score takes outputs and truths as they are")
struct ScoreInputTests {
  /// Four images in three classes; the second is taken for class 1.
  private static let images = [("a/1.jpg", 0, 0), ("a/2.jpg", 0, 1), ("b/3.jpg", 1, 1), ("c/4.jpg", 2, 2)]

  private static func row(_ label: Int) -> String {
    "[" + (0..<3).map { $0 == label ? "0.6" : "0.2" }.joined(separator: ",") + "]"
  }

  private static func wrapped(_ row: String, _ form: String, _ name: String) -> String {
    switch form {
    case "bare": row
    case "joined": #"{"SageMakerInput":{"key":"\#(name)"},"SageMakerOutput":{"prediction":\#(row)}}"#
    case "keyed": #"{"path":"\#(name)","prediction":\#(row)}"#
    default: #"{"prediction": \#(row)}"#
    }
  }

  private func write(_ folder: String) throws {
    for form in ["prediction", "bare", "joined"] {
      for (path, _, predicted) in Self.images {
        writeScratchFile(
          "\(folder)/\(form)/\(path).out", Self.wrapped(Self.row(predicted), form, path).utf8)
      }
    }
    for (index, image) in Self.images.enumerated() {
      writeScratchFile("\(folder)/ids/\(index).out", Self.row(image.2).utf8)
      writeScratchFile("\(folder)/flat/\(image.0.dropFirst(2)).out", Self.row(image.2).utf8)
      writeScratchFile("\(folder)/caltech/00\(image.1 + 1)_000\(index).jpg.out", Self.row(image.2).utf8)
      writeScratchFile("\(folder)/photos/\(image.0)", try jpeg(20, 20, seed: index))
    }
    for form in ["keyed", "joined", "bare"] {
      let lines = Self.images.map { Self.wrapped(Self.row($0.2), form, $0.0) + "\n" }
      writeScratchFile("\(folder)/\(form).jsonl", lines.joined().utf8)
    }
    let list = Self.images.enumerated().map { "\($0)\t\($1.1).000000\t\($1.0)\n" }.joined()
    writeScratchFile("\(folder)/t.lst", list.utf8)
    writeScratchFile("\(folder)/t.csv", Self.images.map { "\($0.0),\($0.1)\n" }.joined().utf8)
    writeScratchFile(
      "\(folder)/t.jsonl", Self.images.map { #"{"path":"\#($0.0)","label":\#($0.1)}"# + "\n" }.joined().utf8)
    writeScratchFile("\(folder)/others.csv", Self.images.map { "q/\($0.0)x.png,\($0.1)\n" }.joined().utf8)
    let packed = imrec.run(["pack", "t.lst", "photos", "-o", "t.rec", "--quiet"], in: folder)
    #expect(packed.status == 0, "\(packed)")
  }

  @Test("each form of both gives the same score, and says by which rule they were matched")
  func forms() throws {
    try withScratchFolder { (folder) throws in
      try write(folder)
      var runs: [(outputs: String, truth: String, rule: String)] = []
      for outputs in ["prediction", "bare", "joined", "keyed.jsonl", "joined.jsonl"] {
        for truth in ["t.lst", "t.csv", "t.jsonl", "photos"] {
          runs.append((outputs, truth, "relative path (4)"))
        }
      }
      runs += [
        ("ids", "t.rec", "id (4)"), ("ids", "t.lst", "id (4)"),
        ("flat", "t.lst", "unique file name (4)"), ("bare.jsonl", "t.csv", "order of the lines (4)"),
        ("bare.jsonl", "t.rec", "order of the lines (4)"),
        ("caltech", "others.csv", "class number of the Caltech name (NNN_MMMM) (4)"),
      ]
      for (outputs, truth, rule) in runs {
        let run = imrec.run(["score", outputs, "--truth", truth, "--json", "--quiet"], in: folder)
        #expect(run.status == 0, "\(outputs) \(truth): \(run)")
        let score = try document(run.output)
        #expect(score["scored"] as? Int == 4 && value(score, "top1") == 0.75, "\(outputs) \(truth)")
        #expect(score["confusion"] as? [[Int]] == [[0, 0, 1], [0, 1, 1], [1, 1, 1], [2, 2, 1]])
        let details = score["details"] as? [[String: String]]
        #expect(details?.first { $0["name"] == "Matched by" }?["value"] == rule, "\(outputs) \(truth)")
        let names = (score["classes"] as? [[String: Any]])?.map { $0["name"] as? String }
        #expect(names == (truth == "photos" ? ["a", "b", "c"] : ["0", "1", "2"]))
      }
      let text = imrec.run(["score", "flat", "--truth", "t.lst"], in: folder).output
      #expect(text.contains("matched by    unique file name (4)"))
    }
  }
}
