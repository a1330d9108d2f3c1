/// A string in quotes, all but printable ASCII escaped.
package func jsonString(_ text: String) -> String {
  var result = "\""
  for unit in text.utf16 {
    switch unit {
    case 0x22, 0x5C: result += "\\" + String(UnicodeScalar(UInt8(unit)))
    case 0x20..<0x7F: result += String(UnicodeScalar(UInt8(unit)))
    default:
      let digits = String(unit, radix: 16)
      result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
    }
  }
  return result + "\""
}
