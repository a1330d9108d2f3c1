internal import CNetworks
import Models

/// How the weights of a convolution, or of a fully connected layer, lie in blocks: block of filters, block of channels,
/// tap, channel of the block, filter of the block.
struct WeightLayout: Hashable, Sendable {
  let filters: Int, channels: Int
  /// Taps of a filter: the rows times the columns of its kernel.
  let area: Int
  /// Whether the weights are those of a convolution on interleaved pixels, whose channels are one block, however many.
  let isInterleaved: Bool
  /// Filters of a block, and channels of a block unless they are interleaved.
  let lanes: Int
  /// Taps of a row of the kernel, which interleaved pixels read at once.
  var columns = 1
  /// Rows of weights, one for each channel, that a tap reads one behind the other, and such taps.
  var run: Int { isInterleaved ? columns * width : width }
  var taps: Int { isInterleaved ? area / columns : area }

  /// Words of a tap's input.
  ///
  /// - Parameter pixel: numbers of a pixel of that input, if it is interleaved.
  func words(of type: NumberType, pixel: Int) -> Int {
    ((isInterleaved ? columns * pixel : run) + type.perWord - 1) / type.perWord
  }

  /// The row of a tap's weights that multiplies a number of its interleaved input; nil if that is beyond the channels.
  func row(of number: Int, pixel: Int) -> Int? {
    let (column, channel) = number.quotientAndRemainder(dividingBy: pixel)
    return column < columns && channel < width ? column * width + channel : nil
  }

  /// Blocks of filters, and blocks of channels.
  var outputs: Int { (filters + lanes - 1) / lanes }
  var inputs: Int { isInterleaved ? 1 : (channels + lanes - 1) / lanes }
  /// Channels of a block.
  var width: Int { isInterleaved ? channels : lanes }
  /// Floats of one tap of a block.
  var tapSize: Int { width * lanes }
  /// Floats of a block of filters and a block of channels.
  var blockSize: Int { area * tapSize }
  /// Floats of all weights; those beyond the filters and channels are 0.
  var size: Int { outputs * inputs * blockSize }

  /// Calls `body` for each filter and each channel of one block of each.
  ///
  /// - Parameter body: gets the filter; the index of the first tap in MXNet's order (filter, channel, tap), where taps
  ///   are one float apart; and its index in the block, where they are `tapSize` floats apart.
  @inline(__always) func forEachTapRow(
    output: Int, input: Int, _ body: (_ filter: Int, _ plain: Int, _ placed: Int) -> Void
  ) {
    let (firstFilter, firstChannel) = (output * lanes, input * width)
    for filter in firstFilter..<min(firstFilter + lanes, filters) {
      for channel in firstChannel..<min(firstChannel + width, channels) {
        body(
          filter, (filter * channels + channel) * area,
          (channel - firstChannel) * lanes + filter - firstFilter)
      }
    }
  }

  /// Calls `body` with the index of each weight in MXNet's order and its index in this layout.
  @inline(__always) func forEachPlace(_ body: (_ plain: Int, _ placed: Int) -> Void) {
    for output in 0..<outputs {
      for input in 0..<inputs {
        let start = (output * inputs + input) * blockSize
        forEachTapRow(output: output, input: input) { _, plain, placed in
          for tap in 0..<area { body(plain + tap, start + placed + tap * tapSize) }
        }
      }
    }
  }
}

extension WeightLayout {
  init(_ convolution: Convolution, from: Value) {
    self.init(
      filters: convolution.filters, channels: from.channels,
      area: convolution.kernel.rows * convolution.kernel.columns, isInterleaved: from.isPlanar,
      lanes: from.lanes, columns: convolution.kernel.columns)
  }
}

/// Weights in the order in which the kernels read them, as floats or, unless they are transformed, as words of two
/// bfloat16. Every layer that calls `product` has its weights from here.
@safe struct PackedWeights: @unchecked Sendable {  // each piece of packing writes a place of its own
  /// How a sum reads its weights.
  enum Order: Hashable, Sendable {
    /// `net_product`'s: group of output blocks, input block, tap, input, output.
    case direct
    /// The same in the 36 planes of Winograd's transform.
    case winograd
    /// One direct order after the other, each with some of the taps, which count from the first one.
    case phases([[Int]])
  }
  /// Where the weights are taken from.
  @safe enum Source {
    /// In blocks, as the layout says.
    case blocks(UnsafePointer<Float>)
    /// In MXNet's order; each filter is multiplied by its number of `scale`, if that is not nil.
    case filters(UnsafeBufferPointer<Float>, scale: [Float]?)
  }
  let buffer: FloatBuffer
  /// float32 or bfloat16.
  let type: NumberType
  private let layout: WeightLayout
  private let order: Order
  /// Numbers of an interleaved pixel.
  private let pixel: Int
  private let isTransposed: Bool
  private let set: NetworkKernels
  /// Blocks that the sum reads and makes; backward, it reads the convolution's filters.
  private let inputs: Int, outputs: Int
  /// Words of a tap that the sum reads one behind the other.
  private let words: Int

