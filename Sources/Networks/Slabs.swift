internal import CNetworks
import Models

/// Where the taps of a convolution find their input: in blocks of channels or, if the input is planes, in interleaved
/// pixels.
///
/// A slab is the input of a few output rows. It is first copied to scratch memory with its padding, and with the
/// columns sorted by their remainder modulo the stride, so that neighbours in the output are neighbours there, too.
/// Input that needs neither padding nor stride nor prologue is read where it lies. Unlike an im2col buffer, a slab
/// holds each number once, however many taps read it.
struct Slabs: Sendable {
  let from: Value, to: Value
  /// The numbers that the taps read.
  let type: NumberType
  /// The distance of each tap from a position, in words of four bytes; each tap has `run` words.
  let taps: [Int]
  /// Output rows for which a slab is the input.
  let rows: Int
  /// Words of a tap, and from one output column, and from one output row, to the next.
  let run: Int, step: Int, rowStep: Int
  /// Words of scratch memory for one slab.
  let scratchSize: Int
  /// Images whose slabs are used together, one after the other in scratch memory: more than 1 if they are small.
  let imagesAtOnce: Int
  private let geometry: Geometry
  private let kernel: Extent, stride: Extent, padding: Extent
  private let isCopied: Bool
  /// Numbers of an interleaved pixel.
  private let pixel: Int
  private let prologue: Prologue
  private let set: NetworkKernels

  /// How the copied rows lie in scratch memory, in numbers.
  private struct Geometry {
    /// Input rows from one output row to the next.
    var rowStep: Int
    /// Columns of each remainder modulo the stride, and how many remainders.
    var phaseWidth: Int, phases: Int
    var row: Int, block: Int
    /// From one output column to the next.
    var step: Int
    var run: Int
    var size: Int
  }

  /// Numbers of an interleaved pixel: the channels, filled up with zeros if positions would not begin a word otherwise.
  static func pixel(_ convolution: Convolution, _ from: Value, _ type: NumberType) -> Int {
    let word = type.perWord
    return convolution.stride.columns * from.channels % word == 0
      ? from.channels : (from.channels + word - 1) / word * word
  }

  /// - Parameter type: the numbers that the taps read.
  /// - Throws: `OutOfMemory`.
  init(
    _ convolution: Convolution, _ from: Value, _ to: Value, _ prologue: Prologue,
    _ set: NetworkKernels, type: NumberType = .float32
  ) throws(OutOfMemory) {
    self.from = from
    self.to = to
    self.type = type
    self.set = set
    (kernel, stride, padding) = (convolution.kernel, convolution.stride, convolution.padding)
    let one = Extent(rows: 1, columns: 1)
    isCopied =
      from.isPlanar || from.type != type || !prologue.changesNothing || padding != Extent(rows: 0, columns: 0)
      || kernel != one
      || stride != one
    pixel = Self.pixel(convolution, from, type)
    // The kernel that interleaves pixels always scales, and so does what makes whole numbers.
    var entering = prologue
    if prologue.changesNothing, from.isPlanar || type.isQuantized && from.type != type {
      entering = try Prologue(.identity(channels: from.channels), from)
    }
    self.prologue = try type.isQuantized && isCopied ? entering.quantizing(from.type, to: type) : entering
    let isCopied = isCopied
    func geometry(_ rows: Int) -> Geometry { Self.geometry(convolution, from, to, type, rows: rows) }
    let outputRow = to.rowSize * to.blocks * to.type.byteCount
    if isCopied {
      var rows = to.height
      while rows > 1, geometry(rows).size * type.byteCount + rows * outputRow > Self.mostBytes {
        rows = (rows + 1) / 2
      }
      self.rows = rows
      self.geometry = geometry(rows)
      rowStep = self.geometry.rowStep * self.geometry.row / type.perWord
      scratchSize = self.geometry.size / type.perWord
    } else {
      // As many rows as stay in the cache while all filters pass over them.
      rows = min(
        to.height,
        max(1, Self.mostBytes / max(1, from.blocks * from.rowSize * from.type.byteCount + outputRow)))
      var plain = geometry(1)
      plain.row = from.rowSize
      plain.block = from.blockSize
      self.geometry = plain
      rowStep = plain.row / type.perWord
      scratchSize = 0
    }
    let byteCount = (isCopied ? self.geometry.size * type.byteCount : from.byteCount) + to.byteCount
    imagesAtOnce = rows == to.height ? max(1, Self.mostBytes / max(1, byteCount)) : 1
    step = self.geometry.step / type.perWord
    run = self.geometry.run / type.perWord
    taps = Self.taps(convolution, from, self.geometry).map { $0 / type.perWord }
  }

