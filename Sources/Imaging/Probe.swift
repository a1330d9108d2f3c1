import CImaging
import Files

/// The image formats that can be read and written.
public enum ImageFormat: String, Sendable {
  case jpeg, png
}

/// What the header of an image file says about the picture.
public struct ImageInfo: Hashable, Sendable {
  /// Taken from the first bytes of the file.
  public let format: ImageFormat
  /// In pixels, as stored: before `orientation` is applied.
  public let width: Int, height: Int
  /// Stored components: 1 for grey, 2 for grey and alpha, 3, or 4 for CMYK or RGBA. A palette counts as 3, with tRNS
  /// as 4.
  public let channels: Int
  /// 8 in a JPEG; 1, 2, 4, 8 or 16 in a PNG.
  public let bitDepth: Int
  /// EXIF orientation, 1...8, as OpenCV 4.8 finds it; 1 where there is none.
  public let orientation: Int
  /// Whether it is a progressive JPEG or an interlaced PNG.
  public let isProgressive: Bool
}

/// Reads the header of a JPEG or PNG file: everything before its compressed data.
///
/// - Parameter file: the file's bytes, or the first of them if they contain the header. The format is taken from
///   them, not from a name.
/// - Throws: `.empty`; `.unknownFormat`; `.unsupported`; `.truncated` and `.damaged` for the header alone.
/// - Complexity: O(header); nothing is allocated for pixels.
public func probe(_ file: Span<UInt8>) throws(ImageError) -> ImageInfo {
  try unsafe file.withUnsafeBufferPointer { (bytes) throws(ImageError) in
    try unsafe FileReader(bytes).info
  }
}

/// Tells the format of a file by its first bytes.
enum Signature {
  private static let jpeg: [UInt8] = [0xff, 0xd8, 0xff]
  private static let png: [UInt8] = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]

  /// - Throws: `.unknownFormat` with the kind that the bytes look like; `.truncated` where they are the beginning of a
  ///   signature.
  static func format(of file: Span<UInt8>) throws(ImageError) -> ImageFormat {
    if starts(file, with: jpeg) { return .jpeg }
    if starts(file, with: png) { return .png }
    let isCutSignature =
      [jpeg, png].contains { signature in
        file.count < signature.count && starts(file, with: Array(signature.prefix(file.count)))
      }
    if isCutSignature { throw ImageError(.truncated, offset: file.count) }
    throw ImageError(.unknownFormat(looks(file)))
  }

  private static func looks(_ file: Span<UInt8>) -> String {
    fileKind(file)
      ?? "no image format known here (it begins with \(spacedHex(file, limit: 8)))"
  }
}

/// The EXIF orientation, 1...8, that OpenCV 4.8 finds in a TIFF block; 1 if there is none. The block follows the
/// first 6 bytes of a JPEG's first APP1 segment, or is a PNG's eXIf chunk.
///
/// Like OpenCV, this reads the entries of the first directory in order and stops at the first that points outside the
/// block; entries read before that count.
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

/// Whether the entry's value lies inside the block; true for tags whose values OpenCV does not read.
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

/// An unsigned integer of 2 or 4 bytes; nil where it does not lie inside the block.
private func integer(in tiff: Span<UInt8>, at offset: Int, bytes: Int, _ isLittleEndian: Bool) -> Int? {
  guard offset >= 0, offset <= tiff.count - bytes else { return nil }
  var value = 0
  for index in 0..<bytes {
    value = value << 8 | Int(tiff[offset + (isLittleEndian ? bytes - 1 - index : index)])
  }
  return value
}

/// Checks an image file without decoding it: that it is a JPEG or a PNG, that its size is within the limit, and that
/// it is not truncated.
///
/// A JPEG needs an end marker after the start of its first scan; damage inside its compressed data is *not* found. A
/// PNG needs complete chunks up to `IEND`, and right checksums of IHDR, PLTE and IDAT.
///
/// - Throws: as `probe`; `.tooLarge`; `.truncated`; `.damaged` for a PNG, or for a side of 0 pixels.
/// - Complexity: O(headers) for a JPEG without trailing bytes, O(file) for a PNG.
public func checkStructure(_ file: Span<UInt8>, _ options: DecodeOptions) throws(ImageError) {
  let info = try probe(file)
  if info.width.multipliedReportingOverflow(by: info.height).partialValue > options.maximumPixelCount {
    throw ImageError(.tooLarge(width: info.width, height: info.height, limit: options.maximumPixelCount))
  }
  if info.width == 0 || info.height == 0 { throw ImageError(.damaged("a side of 0 pixels"), offset: 0) }
  switch info.format {
  case .jpeg: if !endsAsJPEG(file) { throw ImageError(.truncated, offset: file.count) }
  case .png: try checkChunks(file)
  }
}

private func endsAsJPEG(_ file: Span<UInt8>) -> Bool {
  // Skip the segments before the first scan, because a thumbnail among them has its own end marker.
  var scan = 2
  while scan + 4 <= file.count, file[scan] == 0xFF, file[scan + 1] != 0xDA {
    scan += file[scan + 1] == 0xFF ? 1 : 2 + Int(file[scan + 2]) << 8 + Int(file[scan + 3])
  }
  var place = file.count - 2
  while place > scan {
    if file[place] == 0xFF && file[place + 1] == 0xD9 { return true }
    place -= 1
  }
  return false
}

/// Checks that all chunks up to `IEND` are complete, and the checksums of those that the pixels need.
private func checkChunks(_ file: Span<UInt8>) throws(ImageError) {
  var chunk = 8
  while file.count - chunk >= 12 {
    let length = bigEndian(file, at: chunk)
    if length > file.count - chunk - 12 { break }
    let kind = String(decoding: (4..<8).map { file[chunk + $0] }, as: UTF8.self)
    if kind == "IEND" { return }
    // Damage in other chunks is only a warning for libpng, and the picture is complete without them.
    if ["IHDR", "PLTE", "IDAT"].contains(kind) {
      let content = file.extracting(chunk + 4..<chunk + 8 + length)
      let checksum = unsafe content.withUnsafeBufferPointer { bytes in
        unsafe bytes.baseAddress.map { unsafe img_crc32($0, bytes.count) } ?? 0
      }
      if Int(checksum) != bigEndian(file, at: chunk + 8 + length) {
        throw ImageError(.damaged("\(kind): CRC error"), offset: chunk)
      }
    }
    chunk += 12 + length
  }
  throw ImageError(.truncated, offset: file.count)
}

private func bigEndian(_ file: Span<UInt8>, at place: Int) -> Int {
  (0..<4).reduce(0) { $0 << 8 | Int(file[place + $1]) }
}
