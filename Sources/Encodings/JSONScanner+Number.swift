extension JSONScanner {
  /// Reads a number; correctly rounded, as C's `strtod`.
  ///
  /// - Parameter mayOverflow: give infinity instead of throwing, where the value is not used.
  /// - Throws: `.found` and `.ends` for all that is no JSON number (`NaN`, `.5`, `01`, `+1`); `.beyondDouble`.
  ///   A number too small for a double is 0, not an error.
  @inlinable @inline(__always)
  public mutating func number(
    _ bytes: Span<UInt8>, expecting expected: @autoclosure () -> String = "a number",
    mayOverflow: Bool = false
  ) throws(JSONError) -> Double {
    let start = cursor
    let isNegative = skip(UInt8(ascii: "-"), bytes)
    var significand: UInt64 = 0
    // Zeros in front, of "0.00012", are not counted as digits.
    var (digitCount, exponent) = (0, 0)
    let first = peek(bytes) &- UInt8(ascii: "0")
    guard first <= 9 else {
      throw JSONScanner(at: isNegative && cursor == bytes.count ? cursor : start).fault(expected(), bytes)
    }
    cursor += 1
    if first > 0 {
      significand = UInt64(first)
      digitCount = 1 + appendDigits(to: &significand, bytes)
    }
    if skip(UInt8(ascii: "."), bytes) {
      let start = cursor
      if digitCount == 0 { while skip(UInt8(ascii: "0"), bytes) {} }
      digitCount += appendDigits(to: &significand, bytes)
      exponent = start - cursor
      guard cursor > start else { throw fault("a digit", bytes) }
    }
    let mark = peek(bytes) | 0x20
    if mark == UInt8(ascii: "e") { exponent += try exponentPart(bytes) }
    // 19 digits fit into the significand; more may have run over.
    let value =
      if digitCount <= 19, let value = nearestDouble(significand, exponent: exponent) { value } else {
        slowNumber(bytes, from: start)
      }
    if value == .infinity && !mayOverflow {
      throw JSONError(.beyondDouble(text(bytes, start..<min(cursor, start + 40))), offset: start)
    }
    return isNegative ? -value : value
  }

  /// Reads digits, eight at once where there are as many.
  /// - Returns: how many there were. From the twentieth on `significand` has run over.
  @inlinable @inline(__always)
  mutating func appendDigits(to significand: inout UInt64, _ bytes: Span<UInt8>) -> Int {
    let start = cursor
    while cursor + 8 <= bytes.count {
      let eight = unsafe UInt64(
        littleEndian: bytes.bytes.unsafeLoadUnaligned(fromByteOffset: cursor, as: UInt64.self))
      guard isEightDigits(eight) else { break }
      significand = significand &* 100_000_000 &+ eightDigitValue(eight)
      cursor += 8
    }
    while cursor < bytes.count {
      let digit = bytes[cursor] &- UInt8(ascii: "0")
      guard digit <= 9 else { break }
      significand = significand &* 10 &+ UInt64(digit)
      cursor += 1
    }
    return cursor - start
  }

  @inlinable @inline(__always)
  mutating func exponentPart(_ bytes: Span<UInt8>) throws(JSONError) -> Int {
    cursor += 1
    let isNegative = skip(UInt8(ascii: "-"), bytes)
    if !isNegative { _ = skip(UInt8(ascii: "+"), bytes) }
    var value = 0
    let start = cursor
    while cursor < bytes.count, case let digit = bytes[cursor] &- UInt8(ascii: "0"), digit <= 9 {
      // Far beyond any double already: more digits must not run over.
      if value < 100_000_000 { value = 10 * value + Int(digit) }
      cursor += 1
    }
    guard cursor > start else { throw fault("a digit", bytes) }
    return isNegative ? -value : value
  }

  /// What the quick ways leave: very large and small numbers, and those of more than 19 digits.
  @usableFromInline @inline(never)
  func slowNumber(_ bytes: Span<UInt8>, from start: Int) -> Double {
    let text = unsafe bytes.extracting(start..<cursor).withUnsafeBufferPointer {
      unsafe String(decoding: $0, as: UTF8.self)
    }
    return abs(Double(text) ?? .infinity)
  }

  /// The whole number whose digits end at the cursor; `nil` where it has a fraction or an exponent, or does not fit.
  func whole<Whole: FixedWidthInteger>(_ bytes: Span<UInt8>, from start: Int, as type: Whole.Type) -> Whole? {
    let isNegative = bytes[start] == UInt8(ascii: "-")
    var value: Whole = 0
    for place in (isNegative ? start + 1 : start)..<cursor {
      let digit = bytes[place] &- UInt8(ascii: "0")
      guard digit <= 9 else { return nil }
      let (tens, isTooLarge) = value.multipliedReportingOverflow(by: 10)
      let (next, isBeyond) =
        isNegative
        ? tens.subtractingReportingOverflow(Whole(digit)) : tens.addingReportingOverflow(Whole(digit))
      if isTooLarge || isBeyond { return nil }
      value = next
    }
    return value
  }
}

/// Whether all eight bytes are '0' to '9'.
@inlinable @inline(__always)
func isEightDigits(_ bytes: UInt64) -> Bool {
  // The high halves are 3; adding 6 leaves them so only for low halves up to 9.
  bytes & 0xF0F0_F0F0_F0F0_F0F0 == 0x3030_3030_3030_3030
    && (bytes &+ 0x0606_0606_0606_0606) & 0xF0F0_F0F0_F0F0_F0F0 == 0x3030_3030_3030_3030
}

/// The number that eight digits spell; the first digit in the lowest byte.
@inlinable @inline(__always)
func eightDigitValue(_ bytes: UInt64) -> UInt64 {
  // Neighbours are joined: digits to pairs, pairs to fours, fours to the whole.
  let digits = bytes &- 0x3030_3030_3030_3030
  let pairs = (digits &* 10 &+ digits >> 8) & 0x00FF_00FF_00FF_00FF
  let fours = (pairs &* 100 &+ pairs >> 16) & 0x0000_FFFF_0000_FFFF
  return (fours &* 10_000 &+ fours >> 32) & 0xFFFF_FFFF
}
