import Imaging
import TestSupport
import Testing

/// A file that stands in a class folder under an image's name, and what is said of it.
struct HostileFile: Sendable, CustomTestStringConvertible {
  let name: String
  let bytes: [UInt8]
  let sentence: String

  var testDescription: String { name }

  static func all() throws -> [HostileFile] {
    let (jpeg, png) = (try jpeg(64, 48), try png(64, 48))
    let progressive = try encode(picture(64, 48), quality: 90, variant: JPEGVariant(progressive: true))
    var flipped = png
    flipped[png.count / 2] ^= 0x55
    let longChunk: [UInt8] = Array(png[..<33]) + [0x7f, 0xff, 0xff, 0xff] + Array("iTXt".utf8)
    let scans: [UInt8] =
      Array(progressive.dropLast(2)) + lastScan(of: progressive, times: 2_000) + [0xff, 0xd9]
    return [
      .init(name: "empty.jpg", bytes: [], sentence: "the file is empty"),
      .init(name: "empty.png", bytes: [], sentence: "the file is empty"),
      .init(name: "byte.jpg", bytes: [0xff], sentence: "cut short: the file ends at byte 1"),
      .init(name: "cut.jpg", bytes: Array(jpeg.prefix(jpeg.count / 2)), sentence: "cut short"),
      .init(
        name: "head.jpg", bytes: Array(jpeg.prefix(100)), sentence: "cut short: the file ends at byte 100"),
      .init(
        name: "cut-progressive.jpg", bytes: Array(progressive.prefix(progressive.count / 2)),
        sentence: "cut short"),
      .init(name: "cut.png", bytes: Array(png.prefix(png.count / 2)), sentence: "cut short"),
      .init(name: "head.png", bytes: Array(png.prefix(20)), sentence: "cut short: the file ends at byte 20"),
      .init(name: "flipped.png", bytes: flipped, sentence: "damaged near byte"),
      .init(name: "gif.jpg", bytes: Array("GIF89a".utf8), sentence: "a GIF image; JPEG or PNG is expected"),
      .init(name: "webp.jpg", bytes: Array("RIFF....WEBPVP8 ".utf8), sentence: "a WebP image"),
      .init(name: "tiff.png", bytes: [0x49, 0x49, 0x2a, 0, 8, 0, 0, 0], sentence: "a TIFF image"),
      .init(name: "bmp.png", bytes: Array("BM......".utf8), sentence: "a BMP image"),
      .init(name: "page.jpg", bytes: Array("<!DOCTYPE html><html>".utf8), sentence: "an HTML page"),
      .init(name: "zeros.jpg", bytes: [UInt8](repeating: 0, count: 4096), sentence: "a file of zero bytes"),
      .init(
        name: "huge.png", bytes: header(60_000, 60_000),
        sentence: "60000x60000 pixels, more than the 178956970"),
      .init(
        name: "hugest.png", bytes: header(1 << 31 - 1, 1 << 31 - 1), sentence: "2147483647x2147483647 pixels"),
      .init(name: "nothing.png", bytes: header(0, 10), sentence: "damaged"),
      .init(
        name: "huge.jpg", bytes: resized(jpeg, 65_500, 65_500), sentence: "65500x65500 pixels, more than"),
      // Within the limit of pixels, but the file has nothing of them.
      .init(
        name: "hollow.jpg", bytes: resized(jpeg, 12_000, 12_000), sentence: "cut short"),
      .init(
        name: "scans.jpg",
        bytes: scans,
        sentence: "damaged near byte"),
      .init(
        name: "chunk.png", bytes: longChunk,
        sentence: "cut short"),
    ]
  }

  /// A PNG that claims a size and has no pixels.
  private static func header(_ width: UInt32, _ height: UInt32) -> [UInt8] {
    let head: [UInt8] = bigEndian(width) + bigEndian(height) + [8, 2, 0, 0, 0]
    var file: [UInt8] = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]
    file += chunk("IHDR", head)
    file += chunk("IDAT", [0x78, 0x9c, 0x63, 0, 0, 0, 1, 0, 1])
    return file + chunk("IEND", [])
  }

  private static func bigEndian(_ word: UInt32) -> [UInt8] {
    [24, 16, 8, 0].map { (shift: UInt32) in UInt8(truncatingIfNeeded: word >> shift) }
  }

  private static func chunk(_ kind: String, _ data: [UInt8]) -> [UInt8] {
    let content = Array(kind.utf8) + data
    var crc = UInt32.max
    for byte in content {
      crc ^= UInt32(byte)
      for _ in 0..<8 { crc = crc & 1 == 1 ? crc >> 1 ^ 0xedb8_8320 : crc >> 1 }
    }
    return bigEndian(UInt32(data.count)) + content + bigEndian(~crc)
  }

  /// The JPEG with another size in its frame header.
  private static func resized(_ jpeg: [UInt8], _ width: Int, _ height: Int) -> [UInt8] {
    var file = jpeg
    guard let frame = file.indices.dropLast(8).first(where: { file[$0] == 0xff && file[$0 + 1] == 0xc0 })
    else {
      return []
    }
    for (place, number) in [(5, height), (7, width)] {
      file[frame + place] = UInt8(number >> 8)
      file[frame + place + 1] = UInt8(number & 0xff)
    }
    return file
  }

  private static func lastScan(of jpeg: [UInt8], times: Int) -> [UInt8] {
    guard let scan = jpeg.indices.dropLast().last(where: { jpeg[$0] == 0xff && jpeg[$0 + 1] == 0xda }) else {
      return []
    }
    return Array(repeatElement(jpeg[scan..<(jpeg.count - 2)], count: times).joined())
  }
}
