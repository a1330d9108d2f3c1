import CImaging

/// An opened image file: its header, and the right to decode its pixels once.
///
/// Borrows the file's bytes for its whole life.
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

  /// Refuses what cannot or shall not be decoded, before memory is taken for it.
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

  /// What `imread` would return: channels and sample size.
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

  /// The least window that can be decoded alone and covers `window`.
  func fit(_ window: Window) -> Window {
    var fitted = img_window(
      x: UInt32(window.x), y: UInt32(window.y), width: UInt32(window.width), height: UInt32(window.height))
    unsafe img_fit(handle, &fitted)
    return Window(x: Int(fitted.x), y: Int(fitted.y), width: Int(fitted.width), height: Int(fitted.height))
  }

  /// Decodes into fresh pixels. `window` is one that `fit` returned, or the whole picture.
  consuming func read(
    _ options: DecodeOptions, window: Window, orientation: Int
  ) throws(ImageError) -> Pixels {
    let (channels, depth) = shape(options.color)
    let isTransposed = orientation >= 5
    let pixels = try Pixels(
      width: isTransposed ? window.height : window.width, height: isTransposed ? window.width : window.height,
      channels: channels, depth: depth)
    guard let start = unsafe pixels.bytes.baseAddress else { throw ImageError(.outOfMemory) }
    let (route, kernels) = options.route.choice
    var error = img_error()
    var part = img_window(
      x: UInt32(window.x), y: UInt32(window.y), width: UInt32(window.width), height: UInt32(window.height))
    let code =
      switch info.format {
      case .jpeg:
        unsafe img_read_jpeg(
          handle, &part, UInt32(channels), Int32(orientation), options.keepDamaged, route, kernels.pointer,
          start, &error)
      case .png:
        unsafe img_read_png(
          handle, UInt32(channels), UInt32(depth.rawValue), Int32(orientation), start, &error)
      }
    guard code == img_ok else { throw ImageError(error, header) }
    return pixels
  }
}

extension UnsafeBufferPointer {
  fileprivate func slice(from offset: Int, count: Int) -> UnsafeBufferPointer? {
    guard offset >= 0, count > 0, offset <= self.count, count <= self.count - offset else { return nil }
    return unsafe UnsafeBufferPointer(rebasing: self[offset..<offset + count])
  }
}

extension ImageError {
  /// The codec's report in our words.
  init(_ error: img_error, _ header: img_header = img_header()) {
    let words = unsafe withUnsafePointer(to: error) { unsafe String(cString: img_words($0)) }
    let offset = error.offset
    switch error.code {
    case img_truncated: self.init(.truncated, offset: offset)
    case img_unsupported: self.init(.unsupported(words), offset: offset)
    case img_too_wide:
      self.init(.unsupported("a JPEG of \(header.width)x\(header.height) pixels"), offset: offset)
    case img_no_memory: self.init(.outOfMemory, offset: offset)
    case img_cannot_encode: self.init(.cannotEncode(words))
    default: self.init(.damaged(words), offset: offset)
    }
  }
}
