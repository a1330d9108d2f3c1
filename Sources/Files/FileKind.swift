/// The kind of a file, told by its first bytes, for a message to somebody who expected another kind.
///
/// This is the only list of kinds: it serves images, models, records, lists, truth tables, outputs and archives.
package struct FileKind: Hashable, Sendable, CustomStringConvertible {
  /// The kind with its article: "a GIF image", "an HTML page".
  package let name: String
  /// What to do with such a file, where the advice does not depend on the kind that was expected.
  package let remedy: String?

  /// A kind that only the caller recognizes.
  package init(_ name: String, remedy: String? = nil) {
    self.name = name
    self.remedy = remedy
  }

  package static let empty = FileKind("an empty file")
  package static let gzip = FileKind("gzip-compressed data")
  package static let tar = FileKind("a tar archive")
  package static let safetensors = FileKind("a .safetensors file")
  package static let onnx = FileKind("an ONNX model")
  package static let parameters = FileKind("an MXNet parameter file (.params)")
  package static let symbol = FileKind("an MXNet symbol (-symbol.json)")
  package static let json = FileKind("a JSON document")
  package static let text = FileKind("a text file")
  package static let list = FileKind("a list of images (.lst)")

  /// - Parameter start: the first bytes of the file; 512 are enough for every kind.
  /// - Returns: nil where the bytes match no known kind.
  package init?(_ start: Span<UInt8>) {
    if start.isEmpty {
      self = .empty
      return
    }
    let bytes = start.extracting(first: 512)
    guard let kind = kindBySignature(bytes) ?? kindByLayout(bytes) ?? kindOfText(bytes) ?? kindOfZeros(bytes)
    else { return nil }
    self = kind
  }

  /// Reads the first 512 bytes of a file; nil where they match no known kind.
  ///
  /// - Throws: where the file cannot be read.
  package init?(ofFile path: String) throws(FileError) {
    let start = try readStart(of: path, byteCount: 512)
    self.init(start.span)
  }

  /// The name, and the remedy where there is one: "a Git LFS pointer; fetch the real file with git lfs".
  package var description: String { name + (remedy.map { "; \($0)" } ?? "") }

  /// "this is an HTML page; JPEG or PNG is expected", or the kind's own remedy after the semicolon.
  ///
  /// - Parameter expected: what should have been there; left out where the kind has a remedy.
  package func sentence(expected: String) -> String {
    "this is \(name); \(remedy ?? "\(expected) is expected")"
  }
}

/// The kind of a file as words: "a GIF image", "an HTML page", "a Git LFS pointer; fetch the real file with git lfs".
///
/// - Parameter start: the first bytes of the file; 512 are enough for every kind.
/// - Returns: nil where the bytes match no known kind.
package func fileKind(_ start: Span<UInt8>) -> String? { FileKind(start)?.description }

/// Bytes as two hexadecimal digits each, with spaces between them, for a message: "0a 23 d7 ce".
///
/// - Parameter limit: no more than the first `limit` bytes are shown.
package func spacedHex(_ bytes: Span<UInt8>, limit: Int) -> String {
  (0..<min(bytes.count, limit)).map { index in
    (bytes[index] < 16 ? "0" : "") + String(bytes[index], radix: 16)
  }.joined(separator: " ")
}

private let checkpoint = FileKind(
  "a PyTorch checkpoint (.pth)", remedy: "save its state_dict as .safetensors")
private let pickle = FileKind("a Python pickle")
private let utf16 = FileKind(
  "a text file in UTF-16", remedy: "save it as UTF-8, for example: iconv -f utf-16 -t utf-8 FILE")

// MARK: - Signatures