  /// Allocates the memory; `pack` fills it.
  ///
  /// - Parameters:
  ///   - isTransposed: packs for the gradient of the convolution's input, which is not interleaved: channels and filters
  ///     are exchanged, and the taps are reversed unless the order is `.phases`.
  ///   - type: float32 or bfloat16.
  ///   - pixel: numbers of a pixel of the input, if it is interleaved: perhaps more than its channels.
  /// - Throws: `OutOfMemory`.
  init(
    _ layout: WeightLayout, _ order: Order, isTransposed: Bool, type: NumberType = .float32,
    pixel: Int? = nil,
    _ set: NetworkKernels
  ) throws(OutOfMemory) {
    self.layout = layout
    self.order = order
    self.isTransposed = isTransposed
    self.type = type
    self.pixel = pixel ?? layout.width
    self.set = set
    (inputs, outputs) =
      isTransposed ? (layout.outputs, layout.inputs) : (layout.inputs, layout.outputs)
    words = layout.words(of: type, pixel: self.pixel)
    buffer = try FloatBuffer(
      count: order == .winograd
        ? Self.transformedSize(inputs: inputs, outputs: outputs, lanes: layout.lanes)
        : layout.taps * words * inputs * outputs * layout.lanes)
  }

  /// Packs weights in MXNet's order, once and for all.
  ///
  /// - Throws: `OutOfMemory`.
  init(
    _ filters: [Float], scale: [Float]? = nil, _ layout: WeightLayout, _ order: Order,
    type: NumberType = .float32, pixel: Int? = nil, _ set: NetworkKernels
  ) throws(OutOfMemory) {
    try self.init(layout, order, isTransposed: false, type: type, pixel: pixel, set)
    unsafe filters.withUnsafeBufferPointer { filters in
      for piece in 0..<pieceCount { unsafe pack(piece, from: .filters(filters, scale: scale)) }
    }
  }

  /// Floats from one of the 36 planes of transformed weights to the next; not a power of two, which would have all
  /// planes fall into the same sets of a cache.
  static func planeStride(inputs: Int, outputs: Int, lanes: Int) -> Int {
    (inputs * outputs * lanes + 1) * lanes
  }

  /// Floats of all 36 planes.
  static func transformedSize(inputs: Int, outputs: Int, lanes: Int) -> Int {
    36 * planeStride(inputs: inputs, outputs: outputs, lanes: lanes)
  }

  /// Pieces of packing, which different workers may do at the same time: groups of output blocks.
  var pieceCount: Int { (outputs + set.group - 1) / set.group }

  func pack(_ piece: Int, from source: Source) {
    let first = piece * set.group
    let group = min(set.group, outputs - first)
    unsafe withUnsafeTemporaryAllocation(of: Float.self, capacity: layout.blockSize) { scratch in
      guard let scratch = scratch.baseAddress else { return }
      for output in first..<first + group {
        for input in 0..<inputs {
          let block = unsafe block(output: output, input: input, of: source, scratch)
          unsafe place(block, first: first, group: group, output: output, input: input)
        }
      }
    }
  }

  /// The weights of one output block and one input block: tap, input, output.
  private func block(
    output: Int, input: Int, of source: Source, _ scratch: UnsafeMutablePointer<Float>
  ) -> UnsafePointer<Float> {
    switch source {
    case .blocks(let values):
      guard isTransposed else { return unsafe values + (output * inputs + input) * layout.blockSize }
      let from = unsafe values + (input * outputs + output) * layout.blockSize
      let isReversed = if case .phases = order { false } else { true }
      for tap in 0..<layout.area {
        let to = isReversed ? layout.area - 1 - tap : tap
        unsafe net_transpose(scratch + to * layout.tapSize, from + tap * layout.tapSize)
      }
    case .filters(let filters, let scale):
      // What lies beyond the filters and channels is 0.
      unsafe scratch.update(repeating: 0, count: layout.blockSize)
      let (area, tapSize) = (layout.area, layout.tapSize)
      layout.forEachTapRow(output: output, input: input) { filter, plain, placed in
        let factor = scale?[filter] ?? 1
        for tap in 0..<area { unsafe scratch[placed + tap * tapSize] = filters[plain + tap] * factor }
      }
    }
    return unsafe UnsafePointer(scratch)
  }

  private func place(
    _ block: UnsafePointer<Float>, first: Int, group: Int, output: Int, input: Int
  ) {
    let lanes = layout.lanes
    let inGroup = (output - first) * lanes
    switch order {
    case .winograd:
      let start =
        unsafe buffer.start + first * inputs * lanes * lanes + input * lanes * group * lanes + inGroup
      unsafe set.table.winograd_weights(
        start, block, group, Self.planeStride(inputs: inputs, outputs: outputs, lanes: lanes))
    case .direct: unsafe place(block, 0..<layout.taps, at: buffer.start, first: first, group, inGroup, input)
    case .phases(let phases):
      var start = unsafe buffer.start
      for taps in phases {
        unsafe place(block, taps, at: start, first: first, group, inGroup, input)
        unsafe start += taps.count * words * inputs * outputs * lanes
      }
    }
  }

