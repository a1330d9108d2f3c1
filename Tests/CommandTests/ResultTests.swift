import Foundation
import TestSupport
import Testing

/// What a verb prints with `--json`: the keys, where "a/b" is b in a, and "*" any key.
private struct Expected: Sendable, CustomTestStringConvertible {
  let arguments: [String]
  let keys: [String]

  init(_ line: String, _ keys: String) {
    arguments = line.split(separator: " ").map(String.init)
    self.keys = keys.split(separator: " ").map(String.init)
  }

  var testDescription: String { arguments.joined(separator: " ") }
}

private let expected = [
  Expected(
    "convert photos c --per-class 4",
    "splits splits/train splits/train/records splits/train/bytes splits/train/seconds splits/train/skipped "
      + "splits/train/list splits/train/rec splits/train/idx splits/val/records skipped warnings classes report"
  ),
  Expected(
    "list photos l", "images lists lists/all lists/all/path lists/all/images classes skipped warnings"),
  Expected("pack in.lst photos -o p.rec", "records bytes seconds skipped warnings"),
  Expected(
    "info in.rec",
    "records bytes label_width labels labels/0 labels/1 encodings encodings/jpeg orientations short_edges"),
  Expected("verify in.rec", "records ok bad index_entries"),
  Expected("extract in.rec images", "images folders list bytes skipped"),
  Expected("merge m.rec in.rec", "records bytes parts"),
  Expected("tensors in.rec -o t.npy --shape 3,8,8", "records shape images labels skipped"),
  Expected(
    "bench decode in.rec --shape 3,8,8 --runs 2",
    "images_per_second best_images_per_second runs images jobs shape kernels"),
]

@Suite("A verb of imrec")
struct ResultTests {
  @Test(
    "prints one JSON document with the fields of its contract, and words on stderr only", arguments: expected)
  private func document(_ expected: Expected) throws {
    try withRecords { folder in
      let run = imrec.run(expected.arguments + ["--json"], in: folder)
      #expect(run.status == 0, "\(run)")
      let document = try #require(
        try JSONSerialization.jsonObject(with: Data(run.output.utf8)) as? [String: Any], "\(run)")
      for key in expected.keys {
        var value: Any? = document
        for part in key.split(separator: "/") { value = (value as? [String: Any])?[String(part)] }
        #expect(value != nil, "\(key) is missing in \(run.output)")
      }
    }
  }

  @Test("says nothing on stderr with --quiet, and the same on stdout", arguments: expected)
  private func quiet(_ expected: Expected) throws {
    try withRecords { folder in
      let run = imrec.run(expected.arguments + ["--json", "--quiet"], in: folder)
      #expect(run.status == 0 && run.errors.isEmpty && run.output.hasPrefix("{\n"), "\(run)")
    }
    try withRecords { folder in
      let run = imrec.run(expected.arguments + ["--quiet"], in: folder)
      #expect(run.status == 0 && run.errors.isEmpty && !run.output.isEmpty, "\(run)")
    }
  }

  @Test("counts what it made")
  func counts() throws {
    try withRecords { folder in
      let json = try parse(imrec.run(["convert", "photos", "c", "--per-class", "4", "--json"], in: folder))
      let splits = try #require(json["splits"] as? [String: [String: Any]])
      #expect(splits["train"]?["records"] as? Int == 8 && splits["val"]?["records"] as? Int == 4)
      #expect(splits["train"]?["bytes"] as? Int == readScratchBytes(folder + "/c-4-train.rec")?.count)
      #expect(readScratchFile(folder + "/c-classes.txt") == "a\nb\n")
      let names = [
        "c-4-train.idx", "c-4-train.lst", "c-4-train.rec", "c-4-val.idx", "c-4-val.lst", "c-4-val.rec",
      ]
      #expect(
        scratchNames(folder).filter { $0.hasPrefix("c-") } == names + ["c-classes.txt", "c-report.json"])
      let info = try parse(imrec.run(["info", "in.rec", "--json"], in: folder))
      #expect(info["records"] as? Int == 12 && info["labels"] as? [String: Int] == ["0": 6, "1": 6])
      #expect(info["encodings"] as? [String: Int] == ["jpeg": 12] && info["label_width"] as? Int == 1)
    }
  }

  @Test("keeps class names and paths as they are in its JSON")
  func names() throws {
    try withScratchFolder { folder in
      let wanted = ["Grüße \"quoted\" \\", "camelCase", "with_underscore"]
      for name in wanted {
        writeScratchFile("\(folder)/photos/\(name)/anImage.jpg", try jpeg())
      }
      let json = try parse(imrec.run(["list", "photos", "l", "--json"], in: folder))
      let names = (json["classes"] as? [[String: Any]])?.compactMap { $0["name"] as? String }
      #expect(names == wanted)
    }
  }

  @Test("shows progress as a line every 10 % where stderr is no terminal")
  func progress() throws {
    try withRecords(each: 10) { folder in
      let run = imrec.run(["pack", "in.lst", "photos", "-o", "p.rec"], in: folder)
      let lines = run.errors.split(separator: "\n")
      #expect(lines.count == 10 && lines.last?.hasPrefix("100 %  20/20 images") == true, "\(run)")
      #expect(!run.errors.contains("\r") && !run.errors.contains("\u{1B}"))
    }
  }

  @Test("has status 2 where inputs were skipped, and names each with its reason", arguments: [false, true])
  func skipping(isJSON: Bool) throws {
    try withRecords { folder in
      writeScratchFile(folder + "/photos/a/00.jpg", Array("GIF89a".utf8))
      let run = imrec.run(
        ["pack", "in.lst", "photos", "-o", "p.rec"] + (isJSON ? ["--json"] : []), in: folder)
      #expect(run.status == 2, "\(run)")
      #expect(
        run.errors.contains("skipped: a/00.jpg: this is a GIF image; JPEG or PNG is expected"), "\(run)")
      if isJSON {
        let skipped = try parse(run)["skipped"] as? [[String: String]]
        #expect(skipped == [["path": "a/00.jpg", "reason": "this is a GIF image; JPEG or PNG is expected"]])
      }
    }
  }

  @Test(
    "has status 1, a sentence with the path, and no output where its input is not there",
    arguments: [
      "convert none x", "list none x", "pack none photos", "pack in.lst none", "info none", "verify none",
      "extract none x", "merge x.rec none", "merge x.rec in.rec none", "tensors none -o x.npy",
      "bench decode none",
    ])
  func missing(_ line: String) throws {
    try withRecords { folder in
      let before = scratchNames(folder)
      let run = imrec.run(line.split(separator: " ").map(String.init) + ["--json"], in: folder)
      #expect(run.status == 1 && run.output.isEmpty, "\(run)")
      #expect(run.errors.hasPrefix("imrec: none: there is no such file or folder\n"), "\(run)")
      #expect(scratchNames(folder) == before)
    }
  }

  private func parse(_ run: ProgramRun) throws -> [String: Any] {
    try #require(try JSONSerialization.jsonObject(with: Data(run.output.utf8)) as? [String: Any], "\(run)")
  }
}
