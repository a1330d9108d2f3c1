import Imaging
import Testing

@Suite("Probing")
struct ProbeTests {
  @Test(
    "the header tells size, components, depth and interlace",
    arguments: [
      ("420-17x9.jpg", ImageFormat.jpeg, 17, 9, 3, 8, 1, false),
      ("444-progressive-17x9.jpg", .jpeg, 17, 9, 3, 8, 1, true),
      ("grey-17x9.jpg", .jpeg, 17, 9, 1, 8, 1, false),
      ("inks-2-17x9.jpg", .jpeg, 17, 9, 4, 8, 1, false),
      ("exif-6-big.jpg", .jpeg, 23, 14, 3, 8, 6, false),
      ("exif-9-big.jpg", .jpeg, 23, 14, 3, 8, 1, false),
      ("exif-after-xmp.jpg", .jpeg, 23, 14, 3, 8, 1, false),
      ("exif-6.png", .png, 23, 14, 3, 8, 6, false),
      ("exif-after.png", .png, 23, 14, 3, 8, 6, false),
      ("type0-1bit-9x13.png", .png, 9, 13, 1, 1, 1, false),
      ("type0-16bit-trns-9x13.png", .png, 9, 13, 1, 16, 1, false),
      ("type2-8bit-interlaced-9x13.png", .png, 9, 13, 3, 8, 1, true),
      ("type3-4bit-9x13.png", .png, 9, 13, 3, 4, 1, false),
      ("type3-4bit-trns-9x13.png", .png, 9, 13, 4, 4, 1, true),
      ("type4-8bit-9x13.png", .png, 9, 13, 2, 8, 1, false),
      ("type6-16bit-9x13.png", .png, 9, 13, 4, 16, 1, false),
    ])
  func header(
    _ name: String, _ format: ImageFormat, _ width: Int, _ height: Int, _ channels: Int, _ bitDepth: Int,
    _ orientation: Int, _ isProgressive: Bool
  ) throws {
    let info = try probe(CodecGoldens.picture(name).span)
    #expect(info.format == format)
    #expect(info.width == width && info.height == height)
    #expect(info.channels == channels && info.bitDepth == bitDepth)
    #expect(info.orientation == orientation && info.isProgressive == isProgressive)
  }

  @Test(
    "other formats are named by their bytes",
    arguments: [
      ("GIF89a", "a GIF image"), ("RIFF\0\0\0\0WEBPVP8 ", "a WebP image"), ("II*\0", "a TIFF image"),
      ("MM\0*", "a TIFF image"), ("BM6\0", "a BMP image"), ("\0\0\0\u{1c}ftypheic", "a HEIC image"),
      ("\0\0\0\u{1c}ftypavif", "an AVIF image"), ("\0\0\0\u{0c}jP  \r\n", "a JPEG 2000 image"),
      ("\0\0\0\u{0c}JXL \r\n", "a JPEG XL image"), ("%PDF-1.4", "a PDF document"),
      ("PK\u{3}\u{4}", "a ZIP archive"), ("<!DOCTYPE html><p>404", "an HTML page"),
      ("\n <HTML>", "an HTML page"), ("<svg xmlns=", "an SVG drawing"), ("<?xml version=", "an XML document"),
      ("{\"error\": 404}", "a JSON document"), ("Not found\n", "a text file"),
      ("\0\0\0\0\0\0\0\0\0\0\0\0", "a file of zero bytes, as a broken copy leaves"),
    ])
  func otherFormats(_ start: String, _ name: String) {
    let file = Array(start.utf8)
    #expect(throws: ImageError(.unknownFormat(name))) { try probe(file.span) }
    #expect(throws: ImageError(.unknownFormat(name))) { try Picture(file: file) }
  }

  @Test("bytes of no known format are shown")
  func unknown() {
    let file: [UInt8] = [0xff, 0xfe, 0x00, 0x01, 0x80, 0x81, 0x82, 0x83, 0x84]
    let words = "no image format known here (it begins with ff fe 00 01 80 81 82 83)"
    #expect(throws: ImageError(.unknownFormat(words))) { try probe(file.span) }
  }

  @Test("an empty file, and the beginning of a signature, are told apart from other formats")
  func beginnings() {
    let empty: [UInt8] = []
    #expect(throws: ImageError(.empty)) { try probe(empty.span) }
    for start: [UInt8] in [[0xff], [0xff, 0xd8], [0x89], [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a]] {
      #expect(throws: ImageError(.truncated, offset: start.count)) { try probe(start.span) }
    }
  }

  @Test("the header alone is enough; less is truncated", arguments: ["420-17x9.jpg", "type2-8bit-9x13.png"])
  func prefix(_ name: String) throws {
    let file = CodecGoldens.picture(name)
    let whole = try probe(file.span)
    var least = file.count
    for count in 0..<file.count {
      let start = Array(file[..<count])
      do {
        #expect(try probe(start.span) == whole)
        least = min(least, count)
      } catch {
        #expect(count < least, "once the header is whole, more bytes do no harm")
        #expect(error == ImageError(count == 0 ? .empty : .truncated, offset: count))
      }
    }
    #expect(least < file.count)
  }

  @Test(
    "kinds of JPEG that are not decoded are named",
    arguments: [
      (UInt8(0xc3), "a lossless JPEG"), (0xcb, "a lossless JPEG"), (0xc5, "a hierarchical JPEG"),
      (0xcf, "a hierarchical JPEG"), (0xf7, "a JPEG-LS image"),
    ])
  func unsupported(_ marker: UInt8, _ name: String) throws {
    var file = CodecGoldens.picture("420-17x9.jpg")
    let frame = try #require(file.indices.dropLast().first { file[$0] == 0xff && file[$0 + 1] == 0xc0 })
    file[frame + 1] = marker
    #expect {
      try probe(file.span)
    } throws: { error in
      (error as? ImageError)?.reason == .unsupported(name)
    }
  }

  @Test("other depths and numbers of components are named")
  func unsupportedFrames() throws {
    let file = CodecGoldens.picture("420-17x9.jpg")
    let frame = try #require(file.indices.dropLast().first { file[$0] == 0xff && file[$0 + 1] == 0xc0 })
    var deep = file
    deep[frame + 4] = 12
    #expect {
      try probe(deep.span)
    } throws: { error in
      (error as? ImageError)?.reason == .unsupported("a 12-bit JPEG")
    }
    var apple = CodecGoldens.picture("type2-8bit-9x13.png")
    apple.replaceSubrange(8..<8, with: [0, 0, 0, 4] + Array("CgBI".utf8) + [0x50, 0, 0x20, 6, 0, 0, 0, 0])
    #expect {
      try probe(apple.span)
    } throws: { error in
      (error as? ImageError)?.reason == .unsupported("a PNG in Apple's own CgBI form")
    }
  }
}
