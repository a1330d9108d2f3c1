/// The orientation, 1...8, that OpenCV 4.8 finds in a TIFF block: what follows the first 6 bytes of a JPEG's first
/// APP1 segment, or a PNG's eXIf chunk; 1 if none.
///
/// OpenCV reads the entries of the first directory in order, and stops at the first that points outside; what it
/// has read until then counts. So does this.
func exifOrientation(_ tiff: Span<UInt8>) -> Int {
  guard tiff.count > 1 else { return 1 }
  let isLittleEndian = tiff[0] == UInt8(ascii: "I") && tiff[1] == UInt8(ascii: "I")
  guard integer(in: tiff, at: 2, bytes: 2, isLittleEndian) == 42,
    let start = integer(in: tiff, at: 4, bytes: 4, isLittleEndian),
    let entryCount = integer(in: tiff, at: start, bytes: 2, isLittleEndian)
  else { return 1 }
  for index in 0..<entryCount {
    let entry = start + 2 + index * 12
    guard let tag = integer(in: tiff, at: entry, bytes: 2, isLittleEndian) else { return 1 }
    if tag == 0x112 {
      let value = integer(in: tiff, at: entry + 8, bytes: 2, isLittleEndian) ?? 1
      return (1...8).contains(value) ? value : 1
    }
    guard isReadable(entry, tag: tag, in: tiff, isLittleEndian) else { return 1 }
  }
  return 1
}

/// Whether the value of the entry lies inside the block, for the tags of which OpenCV reads it.
private func isReadable(_ entry: Int, tag: Int, in tiff: Span<UInt8>, _ isLittleEndian: Bool) -> Bool {
  switch tag {
  case 0x10e, 0x10f, 0x110, 0x131, 0x132, 0x8298:  // texts
    guard let count = integer(in: tiff, at: entry + 4, bytes: 4, isLittleEndian) else { return false }
    if count <= 4 { return count + 8 <= tiff.count }
    guard let place = integer(in: tiff, at: entry + 8, bytes: 4, isLittleEndian) else { return false }
    return place + count <= tiff.count
  case 0x128, 0x213:  // short integers
    return integer(in: tiff, at: entry + 8, bytes: 2, isLittleEndian) != nil
  case 0x11a, 0x11b: return hasRationals(1, entry, in: tiff, isLittleEndian)
  case 0x13e: return hasRationals(2, entry, in: tiff, isLittleEndian)
  case 0x211: return hasRationals(3, entry, in: tiff, isLittleEndian)
  case 0x13f, 0x214: return hasRationals(6, entry, in: tiff, isLittleEndian)
  default: return true
  }
}

private func hasRationals(_ count: Int, _ entry: Int, in tiff: Span<UInt8>, _ isLittleEndian: Bool) -> Bool {
  guard let place = integer(in: tiff, at: entry + 8, bytes: 4, isLittleEndian) else { return false }
  return place + count * 8 <= tiff.count
}

/// An unsigned integer of 2 or 4 bytes; nil where it is not all inside.
private func integer(in tiff: Span<UInt8>, at offset: Int, bytes: Int, _ isLittleEndian: Bool) -> Int? {
  guard offset >= 0, offset <= tiff.count - bytes else { return nil }
  var value = 0
  for index in 0..<bytes {
    value = value << 8 | Int(tiff[offset + (isLittleEndian ? bytes - 1 - index : index)])
  }
  return value
}
