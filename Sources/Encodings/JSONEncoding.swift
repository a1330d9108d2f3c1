extension JSON {
  /// Writes a value as JSON, a piece at a time, so that a million rows need no memory for their text.
  ///
  /// Keys stand in the order in which the value encodes them; in a style that sorts them the text is whole before the
  /// first piece is given away. A line feed ends it.
  /// - Parameter sink: takes the UTF-8 text, in pieces of about 64 KB.
  /// - Throws: what `sink` and the value throw; `EncodingError` for a number that is not finite, unless the style has
  ///   names for these.
  public static func write(
    _ value: some Encodable, style: JSONStyle, to sink: ([UInt8]) throws -> Void
  ) throws {
    try withoutActuallyEscaping(sink) { sink in
      let stream = JSONStream(style, sink)
      try stream.write(value)
      try stream.finish(endsLine: true)
    }
  }

  /// The whole text, with a line feed at its end.
  /// - Throws: as `write`.
  public static func text(_ value: some Encodable, style: JSONStyle) throws -> String {
    String(decoding: try encode(value, style: style), as: UTF8.self) + "\n"
  }

  /// The bytes of the text alone.
  /// - Throws: as `write`.
  public static func encode(_ value: some Encodable, style: JSONStyle) throws -> [UInt8] {
    var bytes: [UInt8] = []
    let stream = JSONStream(style) { bytes += $0 }
    try stream.write(value)
    try stream.finish(endsLine: false)
    return bytes
  }
}

extension JSON: Encodable {
  /// Writes the value as it is, which only the encoder of this module can.
  public func encode(to encoder: any Encoder) throws {
    guard let own = encoder as? JSONEncoding else {
      throw EncodingError.invalidValue(
        self, .init(codingPath: encoder.codingPath, debugDescription: "JSON is written by JSON.write alone"))
    }
    own.stream.change { $0.value(self) }
  }
}

/// A writer whose text goes on its way as it grows.
private final class JSONStream {
  private var writer: JSONWriter
  private let sink: ([UInt8]) throws -> Void
  /// What a container has failed with whose protocol cannot throw.
  private var failure: (any Error)?
  private static let chunkByteCount = 1 << 16

  init(_ style: JSONStyle, _ sink: @escaping ([UInt8]) throws -> Void) {
    writer = JSONWriter(style, capacity: style.sortsKeys ? 0 : Self.chunkByteCount + 1024)
    self.sink = sink
  }

  var style: JSONStyle { writer.style }

  func finish(endsLine: Bool) throws {
    writer.close(to: 0)
    if endsLine { writer.endLine() }
    if let failure { throw failure }
    try sink(writer.bytes)
  }

  func begin(isObject: Bool) -> Int { writer.begin(isObject: isObject) }

  /// Goes back to the container at this depth: those in it are complete.
  func close(to depth: Int) { writer.close(to: depth) }

  @inline(__always)
  func change(_ body: (inout JSONWriter) -> Void) {
    let isFull = { (writer: inout JSONWriter) in
      body(&writer)
      return writer.bytes.count >= Self.chunkByteCount && !writer.style.sortsKeys
    }(&writer)
    guard isFull else { return }
    do {
      if failure == nil { try sink(writer.bytes) }
    } catch {
      failure = error
    }
    writer.removeAll()
  }

  func write<Value: Encodable>(_ value: Value) throws {
    if let failure { throw failure }
    // Types are compared first: a cast that fails takes longer than all that is written.
    if Value.self == String.self, let value = value as? String {
      change { $0.string(value) }
    } else if Value.self == Double.self, let value = value as? Double {
      try write(value)
    } else if Value.self == Int.self || Value.self == Int32.self || Value.self == UInt64.self,
      let value = value as? any BinaryInteger
    {
      change { $0.integer(value) }
    } else if Value.self == Bool.self, let value = value as? Bool {
      change { $0.bool(value) }
    } else {
      let keepsKeys = style.usesSnakeCase && Value.self is any StringDictionary.Type
      try value.encode(to: JSONEncoding(stream: self, keepsKeys: keepsKeys))
    }
  }

  func write(_ value: Double) throws {
    try check(value.isFinite, value)
    change { $0.number(value) }
  }

  func write(_ value: Float) throws {
    try check(value.isFinite, value)
    change { $0.number(value) }
  }

  private func check(_ isFinite: Bool, _ value: some FloatingPoint) throws {
    guard isFinite || style.namesNonFinite else {
      throw EncodingError.invalidValue(
        value, .init(codingPath: [], debugDescription: "\(value) is not a number of JSON"))
    }
  }
}

/// Its keys are data: they stay as they are.
private protocol StringDictionary {}
extension Dictionary: StringDictionary where Key == String {}

/// An encoder that writes at once instead of building a tree.
///
/// Containers are closed when their parent goes on, or at the end: the order of synthesised and hand-written
/// `encode(to:)`, which never go back to a container they have left.
private struct JSONEncoding: Encoder {
  let stream: JSONStream
  var keepsKeys = false
  var codingPath: [any CodingKey] { [] }
  var userInfo: [CodingUserInfoKey: Any] { [:] }

  func container<Key: CodingKey>(keyedBy type: Key.Type) -> KeyedEncodingContainer<Key> {
    let depth = stream.begin(isObject: true)
    return KeyedEncodingContainer(JSONObject<Key>(stream: stream, depth: depth, keepsKeys: keepsKeys))
  }

