import Encodings
import TestSupport
import Testing

@testable import Inference

@Suite("What a transform does with records")
struct RecordTests {
  @Test(
    "a JSONPath selects what SageMaker's does",
    arguments: [
      ("$", #"{"a":[1,2,3],"b":{"c":"x"}}"#), ("$.a", "[1,2,3]"), ("$.a[0]", "1"), ("$.a[-1]", "3"),
      ("$.a[1:]", "[2,3]"), ("$.a[:2]", "[1,2]"), ("$.a[-2:]", "[2,3]"), ("$.a[0,2]", "[1,3]"),
      ("$.b.c", "\"x\""),
      ("$['b']['c']", "\"x\""), ("$['a','b']", #"[[1,2,3],{"c":"x"}]"#), ("$.a[*]", "[1,2,3]"),
      ("$.b.*", "[\"x\"]"),
      ("$.a[5:9]", "[]"),
    ])
  func paths(_ path: String, _ selected: String) throws {
    let value = try JSON(parsing: Array(#"{"a":[1,2,3],"b":{"c":"x"}}"#.utf8))
    #expect(try JSONPath(path).select(from: value).encoded == selected)
  }

  @Test("a quoted name is taken literally")
  func quotedNames() throws {
    let value = try JSON(parsing: Array(#"{"a b":{"c,d":{"e]f":[1]}},"x":2}"#.utf8))
    #expect(try JSONPath("$['a b']['c,d']['e]f'][0]").select(from: value) == 1)
    #expect(try JSONPath("$[ 'x' , 'a b' ]") == JSONPath("$['x','a b']"))
    for path in ["$['a'b]", "$['a',]", "$['']", "$['a','b]"] {
      #expect(throws: JSONPathError.self, "\(path)") { try JSONPath(path) }
    }
  }

  @Test(
    "an index out of range or a missing member is an error",
    arguments: ["$.a[3]", "$.a[-4]", "$.z", "$.a.b", "$[-9223372036854775808]"])
  func outOfRange(_ path: String) throws {
    let value = try JSON(parsing: Array(#"{"a":[1,2,3]}"#.utf8))
    #expect(throws: JSONPathError.self) { try JSONPath(path).select(from: value) }
  }

  @Test(
    "an invalid JSONPath is refused",
    arguments: ["", "a", "$a", "$.", "$[", "$[x]", "$['a", "$[]", "$[1:2:3]", "$[1:x]"])
  func noPath(_ path: String) {
    #expect(throws: JSONPathError.self) { try JSONPath(path) }
  }

  private func records(_ bytes: [UInt8], _ split: RecordSplit, limit: Int = 1000) throws -> [String] {
    try withScratchFolder { (folder) throws in
      writeScratchFile(folder + "/in", bytes)
      var splitter = try RecordSplitter(folder + "/in", split, limit: PayloadLimit(limit))
      var records: [String] = []
      while let record = try splitter.next() { records.append(String(decoding: record, as: UTF8.self)) }
      return records
    }
  }

  @Test("objects are cut into records")
  func splitting() throws {
    #expect(try records(Array("a\nb\r\n\nc".utf8), .line) == ["a", "b", "c"])
    #expect(try records(Array("a\nb".utf8), .none) == ["a\nb"])
    let long = String(repeating: "x", count: 70_000)
    #expect(try records(Array("\(long)\ny\n".utf8), .line, limit: 100_000) == [long, "y"])
    let frame: [UInt8] = [3, 0, 0, 0, 0, 0, 0, 0, 9, 9, 9, 9] + Array("abc".utf8) + [9, 9, 9, 9]
    #expect(try records(frame + frame, .tfRecord) == ["abc", "abc"])
    // The end of a line is not of the record.
    #expect(try records(Array("1234\r\n1\n".utf8), .line, limit: 4) == ["1234", "1"])
  }

  @Test("records that are too long, or are said to be, are refused before memory is taken")
  func hostileRecords() {
    #expect(throws: TransformFault.self) {
      try records(Array(String(repeating: "x", count: 99).utf8), .line, limit: 50)
    }
    #expect(throws: TransformFault.self) { try records([UInt8](repeating: 255, count: 16), .tfRecord) }
    #expect(throws: TransformFault.self) { try records([1, 2, 3], .tfRecord) }
    // Cut within the checksum at its end.
    let cut: [UInt8] = [3, 0, 0, 0, 0, 0, 0, 0, 9, 9, 9, 9] + Array("abc".utf8) + [9, 9]
    #expect(throws: TransformFault.self) { try records(cut, .tfRecord) }
    for line in ["12345\n", "12345", "1234\r"] {
      #expect(throws: TransformFault.self, "\(line.debugDescription)") {
        try records(Array(line.utf8), .line, limit: 4)
      }
    }
    #expect(throws: TransformFault.self) { try records(Array("abc".utf8), .none, limit: 2) }
  }

  private func joined(
    _ format: RecordJoin.Format, _ record: String, _ answer: String, output: String = "$", joins: Bool = true
  ) throws -> String {
    let join = RecordJoin(
      format: format, inputFilter: try JSONPath("$"), outputFilter: try JSONPath(output), joinsInput: joins)
    return String(decoding: try join.result(Array(record.utf8), Array(answer.utf8)), as: UTF8.self)
  }

  @Test("answers are joined with their inputs, and filtered")
  func joining() throws {
    #expect(try joined(.json, #"{"id":1}"#, "[0.5]") == #"{"SageMakerOutput":[0.5],"id":1}"#)
    #expect(try joined(.json, "[1]", "[0.5]") == #"{"SageMakerInput":[1],"SageMakerOutput":[0.5]}"#)
    #expect(try joined(.json, #"{"id":1}"#, "[0.5]", output: "$['id']") == "1")
    #expect(try joined(.csv, "1,\"a,b\"", "0.5\n") == "1,\"a,b\",0.5")
    #expect(try joined(.csv, "1,2", "0.5", output: "$[0,-1]") == "1,0.5")
    #expect(try joined(.json, "", #"{"prediction":[1,2]}"#, output: "$.prediction[0]", joins: false) == "1")
  }
}
