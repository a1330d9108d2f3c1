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
