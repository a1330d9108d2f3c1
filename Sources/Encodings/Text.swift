import FoundationEssentials

/// Bytes as lower-case hexadecimal digits.
public func hexText(_ bytes: some Sequence<UInt8>) -> String {
  let digits = Array("0123456789abcdef".utf8)
  var text: [UInt8] = []
  for byte in bytes {
    text.append(digits[Int(byte >> 4)])
    text.append(digits[Int(byte & 15)])
  }
  return String(decoding: text, as: UTF8.self)
}

/// - Returns: nil where something else than pairs of hexadecimal digits is in the text.
public func hexBytes(_ text: some StringProtocol) -> [UInt8]? {
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
public func percentEncoded(_ bytes: some Sequence<UInt8>, keepingSlash: Bool = false) -> String {
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
public func percentDecoded(_ text: some StringProtocol, plusIsSpace: Bool = false) -> [UInt8]? {
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

/// The same where the bytes are text; nil where they are no UTF-8.
public func percentDecodedText(_ text: some StringProtocol, plusIsSpace: Bool = false) -> String? {
  percentDecoded(text, plusIsSpace: plusIsSpace).flatMap { String(validating: $0, as: UTF8.self) }
}

public func hexValue(_ digit: UInt8) -> UInt8? {
  switch digit {
  case UInt8(ascii: "0")...UInt8(ascii: "9"): digit - UInt8(ascii: "0")
  case UInt8(ascii: "a")...UInt8(ascii: "f"): digit - UInt8(ascii: "a") + 10
  case UInt8(ascii: "A")...UInt8(ascii: "F"): digit - UInt8(ascii: "A") + 10
  default: nil
  }
}

/// Bytes as base64 with padding.
public func base64Text(_ bytes: some Sequence<UInt8>) -> String { Data(bytes).base64EncodedString() }

/// - Returns: nil where the text is no base64 with its padding.
public func base64Bytes(_ text: String) -> [UInt8]? {
  // Foundation passes over what follows padding.
  let end = text.utf8.firstIndex(of: UInt8(ascii: "=")) ?? text.utf8.endIndex
  let padding = text.utf8[end...]
  guard padding.count <= 2, padding.allSatisfy({ $0 == UInt8(ascii: "=") }) else { return nil }
  return Data(base64Encoded: text).map { Array($0) }
}
