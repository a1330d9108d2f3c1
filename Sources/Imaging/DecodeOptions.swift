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
  /// Takes what libjpeg makes of a cut or corrupt JPEG, missing parts grey, as OpenCV does without a word.
  /// A damaged PNG is an error all the same, as in OpenCV.
  public var keepDamaged = false
  /// Pictures of more pixels are refused before memory is taken.
  public var maximumPixelCount = Self.standardMaximumPixelCount
  /// Pillow's bomb limit.
  public static let standardMaximumPixelCount = 178_956_970

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
