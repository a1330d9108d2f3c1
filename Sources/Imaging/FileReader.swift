import CImaging
internal import Glibc

/// An image file whose header was read, and whose pixels can be decoded once.
///
/// It refers to the file's bytes, which must outlive it.
@safe struct FileReader: ~Copyable {
  let info: ImageInfo
  let header: img_header
  private let handle: OpaquePointer
  private let byteCount: Int

  init(_ file: UnsafeBufferPointer<UInt8>) throws(ImageError) {
    guard let start = file.baseAddress, !file.isEmpty else { throw ImageError(.empty) }
    let format = try unsafe Signature.format(of: Span(_unsafeElements: file))
    var header = img_header()
    var error = img_error()
    let opened =
      switch format {
      case .jpeg: unsafe img_open_jpeg(start, file.count, &header, &error)
      case .png: unsafe img_open_png(start, file.count, &header, &error)
      }
    guard let opened = unsafe opened else { throw ImageError(error, header) }
    var orientation = 1
    if let exif = unsafe file.slice(from: header.exif_offset, count: header.exif_count) {
      orientation = unsafe exifOrientation(Span(_unsafeElements: exif))
    }
    self.info = ImageInfo(
      format: format, width: Int(header.width), height: Int(header.height),
      channels: Int(header.components), bitDepth: Int(header.bit_depth), orientation: orientation,
      isProgressive: header.is_progressive)
    self.header = header
    unsafe self.handle = opened
    self.byteCount = file.count
  }

  deinit { unsafe img_close(handle) }

  /// Refuses a picture above the limits, or one whose data cannot suffice, before memory is allocated.
  func check(_ options: DecodeOptions) throws(ImageError) {
    let (pixelCount, overflow) = info.width.multipliedReportingOverflow(by: info.height)
    guard !overflow, pixelCount <= options.maximumPixelCount else {
      throw ImageError(
        .tooLarge(width: info.width, height: info.height, limit: options.maximumPixelCount))
    }
    if header.data_byte_count < header.least_byte_count, !(info.format == .jpeg && options.keepDamaged) {
      if header.data_reach_the_end { throw ImageError(.truncated, offset: byteCount) }
      throw ImageError(
        .damaged(
          "\(header.data_byte_count) bytes of compressed data cannot hold \(info.width)x\(info.height) pixels"
        ), offset: byteCount)
    }
  }

  /// The channels and sample size that `imread` would return.
  func shape(_ color: ColorMode) -> (channels: Int, depth: Pixels.Depth) {
    switch color {
    case .rgb: return (3, .eight)
    case .gray: return (1, .eight)
    case .unchanged:
      let depth: Pixels.Depth = info.bitDepth == 16 ? .sixteen : .eight
      if header.has_transparency { return (4, depth) }
      return (info.channels == 1 ? 1 : 3, depth)
    }
  }

  /// The smallest window that covers `window` and can be decoded by itself.
  func fit(_ window: Window) -> Window {
    var fitted = img_window(
      x: UInt32(window.x), y: UInt32(window.y), width: UInt32(window.width), height: UInt32(window.height))
    unsafe img_fit(handle, &fitted)
    return Window(x: Int(fitted.x), y: Int(fitted.y), width: Int(fitted.width), height: Int(fitted.height))
  }

  /// Decodes into new pixels.
  ///
  /// - Parameter window: one that `fit` returned, or the whole picture.
  consuming func read(
    _ options: DecodeOptions, window: Window, orientation: Int, doubt: inout ImageDoubt?
  ) throws(ImageError) -> Pixels {
    let (channels, depth) = shape(options.color)
    let isTransposed = orientation >= 5
    let pixels = try Pixels(
      width: isTransposed ? window.height : window.width, height: isTransposed ? window.width : window.height,
      channels: channels, depth: depth)
    guard let start = unsafe pixels.bytes.baseAddress else { throw ImageError(.outOfMemory) }
    unsafe doubt = try read(options, window, orientation, channels, depth, into: start)
    return pixels
  }

