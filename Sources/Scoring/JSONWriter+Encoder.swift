/// The face of `JSONWriter` towards `encode(to:)`.
struct JSONEncoding: Encoder {
  let writer: JSONWriter
  var codingPath: [any CodingKey] { [] }
  var userInfo: [CodingUserInfoKey: Any] { [:] }

  func container<Key: CodingKey>(keyedBy type: Key.Type) -> KeyedEncodingContainer<Key> {
    KeyedEncodingContainer(JSONObject<Key>(writer: writer, depth: writer.begin(.object)))
  }

  func unkeyedContainer() -> any UnkeyedEncodingContainer {
    JSONArray(writer: writer, depth: writer.begin(.array))
  }

  func singleValueContainer() -> any SingleValueEncodingContainer { JSONValue(writer: writer) }
}

private struct JSONObject<Key: CodingKey>: KeyedEncodingContainerProtocol {
  let writer: JSONWriter
  let depth: Int
  var codingPath: [any CodingKey] { [] }

  mutating func encodeNil(forKey key: Key) {
    writer.element(at: depth, key: key.stringValue)
    writer.append("null")
  }

  mutating func encode(_ value: some Encodable, forKey key: Key) throws {
    writer.element(at: depth, key: key.stringValue)
    try writer.write(value)
  }

  mutating func nestedContainer<Nested: CodingKey>(
    keyedBy type: Nested.Type, forKey key: Key
  ) -> KeyedEncodingContainer<Nested> {
    writer.element(at: depth, key: key.stringValue)
    return JSONEncoding(writer: writer).container(keyedBy: type)
  }

  mutating func nestedUnkeyedContainer(forKey key: Key) -> any UnkeyedEncodingContainer {
    writer.element(at: depth, key: key.stringValue)
    return JSONEncoding(writer: writer).unkeyedContainer()
  }

  mutating func superEncoder() -> any Encoder {
    writer.element(at: depth, key: "super")
    return JSONEncoding(writer: writer)
  }

  mutating func superEncoder(forKey key: Key) -> any Encoder {
    writer.element(at: depth, key: key.stringValue)
    return JSONEncoding(writer: writer)
  }
}

private struct JSONArray: UnkeyedEncodingContainer {
  let writer: JSONWriter
  let depth: Int
  var count = 0
  var codingPath: [any CodingKey] { [] }

  init(writer: JSONWriter, depth: Int) {
    self.writer = writer
    self.depth = depth
  }

  private mutating func begin() {
    writer.element(at: depth)
    count += 1
  }

  mutating func encodeNil() {
    begin()
    writer.append("null")
  }

  mutating func encode(_ value: Double) throws {
    begin()
    try writer.write(value)
  }

  mutating func encode(_ value: Int32) {
    begin()
    writer.append(number: String(value))
  }

  mutating func encode(_ value: some Encodable) throws {
    begin()
    try writer.write(value)
  }

  mutating func nestedContainer<Nested: CodingKey>(
    keyedBy type: Nested.Type
  ) -> KeyedEncodingContainer<Nested> {
    begin()
    return JSONEncoding(writer: writer).container(keyedBy: type)
  }

  mutating func nestedUnkeyedContainer() -> any UnkeyedEncodingContainer {
    begin()
    return JSONEncoding(writer: writer).unkeyedContainer()
  }

  mutating func superEncoder() -> any Encoder {
    begin()
    return JSONEncoding(writer: writer)
  }
}

private struct JSONValue: SingleValueEncodingContainer {
  let writer: JSONWriter
  var codingPath: [any CodingKey] { [] }

  mutating func encodeNil() { writer.append("null") }
  mutating func encode(_ value: Bool) throws { try writer.write(value) }
  mutating func encode(_ value: String) throws { try writer.write(value) }
  mutating func encode(_ value: Double) throws { try writer.write(value) }
  mutating func encode(_ value: Float) throws { try writer.write(Double(value)) }
  mutating func encode(_ value: Int) throws { try writer.write(value) }
  mutating func encode(_ value: Int8) throws { try writer.write(Int(value)) }
  mutating func encode(_ value: Int16) throws { try writer.write(Int(value)) }
  mutating func encode(_ value: Int32) throws { try writer.write(value) }
  mutating func encode(_ value: Int64) throws { try writer.write(Int(value)) }
  mutating func encode(_ value: UInt) throws { try writer.write(UInt64(value)) }
  mutating func encode(_ value: UInt8) throws { try writer.write(Int(value)) }
  mutating func encode(_ value: UInt16) throws { try writer.write(Int(value)) }
  mutating func encode(_ value: UInt32) throws { try writer.write(Int(value)) }
  mutating func encode(_ value: UInt64) throws { try writer.write(value) }
  mutating func encode(_ value: some Encodable) throws { try writer.write(value) }
}
