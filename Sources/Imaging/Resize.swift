/// The size after im2rec.py's `--resize`: the shorter side becomes `edge`, the longer `floor(long * edge / short)`.
///
/// - Throws: `.tooLarge` where `long * edge` does not fit an `Int`. Any other size is returned, however large: a
///   picture of 1 x 400 with the edge 256 becomes 256 x 102400.
/// - Precondition: all parameters are at least 1.
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
  /// Resizes the part inside `window`, as OpenCV's `cv2.resize`.
  ///
  /// The result equals OpenCV 4.8 as `pip` installs it on x86-64, bit for bit, except for `cubic`: there OpenCV uses
  /// Intel's IPP, which differs by at most one level from OpenCV's own code, and this equals the latter.
  ///
  /// - Parameters:
  ///   - window: pixels outside it have no influence; nil for the whole picture.
  ///   - limit: the most pixels that the result may have.
  /// - Throws: `.tooLarge` before anything is allocated; `.outOfMemory`.
  /// - Precondition: the window has pixels and lies within the picture; width and height are at least 1.
  /// - Complexity: O(pixels of the result * taps of the filter + pixels of the window).
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
    let plan = ResizePlan(
      .init(width: window.width, height: window.height), to: .init(width: width, height: height), filter,
      kept: Window(x: 0, y: 0, width: width, height: height), depth: depth)
    return try scaled(by: plan, at: Offset(x: -window.x, y: -window.y))
  }

  /// The part of the resized picture that `plan` keeps.
  ///
  /// - Parameter origin: the position of this picture's first pixel in the source of `plan`; negative where this
  ///   picture extends further to the left or up.
  borrowing func scaled(
    by plan: ResizePlan, at origin: Offset, _ set: KernelSet = .best
  ) throws(ImageError) -> Pixels {
    let needed = plan.needed
    let local = Window(
      x: needed.x - origin.x, y: needed.y - origin.y, width: needed.width, height: needed.height)
    precondition(bounds.contains(local), "the picture covers what the resize needs")
    // Kernels count the bytes of a row in 32 bits.
    guard rowByteCount <= Int(Int32.max) - Pixels.slackByteCount else {
      throw ImageError(
        .tooLarge(width: width, height: height, limit: Int(Int32.max) / (channels * depth.rawValue)))
    }
    if case .copy = plan.method { return try cropped(to: local) }
    let result = try Pixels(
      width: plan.kept.width, height: plan.kept.height, channels: channels, depth: depth)
    switch plan.method {
    case .copy: break
    case .nearest(let columns, let rows): pick(columns, rows, from: origin, into: result)
    case .blocks(let across, let down): average(across, down, plan.kept, from: origin, into: result, set)
    case .areas(let columns, let rows): try average(columns, rows, from: origin, into: result, set)
    case .lerps(let columns, let rows):
      try lerp(columns, rows, kept: plan.kept, from: origin, into: result, set)
    case .taps(let columns, let rows):
      if depth == .eight, columns.count == 2 {
        try interpolate(columns, rows, plan.source, from: origin, into: result, set)
      } else {
        // OpenCV processes eight samples of a row at a time, and the remaining ones with different arithmetic.
        let inVectors = plan.destination.width * channels / 8 * 8 - plan.kept.x * channels
        try convolve(
          columns, rows, plan.source, from: origin, into: result,
          inVectors: min(max(inVectors, 0), result.width * channels), set)
      }
    }
    return result
  }
}

/// The position of a picture's first pixel in the picture that it is a part of.
struct Offset {
  var x: Int, y: Int
}

extension Pixels {
  /// A pointer to the samples of a row, 8 or 16 bits each.
  @unsafe func row<Sample: BitwiseCopyable>(_ y: Int, of: Sample.Type) -> UnsafeMutablePointer<Sample> {
    // malloc's memory is never nil, and aligned for any sample.
    unsafe (bytes.baseAddress.unsafelyUnwrapped + y * rowByteCount).assumingMemoryBound(to: Sample.self)
  }
}

/// How to resize a picture of which only a part is needed: which source pixels make each pixel of that part.
///
/// Every pixel depends on a few source pixels only, so a part has the same bits as in the whole picture.
struct ResizePlan {
  struct Size: Hashable {
    var width: Int, height: Int
  }

  /// The algorithms of OpenCV; the filter, the two sizes and the depth select one.
  enum Method {
    /// The sizes are equal.
    case copy
    case nearest(columns: [Int], rows: [Int])
    /// Means of blocks of whole pixels.
    case blocks(across: Int, down: Int)
    case taps(columns: ResizeAxis.Taps, rows: ResizeAxis.Taps)
    /// `linear` for 16 bits.
    case lerps(columns: ResizeAxis.Lerps, rows: ResizeAxis.Lerps)
    case areas(columns: ResizeAxis.Areas, rows: ResizeAxis.Areas)
  }

  let source: Size, destination: Size
  let filter: Filter
  /// The part that is needed, in pixels of the resized picture.
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
    let across = ResizeAxis(source: source.width, destination: destination.width)
    let down = ResizeAxis(source: source.height, destination: destination.height)
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

  /// The smallest window of the source that the kept part depends on.
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
