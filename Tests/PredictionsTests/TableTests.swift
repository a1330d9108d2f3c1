import Predictions
import TestSupport
import Testing

/// Three classes of two images; an output for each, right but for the last.
private let images = [
  ("cat/000.jpg", "cat", 0), ("cat/001.jpg", "cat", 0), ("dog/000.jpg", "dog", 1), ("dog/001.jpg", "dog", 1),
  ("owl/000.jpg", "owl", 2), ("owl/001.jpg", "owl", 0),
]

private func row(_ label: Int) -> String {
  (0..<3).map { $0 == label ? "0.6" : "0.2" }.joined(separator: ",")
}

private func utf16(_ text: String, isBigEndian: Bool, hasMark: Bool) -> [UInt8] {
  ((hasMark ? [0xFEFF] : []) + Array(text.utf16)).flatMap { unit in
    let bytes = [UInt8(unit >> 8), UInt8(unit & 0xFF)]
    return isBigEndian ? bytes : bytes.reversed()
  }
}

/// Judges a truth, and outputs in a folder, or, where `outputs` has a text, in a file of that name.
private func judged(
  truth: (name: String, bytes: [UInt8]), outputs: (name: String, text: String)? = nil,
  classes: [String]? = nil, columns: TruthColumns = TruthColumns()
) throws -> Judgement {
  try withScratchFolder { folder in
    writeScratchFile("\(folder)/\(truth.name)", truth.bytes)
    if let outputs {
      writeScratchFile("\(folder)/\(outputs.name)", outputs.text.utf8)
    } else {
      for (path, _, label) in images { writeScratchFile("\(folder)/o/\(path).out", "[\(row(label))]".utf8) }
    }
    let plan = try PredictionPlan(
      outputs: "\(folder)/\(outputs?.name ?? "o")", truth: "\(folder)/\(truth.name)",
      classes: try classes.map { try ClassList($0) }, columns: columns)
    return try judge(plan)
  }
}

private func refusal(_ body: () throws -> Judgement) -> String {
  do {
    return "not refused: \(try body())"
  } catch {
    return "\(error)"
  }
}

@Suite("Tables of truth")
struct TruthTableTests {
  private static func text(
    _ separator: String, header: [String]? = ["path", "label"], suffix: String = ".jpg"
  ) -> String {
    let rows = images.map { [$0.0.replacing(".jpg", with: suffix), $0.1] }
    return ((header.map { [$0] } ?? []) + rows).map { $0.joined(separator: separator) + "\n" }.joined()
  }

  private static let forms: [(name: String, file: String, bytes: [UInt8])] = [
    ("semicolons", "t.csv", Array(text(";").utf8)), ("tabs", "t.csv", Array(text("\t").utf8)),
    ("bars", "t.txt", Array(text("|").utf8)), ("semicolons, no ending", "t", Array(text(";").utf8)),
    ("commas in a .tsv", "t.tsv", Array(text(",").utf8)),
    ("a blank behind each comma", "t.csv", Array(text(", ").utf8)),
    ("blanks round quotes", "t.csv", Array(text(" , ").replacing("cat\n", with: "\"cat\" \n").utf8)),
    ("CRLF", "t.csv", Array(text(",").replacing("\n", with: "\r\n").utf8)),
    ("a mark of UTF-8", "t.csv", [0xEF, 0xBB, 0xBF] + Array(text(";").utf8)),
    ("UTF-16, little endian", "t.csv", utf16(text(","), isBigEndian: false, hasMark: true)),
    ("UTF-16, big endian", "t.txt", utf16(text("\t"), isBigEndian: true, hasMark: true)),
    ("UTF-16 without a mark", "t.csv", utf16(text(","), isBigEndian: false, hasMark: false)),
    ("UTF-16 without a mark, big endian", "t", utf16(text(";"), isBigEndian: true, hasMark: false)),
    ("CR alone", "t.csv", Array(text(",").replacing("\n", with: "\r").utf8)),
    ("CR alone, no header", "t", Array(text(";", header: nil).replacing("\n", with: "\r").utf8)),
    ("the separator in a line of its own", "t.csv", Array(("sep=;\r\n" + text(";")).utf8)),
    ("that line behind a mark", "t.tsv", [0xEF, 0xBB, 0xBF] + Array(("sep=|\n" + text("|")).utf8)),
    ("no header", "t.csv", Array(text(",", header: nil).utf8)),
    ("no header, semicolons", "t.csv", Array(text(";", header: nil).utf8)),
    ("names without suffixes", "t.csv", Array(text(",", suffix: "").utf8)),
    ("names without suffixes, no header", "t.csv", Array(text(",", header: nil, suffix: "").utf8)),
  ]