  /// Bytes of input and output that a product may pass over again and again: half of a second-level cache of 1 MiB.
  static let mostBytes = 1 << 19

  private static func geometry(
    _ convolution: Convolution, _ from: Value, _ to: Value, _ type: NumberType, rows: Int
  ) -> Geometry {
    let (kernel, stride) = (convolution.kernel, convolution.stride)
    // Rows that no tap reads are left out.
    let rowStep = min(stride.rows, kernel.rows)
    let copiedRows = (rows - 1) * rowStep + kernel.rows
    if from.isPlanar {
      // Whole words; the last one of a row of taps may have a number too many, which its weights make 0.
      let (word, pixel) = (type.perWord, pixel(convolution, from, type))
      let row = ((from.width + 2 * convolution.padding.columns) * pixel + word - 1) / word * word
      return Geometry(
        rowStep: rowStep, phaseWidth: 0, phases: 1, row: row, block: 0, step: stride.columns * pixel,
        run: (kernel.columns * pixel + word - 1) / word * word, size: copiedRows * row + word)
    }
    let phases = min(stride.columns, kernel.columns)
    let phaseWidth = to.width + (kernel.columns - 1) / stride.columns
    let row = phases * phaseWidth * from.lanes
    let block = copiedRows * row
    return Geometry(
      rowStep: rowStep, phaseWidth: phaseWidth, phases: phases, row: row, block: block,
      step: from.lanes, run: from.lanes, size: block * from.blocks)
  }

  /// Block by block of channels, row by row of the kernel.
  private static func taps(_ convolution: Convolution, _ from: Value, _ geometry: Geometry) -> [Int] {
    if from.isPlanar { return (0..<convolution.kernel.rows).map { $0 * geometry.row } }
    var taps: [Int] = []
    for block in 0..<from.blocks {
      for row in 0..<convolution.kernel.rows {
        for column in 0..<convolution.kernel.columns {
          let phase = column % convolution.stride.columns
          let along = column / convolution.stride.columns
          taps.append(
            block * geometry.block + row * geometry.row + (phase * geometry.phaseWidth + along) * from.lanes)
        }
      }
    }
    return taps
  }

  /// Brings the input of some output rows, at most a slab, to where the taps read it.
  ///
  /// - Parameter scratch: memory for one slab.
  /// - Returns: where the taps of the first position begin: in `scratch`, or in the input itself.
  func source(
    _ rows: Range<Int>, of input: UnsafeRawPointer, _ scratch: UnsafeMutablePointer<Float>
  ) -> UnsafeRawPointer {
    guard isCopied else { return unsafe input + rows.lowerBound * geometry.row * type.byteCount }
    if from.isPlanar {
      unsafe copyPixels(rows, input.assumingMemoryBound(to: Float.self), UnsafeMutableRawPointer(scratch))
    } else {
      unsafe copyBlocks(rows, input, UnsafeMutableRawPointer(scratch))
    }
    return UnsafeRawPointer(scratch)
  }

  /// The input row of a copied row; it may lie outside of the image.
  private func inputRow(_ copied: Int, _ rows: Range<Int>) -> Int {
    guard kernel.rows < stride.rows else {
      return rows.lowerBound * stride.rows + copied - padding.rows
    }
    return (rows.lowerBound + copied / kernel.rows) * stride.rows + copied % kernel.rows - padding.rows
  }

  private func copiedCount(_ rows: Range<Int>) -> Int { (rows.count - 1) * geometry.rowStep + kernel.rows }

  /// The same for several images, whose slabs follow each other in `scratch`.
  func source(
    _ rows: Range<Int>, of images: Range<Int>, _ input: Int, _ execution: Execution,
    _ scratch: UnsafeMutablePointer<Float>
  ) -> UnsafeRawPointer {
    let first = unsafe source(rows, of: execution.source(input, image: images.lowerBound), scratch)
    guard isCopied else { return unsafe first }
    for image in images.dropFirst() {
      _ = unsafe source(
        rows, of: execution.source(input, image: image),
        scratch + (image - images.lowerBound) * scratchSize)
    }
    return unsafe first
  }

