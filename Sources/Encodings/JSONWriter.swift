/// How a JSON text looks, and what stands for what JSON lacks. The same value in the same style is the same text.
public struct JSONStyle: Sendable {
  enum Layout {
    /// One line without blanks.
    case compact
    /// One line, a blank after each comma and colon, as Python's json.dumps writes it.
    case spaced
    /// An element a line, two blanks for each level; an empty container is three lines.
    case pretty
    /// The two outermost levels have an element a line; numbers of an array stand side by side.
    case outline
  }
  enum Escapes {
    /// JSON's short escapes of line ends, tabs and so on; \u00XX for other control characters.
    case short
    /// \u00XX for all control characters.
    case numeric
    /// As `numeric`, but a line feed is \n; and the two that end lines in old JavaScript, U+2028 and U+2029.
    case lines
    /// All but printable ASCII.
    case ascii
    /// What is `printable`, without a character that could end a script element or look like markup.
    case markup
  }
  var layout = Layout.compact
  var escapes = Escapes.short
  /// By the bytes of the keys; else members stand in the order in which they are written.
  var sortsKeys = false
  /// Without ".0": 1.0 is "1".
  var trimsNumbers = false
  /// Keys of structures; those of a dictionary stay.
  var usesSnakeCase = false
  /// "NaN", "Infinity" and "-Infinity", in quotes, stand for what JSON has no number for.
  var namesNonFinite = false

  /// A value of an API, on one line.
  public static let value = JSONStyle(escapes: .numeric)
  /// Printable ASCII alone, on one line.
  public static let ascii = JSONStyle(escapes: .ascii)
  /// What a server answers: printable ASCII alone, on one line with blanks.
  public static let answer = JSONStyle(layout: .spaced, escapes: .ascii)
  /// A file for people and programs.
  public static let document = JSONStyle(layout: .pretty, sortsKeys: true, trimsNumbers: true)
  /// The same on one line.
  public static let line = JSONStyle(sortsKeys: true, trimsNumbers: true)
  /// A file with long arrays.
  public static let outline = JSONStyle(layout: .outline, escapes: .lines)
  /// For a script element of type application/json.
  public static let embedded = JSONStyle(escapes: .markup)

  public var snakeCase: JSONStyle {
    var style = self
    style.usesSnakeCase = true
    return style
  }

  public var namingNonFinite: JSONStyle {
    var style = self
    style.namesNonFinite = true
    return style
  }
}

/// The text of a JSON document as it grows: commas, line breaks, closing brackets, escapes.
public struct JSONWriter {
  private struct Container {
    let isObject: Bool
    var isEmpty = true
    /// Whether its elements stand on lines of their own, in an outline.
    var isBroken = false
    /// Where each member starts, to sort them.
    var members: [(key: String, start: Int)] = []
  }
  public let style: JSONStyle
  /// What was not taken away yet.
  public private(set) var bytes: [UInt8] = []
  private var open: [Container] = []
  /// Whether the value that comes next has its key.
  private var hasKey = false
  /// In an outline: whether the next value begins a line, unless it is a number.
  private var wantsLine = false

  public init(_ style: JSONStyle, capacity: Int = 0) {
    self.style = style
    bytes.reserveCapacity(capacity)
  }

  public mutating func object(_ body: (inout JSONWriter) throws -> Void) rethrows {
    let depth = begin(isObject: true)
    try body(&self)
    close(to: depth - 1)
  }

  public mutating func array(_ body: (inout JSONWriter) throws -> Void) rethrows {
    let depth = begin(isObject: false)
    try body(&self)
    close(to: depth - 1)
  }

  /// Begins a member of the innermost object; its value comes next.
  public mutating func key(_ name: String) {
    beginElement()
    if style.sortsKeys { open[open.count - 1].members.append((name, bytes.count)) }
    append(string: name)
    append(style.layout == .pretty ? " : " : style.layout == .spaced ? ": " : ":")
    hasKey = true
  }

  /// Writes a member of the innermost object.
  public mutating func member(_ name: String, _ value: JSON) {
    key(name)
    self.value(value)
  }

  public mutating func null() { word("null") }
  public mutating func bool(_ value: Bool) { word(value ? "true" : "false") }
  public mutating func integer(_ value: some BinaryInteger) { word(String(value)) }

