internal import CImaging

/// 8 bits, two samples each way: OpenCV's fixed-point arithmetic.
///
/// Each source row in use is interpolated across once, into 16-bit numbers; a result row is made of two of those.
extension Pixels {
  borrowing func interpolate(
    _ columns: Axis.Taps, _ rows: Axis.Taps, _ source: Scaling.Size, from origin: Offset,
    into result: borrowing Pixels, _ set: KernelSet
  ) throws(ImageError) {
    let width = result.width
    try unsafe forEachRow(columns, rows, source, from: origin, set) { y, upper, lower, weight0, weight1 in
      unsafe linearDown(
        result.row(y, of: UInt8.self), upper, lower, weight0, weight1, width, channels, set)
    }
  }

  /// Calls `body` with the number of each result row, the two rows it lies between and their weights.
  borrowing func forEachRow(
    _ columns: Axis.Taps, _ rows: Axis.Taps, _ source: Scaling.Size, from origin: Offset, _ set: KernelSet,
    _ body: (Int, UnsafePointer<Int16>, UnsafePointer<Int16>, Int32, Int32) -> Void
  ) throws(ImageError) {
    let width = columns.first.count
    let channels = self.channels
    let at = columns.first.map { Int32(truncatingIfNeeded: ($0 - origin.x) * channels) }
    let weights = columns.fixedWeights
    let down = rows.fixedWeights
    // A whole number of cache lines.
    let rowLength = (width * (channels == 1 ? 1 : 4) + 31) / 32 * 32
    let scratch = try Scratch<Int16>(count: 2 * rowLength)
    // The source row that each half of the scratch holds.
    var held = (-1, -1)

    unsafe at.withUnsafeBufferPointer { at in
      unsafe weights.withUnsafeBufferPointer { weights in
        guard let at = at.baseAddress, let weights = weights.baseAddress else { return }
        let across =
          unsafe channels == 1
          ? set.table.linear_across_1 : channels == 3 ? set.table.linear_across_3 : set.table.linear_across_4
        for y in 0..<rows.first.count {
          let (weight0, weight1) = (down[2 * y], down[2 * y + 1])
          var upper = min(max(rows.first[y], 0), source.height - 1)
          var lower = min(max(rows.first[y] + 1, 0), source.height - 1)
          // A row without weight is not needed.
          if weight1 == 0 { lower = upper }
          if weight0 == 0 { upper = lower }
          if held.0 != upper && held.1 != upper {
            let free = held.0 == lower ? 1 : 0
            unsafe across(
              scratch.start + free * rowLength, row(upper - origin.y, of: UInt8.self), at, weights, width)
            if free == 0 { held.0 = upper } else { held.1 = upper }
          }
          if held.0 != lower && held.1 != lower {
            let free = held.0 == upper ? 1 : 0
            unsafe across(
              scratch.start + free * rowLength, row(lower - origin.y, of: UInt8.self), at, weights, width)
            if free == 0 { held.0 = lower } else { held.1 = lower }
          }
          unsafe body(
            y, scratch.start + (held.0 == upper ? 0 : rowLength),
            scratch.start + (held.0 == lower ? 0 : rowLength), Int32(weight0), Int32(weight1))
        }
      }
    }
  }
}

private func linearDown(
  _ out: UnsafeMutablePointer<UInt8>, _ upper: UnsafePointer<Int16>, _ lower: UnsafePointer<Int16>,
  _ weight0: Int32, _ weight1: Int32, _ width: Int, _ channels: Int, _ set: KernelSet
) {
  if channels == 3 {
    unsafe set.table.linear_down_3(out, upper, lower, weight0, weight1, width)
  } else {
    unsafe set.table.linear_down(out, upper, lower, weight0, weight1, width * channels)
  }
}
