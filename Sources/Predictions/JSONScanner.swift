/// Reads JSON (RFC 8259, strictly) from bytes without building a tree.
///
/// The bytes are a parameter of each call: the scanner is only the place in them. Every access is checked.
struct JSONScanner {
  static let maximumDepth = 64

  var cursor: Int

  init(at cursor: Int = 0) { self.cursor = cursor }

  /// Moves over spaces, tabs and line ends.
  @inline(__always)
  mutating func skipBlanks(_ bytes: Span<UInt8>) {
    while cursor < bytes.count {
      let byte = bytes[cursor]
      // Nearly always something else stands here, and all of that is above the blank.
      if byte > 0x20 || !(byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09) { return }
      cursor += 1
    }
  }

  /// The byte at the cursor; 0, which no JSON holds, at the end.
  @inline(__always)
  func peek(_ bytes: Span<UInt8>) -> UInt8 { cursor < bytes.count ? bytes[cursor] : 0 }

  /// Moves over `byte` if it stands here.
  @inline(__always)
  mutating func skip(_ byte: UInt8, _ bytes: Span<UInt8>) -> Bool {
    guard cursor < bytes.count && bytes[cursor] == byte else { return false }
    cursor += 1
    return true
  }

  /// What is wrong here, where `expected` should stand: the text ends, or goes on with something else.
  @inline(never)
  func fault(_ expected: String, _ bytes: Span<UInt8>) -> JSONFault {
    guard cursor < bytes.count else { return JSONFault(.ends(expected: expected), offset: cursor) }
    return JSONFault(.found(word(bytes), expected: expected), offset: cursor)
  }

  /// The word that starts at the cursor, for a message: one character, or letters and digits up to 20.
  private func word(_ bytes: Span<UInt8>) -> String {
    var end = cursor
    while end < bytes.count && end - cursor < 20 && isWordByte(bytes[end]) { end += 1 }
    if end > cursor { return shown(bytes, cursor..<end) }
    // One character may have several bytes.
    end = cursor + 1
    while end < bytes.count && end - cursor < 4 && bytes[end] & 0xC0 == 0x80 { end += 1 }
    return shown(bytes, cursor..<end)
  }

  private func isWordByte(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "+"), UInt8(ascii: "-"), UInt8(ascii: "."):
      true
    default: false
    }
  }

  /// Moves over one value of any kind.
  mutating func skipValue(_ bytes: Span<UInt8>) throws(JSONFault) {
    // One bit for each array or object that is open: 1 for an object.
    var kinds: UInt64 = 0
    var depth = 0
    while true {
      skipBlanks(bytes)
      let byte = peek(bytes)
      switch byte {
      case UInt8(ascii: "{"), UInt8(ascii: "["):
        guard depth < Self.maximumDepth else { throw JSONFault(.tooDeep, offset: cursor) }
        let isObject = byte == UInt8(ascii: "{")
        kinds = kinds << 1 | (isObject ? 1 : 0)
        depth += 1
        cursor += 1
        skipBlanks(bytes)
        if peek(bytes) != (isObject ? UInt8(ascii: "}") : UInt8(ascii: "]")) {
          if isObject { try skipKey(bytes) }
          continue
        }
      case UInt8(ascii: "\""): try skipString(bytes)
      case UInt8(ascii: "t"): try skipLiteral("true", bytes)
      case UInt8(ascii: "f"): try skipLiteral("false", bytes)
      case UInt8(ascii: "n"): try skipLiteral("null", bytes)
      default: _ = try number(bytes, expecting: "a value", mayOverflow: true)
      }
      // A value has ended: so may what it stands in.
      while true {
        guard depth > 0 else { return }
        skipBlanks(bytes)
        let isObject = kinds & 1 == 1
        if skip(UInt8(ascii: ","), bytes) {
          if isObject { try skipKey(bytes) }
          break
        }
        guard skip(isObject ? UInt8(ascii: "}") : UInt8(ascii: "]"), bytes) else {
          throw fault(isObject ? "',' or '}'" : "',' or ']'", bytes)
        }
        kinds >>= 1
        depth -= 1
      }
    }
  }

  private mutating func skipKey(_ bytes: Span<UInt8>) throws(JSONFault) {
    skipBlanks(bytes)
    guard peek(bytes) == UInt8(ascii: "\"") else { throw fault("a key in quotes", bytes) }
    try skipString(bytes)
    try skipColon(bytes)
  }

  mutating func skipColon(_ bytes: Span<UInt8>) throws(JSONFault) {
    skipBlanks(bytes)
    guard skip(UInt8(ascii: ":"), bytes) else { throw fault("':'", bytes) }
    skipBlanks(bytes)
  }

  private mutating func skipLiteral(_ literal: StaticString, _ bytes: Span<UInt8>) throws(JSONFault) {
    let start = JSONScanner(at: cursor)
    for place in 0..<literal.utf8CodeUnitCount {
      guard skip(unsafe literal.utf8Start[place], bytes) else { throw start.fault("a value", bytes) }
    }
  }
}

/// Bytes for a message: control characters and what is no UTF-8 escaped.
func shown(_ bytes: Span<UInt8>, _ range: Range<Int>) -> String {
  shown(unsafe bytes.extracting(range).withUnsafeBufferPointer { unsafe Array($0) })
}

/// Bytes for a message: control characters escaped, and, where they are no UTF-8, all that is no ASCII as `\xNN`.
func shown(_ bytes: some Collection<UInt8>) -> String {
  func escaped(_ byte: UInt8) -> String { "\\x" + (byte < 16 ? "0" : "") + String(byte, radix: 16) }
  guard let text = String(validating: bytes, as: UTF8.self) else {
    return bytes.map { $0 >= 0x20 && $0 < 0x7F ? String(Unicode.Scalar($0)) : escaped($0) }.joined()
  }
  guard text.utf8.contains(where: { $0 < 0x20 || $0 == 0x7F }) else { return text }
  var result = ""
  for scalar in text.unicodeScalars {
    if scalar.value < 0x20 || scalar.value == 0x7F {
      result += scalar.escaped(asASCII: true)
    } else {
      result.unicodeScalars.append(scalar)
    }
  }
  return result
}