  @Test("are read in whatever form they come", arguments: 0..<forms.count)
  func isRead(_ index: Int) throws {
    let form = Self.forms[index]
    let result = try judged(truth: (form.file, form.bytes))
    #expect(result.classes == ["cat", "dog", "owl"], "\(form.name)")
    #expect(result.scored.values.map(\.truth).sorted() == [0, 0, 1, 1, 2, 2], "\(form.name): \(result)")
    #expect(result.unexpected.isEmpty && result.missing.isEmpty && result.invalid.isEmpty, "\(form.name)")
  }

  @Test("with a header of unknown names are refused, and read where the caller says which columns hold what")
  func unknownHeader() throws {
    let bytes = Array(Self.text(",", header: ["image_id", "breed"]).utf8)
    let words = refusal { try judged(truth: ("t.csv", bytes)) }
    #expect(
      words.contains(
        "t.csv: its first row is \"image_id\", \"breed\": none of these is a known name of a column"))
    let listed = refusal { try judged(truth: ("t.csv", bytes), classes: ["cat", "dog", "owl"]) }
    #expect(listed.contains("its first row is \"image_id\", \"breed\""))
    for columns in [
      TruthColumns(image: "image_id", label: "breed"), TruthColumns(label: "breed"),
      TruthColumns(image: "image_id"), TruthColumns(image: "Image_ID", label: "BREED"),
    ] {
      let result = try judged(truth: ("t.csv", bytes), columns: columns)
      #expect(result.scored.count == 6 && result.classes == ["cat", "dog", "owl"])
    }
    let other = refusal { try judged(truth: ("t.csv", bytes), columns: TruthColumns(label: "kind")) }
    #expect(other.contains("no column for \"kind\"; its header has \"image_id\", \"breed\""))
  }

  @Test("take the columns that are asked for, among others that are known")
  func columns() throws {
    let text = "id,path,label,kind\n" + images.map { "9,\($0.0),7,\($0.1)\n" }.joined()
    let result = try judged(truth: ("t.csv", Array(text.utf8)), columns: TruthColumns(label: "kind"))
    #expect(result.classes == ["cat", "dog", "owl"] && result.scored.count == 6)
    let lines = images.map { "{\"path\":\"\($0.0)\",\"label\":7,\"kind\":\"\($0.1)\"}\n" }.joined()
    let keyed = try judged(truth: ("t.jsonl", Array(lines.utf8)), columns: TruthColumns(label: "kind"))
    #expect(keyed.scored.count == 6 && keyed.classes == ["cat", "dog", "owl"])
  }

  @Test("with two columns of labels that disagree are refused, unless the caller says which one is meant")
  func twoLabels() throws {
    func table(_ other: (Int, String) -> String) -> (String, [UInt8]) {
      let rows = images.enumerated().map { "\($1.0),\($1.1),\(other($0, $1.1))\n" }.joined()
      return ("t.csv", Array(("path,class,Category\n" + rows).utf8))
    }
    let unlike = table { number, _ in "kind \(number)" }
    let words = refusal { try judged(truth: unlike) }
    #expect(
      words.contains("the columns \"class\" and \"Category\" may both be the labels, and they disagree"))
    #expect(try judged(truth: unlike, columns: TruthColumns(label: "class")).scored.count == 6)
    // A coarser grouping, other words for the same classes, and values that are not there.
    for other: (Int, String) -> String in [
      { _, name in name == "owl" ? "bird" : "pet" }, { _, name in name.uppercased() },
      { number, _ in number == 0 ? "x" : "" },
    ] {
      #expect(try judged(truth: table(other)).classes == ["cat", "dog", "owl"])
    }
  }

  @Test(
    "that cannot be read are refused in one sentence",
    arguments: [
      ("t.csv", "path\ncat/000.jpg\n", "its rows have one column, such as \"path\""),
      ("t.csv", "path,label,label\na.jpg,1,2\n", "the column \"label\" is asked for twice"),
      ("t.txt", "a;b.jpg,x\n", "it is not clear which of them separates the columns"),
      ("t.csv", "version https://git-lfs.github.com/spec/v1\noid sha256:1\n", "this is a Git LFS pointer"),
      ("t.csv", "<!DOCTYPE html>\n<html>", "this is an HTML page"),
      ("t.csv", "PK\u{3}\u{4}x", "this is a ZIP archive"),
      ("t.json", "{\"a.jpg\": 1,\n \"b.jpg\": 0}\n", "this is one JSON object over several lines"),
      ("t.jsonl", "[{\"path\":\"a\",\"label\":1},", "this is one JSON array, and it is damaged: byte 24"),
    ])
  func refusals(_ name: String, _ text: String, _ words: String) {
    let said = refusal { try judged(truth: (name, Array(text.utf8))) }
    #expect(said.contains(words) && !said.contains("\n"), "\(said)")
  }

  @Test("in an encoding that is not read say so")
  func encodings() {
    for bytes: [UInt8] in [[0xFF, 0xFE, 0, 0, 0x41, 0, 0, 0], [0xFF, 0xFE, 0x00, 0xD8, 0x41, 0]] {
      #expect(refusal { try judged(truth: ("t.csv", bytes)) }.contains("UTF-8 is expected"))
    }
    let list = utf16("0\t0\ta.jpg\n", isBigEndian: false, hasMark: true)
    #expect(refusal { try judged(truth: ("t.lst", list)) }.contains("this is text in UTF-16"))
  }

  @Test("as one JSON array are read like lines")
  func array() throws {
    let text =
      "[\n" + images.map { "  {\n\"path\": \"\($0.0)\",\r\n\"label\": \"\($0.1)\"}" }.joined(separator: ",\n")
      + "\n]\n"
    let result = try judged(truth: ("t.json", Array(text.utf8)))
    #expect(result.scored.count == 6 && result.classes == ["cat", "dog", "owl"])
  }

  @Test("a manifest's label is what has metadata beside it; of several none is chosen")
  func manifests() throws {
    let one = images.map {
      "{\"source-ref\":\"s3://b/\($0.0)\",\"label\":9,\"kind\":\"\($0.1)\",\"kind-metadata\":{\"confidence\":1}}\n"
    }
    #expect(try judged(truth: ("t.manifest", Array(one.joined().utf8))).classes == ["cat", "dog", "owl"])
    let two = one.map { $0.replacing("\"label\":9", with: "\"other\":9,\"other-metadata\":{}") }
    let refused = try judged(truth: ("t.manifest", Array(two.joined().utf8)))
    #expect(refused.scored.isEmpty && refused.invalid.count == 6)
    #expect(
      refused.invalid.values.allSatisfy {
        $0 == "its label could be under any of \"kind\", \"other\""
      })
    let chosen = try judged(
      truth: ("t.manifest", Array(two.joined().utf8)), columns: TruthColumns(label: "kind"))
    #expect(chosen.scored.count == 6)
  }
}

