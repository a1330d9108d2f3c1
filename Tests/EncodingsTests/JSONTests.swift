import Testing

@testable import Encodings

private func parse(_ text: String) throws(JSONError) -> JSON { try JSON(parsing: Array(text.utf8)) }

/// The fault of a text, as a sentence; nil where it is JSON.
private func fault(_ text: String) -> String? {
  do throws(JSONError) {
    _ = try parse(text)
    return nil
  } catch {
    return error.description
  }
}

@Suite("JSON values")
struct JSONTests {
  @Test(
    "what is read is written as it was",
    arguments: [
      "null", "true", "[]", "{}", "-1", "0", "9223372036854775807", "-9223372036854775808", "0.5",
      "[1,2.5,\"a\"]",
      "{\"a\":{\"b\":[null,false]},\"c\":\"\"}", "\"\u{e4}\u{1F600}\"", "1.7976931348623157e+308", "5e-324",
      "-0.0", "1.0", "\"\\u000a\\u007f\"",
    ])
  func roundTrip(_ text: String) throws {
    #expect(try parse(text).encoded == text)
  }

  @Test("whole numbers that fit are integers, all others doubles")
  func numbers() throws {
    #expect(try parse("9223372036854775807") == .integer(.max))
    #expect(try parse("9223372036854775808") == .number(0x1p63))
    #expect(try parse("-9223372036854775808") == .integer(.min))
    #expect(try parse("-9223372036854775809") == .number(-0x1p63))
    #expect(try parse("1.0") == .number(1))
    #expect(try parse("1e2") == .number(100))
    #expect(try parse("1.0").integer == 1)
    #expect(try parse("1.5").integer == nil)
    #expect(try parse("1e-999") == .number(0))
    #expect(JSON.number(.nan).encoded == "null")
  }

  @Test("escapes are characters")
  func escapes() throws {
    #expect(try parse(#""\u0041\n\"\\\/\ud83d\ude00\b\f\r\t""#) == "A\n\"\\/\u{1F600}\u{8}\u{C}\r\t")
  }

  @Test(
    "what is not JSON is refused with the byte",
    arguments: [
      ("", "byte 0: there is no JSON, the text is empty"),
      (" ", "byte 0: there is no JSON, the text is empty"),
      ("{", "byte 1: the text ends where a key in quotes is expected"),
      ("[1,]", "byte 3: ']' where a value is expected"),
      ("{\"a\":1,}", "byte 7: '}' where a key in quotes is expected"),
      ("{\"a\" 1}", "byte 5: '1' where ':' is expected"),
      ("{1:2}", "byte 1: '1' where a key in quotes is expected"),
      ("01", "byte 1: '1' where the end of the text is expected"),
      ("1 2", "byte 2: '2' where the end of the text is expected"),
      ("-", "byte 1: the text ends where a value is expected"),
      ("+1", "byte 0: '+1' where a value is expected"),
      ("1e999", "byte 0: the number 1e999 is larger than a double can be"),
      ("nan", "byte 0: 'nan' where a value is expected"),
      ("tru", "byte 0: 'tru' where a value is expected"),
      ("'a'", "byte 0: ''' where a value is expected"),
      ("[1//\n]", "byte 2: '/' where ',' or ']' is expected"),
      ("\"abc", "byte 4: the text ends where the end of a string is expected"),
      ("\"\u{1}\"", "byte 1: a string holds control character 1 unescaped"),
      ("\"\\x\"", "byte 1: a backslash is followed by none of JSON's escapes"),
      ("\"\\ud800\"", "byte 1: half of a surrogate pair is escaped without the other half"),
      ("\"\\ud800\\u0041\"", "byte 1: half of a surrogate pair is escaped without the other half"),
      ("\"\\udc00\"", "byte 1: half of a surrogate pair is escaped without the other half"),
      ("\u{FEFF}1", "byte 0: a byte order mark, which JSON must not have"),
    ])
  func refused(_ text: String, _ sentence: String) {
    #expect(fault(text) == sentence)
  }

  @Test("a key that an object has twice is refused, however it is spelled and however deep it is")
  func repeatedKeys() {
    #expect(fault(#"{"a":1,"b":2,"a":3}"#) == #"byte 13: the key "a" stands twice in one object"#)
    #expect(fault(#"[{"x":{"a":1,"\u0061":2}}]"#) == #"byte 13: the key "a" stands twice in one object"#)
    #expect(fault("{\"\u{e9}\":1,\"e\u{301}\":2}") != nil)
    #expect(fault(#"{"a":{"a":1},"b":[{"a":1},{"a":2}]}"#) == nil)
  }

