import Predictions
import TestSupport
import Testing

@testable import Predictions

@Suite("Outputs as JSON lines")
struct LineTests {
  @Test("each line names its image; blank lines, CRLF and a missing last line end do not matter")
  func named() throws {
    let lines = """
      {"path":"a/1.jpg","prediction":[0.5,0.25,0.25]}\r
      \r
      {"prediction":[0.25,0.5,0.25],"image":"b/1.jpg"}

         {"SageMakerInput":{"key":"s3://x/y/c/1.jpg"},"SageMakerOutput":[0,0,1]}
      {"id":103,"predicted_label":2}
      """
    let truth = [("a/1.jpg", 0), ("b/1.jpg", 1), ("c/1.jpg", 2), ("d/1.jpg", 2)]
    let result = try judge(lines: lines, truth: truth)
    #expect(result.scored["a/1.jpg"] == Judgement.Scored(truth: 0, row: [0.5, 0.25, 0.25]))
    #expect(result.scored["c/1.jpg"] == Judgement.Scored(truth: 2, row: [0, 0, 1]))
    #expect(result.scored["d/1.jpg"] == Judgement.Scored(truth: 2, label: 2))
    #expect(result.rules == [.path: 2, .pathEnd: 1, .id: 1])
    #expect(result.isReconciled && result.unexpected.isEmpty)
  }

  @Test("a bad line with a name makes its image invalid; one without is unexpected, by its number")
  func bad() throws {
    let lines = """
      {"path":"a.jpg","prediction":[0.5,0.5]}
      {"path":"b.jpg","prediction":[0.5,
      {"prediction":[0.5,0.5],
      {"path":"c.jpg","prediction":[0.5,NaN]}
      {"path":"z.jpg","prediction":[0.5,0.5]}
      {"path":"d.jpg","prediction":[0.5,0.5]} {"path":"d.jpg"}
      """
    let result = try judge(
      lines: lines, truth: [("a.jpg", 0), ("b.jpg", 1), ("c.jpg", 1), ("d.jpg", 1), ("e.jpg", 1)])
    #expect(result.scored.keys.sorted() == ["a.jpg"])
    #expect(
      result.invalid == [
        "b.jpg": "outputs.jsonl line 2: byte 34: the text ends where a number is expected",
        "c.jpg": "outputs.jsonl line 4: byte 34: 'NaN' where a number is expected",
        "d.jpg": "outputs.jsonl line 6: byte 40: '{' where the end of the line is expected",
      ])
    #expect(result.missing == ["e.jpg"])
    #expect(
      result.unexpected == [
        "outputs.jsonl line 3": "byte 24: the text ends where a key in quotes is expected",
        "z.jpg": "the truth has no image of this name",
      ])
    #expect(result.isReconciled)
  }

  @Test("a name that comes twice counts once if both say the same, else not at all")
  func doubled() throws {
    let lines = #"{"path":"a","label":1}"# + "\n" + #"{"label":1,"path":"a"}"# + "\n"
    let same = try judge(lines: lines, truth: [("a", 0), ("b", 1)])
    #expect(
      same.scored.keys.sorted() == ["a"]
        && same.unexpected == ["a": "the image a already has the same output"])
    let other = try judge(
      lines: lines + #"{"path":"a","label":0}"# + "\n" + #"{"path":"b","label":0}"#,
      truth: [("a", 0), ("b", 1)])
    #expect(other.scored.keys.sorted() == ["b"])
    #expect(
      other.invalid == [
        "a": "two of its outputs contradict each other: outputs.jsonl line 1 and outputs.jsonl line 3"
      ])
  }

  @Test("lines without names are joined by their order, if there are as many as images")
  func order() throws {
    let truth = [("a", 0), ("b", 1), ("c", 0)]
    let result = try judge(lines: "[1,0]\n{\"prediction\":[0,1]}\n\n{bad\n", truth: truth)
    #expect(result.rules == [.order: 3] && result.scored.mapValues(\.truth) == ["a": 0, "b": 1])
    #expect(result.invalid == ["c": "outputs.jsonl line 4: byte 1: 'bad' where a key in quotes is expected"])
    for lines in ["[1,0]\n[0,1]\n", "[1,0]\n[0,1]\n[1,0]\n[0,1]\n"] {
      #expect(throws: OutputError.self) { try judge(lines: lines, truth: truth) }
    }
    let labels = try judge(lines: "1\n0\n1\n", truth: truth)
    #expect(labels.scored.mapValues(\.label) == ["a": 1, "b": 0, "c": 1])
  }

  @Test("a transform of one file with many records has one output, a file of lines")
  func oneFolderFile() throws {
    let result = try judge(outputs: ["val.rec": "[1,0]\n[0,1]\n"], truth: [("a", 0), ("b", 1)])
    #expect(result.rules == [.order: 2])
    let keyed = try judge(
      outputs: [
        "part-1": "{\"path\":\"a\",\"label\":1}\n{\"path\":\"b\",\"label\":1}\n",
        "part-2": "{\"path\":\"c\",\"label\":0}\n{\"path\":\"d\"",
      ],
      truth: [("a", 0), ("b", 1), ("c", 1), ("d", 0)])
    #expect(keyed.scored.keys.sorted() == ["a", "b", "c"] && keyed.invalid.keys.sorted() == ["d"])
  }

  @Test("an order that means nothing is refused")
  func noOrder() {
    withScratchFolder { folder in
      writeScratchFile("\(folder)/t/a/1.jpg", "x".utf8)
      writeScratchFile("\(folder)/o.jsonl", "[1]\n".utf8)
      #expect(throws: OutputError.self) { try judge("\(folder)/o.jsonl", truth: "\(folder)/t") }
    }
  }

  @Test("a byte order mark in front is named, the other lines are read")
  func mark() throws {
    let result = try judge(
      lines: "\u{FEFF}{\"path\":\"a\",\"label\":1}\n{\"path\":\"b\",\"label\":1}\n",
      truth: [("a", 0), ("b", 1)])
    #expect(
      result.unexpected == ["outputs.jsonl line 1": "byte 0: a byte order mark, which JSON must not have"])
    #expect(result.missing == ["a"] && result.scored.count == 1)
  }

  @Test(
    "blocks of any size hold whole lines with the right numbers", arguments: [1, 7, 1000, 70_000, 1_100_000])
  func blocks(_ length: Int) throws {
    try withScratchFolder { folder in
      let count = max(3, min(100_000, 3_000_000 / length))
      let text = (0..<count).map { String(repeating: "x", count: $0 % 3 == 2 ? length * 2 : length) }.joined(
        separator: "\n")
      writeScratchFile("\(folder)/lines", text.utf8)
      var blocks = try LineBlocks("\(folder)/lines")
      var next = 1
      var (byteCount, wrong) = (0, 0)
      while let block = try blocks.next() {
        block.forEachLine { number, line in
          if number != next || line.count != ((number - 1) % 3 == 2 ? length * 2 : length) { wrong += 1 }
          next += 1
          byteCount += line.count + 1
        }
      }
      #expect(wrong == 0 && next == count + 1 && byteCount == text.utf8.count + 1)
    }
  }

  @Test("a line of more than 16 MiB is refused, not held")
  func longLine() throws {
    try withScratchFolder { folder in
      writeScratchFile("\(folder)/lines", [UInt8](repeating: 0x20, count: 17 << 20))
      var blocks = try LineBlocks("\(folder)/lines")
      #expect(throws: (any Error).self) { while try blocks.next() != nil {} }
    }
  }
}