@Suite("Outputs in one file of another form")
struct OutputFileTests {
  private static let list = Array(
    images.enumerated().map { "\($0)\t\(["cat": 0, "dog": 1, "owl": 2][$1.1] ?? 9)\t\($1.0)\n" }.joined().utf8
  )

  private func scored(_ name: String, _ text: String, classes: [String]? = nil) throws -> Judgement {
    try judged(truth: ("t.lst", Self.list), outputs: (name, text), classes: classes)
  }

  @Test("one JSON array is read element by element, whatever its line ends")
  func array() throws {
    for (separator, end) in [(", ", ""), (",\n  ", "\n"), (",", "  \n\n")] {
      let items = images.map {
        "{\"image\":\"\($0.0)\", \"prediction\":\(separator == ", " ? " " : "\n") [\(row($0.2))]}"
      }
      let result = try scored("o.json", "[" + items.joined(separator: separator) + "]" + end)
      #expect(result.scored.count == 6 && result.rules == [.path: 6] && result.isReconciled)
    }
    let bare = try scored("o.json", "[" + images.map { "[\(row($0.2))]" }.joined(separator: ",") + "]")
    #expect(bare.scored.count == 6 && bare.rules == [.order: 6])
  }

  @Test("an array is read in blocks: elements and the rest of them may lie in different ones")
  func largeArray() throws {
    let count = 40_000
    let padding = String(repeating: "x", count: 60)
    let items = (0..<count).map {
      "{\"path\":\"\($0).jpg\",\"note\":\"\(padding)\",\"prediction\":[0.75,0.25]}"
    }
    let truth = (0..<count).map { "\($0).jpg,0\n" }.joined()
    let result = try judged(
      truth: ("t.csv", Array(truth.utf8)), outputs: ("o.json", "[" + items.joined(separator: ",\n") + "]"))
    #expect(result.scored.count == count && result.unexpected.isEmpty)
  }