  /// Writes the shortest digits that read back to the same double. What is not finite has its name or is null.
  public mutating func number(_ value: Double) {
    if value.isFinite { return digits(value.description) }
    if style.namesNonFinite { string(nonFiniteName(value)) } else { null() }
  }

  /// The same for a float.
  mutating func number(_ value: Float) {
    if value.isFinite { digits(value.description) } else { number(Double(value)) }
  }

  private mutating func digits(_ text: String) {
    word(style.trimsNumbers && text.hasSuffix(".0") ? String(text.dropLast(2)) : text)
  }

  public mutating func string(_ value: String) {
    beginValue()
    breakLineIfWanted()
    append(string: style.escapes == .markup ? printable(value) : value)
  }

  /// Writes a whole value, an object's members in the order of their keys' bytes.
  public mutating func value(_ value: JSON) {
    switch value {
    case .null: null()
    case .bool(let value): bool(value)
    case .integer(let value): integer(value)
    case .number(let value): number(value)
    case .string(let value): string(value)
    case .list(let elements): array { writer in for element in elements { writer.value(element) } }
    case .object(let members):
      object { writer in
        for (key, value) in members.sorted(by: { precedes($0.key, $1.key) }) {
          writer.member(key, value)
        }
      }
    }
  }

  public mutating func integers(_ values: some Sequence<Int>) {
    array { writer in for value in values { writer.integer(value) } }
  }

  public mutating func strings(_ values: some Sequence<String>) {
    array { writer in for value in values { writer.string(value) } }
  }

  mutating func removeAll() { bytes.removeAll(keepingCapacity: true) }

  mutating func endLine() { bytes.append(UInt8(ascii: "\n")) }
}

/// Structure.
extension JSONWriter {
  /// - Returns: the depth of the new container.
  mutating func begin(isObject: Bool) -> Int {
    beginValue()
    breakLineIfWanted()
    open.append(Container(isObject: isObject))
    bytes.append(UInt8(ascii: isObject ? "{" : "["))
    return open.count
  }

  /// Closes what was opened below this depth.
  mutating func close(to depth: Int) {
    while open.count > depth, let last = open.popLast() {
      if style.sortsKeys { sort(last.members) }
      if style.layout == .pretty {
        if last.isEmpty { bytes.append(UInt8(ascii: "\n")) }
        breakLine()
      } else if last.isBroken {
        breakLine()
      }
      bytes.append(UInt8(ascii: last.isObject ? "}" : "]"))
    }
  }

  /// Writes what separates an element of the innermost container from the one before it.
  private mutating func beginElement() {
    guard let last = open.indices.last else { return }
    let isFirst = open[last].isEmpty
    open[last].isEmpty = false
    if !isFirst { bytes.append(UInt8(ascii: ",")) }
    switch style.layout {
    case .compact: break
    case .spaced: if !isFirst { bytes.append(UInt8(ascii: " ")) }
    case .pretty: breakLine()
    case .outline where open.count <= 2:
      wantsLine = true
      if open[last].isObject { breakLineIfWanted() }
    case .outline: break
    }
  }

  private mutating func beginValue() {
    if hasKey { hasKey = false } else { beginElement() }
  }

  private mutating func breakLineIfWanted() {
    guard wantsLine else { return }
    wantsLine = false
    open[open.count - 1].isBroken = true
    breakLine()
  }

  private mutating func breakLine() {
    bytes.append(UInt8(ascii: "\n"))
    let indent = style.layout == .pretty ? 2 * open.count : min(2, open.count)
    for _ in 0..<indent { bytes.append(UInt8(ascii: " ")) }
  }

  /// Sorts the members of the container that is being closed; each is written already.
  private mutating func sort(_ members: [(key: String, start: Int)]) {
    let order = members.indices.sorted { precedes(members[$0].key, members[$1].key) }
    guard let first = members.first?.start, order != Array(members.indices) else { return }
    // A comma, and the line break of the container's elements.
    let separatorByteCount = style.layout == .pretty ? 2 + 2 * (open.count + 1) : 1
    let written = Array(bytes[first...])
    bytes.removeLast(written.count)
    for (place, index) in order.enumerated() {
      let start = members[index].start - first
      let end =
        index + 1 < members.count ? members[index + 1].start - first - separatorByteCount : written.count
      if place > 0 {
        let next = members[1].start - first
        bytes.append(contentsOf: written[(next - separatorByteCount)..<next])
      }
      bytes.append(contentsOf: written[start..<end])
    }
  }

