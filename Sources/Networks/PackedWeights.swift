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
  /// Rows of weights, one for each channel, that a tap reads one behind the other.
  var run: Int { isInterleaved ? columns * width : width }

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

/// Weights in the order in which the kernels read them. Every layer that calls `product` has its weights from here.
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
  private let layout: WeightLayout
  private let order: Order
  private let isTransposed: Bool
  private let set: NetworkKernels
  /// Blocks that the sum reads and makes; backward, it reads the convolution's filters.
  private let inputs: Int, outputs: Int

  /// Allocates the memory; `pack` fills it.
  ///
  /// - Parameter isTransposed: packs for the gradient of the convolution's input, which is not interleaved: channels
  ///   and filters are exchanged, and the taps are reversed unless the order is `.phases`.
  /// - Throws: `OutOfMemory`.
  init(_ layout: WeightLayout, _ order: Order, isTransposed: Bool, _ set: NetworkKernels) throws(OutOfMemory)
  {
    self.layout = layout
    self.order = order
    self.isTransposed = isTransposed
    self.set = set
    (inputs, outputs) =
      isTransposed ? (layout.outputs, layout.inputs) : (layout.inputs, layout.outputs)
    buffer = try FloatBuffer(
      count: order == .winograd
        ? Self.transformedSize(inputs: inputs, outputs: outputs, lanes: layout.lanes) : layout.size)
  }

  /// Packs weights in MXNet's order, once and for all.
  ///
  /// - Throws: `OutOfMemory`.
  init(
    _ filters: [Float], scale: [Float]? = nil, _ layout: WeightLayout, _ order: Order, _ set: NetworkKernels
  ) throws(OutOfMemory) {
    try self.init(layout, order, isTransposed: false, set)
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
    // Where the group begins in a plane or, per row of `lanes` weights of an output block, in direct order.
    let groupStart = first * inputs * lanes
    let inGroup = (output - first) * lanes
    switch order {
    case .winograd:
      let start = unsafe buffer.start + groupStart * lanes + input * lanes * group * lanes + inGroup
      unsafe set.table.winograd_weights(
        start, block, group, Self.planeStride(inputs: inputs, outputs: outputs, lanes: lanes))
    case .direct:
      let rows = layout.area * layout.width
      let start = unsafe buffer.start + first * inputs * rows * lanes + inGroup
      for row in 0..<rows {
        unsafe (start + (input * rows + row) * group * lanes).update(from: block + row * lanes, count: lanes)
      }
    case .phases(let phases):
      var start = unsafe buffer.start
      for taps in phases {
        let at = unsafe start + groupStart * taps.count * lanes + inGroup
        for (place, tap) in taps.enumerated() {
          for row in 0..<lanes {
            unsafe (at + ((input * taps.count + place) * lanes + row) * group * lanes).update(
              from: block + (tap * lanes + row) * lanes, count: lanes)
          }
        }
        unsafe start += taps.count * inputs * outputs * lanes * lanes
      }
    }
  }
}

/// Weights in direct order as words of smaller numbers: two rows of bfloat16, or four of int8, become one row of words.
struct NarrowWeights: Sendable {
  let buffer: FloatBuffer

  /// Weights as bfloat16, rounded to nearest even.
  ///
  /// - Parameters:
  ///   - weights: in MXNet's order; each filter is multiplied by its number of `scale`.
  ///   - pixel: numbers of a pixel of the input, if it is interleaved.
  /// - Throws: `OutOfMemory`.
  init(
    _ weights: [Float], scale: [Float], _ layout: WeightLayout, pixel: Int, _ set: NetworkKernels
  ) throws(OutOfMemory) {
    try unsafe self.init(layout, .bfloat16, pixel: pixel, set) { filter, plain, place in
      var half: UInt16 = 0
      unsafe withUnsafePointer(to: weights[plain] * scale[filter]) {
        unsafe net_round_to_bfloat16(&half, $0, 1)
      }
      unsafe place.storeBytes(of: half, as: UInt16.self)
    }
  }

  /// - Parameter pixel: numbers of a pixel of the input, if it is interleaved.
  /// - Throws: `OutOfMemory`.
  init(
    _ filters: QuantizedFilters, _ layout: WeightLayout, pixel: Int, _ set: NetworkKernels
  ) throws(OutOfMemory) {
    try unsafe self.init(layout, .uint8(step: 1, zero: 0), pixel: pixel, set) { _, plain, place in
      unsafe place.storeBytes(of: filters.weights[plain], as: Int8.self)
    }
  }

  /// - Parameters:
  ///   - type: that of the input; the weights are as wide.
  ///   - store: gets the filter, the index of the weight in MXNet's order, and its place.
  private init(
    _ layout: WeightLayout, _ type: NumberType, pixel: Int, _ set: NetworkKernels,
    store: (_ filter: Int, _ plain: Int, _ place: UnsafeMutableRawPointer) -> Void
  ) throws(OutOfMemory) {
    let (lanes, outputs, run) = (layout.lanes, layout.outputs, layout.run)
    let perWord = type.perWord
    let words = ((layout.isInterleaved ? layout.columns * pixel : run) + perWord - 1) / perWord
    let runs = layout.area * layout.width / run * layout.inputs
    // What is not stored below stays 0.
    buffer = try FloatBuffer(count: outputs * runs * words * lanes)
    for first in stride(from: 0, to: outputs, by: set.group) {
      let width = min(set.group, outputs - first) * lanes
      let to = unsafe UnsafeMutableRawPointer(buffer.start + first * lanes * runs * words)
      let filters = first * lanes..<min(first * lanes + width, layout.filters)
      for row in 0..<runs * run {
        // A run is a row of the kernel in interleaved pixels, otherwise one tap in a block of channels.
        let (runIndex, place) = row.quotientAndRemainder(dividingBy: run)
        let (column, inPixel) = place.quotientAndRemainder(dividingBy: layout.width)
        let taps = run / layout.width
        let (block, tap) = (runIndex * taps + column).quotientAndRemainder(dividingBy: layout.area)
        let channel = block * layout.width + inPixel
        guard channel < layout.channels else { continue }
        let number = column * pixel + inPixel
        for filter in filters {
          let at =
            ((runIndex * words + number / perWord) * width + filter - filters.lowerBound) * perWord
            + number % perWord
          let plain = (filter * layout.channels + channel) * layout.area + tap
          unsafe store(filter, plain, to + at * type.byteCount)
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
