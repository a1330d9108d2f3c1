internal import CImaging

/// Means over areas, and single samples.
extension Pixels {
  borrowing func pick(_ columns: [Int], _ rows: [Int], from origin: Offset, into result: borrowing Pixels) {
    let size = channels * depth.rawValue
    let at = columns.map { Int32(truncatingIfNeeded: ($0 - origin.x) * size) }
    for (y, from) in rows.enumerated() {
      unsafe img_pick(
        result.row(y, of: UInt8.self), row(from - origin.y, of: UInt8.self), at, size, columns.count)
    }
  }

  /// Blocks of whole pixels.
  borrowing func average(
    _ across: Int, _ down: Int, _ kept: Window, from origin: Offset, into result: borrowing Pixels,
    _ set: KernelSet
  ) {
    let x = (kept.x * across - origin.x) * channels
    let stride = width * channels
    let (wide, high) = (Int32(truncatingIfNeeded: across), Int32(truncatingIfNeeded: down))
    let count = Int32(truncatingIfNeeded: channels)
    for y in 0..<kept.height {
      let top = (kept.y + y) * down - origin.y
      if depth == .sixteen {
        unsafe img_blocks_16(
          result.row(y, of: UInt16.self), row(top, of: UInt16.self) + x, stride, wide, high, count, kept.width
        )
      } else if across == 2, down == 2 {
        let halve =
          unsafe channels == 1
          ? set.table.halve_1 : channels == 3 ? set.table.halve_3 : set.table.halve_4
        unsafe halve(
          result.row(y, of: UInt8.self), row(top, of: UInt8.self) + x, row(top + 1, of: UInt8.self) + x,
          kept.width)
      } else {
        unsafe img_blocks_8(
          result.row(y, of: UInt8.self), row(top, of: UInt8.self) + x, stride, wide, high, count, kept.width)
      }
    }
  }

  /// Parts of pixels too, in single precision.
  borrowing func average(
    _ columns: Axis.Areas, _ rows: Axis.Areas, from origin: Offset, into result: borrowing Pixels,
    _ set: KernelSet
  ) throws(ImageError) {
    let first = columns.first.map { Int32(truncatingIfNeeded: $0 - origin.x) }
    let start = columns.start.map { Int32(truncatingIfNeeded: $0) }
    let count = result.width * channels
    let samples = Int32(truncatingIfNeeded: channels)
    let line = try Scratch<Float>(count: count)
    let sum = try Scratch<Float>(count: count)
    // Two result rows share the source row at their border.
    var held = -1
    for y in 0..<result.height {
      unsafe sum.start.update(repeating: 0, count: count)
      for (step, index) in (rows.start[y]..<rows.start[y + 1]).enumerated() {
        let from = rows.first[y] + step
        if held != from {
          held = from
          if depth == .sixteen {
            unsafe img_area_across_16(
              line.start, row(from - origin.y, of: UInt16.self), first, start, columns.weights, samples,
              result.width)
          } else {
            unsafe img_area_across_8(
              line.start, row(from - origin.y, of: UInt8.self), first, start, columns.weights, samples,
              result.width)
          }
        }
        unsafe set.table.add_weighted(sum.start, line.start, rows.weights[index], count)
      }
      if depth == .sixteen {
        unsafe set.table.round_16(result.row(y, of: UInt16.self), sum.start, count)
      } else {
        unsafe set.table.round_8(result.row(y, of: UInt8.self), sum.start, count)
      }
    }
  }
}
