/// An encoding of text whose units have more than a byte.
enum WideEncoding: Hashable, CustomStringConvertible {
  case utf16(isBigEndian: Bool)
  case utf32

  var description: String {
    switch self {
    case .utf16: "UTF-16"
    case .utf32: "UTF-32"
    }
  }
}

/// The wide encoding of a text by its byte order mark; without one, by zeros in every second byte of its beginning, which
/// no text of single bytes has.
func wideEncoding(_ start: [UInt8]) -> WideEncoding? {
  if start.starts(with: [0xFF, 0xFE, 0, 0]) || start.starts(with: [0, 0, 0xFE, 0xFF]) { return .utf32 }
  if start.starts(with: [0xFF, 0xFE]) { return .utf16(isBigEndian: false) }
  if start.starts(with: [0xFE, 0xFF]) { return .utf16(isBigEndian: true) }
  let first = start.prefix(16)
  guard first.count >= 4 else { return nil }
  let zeros = first.map { $0 == 0 }
  let (even, odd) = (zeros.indices.filter { $0 % 2 == 0 }, zeros.indices.filter { $0 % 2 == 1 })
  if even.allSatisfy({ zeros[$0] }) && odd.allSatisfy({ !zeros[$0] }) { return .utf16(isBigEndian: true) }
  if odd.allSatisfy({ zeros[$0] }) && even.allSatisfy({ !zeros[$0] }) { return .utf16(isBigEndian: false) }
  return nil
}

/// The bytes of a text as UTF-8, its byte order mark left out; what is no UTF-16 is given back as it is.
///
/// - Throws: `.encoding` for UTF-32, and for UTF-16 that is cut short or has half of a pair.
func utf8Bytes(of text: [UInt8], path: String) throws(TruthError) -> [UInt8] {
  switch wideEncoding(text) {
  case nil: return text.starts(with: [0xEF, 0xBB, 0xBF]) ? Array(text.dropFirst(3)) : text
  case .utf32: throw TruthError(.encoding("UTF-32"), path: path)
  case .utf16(let isBigEndian):
    var units: [UInt16] = []
    units.reserveCapacity(text.count / 2)
    for place in stride(from: 0, to: text.count - 1, by: 2) {
      let (first, second) = (UInt16(text[place]), UInt16(text[place + 1]))
      units.append(isBigEndian ? first << 8 | second : second << 8 | first)
    }
    if units.first == 0xFEFF { units.removeFirst() }
    guard text.count % 2 == 0, let decoded = String(validating: units, as: UTF16.self) else {
      throw TruthError(.encoding("UTF-16 that is cut short or damaged"), path: path)
    }
    return Array(decoded.utf8)
  }
}
