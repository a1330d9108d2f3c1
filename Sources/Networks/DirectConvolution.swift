internal import CNetworks
import Models

/// A convolution as a sum over taps.
struct DirectConvolution: Layer {
  private let ends: ConvolutionEnds
  private let set: KernelSet
  private let weights: FloatBuffer
  /// Whole blocks; nil is 0.
  private let bias: FloatBuffer?
  private let slabs: Slabs

  init(
    _ layer: FusedLayer, _ convolution: Convolution, scale filterScale: [Float], bias: [Float],
    values: [Value], _ parameters: Parameters, _ set: KernelSet
  ) throws {
    let ends = ConvolutionEnds(layer, values)
    let weights = try Self.pack(
      parameters.values(of: convolution.weight), convolution, filterScale, ends.from, blocks: ends.to.blocks,
      set)
    try self.init(
      convolution, ends, weights: weights, bias: FloatBuffer(bias, blocks: ends.to.blocks),
      Prologue(layer.prologue, blocks: ends.from.blocks), set)
  }

  /// - Parameter weights: in the order in which the products read them; they may change between runs.
  init(
    _ convolution: Convolution, _ ends: ConvolutionEnds, weights: FloatBuffer, bias: FloatBuffer?,
    _ prologue: Prologue, _ set: KernelSet
  ) throws(OutOfMemory) {
    self.ends = ends
    self.weights = weights
    self.bias = bias
    self.set = set
    slabs = try Slabs(convolution, ends.from, ends.to, prologue, set)
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

  private var from: Value { ends.from }
  private var to: Value { ends.to }

  /// Small images share what is read of the weights, where their rows are one.
  var imagesAtOnce: Int { slabs.isFlat ? slabs.imagesAtOnce : 1 }

  func scratchSize(images: Int) -> Int { min(images, imagesAtOnce) * slabs.size }

  func run(_ images: Range<Int>, _ execution: Execution) {
    if execution.width == 1, imagesAtOnce > 1, isEven(execution.memory) {
      for first in stride(from: images.lowerBound, to: images.upperBound, by: imagesAtOnce) {
        let some = first..<min(first + imagesAtOnce, images.upperBound)
        unsafe execution.forEach(1) { _, scratch in
          unsafe make(rows: 0..<to.height, blocks: 0..<to.blocks, some, execution, scratch)
        }
      }
      return
    }
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
          image..<image + 1, execution, scratch)
      }
    }
  }

  /// Whether the images of output and residual are as far from each other.
  private func isEven(_ memory: MemoryPlan) -> Bool {
    let step = memory.stride(of: ends.output)
    return step > 0 && ends.residual.map { memory.stride(of: $0) == step } ?? true
  }

  /// Into how many parts an image is cut: what fits the cache; more rows or, where weights are more than pixels, more
  /// filters when several share the work.
  private func division(_ width: Int) -> (rows: Int, blocks: Int) {
    let count = (to.height + slabs.rows - 1) / slabs.rows
    guard width > 1 else { return (count, 1) }
    if weights.count > from.size { return (count, width) }
    return (min(to.height, max(count, 2 * width)), 1)
  }

  private func make(
    rows: Range<Int>, blocks: Range<Int>, _ images: Range<Int>, _ execution: Execution,
    _ scratch: UnsafeMutablePointer<Float>
  ) {
    let source = unsafe slabs.source(rows, of: images, ends.input, execution, scratch)
    let image = images.lowerBound
    // Of several images, each is a row.
    let isOne = images.count == 1
    let rowStep = isOne ? slabs.rowStep : slabs.imageStep(ends.input, execution)
    let outputStep = isOne ? to.width * 16 : execution.memory.stride(of: ends.output)
    let start = rows.lowerBound * to.width * 16 + blocks.lowerBound * to.positions * 16
    let first = blocks.lowerBound * 16
    let weights = unsafe UnsafePointer(self.weights.start + first * slabs.taps.count * slabs.run)
    unsafe slabs.taps.withUnsafeBufferPointer { taps in
      guard let taps = taps.baseAddress else { return }
      let residual = unsafe ends.residual.map { unsafe execution.read($0, image: image) + start }
      var product = unsafe net_product(
        x: source, x_step: slabs.step, x_row: rowStep, taps: taps, tap_count: slabs.taps.count,
        run: slabs.run, weights: weights, next: weights,
        bias: bias.map { unsafe UnsafePointer($0.start + first) }, residual: residual,
        y: execution.write(ends.output, image: image) + start, y_row: outputStep,
        y_block: to.positions * 16,
        rows: isOne ? rows.count : images.count, columns: isOne ? to.width : to.positions,
        blocks: blocks.count, relu: ends.relu ? 1 : 0)
      unsafe set.table.product(&product)
    }
  }
}
