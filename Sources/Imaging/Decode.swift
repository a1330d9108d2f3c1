internal import CImaging

/// Decodes a whole JPEG or PNG file, bit for bit as OpenCV 4.8's `imread` (which gives BGR; this gives RGB).
///
/// - Parameters:
///   - file: the file's bytes; only read during the call. The format is taken from them, not from a name.
///   - options: channels, what to do with damage, and the limits on pixels, work and time.
/// - Returns: `height * width * channels` samples, row-major, top row first. With `.rgb` and `.gray` the picture is
///   upright: the EXIF orientation is applied.
/// - Throws: `.empty`; `.unknownFormat`; `.unsupported`; `.tooLarge` before anything is allocated; `.truncated` and
///   `.damaged` with the byte at which that was noticed; `.excessive` and `.timedOut`; `.outOfMemory`.
///   Trailing bytes after the picture, and a JPEG that lacks only its end marker, are *not* errors.
/// - Complexity: O(pixels); one allocation for the pixels, and for a progressive JPEG 2 more bytes per sample.
public func decode(
  _ file: Span<UInt8>, _ options: DecodeOptions = DecodeOptions()
) throws(ImageError) -> Pixels {
  var doubt: ImageDoubt?
  return try decode(file, options, doubt: &doubt)
}

/// Decodes as `decode(_:_:)`, and reports in `doubt` what is wrong or unusual in a file that could be decoded.
///
/// **Damage** changes pixels. It is an error or, with `keepDamaged`, a doubt whose `isDamage` is true:
/// - JPEG: an invalid Huffman code; data that end before the picture does; a restart marker out of order;
///   coefficients in an order that loses some of them; data left over before a marker, unless they are padding: at
///   most 16 bytes of 00 and FF (other bytes belong to the picture, and the decoder has lost its place in them); a
///   segment that contradicts itself.
/// - PNG: a wrong checksum of IHDR, PLTE, IDAT, IEND or tRNS, or of zlib; missing rows; no IEND.
///
/// **Doubtful** is what sound files do not contain, though every pixel may be right:
/// - JPEG: everything else that libjpeg warns of (bytes before the first scan that belong to no segment, padding as
///   above, an unknown Adobe colour transform, a later JFIF version, a sequential scan with progressive parameters);
///   a missing end marker; and what libjpeg does not check: a progressive file without scans that other scans refer
///   to and, in baseline files, a block of more than 64 coefficients and left-over bytes too few for libjpeg to
///   notice.
/// - PNG: a wrong checksum of any other chunk; data after the last row, or IDAT chunks that are not consecutive;
///   colours that the palette does not have.
///
/// Trailing bytes after the end marker or IEND, and fill bytes (FF) before a marker, are neither. Both JPEG decoders
/// report the same errors and doubts, and so do all ways of decoding a part of a picture.
///
/// - Parameter doubt: set to the first doubt, where damage comes before everything else; nil for a sound file.
/// - Throws: as `decode(_:_:)`.
public func decode(
  _ file: Span<UInt8>, _ options: DecodeOptions, doubt: inout ImageDoubt?
) throws(ImageError) -> Pixels {
  try unsafe file.withUnsafeBufferPointer { (bytes) throws(ImageError) -> Pixels in
    let reader = try unsafe FileReader(bytes)
    try reader.check(options)
    let whole = Window(x: 0, y: 0, width: reader.info.width, height: reader.info.height)
    let orientation = options.orientation(of: reader.info)
    return try reader.read(options, window: whole, orientation: orientation, doubt: &doubt)
  }
}

/// Checks a whole file for damage: reads it as `decode` does, with the same errors and doubts, but makes no pixels.
///
/// - Returns: the doubt, if there is one.
/// - Throws: as `decode`.
/// - Complexity: for a baseline JPEG, the entropy decoding alone; otherwise as `decode`, with memory for one row.
public func examine(
  _ file: Span<UInt8>, _ options: DecodeOptions = DecodeOptions()
) throws(ImageError) -> ImageDoubt? {
  try unsafe file.withUnsafeBufferPointer { (bytes) throws(ImageError) -> ImageDoubt? in
    let reader = try unsafe FileReader(bytes)
    try reader.check(options)
    return try reader.examine(options)
  }
}

