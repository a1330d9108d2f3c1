import Files

/// A reading position in a binary file of little-endian numbers. No read goes past the end, and every length is checked
/// against the bytes that are left before it is used.
///
/// The file is a parameter of each call: the cursor holds only the position and a window of bytes read ahead.
struct FileCursor {
  /// The file's name in messages.
  let label: String
  let byteCount: Int
  private(set) var offset = 0
  private var window: [UInt8] = []
  private var windowStart = 0
  private static let windowByteCount = 1 << 12

  init(_ file: borrowing InputFile, label: String) {
    self.label = label
    byteCount = file.byteCount
  }

  var left: Int { byteCount - offset }

  func fault(_ sentence: String, at offset: Int? = nil) -> ModelError {
    ModelError("\(label): byte \(offset ?? self.offset): \(sentence)")
  }

  /// The kind of file that the first bytes show; nil where they show none.
  func kind(of file: borrowing InputFile) throws(ModelError) -> FileKind? {
    var start = self
    start.offset = 0
    let bytes = Array(try start.bytes(min(512, byteCount), "the file", file))
    return FileKind(bytes.span)
  }

  /// Skips `count` bytes; nil stands for a count that does not fit in an `Int`.
  mutating func skip(_ count: Int?, of what: @autoclosure () -> String) throws(ModelError) {
    guard let count, count >= 0, count <= left else {
      let wanted = count.map { "\($0) bytes" } ?? "more bytes than any file has"
      throw fault("\(what()) needs \(wanted), \(left) are left")
    }
    offset += count
  }

  /// The next number, little-endian.
  mutating func integer<Number: FixedWidthInteger>(
    _: Number.Type, _ what: String, _ file: borrowing InputFile
  ) throws(ModelError) -> Number {
    let bytes = try bytes(Number.bitWidth / 8, what, file)
    return bytes.reversed().reduce(0) { $0 << 8 | Number(truncatingIfNeeded: $1) }
  }

  /// The next `count` bytes as text.
  mutating func text(_ count: Int, _ what: String, _ file: borrowing InputFile) throws(ModelError) -> String {
    let start = offset
    guard let text = String(validating: try bytes(count, what, file), as: UTF8.self) else {
      throw fault("\(what) is not UTF-8", at: start)
    }
    return text
  }

  /// The next `count` bytes.
  ///
  /// - Parameter what: what they are, for messages.
  mutating func bytes(
    _ count: Int, _ what: String, _ file: borrowing InputFile
  ) throws(ModelError) -> ArraySlice<UInt8> {
    let start = offset
    try skip(count, of: what)
    if start < windowStart || start + count > windowStart + window.count {
      window = [UInt8](repeating: 0, count: min(byteCount - start, max(count, Self.windowByteCount)))
      windowStart = start
      var span = window.mutableSpan
      var raw = unsafe span.mutableBytes
      let got: Int
      do { got = try file.read(at: start, into: &raw) } catch {
        throw ModelError("\(label): \(error.sentence)")
      }
      guard got == window.count else { throw ModelError("\(label): it was cut while it was being read") }
    }
    return window[start - windowStart..<start - windowStart + count]
  }
}

/// What is still to be read of a message in Protocol Buffers' wire format: its fields from `next` up to its end.
struct WireMessage {
  /// Where the next field begins.
  fileprivate(set) var next: Int
  let end: Int

  var byteCount: Int { end - next }
}

/// One field of a message: its number and its value. What the number means is up to the reader.
struct WireField {
  enum Value {
    case integer(UInt64)
    case word(UInt32)
    case longWord(UInt64)
    /// Length-delimited: a message, a string, or packed numbers.
    case bytes(WireMessage)
  }
  let number: Int
  let value: Value
  /// The byte offset of the field's first byte.
  let offset: Int
}

/// Reads the messages of a file in order (protobuf.dev/programming-guides/encoding). Every length is checked against
/// the enclosing message before anything is read or allocated; how deep messages nest is up to the reader.
struct WireCursor {
  private var cursor: FileCursor
  private var fieldCount = 0
  /// ResNet-152 has 30,000 fields as PyTorch exports it.
  private static let largestFieldCount = 1 << 22

  init(_ file: borrowing InputFile, label: String) { cursor = FileCursor(file, label: label) }

  /// The whole file as one message.
  var root: WireMessage { WireMessage(next: 0, end: cursor.byteCount) }

  func fault(_ sentence: String, at offset: Int? = nil) -> ModelError { cursor.fault(sentence, at: offset) }