  @Test("text that is not UTF-8, and what lies too deep, is refused without a crash")
  func hostile() throws {
    #expect(throws: JSONError(.notUTF8, offset: 1)) { try JSON(parsing: [0x22, 0xFF, 0x22]) }
    let depth = JSONScanner.maximumDepth
    let deepest = String(repeating: "[", count: depth) + "1" + String(repeating: "]", count: depth)
    #expect(try parse(deepest).encoded == deepest)
    #expect(throws: JSONError(.tooDeep, offset: depth)) { try parse("[" + deepest + "]") }
    #expect(throws: JSONError(.tooDeep, offset: depth)) {
      try JSON(parsing: [UInt8](repeating: 0x5B, count: 100_000))
    }
    #expect(throws: JSONError.self) { try parse(String(repeating: "{\"a\":", count: 100_000)) }
  }

  @Test("an error knows its line, too")
  func line() {
    let text = Array("{\n  \"a\": 1,\n  \"b\": x\n}\n".utf8)
    let error = #expect(throws: JSONError.self) { try JSON(parsing: text) }
    #expect(error?.line(in: text) == 3)
  }
}

@Suite("JSON as it is written")
struct JSONWriterTests {
  private func text(_ style: JSONStyle, _ body: (inout JSONWriter) -> Void) -> String {
    var writer = JSONWriter(style)
    body(&writer)
    return String(decoding: writer.bytes, as: UTF8.self)
  }