/// Decodes at least a window of the picture: for an upright baseline JPEG only what the window needs, for all other
/// kinds the whole picture.
///
/// Inside the window the pixels equal those of the whole picture, bit for bit, and damage anywhere in the file is
/// found as by `decode` of the whole file.
///
/// - Parameter window: in pixels of the upright picture.
/// - Returns: pixels that cover the window, and the position of their top left corner in the whole picture.
/// - Throws: as `decode` of the whole file.
/// - Precondition: the window lies inside the picture, whose size `probe` tells.
/// - Complexity: entropy decoding of the whole file, plus O(pixels of the window).
public func decode(
  _ file: Span<UInt8>, _ options: DecodeOptions, window: Window
) throws(ImageError) -> PlacedPixels {
  try unsafe file.withUnsafeBufferPointer { (bytes) throws(ImageError) -> PlacedPixels in
    let reader = try unsafe FileReader(bytes)
    try reader.check(options)
    let (width, height) = (reader.info.width, reader.info.height)
    let whole = Window(x: 0, y: 0, width: width, height: height)
    let orientation = options.orientation(of: reader.info)
    var doubt: ImageDoubt?
    let (uprightWidth, uprightHeight) = orientation >= 5 ? (height, width) : (width, height)
    precondition(
      window.width > 0 && window.height > 0 && window.x >= 0 && window.y >= 0
        && window.width <= uprightWidth && window.x <= uprightWidth - window.width
        && window.height <= uprightHeight && window.y <= uprightHeight - window.height,
      "the window lies inside the picture")
    guard reader.info.format == .jpeg, orientation == 1 else {
      return PlacedPixels(
        pixels: try reader.read(options, window: whole, orientation: orientation, doubt: &doubt), x: 0, y: 0)
    }
    let part = reader.fit(window)
    return PlacedPixels(
      pixels: try reader.read(options, window: part, orientation: 1, doubt: &doubt), x: part.x, y: part.y)
  }
}

/// Which channels decoded pixels have, as selected by the flag of OpenCV's `imread`.
public enum ColorMode: String, CaseIterable, Sendable {
  /// Flag 1: 3 channels, 8 bits, upright; alpha is dropped without blending.
  case rgb
  /// Flag 0: 1 channel, 8 bits, upright.
  case gray
  /// Flag -1: as stored, without EXIF orientation. Grey has 1 channel, everything else 3, or 4 with transparency; a PNG
  /// keeps 16 bits. Grey with alpha gets 4 channels, CMYK 3.
  case unchanged
}

/// How a file becomes pixels. The defaults are those of `im2rec.py`, except that a damaged picture is an error.
public struct DecodeOptions: Hashable, Sendable {
  /// Which channels the pixels have.
  public var color: ColorMode = .rgb
  /// Accepts what libjpeg makes of a truncated or corrupt JPEG, with missing parts grey, as OpenCV does silently; the
  /// damage is reported as a doubt. A damaged PNG remains an error, as in OpenCV, unless only its transparency is
  /// damaged.
  public var keepDamaged = false
  /// Pictures with more pixels are refused before memory is allocated.
  public var maximumPixelCount = Self.standardMaximumPixelCount
  /// Pillow's limit against decompression bombs.
  public static let standardMaximumPixelCount = 178_956_970
  /// How many 8x8 blocks all scans of a JPEG together may visit. The ten scans of an ordinary progressive photograph
  /// visit each block about five times. Whatever this limit, more than 500 scans are refused, and so are more than 64
  /// KiB of compressed data after the last row of a PNG. Text chunks of a PNG are never decompressed.
  public var maximumScanBlockCount = Self.standardMaximumScanBlockCount
  /// Five visits to every block of the largest picture that `standardMaximumPixelCount` allows, without subsampling.
  public static let standardMaximumScanBlockCount = 1 << 27
  /// Decoding that takes longer is abandoned; the decoders read the clock every few rows. `nil`: no limit.
  public var timeLimit: Duration?

  /// For a service, where pictures come from strangers and other clients wait: 25 million pixels, the scan blocks of an
  /// ordinary progressive file of that size, 10 seconds.
  public static let service: DecodeOptions = {
    var options = DecodeOptions(maximumPixelCount: 25_000_000)
    options.maximumScanBlockCount = 1 << 24
    options.timeLimit = .seconds(10)
    return options
  }()

  /// Applies the orientation of a PNG's eXIf chunk, as OpenCV 4.8 does. The OpenCV in MXNet's ImageRecordIter does not.
  public var orientsPNG = true

  /// Which decoder makes a JPEG's pixels. All make the same ones, so this serves comparisons only.
  @_spi(Routes) public var route = JPEGRoute.any

  /// The EXIF orientation that is applied, 1 to 8.
  func orientation(of info: ImageInfo) -> Int {
    color == .unchanged || (info.format == .png && !orientsPNG) ? 1 : info.orientation
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

/// The JPEG decoders: our own for the most common kind of file, libjpeg for all kinds.
@_spi(Routes) public enum JPEGRoute: Hashable, Sendable {
  /// Our own decoder, with this processor's best kernels, for sound files of the common kind; libjpeg for all others.
  case any
  case libjpeg
  /// Our own decoder with the kernel set of this index, the plainest first; `.unsupported` where it gives up.
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

/// A rectangle in a picture, in pixels from its top left corner.
public struct Window: Hashable, Sendable {
  public var x: Int, y: Int, width: Int, height: Int

  /// A rectangle with this top left corner and size.
  public init(x: Int, y: Int, width: Int, height: Int) {
    self.x = x
    self.y = y
    self.width = width
    self.height = height
  }
}

/// A part of a picture, and the position of its top left corner in the whole picture.
public struct PlacedPixels: ~Copyable, Sendable {
  /// The pixels of the part.
  public let pixels: Pixels
  /// In pixels of the whole picture.
  public let x: Int, y: Int

  init(pixels: consuming Pixels, x: Int, y: Int) {
    self.pixels = pixels
    self.x = x
    self.y = y
  }

  /// The pixels without the position.
  public consuming func take() -> Pixels { pixels }
}
