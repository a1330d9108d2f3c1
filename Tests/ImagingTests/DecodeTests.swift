import Glibc
import Imaging
import TestSupport
import Testing

@Suite("Decoding")
struct DecodeTests {
  @Test("pictures of every kind have the pixels of OpenCV 4.8", arguments: CodecGoldens.decoded)
  func golden(_ golden: CodecGoldens.Decoded) throws {
    // OpenCV accepts stray bytes before the end marker, which are damage here.
    let options = DecodeOptions(color: golden.color, keepDamaged: golden.name == "rubbish-before-end.jpg")
    let picture = try Picture(file: CodecGoldens.picture(golden.name), options)
    #expect(picture.width == golden.width && picture.height == golden.height)
    #expect(picture.channels == golden.channels && picture.sampleByteCount == golden.sampleByteCount)
    #expect(checksum(picture.bytes) == golden.checksum)
  }

  @Test("how coefficients are stored does not change a pixel", arguments: JPEGVariant.Subsampling.allCases)
  func storage(_ subsampling: JPEGVariant.Subsampling) throws {
    let pixels = try drawn(width: 61, height: 45)
    let plain = try Picture(
      file: encode(pixels, quality: 80, variant: JPEGVariant(subsampling: subsampling)))
    for variant in [
      JPEGVariant(progressive: true, subsampling: subsampling),
      JPEGVariant(arithmetic: true, subsampling: subsampling),
      JPEGVariant(progressive: true, arithmetic: true, subsampling: subsampling),
      JPEGVariant(subsampling: subsampling, restartInterval: 1),
      JPEGVariant(subsampling: subsampling, restartInterval: 5),
    ] {
      let stored = try Picture(file: encode(pixels, quality: 80, variant: variant))
      #expect(stored == plain, "\(variant)")
    }
  }

  @Test("EXIF rotates colour and grey, and leaves unchanged pixels as stored", arguments: 1...8, [1, 3, 4])
  func orientation(_ orientation: Int, _ channels: Int) throws {
    let pixels = try drawn(width: 37, height: 21, channels: channels)
    let variant = JPEGVariant(cmyk: channels == 4, orientation: orientation)
    let file = try encode(pixels, quality: 90, variant: variant)
    let stored = try encode(pixels, quality: 90, variant: JPEGVariant(cmyk: channels == 4))
    for color in [ColorMode.rgb, .gray] {
      let options = DecodeOptions(color: color)
      #expect(try Picture(file: file, options) == Picture(file: stored, options).turned(orientation))
    }
    let unchanged = DecodeOptions(color: .unchanged)
    #expect(try Picture(file: file, unchanged) == Picture(file: stored, unchanged))
  }

  @Test("inks stored either way are nearly the colours they were made of", arguments: [false, true])
  func inks(_ ycck: Bool) throws {
    let pixels = try drawn(width: 40, height: 30)
    let variant = JPEGVariant(cmyk: true, ycck: ycck, subsampling: .s444)
    let file = try encode(pixels, quality: 100, variant: variant)
    #expect(try probe(file.span).channels == 4)
    let (made, found) = (Picture(pixels), try Picture(file: file))
    for (a, b) in zip(made.bytes, found.bytes) { #expect(abs(Int(a) - Int(b)) <= 4) }
  }

  @Test("a picture at the limit of pixels is decoded, one more is refused by name")
  func limit() throws {
    let file = try encode(drawn(width: 30, height: 20), as: .png(level: 1))
    #expect(throws: Never.self) { try Picture(file: file, DecodeOptions(maximumPixelCount: 600)) }
    #expect(throws: ImageError(.tooLarge(width: 30, height: 20, limit: 599))) {
      try Picture(file: file, DecodeOptions(maximumPixelCount: 599))
    }
  }

  @Test("a decoded picture does not depend on the one before it")
  func noResidue() throws {
    let first = try encode(drawn(width: 64, height: 64, seed: 3), as: .jpeg(quality: 90))
    let second = try encode(drawn(width: 64, height: 64, seed: 4), as: .jpeg(quality: 90))
    let keeping = DecodeOptions(keepDamaged: true)
    for cut in stride(from: second.count / 3, to: second.count, by: 37) {
      let damaged = Array(second[..<cut])
      let alone = try Picture(file: damaged, keeping)
      _ = try Picture(file: first)
      #expect(try Picture(file: damaged, keeping) == alone)
    }
  }
}