  private mutating func word(_ text: String) {
    beginValue()
    wantsLine = false
    append(text)
  }
}

/// Characters.
extension JSONWriter {
  private mutating func append(_ text: String) { bytes.append(contentsOf: text.utf8) }

  /// A string in quotes.
  private mutating func append(string: String) {
    bytes.append(UInt8(ascii: "\""))
    if style.escapes == .ascii { append(ascii: string) } else { append(escaped: string) }
    bytes.append(UInt8(ascii: "\""))
  }

  private mutating func append(ascii string: String) {
    for unit in string.utf16 {
      switch unit {
      case 0x22, 0x5C: bytes += [UInt8(ascii: "\\"), UInt8(truncatingIfNeeded: unit)]
      case 0x20..<0x7F: bytes.append(UInt8(truncatingIfNeeded: unit))
      default: append(Self.numeric(unit))
      }
    }
  }

  private mutating func append(escaped string: String) {
    let escapes = style.escapes
    var string = string
    string.withUTF8 { text in
      var (start, index) = (0, 0)
      while index < text.count {
        guard let escape = unsafe Self.escape(text, index, escapes) else {
          index += 1
          continue
        }
        unsafe bytes.append(contentsOf: text[start..<index])
        append(escape.text)
        index += escape.byteCount
        start = index
      }
      unsafe bytes.append(contentsOf: text[start...])
    }
  }

  /// What stands for the character that begins at `index`, and how long it is; `nil`: itself.
  @inline(__always)
  private static func escape(
    _ text: UnsafeBufferPointer<UInt8>, _ index: Int, _ escapes: JSONStyle.Escapes
  ) -> (text: String, byteCount: Int)? {
    let byte = unsafe text[index]
    // Nearly always.
    if byte > 0x5C && byte != 0x7F && byte != 0xE2 { return nil }
    switch byte {
    case UInt8(ascii: "\""): return ("\\\"", 1)
    case UInt8(ascii: "\\"): return ("\\\\", 1)
    case UInt8(ascii: "\n") where escapes == .lines: return ("\\n", 1)
    case 0..<0x20: return (escapes == .short ? shortEscape(byte) : numeric(UInt16(byte)), 1)
    case 0x7F: return escapes == .short ? nil : (numeric(UInt16(byte)), 1)
    case UInt8(ascii: "<"), UInt8(ascii: ">"), UInt8(ascii: "&"), UInt8(ascii: "'"):
      return escapes == .markup ? (numeric(UInt16(byte)), 1) : nil
    case 0xE2 where escapes == .lines:
      let rest = unsafe text[(index + 1)...].prefix(2)
      if unsafe rest.elementsEqual([0x80, 0xA8]) { return ("\\u2028", 3) }
      return unsafe rest.elementsEqual([0x80, 0xA9]) ? ("\\u2029", 3) : nil
    default: return nil
    }
  }

  private static func shortEscape(_ byte: UInt8) -> String {
    switch byte {
    case 0x08: "\\b"
    case 0x0C: "\\f"
    case UInt8(ascii: "\n"): "\\n"
    case UInt8(ascii: "\r"): "\\r"
    case UInt8(ascii: "\t"): "\\t"
    default: numeric(UInt16(byte))
    }
  }

  private static func numeric(_ unit: UInt16) -> String {
    let digits = String(unit, radix: 16)
    return "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
  }
}

/// A string in quotes; without a style all but printable ASCII is escaped.
package func jsonString(_ text: String, _ style: JSONStyle = .ascii) -> String {
  var writer = JSONWriter(style)
  writer.string(text)
  return String(decoding: writer.bytes, as: UTF8.self)
}

func precedes(_ key: String, _ other: String) -> Bool {
  key.utf8.lexicographicallyPrecedes(other.utf8)
}

/// What stands for a number that is not finite where a style has names for them.
func nonFiniteName(_ value: Double) -> String {
  value.isNaN ? "NaN" : value < 0 ? "-Infinity" : "Infinity"
}
