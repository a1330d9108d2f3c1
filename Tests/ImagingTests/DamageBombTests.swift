import Imaging
import Testing

/// Small files that promise large pictures or much work.
@Suite("Bombs")
struct DamageBombTests {
  @Test("a picture over the limit is refused from its header", arguments: [65_500, 30_000])
  func tooLarge(_ side: Int) throws {
    let file = try resized(CodecGoldens.picture("420-17x9.jpg"), side, side)
    #expect(throws: ImageError(.tooLarge(width: side, height: side, limit: 178_956_970))) {
      try Picture(file: file)
    }
    #expect(try probe(file.span).width == side)
  }

  @Test("a JPEG wider than libjpeg allows is refused by name")
  func tooWide() throws {
    let file = try resized(CodecGoldens.picture("420-17x9.jpg"), 65_535, 2)
    #expect {
      try Picture(file: file)
    } throws: { error in
      (error as? ImageError)?.reason == .unsupported("a JPEG of 65535x2 pixels")
    }
  }

  @Test("a JPEG too short for its size is truncated before anything is decoded", arguments: [false, true])
  func shortJPEG(_ isProgressive: Bool) throws {
    let name = isProgressive ? "420-progressive-17x9.jpg" : "420-17x9.jpg"
    let file = try resized(CodecGoldens.picture(name), 12_000, 12_000)
    #expect(throws: ImageError(.truncated, offset: file.count)) { try Picture(file: file) }
  }

  @Test("a PNG too short for its size is damaged before anything is decoded")
  func shortPNG() throws {
    var file = CodecGoldens.picture("type2-8bit-9x13.png")
    file.replaceSubrange(16..<24, with: [0, 0, 0x2e, 0xe0, 0, 0, 0x2e, 0xe0])
    file.replaceSubrange(29..<33, with: bigEndian(checksum(file[12..<29])))
    #expect {
      try Picture(file: file)
    } throws: { error in
      guard let error = error as? ImageError, case .damaged(let words) = error.reason else { return false }
      return words.hasSuffix("bytes of compressed data cannot hold 12000x12000 pixels")
    }
    #expect(throws: ImageError(.truncated, offset: 60)) { try Picture(file: Array(file[..<60])) }
  }

  @Test("a PNG of sides near 2^31 is too large")
  func hugePNG() throws {
    var file = CodecGoldens.picture("type2-8bit-9x13.png")
    file.replaceSubrange(16..<24, with: [0x7f, 0xff, 0xff, 0xff, 0x7f, 0xff, 0xff, 0xff])
    file.replaceSubrange(29..<33, with: bigEndian(checksum(file[12..<29])))
    #expect(throws: ImageError(.tooLarge(width: 0x7fff_ffff, height: 0x7fff_ffff, limit: 178_956_970))) {
      try Picture(file: file)
    }
  }

  @Test("500 scans are decoded, more are refused", arguments: [false, true])
  func scans(_ keepDamaged: Bool) throws {
    let options = DecodeOptions(color: .gray, keepDamaged: keepDamaged)
    let few = scanBomb(side: 8, count: 499)
    #expect(try Picture(file: few, options).width == 8)
    let many = scanBomb(side: 8, count: 10_000)
    #expect {
      try Picture(file: many, options)
    } throws: { error in
      (error as? ImageError)?.reason == .excessive("there are more scans than any real picture has")
    }
  }

  @Test("many scans over a large frame are refused by the work they make")
  func scansOfLargeFrames() {
    let file = scanBomb(side: 8000, count: 480)
    #expect {
      try Picture(file: file, DecodeOptions(color: .gray))
    } throws: { error in
      (error as? ImageError)?.reason == .excessive("there are more scans than any real picture has")
    }
  }

  @Test("a service takes the scans of an ordinary progressive photograph, and not many more")
  func service() throws {
    let options = { (options: DecodeOptions) in
      var options = options
      options.color = .gray
      options.timeLimit = nil
      return options
    }(.service)
    // 250,000 blocks: 24 million pixels have less than twice as many in full colour.
    #expect(try Picture(file: scanBomb(side: 4000, count: 60), options).width == 4000)
    #expect {
      try Picture(file: scanBomb(side: 4000, count: 70), options)
    } throws: { error in
      (error as? ImageError)?.reason == .excessive("there are more scans than any real picture has")
    }
  }

  @Test("a decode ends when its time is over, whatever decodes", arguments: [0, 1, 2, 3])
  func time(_ kind: Int) throws {
    let pixels = try drawn(width: 200, height: 100)
    let file =
      switch kind {
      case 0: try encode(pixels, as: .jpeg(quality: 90))
      case 1: try encode(pixels, quality: 90, variant: JPEGVariant(progressive: true))
      case 2: try encode(pixels, quality: 90, variant: JPEGVariant(subsampling: .s411))
      default: try encode(pixels, as: .png(level: 1))
      }
    for keepDamaged in [false, true] {
      var options = DecodeOptions(keepDamaged: keepDamaged)
      options.timeLimit = .seconds(3600)
      #expect(try Picture(file: file, options) == Picture(file: file))
      options.timeLimit = .zero
      #expect {
        try Picture(file: file, options)
      } throws: { error in
        (error as? ImageError)?.reason == .timedOut
      }
      #expect(throws: ImageError.self) { try examine(file.span, options) }
    }
  }

  @Test("text chunks of a PNG cost nothing, however much they would unpack to")
  func words() throws {
    let file = CodecGoldens.picture("type2-8bit-9x13.png")
    var lying: [UInt8] = []
    for name in ["zTXt", "iTXt", "tEXt", "prVt"] {
      let body = Array(name.utf8) + Array("Comment".utf8) + [UInt8](repeating: 0, count: 9_000_000)
      lying += bigEndian(UInt32(body.count - 4)) + body + bigEndian(checksum(body.prefix(0)))
    }
    // The sums are wrong: an unread chunk is skipped whatever it holds.
    let loaded = Array(file[..<33]) + lying + Array(file[33...])
    #expect(try Picture(file: loaded) == Picture(file: file))
  }

  /// A JPEG whose frame header says another size; the data stay.
  private func resized(_ file: [UInt8], _ width: Int, _ height: Int) throws -> [UInt8] {
    var file = file
    let frame = try #require(
      file.indices.dropLast().first { file[$0] == 0xff && (file[$0 + 1] == 0xc0 || file[$0 + 1] == 0xc2) })
    file.replaceSubrange(
      frame + 5..<frame + 9,
      with: [UInt8(height >> 8), UInt8(height & 255), UInt8(width >> 8), UInt8(width & 255)])
    return file
  }

  /// A grey progressive JPEG: one scan of DC, then `count` scans which say in a few bytes that nothing follows.
  private func scanBomb(side: Int, count: Int) -> [UInt8] {
    let blockCount = ((side + 7) / 8) * ((side + 7) / 8)
    let one = [UInt8(1)] + [UInt8](repeating: 0, count: 15)
    var file: [UInt8] = [0xff, 0xd8, 0xff, 0xdb, 0, 67, 0] + [UInt8](repeating: 1, count: 64)
    file += [0xff, 0xc2, 0, 11, 8, UInt8(side >> 8), UInt8(side & 255), UInt8(side >> 8), UInt8(side & 255)]
    file += [1, 1, 0x11, 0]
    file += [0xff, 0xc4, 0, 20, 0x00] + one + [0x00]  // DC: the code 0 is "no difference"
    file += [0xff, 0xc4, 0, 20, 0x10] + one + [0xe0]  // AC: 0 is "16384 + n empty blocks"
    file += [0xff, 0xda, 0, 8, 1, 1, 0x00, 0, 0, 0] + [UInt8](repeating: 0, count: (blockCount + 7) / 8)
    let runCount = (blockCount + 16_383) / 16_384
    // 15 zero bits a run of 16384.
    let scan: [UInt8] =
      [0xff, 0xda, 0, 8, 1, 1, 0x00, 1, 63, 0] + [UInt8](repeating: 0, count: (runCount * 15 + 7) / 8)
    for _ in 0..<count { file += scan }
    return file + [0xff, 0xd9]
  }

  private func bigEndian(_ value: UInt32) -> [UInt8] {
    [UInt8(value >> 24), UInt8(value >> 16 & 255), UInt8(value >> 8 & 255), UInt8(value & 255)]
  }
}
