internal import CNetworks
import Models

/// A convolution as a direct sum over taps and channels.
struct DirectConvolution: Layer {
  private let ends: ConvolutionEnds
  private let set: NetworkKernels
  private let weights: FloatBuffer
  /// A number for each filter, in whole blocks; nil: zeros.
  private let bias: FloatBuffer?
  /// Only with integer sums.
  private let scales: SumScales?
  private let slabs: Slabs

  /// - Parameters:
  ///   - type: the numbers that are multiplied.
  ///   - means: the mean of each channel of the input, by which the bias is corrected if the type is quantized.
  /// - Throws: a `ModelError` if the weights cannot be read; `OutOfMemory`.
  init(
    _ layer: FusedLayer, _ convolution: Convolution, scale filterScale: [Float], bias: [Float],
    values: [Value], _ parameters: Parameters, _ set: NetworkKernels,
    type: NumberType, means: [Float] = []
  ) throws {
    let ends = ConvolutionEnds(layer, values)
    let layout = WeightLayout(convolution, from: ends.from)
    let filters = try parameters.values(of: convolution.weight)
    let prologue = try Prologue(layer.prologue, ends.from)
    let pixel = Slabs.pixel(convolution, ends.from, type)
    guard type.isQuantized else {
      let weights = try PackedWeights(
        filters, scale: filterScale, layout, .direct, type: type, pixel: pixel, set)
      try self.init(
        convolution, ends, weights, bias: FloatBuffer(bias, count: ends.to.paddedChannels), prologue, set)
      return
    }
    let quantized = QuantizedFilters(filters, scale: filterScale, area: layout.area, means: means)
    let narrow = try QuantizedWeights(quantized, layout, pixel: pixel, set)
    let scales = try SumScales(
      quantized, bias: bias, count: ends.to.paddedChannels, from: type, to: ends.to.type,
      residual: ends.residual.map { values[$0].type })
    try self.init(
      ends: ends, set: set, weights: narrow.buffer, bias: scales.bias, scales: scales,
      slabs: Slabs(convolution, ends.from, ends.to, prologue, set, type: type))
  }

  private init(
    ends: ConvolutionEnds, set: NetworkKernels, weights: FloatBuffer, bias: FloatBuffer?, scales: SumScales?,
    slabs: Slabs
  ) {
    self.ends = ends
    self.set = set
    self.weights = weights
    self.bias = bias
    self.scales = scales
    self.slabs = slabs
  }

  /// - Parameter weights: packed in direct order, of the type that is multiplied; they may change between runs.
  /// - Throws: `OutOfMemory`.
  init(
    _ convolution: Convolution, _ ends: ConvolutionEnds, _ weights: PackedWeights, bias: FloatBuffer?,
    _ prologue: Prologue, _ set: NetworkKernels
  ) throws(OutOfMemory) {
    try self.init(
      ends: ends, set: set, weights: weights.buffer, bias: bias, scales: nil,
      slabs: Slabs(convolution, ends.from, ends.to, prologue, set, type: weights.type))
  }

  // MARK: - Running

  private var from: Value { ends.from }
  private var to: Value { ends.to }

  /// Small images whose rows follow each other without a gap are one product, which reads the weights once.
  var imagesAtOnce: Int { slabs.isFlat ? slabs.imagesAtOnce : 1 }

  func scratchSize(images: Int) -> Int { min(images, imagesAtOnce) * slabs.scratchSize }

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

  /// Whether the images of the residual are as far from each other as those of the output.
  private func isEven(_ memory: MemoryPlan) -> Bool {
    let step = memory.stride(of: ends.output)
    return step > 0 && ends.residual.map { memory.stride(of: $0) == step } ?? true
  }

  /// Into how many parts an image is cut, so that one fits the cache. If several workers share the image, it is cut
  /// into more parts of its rows or, if the weights are more than the input, into parts of the filters.
  private func division(_ width: Int) -> (rows: Int, blocks: Int) {
    let count = (to.height + slabs.rows - 1) / slabs.rows
    guard width > 1 else { return (count, 1) }
    if weights.count * MemoryLayout<Float>.stride > from.byteCount { return (count, width) }
    return (min(to.height, max(count, 2 * width)), 1)
  }

  private func make(
    rows: Range<Int>, blocks: Range<Int>, _ images: Range<Int>, _ execution: Execution,
    _ scratch: UnsafeMutablePointer<Float>
  ) {
    let source = unsafe slabs.source(rows, of: images, ends.input, execution, scratch)
    let image = images.lowerBound
    // Each of several images is a row of the product.
    let isOne = images.count == 1
    let rowStep = isOne ? slabs.rowStep : slabs.imageStep(ends.input, execution)
    let outputStep = isOne ? to.rowSize : execution.memory.stride(of: ends.output)
    let start = rows.lowerBound * to.rowSize + blocks.lowerBound * to.blockSize
    let first = blocks.lowerBound * to.lanes
    let weights = unsafe UnsafePointer(self.weights.start + first * slabs.taps.count * slabs.run)
    let product = unsafe set.product(of: slabs.type)
    unsafe slabs.taps.withUnsafeBufferPointer { taps in
      guard let taps = taps.baseAddress else { return }
      let residual = unsafe ends.residual.map { unsafe execution.source($0, image: image, at: start) }
      var described = unsafe net_product(
        x: source, x_step: slabs.step, x_row: rowStep, taps: taps, tap_count: slabs.taps.count,
        run: slabs.run, weights: weights, next: weights,
        bias: bias.map { unsafe UnsafePointer($0.start + first) }, residual: residual,
        residual_type: execution.type(of: ends.residual),
        scales: scales.map { unsafe UnsafePointer($0.scales.start + first) },
        residual_scale: scales?.residualScale ?? 1,
        y: execution.target(ends.output, image: image, at: start), y_type: to.type.kernelType,
        y_row: outputStep,
        y_block: to.blockSize, rows: isOne ? rows.count : images.count,
        columns: isOne ? to.width : to.positions,
        blocks: blocks.count, relu: ends.relu ? 1 : 0)
      unsafe product(&described)
    }
  }
}
