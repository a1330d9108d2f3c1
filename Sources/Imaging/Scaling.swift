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
