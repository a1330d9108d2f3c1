import Files

/// A record that was read: its place in the file, and its payload with all parts joined.
public struct Record: Hashable, Sendable {
  /// Where the record's first head begins in the file; this is the offset that an index holds.
  public let offset: Int
  /// Bytes on disk: the heads of all parts, the payload and the padding. The next record starts after them.
  public let frameByteCount: Int
  /// The bytes of all parts, with the magics between them put back.
  public let payload: [UInt8]
  /// The path of the file, for messages.
  public let path: String

  /// A record as a reader found it.
  public init(offset: Int, frameByteCount: Int, payload: [UInt8], path: String) {
    self.offset = offset
    self.frameByteCount = frameByteCount
    self.payload = payload
    self.path = path
  }

  /// Reads the image header.
  ///
  /// - Returns: the header, and where the image file starts in `payload`. A record without an image, as the first
  ///   ones in InsightFace's data sets, is *not* an error: `imageStart` is `payload.count` then.
  /// - Throws: `.headerTooShort`, `.labelsTooLong`.
  public func parse() throws(RecordError) -> (header: ImageHeader, imageStart: Int) {
    do throws(ImageHeader.HeaderFault) {
      let header = try ImageHeader(parsing: payload.span)
      return (header, header.byteCount)
    } catch {
      throw RecordError(error.reason, path: path, offset: offset)
    }
  }
}

/// The header of an image record, which comes before the image file: labels and id.
public struct ImageHeader: Hashable, Sendable {
  /// The only label, where `labels` is empty.
  public var label: Float
  /// The labels that follow the header's fixed part; their count is the header's flag.
  public var labels: [Float]
  /// The id from the list.
  public var id: UInt64
  /// 0 in every file that MXNet writes.
  public var id2: UInt64

  /// A header with one label, or with `labels` where they are not empty.
  public init(label: Float, labels: [Float] = [], id: UInt64, id2: UInt64 = 0) {
    self.label = label
    self.labels = labels
    self.id = id
    self.id2 = id2
  }

  /// A header with several labels, as MXNet's Python `pack` writes it: the flag is their count, `label` is 0.
  public init(labels: [Float], id: UInt64) {
    self.init(label: 0, labels: labels, id: id)
  }

  /// `labels` where there are any, else `label` alone.
  public var allLabels: [Float] { labels.isEmpty ? [label] : labels }

  /// Bytes on disk, labels included; a multiple of 4.
  public var byteCount: Int { RecordLayout.imageHeaderByteCount + 4 * labels.count }

  /// Appends the header to `bytes`.
  func append(to bytes: inout [UInt8]) {
    appendWord(UInt32(truncatingIfNeeded: labels.count), to: &bytes)
    appendWord(label.bitPattern, to: &bytes)
    for number in [id, id2] {
      appendWord(UInt32(truncatingIfNeeded: number), to: &bytes)
      appendWord(UInt32(truncatingIfNeeded: number >> 32), to: &bytes)
    }
    for label in labels { appendWord(label.bitPattern, to: &bytes) }
  }

  /// Reads the header at the start of a payload.
  ///
  /// - Throws: `.headerTooShort`, `.labelsTooLong`, without path and offset.
  init(parsing payload: Span<UInt8>) throws(HeaderFault) {
    let left = payload.count - RecordLayout.imageHeaderByteCount
    guard left >= 0 else { throw HeaderFault(reason: .headerTooShort(byteCount: payload.count)) }
    let count = Int(word(payload, at: 0))
    guard count <= left / 4 else {
      throw HeaderFault(reason: .labelsTooLong(wanted: 4 * count, left: left))
    }
    label = Float(bitPattern: word(payload, at: 4))
    id = UInt64(word(payload, at: 8)) | UInt64(word(payload, at: 12)) << 32
    id2 = UInt64(word(payload, at: 16)) | UInt64(word(payload, at: 20)) << 32
    labels = []
    labels.reserveCapacity(count)
    for index in 0..<count {
      labels.append(
        Float(bitPattern: word(payload, at: RecordLayout.imageHeaderByteCount + 4 * index)))
    }
  }

  struct HeaderFault: Error {
    let reason: RecordError.Reason
  }
}

/// The little-endian word that begins at `bytes[offset]`.
func word(_ bytes: Span<UInt8>, at offset: Int) -> UInt32 {
  UInt32(bytes[offset]) | UInt32(bytes[offset + 1]) << 8 | UInt32(bytes[offset + 2]) << 16
    | UInt32(bytes[offset + 3]) << 24
}

/// Appends the four bytes of `word`, the lowest first.
func appendWord(_ word: UInt32, to bytes: inout [UInt8]) {
  for place in 0..<4 { bytes.append(UInt8(truncatingIfNeeded: word >> UInt32(8 * place))) }
}

/// Appends a record to `frame`: the payload with heads and padding, split where it contains the magic.
///
/// - Throws: `.tooLarge`, without path and offset; `frame` is unchanged then.
/// - Complexity: O(`payload.count`); one copy.
public func appendFrame(_ payload: Span<UInt8>, to frame: inout [UInt8]) throws(RecordError) {
  try checkByteCount(payload.count)
  var start = 0
  while let magic = firstMagic(in: payload, from: start) {
    appendPart(start == 0 ? .first : .middle, payload.extracting(start..<magic), to: &frame)
    start = magic + 4
  }
  appendPart(start == 0 ? .whole : .last, payload.extracting(start..<payload.count), to: &frame)
}

