/// A JSON value.
///
/// Whole numbers that fit are integers, so that they come out as they came in. No key is in an object twice: RFC 8259
/// leaves open what a repeated key means, readers disagree about it, and so a text that has one is refused. Keys that
/// are canonically equivalent, as two spellings of "é", count as the same.
public enum JSON: Hashable, Sendable {
  case null
  case bool(Bool)
  case integer(Int)
  case number(Double)
  case string(String)
  case list([JSON])
  case object([String: JSON])

  /// A member of an object; nil for what is none, has no such member, or has null there.
  public subscript(name: String) -> JSON? {
    get {
      guard case .object(let members) = self, let value = members[name], value != .null else { return nil }
      return value
    }
    set {
      guard case .object(var members) = self else { return }
      // One owner: the dictionary is changed where it is.
      self = .null
      members[name] = newValue
      self = .object(members)
    }
  }

  public var text: String? { if case .string(let text) = self { text } else { nil } }
  /// Also of a number that is whole: 1.0 is 1.
  public var integer: Int? {
    switch self {
    case .integer(let value): value
    case .number(let value): Int(exactly: value)
    default: nil
    }
  }
  public var number: Double? {
    switch self {
    case .integer(let value): Double(value)
    case .number(let value): value
    default: nil
    }
  }
  public var isTrue: Bool { self == .bool(true) }
  public var list: [JSON]? { if case .list(let elements) = self { elements } else { nil } }
  public var object: [String: JSON]? { if case .object(let members) = self { members } else { nil } }

  /// An object's members that are texts.
  public var texts: [String: String] { (object ?? [:]).compactMapValues(\.text) }

  /// The members of both; the other's where a name is in both.
  public func merging(_ other: JSON) -> JSON {
    .object((object ?? [:]).merging(other.object ?? [:]) { $1 })
  }

  public func without(_ names: String...) -> JSON {
    var members = object ?? [:]
    for name in names { members[name] = nil }
    return .object(members)
  }

  /// UTF-8, the members in the order of their keys' bytes: the same bytes for the same value. A number that JSON lacks
  /// is null.
  public var bytes: [UInt8] {
    var writer = JSONWriter(.value)
    writer.value(self)
    return writer.bytes
  }

  public var encoded: String { String(decoding: bytes, as: UTF8.self) }
}

extension JSON: ExpressibleByStringLiteral, ExpressibleByDictionaryLiteral, ExpressibleByArrayLiteral,
  ExpressibleByIntegerLiteral, ExpressibleByBooleanLiteral
{
  public init(stringLiteral value: String) { self = .string(value) }
  public init(integerLiteral value: Int) { self = .integer(value) }
  public init(booleanLiteral value: Bool) { self = .bool(value) }
  public init(arrayLiteral elements: JSON...) { self = .list(elements) }
  public init(dictionaryLiteral elements: (String, JSON)...) {
    self = .object(Dictionary(elements) { $1 })
  }
}

extension JSON {
  /// Reads one value and nothing after it, by RFC 8259 and nothing beyond it.
  ///
  /// - Throws: where the text is not JSON or not UTF-8; for a number that no double is near, a key that an object has
  ///   twice, and what lies deeper than `JSONScanner.maximumDepth`.
  /// - Complexity: O(bytes).
  public init(parsing bytes: [UInt8]) throws(JSONError) {
    var scanner = JSONScanner()
    try scanner.begin(bytes.span)
    self = try scanner.value(bytes.span)
    try scanner.end(bytes.span)
  }
}

extension JSONScanner {
  /// Reads the value at the cursor.
  /// - Parameter isKept: whether it is wanted; else it is only checked, and null is returned for it.
  mutating func value(_ bytes: Span<UInt8>, isKept: Bool = true, depth: Int = 0) throws(JSONError) -> JSON {
    let start = cursor
    switch peek(bytes) {
    case UInt8(ascii: "{"):
      guard depth < Self.maximumDepth else { throw JSONError(.tooDeep, offset: start) }
      let members = try self.members(bytes) { (scanner) throws(JSONError) in
        try scanner.value(bytes, isKept: isKept, depth: depth + 1)
      }
      return isKept ? .object(members) : .null
    case UInt8(ascii: "["):
      guard depth < Self.maximumDepth else { throw JSONError(.tooDeep, offset: start) }
      return .list(try elements(bytes, isKept: isKept, depth: depth + 1))
    case UInt8(ascii: "\""):
      var text: [UInt8] = []
      try string(bytes, into: &text, isKept: isKept)
      return .string(String(decoding: text, as: UTF8.self))
    case UInt8(ascii: "t"):
      try skipLiteral("true", bytes)
      return true
    case UInt8(ascii: "f"):
      try skipLiteral("false", bytes)
      return false
    case UInt8(ascii: "n"):
      try skipLiteral("null", bytes)
      return .null
    default:
      let number = try self.number(bytes, expecting: "a value")
      if let whole = self.whole(bytes, from: start, as: Int.self) { return .integer(whole) }
      return .number(number)
    }
  }

  private mutating func elements(_ bytes: Span<UInt8>, isKept: Bool, depth: Int) throws(JSONError) -> [JSON] {
    var elements: [JSON] = []
    cursor += 1
    skipBlanks(bytes)
    if skip(UInt8(ascii: "]"), bytes) { return elements }
    while true {
      let element = try value(bytes, isKept: isKept, depth: depth)
      if isKept { elements.append(element) }
      skipBlanks(bytes)
      if skip(UInt8(ascii: "]"), bytes) { return elements }
      guard skip(UInt8(ascii: ","), bytes) else { throw fault("',' or ']'", bytes) }
      skipBlanks(bytes)
    }
  }

  /// Reads the object at the cursor; `value` reads the value of each member, from its first byte on.
  mutating func members<Value>(
    _ bytes: Span<UInt8>, _ value: (inout JSONScanner) throws(JSONError) -> Value
  ) throws(JSONError) -> [String: Value] {
    var members: [String: Value] = [:]
    cursor += 1
    skipBlanks(bytes)
    if skip(UInt8(ascii: "}"), bytes) { return members }
    var text: [UInt8] = []
    while true {
      let start = cursor
      guard peek(bytes) == UInt8(ascii: "\"") else { throw fault("a key in quotes", bytes) }
      text.removeAll(keepingCapacity: true)
      try string(bytes, into: &text)
      try skipColon(bytes)
      let key = String(decoding: text, as: UTF8.self)
      guard try members.updateValue(value(&self), forKey: key) == nil else {
        throw JSONError(.repeatedKey(JSONError.shown(key)), offset: start)
      }
      skipBlanks(bytes)
      if skip(UInt8(ascii: "}"), bytes) { return members }
      guard skip(UInt8(ascii: ","), bytes) else { throw fault("',' or '}'", bytes) }
      skipBlanks(bytes)
    }
  }
}
