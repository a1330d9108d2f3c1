import Records
import TestSupport
import Testing

@Suite("indices")
struct RecordIndexTests {
  func index(_ text: String) throws -> RecordIndex {
    try withScratchFolder { folder in
      writeScratchFile(folder + "/x.idx", text.utf8)
      return try RecordIndex(path: folder + "/x.idx")
    }
  }

  @Test("MXNet's index is read, in the order of the file")
  func vector() throws {
    let index = try index("5\t0\n2\t12\n9\t32\n")
    #expect(index.entries.map(\.key) == [5, 2, 9])
    #expect(index.entries.map(\.offset) == [0, 12, 32])
    #expect(
      index.entries.map { RecordIndex.line(key: $0.key, offset: $0.offset) }.joined()
        == "5\t0\n2\t12\n9\t32\n")
  }

  @Test("CRLF, blanks, blank lines and a missing last line end are no error; ids may repeat and be large")
  func lenient() throws {
    let index = try index("1\t0\r\n\n1 \t 8\n18446744073709551615\t9223372036854775807")
    #expect(index.entries.map(\.key) == [1, 1, .max])
    #expect(index.entries.map(\.offset) == [0, 8, .max])
    #expect(try self.index("").entries.isEmpty)
  }

  @Test(
    "a line that is no index entry is named with its number, its offset and its text",
    arguments: [
      "1", "x\t8", "1\tx", "-1\t8", "1\t-8", "1\t8\t9", "1.0\t8", "18446744073709551616\t0",
      "1\t18446744073709551615", "1\t0x10", "1\t\u{e9}",
    ])
  func bad(_ line: String) throws {
    let error = #expect(throws: RecordError.self) { try index("0\t0\n\(line)\n2\t12\n") }
    #expect(error?.reason == .badIndexLine(2, text: line.replacing("\t", with: "\\t")))
    #expect(error?.offset == 4)
  }
}
