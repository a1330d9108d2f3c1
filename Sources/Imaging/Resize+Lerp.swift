internal import CImaging

/// 16 bits, two samples each way: OpenCV leaves that to Intel's IPP where both sides of the source are longer than 1.
///
/// IPP multiplies and adds with one rounding in vectors of four numbers, and with two in what is left of them before the
/// samples that repeat the right end. Of one channel these vectors hold pixels both across and down, but across only where
/// the row is not one that repeats the upper or lower end; of more channels they hold one pixel across, so nothing is
/// left, and samples down.
extension Pixels {
  borrowing func lerp(
    _ columns: Axis.Lerps, _ rows: Axis.Lerps, kept: Window, from origin: Offset,
    into result: borrowing Pixels,
    _ set: KernelSet
  ) throws(ImageError) {
    let channels = self.channels
    let samples = Int32(truncatingIfNeeded: channels)
    let at = columns.first.map { Int32(truncatingIfNeeded: ($0 - origin.x) * channels) }
    let fractions = columns.fractions
    let rowLength = result.width * channels
    // What is left of the vectors, in samples of the result.
    let end = (columns.inside.upperBound - kept.x) * channels
    let rest = columns.inside.count * channels % 4
    let twice = min(max(end - rest, 0), rowLength)..<min(max(end, 0), rowLength)

    let scratch = try Scratch<Float>(count: 2 * rowLength)
    // What each half of the scratch holds: the number of a source row, which tells the half too, and how it was made.
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

/// The parts of a row before, in and after `twice`, and 1 where the kernel rounds once.
private func forEachPart(of length: Int, _ twice: Range<Int>, _ body: (Range<Int>, Int32) -> Void) {
  body(0..<twice.lowerBound, 1)
  body(twice, 0)
  body(twice.upperBound..<length, 1)
}
