import Glibc
import TestSupport
import Testing

@testable @_spi(Routes) import Imaging

/// Our own decoder of JPEG against libjpeg: the same pixels and the same errors, whatever the file.
@Suite("Routes of JPEG")
struct JPEGRouteTests {
  /// What our decoder takes: chroma whole, halved across, down, both; grey; with restart markers.
  private static let ours: [JPEGVariant] =
    [.s444, .s422, .s420, .s440].flatMap { (subsampling: JPEGVariant.Subsampling) -> [JPEGVariant] in
      [JPEGVariant(subsampling: subsampling), JPEGVariant(subsampling: subsampling, restartInterval: 3)]
    }

  @Test("pictures of all widths and heights have libjpeg's pixels, by every set of kernels", arguments: ours)
  func sizes(_ variant: JPEGVariant) throws {
    var random = SplitMix64(seed: 21)
    for width in 1...70 {
      for height in [1, 2, 7, 8, 9, 15, 16, 17, 18, 33, 1 + width * 37 % 70] {
        let channels = width % 5 == 0 ? 1 : 3
        let file = try encode(
          .noise(seed: random.next(), width: width, height: height, channels: channels),
          quality: .random(in: 1...95, using: &random), variant: variant)
        // libjpeg does not interpolate chroma of one or two columns: such pictures are left to it.
        let isTooNarrow = width <= 4 && channels == 3 && ![.s444, .s440].contains(variant.subsampling)
        expectSame(file, "\(width)x\(height)", isOurs: !isTooNarrow)
      }
    }
  }

  @Test("pictures of all qualities have libjpeg's pixels", arguments: ours)
  func qualities(_ variant: JPEGVariant) throws {
    for quality in 1...100 {
      let pixels = try drawn(width: 37, height: 27, seed: UInt64(quality))
      expectSame(try encode(pixels, quality: quality, variant: variant), "quality \(quality)", isOurs: true)
    }
  }

  @Test("black and white noise, which overshoots, has libjpeg's pixels")
  func hardEdges() throws {
    for quality in [1, 5, 20, 50, 95, 100] {
      let pixels = try Pixels.noise(seed: UInt64(quality), width: 50, height: 50, channels: 3, hard: true)
      expectSame(try encode(pixels, quality: quality, variant: JPEGVariant(subsampling: .s444)), "\(quality)")
    }
  }

  @Test("coefficients that no picture has are as with libjpeg, also in what is kept of damage")
  func extremes() throws {
    var random = SplitMix64(seed: 22)
    for round in 0..<150 {
      var file = try encode(
        drawn(width: 40, height: 33, seed: UInt64(round)), quality: 30 + round % 70,
        variant: Self.ours[round % 8])
      // Up to `most` times as large factors, in both tables.
      let most = [2, 8, 255][round % 3]
      for table in file.indices.dropLast(70) where file[table] == 0xff && file[table + 1] == 0xdb {
        for place in table + 5..<table + 69 {
          file[place] = UInt8(clamping: Int(file[place]) * Int.random(in: 1...most, using: &random))
        }
      }
      expectSame(file, "round \(round)")
    }
  }

  @Test("damage of any byte has libjpeg's pixels or its error", arguments: ours)
  func damage(_ variant: JPEGVariant) throws {
    var random = SplitMix64(seed: 23)
    let file = try encode(drawn(width: 41, height: 23), quality: 60, variant: variant)
    for place in file.indices {
      var changed = file
      changed[place] = [0x00, 0xff, file[place] ^ 1 << UInt8(place % 8)][place % 3]
      expectSame(changed, "byte \(place)")
      if place % 8 == 0 { expectSame(Array(file[..<place]), "cut at \(place)") }
      if place % 8 == 4 {
        changed = file
        changed.insert(UInt8.random(in: 0...255, using: &random), at: place)
        expectSame(changed, "one more at \(place)")
      }
    }
  }

