import Glibc
import Predictions
import TestSupport
import Testing

private let row = "[0.5,0.25,0.25]"

@Suite("Which output belongs to which image")
struct MatchingTests {
  private struct Case: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let outputs: [String]
    let truth: [String]
    let scored: [String]
    let rules: [MatchRule: Int]
    var unexpected: [String: String] = [:]

    init(
      _ name: String, _ outputs: [String], _ truth: [String], _ scored: [String], _ rules: [MatchRule: Int],
      unexpected: [String: String] = [:]
    ) {
      testDescription = name
      (self.outputs, self.truth, self.scored, self.rules, self.unexpected) = (
        outputs, truth, scored, rules, unexpected
      )
    }
  }
  private static let stranger = "the truth has no image of this name"

  private static let cases: [Case] = [
    Case(
      "the same path", ["a/1.jpg", "b/1.jpg"], ["a/1.jpg", "b/1.jpg"], ["a/1.jpg", "b/1.jpg"], [.path: 2]),
    Case(
      "without the image's suffix", ["a/1", "b/x.y"], ["a/1.jpg", "b/x.y.png"], ["a/1.jpg", "b/x.y.png"],
      [.path: 2]),
    Case(
      "a suffix of the name is not the image's", ["a/x.tar"], ["a/x.jpg", "b/2.jpg"], [], [:],
      unexpected: ["a/x.tar.out": stranger]),
    Case(
      "deeper outputs", ["job/a/1.jpg", "job/b/1.jpg"], ["a/1.jpg", "b/1.jpg"], ["a/1.jpg", "b/1.jpg"],
      [.pathEnd: 2]),
    Case(
      "deeper truth", ["a/1.jpg", "b/1.jpg"], ["val/a/1.jpg", "val/b/1.jpg"], ["val/a/1.jpg", "val/b/1.jpg"],
      [.pathEnd: 2]),
    Case(
      "both deeper, in agreement and not", ["x/val/a/1.jpg", "y/a/2.jpg", "val/a/3.jpg"],
      ["val/a/1.jpg", "val/a/2.jpg", "val/a/3.jpg"], ["val/a/1.jpg", "val/a/3.jpg"], [.pathEnd: 1, .path: 1],
      unexpected: ["y/a/2.jpg.out": stranger]),
    Case("flattened", ["1.jpg", "2.jpg"], ["a/1.jpg", "b/2.jpg"], ["a/1.jpg", "b/2.jpg"], [.fileName: 2]),
    Case(
      "flattened into a folder", ["job-7/1.jpg", "job-7/2.jpg"], ["a/1.jpg", "b/2.jpg"],
      ["a/1.jpg", "b/2.jpg"], [.fileName: 2]),
    Case(
      "flattened, without the image's suffix", ["1", "2"], ["a/1.jpg", "b/2.png"], ["a/1.jpg", "b/2.png"],
      [.fileName: 2]),
    Case("flattened, one class only", ["1.jpg"], ["a/1.jpg", "a/2.jpg"], ["a/1.jpg"], [.fileName: 1]),
    Case(
      "flattened, but the file name is not unique", ["1.jpg", "2.jpg"], ["a/1.jpg", "b/1.jpg", "b/2.jpg"],
      ["b/2.jpg"], [.fileName: 1],
      unexpected: ["1.jpg.out": "2 images of the truth have this file name"]),
    Case(
      "a folder that contradicts is no match", ["z/1.jpg", "a/2.jpg"], ["a/1.jpg", "a/2.jpg", "b/3.jpg"],
      ["a/2.jpg"], [.path: 1],
      unexpected: ["z/1.jpg.out": stranger]),
    Case("ids of the list", ["100", "101"], ["a/1.jpg", "b/2.jpg"], ["a/1.jpg", "b/2.jpg"], [.id: 2]),
    Case(
      "a name goes before an id", ["101", "102"], ["102.jpg", "x.jpg"], ["102.jpg", "x.jpg"],
      [.path: 1, .id: 1]),
    Case(
      "several rules at once", ["a/1.jpg", "2.jpg", "102", "no.jpg"], ["a/1.jpg", "b/2.jpg", "c/3.jpg"],
      ["a/1.jpg", "b/2.jpg", "c/3.jpg"], [.path: 1, .fileName: 1, .id: 1],
      unexpected: ["no.jpg.out": stranger]),
    Case(
      "absolute paths of the truth", ["a/1.jpg"], ["/data/a/1.jpg", "/data/b/1.jpg"], ["/data/a/1.jpg"],
      [.pathEnd: 1]),
    Case(
      "hostile names", ["</script>\"\u{202E}/=cmd().jpg"], ["</script>\"\u{202E}/=cmd().jpg"],
      ["</script>\"\u{202E}/=cmd().jpg"], [.path: 1]),
    Case("litter is no output", ["a/1.jpg", "a/._1.jpg", "._x"], ["a/1.jpg"], ["a/1.jpg"], [.path: 1]),
    Case(
      "names that differ by normalisation only", ["\u{E9}.jpg"], ["e\u{301}.jpg", "f.jpg"], ["e\u{301}.jpg"],
      [.spelling: 1]),
  ]

  @Test("is found by", arguments: cases)
  private func rules(_ test: Case) throws {
    let outputs = Dictionary(uniqueKeysWithValues: test.outputs.map { ($0, row) })
    let result = try judge(outputs: outputs, truth: test.truth.map { ($0, 0) })
    #expect(result.scored.keys.sorted() == test.scored.sorted())
    #expect(result.rules == test.rules)
    #expect(result.unexpected == test.unexpected)
    #expect(result.isReconciled)
  }

  @Test("Caltech's class number decides where nothing else matches: NNN is class NNN - 1")
  func caltech() throws {
    let outputs = [
      "001_0001.jpg": row, "002_0007": row, "x/002_0008.jpg": row, "003_0001.jpg": row, "nothing.jpg": row,
    ]
    let truth = [("k/p.jpg", 0), ("l/q.jpg", 1), ("l/r.jpg", 1), ("l/s.jpg", 1)]
    let result = try judge(outputs: outputs, truth: truth)
    #expect(result.scored.mapValues(\.truth) == ["001_0001.jpg": 0, "002_0007": 1, "x/002_0008.jpg": 1])
    #expect(result.rules == [.caltech: 3])
    #expect(result.missing.count == 1)
    #expect(
      result.unexpected == [
        "003_0001.jpg.out": "the truth has no more images of class 2",
        "nothing.jpg.out": "the truth has no image of this name",
      ])
    #expect(result.passCount == 2)
    #expect(result.inputCount == result.scored.count + result.invalid.count + result.missing.count)
  }

  @Test("Caltech's class number is not asked where a name matches: outputs of other images stay unexpected")
  func caltechIsLast() throws {
    let result = try judge(
      outputs: ["001_0001.jpg": row, "001_0002.jpg": row], truth: [("a/001_0001.jpg", 2), ("a/q.jpg", 0)])
    #expect(result.scored.mapValues(\.truth) == ["a/001_0001.jpg": 2])
    #expect(result.rules == [.fileName: 1])
    #expect(Array(result.unexpected.keys) == ["001_0002.jpg.out"])
  }

  @Test(
    "names that do not follow Caltech's scheme are not taken for Caltech's",
    arguments: [
      "000_0001.jpg", "1_0001.jpg", "001-0001.jpg", "001_001.jpg", "001_00011.jpg", "a001_0001.jpg",
      "00a_0001.jpg", "001_000x.jpg",
    ])
  func notCaltech(_ name: String) throws {
    let result = try judge(outputs: [name: row], truth: [("k/p.jpg", 0)])
    #expect(result.scored.isEmpty && result.unexpected.count == 1 && result.missing == ["k/p.jpg"])
  }

  @Test("two outputs of one image that say the same count once, the other is unexpected")
  func sameTwice() throws {
    let result = try judge(
      outputs: ["a/1.jpg": row, "a/1": "[ 0.5, 0.25, 25e-2 ]"], truth: [("a/1.jpg", 0), ("b/1.jpg", 1)])
    #expect(result.scored.keys.sorted() == ["a/1.jpg"])
    #expect(
      result.unexpected == ["a/1.out": "the image a/1.jpg already has the same output"]
        || result.unexpected == ["a/1.jpg.out": "the image a/1.jpg already has the same output"])
    #expect(result.passCount == 1)
  }

  @Test(
    "two outputs of one image that differ make it invalid, whichever comes first; nothing of it is scored")
  func contradiction() throws {
    for other in ["[0.25,0.5,0.25]", "rubbish", "0"] {
      let result = try judge(
        outputs: ["a/1.jpg": row, "a/1": other, "b/1.jpg": row], truth: [("a/1.jpg", 0), ("b/1.jpg", 1)])
      #expect(result.scored.keys.sorted() == ["b/1.jpg"])
      #expect(result.invalid["a/1.jpg"]?.hasPrefix("two of its outputs contradict each other: a/1.") == true)
      #expect(result.unexpected.isEmpty)
      #expect(result.passCount == 2 && result.isReconciled)
    }
  }

  @Test(
    "outputs of images whose truth cannot be used belong to them: they are neither unexpected nor another image's"
  )
  func rejectedImages() throws {
    try withScratchFolder { (folder) throws in
      for name in ["a/1.jpg", "b/1.jpg", "2.jpg", "c/3.jpg", "d/4.jpg", "1.jpg", "e/5.jpg"] {
        writeScratchFile("\(folder)/o/\(name).out", row.utf8)
      }
      let table = "a/1.jpg,0\nb/1.jpg,9\nb/2.jpg,9\nc/3.jpg,0\nc/3.jpg,1\nd/4.jpg,0\nd/4.jpg,horse\n"
      writeScratchFile("\(folder)/t.csv", table.utf8)
      let result = try judge("\(folder)/o", truth: "\(folder)/t.csv", classes: ["x", "y", "z"])
      #expect(result.scored.keys.sorted() == ["a/1.jpg"])
      #expect(result.invalid.keys.sorted() == ["b/1.jpg", "b/2.jpg", "c/3.jpg", "d/4.jpg"])
      #expect(result.missing.isEmpty)
      #expect(
        result.unexpected == [
          "1.jpg.out": "2 images of the truth have this file name",
          "e/5.jpg.out": "the truth has no image of this name",
        ])
      writeScratchFile("\(folder)/t.lst", "7\t0\tq.jpg\n8\t0.5\tr.jpg\n".utf8)
      writeScratchFile("\(folder)/ids/7.out", row.utf8)
      writeScratchFile("\(folder)/ids/8.out", row.utf8)
      let byID = try judge("\(folder)/ids", truth: "\(folder)/t.lst")
      #expect(byID.scored.keys.sorted() == ["q.jpg"] && byID.invalid.keys.sorted() == ["r.jpg"])
      #expect(byID.unexpected.isEmpty)
    }
  }

  @Test(
    "numbers are ids where at least as many are ids as are names without suffix; so is what an \"id\" says")
  func numbers() throws {
    let truth = [("a/101.jpg", 0), ("a/100.jpg", 1), ("b/102.jpg", 2), ("b/99.jpg", 1)]
    func truths(_ outputs: [String]) throws -> [String: Int] {
      let rows = outputs.enumerated().map { ($1, "\($0)") }
      let result = try judge(outputs: Dictionary(uniqueKeysWithValues: rows), truth: truth)
      #expect(result.isReconciled && result.unexpected.isEmpty)
      return result.rules.reduce(into: [:]) { $0["\($1.key)"] = $1.value }
    }
    #expect(try truths(["100", "101", "102", "103"]) == ["id": 4])
    #expect(try truths(["job/100", "job/103"]) == ["id": 2])
    #expect(try truths(["100", "101", "102", "99"]) == ["unique file name": 4])
    #expect(try truths(["100.jpg", "101.jpg"]) == ["unique file name": 2])
    let lines = try judge(lines: #"{"id":101,"label":0}"# + "\n" + #"{"name":"101","label":1}"#, truth: truth)
    #expect(lines.scored.mapValues(\.label) == ["a/100.jpg": 0, "a/101.jpg": 1])
  }

  @Test("names that are not UTF-8 are shown as bytes, and nothing stops")
  func notUTF8() throws {
    try withScratchFolder { folder in
      writeScratchFile("\(folder)/outputs/a.jpg.out", row.utf8)
      let name = Array("\(folder)/outputs/b\u{1}".utf8).map { $0 == 1 ? 0xFF : $0 } + Array(".jpg.out".utf8)
      let descriptor = open(name.map { CChar(bitPattern: $0) } + [0], O_WRONLY | O_CREAT, 0o644)
      write(descriptor, row, row.utf8.count)
      close(descriptor)
      writeScratchFile("\(folder)/t.csv", "a.jpg,0\n".utf8)
      let result = try judge("\(folder)/outputs", truth: "\(folder)/t.csv")
      #expect(result.unexpected == ["b\\xff.jpg.out": "the truth has no image of this name"])
      #expect(result.scored.count == 1)
    }
  }

  @Test("a name of 255 bytes and a path of 4,000 are matched like any other")
  func longNames() throws {
    let long = String(repeating: "n", count: 247) + ".jpg"
    let deep =
      Array(repeating: String(repeating: "d", count: 199), count: 18).joined(separator: "/") + "/x.jpg"
    let result = try judge(outputs: [long: row, deep: row], truth: [(long, 0), (deep, 1)])
    #expect(result.scored.count == 2 && result.rules == [.path: 2])
  }
}