@Suite("Decoding a window")
struct DecodeWindowTests {
  private static let variants: [JPEGVariant] =
    JPEGVariant.Subsampling.allCases.flatMap { subsampling in
      [
        JPEGVariant(subsampling: subsampling), JPEGVariant(subsampling: subsampling, restartInterval: 3),
        JPEGVariant(progressive: true, subsampling: subsampling),
        JPEGVariant(arithmetic: true, subsampling: subsampling),
        JPEGVariant(subsampling: subsampling, orientation: 6),
      ]
    } + [JPEGVariant(cmyk: true), JPEGVariant(orientation: 3)]

  @Test("the window of a JPEG has the pixels of the whole picture", arguments: variants)
  func jpeg(_ variant: JPEGVariant) throws {
    var random = SplitMix64(seed: 11)
    for (width, height, channels) in [(150, 97, 3), (33, 130, 3), (120, 90, 1), (7, 5, 3), (1, 1, 3)] {
      if variant.cmyk && channels == 1 { continue }
      let file = try encode(
        drawn(width: width, height: height, channels: channels), quality: 85, variant: variant)
      try expectWindows(of: file, count: 12, using: &random)
    }
  }

  @Test("the window of a PNG has the pixels of the whole picture")
  func png() throws {
    var random = SplitMix64(seed: 12)
    try expectWindows(of: encode(drawn(width: 50, height: 40), as: .png(level: 1)), count: 10, using: &random)
    try expectWindows(of: CodecGoldens.picture("exif-6.png"), count: 10, using: &random)
  }

  @Test("a small window of a large upright picture is decoded alone")
  func isSmall() throws {
    let file = try encode(drawn(width: 400, height: 300), as: .jpeg(quality: 80))
    let part = try decode(
      file.span, DecodeOptions(), window: Window(x: 200, y: 150, width: 20, height: 20))
    #expect(part.pixels.width < 100 && part.pixels.height < 100)
  }

  @Test("damage below the window is seen as in the whole picture", arguments: [false, true])
  func damageBelow(_ usesRestarts: Bool) throws {
    let variant = JPEGVariant(restartInterval: usesRestarts ? 4 : 0)
    let file = try encode(drawn(width: 200, height: 160), quality: 80, variant: variant)
    for cut in stride(from: file.count / 2, to: file.count - 2, by: 101) {
      let damaged = Array(file[..<cut])
      #expect(throws: ImageError(.truncated, offset: cut)) {
        try decode(damaged.span, DecodeOptions(), window: Window(x: 0, y: 0, width: 8, height: 8)).pixels
          .width
      }
    }
  }

  @Test(
    "the windows of photographs have the pixels of the whole picture",
    .enabled(if: getenv("IMREC_PHOTOS") != nil, "IMREC_PHOTOS names a folder of class folders"))
  func photographs() throws {
    var random = SplitMix64(seed: 13)
    let files = photographs(in: String(cString: try #require(getenv("IMREC_PHOTOS"))))
    try #require(!files.isEmpty)
    for _ in 0..<60 {
      let path = files[Int.random(in: 0..<files.count, using: &random)]
      try expectWindows(of: contents(path), count: 4, using: &random)
    }
  }

  private func expectWindows(
    of file: [UInt8], count: Int, using random: inout SplitMix64,
    sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    for color in ColorMode.allCases {
      let options = DecodeOptions(color: color)
      let whole = try Picture(file: file, options)
      for round in 0..<count {
        // Every third window touches the right and lower edges, every third is tiny.
        let width = Int.random(in: 1...(round % 3 == 0 ? min(4, whole.width) : whole.width), using: &random)
        let height = Int.random(
          in: 1...(round % 3 == 0 ? min(4, whole.height) : whole.height), using: &random)
        let (freeX, freeY) = (whole.width - width, whole.height - height)
        let window = Window(
          x: round % 3 == 1 ? freeX : Int.random(in: 0...freeX, using: &random),
          y: round % 3 == 1 ? freeY : Int.random(in: 0...freeY, using: &random), width: width, height: height)
        let part = try decode(file.span, options, window: window)
        let inPart = Window(x: window.x - part.x, y: window.y - part.y, width: width, height: height)
        #expect(
          Picture(part.pixels).crop(inPart) == whole.crop(window), "\(window)", sourceLocation: sourceLocation
        )
      }
    }
  }

  private func photographs(in folder: String) -> [String] {
    var found = glob_t()
    defer { globfree(&found) }
    guard glob(folder + "/*/*.jpg", 0, nil, &found) == 0 else { return [] }
    return (0..<Int(found.gl_pathc)).compactMap { found.gl_pathv[$0].map { String(cString: $0) } }
  }
}
