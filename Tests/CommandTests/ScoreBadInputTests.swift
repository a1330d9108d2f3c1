import Foundation
import TestSupport
import Testing

@Suite("imrec score loses nothing silently")
struct ScoreBadInputTests {
  private static let outputs: [(name: String, text: String)] = [
    ("good", "[0.5,0.25,0.25]"), ("invalid", "{\"prediction\": [0.5"), ("empty", ""),
    ("mark", "\u{FEFF}[1,0,0]"), ("nan", "[NaN,0,1]"), ("infinite", "[Infinity,0,1]"),
    ("negative", "[-1,1,1]"), ("short", "[1,0]"), ("long", "[1,0,0,0]"), ("nested", "[[1,0,0]]"),
    ("strings", "[\"1\",\"0\",\"0\"]"), ("huge", "[1e400,0,0]"),
    ("hugeLabel", "99999999999999999999999"), ("unknownClass", "\"horse\""), ("rounded", "[0.9,0.8,0.7]"),
  ]

  @Test("images = scored + invalid + missing, in text and JSON, and each loss has its reason; exit 2")
  func reconciles() throws {
    try withScratchFolder { (folder) throws in
      var table = "path,label\nlost.jpg,a\nodd.jpg,zebra\n"
      for (name, text) in Self.outputs {
        writeScratchFile("\(folder)/out/\(name).jpg.out", text.utf8)
        table += "\(name).jpg,a\n"
      }
      writeScratchFile("\(folder)/out/copy/good.jpg.out", "[0.1,0.8,0.1]".utf8)
      writeScratchFile("\(folder)/out/good.out", "[0.5,0.25,0.25]".utf8)
      writeScratchFile("\(folder)/out/stranger.jpg.out", "[1,0,0]".utf8)
      writeScratchFile("\(folder)/out/odd.jpg.out", "[1,0,0]".utf8)
      writeScratchFile("\(folder)/t.csv", table.utf8)
      writeScratchFile("\(folder)/names.txt", "a\nb\nc\n".utf8)
      let arguments = ["score", "out", "--truth", "t.csv", "--classes", "names.txt"]
      let run = imrec.run(arguments + ["--json"], in: folder)
      #expect(run.status == 2, "\(run)")
      let score = try document(run.output)
      let invalid = try #require(score["invalid"] as? [[String: String]])
      let wrong = Self.outputs.map { "\($0.name).jpg" }.filter { !["good.jpg", "rounded.jpg"].contains($0) }
      // good.jpg has a second output that says something else.
      #expect(invalid.compactMap { $0["path"] }.sorted() == (wrong + ["good.jpg", "odd.jpg"]).sorted())
      #expect(invalid.allSatisfy { !($0["reason"] ?? "").isEmpty })
      #expect(score["missing"] as? [String] == ["lost.jpg"])
      #expect(score["unexpected"] as? [String] == ["stranger.jpg.out"])
      #expect(score["images"] as? Int == Self.outputs.count + 2 && score["scored"] as? Int == 1)
      #expect(score["unnormalised"] as? Int == 1)
      for item in invalid {
        #expect(run.errors.contains(item["path"] ?? "-") || run.errors.contains("more; --json"))
      }
      let text = imrec.run(arguments, in: folder).output
      #expect(text.contains("17 = 1 scored + 15 invalid + 1 missing"))
      #expect(text.contains("unexpected    1 output without an image in the truth"))
      #expect(text.contains("unnormalised  1 output not summing to 1"))
    }
  }

  @Test("a row whose sum is not 1 counts as it is in top-k, and normalised in log-loss only")
  func unnormalised() throws {
    try withScratchFolder { (folder) throws in
      writeScratchFile("\(folder)/o.jsonl", "[2,1,1]\n[0.5,0.25,0.25]\n".utf8)
      writeScratchFile("\(folder)/t.csv", "a,0\nb,0\n".utf8)
      let score = try document(
        imrec.run(["score", "o.jsonl", "--truth", "t.csv", "--json"], in: folder).output)
      #expect(score["unnormalised"] as? Int == 1 && value(score, "top1") == 1)
      let logLoss = try #require(score["log_loss"] as? Double)
      #expect(abs(logLoss - 0.6931471805599453) < 1e-12)
    }
  }

