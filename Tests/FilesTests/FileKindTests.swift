import Files
import TestSupport
import Testing

@Suite("Kinds of files")
struct FileKindTests {
  private static func zip(_ member: String) -> [UInt8] {
    let length: [UInt8] = [UInt8(member.utf8.count), 0]
    return [0x50, 0x4b, 3, 4] + [UInt8](repeating: 0, count: 22) + length + [0, 0] + Array(member.utf8)
  }

  /// A tar header of the oldest format, which has no magic.
  private static var oldTar: [UInt8] {
    var header = [UInt8](repeating: 0, count: 512)
    header.replaceSubrange(0..<5, with: Array("a.jpg".utf8))
    header.replaceSubrange(100..<107, with: Array("0000644".utf8))
    header.replaceSubrange(148..<156, with: [UInt8](repeating: 0x20, count: 8))
    let sum = String(header.reduce(0) { $0 + Int($1) }, radix: 8)
    header.replaceSubrange(148..<156, with: Array(("000000" + sum).suffix(6).utf8) + [0, 0x20])
    return header
  }

  private static func utf16(_ text: String, isBig: Bool, mark: Bool) -> [UInt8] {
    ((mark ? "\u{feff}" : "") + text).utf16.flatMap { unit in
      let bytes = [UInt8(truncatingIfNeeded: unit), UInt8(truncatingIfNeeded: unit >> 8)]
      return isBig ? bytes.reversed() : bytes
    }
  }

  private static func bytes(_ start: [UInt8], _ text: String) -> [UInt8] { start + Array(text.utf8) }

  static let kinds: [([UInt8], String)] = [
    ([], "an empty file"),
    ([0xff, 0xd8, 0xff, 0xe0], "a JPEG image"),
    ([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a], "a PNG image"),
    (
      bytes([], "version https://git-lfs.github.com/spec/v1\noid sha256:0"),
      "a Git LFS pointer; fetch the real file with git lfs"
    ),
    (bytes([], "<!-- x --><HTML>"), "an HTML page"),
    (bytes([], "<?xml version=\"1.0\"?><Error><Code>NoSuchKey"), "a store's error message in XML"),
    (zip("archive/data.pkl"), "a PyTorch checkpoint (.pth); save its state_dict as .safetensors"),
    (zip("traced/data/0"), "a PyTorch checkpoint (.pth); save its state_dict as .safetensors"),
    (zip("photos/data/1.jpg"), "a ZIP archive"), (zip("arr_0.npy"), "a NumPy archive (.npz)"),
    (zip("[Content_Types].xml"), "an Office document"),
    (
      [0x80, 2, 0x8a, 0x0a, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, 0x2e],
      "a PyTorch checkpoint (.pth); save its state_dict as .safetensors"
    ),
    ([0x80, 4, 0x95, 1, 0, 0, 0, 0, 0, 0, 0], "a Python pickle"), ([0x80, 2, 0x7d, 0x71], "a Python pickle"),
    ([0x89, 0x48, 0x44, 0x46, 0x0d, 0x0a, 0x1a, 0x0a], "an HDF5 file, as Keras saves models"),
    (bytes([8, 7, 0x12, 7], "pytorch"), "an ONNX model"), ([8, 8, 0x3a, 2, 1, 1], "an ONNX model"),
    ([8, 1, 0x12, 0xd0, 0x9c, 2, 0x0a, 0x30], "a TensorFlow SavedModel; export it as ONNX"),
    (bytes([0x1c, 0, 0, 0], "TFL3"), "a TensorFlow Lite model"),
    ([0x12, 1, 0, 0, 0, 0, 0, 0, 0], "an MXNet parameter file (.params)"),
    (bytes([], "{\n  \"nodes\": ["), "an MXNet symbol (-symbol.json)"),
    (bytes([], "{\"prediction\": ["), "a JSON document"),
    (bytes([0x40, 1, 0, 0, 0, 0, 0, 0], "{\"a\":"), "a .safetensors file"),
    (oldTar, "a tar archive"), ([0x1f, 0x8b, 8, 0], "gzip-compressed data"),
    (
      [10, 0, 0, 0, 0, 0, 0, 0, 0xae, 0xa3, 0xbf, 0x3a, 0x0a],
      "a TFRecord file"
    ),
    ([0x0a, 0x23, 0xd7, 0xce], "a RecordIO file"), (bytes([], "PAR1"), "a Parquet table"),
    (bytes([], "SQLite format 3\0"), "an SQLite database"),
    (bytes([], "0\t3.0\ta/1.jpg\n"), "a list of images (.lst)"),
    (bytes([], "path,label\na.jpg,3\n"), "a text file"),
    (bytes([], "BMW\nAudi\nMercedes\n"), "a text file"), (bytes([], "BM\u{6}........"), "a BMP image"),
  ]

  @Test("a file's kind is recognized by its first bytes", arguments: kinds)
  func told(_ start: [UInt8], _ name: String) {
    #expect(fileKind(start.span) == name)
    // Bytes after the first 512 do not matter.
    let longer = start + [1, 2, 3]
    if start.count == 512 { #expect(fileKind(longer.span) == name) }
  }

  @Test(
    "a text in UTF-16 is recognized with and without a byte order mark", arguments: [false, true],
    [false, true])
  func marks(_ isBig: Bool, _ mark: Bool) {
    let start = Self.utf16("path,label\na/1.jpg,3\n", isBig: isBig, mark: mark)
    #expect(fileKind(start.span)?.hasPrefix("a text file in UTF-16; save it as UTF-8") == true)
  }

  @Test(
    "bytes that only resemble a kind have none",
    arguments: [
      [0xff, 0xfe, 0x00, 0x01, 0x80], [0x80, 0x02, 0x00], [8, 4, 0x12, 0x30, 0x0a, 1],
      [9, 0, 0, 0, 0, 0, 0, 0], [0x40, 1, 0, 0, 0, 0, 0, 0x10, 0x7b, 0x22],
      [10, 0, 0, 0, 0, 0, 0, 0, 0xae, 0xa3, 0xbf, 0x3b, 0x0a], [0x12, 1, 0],
    ] as [[UInt8]])
  func unknown(_ start: [UInt8]) { #expect(fileKind(start.span) == nil) }

  @Test("random bytes have no kind, whatever their number")
  func random() {
    var random = SplitMix64(seed: 31)
    var found = 0
    for count in 9..<600 {
      let bytes = random.bytes(count)
      if fileKind(bytes.span) != nil { found += 1 }
    }
    #expect(found <= 1)
  }

  @Test("a kind becomes a sentence with what was expected or what to do")
  func sentences() throws {
    let (html, lfs) = (Self.bytes([], "<html>"), Self.bytes([], "version https://git-lfs"))
    let (found, other) = (FileKind(html.span), FileKind(lfs.span))
    let page = try #require(found)
    #expect(page.sentence(expected: "JPEG or PNG") == "this is an HTML page; JPEG or PNG is expected")
    let pointer = try #require(other)
    #expect(
      pointer.sentence(expected: "JPEG or PNG")
        == "this is a Git LFS pointer; fetch the real file with git lfs")
  }
}
