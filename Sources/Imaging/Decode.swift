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
