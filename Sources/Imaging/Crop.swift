extension Pixels {
  /// The whole picture.
  public var bounds: Window { Window(x: 0, y: 0, width: width, height: height) }

  /// im2rec's `--center-crop`: the largest square in the middle, half a pixel up or left where it cannot be exact.
  public var centralSquare: Window {
    let side = min(width, height)
    return Window(x: (width - side) / 2, y: (height - side) / 2, width: side, height: side)
  }

  /// The part inside the window, copied.
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
  /// Whether `inner` has pixels and all of them are in this window; no sum of the fields can overflow.
  func contains(_ inner: Window) -> Bool {
    inner.width > 0 && inner.height > 0 && inner.x >= x && inner.y >= y
      && inner.width <= width && inner.height <= height
      && inner.x - x <= width - inner.width && inner.y - y <= height - inner.height
  }
}