  /// Words from where one image is read to where the next one is.
  func imageStep(_ input: Int, _ execution: Execution) -> Int {
    isCopied ? scratchSize : execution.memory.stride(of: input) / type.perWord
  }

  /// Whether what neighbouring output positions read follows without a gap, from row to row, too.
  var isFlat: Bool { rowStep == to.width * step }

  private func copyPixels(
    _ rows: Range<Int>, _ input: UnsafePointer<Float>, _ scratch: UnsafeMutableRawPointer
  ) {
    guard let scale = prologue.scale, let shift = prologue.shift else { return }
    let sidePadding = padding.columns * pixel
    let count = copiedCount(rows)
    for copied in 0..<count {
      let out = unsafe scratch + copied * geometry.row * type.byteCount
      let row = inputRow(copied, rows)
      guard row >= 0, row < from.height else {
        unsafe clear(out, geometry.row)
        continue
      }
      let pixels = from.width * pixel
      unsafe clear(out, sidePadding)
      unsafe clear(
        out + (sidePadding + pixels) * type.byteCount, geometry.row - sidePadding - pixels)
      unsafe net_interleave(
        out + sidePadding * type.byteCount, type.kernelType, pixel, input + row * from.width, from.positions,
        from.channels, from.width, scale.start, shift.start)
    }
    // The number too many that the last taps read.
    unsafe clear(scratch + count * geometry.row * type.byteCount, type.perWord)
  }

  /// Makes numbers 0. In the other types all bytes of a zero are 0.
  private func clear(_ start: UnsafeMutableRawPointer, _ count: Int) {
    _ = unsafe start.initializeMemory(as: UInt8.self, repeating: type.zero, count: count * type.byteCount)
  }

  private func copyBlocks(
    _ rows: Range<Int>, _ input: UnsafeRawPointer, _ scratch: UnsafeMutableRawPointer
  ) {
    for block in 0..<from.blocks {
      unsafe prologue.withBlocks(from: block) { prologue in
        for copied in 0..<copiedCount(rows) {
          let out = unsafe scratch + (block * geometry.block + copied * geometry.row) * type.byteCount
          let row = inputRow(copied, rows)
          guard row >= 0, row < from.height else {
            unsafe clear(out, geometry.row)
            continue
          }
          let at = (block * from.positions + row * from.width) * from.lanes
          let line = unsafe input + at * from.type.byteCount
          for phase in 0..<geometry.phases {
            let begin = phase * geometry.phaseWidth * from.lanes
            unsafe copyPhase(phase, line, out + begin * type.byteCount, &prologue)
          }
        }
      }
    }
  }

  /// The columns of one remainder modulo the stride, with the zeros on both sides.
  private func copyPhase(
    _ phase: Int, _ line: UnsafeRawPointer, _ out: UnsafeMutableRawPointer,
    _ prologue: inout net_prologue
  ) {
    let offset = phase - padding.columns
    let inside = Self.columns(inside: from.width, from: offset, by: stride.columns, of: geometry.phaseWidth)
    let lanes = from.lanes
    unsafe clear(out, inside.lowerBound * lanes)
    if !inside.isEmpty {
      unsafe set.table.gather(
        out + inside.lowerBound * lanes * type.byteCount, type.kernelType,
        line + (inside.lowerBound * stride.columns + offset) * lanes * from.type.byteCount,
        from.type.kernelType,
        stride.columns * lanes, inside.count, &prologue)
    }
    unsafe clear(
      out + inside.upperBound * lanes * type.byteCount, (geometry.phaseWidth - inside.upperBound) * lanes)
  }

  /// Which of the input columns m * stride + offset, with m in 0..<count, lie within the image.
  static func columns(inside width: Int, from offset: Int, by stride: Int, of count: Int) -> Range<Int> {
    let first = min(count, offset >= 0 ? 0 : (-offset + stride - 1) / stride)
    return first..<max(first, min(count, (width - offset + stride - 1) / stride))
  }
}
