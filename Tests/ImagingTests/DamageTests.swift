import Imaging
import TestSupport
import Testing

@Suite("Damage")
struct DamageTests {
  @Test("a truncated JPEG is never accepted as complete", arguments: variants)
  func cutJPEG(_ variant: JPEGVariant) throws {
    let pixels = try drawn(width: 72, height: 56)
    let file = try encode(pixels, quality: 75, variant: variant)
    for cut in stride(from: 1, to: file.count - 2, by: 16) {
      let start = Array(file[..<cut])
      #expect(throws: ImageError(.truncated, offset: cut)) { try Picture(file: start) }
    }
    for cut in file.count - 16..<file.count - 2 {
      // The last bits of the last byte may be padding; before it there are always pixels.
      let start = Array(file[..<cut])
      if cut < file.count - 3 { #expect(throws: ImageError.self) { try Picture(file: start) } }
    }
  }

  @Test("a JPEG that lacks only its end marker is complete", arguments: variants.filter { !$0.arithmetic })
  func noEnd(_ variant: JPEGVariant) throws {
    let file = try encode(drawn(width: 72, height: 56), quality: 75, variant: variant)
    let whole = try Picture(file: file)
    for lost in 1...2 {
      #expect(try Picture(file: Array(file.dropLast(lost))) == whole)
    }
  }

  @Test(
    "a truncated PNG is never accepted as complete",
    arguments: ["type2-8bit", "type3-4bit-interlaced", "type6-16bit"])
  func cutPNG(_ kind: String) throws {
    let file = CodecGoldens.picture("\(kind)-9x13.png")
    for cut in 1..<file.count {
      let start = Array(file[..<cut])
      for keepDamaged in [false, true] {
        #expect(throws: ImageError(.truncated, offset: cut)) {
          try Picture(file: start, DecodeOptions(keepDamaged: keepDamaged))
        }
      }
    }
  }

  @Test("bytes after the picture do no harm")
  func rubbish() throws {
    for name in ["420-17x9.jpg", "444-progressive-17x9.jpg", "type2-8bit-9x13.png"] {
      let file = CodecGoldens.picture(name)
      let whole = try Picture(file: file)
      for longer in [file + [1, 2, 3], file + file] {
        #expect(try Picture(file: longer) == whole)
        #expect(try examine(longer.span) == nil)
      }
    }
  }

  @Test("a corrupt JPEG is an error with the decoder's words and a place in the file")
  func corrupt() throws {
    let variant = JPEGVariant(subsampling: .s444, restartInterval: 3)
    let file = try encode(drawn(width: 72, height: 56), quality: 75, variant: variant)
    let marker = try #require(file.indices.dropLast().first { file[$0] == 0xff && file[$0 + 1] == 0xd2 })
    var lost = file
    lost.removeSubrange(marker..<marker + 2)
    #expect {
      try Picture(file: lost)
    } throws: { error in
      guard let error = error as? ImageError, case .damaged(let words) = error.reason else { return false }
      return words.hasPrefix("Corrupt JPEG data") && error.offset > 0 && error.offset < lost.count
    }
    #expect(try Picture(file: lost, DecodeOptions(keepDamaged: true)).width == 72)
  }

  @Test("what is kept of a damaged JPEG is what OpenCV keeps", arguments: CodecGoldens.damaged)
  func kept(_ golden: CodecGoldens.Decoded) throws {
    let file = CodecGoldens.picture(golden.name)
    let options = DecodeOptions(color: golden.color, keepDamaged: true)
    guard golden.width > 0 else {
      #expect(throws: ImageError.self) { try Picture(file: file, options) }
      return
    }
    let picture = try Picture(file: file, options)
    #expect(picture.width == golden.width && picture.height == golden.height)
    #expect(checksum(picture.bytes) == golden.checksum)
  }

  @Test("a flipped bit in a PNG's data, sum or header is an error")
  func corruptPNG() throws {
    let file = CodecGoldens.picture("type2-8bit-9x13.png")
    for place in file.indices {
      var flipped = file
      flipped[place] ^= 0x10
      #expect(throws: ImageError.self, "byte \(place)") { try Picture(file: flipped) }
    }
  }

  @Test(
    "no damage of one byte makes a decoder stop the process", arguments: ["420-17x9.jpg", "grey-17x9.jpg"])
  func survival(_ name: String) throws {
    let file = CodecGoldens.picture(name)
    for place in file.indices {
      for value: UInt8 in [0x00, 0x7f, 0xff] {
        var changed = file
        changed[place] = value
        for keepDamaged in [false, true] {
          _ = try? Picture(file: changed, DecodeOptions(keepDamaged: keepDamaged, maximumPixelCount: 1 << 20))
        }
      }
    }
  }

  private static let variants = [
    JPEGVariant(), JPEGVariant(subsampling: .s444), JPEGVariant(restartInterval: 2),
    JPEGVariant(progressive: true), JPEGVariant(arithmetic: true), JPEGVariant(cmyk: true),
    JPEGVariant(orientation: 6),
  ]
}
