internal import CImaging

/// Decodes one whole JPEG or PNG file, bit for bit as OpenCV 4.8's `imread` (there BGR, here RGB).
///
/// - Parameters:
///   - file: the file's bytes; only read during the call. The format is taken from them, not from a name.
///   - options: channels, what to do with damage, the limits on pixels, work and time.
/// - Returns: `height * width * channels` samples, row-major, top row first. With `.rgb` and `.gray` upright:
///   the EXIF orientation is applied.
/// - Throws: `.empty`; `.unknownFormat`; `.unsupported`; `.tooLarge` before anything is allocated;
///   `.truncated` and `.damaged` with the byte at which that was noticed; `.excessive` and `.timedOut`.
///   Rubbish after the picture and a JPEG that lacks nothing but its end marker are *not* errors.
/// - Complexity: O(pixels); one allocation for the pixels, and for a progressive JPEG 2 bytes a sample more.
public func decode(
  _ file: Span<UInt8>, _ options: DecodeOptions = DecodeOptions()
) throws(ImageError) -> Pixels {
  var doubt: ImageDoubt?
  return try decode(file, options, doubt: &doubt)
}

/// The same, and tells what a sound file does not have.
///
/// **Damage** is what changes pixels. It is an error, or with `keepDamaged` a doubt of that name:
/// - JPEG: a code that is none; data that end before the picture does; a restart marker out of turn; coefficients in an
///   order that loses some; data left over before a marker, unless they are at most 16 bytes of zeros and ones
///   (they belong to the picture, and the decoder has lost its place in them); a segment that contradicts itself.
/// - PNG: a wrong checksum of IHDR, PLTE, IDAT, IEND or tRNS, or of zlib; rows that are missing; no IEND.
///
/// **Doubtful** is what a sound file does not have, where every pixel may be right all the same:
/// - JPEG: anything else that libjpeg warns of, which is bytes before the first scan that belong to no segment, such a
///   padding, an unknown transform of Adobe's, a later JFIF, a sequential scan with parameters of a progressive one; no
///   end marker; and what libjpeg does not look for: a progressive file that lacks scans that its others refer to,
///   and in baseline files a block of more than 64 coefficients, and fewer bytes left over than libjpeg notices.
/// - PNG: a wrong checksum of any other chunk; data after the last row, or in a second place; colours that the
///   palette does not have.
///
/// Rubbish after the end marker or IEND, and bytes of FF before a marker, are neither. Both decoders of JPEG have the
/// same errors and doubts, and so do all the ways of decoding a part.
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

/// Looks for damage in one whole file: reads it as `decode` does, with the same errors and doubts, but makes no
/// pixels.
///
/// - Returns: the doubt, if there is one.
/// - Complexity: of a baseline JPEG the entropy coding alone; else as `decode`, with memory for one row.
public func examine(
  _ file: Span<UInt8>, _ options: DecodeOptions = DecodeOptions()
) throws(ImageError) -> ImageDoubt? {
  try unsafe file.withUnsafeBufferPointer { (bytes) throws(ImageError) -> ImageDoubt? in
    let reader = try unsafe FileReader(bytes)
    try reader.check(options)
    return try reader.examine(options)
  }
}

/// Decodes at least a window of the picture: of an upright baseline JPEG only what the window needs, of all
/// other kinds the whole picture.
///
/// Inside the window the pixels are those of the whole picture, bit for bit, and damage anywhere in the file
/// is seen as `decode` of the whole file sees it.
///
/// - Parameter window: in upright pixels; the caller keeps it inside the picture, as `probe` tells its size.
/// - Returns: pixels that cover the window, and the position of their top left corner in the whole picture.
/// - Throws: as `decode` of the whole file.
/// - Complexity: the entropy coding of the whole file, and the pixels of the window.
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
