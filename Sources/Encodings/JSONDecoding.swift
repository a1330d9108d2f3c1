extension JSON {
  /// Reads a value of a type from a whole JSON text, as strictly as `JSON(parsing:)`.
  ///
  /// Keys that the type does not ask for are passed over, checked all the same.
  /// - Parameter style: keys in snake case, and names for numbers that are not finite, are taken where it has them.
  /// - Throws: as `JSON(parsing:)`; else with the path and the byte of the value: for a key that is missing, a value of
  ///   another kind, or one that the type refuses.
  /// - Complexity: O(bytes * depth); nothing is kept beside the value.
  public static func decode<Value: Decodable>(
    _ type: Value.Type, from bytes: [UInt8], style: JSONStyle = .document
  ) throws(JSONError) -> Value {
    var scanner = JSONScanner()
    try scanner.begin(bytes.span)
    let start = scanner.cursor
    _ = try scanner.value(bytes.span, isKept: false)
    try scanner.end(bytes.span)
    do {
      return try JSONDecoding(bytes: bytes, style: style, start: start).value(type)
    } catch let error as JSONError {
      throw error
    } catch {
      throw JSONError(.refused("\(error)"), offset: start)
    }
  }
}

extension JSON: Decodable {
  /// Reads the value as it is, which only the decoder of this module can.
  public init(from decoder: any Decoder) throws {
    guard let own = decoder as? JSONDecoding else {
      throw DecodingError.dataCorrupted(
        .init(codingPath: decoder.codingPath, debugDescription: "JSON is read by JSON.decode alone"))
    }
    var scanner = JSONScanner(at: own.start)
    self = try scanner.value(own.bytes.span)
  }
}

/// One value of a text that was found to be JSON: a decoder that reads where the value stands.
private struct JSONDecoding: Decoder, SingleValueDecodingContainer {
  enum Step {
    case outermost
    case key(String)
    case index(Int)
  }
  final class Parent {
    let step: Step
    let parent: Parent?

    init(_ step: Step, _ parent: Parent?) { (self.step, self.parent) = (step, parent) }
  }
  let bytes: [UInt8]
  let style: JSONStyle
  /// The offset of the value's first byte.
  let start: Int
  var step = Step.outermost
  var parent: Parent?

  /// Errors have their own path.
  var codingPath: [any CodingKey] { [] }
  var userInfo: [CodingUserInfoKey: Any] { [:] }

  private var first: UInt8 { JSONScanner(at: start).peek(bytes.span) }

  var path: String {
    var steps = [step]
    var next = parent
    while let parent = next {
      steps.append(parent.step)
      next = parent.parent
    }
    return steps.reversed().reduce(into: "") { text, step in
      switch step {
      case .outermost: break
      case .key(let key): text += (text.isEmpty ? "" : ".") + JSONError.shown(key)
      case .index(let index): text += "[\(index)]"
      }
    }
  }

  /// Something else than this kind of value stands here.
  private func fault(_ expected: String) -> JSONError {
    let fault = JSONScanner(at: start).fault(expected, bytes.span)
    return JSONError(fault.reason, offset: start, path: path)
  }

  func container<Key: CodingKey>(keyedBy type: Key.Type) throws -> KeyedDecodingContainer<Key> {
    guard first == UInt8(ascii: "{") else { throw fault("an object") }
    var scanner = JSONScanner(at: start)
    let members = try scanner.members(bytes.span) { (scanner) throws(JSONError) in
      let start = scanner.cursor
      try scanner.skipValue(bytes.span)
      return start
    }
    return KeyedDecodingContainer(JSONMembers<Key>(self, members))
  }

  func unkeyedContainer() throws -> any UnkeyedDecodingContainer {
    guard first == UInt8(ascii: "[") else { throw fault("an array") }
    return JSONElements(self)
  }

  func singleValueContainer() -> any SingleValueDecodingContainer { self }

