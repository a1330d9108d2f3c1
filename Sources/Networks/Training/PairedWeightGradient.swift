internal import CNetworks
import Models

/// Direct sums over positions of input times gradient, tap by tap, of bfloat16: a word has the numbers of two positions,
/// so that one instruction adds both products.
///
/// A kernel of one tap and stride 1 pairs neighbours, whatever row they are in. Other kernels pair a row of the output
/// with the row below it: then every tap finds its pairs, however many columns it lies beside the output. What is beyond
/// the last position or row is 0.
struct PairedWeightGradient: WeightGradient {
  private let from: Value, to: Value
  private let kernel: Extent, stride: Extent, padding: Extent
  private let prologue: Prologue
  private let set: NetworkKernels
  /// Whether neighbours are paired.
  private let isFlat: Bool
  /// Pairs of an image or, unless they are neighbours, of rows; how many are taken at once; columns of each.
  private let lineCount: Int, lines: Int, columns: Int
  /// The columns of each remainder modulo the stride, and how many remainders; for pixels, the words of a row.
  private let phaseWidth: Int, phases: Int
  /// Words of one row of taps, of a pair of rows, and of all that is taken at once of a block, of the input and of the
  /// gradient.
  private let rowWords: Int
  private let inLine: Int, outLine: Int
  private let inBlock: Int, outBlock: Int
  private let taps: [Int]
  private let run: Int, step: Int
  let imagesAtOnce: Int

  /// - Throws: `OutOfMemory`.
  init(_ convolution: Convolution, _ from: Value, _ to: Value, _ prologue: Prologue, _ set: NetworkKernels)
    throws(OutOfMemory)
  {
    self.from = from
    self.to = to
    (kernel, stride, padding) = (convolution.kernel, convolution.stride, convolution.padding)
    self.set = set
    let one = Extent(rows: 1, columns: 1)
    isFlat = kernel == one && stride == one && padding == Extent(rows: 0, columns: 0) && !from.isPlanar
    let lanes = to.lanes
    lineCount = ((isFlat ? to.positions : to.height) + 1) / 2
    columns = isFlat ? 1 : to.width
    // The kernel that interleaves pixels always scales.
    self.prologue =
      from.isPlanar && prologue.changesNothing
      ? try Prologue(.identity(channels: from.channels), from) : prologue
    if from.isPlanar {
      phases = 1
      let pixels = (from.width + 2 * padding.columns) * from.channels
      rowWords = (pixels + lanes - 1) / lanes * lanes
      phaseWidth = rowWords
      (run, step) = (kernel.columns * from.channels, stride.columns * from.channels)
    } else {
      phases = min(stride.columns, kernel.columns)
      phaseWidth = columns + (kernel.columns - 1) / stride.columns
      rowWords = phases * phaseWidth * lanes
      (run, step) = (lanes, lanes)
    }
    (inLine, outLine) = (kernel.rows * rowWords, columns * lanes)
    let inBlocks = from.isPlanar ? 1 : from.blocks
    let lineBytes = (inBlocks * inLine + to.blocks * outLine) * MemoryLayout<UInt32>.stride
    // As few rounds as possible, each of about as many lines.
    let most = max(1, Slabs.mostBytes / lineBytes)
    let rounds = (lineCount + most - 1) / most
    lines = (lineCount + rounds - 1) / rounds
    imagesAtOnce = max(1, most / lineCount)
    (inBlock, outBlock) = (lines * inLine, lines * outLine)
    var taps: [Int] = []
    for block in 0..<inBlocks {
      for row in 0..<kernel.rows {
        if from.isPlanar { taps.append(row * rowWords) }
        for column in 0..<(from.isPlanar ? 0 : kernel.columns) {
          let (along, phase) = column.quotientAndRemainder(dividingBy: stride.columns)
          taps.append(block * inBlock + row * rowWords + (phase * phaseWidth + along) * lanes)
        }
      }
    }
    self.taps = taps
  }

  private var inImage: Int { (from.isPlanar ? 1 : from.blocks) * inBlock }
  private var outImage: Int { to.blocks * outBlock }
  /// Interleaved pixels of two rows.
  private var pixelSize: Int { from.isPlanar ? 2 * rowWords : 0 }

  func scratchSize(images: Int) -> Int { min(images, imagesAtOnce) * (inImage + outImage) + pixelSize }
  var sumSize: Int { taps.count * run * to.paddedChannels }

  func add(_ part: TrainingPart, input: Int, gradient: Int) {
    for first in Swift.stride(from: part.images.lowerBound, to: part.images.upperBound, by: imagesAtOnce) {
      let images = first..<min(first + imagesAtOnce, part.images.upperBound)
      for line in Swift.stride(from: 0, to: lineCount, by: lines) {
        add(images, line..<min(line + lines, lineCount), part, input: input, gradient: gradient)
      }
    }
  }

  private func add(_ images: Range<Int>, _ lines: Range<Int>, _ part: TrainingPart, input: Int, gradient: Int)
  {
    let ins = unsafe part.scratch
    let outs = unsafe ins + images.count * inImage
    let pixels = unsafe outs + images.count * outImage
    for image in images {
      let (x, dy) = unsafe (
        part.execution.read(input, image: image), part.execution.read(gradient, image: image)
      )
      let at = image - images.lowerBound
      unsafe pairGradient(lines, dy, outs + at * outImage)
      if isFlat {
        unsafe pairNeighbours(lines, x, from, prologue, ins + at * inImage)
      } else {
        unsafe pairRows(lines, x, ins + at * inImage, pixels)
      }
    }
    let begins = images.lowerBound == part.all.lowerBound && lines.lowerBound == 0
    for (index, tap) in taps.enumerated() {
      var outer = unsafe net_outer(
        x: ins + tap, x_step: step, x_row: inLine, x_image: inImage, dy: outs, dy_row: outLine,
        dy_image: outImage, dy_block: outBlock, images: images.count, rows: lines.count, columns: columns,
        run: run, blocks: to.blocks, sums: part.sums + index * run * to.lanes,
        sums_block: taps.count * run * to.lanes, begins: begins ? 1 : 0)
      unsafe set.training.outer_bfloat16(&outer)
    }
  }

