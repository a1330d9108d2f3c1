internal import CImaging

/// Which channels come out, as the flag of OpenCV's `imread`.
public enum ColorMode: String, CaseIterable, Sendable {
  /// 3 channels, 8 bits, upright, alpha dropped without blending: flag 1.
  case rgb
  /// 1 channel, 8 bits, upright: flag 0.
  case gray
  /// As stored, not turned by EXIF: grey 1 channel, all else 3, with transparency 4; PNG keeps 16 bits.
  /// Grey with alpha comes as 4 channels, CMYK as 3: flag -1.
  case unchanged
}

/// How a file becomes pixels. The defaults are those of `im2rec.py`, but a damaged picture is an error.
public struct DecodeOptions: Hashable, Sendable {
  public var color: ColorMode = .rgb
  /// Takes what libjpeg makes of a cut or corrupt JPEG, missing parts grey, as OpenCV does without a word; the damage
  /// is told as a doubt. A damaged PNG is an error all the same, as in OpenCV; only one that has lost its transparency
  /// is taken.
  public var keepDamaged = false
  /// Pictures of more pixels are refused before memory is taken.
  public var maximumPixelCount = Self.standardMaximumPixelCount
  /// Pillow's bomb limit.
  public static let standardMaximumPixelCount = 178_956_970
  /// Blocks of 8 by 8 samples that the scans of a JPEG may visit, all together. The ten scans of an ordinary progressive
  /// photograph visit each block about five times. More than 500 scans are refused in any case, and so are 64 KiB of
  /// compressed data after the last row of a PNG; its texts are never unpacked.
  public var maximumScanBlockCount = Self.standardMaximumScanBlockCount
  /// 5 visits to every block of the largest picture that the standard limit on pixels allows, in full colour.
  public static let standardMaximumScanBlockCount = 1 << 27
  /// A picture whose pixels take longer is given up: the decoders look at the clock once for each few rows.
  /// `nil`: none is.
  public var timeLimit: Duration?

  /// For a service, where pictures come from strangers and others wait: 25 million pixels, the scans of an ordinary
  /// progressive file of that size, 10 seconds.
  public static let service: DecodeOptions = {
    var options = DecodeOptions(maximumPixelCount: 25_000_000)
    options.maximumScanBlockCount = 1 << 24
    options.timeLimit = .seconds(10)
    return options
  }()

  /// Turns a PNG by its eXIf chunk, as OpenCV 4.8 does; the OpenCV in MXNet's ImageRecordIter leaves it as stored.
  public var turnsPNG = true

  /// Which decoder makes a JPEG's pixels; for comparisons only, as all give the same ones.
  @_spi(Routes) public var route = JPEGRoute.any

  /// The EXIF orientation that is applied, 1 to 8.
  func orientation(of info: ImageInfo) -> Int {
    color == .unchanged || (info.format == .png && !turnsPNG) ? 1 : info.orientation
  }

  public init(
    color: ColorMode = .rgb, keepDamaged: Bool = false,
    maximumPixelCount: Int = Self.standardMaximumPixelCount
  ) {
    self.color = color
    self.keepDamaged = keepDamaged
    self.maximumPixelCount = maximumPixelCount
  }
}

/// The decoders of JPEG: our own for what most files are, libjpeg for all files.
@_spi(Routes) public enum JPEGRoute: Hashable, Sendable {
  /// Our own with this processor's best kernels where the file is of the usual kind and sound, else libjpeg.
  case any
  case libjpeg
  /// Our own with the kernels of this number, the plainest first; `.unsupported` where it gives up.
  case own(kernels: Int)

  var choice: (img_route, KernelSet) {
    switch self {
    case .any: (img_any_route, .best)
    case .libjpeg: (img_libjpeg_route, .best)
    case .own(let number):
      (img_own_route, KernelSet.available[min(max(number, 0), KernelSet.available.count - 1)])
    }
  }
}

/// A rectangle of the upright picture, in pixels from its top left corner.
public struct Window: Hashable, Sendable {
  public var x: Int, y: Int, width: Int, height: Int

  public init(x: Int, y: Int, width: Int, height: Int) {
    self.x = x
    self.y = y
    self.width = width
    self.height = height
  }
}

/// A part of a picture, and where in the whole its top left corner is.
public struct PlacedPixels: ~Copyable, Sendable {
  public let pixels: Pixels
  public let x: Int, y: Int

  init(pixels: consuming Pixels, x: Int, y: Int) {
    self.pixels = pixels
    self.x = x
    self.y = y
  }

  /// The pixels alone.
  public consuming func take() -> Pixels { pixels }
}
