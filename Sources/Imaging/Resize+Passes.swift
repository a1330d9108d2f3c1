internal import CImaging

// MARK: - Linear, 8 bits

/// 8 bits, two samples in each direction: OpenCV's fixed-point arithmetic.
///
/// Each source row that is used is interpolated horizontally once, into 16-bit numbers; two of these rows make a
/// result row.
extension Pixels {
  borrowing func interpolate(
    _ columns: ResizeAxis.Taps, _ rows: ResizeAxis.Taps, _ source: ResizePlan.Size, from origin: Offset,
    into result: borrowing Pixels, _ set: KernelSet
  ) throws(ImageError) {
    let width = result.width
    try unsafe forEachRow(columns, rows, source, from: origin, set) { y, upper, lower, weight0, weight1 in
      unsafe linearDown(
        result.row(y, of: UInt8.self), upper, lower, weight0, weight1, width, channels, set)
    }
  }

  /// Calls `body` for each result row: with its number, the two rows that it lies between, and their weights.
  borrowing func forEachRow(
    _ columns: ResizeAxis.Taps, _ rows: ResizeAxis.Taps, _ source: ResizePlan.Size, from origin: Offset,
    _ set: KernelSet,
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
          // A row with the weight 0 is not needed.
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

// MARK: - Nearest and area

extension Pixels {
  /// Nearest neighbour: copies the pixels at these columns and rows.
  borrowing func pick(_ columns: [Int], _ rows: [Int], from origin: Offset, into result: borrowing Pixels) {
    let size = channels * depth.rawValue
    let at = columns.map { Int32(truncatingIfNeeded: ($0 - origin.x) * size) }
    for (y, from) in rows.enumerated() {
      unsafe img_pick(
        result.row(y, of: UInt8.self), row(from - origin.y, of: UInt8.self), at, size, columns.count)
    }
  }

  /// Area averaging over blocks of `across` x `down` whole pixels.
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

  /// Area averaging with fractions of pixels, in single precision.
  borrowing func average(
    _ columns: ResizeAxis.Areas, _ rows: ResizeAxis.Areas, from origin: Offset, into result: borrowing Pixels,
    _ set: KernelSet
  ) throws(ImageError) {
    let first = columns.first.map { Int32(truncatingIfNeeded: $0 - origin.x) }
    let start = columns.start.map { Int32(truncatingIfNeeded: $0) }
    let count = result.width * channels
    let samples = Int32(truncatingIfNeeded: channels)
    let line = try Scratch<Float>(count: count)
    let sum = try Scratch<Float>(count: count)
    // Adjacent result rows may share a source row.
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

// MARK: - Linear, 16 bits

/// 16 bits, two samples in each direction: OpenCV leaves this to Intel's IPP where both sides of the source are
/// longer than one pixel.
///
/// IPP works in vectors of four numbers and uses a fused multiply-add (one rounding). The remaining numbers, before
/// the samples that repeat the right end, are multiplied and added separately (two roundings). With one channel, a
/// vector holds four pixels, horizontally and vertically; horizontally there are remaining numbers only in rows that
/// do not repeat the upper or lower end. With more channels, a vector holds one pixel horizontally, so that nothing
/// remains, and four samples vertically.
extension Pixels {
  borrowing func lerp(
    _ columns: ResizeAxis.Lerps, _ rows: ResizeAxis.Lerps, kept: Window, from origin: Offset,
    into result: borrowing Pixels,
    _ set: KernelSet
  ) throws(ImageError) {
    let channels = self.channels
    let samples = Int32(truncatingIfNeeded: channels)
    let at = columns.first.map { Int32(truncatingIfNeeded: ($0 - origin.x) * channels) }
    let fractions = columns.fractions
    let rowLength = result.width * channels
    // The samples of a result row that remain after the vectors and are rounded twice.
    let end = (columns.inside.upperBound - kept.x) * channels
    let rest = columns.inside.count * channels % 4
    let twice = min(max(end - rest, 0), rowLength)..<min(max(end, 0), rowLength)

    let scratch = try Scratch<Float>(count: 2 * rowLength)
    // What each half of the scratch holds: the number of a source row, whose parity selects the half, and how it was
    // made.
    var held = [(row: -1, pixelsTwice: 0..<0), (row: -1, pixelsTwice: 0..<0)]
    for y in 0..<rows.first.count {
      let upper = rows.first[y]
      let lower = rows.fractions[y] == 0 ? upper : upper + 1
      let pixelsTwice = channels == 1 && rows.inside.contains(kept.y + y) ? twice : 0..<0
      for row in [upper, lower] where held[row % 2] != (row, pixelsTwice) {
        held[row % 2] = (row, pixelsTwice)
        let line = unsafe scratch.start + row % 2 * rowLength
        let source = unsafe self.row(row - origin.y, of: UInt16.self)
        forEachPart(of: result.width, pixelsTwice) { part, fused in
          unsafe at.withUnsafeBufferPointer { at in
            unsafe fractions.withUnsafeBufferPointer { fractions in
              guard let at = at.baseAddress, let fractions = fractions.baseAddress else { return }
              unsafe set.table.lerp_across_16(
                line + part.lowerBound * channels, source, at + part.lowerBound, fractions + part.lowerBound,
                fused, samples, part.count)
            }
          }
        }
      }
      let (upperLine, lowerLine) = unsafe (
        scratch.start + upper % 2 * rowLength, scratch.start + lower % 2 * rowLength
      )
      let out = unsafe result.row(y, of: UInt16.self)
      forEachPart(of: rowLength, twice) { part, fused in
        let begin = part.lowerBound
        unsafe set.table.lerp_down_16(
          out + begin, upperLine + begin, lowerLine + begin, rows.fractions[y], fused, part.count)
      }
    }
  }
}

/// Calls `body` with the parts of a row before, in and after `twice`, and with 1 where the kernel is to round once.
private func forEachPart(of length: Int, _ twice: Range<Int>, _ body: (Range<Int>, Int32) -> Void) {
  body(0..<twice.lowerBound, 1)
  body(twice, 0)
  body(twice.upperBound..<length, 1)
}

// MARK: - Any number of taps

/// Any number of samples in each direction: the cubic and Lanczos filters, and other filters for 16 bits.
extension Pixels {
  /// - Parameter inVectors: how many samples at the start of each result row OpenCV computes with vectors. This
  ///   matters only with four taps, which it then sums in single precision, the last tap first.
  borrowing func convolve(
    _ columns: ResizeAxis.Taps, _ rows: ResizeAxis.Taps, _ source: ResizePlan.Size, from origin: Offset,
    into result: borrowing Pixels, inVectors: Int, _ set: KernelSet
  ) throws(ImageError) {
    let taps = Int32(truncatingIfNeeded: rows.count)
    let samples = Int32(truncatingIfNeeded: channels)
    let width = result.width
    let count = width * channels
    let vectors = rows.count == 4 ? inVectors : 0
    if depth == .eight {
      let across = columns.fixedWeights
      let down = rows.fixedWeights
      let scaledDown = vectors > 0 ? down.map { Float($0) * 0x1p-22 } : []
      try unsafe convolve(columns, rows, source, from: origin, of: UInt8.self) {
        (out: UnsafeMutablePointer<Int32>, row, at) in
        unsafe set.table.taps_across_8(out, row, at, across, taps, samples, width)
      } down: { y, lines in
        let weights = Array(down[y * rows.count..<(y + 1) * rows.count])
        let out = unsafe result.row(y, of: UInt8.self)
        if vectors > 0 {
          unsafe set.table.cubic_down_8(
            out, lines, Array(scaledDown[y * rows.count..<(y + 1) * rows.count]), vectors)
          if vectors == count { return }
        }
        let rest = unsafe lines.map { unsafe $0 + vectors }
        unsafe set.table.taps_down_8(out + vectors, rest, weights, taps, count - vectors)
      }
    } else {
      let across = columns.weights
      try unsafe convolve(columns, rows, source, from: origin, of: UInt16.self) {
        (out: UnsafeMutablePointer<Float>, row, at) in
        unsafe set.table.taps_across_16(out, row, at, across, taps, samples, width)
      } down: { y, lines in
        let weights = Array(rows.weights[y * rows.count..<(y + 1) * rows.count])
        let out = unsafe result.row(y, of: UInt16.self)
        if vectors > 0 {
          unsafe set.table.cubic_down_16(out, lines, weights, vectors)
          if vectors == count { return }
        }
        let rest = unsafe lines.map { unsafe $0 + vectors }
        unsafe set.table.taps_down_16(out + vectors, rest, weights, taps, count - vectors)
      }
    }
  }

  /// Calls `across` once for each source row that is used, and `down` once for each result row.
  ///
  /// `across` gets rows whose end pixels are repeated, so that it need not treat the ends specially.
  private borrowing func convolve<Sample: BitwiseCopyable, Sum: BitwiseCopyable>(
    _ columns: ResizeAxis.Taps, _ rows: ResizeAxis.Taps, _ source: ResizePlan.Size, from origin: Offset,
    of: Sample.Type,
    across: (UnsafeMutablePointer<Sum>, UnsafePointer<Sample>, UnsafePointer<Int32>) -> Void,
    down: (Int, [UnsafePointer<Sum>]) -> Void
  ) throws(ImageError) {
    let taps = rows.count
    let channels = self.channels
    let span = columns.span(of: source.width)
    let margin = taps
    let at = columns.first.map { Int32(truncatingIfNeeded: ($0 - span.lowerBound + margin) * channels) }
    let padded = try Scratch<Sample>(count: (span.count + 2 * margin) * channels)
    let lineLength = columns.first.count * channels
    let scratch = try Scratch<Sum>(count: taps * lineLength)
    // Source row s is held in slot s % taps: the rows that a result row needs are consecutive.
    var held = [Int](repeating: -1, count: taps)
    for y in 0..<rows.first.count {
      var lines: [UnsafePointer<Sum>] = unsafe []
      for tap in 0..<taps {
        let needed = min(max(rows.first[y] + tap, 0), source.height - 1)
        let slot = needed % taps
        let line = unsafe scratch.start + slot * lineLength
        if held[slot] != needed {
          let start = unsafe row(needed - origin.y, of: Sample.self) + (span.lowerBound - origin.x) * channels
          for pixel in 0..<margin {
            unsafe (padded.start + pixel * channels).update(from: start, count: channels)
            unsafe (padded.start + (margin + span.count + pixel) * channels)
              .update(from: start + (span.count - 1) * channels, count: channels)
          }
          unsafe (padded.start + margin * channels).update(from: start, count: span.count * channels)
          unsafe across(line, padded.start, at)
          held[slot] = needed
        }
        unsafe lines.append(UnsafePointer(line))
      }
      unsafe down(y, lines)
    }
  }
}
