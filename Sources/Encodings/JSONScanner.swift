/// Reads JSON (RFC 8259, strictly) from bytes without building a tree.
///
/// The bytes are a parameter of each call: the scanner is only the place in them. Every access is checked.
///
/// What runs for each byte or number is inlined into the modules that read predictions: they are read as fast as the
/// disk gives them.
public struct JSONScanner {
  /// Arrays and objects inside one another; more are refused.
  public static let maximumDepth = 64

  public var cursor: Int

  @inlinable
  public init(at cursor: Int = 0) { self.cursor = cursor }

  /// Moves to the first value.
  /// - Throws: `.byteOrderMark`; `.empty` for blanks alone.
  public mutating func begin(_ bytes: Span<UInt8>) throws(JSONError) {
    let start = cursor
    if peek(bytes) >= 0xEF, isByteOrderMark(bytes) { throw JSONError(.byteOrderMark, offset: start) }
    skipBlanks(bytes)
    if cursor == bytes.count { throw JSONError(.empty, offset: start) }
  }

  private func isByteOrderMark(_ bytes: Span<UInt8>) -> Bool {
    func starts(_ mark: [UInt8]) -> Bool {
      cursor + mark.count <= bytes.count && mark.indices.allSatisfy { bytes[cursor + $0] == mark[$0] }
    }
    return starts([0xEF, 0xBB, 0xBF]) || starts([0xFE, 0xFF]) || starts([0xFF, 0xFE])
  }

  /// Checks that nothing but blanks follows.
  public mutating func end(_ bytes: Span<UInt8>) throws(JSONError) {
    skipBlanks(bytes)
    if cursor < bytes.count { throw fault("the end of the text", bytes) }
  }

  /// Moves over spaces, tabs and line ends.
  @inlinable @inline(__always)
  public mutating func skipBlanks(_ bytes: Span<UInt8>) {
    while cursor < bytes.count {
      let byte = bytes[cursor]
      // Nearly always something else stands here, and all of that is above the blank.
      if byte > 0x20 || !(byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09) { return }
      cursor += 1
    }
  }

  /// The byte at the cursor; 0, which no JSON holds, at the end.
  @inlinable @inline(__always)
  public func peek(_ bytes: Span<UInt8>) -> UInt8 { cursor < bytes.count ? bytes[cursor] : 0 }

  /// Moves over `byte` if it stands here.
  @inlinable @inline(__always)
  public mutating func skip(_ byte: UInt8, _ bytes: Span<UInt8>) -> Bool {
    guard cursor < bytes.count && bytes[cursor] == byte else { return false }
    cursor += 1
    return true
  }

  /// What is wrong here, where `expected` should stand: the text ends, or goes on with something else.
  @inline(never)
  public func fault(_ expected: String, _ bytes: Span<UInt8>) -> JSONError {
    guard cursor < bytes.count else { return JSONError(.ends(expected: expected), offset: cursor) }
    return JSONError(.found(word(bytes), expected: expected), offset: cursor)
  }

  /// The word that starts at the cursor, for a message: one character, or letters and digits up to 20.
  private func word(_ bytes: Span<UInt8>) -> String {
    var end = cursor
    while end < bytes.count && end - cursor < 20 && isWordByte(bytes[end]) { end += 1 }
    if end > cursor { return text(bytes, cursor..<end) }
    // One character may have several bytes.
    end = cursor + 1
    while end < bytes.count && end - cursor < 4 && bytes[end] & 0xC0 == 0x80 { end += 1 }
    return text(bytes, cursor..<end)
  }

  /// A part of the text, for a message.
  public func text(_ bytes: Span<UInt8>, _ range: Range<Int>) -> String {
    nameText(unsafe bytes.extracting(range).withUnsafeBufferPointer { unsafe Array($0) })
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
  public mutating func skipValue(_ bytes: Span<UInt8>) throws(JSONError) {
    // One bit for each array or object that is open: 1 for an object.
    var kinds: UInt64 = 0
    var depth = 0
    while true {
      skipBlanks(bytes)
      let byte = peek(bytes)
      switch byte {
      case UInt8(ascii: "{"), UInt8(ascii: "["):
        guard depth < Self.maximumDepth else { throw JSONError(.tooDeep, offset: cursor) }
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

  private mutating func skipKey(_ bytes: Span<UInt8>) throws(JSONError) {
    skipBlanks(bytes)
    guard peek(bytes) == UInt8(ascii: "\"") else { throw fault("a key in quotes", bytes) }
    try skipString(bytes)
    try skipColon(bytes)
  }

  public mutating func skipColon(_ bytes: Span<UInt8>) throws(JSONError) {
    skipBlanks(bytes)
    guard skip(UInt8(ascii: ":"), bytes) else { throw fault("':'", bytes) }
    skipBlanks(bytes)
  }

  mutating func skipLiteral(_ literal: StaticString, _ bytes: Span<UInt8>) throws(JSONError) {
    let start = JSONScanner(at: cursor)
    for place in 0..<literal.utf8CodeUnitCount {
      guard skip(unsafe literal.utf8Start[place], bytes) else { throw start.fault("a value", bytes) }
    }
  }
}