  /// Reads the whole file as `read` does, but makes no pixels.
  consuming func examine(_ options: DecodeOptions) throws(ImageError) -> ImageDoubt? {
    let whole = Window(x: 0, y: 0, width: info.width, height: info.height)
    let (channels, depth) = shape(options.color)
    return try unsafe read(options, whole, 1, channels, depth, into: nil)
  }

  private func read(
    _ options: DecodeOptions, _ window: Window, _ orientation: Int, _ channels: Int, _ depth: Pixels.Depth,
    into start: UnsafeMutableRawPointer?
  ) throws(ImageError) -> ImageDoubt? {
    let (route, kernels) = options.route.choice
    var request = unsafe img_request(
      channels: UInt32(channels), bytes_per_sample: UInt32(depth.rawValue), orientation: Int32(orientation),
      keep_damaged: options.keepDamaged, route: route, kernels: kernels.pointer,
      most_scan_blocks: UInt64(clamping: options.maximumScanBlockCount), deadline: options.deadline)
    var error = img_error()
    var doubt = img_error()
    var part = img_window(
      x: UInt32(window.x), y: UInt32(window.y), width: UInt32(window.width), height: UInt32(window.height))
    let code =
      switch info.format {
      case .jpeg: unsafe img_read_jpeg(handle, &part, &request, start, &doubt, &error)
      case .png: unsafe img_read_png(handle, &request, start, &doubt, &error)
      }
    guard code == img_ok else { throw ImageError(error, header) }
    return ImageDoubt(doubt)
  }
}

extension DecodeOptions {
  /// The end of the time limit in nanoseconds of CLOCK_MONOTONIC; 0 for no limit.
  fileprivate var deadline: Int64 {
    guard let timeLimit, let wait = Int64(exactly: (timeLimit / .nanoseconds(1)).rounded()) else { return 0 }
    var now = timespec()
    unsafe clock_gettime(CLOCK_MONOTONIC, &now)
    let (end, isFar) = (Int64(now.tv_sec) * 1_000_000_000 + Int64(now.tv_nsec)).addingReportingOverflow(wait)
    return isFar ? 0 : max(end, 1)
  }
}

extension UnsafeBufferPointer {
  fileprivate func slice(from offset: Int, count: Int) -> UnsafeBufferPointer? {
    guard offset >= 0, count > 0, offset <= self.count, count <= self.count - offset else { return nil }
    return unsafe UnsafeBufferPointer(rebasing: self[offset..<offset + count])
  }
}

extension ImageError {
  /// The error that a codec reported.
  init(_ error: img_error, _ header: img_header = img_header()) {
    let words = unsafe withUnsafePointer(to: error) { unsafe String(cString: img_words($0)) }
    let offset = error.offset
    switch error.code {
    case img_truncated: self.init(.truncated, offset: offset)
    case img_unsupported: self.init(.unsupported(words), offset: offset)
    case img_too_wide:
      self.init(.unsupported("a JPEG of \(header.width)x\(header.height) pixels"), offset: offset)
    case img_no_memory: self.init(.outOfMemory, offset: offset)
    case img_excessive: self.init(.excessive(words), offset: offset)
    case img_timed_out: self.init(.timedOut, offset: offset)
    case img_cannot_encode: self.init(.cannotEncode(words))
    default: self.init(.damaged(words), offset: offset)
    }
  }
}

extension ImageDoubt {
  /// The doubt that a codec reported; `nil` where there is none.
  fileprivate init?(_ doubt: img_error) {
    switch doubt.code {
    case img_ok: return nil
    case img_doubtful:
      let words = unsafe withUnsafePointer(to: doubt) { unsafe String(cString: img_words($0)) }
      self.init(isDamage: false, description: "the image may be damaged near byte \(doubt.offset): \(words)")
    default: self.init(ImageError(doubt))
    }
  }
}
