internal import CNetworks
import Glibc
import Models

/// A maximum or an average over windows.
struct PoolingLayer: Layer {
  private let layer: FusedLayer
  private let from: Value, to: Value
  private let set: NetworkKernels
  private let kernel: Extent, stride: Extent, padding: Extent
  /// What the sum over a window is multiplied by, for each output position of an average; empty for a maximum.
  private let factors: [Float]
  private let prologue: Prologue

  init(_ layer: FusedLayer, _ pooling: Pooling, values: [Value], _ set: NetworkKernels) throws(OutOfMemory) {
    self.layer = layer
    self.set = set
    let from = values[layer.input]
    let to = values[layer.output]
    self.from = from
    self.to = to
    let none = Extent(rows: 0, columns: 0)
    kernel = pooling.isGlobal ? Extent(rows: from.height, columns: from.width) : pooling.kernel
    stride = pooling.isGlobal ? Extent(rows: 1, columns: 1) : pooling.stride
    padding = pooling.isGlobal ? none : pooling.padding
    prologue = try Prologue(layer.prologue, from)
    guard case .average(let countsPadding) = pooling.kind else {
      factors = []
      return
    }
    factors = averageFactors(
      from: (from.height, from.width), to: (to.height, to.width), kernel, stride, padding,
      countsPadding: countsPadding)
  }

  func run(_ images: Range<Int>, _ execution: Execution) {
    for image in images {
      unsafe execution.forEach(to.blocks) { block, _ in
        unsafe factors.withUnsafeBufferPointer { factors in
          unsafe prologue.withBlocks(from: block) { prologue in
            var pool = unsafe net_pool(
              height: from.height, width: from.width, out_height: to.height, out_width: to.width,
              kernel_rows: Int32(kernel.rows), kernel_columns: Int32(kernel.columns),
              stride_rows: Int32(stride.rows), stride_columns: Int32(stride.columns),
              padding_rows: Int32(padding.rows), padding_columns: Int32(padding.columns),
              factors: self.factors.isEmpty ? nil : factors.baseAddress, prologue: prologue,
              x_type: from.type.kernelType, y_type: to.type.kernelType)
            unsafe set.table.pool(
              execution.target(layer.output, image: image, at: block * to.blockSize),
              execution.source(layer.input, image: image, at: block * from.blockSize), &pool)
          }
        }
      }
    }
  }
}

/// 1 over the size of each window, as MXNet's Pooling counts it: padding is part of a window if it counts, but what
/// lies beyond the padding never is.
func averageFactors(
  from: (height: Int, width: Int), to: (height: Int, width: Int), _ kernel: Extent, _ stride: Extent,
  _ padding: Extent, countsPadding: Bool
) -> [Float] {
  func sizes(_ count: Int, _ length: Int, _ kernel: Int, _ stride: Int, _ padding: Int) -> [Int] {
    (0..<count).map { index in
      let first = index * stride - padding
      let end = min(first + kernel, length + padding)
      return countsPadding ? end - first : min(end, length) - max(first, 0)
    }
  }
  let rows = sizes(to.height, from.height, kernel.rows, stride.rows, padding.rows)
  let columns = sizes(to.width, from.width, kernel.columns, stride.columns, padding.columns)
  // A window that lies wholly in padding that does not count gives 0.
  return rows.flatMap { rows in columns.map { rows > 0 && $0 > 0 ? 1 / Float(rows * $0) : 0 } }
}

/// A BatchNorm or a ReLU that could not be fused into another layer.
struct AffineLayer: Layer {
  private let layer: FusedLayer
  private let from: Value, to: Value
  private let set: NetworkKernels
  private let prologue: Prologue

  init(_ layer: FusedLayer, values: [Value], _ set: NetworkKernels) throws(OutOfMemory) {
    self.layer = layer
    self.set = set
    (from, to) = (values[layer.input], values[layer.output])
    prologue = try Prologue(layer.prologue, from)
  }

  func run(_ images: Range<Int>, _ execution: Execution) {
    for image in images {
      unsafe execution.forEach(from.blocks) { block, _ in
        let at = block * from.blockSize
        unsafe prologue.withBlocks(from: block) { prologue in
          unsafe set.table.gather(
            execution.target(layer.output, image: image, at: at), to.type.kernelType,
            execution.source(layer.input, image: image, at: at), from.type.kernelType, from.lanes,
            from.positions, &prologue)
        }
      }
    }
  }
}

/// A sum of two values that could not be fused into a convolution.
struct SumLayer: Layer {
  private let layer: FusedLayer
  private let other: Int
  private let first: Value, second: Value, sum: Value
  private let set: NetworkKernels

