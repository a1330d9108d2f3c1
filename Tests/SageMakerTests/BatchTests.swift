import Encodings
import Inference
import S3
import Synchronization
import TestSupport
import Testing

@testable import SageMaker

@Suite("What a transform job does with its inputs")
struct BatchTests {
  @Test("no key leads out of its channel's folder, however a mark joins its slashes")
  func safeKeys() throws {
    #expect(try Channels.safe("a/\u{301}b..") == "a/\u{301}b..")
    for key in ["../x", "a/../x", "../\u{301}x", "a/..", "/a", "a//b", "./a", "a\u{0}", ""] {
      #expect(throws: Channels.Fault.self, "\(key.debugDescription)") { try Channels.safe(key) }
    }
  }

  @Test("a place's bucket ends with the first slash, whatever stands behind it")
  func places() throws {
    #expect(try S3Location(uri: "s3://b/\u{301}k") == S3Location(bucket: "b", key: "\u{301}k"))
    #expect(try S3Location(uri: "s3://b") == S3Location(bucket: "b", key: ""))
    #expect(try S3Location(uri: "s3://b//k/") == S3Location(bucket: "b", key: "/k/"))
    for uri in ["s3:///k", "https://s3.amazonaws.com/b/k", "s3://b/\0"] {
      #expect(throws: ControlPlaneError.self) { try S3Location(uri: uri) }
    }
  }

  private static let loud = """
    {"model":"m","output":"<OUT>","inputs":[{"name":"a/1","path":"<IN>/1"},{"name":"2","path":"<IN>/2"},{"name":"3","path":"<IN>/3"}],
    "request":{"TransformInput":{"ContentType":"image/png"<SPLIT>},"TransformOutput":{<ASSEMBLE>},"MaxPayloadInMB":1<MORE>}}
    """

  private func transform(
    _ split: String, _ assemble: String, _ contents: [String], more: String = "", pause: Duration = .zero
  ) async throws -> (outputs: [String], summary: TransformSummary, told: String) {
    try await transform(split, assemble, contents.map { Array($0.utf8) }, more: more, pause: pause)
  }

  private func transform(
    _ split: String, _ assemble: String, _ contents: [[UInt8]], more: String = "", pause: Duration = .zero
  ) async throws -> (outputs: [String], summary: TransformSummary, told: String) {
    try await withScratchFolder { (folder) async throws in
      for (index, bytes) in contents.enumerated() { writeScratchFile(folder + "/in/\(index + 1)", bytes) }
      let text = Self.loud.replacing("<OUT>", with: folder + "/out").replacing("<IN>", with: folder + "/in")
        .replacing("<SPLIT>", with: split).replacing("<ASSEMBLE>", with: assemble).replacing(
          "<MORE>", with: more)
      writeScratchFile(folder + "/job.json", text.utf8)
      let told = Mutex("")
      let summary = try await BatchTransform(description: folder + "/job.json").run { records in
        told.withLock { $0 += "asked \(records.map(\.count))\n" }
        try? await Task.sleep(for: pause)
        return records.map { record in
          switch record.first {
          case UInt8(ascii: "!"): .failure(TransformRefusal(status: 400, message: "bad"))
          // Lists come back as they are; of a star nothing but one.
          case UInt8(ascii: "["): .success(record)
          case UInt8(ascii: "*"): .success(Array("[1]".utf8))
          default: .success(record + Array("?".utf8))
          }
        }
      } tell: { line in
        told.withLock { $0 += line + "\n" }
      }
      let outputs = ["a/1", "2", "3"].map { readScratchFile(folder + "/out/\($0).out") }
      return (outputs, summary, told.withLock { $0 })
    }
  }

  @Test("a bad input has no output, and the others have theirs")
  func whole() async throws {
    let (outputs, summary, told) = try await transform("", "", ["x", "!", "z"])
    #expect(outputs == ["x?", "", "z?"] && summary.inputs == 3 && summary.skipped.count == 1)
    #expect(told.contains("[sagemaker logs]: 2: ClientError: 400"))
  }

  @Test("records are answered in their order; one that is bad takes its input's output with it")
  func lines() async throws {
    let (outputs, summary, _) = try await transform(
      #","SplitType":"Line""#, #""AssembleWith":"Line""#, ["a\nb", "c\n!\n", ""])
    #expect(outputs == ["a?\nb?\n", "", ""] && summary.inputs == 3 && summary.skipped.count == 1)
    let (bare, _, told) = try await transform(#","SplitType":"Line""#, "", ["a\nb", "c", "d"])
    #expect(bare == ["a?b?", "c?", "d?"] && told.contains("asked [1, 1, 1, 1]\n"), "\(told)")
  }

  @Test("an input with a bad record is not read on, and the next one goes on in its place")
  func longInput() async throws {
    let (outputs, summary, told) = try await transform(
      #","SplitType":"Line""#, "", [String(repeating: "!\n", count: 100), "a\nb\nc\nd\ne", ""],
      more: #","MaxConcurrentTransforms":2"#)
    #expect(outputs == ["", "a?b?c?d?e?", ""] && summary.inputs == 3 && summary.written == 2, "\(told)")
    #expect(summary.skipped.map(\.path) == ["a/1"])
    // The second batch was read when the first was refused.
    #expect(told.split(separator: "\n").count { $0.hasPrefix("asked") } <= 6, "\(told)")
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
    #expect(outputs[1].isEmpty && outputs[2].isEmpty && summary.inputs == 3 && summary.skipped.count == 1)
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
    #expect(outputs == ["a\nb?\n", "c\n!?\n", ""] && summary.inputs == 3 && summary.skipped.count == 1)
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
    #expect(outputs[0].isEmpty && !outputs[1].isEmpty && summary.inputs == 3 && summary.skipped.count == 1)
    #expect(told.contains("MaxPayloadInMB"), "\(told)")
  }

  @Test("an answer that comes after InvocationsTimeoutInSeconds is none")
  func late() async throws {
    let limit = #","ModelClientConfig":{"InvocationsTimeoutInSeconds":1,"InvocationsMaxRetries":0}"#
    let (outputs, summary, told) = try await transform(
      "", "", ["x", "y", "z"], more: limit, pause: .milliseconds(1100))
    #expect(outputs == ["", "", ""] && summary.inputs == 3 && summary.skipped.count == 3)
    #expect(told.contains("ClientError: 504") && told.contains("InvocationsTimeoutInSeconds"))
  }
}
