/// Decodes one whole JPEG or PNG file, bit for bit as OpenCV 4.8's `imread` (there BGR, here RGB).
///
/// - Parameters:
///   - file: the file's bytes; only read during the call. The format is taken from them, not from a name.
///   - options: channels, what to do with damage, the limit on pixels.
/// - Returns: `height * width * channels` samples, row-major, top row first. With `.rgb` and `.gray` upright:
///   the EXIF orientation is applied.
/// - Throws: `.empty`; `.unknownFormat`; `.unsupported`; `.tooLarge` before anything is allocated;
///   `.truncated` and `.damaged` with the byte at which that was noticed.
///   Rubbish after the picture and a JPEG that lacks nothing but its end marker are *not* errors.
/// - Complexity: O(pixels); one allocation for the pixels, and for a progressive JPEG 2 bytes a sample more.
public func decode(
  _ file: Span<UInt8>, _ options: DecodeOptions = DecodeOptions()
) throws(ImageError) -> Pixels {
  try unsafe file.withUnsafeBufferPointer { (bytes) throws(ImageError) -> Pixels in
    let reader = try unsafe FileReader(bytes)
    try reader.check(options)
    let whole = Window(x: 0, y: 0, width: reader.info.width, height: reader.info.height)
    let orientation = options.orientation(of: reader.info)
    return try reader.read(options, window: whole, orientation: orientation)
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
    let (uprightWidth, uprightHeight) = orientation >= 5 ? (height, width) : (width, height)
    precondition(
      window.width > 0 && window.height > 0 && window.x >= 0 && window.y >= 0
        && window.width <= uprightWidth && window.x <= uprightWidth - window.width
        && window.height <= uprightHeight && window.y <= uprightHeight - window.height,
      "the window lies inside the picture")
    guard reader.info.format == .jpeg, orientation == 1 else {
      return PlacedPixels(
        pixels: try reader.read(options, window: whole, orientation: orientation), x: 0, y: 0)
    }
    let part = reader.fit(window)
    return PlacedPixels(
      pixels: try reader.read(options, window: part, orientation: 1), x: part.x, y: part.y)
  }
}