  func unkeyedContainer() -> any UnkeyedEncodingContainer {
    JSONArray(stream: stream, depth: stream.begin(isObject: false))
  }

  func singleValueContainer() -> any SingleValueEncodingContainer { JSONSingleValue(stream: stream) }
}

private struct JSONObject<Key: CodingKey>: KeyedEncodingContainerProtocol {
  let stream: JSONStream
  let depth: Int
  let keepsKeys: Bool
  var codingPath: [any CodingKey] { [] }

  private func begin(_ key: String) {
    let name = stream.style.usesSnakeCase && !keepsKeys ? snakeCase(key) : key
    stream.close(to: depth)
    stream.change { $0.key(name) }
  }

  mutating func encodeNil(forKey key: Key) {
    begin(key.stringValue)
    stream.change { $0.null() }
  }

  mutating func encode(_ value: some Encodable, forKey key: Key) throws {
    begin(key.stringValue)
    try stream.write(value)
  }

  mutating func nestedContainer<Nested: CodingKey>(
    keyedBy type: Nested.Type, forKey key: Key
  ) -> KeyedEncodingContainer<Nested> {
    begin(key.stringValue)
    return JSONEncoding(stream: stream).container(keyedBy: type)
  }

  mutating func nestedUnkeyedContainer(forKey key: Key) -> any UnkeyedEncodingContainer {
    begin(key.stringValue)
    return JSONEncoding(stream: stream).unkeyedContainer()
  }

  mutating func superEncoder() -> any Encoder {
    begin("super")
    return JSONEncoding(stream: stream)
  }

  mutating func superEncoder(forKey key: Key) -> any Encoder {
    begin(key.stringValue)
    return JSONEncoding(stream: stream)
  }
}

private struct JSONArray: UnkeyedEncodingContainer {
  let stream: JSONStream
  let depth: Int
  var count = 0
  var codingPath: [any CodingKey] { [] }

  init(stream: JSONStream, depth: Int) {
    self.stream = stream
    self.depth = depth
  }

  private mutating func begin() {
    stream.close(to: depth)
    count += 1
  }

  mutating func encodeNil() {
    begin()
    stream.change { $0.null() }
  }

  mutating func encode(_ value: Double) throws {
    begin()
    try stream.write(value)
  }

  mutating func encode(_ value: Int32) {
    begin()
    stream.change { $0.integer(value) }
  }

  mutating func encode(_ value: some Encodable) throws {
    begin()
    try stream.write(value)
  }

  mutating func nestedContainer<Nested: CodingKey>(
    keyedBy type: Nested.Type
  ) -> KeyedEncodingContainer<Nested> {
    begin()
    return JSONEncoding(stream: stream).container(keyedBy: type)
  }

  mutating func nestedUnkeyedContainer() -> any UnkeyedEncodingContainer {
    begin()
    return JSONEncoding(stream: stream).unkeyedContainer()
  }

  mutating func superEncoder() -> any Encoder {
    begin()
    return JSONEncoding(stream: stream)
  }
}

private struct JSONSingleValue: SingleValueEncodingContainer {
  let stream: JSONStream
  var codingPath: [any CodingKey] { [] }

  private func write(integer value: some BinaryInteger) { stream.change { $0.integer(value) } }

  mutating func encodeNil() { stream.change { $0.null() } }
  mutating func encode(_ value: Bool) throws { try stream.write(value) }
  mutating func encode(_ value: String) throws { try stream.write(value) }
  mutating func encode(_ value: Double) throws { try stream.write(value) }
  mutating func encode(_ value: Float) throws { try stream.write(value) }
  mutating func encode(_ value: Int) { write(integer: value) }
  mutating func encode(_ value: Int8) { write(integer: value) }
  mutating func encode(_ value: Int16) { write(integer: value) }
  mutating func encode(_ value: Int32) { write(integer: value) }
  mutating func encode(_ value: Int64) { write(integer: value) }
  mutating func encode(_ value: UInt) { write(integer: value) }
  mutating func encode(_ value: UInt8) { write(integer: value) }
  mutating func encode(_ value: UInt16) { write(integer: value) }
  mutating func encode(_ value: UInt32) { write(integer: value) }
  mutating func encode(_ value: UInt64) { write(integer: value) }
  mutating func encode(_ value: some Encodable) throws { try stream.write(value) }
}

/// "images_per_second" of "imagesPerSecond": a capital begins a word after a small letter or a digit, and where a small
/// one follows it.
func snakeCase(_ key: String) -> String {
  func isSmall(_ byte: UInt8) -> Bool { (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) }
  func isCapital(_ byte: UInt8) -> Bool { (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) }
  let bytes = Array(key.utf8)
  var result: [UInt8] = []
  for (place, byte) in bytes.enumerated() {
    guard isCapital(byte) else {
      result.append(byte)
      continue
    }
    let isFollowed = place + 1 < bytes.count && isSmall(bytes[place + 1])
    if place > 0, !isCapital(bytes[place - 1]) || isFollowed { result.append(UInt8(ascii: "_")) }
    result.append(byte | 0x20)
  }
  return String(decoding: result, as: UTF8.self)
}