  // MARK: - Pairs

  private func pairGradient(
    _ lines: Range<Int>, _ dy: UnsafePointer<Float>, _ out: UnsafeMutablePointer<Float>
  ) {
    if isFlat { return unsafe pairNeighbours(lines, dy, to, Prologue(), out) }
    for block in 0..<to.blocks {
      for line in lines {
        let low = unsafe dy + block * to.blockSize + 2 * line * to.rowSize
        let high = unsafe 2 * line + 1 < to.height ? low + to.rowSize : nil
        unsafe pair(
          low, high, to.lanes, columns, out + block * outBlock + (line - lines.lowerBound) * outLine)
      }
    }
  }

  private func pairNeighbours(
    _ lines: Range<Int>, _ x: UnsafePointer<Float>, _ value: Value, _ prologue: Prologue,
    _ out: UnsafeMutablePointer<Float>
  ) {
    let whole = min(lines.upperBound, value.positions / 2) - lines.lowerBound
    for block in 0..<value.blocks {
      let low = unsafe x + block * value.blockSize + 2 * lines.lowerBound * value.lanes
      // Blocks of the input and of the gradient are as long.
      let to = unsafe out + block * inBlock
      unsafe pair(low, low + value.lanes, 2 * value.lanes, whole, to, prologue, block)
      if whole < lines.count {
        unsafe pair(low + 2 * whole * value.lanes, nil, 0, 1, to + whole * value.lanes, prologue, block)
      }
    }
  }

  /// The rows that each row of taps reads for two rows of the output.
  private func pairRows(
    _ lines: Range<Int>, _ x: UnsafePointer<Float>, _ out: UnsafeMutablePointer<Float>,
    _ pixels: UnsafeMutablePointer<Float>
  ) {
    for line in lines {
      for tap in 0..<kernel.rows {
        let row = 2 * line * stride.rows + tap - padding.rows
        func inside(_ row: Int, _ output: Int) -> Int? {
          output < to.height && (0..<from.height).contains(row) ? row : nil
        }
        let (low, high) = (inside(row, 2 * line), inside(row + stride.rows, 2 * line + 1))
        let place = unsafe out + (line - lines.lowerBound) * inLine + tap * rowWords
        if from.isPlanar {
          let other = unsafe pixels + rowWords
          unsafe pair(
            low.map { unsafe interleaved($0, x, pixels) }, high.map { unsafe interleaved($0, x, other) },
            from.lanes, rowWords / from.lanes, place)
          continue
        }
        for block in 0..<from.blocks {
          let plane = unsafe x + block * from.blockSize
          for phase in 0..<phases {
            unsafe pairPhase(
              phase, low.map { unsafe plane + $0 * from.rowSize },
              high.map { unsafe plane + $0 * from.rowSize },
              place + block * inBlock + phase * phaseWidth * from.lanes, block)
          }
        }
      }
    }
  }

  /// The columns of one remainder modulo the stride, with the zeros on both sides.
  private func pairPhase(
    _ phase: Int, _ low: UnsafePointer<Float>?, _ high: UnsafePointer<Float>?,
    _ out: UnsafeMutablePointer<Float>, _ block: Int
  ) {
    let offset = phase - padding.columns
    let inside = Slabs.columns(inside: from.width, from: offset, by: stride.columns, of: phaseWidth)
    let (lanes, start) = (from.lanes, (inside.lowerBound * stride.columns + offset) * from.lanes)
    unsafe out.update(repeating: 0, count: inside.lowerBound * lanes)
    if !inside.isEmpty {
      unsafe pair(
        low.map { unsafe $0 + start }, high.map { unsafe $0 + start }, stride.columns * lanes, inside.count,
        out + inside.lowerBound * lanes, prologue, block)
    }
    unsafe (out + inside.upperBound * lanes).update(
      repeating: 0, count: (phaseWidth - inside.upperBound) * lanes)
  }

  /// A row of pixels with its padding.
  private func interleaved(
    _ row: Int, _ planes: UnsafePointer<Float>, _ out: UnsafeMutablePointer<Float>
  ) -> UnsafePointer<Float> {
    let (before, count) = (padding.columns * from.channels, from.width * from.channels)
    guard let scale = prologue.scale, let shift = prologue.shift else { return unsafe UnsafePointer(out) }
    unsafe out.update(repeating: 0, count: before)
    unsafe net_interleave(
      out + before, Int32(net_float32), from.channels, planes + row * from.width, from.positions,
      from.channels, from.width, scale.start, shift.start)
    unsafe (out + before + count).update(repeating: 0, count: rowWords - before - count)
    return unsafe UnsafePointer(out)
  }

  private func pair(
    _ low: UnsafePointer<Float>?, _ high: UnsafePointer<Float>?, _ step: Int, _ count: Int,
    _ out: UnsafeMutablePointer<Float>, _ prologue: Prologue = Prologue(), _ block: Int = 0
  ) {
    unsafe prologue.withBlocks(from: block) { prologue in
      unsafe set.training.pair(out, to.lanes, low, high, step, count, &prologue)
    }
  }
}