  func value<Value: Decodable>(_ type: Value.Type) throws -> Value {
    // Types are compared first: what is read most often needs no container.
    if Value.self == String.self, let value = try decode(String.self) as? Value { return value }
    if Value.self == Double.self, let value = try decode(Double.self) as? Value { return value }
    if Value.self == Int.self, let value = try decode(Int.self) as? Value { return value }
    if Value.self == Int32.self, let value = try decode(Int32.self) as? Value { return value }
    do {
      return try Value(from: self)
    } catch let error as DecodingError {
      throw JSONError(.refused(printable(String(sentence(error).prefix(300)))), offset: start, path: path)
    }
  }

  private func sentence(_ error: DecodingError) -> String {
    switch error {
    case .dataCorrupted(let context), .keyNotFound(_, let context), .typeMismatch(_, let context),
      .valueNotFound(_, let context):
      context.debugDescription
    @unknown default: "\(error)"
    }
  }

  private func whole<Whole: FixedWidthInteger>(_ type: Whole.Type) throws -> Whole {
    var scanner = JSONScanner(at: start)
    guard let number = try? scanner.number(bytes.span),
      // As 1.0 or 1e3, too.
      let value = scanner.whole(bytes.span, from: start, as: type) ?? Whole(exactly: number)
    else { throw fault("a whole number" + (Whole.bitWidth < 64 ? " of \(Whole.bitWidth) bits" : "")) }
    return value
  }

  func decodeNil() -> Bool { first == UInt8(ascii: "n") }

  func decode(_ type: Bool.Type) throws -> Bool {
    switch first {
    case UInt8(ascii: "t"): true
    case UInt8(ascii: "f"): false
    default: throw fault("true or false")
    }
  }

  func decode(_ type: String.Type) throws -> String {
    guard first == UInt8(ascii: "\"") else { throw fault("a string") }
    var scanner = JSONScanner(at: start)
    var text: [UInt8] = []
    try scanner.string(bytes.span, into: &text)
    return String(decoding: text, as: UTF8.self)
  }

  func decode(_ type: Double.Type) throws -> Double {
    if style.namesNonFinite, first == UInt8(ascii: "\"") {
      let name = try decode(String.self)
      for value in [Double.nan, .infinity, -.infinity] where nonFiniteName(value) == name { return value }
    }
    var scanner = JSONScanner(at: start)
    guard let value = try? scanner.number(bytes.span) else { throw fault("a number") }
    return value
  }

  func decode(_ type: Float.Type) throws -> Float {
    let number = try decode(Double.self)
    let value = Float(number)
    guard value.isFinite || !number.isFinite else { throw fault("a number of 32 bits") }
    return value
  }

  func decode(_ type: Int.Type) throws -> Int { try whole(type) }
  func decode(_ type: Int8.Type) throws -> Int8 { try whole(type) }
  func decode(_ type: Int16.Type) throws -> Int16 { try whole(type) }
  func decode(_ type: Int32.Type) throws -> Int32 { try whole(type) }
  func decode(_ type: Int64.Type) throws -> Int64 { try whole(type) }
  func decode(_ type: UInt.Type) throws -> UInt { try whole(type) }
  func decode(_ type: UInt8.Type) throws -> UInt8 { try whole(type) }
  func decode(_ type: UInt16.Type) throws -> UInt16 { try whole(type) }
  func decode(_ type: UInt32.Type) throws -> UInt32 { try whole(type) }
  func decode(_ type: UInt64.Type) throws -> UInt64 { try whole(type) }
  func decode<Value: Decodable>(_ type: Value.Type) throws -> Value { try value(type) }
}

private struct JSONMembers<Key: CodingKey>: KeyedDecodingContainerProtocol {
  let object: JSONDecoding
  /// Where each member's value stands.
  let members: [String: Int]
  let parent: JSONDecoding.Parent
  var codingPath: [any CodingKey] { [] }

  init(_ object: JSONDecoding, _ members: [String: Int]) {
    (self.object, self.members) = (object, members)
    parent = JSONDecoding.Parent(object.step, object.parent)
  }