  @Test(
    "an array that breaks off or goes on behind its end is refused in one sentence",
    arguments: [
      ("[{\"path\":\"a\",\"prediction\":[1]}", "byte 30: the text ends where ',' or ']' is expected"),
      ("[{\"path\":\"a\",\"prediction\":[1", "the text ends"),
      ("[[1,0]] [1]", "'[' where the end of the text is expected"),
      ("[[1,0],]", "']' where a value is expected"),
    ])
  func brokenArray(_ text: String, _ words: String) {
    let said = refusal { try scored("o.json", text) }
    #expect(
      said.contains("this is one JSON array, and it is damaged: byte") && said.contains(words), "\(said)")
  }

  @Test("a table has a column for each class, in any order where the classes have names")
  func probabilities() throws {
    let text = "image,cat,dog,owl\n" + images.map { "\($0.0),\(row($0.2))\n" }.joined()
    for classes in [nil, ["cat", "dog", "owl"]] {
      let result = try scored("o.csv", text, classes: classes)
      #expect(result.classes == ["cat", "dog", "owl"] && result.scored.count == 6)
      #expect(result.scored["dog/000.jpg"]?.row == [0.2, 0.6, 0.2])
    }
    let turned = try scored("o.csv", text, classes: ["owl", "cat", "dog"])
    #expect(turned.scored["dog/000.jpg"]?.row == [0.2, 0.2, 0.6])
    let numbered = text.replacing("cat,dog,owl", with: "0;1;2").replacing(",", with: ";")
    #expect(try scored("o.csv", numbered).classes == ["0", "1", "2"])
    #expect(try scored("o.csv", numbered, classes: ["x", "y", "z"]).scored.count == 6)
    let quoted = text.replacing("\n", with: "\r\n").replacing("image", with: "\u{FEFF}\"image\"")
    #expect(try scored("o.csv", quoted).scored.count == 6)
  }

  @Test("a table may have the class alone, or the probabilities as an array")
  func labels() throws {
    let names = ["cat", "dog", "owl"]
    for (header, cell) in [
      ("path,predicted_label,score", { (label: Int) in "\(names[label]),0.6" }),
      ("path,prediction,note", { (label: Int) in "\(label),x" }),
    ] {
      let text = header + "\n" + images.map { "\($0.0),\(cell($0.2))\n" }.joined()
      let result = try scored("o.csv", text, classes: names)
      #expect(result.scored.count == 6 && result.scored["owl/001.jpg"]?.label == 0)
    }
    let arrays = "path,prediction\n" + images.map { "\($0.0),\"[\(row($0.2))]\"\n" }.joined()
    #expect(try scored("o.csv", arrays).scored["dog/000.jpg"]?.row == [0.2, 0.6, 0.2])
  }

  @Test(
    "a table of which the columns are not clear is refused",
    arguments: [
      ("image,a,b\ncat/000.jpg,3,4\n", "are not those of the classes"),
      ("image,cat,dog,owl,yak\ncat/000.jpg,1,0,0,0\n", "\"yak\" is not on the class list"),
    ])
  func unclear(_ text: String, _ words: String) {
    let classes = words.contains("yak") ? ["cat", "dog", "owl"] : nil
    let said = refusal { try scored("o.csv", text, classes: classes) }
    #expect(said.contains(words), "\(said)")
  }

  @Test("a bad row of a table is the fault of one image")
  func badRows() throws {
    let text =
      "image,cat,dog,owl\n" + images.dropLast(3).map { "\($0.0),\(row($0.2))\n" }.joined()
      + "dog/001.jpg,nan,0,1\nowl/000.jpg,0.5,0.5\nowl/001.jpg,-1,1,1\n,1,0,0\n"
    let result = try scored("o.csv", text)
    #expect(result.scored.count == 3 && result.invalid.count == 3 && result.unexpected.count == 1)
    #expect(result.invalid["dog/001.jpg"] == "o.csv line 5: \"nan\" where a probability is expected")
    #expect(result.isReconciled)
  }

  @Test(
    "a file of which no line is a prediction, or that is something else, is refused in one sentence",
    arguments: [
      ("one\ntwo\nthree\n", "none of its first 3 lines is a prediction; line 1: byte 0: 'one' where"),
      ("a.jpg,0.5,0.5\n", "its only line is not a prediction"), ("PK\u{3}\u{4}", "this is a ZIP archive"),
      ("version https://git-lfs.github.com/spec/v1\n", "this is a Git LFS pointer"),
      ("<html><body>404</body></html>", "this is an HTML page"),
      ("{\n  \"path\": \"a\",\n  \"label\": 1\n}\n", "this is one JSON object over several lines"),
    ])
  func others(_ text: String, _ words: String) {
    let said = refusal { try scored("o.jsonl", text) }
    #expect(said.contains(words) && !said.contains("\n"), "\(said)")
  }
}

