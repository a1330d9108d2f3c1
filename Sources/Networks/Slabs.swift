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
  /// The distance of each tap from a position, in floats; each tap has `run` numbers.
  let taps: [Int]
  /// Output rows for which a slab is the input.
  let rows: Int
  /// Numbers of a tap; floats from one output column, and from one output row, to the next.
  let run: Int, step: Int, rowStep: Int
  /// Floats of scratch memory for one slab.
  let size: Int
  /// Images whose slabs are used together, one after the other in scratch memory: more than 1 if they are small.
  let imagesAtOnce: Int
  private let geometry: Geometry
  private let kernel: Extent, stride: Extent, padding: Extent
  private let isCopied: Bool
  private let prologue: Prologue
  private let set: NetworkKernels

  /// How the copied rows lie in scratch memory, in floats.
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

  /// - Throws: `OutOfMemory`.
  init(_ convolution: Convolution, _ from: Value, _ to: Value, _ prologue: Prologue, _ set: NetworkKernels)
    throws(OutOfMemory)
  {
    self.from = from
    self.to = to
    self.set = set
    (kernel, stride, padding) = (convolution.kernel, convolution.stride, convolution.padding)
    let one = Extent(rows: 1, columns: 1)
    isCopied =
      from.isPlanar || !prologue.changesNothing || padding != Extent(rows: 0, columns: 0) || kernel != one
      || stride != one
    // The kernel that interleaves pixels always scales.
    self.prologue =
      from.isPlanar && prologue.changesNothing
      ? try Prologue(.identity(channels: from.channels), from) : prologue
    let isCopied = isCopied
    func geometry(_ rows: Int) -> Geometry { Self.geometry(convolution, from, to, rows: rows) }
    if isCopied {
      var rows = to.height
      while rows > 1, geometry(rows).size + rows * to.rowSize * to.blocks > Self.mostFloats {
        rows = (rows + 1) / 2
      }
      self.rows = rows
      self.geometry = geometry(rows)
      rowStep = self.geometry.rowStep * self.geometry.row
      size = self.geometry.size
    } else {
      // As many rows as stay in the cache while all filters pass over them.
      rows = min(to.height, max(1, Self.mostFloats / max(1, (from.blocks + to.blocks) * from.rowSize)))
      var plain = geometry(1)
      plain.row = from.rowSize
      plain.block = from.blockSize
      self.geometry = plain
      rowStep = plain.row
      size = 0
    }
    let floats = (isCopied ? size : from.size) + to.size
    imagesAtOnce = rows == to.height ? max(1, Self.mostFloats / max(1, floats)) : 1
    step = self.geometry.step
    run = self.geometry.run
    taps = Self.taps(convolution, from, self.geometry)
  }

  /// Floats of input and output that a product may pass over again and again: half of a second-level cache of 1 MiB.
  private static let mostFloats = 131_072

  private static func geometry(_ convolution: Convolution, _ from: Value, _ to: Value, rows: Int) -> Geometry
  {
    let (kernel, stride) = (convolution.kernel, convolution.stride)
    // Rows that no tap reads are left out.
    let rowStep = min(stride.rows, kernel.rows)
    let copiedRows = (rows - 1) * rowStep + kernel.rows
    if from.isPlanar {
      let row = (from.width + 2 * convolution.padding.columns) * from.channels
      return Geometry(
        rowStep: rowStep, phaseWidth: 0, phases: 1, row: row, block: 0, step: stride.columns * from.channels,
        run: kernel.columns * from.channels, size: copiedRows * row)
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
    _ rows: Range<Int>, of input: UnsafePointer<Float>, _ scratch: UnsafeMutablePointer<Float>
  ) -> UnsafePointer<Float> {
    guard isCopied else { return unsafe input + rows.lowerBound * geometry.row }
    if from.isPlanar {
      unsafe copyPixels(rows, input, scratch)
    } else {
      unsafe copyBlocks(rows, input, scratch)
    }
    return unsafe UnsafePointer(scratch)
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
  ) -> UnsafePointer<Float> {
    let first = unsafe source(rows, of: execution.read(input, image: images.lowerBound), scratch)
    guard isCopied else { return unsafe first }
    for image in images.dropFirst() {
      _ = unsafe source(
        rows, of: execution.read(input, image: image), scratch + (image - images.lowerBound) * size)
    }
    return unsafe first
  }

  /// Floats from where one image is read to where the next one is.
  func imageStep(_ input: Int, _ execution: Execution) -> Int {
    isCopied ? size : execution.memory.stride(of: input)
  }

  /// Whether what neighbouring output positions read follows without a gap, from row to row, too.
  var isFlat: Bool { rowStep == to.width * step }

  private func copyPixels(
    _ rows: Range<Int>, _ input: UnsafePointer<Float>, _ scratch: UnsafeMutablePointer<Float>
  ) {
    guard let scale = prologue.scale, let shift = prologue.shift else { return }
    let sidePadding = padding.columns * from.channels
    for copied in 0..<copiedCount(rows) {
      let out = unsafe scratch + copied * geometry.row
      let row = inputRow(copied, rows)
      guard row >= 0, row < from.height else {
        unsafe out.update(repeating: 0, count: geometry.row)
        continue
      }
      unsafe out.update(repeating: 0, count: sidePadding)
      unsafe (out + sidePadding + from.width * from.channels).update(repeating: 0, count: sidePadding)
      unsafe net_interleave(
        out + sidePadding, input + row * from.width, from.positions, from.channels, from.width, scale.start,
        shift.start)
    }
  }

  private func copyBlocks(
    _ rows: Range<Int>, _ input: UnsafePointer<Float>, _ scratch: UnsafeMutablePointer<Float>
  ) {
    for block in 0..<from.blocks {
      unsafe prologue.withBlocks(from: block) { prologue in
        for copied in 0..<copiedCount(rows) {
          let out = unsafe scratch + block * geometry.block + copied * geometry.row
          let row = inputRow(copied, rows)
          guard row >= 0, row < from.height else {
            unsafe out.update(repeating: 0, count: geometry.row)
            continue
          }
          let line = unsafe input + (block * from.positions + row * from.width) * from.lanes
          for phase in 0..<geometry.phases {
            unsafe copyPhase(phase, line, out + phase * geometry.phaseWidth * from.lanes, &prologue)
          }
        }
      }
    }
  }

  /// The columns of one remainder modulo the stride, with the zeros on both sides.
  private func copyPhase(
    _ phase: Int, _ line: UnsafePointer<Float>, _ out: UnsafeMutablePointer<Float>,
    _ prologue: inout net_prologue
  ) {
    let offset = phase - padding.columns
    // Input columns are m * stride + offset.
    let first = min(geometry.phaseWidth, offset >= 0 ? 0 : (-offset + stride.columns - 1) / stride.columns)
    let end = max(
      first, min(geometry.phaseWidth, (from.width - offset + stride.columns - 1) / stride.columns))
    let lanes = from.lanes
    unsafe out.update(repeating: 0, count: first * lanes)
    if end > first {
      unsafe set.table.gather(
        out + first * lanes, line + (first * stride.columns + offset) * lanes, stride.columns * lanes,
        end - first, &prologue)
    }
    unsafe (out + end * lanes).update(repeating: 0, count: (geometry.phaseWidth - end) * lanes)
  }
}
