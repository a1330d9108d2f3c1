import Encodings
import TestSupport
import Testing

@testable import SageMaker

@Suite("What a transform job does with its inputs")
struct BatchTests {
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

  @Test("a name in quotes is taken as it stands")
  func quotedNames() throws {
    let value = try JSON(parsing: Array(#"{"a b":{"c,d":{"e]f":[1]}},"x":2}"#.utf8))
    #expect(try JSONPath("$['a b']['c,d']['e]f'][0]").select(from: value) == 1)
    #expect(try JSONPath("$[ 'x' , 'a b' ]") == JSONPath("$['x','a b']"))
    for path in ["$['a'b]", "$['a',]", "$['']", "$['a','b]"] {
      #expect(throws: JSONPathError.self, "\(path)") { try JSONPath(path) }
    }
  }

  @Test("no key leads out of its channel's folder, however a mark joins its slashes")
  func safeKeys() throws {
    #expect(try Channels.safe("a/\u{301}b..") == "a/\u{301}b..")
    for key in ["../x", "a/../x", "../\u{301}x", "a/..", "/a", "a//b", "./a", "a\u{0}", ""] {
      #expect(throws: Channels.Fault.self, "\(key.debugDescription)") { try Channels.safe(key) }
    }
  }

  @Test("a place's bucket ends with the first slash, whatever stands behind it")
  func places() throws {
    #expect(try ObjectPlace("s3://b/\u{301}k") == ObjectPlace(bucket: "b", key: "\u{301}k"))
    #expect(try ObjectPlace("s3://b") == ObjectPlace(bucket: "b", key: ""))
    #expect(try ObjectPlace("s3://b//k/") == ObjectPlace(bucket: "b", key: "/k/"))
    #expect(throws: ControlPlaneError.self) { try ObjectPlace("s3:///k") }
  }

  @Test(
    "what is out of range or not there is an error",
    arguments: ["$.a[3]", "$.a[-4]", "$.z", "$.a.b", "$[-9223372036854775808]"])
  func outOfRange(_ path: String) throws {
    let value = try JSON(parsing: Array(#"{"a":[1,2,3]}"#.utf8))
    #expect(throws: JSONPathError.self) { try JSONPath(path).select(from: value) }
  }

  @Test(
    "what is no JSONPath is refused",
    arguments: ["", "a", "$a", "$.", "$[", "$[x]", "$['a", "$[]", "$[1:2:3]", "$[1:x]"])
  func noPath(_ path: String) {
    #expect(throws: JSONPathError.self) { try JSONPath(path) }
  }

  private func records(_ bytes: [UInt8], _ split: RecordSplit, limit: Int = 1000) throws -> [String] {
    try withScratchFolder { (folder) throws in
      writeScratchFile(folder + "/in", bytes)
      var splitter = try RecordSplitter(folder + "/in", split, limit: limit)
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
    #expect(throws: BatchFault.self) {
      try records(Array(String(repeating: "x", count: 99).utf8), .line, limit: 50)
    }
    #expect(throws: BatchFault.self) { try records([UInt8](repeating: 255, count: 16), .tfRecord) }
    #expect(throws: BatchFault.self) { try records([1, 2, 3], .tfRecord) }
    // Cut within the checksum at its end.
    let cut: [UInt8] = [3, 0, 0, 0, 0, 0, 0, 0, 9, 9, 9, 9] + Array("abc".utf8) + [9, 9]
    #expect(throws: BatchFault.self) { try records(cut, .tfRecord) }
    for line in ["12345\n", "12345", "1234\r"] {
      #expect(throws: BatchFault.self, "\(line.debugDescription)") {
        try records(Array(line.utf8), .line, limit: 4)
      }
    }
    #expect(throws: BatchFault.self) { try records(Array("abc".utf8), .none, limit: 2) }
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

  private static let loud = """
    {"model":"m","output":"<OUT>","inputs":[{"name":"a/1","path":"<IN>/1"},{"name":"2","path":"<IN>/2"},{"name":"3","path":"<IN>/3"}],
    "request":{"TransformInput":{"ContentType":"image/png"<SPLIT>},"TransformOutput":{<ASSEMBLE>},"MaxPayloadInMB":1<MORE>}}
    """

  private func transform(
    _ split: String, _ assemble: String, _ contents: [String], more: String = "", pause: Duration = .zero
  ) async throws -> (outputs: [String], summary: BatchTransform.Summary, told: String) {
    try await transform(split, assemble, contents.map { Array($0.utf8) }, more: more, pause: pause)
  }

  private func transform(
    _ split: String, _ assemble: String, _ contents: [[UInt8]], more: String = "", pause: Duration = .zero
  ) async throws -> (outputs: [String], summary: BatchTransform.Summary, told: String) {
    try await withScratchFolder { (folder) async throws in
      for (index, bytes) in contents.enumerated() { writeScratchFile(folder + "/in/\(index + 1)", bytes) }
      let text = Self.loud.replacing("<OUT>", with: folder + "/out").replacing("<IN>", with: folder + "/in")
        .replacing("<SPLIT>", with: split).replacing("<ASSEMBLE>", with: assemble).replacing(
          "<MORE>", with: more)
      writeScratchFile(folder + "/job.json", text.utf8)
      var told = ""
      let summary = try await BatchTransform(description: folder + "/job.json").run { records in
        told += "asked \(records.map(\.count))\n"
        try await Task.sleep(for: pause)
        return records.map { record in
          switch record.first {
          case UInt8(ascii: "!"): .failure(BatchTransform.Refusal(status: 400, message: "bad"))
          // Lists come back as they are; of a star nothing but one.
          case UInt8(ascii: "["): .success(record)
          case UInt8(ascii: "*"): .success(Array("[1]".utf8))
          default: .success(record + Array("?".utf8))
          }
        }
      } tell: {
        told += $0 + "\n"
      }
      return (["a/1", "2", "3"].map { readScratchFile(folder + "/out/\($0).out") }, summary, told)
    }
  }

  @Test("a bad input has no output, and the others have theirs")
  func whole() async throws {
    let (outputs, summary, told) = try await transform("", "", ["x", "!", "z"])
    #expect(outputs == ["x?", "", "z?"] && summary == .init(inputs: 3, failed: 1))
    #expect(told.contains("[sagemaker logs]: 2: ClientError: 400"))
  }

  @Test("records are answered in their order; one that is bad takes its input's output with it")
  func lines() async throws {
    let (outputs, summary, _) = try await transform(
      #","SplitType":"Line""#, #""AssembleWith":"Line""#, ["a\nb", "c\n!\n", ""])
    #expect(outputs == ["a?\nb?\n", "", ""] && summary == .init(inputs: 3, failed: 1))
    let (bare, _, _) = try await transform(#","SplitType":"Line""#, "", ["a\nb", "c", "d"])
    #expect(bare == ["a?b?", "c?", "d?"])
  }

  /// One record, as dmlc frames it.
  private func frame(_ payload: [UInt8]) -> [UInt8] {
    let length = UInt32(payload.count)
    let head = [0xced7_230a, length].flatMap { word in
      (0..<4).map { UInt8(truncatingIfNeeded: word >> (8 * $0)) }
    }
    return head + payload + [UInt8](repeating: 0, count: (4 - payload.count % 4) % 4)
  }

  @Test(
    "with MultiRecord, records of RecordIO go to the model as many as a payload holds, and are answered one by one"
  )
  func mixedRecords() async throws {
    let sizes = [400_000, 500_000, 200_000, 900_000, 100]
    let records = sizes.enumerated().map { index, size in
      [UInt8](repeating: UInt8(ascii: "a") + UInt8(index), count: size)
    }
    let file = records.flatMap { frame($0) }
    let (outputs, summary, told) = try await transform(
      #","SplitType":"RecordIO""#, #""AssembleWith":"Line""#, [file, [], frame(Array("!".utf8))],
      more: #","BatchStrategy":"MultiRecord""#)
    let expected = records.map { String(decoding: $0, as: UTF8.self) + "?\n" }.joined()
    #expect(outputs[0] == expected, "\(outputs[0].count) bytes")
    #expect(outputs[1].isEmpty && outputs[2].isEmpty && summary == .init(inputs: 3, failed: 1))
    #expect(told.contains("BatchStrategy=MULTI_RECORD"))
    #expect(told.contains("asked [400000, 500000]\n"), "\(told)")
    #expect(told.contains("asked [200000]\n") && told.contains("asked [900000, 100]\n"), "\(told)")
  }

  @Test("with MultiRecord, lines are one payload; what is to be joined with them must be as many lines")
  func joinedLines() async throws {
    let more = #","BatchStrategy":"MultiRecord""#
    let (outputs, summary, told) = try await transform(
      #","SplitType":"Line""#, #""AssembleWith":"Line""#, ["a\nb", "c\n!\n", "!\nd"], more: more)
    // The model takes no payload that begins with a mark; within one it is a line like any other.
    #expect(outputs == ["a\nb?\n", "c\n!?\n", ""] && summary == .init(inputs: 3, failed: 1))
    #expect(told.contains("asked [3]\n"))
    let filtered = try await transform(
      #","SplitType":"Line""#, "", ["[1]\n[2]", "*\n[2]", "[3]"],
      more: more + #","DataProcessing":{"OutputFilter":"$[0]"}"#)
    #expect(filtered.outputs == ["12", "", "3"], "\(filtered.told)")
    #expect(filtered.told.contains("answered 2 lines with 1"))
  }

  @Test("a record of more than MaxPayloadInMB fails its input")
  func largeRecord() async throws {
    let large = frame([UInt8](repeating: 1, count: (1 << 20) + 1))
    let (outputs, summary, told) = try await transform(
      #","SplitType":"RecordIO""#, "", [large, frame([2]), frame([3])])
    #expect(outputs[0].isEmpty && !outputs[1].isEmpty && summary == .init(inputs: 3, failed: 1))
    #expect(told.contains("MaxPayloadInMB"), "\(told)")
  }

  @Test("an answer that comes after InvocationsTimeoutInSeconds is none")
  func late() async throws {
    let limit = #","ModelClientConfig":{"InvocationsTimeoutInSeconds":1,"InvocationsMaxRetries":0}"#
    let (outputs, summary, told) = try await transform(
      "", "", ["x", "y", "z"], more: limit, pause: .milliseconds(1100))
    #expect(outputs == ["", "", ""] && summary == .init(inputs: 3, failed: 3))
    #expect(told.contains("ClientError: 504") && told.contains("InvocationsTimeoutInSeconds"))
  }
}