  @Test("a document has an element a line and sorted keys, an empty container three lines")
  func document() {
    let written = text(.document) { json in
      json.value(["b": [1, 2], "a": [:], "B": .number(1), "\u{e9}": .list([])])
    }
    #expect(
      written
        == "{\n  \"B\" : 1,\n  \"a\" : {\n\n  },\n  \"b\" : [\n    1,\n    2\n  ],\n  \"\u{e9}\" : [\n\n  ]\n}"
    )
  }

  @Test("an answer has blanks after its commas and colons, its members in their order")
  func answer() {
    let written = text(.answer) { json in
      json.object { json in
        json.member("b", [1, ["c": .number(0.5), "a": "\u{e9}"], []])
        json.member("a", .null)
      }
    }
    #expect(written == #"{"b": [1, {"a": "\u00e9", "c": 0.5}, []], "a": null}"#)
  }

  @Test("an outline breaks two levels, and keeps numbers of an array side by side")
  func outline() {
    let written = text(.outline) { json in
      json.object { json in
        json.key("a")
        json.object { json in
          json.key("b")
          json.number(1.0 as Double)
          json.key("c")
          json.strings(["x", "y"])
        }
        json.key("n")
        json.integers([1, 2])
        json.key("s")
        json.strings(["x", "y"])
      }
    }
    #expect(
      written
        == "{\n \"a\":{\n  \"b\":1.0,\n  \"c\":[\"x\",\"y\"]\n },\n \"n\":[1,2],\n \"s\":[\n  \"x\",\n  \"y\"\n ]\n}"
    )
  }

  @Test("members that are written in any order come out sorted, in every container")
  func sorted() {
    for style in [JSONStyle.document, .line] {
      let shuffled = text(style) { json in
        json.array { json in
          json.object { json in
            for name in ["z", "a", "m", "aa", "Z"] {
              json.key(name)
              json.object { json in
                for name in ["2", "1"] {
                  json.key(name)
                  json.strings([name])
                }
              }
            }
          }
        }
      }
      let inner: JSON = ["1": ["1"], "2": ["2"]]
      let value: JSON = [["z": inner, "a": inner, "m": inner, "aa": inner, "Z": inner]]
      #expect(shuffled == text(style) { $0.value(value) })
    }
  }

  @Test(
    "each style has its escapes",
    arguments: [
      (JSONStyle.value, #""\"\\\u0001\u000a\u0009\u007f</é\#u{2028}""#),
      (.line, "\"\\\"\\\\\\u0001\\n\\t\u{7F}</é\u{2028}\""),
      (.outline, #""\"\\\u0001\n\u0009\u007f</é\u2028""#),
      (.ascii, #""\"\\\u0001\u000a\u0009\u007f</\u00e9\u2028""#),
      (.embedded, #""\"\\\\u{1}\\n\\t\\u{7f}\u003c/é\\u{2028}""#),
    ])
  func escapes(_ style: JSONStyle, _ expected: String) {
    #expect(text(style) { $0.string("\"\\\u{1}\n\t\u{7F}</é\u{2028}") } == expected)
  }

  @Test("characters beyond 16 bits are two escapes in ASCII")
  func surrogates() { #expect(jsonString("\u{1F600}") == #""\ud83d\ude00""#) }
}

private struct Sample: Codable, Hashable {
  enum Kind: String, Codable { case big, small }
  struct Part: Codable, Hashable {
    var sizeP90: Double?
    var imagesPerSecond: Float
    var isURLSeen = false
  }
  var name = "n"
  var kind = Kind.big
  var parts: [Part] = []
  var counts: [String: Int] = [:]
  var seed: UInt64 = .max
  var byte: Int8 = -128
  var value: JSON = .null
}

@Suite("Types from JSON and to JSON")
struct JSONCodingTests {
  private let sample = Sample(
    parts: [.init(sizeP90: 1, imagesPerSecond: 0.1), .init(imagesPerSecond: 2, isURLSeen: true)],
    counts: ["oneTwo": 1, "a": 2], value: ["b": [1, .null], "a": .number(0.5)])

  @Test("round-trip in every style", arguments: [JSONStyle.document, .line, .outline, .line.snakeCase])
  func roundTrip(_ style: JSONStyle) throws {
    let bytes = try JSON.encode(sample, style: style)
    #expect(try JSON.decode(Sample.self, from: bytes, style: style) == sample)
    #expect(try JSON.text(sample, style: style) == String(decoding: bytes, as: UTF8.self) + "\n")
  }

  @Test("have their keys in snake case, but a dictionary's keys unchanged")
  func snakeCase() throws {
    #expect(
      try JSON.text(sample, style: .line.snakeCase)
        == #"{"byte":-128,"counts":{"a":2,"oneTwo":1},"kind":"big","name":"n","parts":["#
        + #"{"images_per_second":0.1,"is_url_seen":false,"size_p90":1},"#
        + #"{"images_per_second":2,"is_url_seen":true}],"seed":18446744073709551615,"#
        + #""value":{"a":0.5,"b":[1,null]}}"# + "\n")
  }

  @Test("numbers that are not finite are refused, or have names")
  func nonFinite() throws {
    let values = [Double.nan, .infinity, -.infinity, 1]
    #expect(throws: EncodingError.self) { try JSON.encode(values, style: .line) }
    let bytes = try JSON.encode(values, style: .line.namingNonFinite)
    #expect(String(decoding: bytes, as: UTF8.self) == "[\"NaN\",\"Infinity\",\"-Infinity\",1]")
    let read = try JSON.decode([Double].self, from: bytes, style: .line.namingNonFinite)
    #expect(read[0].isNaN && read.dropFirst() == values.dropFirst())
    #expect(throws: JSONError.self) { try JSON.decode([Double].self, from: bytes) }
  }

  @Test(
    "what does not fit is refused with its place",
    arguments: [
      (#"{}"#, #"byte 0: the key "name" is missing"#),
      (#" []"#, "byte 1: '[' where an object is expected"),
      (#"{"name":1}"#, "byte 8: name: '1' where a string is expected"),
      (
        #"{"name":"n","kind":"huge"}"#,
        "byte 19: kind: Cannot initialize Kind from invalid String value huge"
      ),
      (#"{"name":"n","kind":"big","parts":{}}"#, "byte 33: parts: '{' where an array is expected"),
      (
        #"{"name":"n","kind":"big","parts":[{"imagesPerSecond":1,"isURLSeen":true},{"sizeP90":1}]}"#,
        #"byte 73: parts[1]: the key "imagesPerSecond" is missing"#
      ),
      (
        #"{"name":"n","kind":"big","parts":[],"counts":{"x":1.5}}"#,
        "byte 50: counts.x: '1.5' where a whole number is expected"
      ),
      (
        #"{"name":"n","kind":"big","parts":[],"counts":{},"seed":-1}"#,
        "byte 55: seed: '-1' where a whole number is expected"
      ),
      (
        #"{"name":"n","kind":"big","parts":[],"counts":{},"seed":1,"byte":128}"#,
        "byte 64: byte: '128' where a whole number of 8 bits is expected"
      ),
      (#"{"other":[{"a":1,"a":2}]}"#, #"byte 17: the key "a" stands twice in one object"#),
      (#"{"name":"n"} x"#, "byte 13: 'x' where the end of the text is expected"),
    ])
  func refused(_ text: String, _ sentence: String) {
    let error = #expect(throws: JSONError.self) { try JSON.decode(Sample.self, from: Array(text.utf8)) }
    #expect(error?.description == sentence)
  }

  @Test("numbers at the ends of their types")
  func numbers() throws {
    #expect(
      try JSON.decode([Int].self, from: Array("[9223372036854775807,1.0,1e3]".utf8)) == [.max, 1, 1000])
    #expect(throws: JSONError.self) { try JSON.decode([Int].self, from: Array("[9223372036854775808]".utf8)) }
    #expect(try JSON.decode([UInt64].self, from: Array("[18446744073709551615]".utf8)) == [.max])
    #expect(throws: JSONError.self) { try JSON.decode([Float].self, from: Array("[1e39]".utf8)) }
    #expect(throws: JSONError.self) { try JSON.decode([Double].self, from: Array("[1e309]".utf8)) }
    #expect(try JSON.decode([Int?].self, from: Array("[null, 1]".utf8)) == [nil, 1])
  }

  @Test("a long list is written in pieces")
  func pieces() throws {
    var pieces: [[UInt8]] = []
    let numbers = Array(0..<100_000)
    try JSON.write(numbers, style: .outline) { pieces.append($0) }
    #expect(pieces.count > 1)
    #expect(try JSON.decode([Int].self, from: Array(pieces.joined())) == numbers)
  }
}
