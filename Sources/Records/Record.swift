import Files

/// One record as it was read: its place in the file and its payload, the parts joined.
public struct Record: Hashable, Sendable {
  /// The first byte of the record's head in the file; what an index holds.
  public let offset: Int
  /// Bytes on disk: the heads of all parts, the payload and the padding. The next record starts behind them.
  public let frameByteCount: Int
  public let payload: [UInt8]
  /// The file, for messages.
  public let path: String

  public init(offset: Int, frameByteCount: Int, payload: [UInt8], path: String) {
    self.offset = offset
    self.frameByteCount = frameByteCount
    self.payload = payload
    self.path = path
  }

  /// Reads the image header.
  ///
  /// - Returns: the header, and where in `payload` the image file starts. A record without an image, as the first
  ///   ones of InsightFace's sets, is no error: `imageStart` then equals `payload.count`.
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

/// The fixed part of an image record, which stands before the image file: labels and id.
public struct ImageHeader: Hashable, Sendable {
  /// The label where there are no `labels`.
  public var label: Float
  /// The labels behind the header; their count is the header's flag.
  public var labels: [Float]
  /// The id of the list line.
  public var id: UInt64
  /// 0 in every file MXNet writes.
  public var id2: UInt64

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

  /// Bytes on disk, the labels included; a multiple of 4.
  public var byteCount: Int { RecordLayout.imageHeaderByteCount + 4 * labels.count }

  /// The header's bytes, added to `bytes`.
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
  /// - Throws: the reason alone; `.headerTooShort`, `.labelsTooLong`.
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

/// The little-endian word whose first byte is `bytes[offset]`.
func word(_ bytes: Span<UInt8>, at offset: Int) -> UInt32 {
  UInt32(bytes[offset]) | UInt32(bytes[offset + 1]) << 8 | UInt32(bytes[offset + 2]) << 16
    | UInt32(bytes[offset + 3]) << 24
}

/// Adds the four bytes of `word`, the lowest first.
func appendWord(_ word: UInt32, to bytes: inout [UInt8]) {
  for place in 0..<4 { bytes.append(UInt8(truncatingIfNeeded: word >> UInt32(8 * place))) }
}

/// Adds a record to `frame`: the payload with its heads and padding, split where the magic stands in it.
///
/// - Throws: `.tooLarge` (without path and offset); `frame` is then as before.
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

/// Adds an image record to `frame`: header and image file, framed as `appendFrame` does.
///
/// - Throws: `.tooLarge` (without path and offset); `frame` is then as before.
/// - Complexity: O(`image.count`); one copy of the image, two where the magic stands in the record.
public func appendRecord(_ header: ImageHeader, image: Span<UInt8>, to frame: inout [UInt8])
  throws(RecordError)
{
  let byteCount = header.byteCount + image.count
  try checkByteCount(byteCount)
  var bytes: [UInt8] = []
  header.append(to: &bytes)
  // The header's length is a multiple of 4, so the image's own multiples of 4 are those of the payload.
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

/// The first multiple of 4, from `start` on, at which the magic stands in `bytes`.
/// - Parameter start: a multiple of 4.
func firstMagic(in bytes: Span<UInt8>, from start: Int) -> Int? {
  let magic = RecordLayout.magic.littleEndian
  return unsafe bytes.withUnsafeBytes { raw in
    var offset = start
    // 64 bytes at once: nearly no payload holds a magic.
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

/// An `.idx` file: where the record of each id starts.
public struct RecordIndex: Hashable, Sendable {
  public struct Entry: Hashable, Sendable {
    public var key: UInt64
    /// The first byte of the record in the `.rec` file; not compared with that file here.
    public var offset: Int

    public init(key: UInt64, offset: Int) {
      self.key = key
      self.offset = offset
    }
  }
  /// In the order of the file. Ids may repeat.
  public var entries: [Entry]

  public init(entries: [Entry] = []) {
    self.entries = entries
  }

  /// Reads an index: a line is id, tab (or blanks), offset. Blank lines and CRLF are no error, as in dmlc.
  ///
  /// - Throws: `.badIndexLine`, with the line's byte offset, for anything else: a sign, a number beyond 64 bits,
  ///   a third field; `.file`.
  /// - Complexity: O(file), which is held in memory meanwhile.
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

  /// The line of one record, line end included.
  public static func line(key: UInt64, offset: Int) -> String { "\(key)\t\(offset)\n" }
}