  @Test("classes that never occur or are never predicted, one class, and no image at all, give a score")
  func corners() throws {
    try withScratchFolder { (folder) throws in
      writeScratchFile("\(folder)/o.jsonl", "[0.5,0.3,0.2]\n[0.6,0.3,0.1]\n".utf8)
      writeScratchFile("\(folder)/t.csv", "a,0\nb,1\n".utf8)
      let run = imrec.run(["score", "o.jsonl", "--truth", "t.csv"], in: folder)
      #expect(run.status == 0)
      #expect(run.output.contains("classes       3, 1 without images, 2 never predicted"))
      #expect(run.output.contains("3 classes; the 1 without images count as 0"))
      writeScratchFile("\(folder)/one.jsonl", "[1]\n[0.5]\n".utf8)
      writeScratchFile("\(folder)/one.csv", "a,0\nb,0\n".utf8)
      let one = try document(
        imrec.run(["score", "one.jsonl", "--truth", "one.csv", "--json"], in: folder).output)
      #expect(value(one, "top1") == 1 && one["kappa"] is NSNull && one["scored"] as? Int == 2)
      writeScratchFile("\(folder)/no.csv", "path,label\n".utf8)
      writeScratchFile("\(folder)/no.jsonl", "".utf8)
      let none = imrec.run(
        ["score", "no.jsonl", "--truth", "no.csv", "--json", "--fail-under", "top1=0"], in: folder)
      #expect(none.status == 3 && none.errors.contains("top1 could not be computed"), "\(none)")
      #expect(try document(none.output)["images"] as? Int == 0)
    }
  }

  @Test(
    "hostile names of classes and files are data: no control or bidirectional character reaches the terminal")
  func hostile() throws {
    let names = [
      "</script><img src=x onerror=alert(1)>", "\"quoted\",comma", "=cmd()", "\u{202E}gpj.exe", "a\u{1B}[2Jb",
      "tab\there", "\u{2028}line", "\u{FEFF}mark", "\u{61C}letter", String(repeating: "4", count: 4096),
      "\u{1F3FD}e\u{301}日本",
    ]
    try withScratchFolder { (folder) throws in
      func quoted(_ name: String) -> String { "\"" + name.replacing("\"", with: "\"\"") + "\"" }
      var (table, lines) = ("path,label\n", "")
      for (label, name) in names.enumerated() {
        let path = "\(name.prefix(200))/new\nline\u{202E}.jpg"
        table += "\(quoted(path)),\(label)\n"
        let row = names.indices.map { $0 == (label + 1) % names.count ? 0.5 : 0.05 }
        let object: [String: Any] = ["path": path, "prediction": row]
        let text = try JSONSerialization.data(withJSONObject: object, options: .sortedKeys)
        lines += String(decoding: label == 3 ? text.dropLast(5) : text, as: UTF8.self) + "\n"
      }
      lines += "{\"path\":\"stranger\\u001b[31m\\u202e\",\"label\":0}\n"
      table += "\"miss\u{1B}]0;x\u{7}ing\",0\n"
      writeScratchFile("\(folder)/o.jsonl", lines.utf8)
      writeScratchFile("\(folder)/t.csv", table.utf8)
      writeScratchFile("\(folder)/names.txt", names.joined(separator: "\n").utf8)
      let arguments = ["score", "o.jsonl", "--truth", "t.csv", "--classes", "names.txt"]
      let gate = "class:\u{202E}gpj.exe.recall=0.5"
      let run = imrec.run(arguments + ["-o", "s.json", "--fail-under", gate], in: folder)
      #expect(run.status == 3, "\(run)")
      let compared = imrec.run(["compare", "s.json", "s.json", "--fail-drop", gate], in: folder)
      for text in [run.output, run.errors, compared.output, compared.errors] {
        let unsafeScalars = text.unicodeScalars.filter {
          [.control, .format, .lineSeparator, .paragraphSeparator].contains($0.properties.generalCategory)
            && $0 != "\n"
        }
        #expect(unsafeScalars.isEmpty, "\(unsafeScalars.map { String($0.value, radix: 16) })")
        #expect(text.split(separator: "\n").allSatisfy { $0.count < 900 })
      }
      let written = readScratchFile("\(folder)/s.json")
      #expect(written.unicodeScalars.contains("\u{FEFF}"))
      let score = try document(written)
      let found = (score["classes"] as? [[String: Any]])?.compactMap { $0["name"] as? String } ?? []
      #expect(found.count == names.count)
      for (name, expected) in zip(found, names) {
        // Foundation drops a byte order mark at the start of a string.
        let expected = expected.unicodeScalars.drop { $0 == "\u{FEFF}" }
        #expect(name.unicodeScalars.elementsEqual(expected), "\(name.debugDescription)")
      }
      #expect(score["missing"] as? [String] == ["miss\u{1B}]0;x\u{7}ing"])
      #expect(score["scored"] as? Int == names.count - 1)
    }
  }
}
