public import Files

/// What is wrong with a `.rec` or `.idx` file, and where.
public struct RecordError: Error, Hashable, Sendable, CustomStringConvertible {
  /// What can be wrong.
  public enum Reason: Hashable, Sendable {
    /// The file is of another kind, for example "a GIF image"; and what to do with such a file, if that is known.
    case otherKind(String, remedy: String?)
    /// No record starts here: these four bytes were found in place of the magic.
    case badMagic(UInt32)
    /// The file ends too early: `wanted` bytes are announced, `left` are there.
    case truncated(wanted: Int, left: Int)
    /// The record starts with a part that is not a first part.
    case badPart(flag: UInt32)
    /// The record continues, but its next part is not at byte `at` of the file.
    case missingPart(at: Int)
    /// The length of a part that is not the last is not a multiple of 4.
    case unalignedPart(byteCount: Int)
    /// There is a record head inside the record, at byte `at` of the file, so the record's length is wrong.
    case headInside(at: Int)
    /// The bytes up to the next multiple of 4 are not zero, so the length or the end of the payload is wrong.
    case badPadding
    /// The record has more than `RecordLayout.maximumPayloadByteCount` bytes.
    case tooLarge(byteCount: Int)
    /// The payload is too short for an image header.
    case headerTooShort(byteCount: Int)
    /// The header announces more bytes of labels than the payload has.
    case labelsTooLong(wanted: Int, left: Int)
    /// A line of an index, counted from 1, is not `id TAB offset`.
    case badIndexLine(Int, text: String)
    /// The file could not be read.
    case file(FileError)
  }
  /// What is wrong.
  public let reason: Reason
  /// Empty where there is no file, because a frame was being made.
  public let path: String
  /// Where the faulty record begins, or the faulty line of an index.
  public let offset: Int

  /// An error at byte `offset` of the file at `path`.
  public init(_ reason: Reason, path: String, offset: Int) {
    self.reason = reason
    self.path = path
    self.offset = offset
  }

  /// The path, the byte and the reason: "train.rec: byte 12: ...".
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
      "the record needs \(wanted) bytes, but only \(left) are left"
    case .badPart(let flag):
      "the record starts with part flag \(flag); 0 (whole) or 1 (first part) is expected"
    case .missingPart(let position):
      "the record continues, but its next part is not at byte \(position)"
    case .unalignedPart(let byteCount):
      "a part that is continued has \(byteCount) bytes; a multiple of 4 is expected"
    case .headInside(let position):
      "another record begins inside the record, at byte \(position), so the record's length is wrong"
    case .badPadding:
      "the record is not padded with zeros, so its length or its end is wrong"
    case .tooLarge(let byteCount):
      "the record has \(byteCount) bytes; at most \(RecordLayout.maximumPayloadByteCount) fit"
    case .headerTooShort(let byteCount):
      "the record has \(byteCount) bytes; an image header needs \(RecordLayout.imageHeaderByteCount)"
    case .labelsTooLong(let wanted, let left):
      "the header announces \(wanted) bytes of labels, but only \(left) are left"
    case .badIndexLine(let line, let text):
      "line \(line) is \"\(text)\"; an id, a tab and a byte offset are expected"
    case .file(let error): error.sentence
    }
  }

  /// The four bytes in the order in which they are in the file.
  private func hexadecimal(_ word: UInt32) -> String {
    var bytes: [UInt8] = []
    appendWord(word, to: &bytes)
    return spacedHex(bytes.span, limit: 4)
  }
}
