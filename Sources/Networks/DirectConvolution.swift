internal import CKernels
import Models
internal import Tensors

/// A convolution as a sum over taps, on blocks of 16 channels; or on interleaved pixels, where the input is planes.
///
/// What the taps of a few output rows need is first copied to scratch memory with its margins, and with the columns of
/// a stride sorted by their remainder, so that neighbours in the output are neighbours there too; what has neither
/// margin nor stride nor prologue is read where it lies.
struct DirectConvolution: Layer {
  private let layer: FusedLayer
  private let convolution: Convolution
  private let from: Value, to: Value
  private let set: KernelSet
  private let weights: FloatBuffer
  /// Padded to whole blocks.
  private let bias: [Float]
  private let prologue: Prologue
  private let isCopied: Bool
  private let geometry: Geometry
  private let taps: [Int]

  /// How the copied rows lie in scratch memory, in floats.
  private struct Geometry {
    /// Output rows that are made at once.
    var rows: Int
    /// Input rows from one output row to the next.
    var rowStep: Int
    /// Columns of each remainder of the stride, and how many remainders.
    var phaseWidth: Int, phases: Int
    var row: Int, block: Int
    /// Floats from one output column to the next.
    var step: Int
    var run: Int
    var size: Int
  }

  init(
    _ layer: FusedLayer, _ convolution: Convolution, scale filterScale: [Float], bias: [Float],
    values: [Value],
    _ parameters: Parameters, _ set: KernelSet
  ) throws {
    self.layer = layer
    self.convolution = convolution
    self.set = set
    from = values[layer.input]
    to = values[layer.output]
    self.bias = padded(bias, to: to.blocks * 16)
    let (kernel, stride) = (convolution.kernel, convolution.stride)
    let hasMargins = convolution.padding != Extent(rows: 0, columns: 0)
    isCopied =
      from.isPlanar || layer.prologue != nil || hasMargins || kernel != Extent(rows: 1, columns: 1)
      || stride != Extent(rows: 1, columns: 1)
    // Pixels are brought to their place by a kernel that always scales.
    let plain = from.isPlanar ? Affine.identity(channels: from.channels) : nil
    prologue = Prologue(layer.prologue ?? plain, blocks: from.blocks)
    geometry = Self.geometry(convolution, from, to, isCopied: isCopied)
    taps = Self.taps(convolution, from, geometry, isCopied: isCopied)
    weights = try Self.pack(
      parameters.values(of: convolution.weight), convolution, filterScale, from, blocks: to.blocks, set)
  }

  // MARK: - Layout

  private static func geometry(_ convolution: Convolution, _ from: Value, _ to: Value, isCopied: Bool)
    -> Geometry
  {
    let (kernel, stride) = (convolution.kernel, convolution.stride)
    func geometry(rows: Int) -> Geometry {
      // Rows that no tap needs are left out.
      let rowStep = min(stride.rows, kernel.rows)
      let copiedRows = (rows - 1) * rowStep + kernel.rows
      if from.isPlanar {
        let row = (from.width + 2 * convolution.padding.columns) * from.channels
        return Geometry(
          rows: rows, rowStep: rowStep, phaseWidth: 0, phases: 1, row: row, block: 0,
          step: stride.columns * from.channels, run: kernel.columns * from.channels, size: copiedRows * row)
      }
      let phases = min(stride.columns, kernel.columns)
      let phaseWidth = to.width + (kernel.columns - 1) / stride.columns
      let row = phases * phaseWidth * 16
      let block = copiedRows * row
      return Geometry(
        rows: rows, rowStep: rowStep, phaseWidth: phaseWidth, phases: phases,
        row: row,
        block: block, step: 16, run: 16, size: block * from.blocks)
    }
    guard isCopied else {
      // Read in place: as many rows as stay in the cache while all filters pass over them.
      var plain = geometry(rows: 1)
      plain.rows = min(to.height, max(1, slabSize / max(1, from.blocks * 16 * from.width)))
      plain.row = from.width * 16
      plain.block = from.positions * 16
      plain.size = 0
      return plain
    }
    var rows = to.height
    while rows > 1, geometry(rows: rows).size > slabSize { rows = (rows + 1) / 2 }
    return geometry(rows: rows)
  }

