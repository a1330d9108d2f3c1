/// What a file is by its first bytes, for a message to somebody who expected another kind: "a GIF image", "an HTML page".
///
/// - Parameter start: the first bytes of the file; 512 tell every kind.
/// - Returns: nil for what is known by no signature here.
package func fileKind(_ start: Span<UInt8>) -> String? {
  for signature in signatures where starts(start, with: signature.bytes, at: signature.offset) {
    return signature.name
  }
  if let text = textKind(start) { return text }
  let first = start.extracting(first: 64)
  let areZero = !first.isEmpty && first.indices.allSatisfy { first[$0] == 0 }
  return areZero ? "a file of zero bytes, as a broken copy leaves" : nil
}

/// The first bytes as two hex digits each, for a message.
package func hexBytes(_ bytes: Span<UInt8>, limit: Int) -> String {
  (0..<min(bytes.count, limit)).map { index in
    (bytes[index] < 16 ? "0" : "") + String(bytes[index], radix: 16)
  }.joined(separator: " ")
}

/// Each: what it is, and the bytes it has at an offset.
private let signatures: [(name: String, offset: Int, bytes: [UInt8])] = [
  ("a JPEG image", 0, [0xff, 0xd8, 0xff]),
  ("a PNG image", 0, [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]),
  ("a GIF image", 0, Array("GIF8".utf8)),
  ("a WebP image", 8, Array("WEBP".utf8)),
  ("a TIFF image", 0, [0x49, 0x49, 0x2a, 0x00]),
  ("a TIFF image", 0, [0x4d, 0x4d, 0x00, 0x2a]),
  ("a TIFF image", 0, [0x49, 0x49, 0x2b, 0x00]),
  ("a TIFF image", 0, [0x4d, 0x4d, 0x00, 0x2b]),
  ("a BMP image", 0, Array("BM".utf8)),
  ("an AVIF image", 4, Array("ftypavi".utf8)),
  ("a HEIC image", 4, Array("ftyphe".utf8)),
  ("a HEIC image", 4, Array("ftypmif1".utf8)),
  ("a HEIC image", 4, Array("ftypmsf1".utf8)),
  ("a JPEG 2000 image", 4, Array("jP  ".utf8)),
  ("a JPEG 2000 image", 0, [0xff, 0x4f, 0xff, 0x51]),
  ("a JPEG XL image", 0, [0xff, 0x0a]),
  ("a JPEG XL image", 4, Array("JXL ".utf8)),
  ("a JPEG XR image", 0, [0x49, 0x49, 0xbc]),
  ("an MP4 or QuickTime film", 4, Array("ftyp".utf8)),
  ("an MNG animation", 0, [0x8a, 0x4d, 0x4e, 0x47]),
  ("a JNG image", 0, [0x8b, 0x4a, 0x4e, 0x47]),
  ("a PNG spoilt by a text-mode transfer", 1, Array("PNG\n".utf8)),
  ("a PNG spoilt by a text-mode transfer", 1, Array("PNG\r\n\n".utf8)),
  ("a PNG spoilt by a text-mode transfer", 0, [0xef, 0xbf, 0xbd, 0x50, 0x4e, 0x47]),
  ("a JPEG spoilt by a text conversion", 0, [0xef, 0xbf, 0xbd, 0xef, 0xbf, 0xbd]),
  ("a Photoshop document", 0, Array("8BPS".utf8)),
  ("an icon", 0, [0x00, 0x00, 0x01, 0x00]),
  ("an OpenEXR image", 0, [0x76, 0x2f, 0x31, 0x01]),
  ("a DirectDraw surface", 0, Array("DDS ".utf8)),
  ("a QOI image", 0, Array("qoif".utf8)),
  ("a FLIF image", 0, Array("FLIF".utf8)),
  ("a Radiance HDR image", 0, Array("#?RADIANCE".utf8)),
  ("a PDF document", 0, Array("%PDF".utf8)),
  ("a PostScript document", 0, Array("%!PS".utf8)),
  ("an SVG drawing", 0, Array("<svg".utf8)),
  ("a ZIP archive", 0, [0x50, 0x4b, 0x03, 0x04]),
  ("an empty ZIP archive", 0, [0x50, 0x4b, 0x05, 0x06]),
  ("gzip-compressed data", 0, [0x1f, 0x8b]),
  ("bzip2-compressed data", 0, Array("BZh".utf8)),
  ("xz-compressed data", 0, [0xfd, 0x37, 0x7a, 0x58, 0x5a]),
  ("Zstandard-compressed data", 0, [0x28, 0xb5, 0x2f, 0xfd]),
  ("a 7z archive", 0, [0x37, 0x7a, 0xbc, 0xaf]),
  ("a RAR archive", 0, Array("Rar!".utf8)),
  ("a tar archive", 257, Array("ustar".utf8)),
  ("a RecordIO file", 0, [0x0a, 0x23, 0xd7, 0xce]),
  ("a NumPy array", 0, [0x93, 0x4e, 0x55, 0x4d]),
  ("an HDF5 file", 0, [0x89, 0x48, 0x44, 0x46]),
  ("an MXNet parameter file", 0, [0x12, 0x01, 0, 0, 0, 0, 0, 0]),
  ("a Python pickle", 0, [0x80, 0x02]),
  ("a Python pickle", 0, [0x80, 0x03]),
  ("a Python pickle", 0, [0x80, 0x04]),
  ("a Python pickle", 0, [0x80, 0x05]),
  ("an ELF program", 0, [0x7f, 0x45, 0x4c, 0x46]),
  ("a Git LFS pointer; fetch the real file with git lfs", 0, Array("version https://git-lfs".utf8)),
]

/// Web servers answer with words where an image was asked for.
private func textKind(_ file: Span<UInt8>) -> String? {
  var start: [UInt8] = []
  for index in 0..<min(file.count, 512) { start.append(file[index]) }
  let isText = start.allSatisfy { $0 >= 0x20 && $0 != 0x7f || [0x09, 0x0a, 0x0c, 0x0d].contains($0) }
  guard isText else { return nil }
  let text = String(decoding: start, as: UTF8.self).lowercased()
  let words = text.drop { $0.isWhitespace || $0 == "\u{feff}" }
  if words.hasPrefix("<!doctype html") || words.hasPrefix("<html") || words.hasPrefix("<head") {
    return "an HTML page"
  }
  if words.contains("<svg") { return "an SVG drawing" }
  if words.hasPrefix("<?xml") { return "an XML document" }
  if words.hasPrefix("{") || words.hasPrefix("[") { return "a JSON document" }
  return "a text file"
}

private func starts(_ file: Span<UInt8>, with bytes: [UInt8], at offset: Int = 0) -> Bool {
  guard file.count >= offset + bytes.count else { return false }
  for (index, byte) in bytes.enumerated() where file[offset + index] != byte { return false }
  return true
}
