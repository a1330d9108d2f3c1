public enum ImageFormat: String, Sendable {
  case jpeg, png
}

/// What a file's header says of its picture.
public struct ImageInfo: Hashable, Sendable {
  public let format: ImageFormat
  /// In pixels, as stored: before `orientation` is applied.
  public let width: Int, height: Int
  /// Stored components: 1 grey, 2 grey and alpha, 3, 4 (CMYK or RGBA). A palette counts 3, with tRNS 4.
  public let channels: Int
  /// 8 in a JPEG; 1, 2, 4, 8 or 16 in a PNG.
  public let bitDepth: Int
  /// EXIF orientation, 1...8, as OpenCV 4.8 finds it; 1 where there is none.
  public let orientation: Int
  /// A progressive JPEG, an interlaced PNG.
  public let isProgressive: Bool
}

/// Reads the header of a JPEG or PNG file: everything before its compressed data.
///
/// - Parameter file: the file's bytes, or as many of the first as hold the header. The format is taken
///   from them, not from a name.
/// - Throws: `.empty`; `.unknownFormat`; `.unsupported`; `.truncated` and `.damaged` for the header alone.
/// - Complexity: O(header); nothing is allocated for pixels.
public func probe(_ file: Span<UInt8>) throws(ImageError) -> ImageInfo {
  try unsafe file.withUnsafeBufferPointer { (bytes) throws(ImageError) in
    try unsafe FileReader(bytes).info
  }
}