  @Test("the windows of our decoder are libjpeg's", arguments: ours)
  func windows(_ variant: JPEGVariant) throws {
    var random = SplitMix64(seed: 24)
    for (width, height) in [(131, 90), (48, 64), (5, 40)] {
      let file = try encode(drawn(width: width, height: height), quality: 85, variant: variant)
      for _ in 0..<60 {
        expectSame(file, "", window: .random(within: width, height, using: &random), isOurs: true)
      }
    }
  }

  @Test("pictures that EXIF rotates equal libjpeg's", arguments: 1...8)
  func turned(_ orientation: Int) throws {
    for (width, height) in [(37, 50), (64, 16), (9, 33)] {
      let variant = JPEGVariant(orientation: orientation)
      expectSame(
        try encode(drawn(width: width, height: height), quality: 80, variant: variant), "", isOurs: true)
    }
  }

  @Test("files of other kinds are left to libjpeg")
  func unusual() throws {
    for variant in [
      JPEGVariant(progressive: true), JPEGVariant(arithmetic: true), JPEGVariant(cmyk: true),
      JPEGVariant(subsampling: .s411),
    ] {
      let file = try encode(drawn(width: 40, height: 30), quality: 80, variant: variant)
      var options = DecodeOptions()
      options.route = .own(kernels: 0)
      #expect(throws: ImageError.self) { try Picture(file: file, options) }
      expectSame(file, "\(variant)")
    }
  }

  @Test(
    "photographs have libjpeg's pixels",
    .enabled(if: getenv("IMREC_PHOTOS") != nil, "IMREC_PHOTOS names a folder of class folders"))
  func photographs() throws {
    var found = glob_t()
    defer { globfree(&found) }
    let folder = String(cString: try #require(getenv("IMREC_PHOTOS")))
    try #require(glob(folder + "/*/*.jpg", 0, nil, &found) == 0)
    for index in stride(from: 0, to: Int(found.gl_pathc), by: 29) {
      guard let path = found.gl_pathv[index].map({ String(cString: $0) }) else { continue }
      expectSame(contents(path), path)
    }
  }

  /// The result for a file that is not refused.
  private struct Verdict: Equatable {
    let picture: Picture?
    let doubt: ImageDoubt?
  }

  /// - Parameter isOurs: our decoder has to take it, with every set of kernels.
  private func expectSame(
    _ file: [UInt8], _ name: String, window: Window? = nil, isOurs: Bool = false,
    sourceLocation: SourceLocation = #_sourceLocation
  ) {
    for (color, keepsDamaged) in [(ColorMode.rgb, false), (.gray, false), (.rgb, true)] {
      var options = DecodeOptions(color: color, keepDamaged: keepsDamaged, maximumPixelCount: 1 << 20)
      func outcome(_ route: JPEGRoute, examines: Bool = false) -> Result<Verdict, ImageError> {
        options.route = route
        var doubt: ImageDoubt?
        // The last byte lies before a page that must not be read.
        let memory = GuardedMemory(seed: 0, padding: 0)
        let bytes = Span(_unsafeElements: UnsafeBufferPointer(start: memory.input(file), count: file.count))
        defer { withExtendedLifetime(memory) {} }
        do throws(ImageError) {
          if examines { return .success(Verdict(picture: nil, doubt: try examine(bytes, options))) }
          if let window {
            return .success(
              Verdict(picture: Picture(try decode(bytes, options, window: window).take()), doubt: nil))
          }
          let picture = Picture(try decode(bytes, options, doubt: &doubt))
          return .success(Verdict(picture: picture, doubt: doubt))
        } catch {
          return .failure(error)
        }
      }
      let expected = outcome(.libjpeg)
      let any = outcome(.any)
      #expect(any == expected, "\(name) \(color)", sourceLocation: sourceLocation)
      if window == nil {
        let judged = expected.map { Verdict(picture: nil, doubt: $0.doubt) }
        for route in [JPEGRoute.any, .libjpeg] {
          #expect(
            outcome(route, examines: true) == judged, "\(name) \(color)", sourceLocation: sourceLocation)
        }
      }
      guard isOurs else { continue }
      for set in KernelSet.available.indices {
        #expect(outcome(.own(kernels: set)) == expected, "\(name) \(color)", sourceLocation: sourceLocation)
      }
    }
  }
}
