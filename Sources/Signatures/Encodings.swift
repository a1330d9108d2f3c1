/// Bytes as lower-case hexadecimal digits.
package func hexText(_ bytes: some Sequence<UInt8>) -> String {
  let digits = Array("0123456789abcdef".utf8)
  var text: [UInt8] = []
  for byte in bytes {
    text.append(digits[Int(byte >> 4)])
    text.append(digits[Int(byte & 15)])
  }
  return String(decoding: text, as: UTF8.self)
}

/// - Returns: nil where something else than pairs of hexadecimal digits is in the text.
package func hexBytes(_ text: some StringProtocol) -> [UInt8]? {
  var bytes: [UInt8] = []
  var high: UInt8?
  for digit in text.utf8 {
    guard let value = hexValue(digit) else { return nil }
    if let upper = high {
      bytes.append(upper << 4 | value)
      high = nil
    } else {
      high = value
    }
  }
  return high == nil ? bytes : nil
}

/// All but letters, digits and `-._~` as `%XX`, as Amazon's signatures want it.
///
/// - Parameter keepingSlash: a slash stays one, as in a path.
package func percentEncoded(_ bytes: some Sequence<UInt8>, keepingSlash: Bool = false) -> String {
  let digits = Array("0123456789ABCDEF".utf8)
  var text: [UInt8] = []
  for byte in bytes {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
      UInt8(ascii: "~"):
      text.append(byte)
    case UInt8(ascii: "/") where keepingSlash: text.append(byte)
    default: text += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
    }
  }
  return String(decoding: text, as: UTF8.self)
}

/// - Parameter plusIsSpace: as in the query of a URL.
/// - Returns: the bytes; nil where a `%` is not followed by two hexadecimal digits.
package func percentDecoded(_ text: some StringProtocol, plusIsSpace: Bool = false) -> [UInt8]? {
  var bytes: [UInt8] = []
  var rest = Array(text.utf8)[...]
  bytes.reserveCapacity(rest.count)
  while let byte = rest.popFirst() {
    switch byte {
    case UInt8(ascii: "%"):
      guard let high = rest.popFirst().flatMap(hexValue), let low = rest.popFirst().flatMap(hexValue) else {
        return nil
      }
      bytes.append(high << 4 | low)
    case UInt8(ascii: "+") where plusIsSpace: bytes.append(UInt8(ascii: " "))
    default: bytes.append(byte)
    }
  }
  return bytes
}

func hexValue(_ digit: UInt8) -> UInt8? {
  switch digit {
  case UInt8(ascii: "0")...UInt8(ascii: "9"): digit - UInt8(ascii: "0")
  case UInt8(ascii: "a")...UInt8(ascii: "f"): digit - UInt8(ascii: "a") + 10
  case UInt8(ascii: "A")...UInt8(ascii: "F"): digit - UInt8(ascii: "A") + 10
  default: nil
  }
}

/// Bytes as base64 with padding.
package func base64Text(_ bytes: [UInt8]) -> String {
  let digits = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
  var text: [UInt8] = []
  for start in stride(from: 0, to: bytes.count, by: 3) {
    let group = bytes[start..<min(start + 3, bytes.count)]
    var word = 0
    for byte in group { word = word << 8 | Int(byte) }
    word <<= 8 * (3 - group.count)
    for place in 0..<4 {
      text.append(place <= group.count ? digits[word >> (18 - 6 * place) & 63] : UInt8(ascii: "="))
    }
  }
  return String(decoding: text, as: UTF8.self)
}

/// - Returns: nil where the text is no base64 with its padding.
package func base64Bytes(_ text: String) -> [UInt8]? {
  let body = Array(text.utf8)
  guard body.count % 4 == 0 else { return nil }
  let padding = body.suffix(2).filter { $0 == UInt8(ascii: "=") }.count
  var (bytes, word, bits) = ([UInt8](), 0, 0)
  for digit in body.dropLast(padding) {
    let value: Int
    switch digit {
    case UInt8(ascii: "A")...UInt8(ascii: "Z"): value = Int(digit) - 65
    case UInt8(ascii: "a")...UInt8(ascii: "z"): value = Int(digit) - 71
    case UInt8(ascii: "0")...UInt8(ascii: "9"): value = Int(digit) + 4
    case UInt8(ascii: "+"): value = 62
    case UInt8(ascii: "/"): value = 63
    default: return nil
    }
    word = (word << 6 | value) & 0xFFFF
    bits += 6
    if bits >= 8 {
      bits -= 8
      bytes.append(UInt8(truncatingIfNeeded: word >> bits))
    }
  }
  return bytes
}
