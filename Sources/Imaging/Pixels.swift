import Glibc

/// A picture in memory: interleaved samples, row-major, top row first. The value is the sole owner of its bytes.
///
/// An 8-bit sample is one byte; a 16-bit sample is two bytes in the machine's order. Colour is RGB or RGBA, never BGR.
@safe public struct Pixels: ~Copyable, @unchecked Sendable {  // sole owner of `bytes`, so safe to send
  /// Bytes per sample.
  public enum Depth: Int, Sendable {
    case eight = 1
    case sixteen = 2
  }

  /// In pixels, at least 1.
  public let width: Int, height: Int
  /// 1 for grey, 3 for RGB, 4 for RGBA.
  public let channels: Int
  /// The size of every sample.
  public let depth: Depth
  let bytes: UnsafeMutableRawBufferPointer

  /// Allocates uninitialized samples, all of which the caller must set.
  ///
  /// - Throws: `.outOfMemory`, also where the size does not fit an `Int`.
  init(width: Int, height: Int, channels: Int, depth: Depth = .eight) throws(ImageError) {
    precondition(width > 0 && height > 0 && (1...4).contains(channels), "a picture has pixels")
    let (samples, overflow) = width.multipliedReportingOverflow(by: height)
    let (byteCount, overflow2) = samples.multipliedReportingOverflow(by: channels * depth.rawValue)
    guard !overflow, !overflow2, byteCount < 1 << 40,
      // Kernels may read a whole vector that begins at the last sample.
      let address = unsafe malloc(byteCount + Self.slackByteCount)
    else { throw ImageError(.outOfMemory) }
    self.width = width
    self.height = height
    self.channels = channels
    self.depth = depth
    unsafe bytes = UnsafeMutableRawBufferPointer(start: address, count: byteCount)
  }

  /// How many meaningless bytes may be read after the last sample.
  static let slackByteCount = 64

  deinit { unsafe free(bytes.baseAddress) }

  /// Copies `width * height * channels` 8-bit samples.
  ///
  /// - Throws: `.outOfMemory`.
  /// - Precondition: the picture has pixels, 1...4 channels and exactly these samples.
  public init(width: Int, height: Int, channels: Int, samples: Span<UInt8>) throws(ImageError) {
    try self.init(width: width, height: height, channels: channels)
    precondition(samples.count == width * height * channels, "as many samples as the picture has")
    unsafe samples.withUnsafeBytes { unsafe bytes.copyMemory(from: $0) }
  }

  /// Bytes from one row to the next. Rows are packed, without padding.
  public var rowByteCount: Int { width * channels * depth.rawValue }

  /// Lends all `height * rowByteCount` bytes for the duration of the call.
  public borrowing func withBytes<R: ~Copyable, E: Error>(_ body: (RawSpan) throws(E) -> R) throws(E) -> R {
    try unsafe body(RawSpan(_unsafeBytes: UnsafeRawBufferPointer(bytes)))
  }
}

extension Pixels {
  /// The whole picture.
  public var bounds: Window { Window(x: 0, y: 0, width: width, height: height) }

  /// The largest centered square, as of im2rec.py's `--center-crop`; half a pixel up or left where it cannot be exact.
  public var centralSquare: Window {
    let side = min(width, height)
    return Window(x: (width - side) / 2, y: (height - side) / 2, width: side, height: side)
  }

  /// A copy of the part inside the window.
  ///
  /// - Precondition: the window has pixels and lies within the picture.
  /// - Throws: `.outOfMemory`.
  /// - Complexity: O(pixels of the window); one allocation.
  public borrowing func cropped(to window: Window) throws(ImageError) -> Pixels {
    precondition(bounds.contains(window), "the window lies within the picture")
    let part = try Pixels(width: window.width, height: window.height, channels: channels, depth: depth)
    let pixelByteCount = channels * depth.rawValue
    for row in 0..<window.height {
      let from = (window.y + row) * rowByteCount + window.x * pixelByteCount
      unsafe UnsafeMutableRawBufferPointer(rebasing: part.bytes[(row * part.rowByteCount)...])
        .copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[from..<from + part.rowByteCount]))
    }
    return part
  }
}

extension Window {
  /// Whether `inner` has pixels and all of them lie in this window. No value of the fields makes this overflow.
  func contains(_ inner: Window) -> Bool {
    inner.width > 0 && inner.height > 0 && inner.x >= x && inner.y >= y
      && inner.width <= width && inner.height <= height
      && inner.x - x <= width - inner.width && inner.y - y <= height - inner.height
  }
}

/// Uninitialized memory for one call, aligned to 64 bytes and freed with the value.
@safe struct Scratch<Element: BitwiseCopyable>: ~Copyable {
  let start: UnsafeMutablePointer<Element>

  /// - Throws: `.outOfMemory`, also where the size does not fit an `Int`.
  init(count: Int) throws(ImageError) {
    let (byteCount, overflow) = count.multipliedReportingOverflow(by: MemoryLayout<Element>.stride)
    var address: UnsafeMutableRawPointer?
    // Vectors of 64 bytes are fastest when aligned to a cache line, and kernels may read a whole one at the last
    // element.
    guard !overflow, count >= 0, byteCount < 1 << 40,
      unsafe posix_memalign(&address, 64, byteCount + Pixels.slackByteCount) == 0,
      let address = unsafe address
    else { throw ImageError(.outOfMemory) }
    unsafe start = address.bindMemory(to: Element.self, capacity: count)
  }

  deinit { unsafe free(start) }
}