  /// Floats of input that are passed over again and again: half of a second-level cache of 1 MiB.
  private static let slabSize = 131_072

  private static func taps(_ convolution: Convolution, _ from: Value, _ geometry: Geometry, isCopied: Bool)
    -> [Int]
  {
    if from.isPlanar { return (0..<convolution.kernel.rows).map { $0 * geometry.row } }
    var taps: [Int] = []
    for block in 0..<from.blocks {
      for row in 0..<convolution.kernel.rows {
        for column in 0..<convolution.kernel.columns {
          let phase = column % convolution.stride.columns
          let along = column / convolution.stride.columns
          taps.append(
            block * geometry.block + row * geometry.row + (phase * geometry.phaseWidth + along) * 16)
        }
      }
    }
    return taps
  }

  /// In the order in which the products read them.
  private static func pack(
    _ weights: [Float], _ convolution: Convolution, _ scale: [Float], _ from: Value, blocks: Int,
    _ set: KernelSet
  ) throws -> FloatBuffer {
    let area = convolution.kernel.rows * convolution.kernel.columns
    let channels = from.isPlanar ? from.channels : from.blocks * 16
    let packed = try FloatBuffer(count: area * channels * blocks * 16)
    unsafe weights.withUnsafeBufferPointer { weights in
      var out = unsafe packed.start
      let order = order(area: area, channels, isPlanar: from.isPlanar)
      for first in stride(from: 0, to: blocks, by: set.group) {
        let filters = first * 16..<min(first + set.group, blocks) * 16
        // Taps in the order of `taps`; in one tap, all the channels of the run.
        for (tap, channel) in order {
          for filter in filters {
            if filter < convolution.filters, channel < from.channels {
              unsafe out.pointee =
                weights[(filter * from.channels + channel) * area + tap] * scale[filter]
            }
            unsafe out += 1
          }
        }
      }
    }
    return packed
  }

  private static func order(
    area: Int, _ channels: Int, isPlanar: Bool
  ) -> [(tap: Int, channel: Int)] {
    var order: [(tap: Int, channel: Int)] = []
    if isPlanar {
      for tap in 0..<area { for channel in 0..<channels { order.append((tap, channel)) } }
    } else {
      for block in stride(from: 0, to: channels, by: 16) {
        for tap in 0..<area { for channel in block..<block + 16 { order.append((tap, channel)) } }
      }
    }
    return order
  }

  // MARK: - Running

  func scratchSize(images: Int) -> Int { geometry.size }

  func run(_ images: Range<Int>, _ execution: Execution) {
    for image in images {
      let parts = division(execution.width)
      let rows = (to.height + parts.rows - 1) / parts.rows
      let groups = (to.blocks + set.group - 1) / set.group
      let blocks = (groups + parts.blocks - 1) / parts.blocks * set.group
      unsafe execution.forEach(parts.rows * parts.blocks) { part, scratch in
        let firstRow = part / parts.blocks * rows
        let firstBlock = part % parts.blocks * blocks
        guard firstRow < to.height, firstBlock < to.blocks else { return }
        unsafe make(
          rows: firstRow..<min(firstRow + rows, to.height),
          blocks: firstBlock..<min(firstBlock + blocks, to.blocks),
          image, execution, scratch)
      }
    }
  }

  /// Into how many parts an image is cut: what fits the cache; more rows or, where weights are more than pixels, more
  /// filters when several share the work.
  private func division(_ width: Int) -> (rows: Int, blocks: Int) {
    let slabs = (to.height + geometry.rows - 1) / geometry.rows
    guard width > 1 else { return (slabs, 1) }
    if weights.count > from.size { return (slabs, width) }
    return (min(to.height, max(slabs, 2 * width)), 1)
  }