  /// The next field of a message.
  ///
  /// - Returns: nil at the message's end. The content of a length-delimited field has not been read yet; the next call
  ///   skips what is left of it.
  mutating func field(
    of message: inout WireMessage, _ file: borrowing InputFile
  ) throws(ModelError) -> WireField? {
    guard message.next < message.end else { return nil }
    try cursor.skip(message.next - cursor.offset, of: "the previous field")
    fieldCount += 1
    guard fieldCount <= Self.largestFieldCount else {
      throw fault("this is field \(fieldCount); at most \(Self.largestFieldCount) are expected")
    }
    let start = cursor.offset
    let key = try integer(of: message, file)
    guard key >> 3 > 0, let number = Int(exactly: key >> 3), number < 1 << 29 else {
      throw fault("a field has the number \(key >> 3); from 1 to 536870911 is expected", at: start)
    }
    let value: WireField.Value
    switch key & 7 {
    case 0: value = .integer(try integer(of: message, file))
    case 1:
      try expect(8, of: message)
      value = .longWord(try cursor.integer(UInt64.self, "field \(number)", file))
    case 2:
      let count = try integer(of: message, file)
      guard count <= UInt64(message.end - cursor.offset) else {
        throw fault(
          "field \(number) needs \(count) bytes, its message has \(message.end - cursor.offset) left",
          at: start)
      }
      value = .bytes(WireMessage(next: cursor.offset, end: cursor.offset + Int(count)))
    case 5:
      try expect(4, of: message)
      value = .word(try cursor.integer(UInt32.self, "field \(number)", file))
    default:
      throw fault("field \(number) has wire type \(key & 7); 0, 1, 2 or 5 is expected", at: start)
    }
    message.next = if case .bytes(let inner) = value { inner.end } else { cursor.offset }
    return WireField(number: number, value: value, offset: start)
  }

  /// A varint: seven bits in each byte, the lowest first.
  private mutating func integer(
    of message: WireMessage, _ file: borrowing InputFile
  ) throws(ModelError) -> UInt64 {
    let start = cursor.offset
    var value: UInt64 = 0
    for index in 0..<10 {
      try expect(1, of: message)
      let byte = try cursor.integer(UInt8.self, "a number", file)
      // The tenth byte holds one bit.
      guard index < 9 || byte <= 1 else { break }
      value |= UInt64(byte & 0x7F) << (7 * UInt64(index))
      if byte < 0x80 { return value }
    }
    throw fault("a number goes beyond 64 bits", at: start)
  }

  private func expect(_ count: Int, of message: WireMessage) throws(ModelError) {
    guard message.end - cursor.offset >= count else {
      throw fault("\(count) bytes are expected, the message has \(message.end - cursor.offset) left")
    }
  }

  // MARK: - Values of an expected type

  func message(_ field: WireField, _ what: String) throws(ModelError) -> WireMessage {
    guard case .bytes(let message) = field.value else {
      throw fault("\(what) is a number; bytes are expected", at: field.offset)
    }
    return message
  }

  func integer(_ field: WireField, _ what: String) throws(ModelError) -> Int {
    guard case .integer(let value) = field.value else {
      throw fault("\(what) is no whole number", at: field.offset)
    }
    return Int(truncatingIfNeeded: value)
  }

  mutating func text(
    _ field: WireField, _ what: String, _ file: borrowing InputFile
  ) throws(ModelError) -> String {
    let message = try message(field, what)
    guard message.byteCount <= ParameterLayout.largestNameByteCount else {
      throw fault(
        "\(what) has \(message.byteCount) bytes; at most \(ParameterLayout.largestNameByteCount) are expected",
        at: field.offset)
    }
    return try cursor.text(message.byteCount, what, file)
  }

  /// Appends one number, or all numbers of a packed field.
  ///
  /// - Returns: false where there would be more than `limit` numbers; only the first `limit` are kept.
  mutating func appendIntegers(
    _ field: WireField, to numbers: inout [Int], limit: Int, _ file: borrowing InputFile
  ) throws(ModelError) -> Bool {
    switch field.value {
    case .integer(let value):
      guard numbers.count < limit else { return false }
      numbers.append(Int(truncatingIfNeeded: value))
      return true
    case .bytes(let message):
      while cursor.offset < message.end {
        guard numbers.count < limit else { return false }
        numbers.append(Int(truncatingIfNeeded: try integer(of: message, file)))
      }
      return true
    case .word, .longWord: throw fault("whole numbers are expected here", at: field.offset)
    }
  }

  /// All bytes of a message, which must be a short one.
  mutating func bytes(
    of message: WireMessage, _ file: borrowing InputFile
  ) throws(ModelError) -> [UInt8] {
    try cursor.skip(message.next - cursor.offset, of: "the previous field")
    return Array(try cursor.bytes(message.byteCount, "an array's numbers", file))
  }
}
