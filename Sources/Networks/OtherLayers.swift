internal import CNetworks
import Glibc
import Models

struct PoolingLayer: Layer {
  private let layer: FusedLayer
  private let from: Value, to: Value
  private let set: KernelSet
  private let kernel: Extent, stride: Extent, padding: Extent
  /// Of an average; empty for a maximum.
  private let factors: [Float]
  private let prologue: Prologue

  init(_ layer: FusedLayer, _ pooling: Pooling, values: [Value], _ set: KernelSet) throws(OutOfMemory) {
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
    prologue = try Prologue(layer.prologue, blocks: from.blocks)
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
      let input = unsafe execution.read(layer.input, image: image)
      let output = unsafe execution.write(layer.output, image: image)
      unsafe execution.forEach(to.blocks) { block, _ in
        unsafe factors.withUnsafeBufferPointer { factors in
          unsafe prologue.withBlocks(from: block) { prologue in
            var pool = unsafe net_pool(
              height: from.height, width: from.width, out_height: to.height, out_width: to.width,
              kernel_rows: Int32(kernel.rows), kernel_columns: Int32(kernel.columns),
              stride_rows: Int32(stride.rows), stride_columns: Int32(stride.columns),
              padding_rows: Int32(padding.rows), padding_columns: Int32(padding.columns),
              factors: self.factors.isEmpty ? nil : factors.baseAddress, prologue: prologue)
            unsafe set.table.pool(
              output + block * to.positions * 16, input + block * from.positions * 16, &pool)
          }
        }
      }
    }
  }
}

/// 1 over the size of each window, as MXNet's Pooling counts it: margins are part of a window where they count, but
/// what lies beyond the margins never is.
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
  // A window that lies wholly in a margin that does not count is 0.
  return rows.flatMap { rows in columns.map { rows > 0 && $0 > 0 ? 1 / Float(rows * $0) : 0 } }
}

/// A BatchNorm or a ReLU that nothing else could take up.
struct AffineLayer: Layer {
  private let layer: FusedLayer
  private let value: Value
  private let set: KernelSet
  private let prologue: Prologue

  init(_ layer: FusedLayer, values: [Value], _ set: KernelSet) throws(OutOfMemory) {
    self.layer = layer
    self.set = set
    value = values[layer.input]
    prologue = try Prologue(layer.prologue, blocks: value.blocks)
  }

  func run(_ images: Range<Int>, _ execution: Execution) {
    for image in images {
      let input = unsafe execution.read(layer.input, image: image)
      let output = unsafe execution.write(layer.output, image: image)
      unsafe execution.forEach(value.blocks) { block, _ in
        let at = block * value.positions * 16
        unsafe prologue.withBlocks(from: block) { prologue in
          unsafe set.table.gather(output + at, input + at, 16, value.positions, &prologue)
        }
      }
    }
  }
}

/// The sum of two values that no convolution could take up.
struct SumLayer: Layer {
  private let layer: FusedLayer
  private let other: Int
  private let value: Value
  private let set: KernelSet

  init(_ layer: FusedLayer, other: Int, values: [Value], _ set: KernelSet) {
    self.layer = layer
    self.other = other
    self.set = set
    value = values[layer.input]
  }

  func run(_ images: Range<Int>, _ execution: Execution) {
    for image in images {
      let first = unsafe execution.read(layer.input, image: image)
      let second = unsafe execution.read(other, image: image)
      let output = unsafe execution.write(layer.output, image: image)
      let size = value.positions * 16
      unsafe execution.forEach(value.blocks) { block, _ in
        let at = block * size
        unsafe set.table.add(output + at, first + at, second + at, size, layer.relu ? 1 : 0)
      }
    }
  }
}

/// From blocks of channels to a row.
struct FlattenLayer: Layer {
  private let layer: FusedLayer
  private let from: Value

  init(_ layer: FusedLayer, values: [Value]) {
    self.layer = layer
    from = values[layer.input]
  }

  func run(_ images: Range<Int>, _ execution: Execution) {
    for image in images {
      let input = unsafe execution.read(layer.input, image: image)
      let output = unsafe execution.write(layer.output, image: image)
      for channel in 0..<from.channels {
        for position in 0..<from.positions {
          unsafe output[channel * from.positions + position] =
            input[(channel / 16 * from.positions + position) * 16 + channel % 16]
        }
      }
      let count = from.channels * from.positions
      unsafe (output + count).update(repeating: 0, count: (count + 15) / 16 * 16 - count)
    }
  }
}

