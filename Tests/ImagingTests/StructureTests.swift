import Imaging
import Testing

@Suite("Checking a file without decoding it")
struct StructureTests {
  private func file(_ encoding: Encoding) throws -> [UInt8] {
    let samples = (0..<40 * 30 * 3).map { UInt8(truncatingIfNeeded: $0 &* 7) }
    return try encode(Pixels(width: 40, height: 30, channels: 3, samples: samples.span), as: encoding)
  }

  @Test("accepts whole files, and trailing bytes", arguments: [Encoding.jpeg(quality: 80), .png(level: 6)])
  func whole(encoding: Encoding) throws {
    let bytes = try file(encoding)
    try checkStructure(bytes.span, DecodeOptions())
    let longer = bytes + [1, 2, 3]
    try checkStructure(longer.span, DecodeOptions())
  }

  @Test("finds every truncation", arguments: [Encoding.jpeg(quality: 80), .png(level: 6)])
  func cut(encoding: Encoding) throws {
    let bytes = try file(encoding)
    for count in 0..<bytes.count {
      let part = Array(bytes.prefix(count))
      #expect(throws: ImageError.self, "\(count) bytes") { try checkStructure(part.span, DecodeOptions()) }
    }
  }

  @Test("finds a changed bit in a PNG's pixels, and ignores one in a comment")
  func checksums() throws {
    let bytes = try file(.png(level: 6))
    let comment: [UInt8] = [0, 0, 0, 3] + Array("tEXt".utf8) + [65, 0, 66, 1, 2, 3, 4]
    let commented = Array(bytes[..<33]) + comment + Array(bytes[33...])
    try checkStructure(commented.span, DecodeOptions())
    // From the header's content to the checksum of the last chunk of data; lengths and names are other errors.
    for place in Array(16..<33) + Array(41..<bytes.count - 12) {
      var changed = bytes
      changed[place] ^= 4
      #expect(throws: ImageError.self, "byte \(place)") { try checkStructure(changed.span, DecodeOptions()) }
    }
  }

  @Test("does not mistake the end of a thumbnail for that of the picture")
  func thumbnail() throws {
    let bytes = try file(.jpeg(quality: 80))
    // An APP1 segment that holds an end marker, and a picture without its own.
    let segment: [UInt8] = [0xFF, 0xE1, 0x00, 0x06, 0x00, 0x00, 0xFF, 0xD9]
    let part = Array(bytes[..<2]) + segment + Array(bytes[2...].dropLast(2))
    #expect(throws: ImageError(.truncated, offset: part.count)) {
      try checkStructure(part.span, DecodeOptions())
    }
  }

  @Test("refuses pictures over the limit, and other formats")
  func limits() throws {
    let bytes = try file(.png(level: 6))
    #expect(throws: ImageError(.tooLarge(width: 40, height: 30, limit: 1199))) {
      try checkStructure(bytes.span, DecodeOptions(maximumPixelCount: 1199))
    }
    let gif = Array("GIF89a".utf8) + [UInt8](repeating: 0, count: 20)
    #expect(throws: ImageError.self) { try checkStructure(gif.span, DecodeOptions()) }
  }
}
