/// The size that im2rec's `--resize` gives: the shorter side becomes `edge`, the longer `floor(long * edge / short)`.
///
/// - Throws: `.tooLarge` where the longer side does not fit an `Int`. Any other size is returned, however large: a
///   picture of 1 x 400 at 256 becomes 256 x 102400.
public func shortEdgeSize(
  width: Int, height: Int, edge: Int
) throws(ImageError) -> (width: Int, height: Int) {
  precondition(width > 0 && height > 0 && edge > 0, "sizes are at least 1")
  let (product, overflow) = max(width, height).multipliedReportingOverflow(by: edge)
  guard !overflow else {
    throw ImageError(.tooLarge(width: width, height: height, limit: Int.max / edge))
  }
  let long = product / min(width, height)
  return height > width ? (edge, long) : (long, edge)
}

extension Pixels {
  /// OpenCV's `cv2.resize` of the part inside `window`.
  ///
  /// Equal to OpenCV 4.8 as `pip` installs it on x86-64, bit for bit, but for `cubic`: that is left to Intel's IPP there,
  /// and differs by one level at most from OpenCV's own, which this is.
  ///
  /// - Parameters:
  ///   - window: what is outside it has no influence; all of the picture by default.
  ///   - limit: pixels the result may have.
  /// - Throws: `.tooLarge` before anything is allocated; `.outOfMemory`.
  /// - Precondition: the window has pixels and lies within the picture; width and height are at least 1.
  /// - Complexity: O(pixels of the result * samples the filter takes + pixels of the window).
  public borrowing func resized(
    width: Int, height: Int, filter: Filter = .linear, from window: Window? = nil,
    limit: Int = DecodeOptions.standardMaximumPixelCount
  ) throws(ImageError) -> Pixels {
    let window = window ?? bounds
    precondition(bounds.contains(window), "the window lies within the picture")
    precondition(width > 0 && height > 0, "a picture has pixels")
    let (count, overflow) = width.multipliedReportingOverflow(by: height)
    guard !overflow, count <= limit else {
      throw ImageError(.tooLarge(width: width, height: height, limit: limit))
    }
    let scaling = Scaling(
      .init(width: window.width, height: window.height), to: .init(width: width, height: height), filter,
      kept: Window(x: 0, y: 0, width: width, height: height), depth: depth)
    return try scaled(by: scaling, at: Offset(x: -window.x, y: -window.y))
  }

  /// The part of the resized picture that `scaling` keeps.
  ///
  /// - Parameter origin: where this picture's first pixel lies in the source of `scaling`; negative where this picture
  ///   has more to the left or above.
  borrowing func scaled(
    by scaling: Scaling, at origin: Offset, _ set: KernelSet = .best
  ) throws(ImageError) -> Pixels {
    let needed = scaling.needed
    let local = Window(
      x: needed.x - origin.x, y: needed.y - origin.y, width: needed.width, height: needed.height)
    precondition(bounds.contains(local), "the picture covers what the resize needs")
    // Kernels count the bytes of a row in 32 bits.
    guard rowByteCount <= Int(Int32.max) - Pixels.slackByteCount else {
      throw ImageError(
        .tooLarge(width: width, height: height, limit: Int(Int32.max) / (channels * depth.rawValue)))
    }
    if case .copy = scaling.method { return try cropped(to: local) }
    let result = try Pixels(
      width: scaling.kept.width, height: scaling.kept.height, channels: channels, depth: depth)
    switch scaling.method {
    case .copy: break
    case .nearest(let columns, let rows): pick(columns, rows, from: origin, into: result)
    case .blocks(let across, let down): average(across, down, scaling.kept, from: origin, into: result, set)
    case .areas(let columns, let rows): try average(columns, rows, from: origin, into: result, set)
    case .lerps(let columns, let rows):
      try lerp(columns, rows, kept: scaling.kept, from: origin, into: result, set)
    case .taps(let columns, let rows):
      if depth == .eight, columns.count == 2 {
        try interpolate(columns, rows, scaling.source, from: origin, into: result, set)
      } else {
        // OpenCV's vectors take eight samples of a row at a time and treat what is left at its end differently.
        let inVectors = scaling.destination.width * channels / 8 * 8 - scaling.kept.x * channels
        try convolve(
          columns, rows, scaling.source, from: origin, into: result,
          inVectors: min(max(inVectors, 0), result.width * channels), set)
      }
    }
    return result
  }
}

