import Glibc

/// A picture in memory: interleaved samples, row-major, top row first, sole owner of its bytes.
///
/// 8-bit samples are one byte, 16-bit samples two in the machine's order. Colour is RGB or RGBA, never BGR.
@safe public struct Pixels: ~Copyable, @unchecked Sendable {  // sole owner of `bytes`, so safe to send
  public enum Depth: Int, Sendable {
    case eight = 1
    case sixteen = 2
  }

  /// In pixels, at least 1.
  public let width: Int, height: Int
  /// 1 grey, 3 RGB, 4 RGBA.
  public let channels: Int
  public let depth: Depth
  let bytes: UnsafeMutableRawBufferPointer

  /// Uninitialised samples; the caller fills them all.
  /// - Throws: `.outOfMemory`, also where the size does not fit an `Int`.
  init(width: Int, height: Int, channels: Int, depth: Depth = .eight) throws(ImageError) {
    precondition(width > 0 && height > 0 && (1...4).contains(channels), "a picture has pixels")
    let (samples, overflow) = width.multipliedReportingOverflow(by: height)
    let (byteCount, overflow2) = samples.multipliedReportingOverflow(by: channels * depth.rawValue)
    guard !overflow, !overflow2, byteCount < 1 << 40,
      // Kernels may read a whole vector at the last sample.
      let address = unsafe malloc(byteCount + Self.slackByteCount)
    else { throw ImageError(.outOfMemory) }
    self.width = width
    self.height = height
    self.channels = channels
    self.depth = depth
    unsafe bytes = UnsafeMutableRawBufferPointer(start: address, count: byteCount)
  }

  /// Readable bytes after the last sample, of no meaning.
  static let slackByteCount = 64

  deinit { unsafe free(bytes.baseAddress) }

  /// From samples that the caller has: `width * height * channels` of them, 8 bits each.
  public init(width: Int, height: Int, channels: Int, samples: Span<UInt8>) throws(ImageError) {
    try self.init(width: width, height: height, channels: channels)
    precondition(samples.count == width * height * channels, "as many samples as the picture has")
    unsafe samples.withUnsafeBytes { unsafe bytes.copyMemory(from: $0) }
  }

  /// Bytes from one row to the next: rows are packed.
  public var rowByteCount: Int { width * channels * depth.rawValue }

  public borrowing func withBytes<R: ~Copyable, E: Error>(_ body: (RawSpan) throws(E) -> R) throws(E) -> R {
    try unsafe body(RawSpan(_unsafeBytes: UnsafeRawBufferPointer(bytes)))
  }
}