  init(_ layer: FusedLayer, other: Int, values: [Value], _ set: NetworkKernels) {
    self.layer = layer
    self.other = other
    self.set = set
    (first, second, sum) = (values[layer.input], values[other], values[layer.output])
  }

  func run(_ images: Range<Int>, _ execution: Execution) {
    for image in images {
      unsafe execution.forEach(sum.blocks) { block, _ in
        let at = block * sum.blockSize
        unsafe set.table.add_blocks(
          execution.target(layer.output, image: image, at: at), sum.type.kernelType,
          execution.source(layer.input, image: image, at: at), first.type.kernelType,
          execution.source(other, image: image, at: at), second.type.kernelType, sum.positions,
          layer.relu ? 1 : 0)
      }
    }
  }
}

/// From blocks of channels to a vector in the order of channels, rows, columns.
struct FlattenLayer: Layer {
  private let layer: FusedLayer
  private let from: Value, to: Value

  init(_ layer: FusedLayer, values: [Value]) {
    self.layer = layer
    (from, to) = (values[layer.input], values[layer.output])
  }

  func run(_ images: Range<Int>, _ execution: Execution) {
    for image in images {
      let input = unsafe execution.read(layer.input, image: image)
      let output = unsafe execution.write(layer.output, image: image)
      let (lanes, positions) = (from.lanes, from.positions)
      for block in 0..<from.blocks {
        for lane in 0..<min(lanes, from.channels - block * lanes) {
          let source = unsafe input + block * from.blockSize + lane
          let plane = unsafe output + (block * lanes + lane) * positions
          for position in 0..<positions { unsafe plane[position] = source[position * lanes] }
        }
      }
      unsafe (output + to.channels).update(repeating: 0, count: to.size - to.channels)
    }
  }
}

/// A fully connected layer. Each image is one position of a product, so the weights are read once for all images; and
/// an image has the same sums however many images there are, which it would not have with a matrix library.
struct DenseLayer: Layer {
  private let layer: FusedLayer
  private let to: Value
  /// Inputs, with those that fill up the last block.
  private let channels: Int
  private let set: NetworkKernels
  private let weights: FloatBuffer
  /// In whole blocks.
  private let bias: FloatBuffer
  /// The numbers that are multiplied; for quantized ones, how they are made of the input, and what is made of the sums.
  private let type: NumberType
  private let prologue: Prologue
  private let scales: SumScales?

  /// - Parameter quantized: what enters the layer; nil: the layer multiplies floats.
  /// - Throws: a `ModelError` if the weights cannot be read; `OutOfMemory`.
  init(
    _ layer: FusedLayer, _ dense: Dense, bias: [Float], values: [Value], _ parameters: Parameters,
    _ set: NetworkKernels, _ quantized: Quantization.Input? = nil
  ) throws {
    self.layer = layer
    self.set = set
    let (from, to) = (values[layer.input], values[layer.output])
    self.to = to
    channels = from.size
    type = quantized?.type ?? .float32
    let layout = WeightLayout(
      filters: dense.outputs, channels: from.channels, area: 1, isInterleaved: false, lanes: set.lanes)
    let filters = try parameters.values(of: dense.weight)
    guard let quantized else {
      weights = try PackedWeights(filters, layout, .direct, set).buffer
      self.bias = try FloatBuffer(bias, count: to.size)
      (prologue, scales) = (Prologue(), nil)
      return
    }
    let rounded = QuantizedFilters(
      filters, scale: Array(repeating: 1, count: dense.outputs), area: 1, means: quantized.means)
    let narrow = try QuantizedWeights(rounded, layout, pixel: 0, set)
    let scales = try SumScales(
      rounded, bias: bias, count: to.size, from: type, to: .float32, residual: nil)
    prologue = try Prologue(.identity(channels: from.channels), from).quantizing(.float32, to: type)
    (weights, self.bias, self.scales) = (narrow.buffer, scales.bias, scales)
  }

  /// Words of one image's input, if it is quantized, and numbers of one image's output.
  private var inputWords: Int { type.isQuantized ? channels / type.perWord : 0 }
  func scratchSize(images: Int) -> Int { (inputWords + to.size) * images }

