import Testing

@testable import SageMaker

@Suite("JSON of requests")
struct JSONTests {
  @Test(
    "what is read is written as it was",
    arguments: [
      "null", "true", "[]", "{}", "-1", "0", "9223372036854775807", "0.5", "[1,2.5,\"a\"]",
      "{\"a\":{\"b\":[null,false]},\"c\":\"\"}", "\"\u{e4}\u{1F600}\"",
    ])
  func roundTrip(_ text: String) throws {
    #expect(try JSON(reading: Array(text.utf8)).encoded == text)
  }

  @Test("escapes are characters")
  func escapes() throws {
    let text = #""\u0041\n\"\\\/\ud83d\ude00""#
    #expect(try JSON(reading: Array(text.utf8)) == "A\n\"\\/\u{1F600}")
  }

  @Test(
    "what is no JSON is refused with the byte",
    arguments: [
      ("", 0), ("{", 1), ("[1,]", 3), ("{\"a\" 1}", 5), ("01", 2), ("1 2", 2), ("\"\u{1}\"", 1),
      ("\"\\x\"", 3),
      ("\"\\ud800\"", 7), ("tru", 0), ("1e999", 5), ("-", 1), ("{1:2}", 1), ("\"abc", 4), ("nan", 0),
    ])
  func refused(_ text: String, _ offset: Int) {
    let error = #expect(throws: JSONError.self) { try JSON(reading: Array(text.utf8)) }
    #expect(error?.offset == offset, "\(text)")
  }

  @Test("text that is no UTF-8, and what lies too deep, is refused without a crash")
  func hostile() {
    #expect(throws: JSONError.self) { try JSON(reading: [0x22, 0xFF, 0x22]) }
    #expect(throws: JSONError.self) { try JSON(reading: [UInt8](repeating: 0x5B, count: 100_000)) }
    #expect(throws: JSONError.self) {
      try JSON(reading: Array(String(repeating: "{\"a\":", count: 100_000).utf8))
    }
  }
}