@Suite("Names that look alike")
struct LookalikeTests {
  private static let out = "[0.5,0.25,0.25]"

  private func judged(_ outputs: [String], _ truth: [String]) throws -> Judgement {
    try judge(
      outputs: Dictionary(uniqueKeysWithValues: outputs.map { ($0, Self.out) }), truth: truth.map { ($0, 0) })
  }

  @Test(
    "are joined if the match is unique: other Unicode forms, other case, other slashes",
    arguments: [
      (["a/e\u{301}.jpg", "a/f.jpg"], ["a/\u{E9}.jpg", "a/f.jpg"]), (["A/IMG.JPG"], ["a/img.jpg"]),
      (["a\\b.jpg", "a\\c.jpg"], ["a/b.jpg", "a/c.jpg"]), (["A\\E\u{301}.jpg"], ["a/\u{E9}.jpg"]),
      (["out/A/1.jpg", "out/b/1.jpg"], ["val/a/1.jpg", "val/b/1.jpg"]),
    ])
  func joined(_ outputs: [String], _ truth: [String]) throws {
    let result = try judged(outputs, truth)
    #expect(result.scored.count == truth.count && result.unexpected.isEmpty, "\(result)")
    #expect(result.rules[.spelling] ?? 0 > 0 && result.isReconciled)
  }

  @Test("are reported if several match, and joined with none")
  func several() throws {
    let result = try judged(["A.jpg", "a.JPG", "b.jpg"], ["a.jpg", "b.jpg"])
    #expect(result.scored.count == 1 && result.missing == ["a.jpg"])
    #expect(
      result.unexpected["A.jpg.out"]
        == "the image a.jpg and 2 outputs differ only in spelling, so they cannot be matched one to one")
    let twins = try judged(["E\u{301}.jpg"], ["e\u{301}.jpg", "\u{E9}.jpg"])
    #expect(twins.scored.isEmpty && twins.missing.count == 2 && twins.unexpected.count == 1)
  }

  @Test("names of the same bytes go first: two that differ in form only are two images")
  func bytesFirst() throws {
    let names = ["\u{E9}.jpg", "e\u{301}.jpg", "E\u{301}.jpg"]
    try withScratchFolder { (folder) throws in
      for name in names { writeScratchFile("\(folder)/o/\(name).out", Self.out.utf8) }
      writeScratchFile("\(folder)/t.csv", names.map { "\($0),0\n" }.joined().utf8)
      let result = try judge("\(folder)/o", truth: "\(folder)/t.csv")
      #expect(result.rules == [.path: 3] && result.passCount == 1 && result.missing.isEmpty)
    }
  }

  @Test("names fit below one folder of the truth: joined; below several: not")
  func folder() throws {
    let one = try judged(
      ["1.jpg", "2.jpg", "3.jpg"], ["a/1.jpg", "b/1.jpg", "a/2.jpg", "b/2.jpg", "a/3.jpg", "c/3.jpg"])
    #expect(one.scored.keys.sorted() == ["a/1.jpg", "a/2.jpg", "a/3.jpg"] && one.rules == [.folder: 3])
    #expect(one.missing == ["b/1.jpg", "b/2.jpg", "c/3.jpg"])
    let two = try judged(["1.jpg", "2.jpg"], ["a/1.jpg", "b/1.jpg", "a/2.jpg", "b/2.jpg"])
    #expect(two.scored.isEmpty && two.unexpected.count == 2)
  }

  @Test("classes that look like one of the list are reported")
  func classes() throws {
    let result = try judge(
      outputs: ["1.jpg": "\"Chat\"", "2.jpg": "\"caf\u{E9}\""], truth: [("1.jpg", 0), ("2.jpg", 1)],
      classes: ["chat", "cafe\u{301}"])
    #expect(
      result.invalid["1.jpg"] == "class \"Chat\" is not on the class list; did you mean \"chat\"?")
    #expect(result.invalid["2.jpg"]?.hasSuffix("; did you mean \"cafe\u{301}\"?") == true)
  }
}