/// The bytes that files of a kind have at an offset. The first entry that matches decides.
private let signatures: [(name: String, offset: Int, bytes: [UInt8])] = [
  ("a JPEG image", 0, [0xff, 0xd8, 0xff]),
  ("a PNG image", 0, [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]),
  ("a GIF image", 0, Array("GIF8".utf8)),
  ("a WebP image", 8, Array("WEBP".utf8)),
  ("a TIFF image", 0, [0x49, 0x49, 0x2a, 0x00]),
  ("a TIFF image", 0, [0x4d, 0x4d, 0x00, 0x2a]),
  ("a TIFF image", 0, [0x49, 0x49, 0x2b, 0x00]),
  ("a TIFF image", 0, [0x4d, 0x4d, 0x00, 0x2b]),
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
  ("an empty ZIP archive", 0, [0x50, 0x4b, 0x05, 0x06]),
  ("bzip2-compressed data", 0, Array("BZh".utf8)),
  ("xz-compressed data", 0, [0xfd, 0x37, 0x7a, 0x58, 0x5a]),
  ("Zstandard-compressed data", 0, [0x28, 0xb5, 0x2f, 0xfd]),
  ("a 7z archive", 0, [0x37, 0x7a, 0xbc, 0xaf]),
  ("a RAR archive", 0, Array("Rar!".utf8)),
  ("a RecordIO file", 0, [0x0a, 0x23, 0xd7, 0xce]),
  ("a NumPy array", 0, [0x93, 0x4e, 0x55, 0x4d]),
  ("an HDF5 file, as Keras saves models", 0, [0x89, 0x48, 0x44, 0x46, 0x0d, 0x0a, 0x1a, 0x0a]),
  ("a MATLAB file (.mat)", 0, Array("MATLAB ".utf8)),
  ("a TensorFlow Lite model", 4, Array("TFL3".utf8)),
  ("a GGUF model", 0, Array("GGUF".utf8)),
  ("a Parquet table", 0, Array("PAR1".utf8)),
  ("an Arrow table", 0, Array("ARROW1".utf8)),
  ("an SQLite database", 0, Array("SQLite format 3\0".utf8)),
  ("an LMDB database", 16, [0xde, 0xc0, 0xef, 0xbe]),
  ("an ELF program", 0, [0x7f, 0x45, 0x4c, 0x46]),
]

/// The same for kinds with a remedy, and for kinds that callers compare with.
private let kinds: [(kind: FileKind, offset: Int, bytes: [UInt8])] = [
  (.gzip, 0, [0x1f, 0x8b]),
  (.tar, 257, Array("ustar".utf8)),
  (.parameters, 0, [0x12, 0x01, 0, 0, 0, 0, 0, 0]),
  // torch.save wrote this before it wrote ZIP archives: its magic number as the first pickle.
  (checkpoint, 0, [0x80, 0x02, 0x8a, 0x0a, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19]),
  (pickle, 0, Array("(dp0\n".utf8)), (pickle, 0, Array("(lp0\n".utf8)),
  (pickle, 0, Array("ccopy_reg\n".utf8)),
  (
    FileKind("a Git LFS pointer", remedy: "fetch the real file with git lfs"), 0,
    Array("version https://git-lfs".utf8)
  ),
]

private func kindBySignature(_ start: Span<UInt8>) -> FileKind? {
  for signature in signatures where starts(start, with: signature.bytes, at: signature.offset) {
    return FileKind(signature.name)
  }
  for known in kinds where starts(start, with: known.bytes, at: known.offset) { return known.kind }
  return nil
}

/// Whether the file has these bytes at `offset`.
package func starts(_ file: Span<UInt8>, with bytes: [UInt8], at offset: Int = 0) -> Bool {
  guard file.count >= offset + bytes.count else { return false }
  for (index, byte) in bytes.enumerated() where file[offset + index] != byte { return false }
  return true
}

// MARK: - Layouts