  func run(_ images: Range<Int>, _ execution: Execution) {
    guard let first = images.first else { return }
    let lanes = set.lanes
    let groups = (to.blocks + set.group - 1) / set.group
    let parts = min(groups, execution.width)
    let input = unsafe execution.read(layer.input, image: first)
    let stride = execution.memory.stride(of: layer.input)
    unsafe execution.forEach(parts) { part, scratch in
      let begin = groups * part / parts * set.group
      let end = min(groups * (part + 1) / parts * set.group, to.blocks)
      let words = channels / type.perWord
      let sums = unsafe scratch + inputWords * images.count
      if type.isQuantized {
        for image in images {
          unsafe quantize(
            execution.read(layer.input, image: image),
            UnsafeMutableRawPointer(scratch + (image - first) * words))
        }
      }
      unsafe withUnsafePointer(to: 0) { tap in
        let weights = unsafe UnsafePointer(weights.start + begin * lanes * words)
        var product = unsafe net_product(
          x: type.isQuantized ? UnsafePointer(scratch) : input, x_step: type.isQuantized ? words : stride,
          x_row: 0, taps: tap, tap_count: 1, run: words, weights: weights,
          next: weights, bias: UnsafePointer(bias.start + begin * lanes), residual: nil,
          residual_type: Int32(net_float32),
          scales: scales.map { unsafe UnsafePointer($0.scales.start + begin * lanes) }, residual_scale: 1,
          y: sums,
          y_type: Int32(net_float32), y_row: 0,
          y_block: images.count * lanes, rows: 1, columns: images.count, blocks: end - begin, relu: 0)
        unsafe set.product(of: type)(&product)
      }
      for image in images {
        let output = unsafe execution.write(layer.output, image: image)
        for block in begin..<end {
          unsafe (output + block * lanes).update(
            from: sums + ((block - begin) * images.count + image - first) * lanes, count: lanes)
        }
      }
      // Beyond the outputs the vector is 0, as the weights and biases there are.
    }
  }

  /// All blocks of channels have the same step.
  private func quantize(_ vector: UnsafePointer<Float>, _ out: UnsafeMutableRawPointer) {
    unsafe prologue.withBlocks(from: 0) { prologue in
      unsafe set.table.gather(
        out, type.kernelType, vector, Int32(net_float32), set.lanes, channels / set.lanes, &prologue)
    }
  }
}

/// Softmax or sigmoid of a vector.
struct HeadLayer: Layer {
  private let layer: FusedLayer
  private let value: Value
  private let exponential: @Sendable (Float) -> Float

  /// - Parameter isPortable: gives the same bits on every processor, which the C library does not promise.
  init(_ layer: FusedLayer, values: [Value], isPortable: Bool) {
    self.layer = layer
    value = values[layer.input]
    if isPortable { exponential = { portableExponential($0) } } else { exponential = { expf($0) } }
  }

  func run(_ images: Range<Int>, _ execution: Execution) {
    let count = value.channels
    for image in images {
      let input = unsafe UnsafeBufferPointer(start: execution.read(layer.input, image: image), count: count)
      let output = unsafe UnsafeMutableBufferPointer(
        start: execution.write(layer.output, image: image), count: count)
      if case .sigmoid = layer.kind {
        unsafe sigmoid(input, output, exponential)
      } else {
        unsafe softmax(input, output, exponential)
      }
      // Another fully connected layer may multiply what lies beyond by 0, which must not give NaN.
      unsafe (execution.write(layer.output, image: image) + count).update(
        repeating: 0, count: value.size - count)
    }
  }
}

/// The logistic function of each number.
func sigmoid(
  _ input: UnsafeBufferPointer<Float>, _ output: UnsafeMutableBufferPointer<Float>,
  _ exponential: (Float) -> Float = { expf($0) }
) {
  for index in input.indices { unsafe output[index] = 1 / (1 + exponential(-input[index])) }
}

/// Softmax. The largest number is subtracted first, so that no power overflows; a NaN makes all of them NaN.
func softmax(
  _ input: UnsafeBufferPointer<Float>, _ output: UnsafeMutableBufferPointer<Float>,
  _ exponential: (Float) -> Float = { expf($0) }
) {
  var largest = -Float.infinity
  for index in input.indices { largest = unsafe max(largest, input[index]) }
  var sum = 0.0
  for index in input.indices {
    unsafe output[index] = exponential(input[index] - largest)
    sum += unsafe Double(output[index])
  }
  let factor = 1 / sum
  for index in input.indices { unsafe output[index] = Float(Double(output[index]) * factor) }
}

/// e to the power of a number, correctly rounded but for a few numbers in a million, with the same bits everywhere: by
/// additions, multiplications and a power of two in double precision.
func portableExponential(_ number: Float) -> Float {
  let x = Double(number)
  if x.isNaN { return .nan }
  if x > 89 { return .infinity }
  if x < -104 { return 0 }
  let power = (x * 1.4426950408889634).rounded(.toNearestOrEven)
  let rest = x - power * 0.6931471805599453
  // Taylor's series of a number of at most half of ln 2.
  var sum = 1.0
  for term in stride(from: 13.0, through: 1, by: -1) { sum = 1 + rest / term * sum }
  return Float(sum * Double(sign: .plus, exponent: Int(exactly: power) ?? 0, significand: 1))
}