  var allKeys: [Key] { members.keys.compactMap { Key(stringValue: $0) } }

  private func name(_ key: any CodingKey) -> String {
    let name = key.stringValue
    return object.style.usesSnakeCase && members[name] == nil ? snakeCase(name) : name
  }

  private func member(_ key: any CodingKey) throws -> JSONDecoding {
    let name = self.name(key)
    guard let start = members[name] else {
      throw JSONError(.missingKey(JSONError.shown(name)), offset: object.start, path: object.path)
    }
    return JSONDecoding(
      bytes: object.bytes, style: object.style, start: start, step: .key(name), parent: parent)
  }

  func contains(_ key: Key) -> Bool { members[name(key)] != nil }

  func decodeNil(forKey key: Key) throws -> Bool { try member(key).decodeNil() }

  func decode<Value: Decodable>(_ type: Value.Type, forKey key: Key) throws -> Value {
    try member(key).value(type)
  }

  func nestedContainer<Nested: CodingKey>(
    keyedBy type: Nested.Type, forKey key: Key
  ) throws -> KeyedDecodingContainer<Nested> {
    try member(key).container(keyedBy: type)
  }

  func nestedUnkeyedContainer(forKey key: Key) throws -> any UnkeyedDecodingContainer {
    try member(key).unkeyedContainer()
  }

  func superDecoder() throws -> any Decoder { try member(JSONSuperKey()) }
  func superDecoder(forKey key: Key) throws -> any Decoder { try member(key) }
}

private struct JSONSuperKey: CodingKey {
  var stringValue: String { "super" }
  var intValue: Int? { nil }
  init() {}
  init?(stringValue: String) { nil }
  init?(intValue: Int) { nil }
}

private struct JSONElements: UnkeyedDecodingContainer {
  let array: JSONDecoding
  let parent: JSONDecoding.Parent
  /// At the next element, or at the closing bracket.
  private var scanner: JSONScanner
  private(set) var currentIndex = 0
  var codingPath: [any CodingKey] { [] }
  /// It would have to be counted.
  var count: Int? { nil }

  init(_ array: JSONDecoding) {
    self.array = array
    parent = JSONDecoding.Parent(array.step, array.parent)
    scanner = JSONScanner(at: array.start + 1)
    scanner.skipBlanks(array.bytes.span)
  }

  var isAtEnd: Bool { scanner.peek(array.bytes.span) == UInt8(ascii: "]") }

  private mutating func next<Result>(_ body: (JSONDecoding) throws -> Result) throws -> Result {
    let bytes = array.bytes
    let element = JSONDecoding(
      bytes: bytes, style: array.style, start: scanner.cursor, step: .index(currentIndex),
      parent: parent)
    if isAtEnd {
      let fault = scanner.fault("another element", bytes.span)
      throw JSONError(fault.reason, offset: fault.offset, path: element.path)
    }
    let result = try body(element)
    try scanner.skipValue(bytes.span)
    scanner.skipBlanks(bytes.span)
    if scanner.skip(UInt8(ascii: ","), bytes.span) { scanner.skipBlanks(bytes.span) }
    currentIndex += 1
    return result
  }

  mutating func decodeNil() throws -> Bool {
    guard scanner.peek(array.bytes.span) == UInt8(ascii: "n") else { return false }
    return try next { $0.decodeNil() }
  }

  mutating func decode<Value: Decodable>(_ type: Value.Type) throws -> Value {
    try next { try $0.value(type) }
  }

  mutating func nestedContainer<Nested: CodingKey>(
    keyedBy type: Nested.Type
  ) throws -> KeyedDecodingContainer<Nested> {
    try next { try $0.container(keyedBy: type) }
  }

  mutating func nestedUnkeyedContainer() throws -> any UnkeyedDecodingContainer {
    try next { try $0.unkeyedContainer() }
  }

  mutating func superDecoder() throws -> any Decoder { try next { $0 } }
}