/// Recognizes kinds without a fixed signature, by how their first fields fit together.
private func kindByLayout(_ start: Span<UInt8>) -> FileKind? {
  if starts(start, with: Array("BM".utf8)), start.count < 14 || number(start, at: 6, byteCount: 4) == 0 {
    return FileKind("a BMP image")  // the four reserved bytes are 0; a text may begin with "BM" as well
  }
  if starts(start, with: [0x50, 0x4b, 0x03, 0x04]) { return kindOfZIP(start) }
  // After PROTO, a pickle of protocol 2 to 5 begins with one of these opcodes: FRAME, EMPTY_DICT, GLOBAL, ...
  if start.count > 2, start[0] == 0x80, (2...5).contains(start[1]),
    [0x95, 0x7d, 0x5d, 0x28, 0x63, 0x58, 0x8c, 0x4b, 0x8a, 0x29].contains(start[2])
  {
    return pickle
  }
  if start.count > 9, number(start, at: 0, byteCount: 8) <= 1 << 27, start[8] == UInt8(ascii: "{"),
    [UInt8(ascii: "\""), UInt8(ascii: "}"), 0x20, 0x0a, 0x0d, 0x09].contains(start[9])
  {
    return .safetensors
  }
  if isTar(start) { return .tar }
  if isTFRecord(start) { return FileKind("a TFRecord file") }
  return kindOfProtobuf(start)
}

/// The little-endian number in `byteCount` bytes from `offset` on, which must exist.
private func number(_ bytes: Span<UInt8>, at offset: Int, byteCount: Int) -> UInt64 {
  (0..<byteCount).reversed().reduce(0) { $0 << 8 | UInt64(bytes[offset + $1]) }
}

/// The kind of a ZIP archive, told by the name of its first member.
private func kindOfZIP(_ start: Span<UInt8>) -> FileKind {
  guard start.count > 30 else { return FileKind("a ZIP archive") }
  let end = min(start.count, 30 + Int(number(start, at: 26, byteCount: 2)))
  let name = String(decoding: (30..<end).map { start[$0] }, as: UTF8.self)
  if ["/data.pkl", "/data/0", "/.format_version"].contains(where: { name.hasByteSuffix($0) }) {
    return checkpoint
  }
  if name.hasByteSuffix(".npy") { return FileKind("a NumPy archive (.npz)") }
  if name.hasBytePrefix("[Content_Types].xml") { return FileKind("an Office document") }
  return FileKind("a ZIP archive")
}

/// Whether this is a tar header of the oldest (V7) format, which has no magic. Its checksum field holds the sum of all
/// header bytes, with the field itself counted as blanks.
private func isTar(_ start: Span<UInt8>) -> Bool {
  guard start.count == 512, start[0] != 0 else { return false }
  var sum = 0
  for index in start.indices { sum += (148..<156).contains(index) ? 0x20 : Int(start[index]) }
  let digits = (148..<156).map { start[$0] }.drop { $0 == 0x20 }.prefix { (0x30...0x37).contains($0) }
  return !digits.isEmpty && digits.reduce(0) { $0 << 3 | Int($1 & 7) } == sum
}

/// Whether the length of the first record has the right checksum: CRC-32C, masked as TensorFlow's `masked_crc32c` does.
private func isTFRecord(_ start: Span<UInt8>) -> Bool {
  guard start.count >= 12 else { return false }
  var sum = UInt32.max
  for index in 0..<8 {
    sum ^= UInt32(start[index])
    for _ in 0..<8 { sum = sum & 1 == 1 ? sum >> 1 ^ 0x82f6_3b78 : sum >> 1 }
  }
  sum = ~sum
  return UInt64((sum >> 15 | sum << 17) &+ 0xa282_ead8) == number(start, at: 8, byteCount: 4)
}

/// The messages of ONNX and TensorFlow begin with the version of the format; the producer's name or the graph follows.
private func kindOfProtobuf(_ start: Span<UInt8>) -> FileKind? {
  guard start.count > 4, start[0] == 0x08, (1...31).contains(start[1]) else { return nil }
  switch start[2] {
  case 0x12:
    let end = min(start.count, 4 + Int(start[3] & 0x7f))
    let isName = (4..<end).allSatisfy { (0x20...0x7e).contains(start[$0]) }
    if isName && start[3] < 0x80 { return .onnx }
    // The length of its first part takes three bytes or more: the part has at least 16 KiB.
    let isSavedModel = start[1] == 1 && start[3] >= 0x80 && start[4] >= 0x80
    return isSavedModel ? FileKind("a TensorFlow SavedModel", remedy: "export it as ONNX") : nil
  case 0x3a: return .onnx
  default: return nil
  }
}

