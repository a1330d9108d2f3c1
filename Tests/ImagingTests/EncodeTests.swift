import Imaging
import TestSupport
import Testing

@Suite("Encoding")
struct EncodeTests {
  @Test("a JPEG has the bytes of OpenCV 4.8", arguments: CodecGoldens.encoded)
  func golden(_ golden: CodecGoldens.Encoded) throws {
    let file = CodecGoldens.picture(golden.name)
    let bytes = try encode(
      decode(file.span, DecodeOptions(color: golden.color)), as: .jpeg(quality: golden.quality))
    #expect(bytes.count == golden.byteCount)
    #expect(checksum(bytes) == golden.checksum)
  }

  @Test("a PNG round-trips the pixels", arguments: [1, 3, 4], [-3, 0, 1, 6, 9, 95])
  func roundTrip(_ channels: Int, _ level: Int) throws {
    let pixels = try drawn(width: 53, height: 31, channels: channels)
    let file = try encode(pixels, as: .png(level: level))
    #expect(try Picture(file: file, DecodeOptions(color: .unchanged)) == Picture(pixels))
  }

  @Test("a 16-bit PNG round-trips the samples", arguments: ["type0", "type2", "type6"])
  func roundTrip16(_ kind: String) throws {
    let unchanged = DecodeOptions(color: .unchanged)
    let pixels = try decode(CodecGoldens.picture("\(kind)-16bit-9x13.png").span, unchanged)
    #expect(pixels.depth == .sixteen)
    let file = try encode(pixels, as: .png(level: 3))
    #expect(try probe(file.span).bitDepth == 16)
    #expect(try Picture(file: file, unchanged) == Picture(pixels))
  }

  @Test("levels and qualities outside their range count as its ends")
  func clamped() throws {
    let pixels = try drawn(width: 40, height: 40)
    #expect(try encode(pixels, as: .png(level: 95)) == encode(pixels, as: .png(level: 9)))
    #expect(try encode(pixels, as: .png(level: .min)) == encode(pixels, as: .png(level: 0)))
    #expect(try encode(pixels, as: .jpeg(quality: .max)) == encode(pixels, as: .jpeg(quality: 100)))
    #expect(try encode(pixels, as: .jpeg(quality: -1)) == encode(pixels, as: .jpeg(quality: 1)))
  }

  @Test("alpha is dropped from a JPEG without blending")
  func alpha() throws {
    let pixels = try drawn(width: 20, height: 20, channels: 4)
    let opaque = Picture(pixels)
    let kept = (0..<400).flatMap { opaque.bytes[$0 * 4..<$0 * 4 + 3] }
    let colors = try Pixels(width: 20, height: 20, channels: 3, samples: kept.span)
    #expect(try encode(pixels, as: .jpeg(quality: 70)) == encode(colors, as: .jpeg(quality: 70)))
  }

  @Test("what a format cannot hold is refused with its size and the limit")
  func refused() throws {
    let wide = try Pixels(
      width: 65_501, height: 1, channels: 1, samples: [UInt8](repeating: 0, count: 65_501).span)
    #expect {
      try encode(wide, as: .jpeg(quality: 90))
    } throws: { error in
      "\(error)" == "a picture of 65501x1 pixels cannot be a JPEG: a side has at most 65500"
    }
    #expect(try Picture(file: encode(wide, as: .png(level: 1))).width == 65_501)
    let atLimit = try Pixels(
      width: 1, height: 65_500, channels: 1, samples: [UInt8](repeating: 7, count: 65_500).span)
    #expect(try Picture(file: encode(atLimit, as: .jpeg(quality: 90))).height == 65_500)
    let two = try Pixels(width: 2, height: 1, channels: 2, samples: [1, 2, 3, 4].span)
    #expect(throws: ImageError(.cannotEncode("2 channels cannot be written; 1, 3 or 4 can"))) {
      try encode(two, as: .png(level: 1))
    }
    #expect(throws: ImageError.self) {
      try encode(two, quality: 90, variant: JPEGVariant(restartInterval: 65_536))
    }
  }

  @Test("noise that takes more bytes than estimated is written whole")
  func growth() throws {
    var random = SplitMix64(seed: 5)
    let noise = try Pixels(width: 200, height: 200, channels: 3, samples: random.bytes(120_000).span)
    let file = try encode(noise, quality: 100, variant: JPEGVariant(subsampling: .s444))
    #expect(file.count > 120_000 * 3 / 8)
    #expect(try Picture(file: file).width == 200)
  }
}
