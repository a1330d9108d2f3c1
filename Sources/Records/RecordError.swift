public import Files

/// What is wrong with a `.rec` or `.idx` file, and where.
public struct RecordError: Error, Hashable, Sendable, CustomStringConvertible {
  public enum Reason: Hashable, Sendable {
    /// The file is something else as a whole, for example "a GIF image"; and what to do with such a file.
    case otherKind(String, remedy: String?)
    /// No record starts here: these four bytes stand where the magic is expected.
    case badMagic(UInt32)
    /// The file ends too early: `wanted` bytes are announced, `left` are there.
    case truncated(wanted: Int, left: Int)
    /// A record starts with a part that is no first part.
    case badPart(flag: UInt32)
    /// The record is continued, but no next part stands at byte `at` of the file.
    case missingPart(at: Int)
    /// A part that is not the last has a length which is no multiple of 4.
    case unalignedPart(byteCount: Int)
    /// A record head stands inside the record, at byte `at` of the file: its length is wrong.
    case headInside(at: Int)
    /// The bytes up to the next multiple of 4 are not zero: the length or the end of the payload is wrong.
    case badPadding
    /// More than `RecordLayout.maximumPayloadByteCount` bytes.
    case tooLarge(byteCount: Int)
    /// The payload is too short for an image header.
    case headerTooShort(byteCount: Int)
    /// The header announces more bytes of labels than there are.
    case labelsTooLong(wanted: Int, left: Int)
    /// A line of an index is not `id TAB offset`.
    case badIndexLine(Int, text: String)
    case file(FileError)
  }
  public let reason: Reason
  /// Empty where no file is involved, that is when a frame is made.
  public let path: String
  /// The first byte of the faulty record, or of the faulty line of an index.
  public let offset: Int

  public init(_ reason: Reason, path: String, offset: Int) {
    self.reason = reason
    self.path = path
    self.offset = offset
  }

  public var description: String {
    if case .file(let error) = reason { return error.description }
    if case .otherKind = reason { return "\(path): \(sentence)" }
    return path.isEmpty ? sentence : "\(path): byte \(offset): \(sentence)"
  }

  /// The reason alone, without path and offset.
  public var sentence: String {
    switch reason {
    case .otherKind(let kind, let remedy):
      "this is \(kind), not a RecordIO file (.rec)" + (remedy.map { "; " + $0 } ?? "")
    case .badMagic(let found):
      "no record starts here: expected the bytes 0a 23 d7 ce, found \(hexadecimal(found))"
    case .truncated(let wanted, let left):
      "the record wants \(wanted) bytes, \(left) are left"
    case .badPart(let flag):
      "the record starts with part flag \(flag); 0 (whole) or 1 (first part) is expected"
    case .missingPart(let position):
      "the record is continued, but its next part is not at byte \(position)"
    case .unalignedPart(let byteCount):
      "a part that is continued has \(byteCount) bytes; a multiple of 4 is expected"
    case .headInside(let position):
      "another record's head stands inside the record, at byte \(position), so the record's length is wrong"
    case .badPadding:
      "the record is not padded with zeros, so its length or its end is wrong"
    case .tooLarge(let byteCount):
      "the record has \(byteCount) bytes; at most \(RecordLayout.maximumPayloadByteCount) fit"
    case .headerTooShort(let byteCount):
      "the record has \(byteCount) bytes; an image header needs \(RecordLayout.imageHeaderByteCount)"
    case .labelsTooLong(let wanted, let left):
      "the header announces \(wanted) bytes of labels, \(left) are left"
    case .badIndexLine(let line, let text):
      "line \(line) is \"\(text)\"; an id, a tab and a byte offset are expected"
    case .file(let error): error.sentence
    }
  }

  /// The four bytes in the order in which they stand in the file.
  private func hexadecimal(_ word: UInt32) -> String {
    (0..<4).map { place in
      let byte = UInt8(truncatingIfNeeded: word >> UInt32(8 * place))
      return (byte < 16 ? "0" : "") + String(byte, radix: 16)
    }.joined(separator: " ")
  }
}
