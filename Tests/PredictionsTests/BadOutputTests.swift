import Glibc
import Predictions
import TestSupport
import Testing

@Suite("Outputs that cannot be scored")
struct BadOutputTests {
  /// What stands in an output, and how its reason begins; `nil`: it is scored.
  private static let files: [(name: String, text: String, reason: String?)] = [
    ("good.jpg", #"{"prediction": [0.5, 0.25, 0.25]}"#, nil),
    ("bare.jpg", "[0.5,0.25,0.25]\r\n", nil),
    ("unnormalised.jpg", "[0.9,0.8,0.7]", nil),
    ("label.jpg", #"{"predicted_label":2}"#, nil),
    ("empty.jpg", "", "byte 0: there is no JSON"),
    ("blank.jpg", "\r\n \n", "byte 0: there is no JSON"),
    ("truncated.jpg", #"{"prediction": [0.5, 0.2"#, "byte 24: the text ends"),
    ("mark.jpg", "\u{FEFF}[0.5,0.25,0.25]", "byte 0: a byte order mark"),
    ("nan.jpg", "[0.5,NaN,0.25]", "byte 5: 'NaN'"),
    ("infinity.jpg", "[0.5,Infinity,0.25]", "byte 5: 'Infinity'"),
    ("negative.jpg", "[0.5,0.75,-0.25]", "byte 10: -0.25 is negative"),
    ("short.jpg", "[0.5,0.5]", "2 probabilities, but 3 are expected"),
    ("long.jpg", "[0.25,0.25,0.25,0.25]", "4 probabilities, but 3 are expected"),
    ("nested.jpg", "[[0.5,0.25,0.25]]", "byte 1: '['"),
    ("strings.jpg", #"["0.5","0.25","0.25"]"#, "byte 1: '\"'"),
    ("huge.jpg", "[1e999,0,0]", "byte 1: the number 1e999 is larger"),
    ("huge-label.jpg", "123456789012345678901234567890", "label 123456789012345678901234567890 is unknown"),
    ("unknown-label.jpg", #"{"label": 3}"#, "label 3 is unknown"),
    ("unknown-class.jpg", #"{"label": "horse"}"#, "class \"horse\" is not on the class list"),
    ("two.jpg", "[0.5,0.25,0.25]\n[0.25,0.5,0.25]\n", "it holds several predictions"),
    ("joined-up.jpg", "[0.5,0.25,0.25][0.25,0.5,0.25]", "byte 15: '[' where the end of the text"),
    ("rubbish-behind.jpg", "[0.5,0.25,0.25]}", "byte 15: '}' where the end of the text"),
    ("zero.jpg", "[0,0,0]", "all probabilities are 0"),
    ("html.jpg", "<html><body>504</body></html>", "this is an HTML page; a prediction is expected"),
    ("error.jpg", #"{"message":"ModelError"}"#, "the object has no \"prediction\""),
    ("null.jpg", #"{"prediction": null}"#, "byte 15: 'null'"),
  ]

  @Test("are each counted and named with the reason; the sums hold and the good ones are scored")
  func eachKind() throws {
    let outputs = Dictionary(uniqueKeysWithValues: Self.files.map { ("c/\($0.name)", $0.text) })
    let truth = Self.files.map { ("c/\($0.name)", 0) } + [("c/missing.jpg", 1)]
    let result = try judge(
      outputs: outputs.merging(["c/stranger.jpg": "[1,0,0]"]) { $1 }, truth: truth, classes: ["a", "b", "c"])
    for file in Self.files {
      let path = "c/\(file.name)"
      if let reason = file.reason {
        #expect(
          result.invalid[path]?.hasPrefix(reason) == true, "\(path): \(result.invalid[path] ?? "not invalid")"
        )
      } else {
        #expect(result.scored[path] != nil, "\(path)")
      }
    }
    #expect(result.missing == ["c/missing.jpg"])
    #expect(Array(result.unexpected.keys) == ["c/stranger.jpg.out"])
    #expect(result.scored["c/label.jpg"]?.label == 2)
    #expect(result.scored["c/unnormalised.jpg"]?.row == [0.9, 0.8, 0.7])
    #expect(result.isReconciled)
    #expect(result.outputCount == result.scored.count + result.invalid.count + result.unexpected.count)
  }

  @Test("special, unreadable and oversized files are named and do not block")
  func notFiles() throws {
    try withScratchFolder { folder in
      writeScratchFile("\(folder)/o/good.jpg.out", "[1,0]".utf8)
      mkfifo("\(folder)/o/fifo.jpg.out", 0o666)
      symlink("nowhere", "\(folder)/o/link.jpg.out")
      symlink("good.jpg.out", "\(folder)/o/alias.jpg.out")
      truncate("\(folder)/o/good.jpg.out", 5)
      let large = open("\(folder)/o/large.jpg.out", O_WRONLY | O_CREAT, 0o644)
      ftruncate(large, 1 << 40)
      close(large)
      writeScratchFile("\(folder)/o/.secret/x.jpg.out", "[1,0]".utf8)
      writeScratchFile("\(folder)/o/notes.txt", "hello".utf8)
      symlink("..", "\(folder)/o/loop")
      let names = ["good", "fifo", "link", "alias", "large"]
      writeScratchFile("\(folder)/t.csv", names.map { "\($0).jpg,0\n" }.joined().utf8)
      let result = try judge("\(folder)/o", truth: "\(folder)/t.csv")
      #expect(result.scored.keys.sorted() == ["alias.jpg", "good.jpg"])
      #expect(result.invalid["fifo.jpg"] == "this is a FIFO, not a file")
      #expect(result.invalid["link.jpg"] == "there is no such file or folder")
      #expect(result.invalid["large.jpg"] == "it has more than 67108864 bytes")
      #expect(result.isReconciled)
      let others = try OutputSource("\(folder)/o").others
      #expect(others.count == 3 && others.first == ".secret")
    }
  }

  @Test("an empty folder leaves every image missing; a missing folder is an error")
  func nothingThere() throws {
    let result = try judge(outputs: [:], truth: [("a.jpg", 0), ("b.jpg", 1)])
    #expect(result.missing == ["a.jpg", "b.jpg"] && result.isReconciled)
    #expect(throws: OutputError.self) { try OutputSource("/nowhere/at/all") }
  }

  @Test("a truth without images makes all outputs unexpected")
  func noImages() throws {
    let result = try judge(outputs: ["a.jpg": "[1,0]"], truth: [])
    #expect(result.inputCount == 0 && Array(result.unexpected.keys) == ["a.jpg.out"])
  }

  @Test("where no list says how many classes there are, the outputs do, and labels beyond are invalid")
  func classCount() throws {
    let outputs = ["a": "[1,0,0]", "b": "[1,0,0]", "c": "[1,0,0,0]", "d": "[0,1,0]"]
    let result = try judge(outputs: outputs, truth: [("a", 0), ("b", 3), ("c", 0), ("d", 2)])
    #expect(result.classes == ["0", "1", "2"])
    #expect(result.scored.keys.sorted() == ["a", "d"])
    #expect(result.invalid["b"] == "label 3 is unknown; a whole number from 0 to 2 is expected")
    #expect(result.invalid["c"] == "4 probabilities, but 3 are expected, one for each class")
    #expect(result.isReconciled)
  }

  @Test("of labels alone the largest says how many classes there are, also in one class of the truth")
  func labelsOnly() throws {
    let result = try judge(
      outputs: ["a": "0", "b": "5", "c": #"{"label":2.0}"#], truth: [("a", 0), ("b", 0), ("c", 0)])
    #expect(result.classes.count == 6)
    #expect(result.scored.mapValues(\.label) == ["a": 0, "b": 5, "c": 2])
  }

  @Test("a single class is a class list like any other")
  func oneClass() throws {
    let result = try judge(outputs: ["a": "[1]", "b": "[0.4]"], truth: [("a", 0), ("b", 0)])
    #expect(result.classes == ["0"] && result.scored.count == 2)
  }

  @Test("the sums hold for any mixture of whole, spoiled, missing, doubled and strange outputs")
  func mixtures() throws {
    var random = SplitMix64(seed: 11)
    for _ in 0..<40 {
      var outputs: [String: String] = [:]
      var truth: [(String, Int)] = []
      for index in 0..<Int.random(in: 0...60, using: &random) {
        let path = "c\(index % 3)/\(index).jpg"
        truth.append((path, Int.random(in: 0...3, using: &random)))
        var text = Array("{\"prediction\": [0.5, 0.25, 0.25]}".utf8)
        for _ in 0..<[0, 0, 1, 3].randomElement(using: &random)! {
          text[Int.random(in: 0..<text.count, using: &random)] = UInt8.random(in: 32...126, using: &random)
        }
        let name = [
          "c\(index % 3)/\(index).jpg", "c\(index % 3)/\(index)", "\(index).jpg", "x\(index)/\(index).jpg",
        ]
        for choice in name where Int.random(in: 0...2, using: &random) == 0 {
          outputs[choice] = String(decoding: text, as: UTF8.self)
        }
      }
      let result = try judge(outputs: outputs, truth: truth, classes: ["a", "b", "c"])
      #expect(result.isReconciled)
      #expect(result.outputCount == outputs.count)
    }
  }
}