/// Where a picture's first pixel lies in the picture it is a part of.
struct Offset {
  var x: Int, y: Int
}

extension Pixels {
  /// The samples of a row, 8 or 16 bits each.
  @unsafe func row<Sample: BitwiseCopyable>(_ y: Int, of: Sample.Type) -> UnsafeMutablePointer<Sample> {
    // malloc's memory is never nil, and aligned for any sample.
    unsafe (bytes.baseAddress.unsafelyUnwrapped + y * rowByteCount).assumingMemoryBound(to: Sample.self)
  }
}

/// A resize of a whole picture of which a part is wanted: which source pixels make which pixels of that part, and how.
///
/// Every pixel depends on its own few source pixels only, so a part has the same bits as it has in the whole.
struct Scaling {
  struct Size: Hashable {
    var width: Int, height: Int
  }

  /// The ways OpenCV takes, which the filter and the two sizes decide.
  enum Method {
    /// Nothing changes.
    case copy
    case nearest(columns: [Int], rows: [Int])
    /// Means of blocks of whole pixels.
    case blocks(across: Int, down: Int)
    case taps(columns: Axis.Taps, rows: Axis.Taps)
    /// `linear` for 16 bits.
    case lerps(columns: Axis.Lerps, rows: Axis.Lerps)
    case areas(columns: Axis.Areas, rows: Axis.Areas)
  }

  let source: Size, destination: Size
  let filter: Filter
  /// The part wanted, in pixels of the resized picture.
  let kept: Window
  let method: Method

  /// - Precondition: `kept` lies within a picture of the size `destination`.
  init(
    _ source: Size, to destination: Size, _ filter: Filter, kept: Window, depth: Pixels.Depth
  ) {
    precondition(
      Window(x: 0, y: 0, width: destination.width, height: destination.height).contains(kept),
      "the part lies within the resized picture")
    self.source = source
    self.destination = destination
    self.filter = filter
    self.kept = kept
    let across = Axis(source: source.width, destination: destination.width)
    let down = Axis(source: source.height, destination: destination.height)
    let columns = kept.x..<kept.x + kept.width
    let rows = kept.y..<kept.y + kept.height
    let shrinks = across.scale >= 1 && down.scale >= 1

    if source == destination {
      method = .copy
    } else if filter == .nearest {
      method = .nearest(columns: across.nearest(for: columns), rows: down.nearest(for: rows))
    } else if filter == .linear, depth == .sixteen, source.width > 1, source.height > 1 {
      method = .lerps(columns: across.lerps(for: columns), rows: down.lerps(for: rows))
    } else if let wide = across.wholeScale, let high = down.wholeScale, shrinks,
      filter == .area || (filter == .linear && wide == 2 && high == 2)
    {
      method = .blocks(across: wide, down: high)
    } else if filter == .area, shrinks {
      method = .areas(columns: across.areas(for: columns), rows: down.areas(for: rows))
    } else {
      method = .taps(
        columns: across.taps(of: filter, for: columns, .across), rows: down.taps(of: filter, for: rows, .down)
      )
    }
  }

  /// The smallest window of the source that has a say.
  var needed: Window {
    let columns: Range<Int>
    let rows: Range<Int>
    switch method {
    case .copy: return kept
    case .nearest(let x, let y): (columns, rows) = (span(x, source.width), span(y, source.height))
    case .blocks(let across, let down):
      return Window(
        x: kept.x * across, y: kept.y * down, width: kept.width * across, height: kept.height * down)
    case .taps(let x, let y): (columns, rows) = (x.span(of: source.width), y.span(of: source.height))
    case .lerps(let x, let y): (columns, rows) = (x.span(of: source.width), y.span(of: source.height))
    case .areas(let x, let y): (columns, rows) = (x.span, y.span)
    }
    return Window(x: columns.lowerBound, y: rows.lowerBound, width: columns.count, height: rows.count)
  }

  private func span(_ indices: [Int], _ length: Int) -> Range<Int> {
    (indices.first ?? 0)..<min((indices.last ?? 0) + 1, length)  // they ascend
  }
}
