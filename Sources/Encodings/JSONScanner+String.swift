extension JSONScanner {
  /// Moves over a string; the cursor is at its first quote.
  public mutating func skipString(_ bytes: Span<UInt8>) throws(JSONError) {
    var ignored: [UInt8] = []
    try string(bytes, into: &ignored, isKept: false)
  }

  /// Reads a string, its escapes resolved, and adds its UTF-8 to `text`.
  /// - Throws: `.notUTF8`, `.controlCharacter`, `.badEscape`, `.loneSurrogate`, `.ends`; `text` then has a part of it.
  public mutating func string(
    _ bytes: Span<UInt8>, into text: inout [UInt8], isKept: Bool = true
  ) throws(JSONError) {
    cursor += 1
    while true {
      // A run without quotes and escapes is taken at once.
      let start = cursor
      var isASCII = true
      while cursor < bytes.count {
        let byte = bytes[cursor]
        if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") || byte < 0x20 { break }
        if byte >= 0x80 { isASCII = false }
        cursor += 1
      }
      if !isASCII { try checkUTF8(bytes, start..<cursor) }
      if isKept { append(bytes, start..<cursor, to: &text) }
      switch peek(bytes) {
      case UInt8(ascii: "\""):
        cursor += 1
        return
      case UInt8(ascii: "\\"):
        let scalar = try escape(bytes)
        if isKept { text.append(contentsOf: UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter) }
      default:
        if cursor < bytes.count { throw JSONError(.controlCharacter(bytes[cursor]), offset: cursor) }
        throw fault("the end of a string", bytes)
      }
    }
  }

  private func checkUTF8(_ bytes: Span<UInt8>, _ range: Range<Int>) throws(JSONError) {
    let isValid = unsafe bytes.extracting(range).withUnsafeBufferPointer {
      unsafe String(validating: $0, as: UTF8.self) != nil
    }
    guard isValid else { throw JSONError(.notUTF8, offset: range.lowerBound) }
  }

  private func append(_ bytes: Span<UInt8>, _ range: Range<Int>, to text: inout [UInt8]) {
    unsafe bytes.extracting(range).withUnsafeBufferPointer { unsafe text.append(contentsOf: $0) }
  }

  private mutating func escape(_ bytes: Span<UInt8>) throws(JSONError) -> Unicode.Scalar {
    let start = cursor
    cursor += 1
    guard cursor < bytes.count else { throw fault("an escape", bytes) }
    let byte = bytes[cursor]
    cursor += 1
    switch byte {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return Unicode.Scalar(byte)
    case UInt8(ascii: "b"): return "\u{8}"
    case UInt8(ascii: "f"): return "\u{C}"
    case UInt8(ascii: "n"): return "\n"
    case UInt8(ascii: "r"): return "\r"
    case UInt8(ascii: "t"): return "\t"
    case UInt8(ascii: "u"): break
    default: throw JSONError(.badEscape, offset: start)
    }
    let first = try fourHexDigits(bytes)
    if let scalar = Unicode.Scalar(first) { return scalar }
    guard first < 0xDC00, skip(UInt8(ascii: "\\"), bytes), skip(UInt8(ascii: "u"), bytes) else {
      throw JSONError(.loneSurrogate, offset: start)
    }
    let second = try fourHexDigits(bytes)
    guard (0xDC00...0xDFFF).contains(second),
      let scalar = Unicode.Scalar(0x10000 + (first - 0xD800) << 10 + (second - 0xDC00))
    else { throw JSONError(.loneSurrogate, offset: start) }
    return scalar
  }

  private mutating func fourHexDigits(_ bytes: Span<UInt8>) throws(JSONError) -> UInt32 {
    var value: UInt32 = 0
    for _ in 0..<4 {
      guard cursor < bytes.count, let digit = Character(Unicode.Scalar(bytes[cursor])).hexDigitValue else {
        throw fault("four hexadecimal digits", bytes)
      }
      value = value << 4 | UInt32(digit)
      cursor += 1
    }
    return value
  }
}
