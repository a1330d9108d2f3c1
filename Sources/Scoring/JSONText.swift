/// The text of a JSON document as it grows: commas, line breaks, closing brackets, escapes.
///
/// The two outermost levels have an element a line, numbers in an array stand side by side.
struct JSONText {
  enum Kind {
    case object, array
  }
  private struct Container {
    let kind: Kind
    var isEmpty = true
    /// Whether its elements stand on lines of their own.
    var isBroken = false
  }
  /// What was not taken away yet.
  private(set) var bytes: [UInt8] = []
  private var open: [Container] = []
  /// Whether the next value begins a line, unless it is a number.
  private var wantsLine = false

  init(capacity: Int) { bytes.reserveCapacity(capacity) }

  mutating func removeAll() { bytes.removeAll(keepingCapacity: true) }

  /// - Returns: the depth of the new container.
  mutating func begin(_ kind: Kind) -> Int {
    breakLineIfWanted()
    open.append(Container(kind: kind))
    bytes.append(UInt8(ascii: kind == .object ? "{" : "["))
    return open.count
  }

  /// Closes what was opened below this depth.
  mutating func close(to depth: Int) {
    while open.count > depth, let last = open.popLast() {
      if last.isBroken { breakLine() }
      bytes.append(UInt8(ascii: last.kind == .object ? "}" : "]"))
    }
  }

  /// Begins an element of the container at this depth.
  mutating func element(at depth: Int, key: String?) {
    close(to: depth)
    if open[depth - 1].isEmpty { open[depth - 1].isEmpty = false } else { bytes.append(UInt8(ascii: ",")) }
    if depth <= 2 {
      wantsLine = true
      if open[depth - 1].kind == .object { breakLineIfWanted() }
    }
    if let key {
      append(string: key)
      bytes.append(UInt8(ascii: ":"))
    }
  }

  private mutating func breakLineIfWanted() {
    guard wantsLine else { return }
    wantsLine = false
    open[open.count - 1].isBroken = true
    breakLine()
  }

  private mutating func breakLine() {
    bytes.append(UInt8(ascii: "\n"))
    for _ in 0..<min(2, open.count) { bytes.append(UInt8(ascii: " ")) }
  }

  mutating func append(_ word: StaticString) { word.withUTF8Buffer { unsafe bytes.append(contentsOf: $0) } }

  mutating func append(number: String) {
    wantsLine = false
    bytes.append(contentsOf: number.utf8)
  }

  /// A string in quotes. Control characters, and the two that end lines in old JavaScript, U+2028 and U+2029, are
  /// escaped.
  mutating func append(string: String) {
    breakLineIfWanted()
    bytes.append(UInt8(ascii: "\""))
    var string = string
    string.withUTF8 { text in
      var start = 0
      var index = 0
      while index < text.count {
        guard let escape = unsafe Self.escape(text, index) else {
          index += 1
          continue
        }
        unsafe bytes.append(contentsOf: text[start..<index])
        bytes.append(contentsOf: escape.text.utf8)
        index += escape.byteCount
        start = index
      }
      unsafe bytes.append(contentsOf: text[start...])
    }
    bytes.append(UInt8(ascii: "\""))
  }

  /// What stands for the character that begins at `index`, and how long it is; `nil`: itself.
  @inline(__always)
  private static func escape(_ text: UnsafeBufferPointer<UInt8>, _ index: Int) -> (
    text: String, byteCount: Int
  )? {
    let byte = unsafe text[index]
    guard byte < 0x20 || byte == 0x22 || byte == 0x5C || byte == 0x7F || byte == 0xE2 else { return nil }
    switch byte {
    case UInt8(ascii: "\""): return ("\\\"", 1)
    case UInt8(ascii: "\\"): return ("\\\\", 1)
    case UInt8(ascii: "\n"): return ("\\n", 1)
    case 0xE2:
      let rest = unsafe text[(index + 1)...].prefix(2)
      if unsafe rest.elementsEqual([0x80, 0xA8]) { return ("\\u2028", 3) }
      return unsafe rest.elementsEqual([0x80, 0xA9]) ? ("\\u2029", 3) : nil
    default: return ("\\u00" + (byte < 16 ? "0" : "") + String(byte, radix: 16), 1)
    }
  }
}