  private func make(
    rows: Range<Int>, blocks: Range<Int>, _ image: Int, _ execution: Execution,
    _ scratch: UnsafeMutablePointer<Float>
  ) {
    let input = unsafe execution.read(layer.input, image: image)
    var source = unsafe input + rows.lowerBound * geometry.row
    if isCopied {
      if from.isPlanar {
        unsafe copyPixels(rows, input, scratch)
      } else {
        unsafe copyBlocks(rows, input, scratch)
      }
      unsafe source = UnsafePointer(scratch)
    }
    let start = rows.lowerBound * to.width * 16 + blocks.lowerBound * to.positions * 16
    unsafe taps.withUnsafeBufferPointer { taps in
      unsafe bias.withUnsafeBufferPointer { bias in
        guard let taps = taps.baseAddress, let bias = bias.baseAddress else { return }
        let first = blocks.lowerBound * 16
        let residual = unsafe layer.residual.map { unsafe execution.read($0, image: image) + start }
        var product = unsafe n_product(
          x: source, x_step: geometry.step, x_row: isCopied ? geometry.rowStep * geometry.row : geometry.row,
          taps: taps, tap_count: self.taps.count, run: geometry.run,
          weights: weights.start + first * self.taps.count * geometry.run, bias: bias + first,
          residual: residual,
          y: execution.write(layer.output, image: image) + start, y_row: to.width * 16,
          y_block: to.positions * 16,
          rows: rows.count, columns: to.width, blocks: blocks.count, relu: layer.relu ? 1 : 0)
        unsafe set.table.product(&product)
      }
    }
  }

  /// The input row of each copied row, or one outside of the image.
  private func inputRow(_ copied: Int, _ rows: Range<Int>) -> Int {
    let (kernel, stride) = (convolution.kernel.rows, convolution.stride.rows)
    guard kernel < stride else { return rows.lowerBound * stride + copied - convolution.padding.rows }
    return (rows.lowerBound + copied / kernel) * stride + copied % kernel - convolution.padding.rows
  }

  private func copiedCount(_ rows: Range<Int>) -> Int {
    (rows.count - 1) * geometry.rowStep + convolution.kernel.rows
  }

  private func copyPixels(
    _ rows: Range<Int>, _ input: UnsafePointer<Float>, _ scratch: UnsafeMutablePointer<Float>
  ) {
    let margin = convolution.padding.columns * from.channels
    for copied in 0..<copiedCount(rows) {
      let out = unsafe scratch + copied * geometry.row
      let row = inputRow(copied, rows)
      guard row >= 0, row < from.height else {
        unsafe out.update(repeating: 0, count: geometry.row)
        continue
      }
      unsafe out.update(repeating: 0, count: margin)
      unsafe (out + margin + from.width * from.channels).update(repeating: 0, count: margin)
      unsafe n_interleave(
        out + margin, input + row * from.width, from.positions, from.channels, from.width, prologue.scale,
        prologue.shift)
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
          let line = unsafe input + (block * from.positions + row * from.width) * 16
          for phase in 0..<geometry.phases {
            unsafe copyPhase(phase, line, out + phase * geometry.phaseWidth * 16, &prologue)
          }
        }
      }
    }
  }

  /// The columns of one remainder of the stride, with the zeros on both sides.
  private func copyPhase(
    _ phase: Int, _ line: UnsafePointer<Float>, _ out: UnsafeMutablePointer<Float>,
    _ prologue: inout n_prologue
  ) {
    let stride = convolution.stride.columns
    let offset = phase - convolution.padding.columns
    // Input columns are m * stride + offset.
    let first = min(geometry.phaseWidth, offset >= 0 ? 0 : (-offset + stride - 1) / stride)
    let end = max(first, min(geometry.phaseWidth, (from.width - offset + stride - 1) / stride))
    unsafe out.update(repeating: 0, count: first * 16)
    if end > first {
      unsafe set.table.gather(
        out + first * 16, line + (first * stride + offset) * 16, stride * 16, end - first, &prologue)
    }
    unsafe (out + end * 16).update(repeating: 0, count: (geometry.phaseWidth - end) * 16)
  }
}
