import CImaging
import Glibc

/// A file format and its degree of compression.
public enum Encoding: Hashable, Sendable {
  /// libjpeg's quality, 0...100; values outside are clamped. The default of `im2rec.py` is 95.
  case jpeg(quality: Int)
  /// zlib's level, 0...9; values outside are clamped, so the 95 of `im2rec.py` means 9.
  case png(level: Int)
}

/// A kind of JPEG that cameras and programs write, but `encode(_:as:)` does not. For samples and tests.
public struct JPEGVariant: Hashable, Sendable {
  /// How many luma samples there are for each chroma sample, in the usual notation.
  public enum Subsampling: String, CaseIterable, Sendable {
    case s444 = "4:4:4"
    case s422 = "4:2:2"
    case s420 = "4:2:0"
    case s440 = "4:4:0"
    case s411 = "4:1:1"
  }
  /// Several scans of increasing quality.
  public var progressive: Bool
  /// Arithmetic instead of Huffman coding.
  public var arithmetic: Bool
  /// CMYK with Adobe's marker, inverted as by Photoshop, without black. Needs 3 or 4 channels.
  public var cmyk: Bool
  /// With `cmyk`: stored as YCCK.
  public var ycck: Bool
  /// The chroma subsampling; ignored for grey, and for CMYK that is not stored as YCCK.
  public var subsampling: Subsampling
  /// In MCUs, 0...65535; 0 for no restart markers.
  public var restartInterval: Int
  /// 2...8 is written as EXIF, while the pixels stay as they are; with 1 no EXIF is written.
  public var orientation: Int

  public init(
    progressive: Bool = false, arithmetic: Bool = false, cmyk: Bool = false, ycck: Bool = false,
    subsampling: Subsampling = .s420, restartInterval: Int = 0, orientation: Int = 1
  ) {
    self.progressive = progressive
    self.arithmetic = arithmetic
    self.cmyk = cmyk
    self.ycck = ycck
    self.subsampling = subsampling
    self.restartInterval = restartInterval
    self.orientation = orientation
  }
}

/// Encodes pixels as a file.
///
/// A JPEG has the bytes of `cv2.imencode(".jpg", img, [cv2.IMWRITE_JPEG_QUALITY, quality])`: baseline, 4:2:0, standard
/// tables, JFIF 1.01 with density 1:1. As there, alpha is dropped, and 16-bit samples over 255 become 255.
/// A PNG has the same pixels as OpenCV's; its bytes depend on the version of zlib.
///
/// - Parameter pixels: 1, 3 or 4 channels, RGB.
/// - Returns: the bytes of the file.
/// - Throws: `.cannotEncode` for sides over 65500 in a JPEG, and for other numbers of channels; `.outOfMemory`.
/// - Complexity: O(pixels).
public func encode(_ pixels: borrowing Pixels, as encoding: Encoding) throws(ImageError) -> [UInt8] {
  switch encoding {
  case .jpeg(let quality): return try encode(pixels, quality: quality, variant: JPEGVariant())
  case .png(let level):
    return try unsafe written(pixels) { (source, bytes, count, error) in
      unsafe img_write_png(source, Int32(min(max(level, 0), 9)), bytes, count, error)
    }
  }
}

/// Encodes pixels as a JPEG of a given variant.
///
/// - Parameter quality: 0...100; values outside are clamped.
/// - Throws: as `encode(_:as:)`; `.cannotEncode` also for a restart interval outside 0...65535.
/// - Complexity: O(pixels).
public func encode(
  _ pixels: borrowing Pixels, quality: Int, variant: JPEGVariant
) throws(ImageError) -> [UInt8] {
  let limit = 65_500
  guard pixels.width <= limit, pixels.height <= limit else {
    throw ImageError(
      .cannotEncode(
        "a picture of \(pixels.width)x\(pixels.height) pixels cannot be a JPEG: a side has at most \(limit)"))
  }
  guard let restartInterval = UInt16(exactly: variant.restartInterval) else {
    throw ImageError(.cannotEncode("a restart interval of \(variant.restartInterval) is outside 0 to 65535"))
  }
  let (across, down) =
    switch variant.subsampling {
    case .s444: (1, 1)
    case .s422: (2, 1)
    case .s420: (2, 2)
    case .s440: (1, 2)
    case .s411: (4, 1)
    }
  var settings = img_jpeg_settings()
  settings.quality = Int32(min(max(quality, 0), 100))
  settings.is_progressive = variant.progressive
  settings.is_arithmetic = variant.arithmetic
  settings.inks = !variant.cmyk ? img_ycc : variant.ycck ? img_ycck : img_cmyk
  settings.luma_across = Int32(across)
  settings.luma_down = Int32(down)
  settings.restart_interval = UInt32(restartInterval)
  settings.orientation = (1...8).contains(variant.orientation) ? Int32(variant.orientation) : 1
  return try unsafe written(pixels) { (source, bytes, count, error) in
    unsafe img_write_jpeg(source, &settings, bytes, count, error)
  }
}

/// Runs one of the C encoders, copies its output and frees it.
private func written(
  _ pixels: borrowing Pixels,
  by write: (
    UnsafePointer<img_pixels>, UnsafeMutablePointer<UnsafeMutablePointer<UInt8>?>, UnsafeMutablePointer<Int>,
    UnsafeMutablePointer<img_error>
  ) -> img_code
) throws(ImageError) -> [UInt8] {
  guard [1, 3, 4].contains(pixels.channels) else {
    throw ImageError(.cannotEncode("\(pixels.channels) channels cannot be written; 1, 3 or 4 can"))
  }
  guard let width = UInt32(exactly: pixels.width), let height = UInt32(exactly: pixels.height),
    width <= Int32.max, height <= Int32.max
  else {
    throw ImageError(
      .cannotEncode("a picture of \(pixels.width)x\(pixels.height) pixels is larger than its format allows"))
  }
  guard let start = unsafe pixels.bytes.assumingMemoryBound(to: UInt8.self).baseAddress else {
    throw ImageError(.outOfMemory)
  }
  var source = unsafe img_pixels(
    bytes: start, width: width, height: height, channels: UInt32(pixels.channels),
    bytes_per_sample: UInt32(pixels.depth.rawValue))
  var bytes: UnsafeMutablePointer<UInt8>? = nil
  var count = 0
  var error = img_error()
  guard unsafe write(&source, &bytes, &count, &error) == img_ok, let bytes = unsafe bytes else {
    throw ImageError(error)
  }
  defer { unsafe free(bytes) }
  return unsafe Array(UnsafeBufferPointer(start: bytes, count: count))
}
