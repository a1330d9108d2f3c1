/// The unsigned decimal number that the bytes spell; `nil` for any other text, and for numbers beyond 64 bits.
func wholeNumber(_ digits: some Sequence<UInt8>) -> UInt64? {
  var value: UInt64?
  for byte in digits {
    let digit = byte &- UInt8(ascii: "0")
    guard digit <= 9 else { return nil }
    let (tens, overflow) = (value ?? 0).multipliedReportingOverflow(by: 10)
    let (sum, carry) = tens.addingReportingOverflow(UInt64(digit))
    guard !overflow && !carry else { return nil }
    value = sum
  }
  return value
}

/// Whether the byte is ASCII white space as Python's `str.strip` removes it.
func isBlank(_ byte: UInt8) -> Bool {
  byte == 0x20 || (0x09...0x0d).contains(byte) || (0x1c...0x1f).contains(byte)
}

/// `range` of `bytes` without the white space at both ends, Unicode's included, as Python's `str.strip`.
func stripped(_ bytes: Span<UInt8>, _ range: Range<Int>) -> Range<Int> {
  var (start, end) = (range.lowerBound, range.upperBound)
  while start < end, let width = blankWidth(bytes, at: start, before: end) { start += width }
  while start < end {
    if isBlank(bytes[end - 1]) {
      end -= 1
    } else if end - start >= 2, blankWidth(bytes, at: end - 2, before: end) == 2 {
      end -= 2
    } else if end - start >= 3, blankWidth(bytes, at: end - 3, before: end) == 3 {
      end -= 3
    } else {
      break
    }
  }
  return start..<end
}

/// How many bytes the white space character at `index` has in UTF-8; `nil` where there is none.
private func blankWidth(_ bytes: Span<UInt8>, at index: Int, before end: Int) -> Int? {
  let first = bytes[index]
  if first < 0x80 { return isBlank(first) ? 1 : nil }
  guard index + 1 < end else { return nil }
  let second = bytes[index + 1]
  if first == 0xc2 { return second == 0x85 || second == 0xa0 ? 2 : nil }
  guard index + 2 < end else { return nil }
  let third = bytes[index + 2]
  let isWide =
    switch (first, second) {
    case (0xe1, 0x9a), (0xe3, 0x80): third == 0x80  // U+1680, U+3000
    case (0xe2, 0x80): (0x80...0x8a).contains(third) || [0xa8, 0xa9, 0xaf].contains(third)
    case (0xe2, 0x81): third == 0x9f
    default: false
    }
  return isWide ? 3 : nil
}

/// The bytes as text for a message. Control characters are escaped; if the bytes are not UTF-8, all that are not ASCII
/// appear as `\xNN`.
///
/// - Parameter limit: a longer text is cut after that many bytes and ends in "...".
func printable(_ bytes: some Collection<UInt8>, limit: Int = .max) -> String {
  let shown = bytes.prefix(limit)
  var text = ""
  var decoder = UTF8()
  var iterator = shown.makeIterator()
  var isWhole = true
  decoding: while true {
    switch decoder.decode(&iterator) {
    case .scalarValue(let scalar): text += escaped(scalar)
    case .emptyInput: break decoding
    case .error:
      isWhole = false
      break decoding
    }
  }
  if !isWhole {
    text = shown.map { $0 < 0x80 ? escaped(Unicode.Scalar($0)) : "\\x" + String($0, radix: 16) }.joined()
  }
  return shown.count < bytes.count ? text + "..." : text
}

private func escaped(_ scalar: Unicode.Scalar) -> String {
  switch scalar.properties.generalCategory {
  case .control, .lineSeparator, .paragraphSeparator: scalar.escaped(asASCII: true)
  default: String(scalar)
  }
}