// MARK: - Texts

/// The kind of a text file; web pages and error messages are what a failed download often leaves.
private func kindOfText(_ file: Span<UInt8>) -> FileKind? {
  let start = file.indices.map { file[$0] }
  if isUTF16(start) { return utf16 }
  let isText = start.allSatisfy { $0 >= 0x20 && $0 != 0x7f || [0x09, 0x0a, 0x0c, 0x0d].contains($0) }
  guard isText else { return nil }
  let text = String(decoding: start, as: UTF8.self).lowercased()
  let words = text.drop { $0.isWhitespace || $0 == "\u{feff}" }
  if words.hasPrefix("{") || words.hasPrefix("[") {
    let isSymbol = words.hasPrefix("{") && words.dropFirst().drop { $0.isWhitespace }.hasPrefix("\"nodes\"")
    return isSymbol ? .symbol : .json
  }
  if ["<!doctype html", "<html", "<head"].contains(where: { words.hasPrefix($0) })
    || (words.hasPrefix("<") && words.contains("<html"))
  {
    return FileKind("an HTML page")
  }
  if words.contains("<svg") { return FileKind("an SVG drawing") }
  if words.hasPrefix("<"), words.contains("<error><code>") {
    return FileKind("a store's error message in XML")
  }
  if words.hasPrefix("<?xml") { return FileKind("an XML document") }
  return isList(words) ? .list : .text
}

/// Whether the bytes are whole 16-bit units after a byte order mark, or ASCII characters that each have a zero beside
/// them.
private func isUTF16(_ start: [UInt8]) -> Bool {
  guard start.count >= 8, start.count & 1 == 0 else { return false }
  if [0xff, 0xfe] == start.prefix(2) || [0xfe, 0xff] == start.prefix(2) { return true }
  let first = start.prefix(64).enumerated()
  return [0, 1].contains { side in
    first.allSatisfy { index, byte in
      index & 1 == side ? byte == 0 : (0x20...0x7e).contains(byte) || [0x09, 0x0a, 0x0d].contains(byte)
    }
  }
}

/// Whether the first line is an id, labels and a path, separated by tabs.
private func isList(_ words: Substring) -> Bool {
  let line = words.prefix { $0 != "\n" && $0 != "\r\n" }.split(separator: "\t")
  return line.count >= 3 && Int(line[0]) != nil && Double(line[1]) != nil
}

private func kindOfZeros(_ start: Span<UInt8>) -> FileKind? {
  let first = start.extracting(first: 64)
  let areZero = first.indices.allSatisfy { first[$0] == 0 }
  return areZero ? FileKind("a file of zero bytes, as a broken copy leaves") : nil
}

// MARK: - Suffixes

/// The suffixes, in lower case, of the JPEG and PNG files that are read.
public let imageSuffixes: Set<String> = [".jpeg", ".jpg", ".jpe", ".jfif", ".png"]

/// The suffixes, in lower case, of images in formats that are not read. Such files are reported as images left out.
private let otherImageSuffixes: Set<String> = [
  ".webp", ".bmp", ".dib", ".gif", ".tif", ".tiff", ".heic", ".heif", ".hif", ".avif", ".jp2", ".j2k", ".jpf",
  ".jpx", ".jpm", ".jxl", ".jxr", ".hdp", ".wdp", ".jif", ".jfi", ".pjpeg", ".pjp", ".apng", ".mng", ".jng",
  ".psd", ".ico", ".icns", ".ppm", ".pgm", ".pbm", ".pnm", ".pam", ".pfm", ".tga", ".exr", ".hdr", ".dds",
  ".pcx", ".svg", ".qoi", ".dcm",
  // Raw files of cameras.
  ".dng", ".cr2", ".cr3", ".crw", ".nef", ".nrw", ".arw", ".srf", ".sr2", ".orf", ".rw2", ".raf", ".pef",
  ".srw",
  ".x3f", ".erf", ".kdc", ".dcr", ".mrw", ".3fr", ".rwl", ".iiq", ".raw",
]