/// Appends an image record to `frame`: header and image file, framed as by `appendFrame`.
///
/// - Throws: `.tooLarge`, without path and offset; `frame` is unchanged then.
/// - Complexity: O(`image.count`); one copy of the image, two where the record contains the magic.
public func appendRecord(_ header: ImageHeader, image: Span<UInt8>, to frame: inout [UInt8])
  throws(RecordError)
{
  let byteCount = header.byteCount + image.count
  try checkByteCount(byteCount)
  var bytes: [UInt8] = []
  header.append(to: &bytes)
  // The header's length is a multiple of 4, so a multiple of 4 within the image is one within the payload.
  if firstMagic(in: bytes.span, from: 0) == nil && firstMagic(in: image, from: 0) == nil {
    appendWord(RecordLayout.magic, to: &frame)
    appendWord(RecordLayout.lengthWord(.whole, byteCount: byteCount), to: &frame)
    frame.append(contentsOf: bytes)
    append(image, to: &frame)
    appendPadding(after: byteCount, to: &frame)
  } else {
    append(image, to: &bytes)
    try appendFrame(bytes.span, to: &frame)
  }
}

private func checkByteCount(_ byteCount: Int) throws(RecordError) {
  guard byteCount <= RecordLayout.maximumPayloadByteCount else {
    throw RecordError(.tooLarge(byteCount: byteCount), path: "", offset: 0)
  }
}

private func appendPart(_ part: RecordLayout.Part, _ bytes: Span<UInt8>, to frame: inout [UInt8]) {
  appendWord(RecordLayout.magic, to: &frame)
  appendWord(RecordLayout.lengthWord(part, byteCount: bytes.count), to: &frame)
  append(bytes, to: &frame)
  appendPadding(after: bytes.count, to: &frame)
}

private func append(_ bytes: Span<UInt8>, to frame: inout [UInt8]) {
  unsafe bytes.withUnsafeBufferPointer { unsafe frame.append(contentsOf: $0) }
}

private func appendPadding(after byteCount: Int, to frame: inout [UInt8]) {
  for _ in byteCount..<RecordLayout.padded(byteCount) { frame.append(0) }
}

/// The first multiple of 4, from `start` on, at which `bytes` contains the magic.
///
/// - Parameter start: a multiple of 4.
func firstMagic(in bytes: Span<UInt8>, from start: Int) -> Int? {
  let magic = RecordLayout.magic.littleEndian
  return unsafe bytes.withUnsafeBytes { raw in
    var offset = start
    // 64 bytes at a time: very few payloads contain a magic.
    let magics = SIMD16<UInt32>(repeating: magic)
    while offset + 64 <= raw.count {
      let words = unsafe raw.loadUnaligned(fromByteOffset: offset, as: SIMD16<UInt32>.self)
      if any(words .== magics) { break }
      offset += 64
    }
    while offset + 4 <= raw.count {
      if unsafe raw.loadUnaligned(fromByteOffset: offset, as: UInt32.self) == magic { return offset }
      offset += 4
    }
    return nil
  }
}

/// An `.idx` file, which says where the record of each id starts.
public struct RecordIndex: Hashable, Sendable {
  /// One line of the index.
  public struct Entry: Hashable, Sendable {
    /// The record's id.
    public var key: UInt64
    /// Where the record begins in the `.rec` file. It is not checked against that file.
    public var offset: Int

    /// The entry of the record that begins at `offset`.
    public init(key: UInt64, offset: Int) {
      self.key = key
      self.offset = offset
    }
  }
  /// In the order of the file. Ids may repeat.
  public var entries: [Entry]

  /// An index of these entries.
  public init(entries: [Entry] = []) {
    self.entries = entries
  }

  /// Reads an index. A line is an id, a tab or other white space, and an offset. Blank lines and CRLF are *not*
  /// errors, as in dmlc.
  ///
  /// - Throws: `.badIndexLine`, with the line's byte offset, for any other line: a sign, a number beyond 64 bits, a
  ///   third field; `.file`.
  /// - Complexity: O(file), which is held in memory while it is read.
  public init(path: String) throws(RecordError) {
    let bytes: [UInt8]
    do throws(FileError) {
      bytes = try readFile(path).bytes
    } catch {
      throw RecordError(.file(error), path: path, offset: 0)
    }
    entries = []
    var lineNumber = 0
    var start = 0
    while start < bytes.count {
      lineNumber += 1
      let end = bytes[start...].firstIndex(of: UInt8(ascii: "\n")) ?? bytes.count
      let fields = bytes[start..<end].split(whereSeparator: isBlank)
      if !fields.isEmpty {
        guard fields.count == 2, let key = wholeNumber(fields[0]),
          let offset = wholeNumber(fields[1]).flatMap(Int.init(exactly:))
        else {
          throw RecordError(
            .badIndexLine(lineNumber, text: printable(bytes[start..<end], limit: 80)),
            path: path, offset: start)
        }
        entries.append(Entry(key: key, offset: offset))
      }
      start = end + 1
    }
  }

  /// The line for one record, line end included.
  public static func line(key: UInt64, offset: Int) -> String { "\(key)\t\(offset)\n" }
}