  /// Places some taps of a block one behind the other.
  private func place(
    _ block: UnsafePointer<Float>, _ taps: some Collection<Int>, at start: UnsafeMutablePointer<Float>,
    first: Int, _ group: Int, _ inGroup: Int, _ input: Int
  ) {
    let (lanes, step) = (layout.lanes, group * layout.lanes)
    var to = unsafe start + first * inputs * taps.count * words * lanes + inGroup
    unsafe to += input * taps.count * words * step
    for tap in taps {
      let rows = unsafe block + tap * layout.run * lanes
      if type == .float32 {
        for row in 0..<words { unsafe (to + row * step).update(from: rows + row * lanes, count: lanes) }
      } else if layout.isInterleaved {
        for word in 0..<words {
          let (low, high) = (
            layout.row(of: 2 * word, pixel: pixel), layout.row(of: 2 * word + 1, pixel: pixel)
          )
          unsafe pair(
            low.map { unsafe rows + $0 * lanes }, high.map { unsafe rows + $0 * lanes }, to + word * step,
            step, 1)
        }
      } else {
        unsafe pair(rows, rows + lanes, to, step, words)
      }
      unsafe to += words * step
    }
  }

  private func pair(
    _ low: UnsafePointer<Float>?, _ high: UnsafePointer<Float>?, _ to: UnsafeMutablePointer<Float>,
    _ step: Int,
    _ count: Int
  ) {
    var nothing = unsafe net_prologue()
    unsafe set.training.pair(to, step, low, high, 2 * layout.lanes, count, &nothing)
  }
}

/// Weights in direct order as words of int8: four rows become one row of words.
struct QuantizedWeights: Sendable {
  let buffer: FloatBuffer

  /// - Parameter pixel: numbers of a pixel of the input, if it is interleaved.
  /// - Throws: `OutOfMemory`.
  init(
    _ filters: QuantizedFilters, _ layout: WeightLayout, pixel: Int, _ set: NetworkKernels
  ) throws(OutOfMemory) {
    let (lanes, outputs, run, type) = (
      layout.lanes, layout.outputs, layout.run, NumberType.uint8(step: 1, zero: 0)
    )
    let (perWord, words) = (type.perWord, layout.words(of: type, pixel: pixel))
    let runs = layout.taps * layout.inputs
    // What is not stored below stays 0.
    buffer = try FloatBuffer(count: outputs * runs * words * lanes)
    for first in stride(from: 0, to: outputs, by: set.group) {
      let width = min(set.group, outputs - first) * lanes
      let to = unsafe UnsafeMutableRawPointer(buffer.start + first * lanes * runs * words)
      let group = first * lanes..<min(first * lanes + width, layout.filters)
      for row in 0..<runs * run {
        // A run is a row of the kernel in interleaved pixels, otherwise one tap in a block of channels.
        let (runIndex, place) = row.quotientAndRemainder(dividingBy: run)
        let (column, inPixel) = place.quotientAndRemainder(dividingBy: layout.width)
        let taps = run / layout.width
        let (block, tap) = (runIndex * taps + column).quotientAndRemainder(dividingBy: layout.area)
        let channel = block * layout.width + inPixel
        guard channel < layout.channels else { continue }
        let number = column * pixel + inPixel
        for filter in group {
          let at =
            ((runIndex * words + number / perWord) * width + filter - group.lowerBound) * perWord
            + number % perWord
          let plain = (filter * layout.channels + channel) * layout.area + tap
          unsafe to.storeBytes(of: filters.weights[plain], toByteOffset: at, as: Int8.self)
        }
      }
    }
  }
}

/// What makes numbers of the sums of uint8 and int8, a number for each filter: see `net_product`.
struct SumScales: Sendable {
  let scales: FloatBuffer, bias: FloatBuffer
  let residualScale: Float

  /// - Parameters:
  ///   - bias: a number for each filter.
  ///   - count: filters, with those that fill up the last block.
  ///   - from: the type of the input; `to`: that of the output; `residual`: that of what is added.
  /// - Throws: `OutOfMemory`.
  init(
    _ filters: QuantizedFilters, bias: [Float], count: Int, from: NumberType, to: NumberType,
    residual: NumberType?
  ) throws(OutOfMemory) {
    scales = try FloatBuffer(count: count)
    self.bias = try FloatBuffer(count: count)
    let (output, added) = (Double(to.step), residual ?? .float32)
    residualScale = Float(Double(added.step) / output)
    for (filter, corrected) in filters.corrected(bias).enumerated() {
      let unit = filters.unit(filter, reading: from)
      let zeros =
        Double(from.zero) * unit * Double(filters.sums[filter]) + Double(added.zero) * Double(added.step)
      let start = corrected - zeros
      unsafe scales.start[filter] = Float(unit / output)
      unsafe self.bias.start[filter] = Float(start / output + Double(to.zero))
    }
  }
}