/// The kind of file that a name suggests: its suffix in lower case, ".webp".
///
/// Empty where the name has no suffix, or one that cannot be a file type: digits alone, or part of a web address.
///
/// - Parameter name: the last component of a path.
package func suffixKind(ofName name: String) -> String {
  let suffix = splitExtension(name).suffix
  guard (2...9).contains(suffix.utf8.count), suffix.utf8.dropFirst().allSatisfy(isLetterOrDigit),
    suffix.utf8.contains(where: { $0 >= UInt8(ascii: "A") })
  else { return "" }
  return suffix.lowercased()
}

/// Whether files with this suffix are images, whether they are read (`imageSuffixes`) or not.
package func isImageKind(_ kind: String) -> Bool {
  imageSuffixes.contains(kind) || otherImageSuffixes.contains(kind)
}

/// The image format that the first bytes of a file show: "a WebP image", "a JPEG image". Nil where it is not an
/// image, and where it cannot be read.
package func imageKind(ofFile path: String) -> String? {
  guard let start = try? readStart(of: path, byteCount: 512) else { return nil }
  return fileKind(start.span).flatMap { $0.hasByteSuffix(" image") ? $0 : nil }
}

private func isLetterOrDigit(_ byte: UInt8) -> Bool {
  switch byte {
  case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
    UInt8(ascii: "a")...UInt8(ascii: "z"):
    true
  default: false
  }
}

// MARK: - Litter

/// Whether this is a name of files or folders that operating systems, editors, sync tools or version control leave
/// behind. Such a file is never a user's image, class, model or output.
///
/// Names that a class could have ("recycled", "CVS") do not count as litter.
///
/// - Parameter name: the last component of a path.
public func isLitter(_ name: String) -> Bool {
  if name.hasBytePrefix("._") || name.hasBytePrefix(".Trash-") || name.hasBytePrefix(".nfs") { return true }
  // Owner files of office programs, and backups of editors.
  if name.hasBytePrefix("~$") || name.hasBytePrefix(".#") || name.hasByteSuffix("~") { return true }
  if name.hasBytePrefix(".") && (name.hasByteSuffix(".swp") || name.hasByteSuffix(".swo")) { return true }
  // The lock file of `OutputLock`.
  if name.hasByteSuffix(".imrec.lock") { return true }
  return litter.contains(ByteName(name)) || litterOfWindows.contains(ByteName(name.lowercased()))
}

private let litter = Set(
  [
    // macOS
    ".DS_Store", ".localized", ".AppleDouble", ".AppleDB", ".AppleDesktop", ".apdisk", ".Spotlight-V100",
    ".Trashes",
    ".Trash", ".fseventsd", ".TemporaryItems", ".DocumentRevisions-V100", ".VolumeIcon.icns",
    ".com.apple.timemachine.donotpresent", ".metadata_never_index", "__MACOSX", "Icon\r",
    // Linux desktops and file systems
    ".directory", ".thumbnails", ".hidden", "lost+found",
    // file servers and sync tools
    "@eaDir", "#recycle", "#snapshot", ".snapshot", ".snapshots", "@Recycle", ".@__thumb", ".stfolder",
    ".stversions",
    ".dropbox", ".dropbox.attr", ".dropbox.cache", ".sync", ".owncloudsync.log", ".picasa.ini",
    // version control and development tools
    ".git", ".gitignore", ".gitattributes", ".gitkeep", ".keep", ".svn", ".hg", ".bzr", ".dvc",
    ".dvcignore",
    ".ipynb_checkpoints", "__pycache__", ".idea", ".vscode", ".cache", ".venv",
  ].map { ByteName($0) })

/// In lower case: Windows ignores the case of names.
private let litterOfWindows = Set(
  [
    "thumbs.db", "ehthumbs.db", "ehthumbs_vista.db", "desktop.ini", "picasa.ini", "$recycle.bin",
    "system volume information", "found.000", "folder.htt", "desktop.htt",
  ].map { ByteName($0) })
