internal import CImaging

/// Any number of samples each way: cubic and Lanczos, and all of 16 bits.
extension Pixels {
  /// - Parameter inVectors: the samples at the start of each result row that OpenCV makes with vectors. Only with four
  ///   taps does that matter: then they are summed in single precision, the last tap first.
  borrowing func convolve(
    _ columns: Axis.Taps, _ rows: Axis.Taps, _ source: Scaling.Size, from origin: Offset,
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

  /// Runs `across` once for each source row in use and `down` once for each result row.
  ///
  /// Rows are given to `across` with their end pixels repeated, so that it need not know of ends.
  private borrowing func convolve<Sample: BitwiseCopyable, Sum: BitwiseCopyable>(
    _ columns: Axis.Taps, _ rows: Axis.Taps, _ source: Scaling.Size, from origin: Offset, of: Sample.Type,
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
    // Source row s is held in slot s % taps: the rows one result row needs follow each other.
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