/// A fully connected layer: each image is one position of a product, so that the weights are read once for all images;
/// and the sums are the same however many images there are, which those of a matrix library are not.
struct DenseLayer: Layer {
  private let layer: FusedLayer
  private let to: Value
  private let channels: Int
  private let set: KernelSet
  private let weights: FloatBuffer
  private let bias: [Float]

  init(
    _ layer: FusedLayer, _ dense: Dense, bias: [Float], values: [Value], _ parameters: Parameters,
    _ set: KernelSet
  ) throws {
    self.layer = layer
    self.set = set
    let to = values[layer.output]
    self.to = to
    let inputs = values[layer.input].channels
    let channels = values[layer.input].size
    self.channels = channels
    self.bias = padded(bias, to: to.blocks * 16)
    let packed = try FloatBuffer(count: channels * to.blocks * 16)
    let raw = try parameters.values(of: dense.weight)
    unsafe raw.withUnsafeBufferPointer { raw in
      var out = unsafe packed.start
      for first in Swift.stride(from: 0, to: to.blocks, by: set.group) {
        let outputs = first * 16..<min(first + set.group, to.blocks) * 16
        for channel in 0..<channels {
          for output in outputs {
            if output < dense.outputs, channel < inputs {
              unsafe out.pointee = raw[output * inputs + channel]
            }
            unsafe out += 1
          }
        }
      }
    }
    weights = packed
  }

  func scratchSize(images: Int) -> Int { to.blocks * 16 * images }

  func run(_ images: Range<Int>, _ execution: Execution) {
    guard let first = images.first else { return }
    let groups = (to.blocks + set.group - 1) / set.group
    let parts = min(groups, execution.width)
    let input = unsafe execution.read(layer.input, image: first)
    let stride = execution.memory.stride(of: layer.input)
    unsafe execution.forEach(parts) { part, scratch in
      let begin = groups * part / parts * set.group
      let end = min(groups * (part + 1) / parts * set.group, to.blocks)
      unsafe bias.withUnsafeBufferPointer { bias in
        unsafe withUnsafePointer(to: 0) { tap in
          guard let bias = bias.baseAddress else { return }
          let weights = unsafe UnsafePointer(weights.start + begin * 16 * channels)
          var product = unsafe net_product(
            x: input, x_step: stride, x_row: 0, taps: tap, tap_count: 1, run: channels,
            weights: weights, next: weights,
            bias: bias + begin * 16, residual: nil, y: scratch, y_row: 0, y_block: images.count * 16, rows: 1,
            columns: images.count, blocks: end - begin, relu: 0
          )
          unsafe set.table.product(&product)
        }
      }
      for image in images {
        let output = unsafe execution.write(layer.output, image: image)
        for block in begin..<end {
          unsafe (output + block * 16).update(
            from: scratch + ((block - begin) * images.count + image - first) * 16, count: 16)
        }
      }
      // Beyond the outputs the row is 0, as the weights and biases there are.
    }
  }
}

/// Softmax or sigmoid of a row.
struct HeadLayer: Layer {
  private let layer: FusedLayer
  private let count: Int

  init(_ layer: FusedLayer, values: [Value]) {
    self.layer = layer
    count = values[layer.input].channels
  }

  func run(_ images: Range<Int>, _ execution: Execution) {
    for image in images {
      let input = unsafe UnsafeBufferPointer(start: execution.read(layer.input, image: image), count: count)
      let output = unsafe UnsafeMutableBufferPointer(
        start: execution.write(layer.output, image: image), count: count)
      if case .sigmoid = layer.kind { unsafe sigmoid(input, output) } else { unsafe softmax(input, output) }
      // Another fully connected layer may multiply what stands beyond by 0.
      unsafe (execution.write(layer.output, image: image) + count).update(
        repeating: 0, count: (count + 15) / 16 * 16 - count)
    }
  }
}

func sigmoid(_ input: UnsafeBufferPointer<Float>, _ output: UnsafeMutableBufferPointer<Float>) {
  for index in input.indices { unsafe output[index] = 1 / (1 + expf(-input[index])) }
}

/// The largest is subtracted first, so that no power overflows. A NaN makes all of them NaN.
func softmax(_ input: UnsafeBufferPointer<Float>, _ output: UnsafeMutableBufferPointer<Float>) {
  var largest = -Float.infinity
  for index in input.indices { largest = unsafe max(largest, input[index]) }
  var sum = 0.0
  for index in input.indices {
    unsafe output[index] = expf(input[index] - largest)
    sum += unsafe Double(output[index])
  }
  let factor = 1 / sum
  for index in input.indices { unsafe output[index] = Float(Double(output[index]) * factor) }
}
