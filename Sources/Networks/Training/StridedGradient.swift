internal import CNetworks
import Models

/// The gradient of the input of a convolution with a stride. The input's rows and columns fall into phases, one for
/// each remainder modulo the stride, and the gradient of a phase is a sum of stride 1 over the taps that reach it.
struct StridedGradient: Sendable {
  private struct Phase {
    /// The first input row and column, how many there are, and the output row and column that the first tap of the
    /// first one reads.
    let firstRow: Int, firstColumn: Int, rows: Int, columns: Int, fromRow: Int, fromColumn: Int
    /// The distance of each tap in the copied gradient, in words; block by block.
    let taps: [Int]
  }
  private let from: Value, to: Value
  private let input: Int, output: Int
  private let adds: Bool
  private let weights: PackedWeights
  private let set: NetworkKernels
  private let stride: Extent
  private let phases: [Phase]
  private let before: Extent
  private let rows: Int, columns: Int

  /// The taps of each phase, row by row, in the order in which `PackedWeights` wants them.
  static func taps(_ convolution: Convolution) -> [[Int]] {
    phaseTaps(convolution).map { $0.map { $0.row * convolution.kernel.columns + $0.column } }
  }

  private static func phaseTaps(_ convolution: Convolution) -> [[(row: Int, column: Int)]] {
    let (kernel, stride) = (convolution.kernel, convolution.stride)
    return (0..<stride.rows * stride.columns).map { phase in
      let (row, column) = (phase / stride.columns, phase % stride.columns)
      return Swift.stride(from: row, to: kernel.rows, by: stride.rows).flatMap { row in
        Swift.stride(from: column, to: kernel.columns, by: stride.columns).map { (row, $0) }
      }
    }
  }

  /// - Parameters:
  ///   - from: the gradient of the convolution's output; `to`: that of its input.
  ///   - adds: whether `to` has something already.
  ///   - weights: packed in the order of `taps`, of the type that is multiplied.
  init(
    _ convolution: Convolution, from: (index: Int, Value), to: (index: Int, Value), adds: Bool,
    _ weights: PackedWeights, _ set: NetworkKernels
  ) {
    (input, self.from) = from
    (output, self.to) = to
    self.adds = adds
    self.weights = weights
    self.set = set
    let (kernel, stride, padding) = (convolution.kernel, convolution.stride, convolution.padding)
    self.stride = stride
    // For one axis: the first input position of a phase, how many there are, and the output position it starts from.
    func along(_ phase: Int, _ stride: Int, _ padding: Int, _ size: Int) -> (
      first: Int, count: Int, from: Int
    ) {
      let from = phase >= padding ? 0 : (padding - phase + stride - 1) / stride
      let first = from * stride + phase - padding
      return (first, first < size ? (size - first + stride - 1) / stride : 0, from)
    }
    let before = Extent(rows: (kernel.rows - 1) / stride.rows, columns: (kernel.columns - 1) / stride.columns)
    self.before = before
    let sides = (0..<stride.rows * stride.columns).map { phase in
      (
        along(phase / stride.columns, stride.rows, padding.rows, to.1.height),
        along(phase % stride.columns, stride.columns, padding.columns, to.1.width)
      )
    }
    let rows = before.rows + max(from.1.height, sides.map { $0.0.from + $0.0.count }.max() ?? 0)
    let columns = before.columns + max(from.1.width, sides.map { $0.1.from + $0.1.count }.max() ?? 0)
    self.rows = rows
    self.columns = columns
    let blockWords = from.1.lanes / weights.type.perWord
    phases = zip(sides, Self.phaseTaps(convolution)).map { side, taps in
      Phase(
        firstRow: side.0.first, firstColumn: side.1.first, rows: side.0.count, columns: side.1.count,
        fromRow: side.0.from, fromColumn: side.1.from,
        taps: (0..<from.1.blocks).flatMap { block in
          taps.map {
            (block * rows * columns - $0.row / stride.rows * columns - $0.column / stride.columns)
              * blockWords
          }
        })
    }
  }

  private var type: NumberType { weights.type }
  /// Words of a block of channels, of a row of the copied gradient, and of the whole copy.
  private var blockWords: Int { from.lanes / type.perWord }
  private var rowSize: Int { columns * blockWords }
  private var copySize: Int { from.blocks * rows * rowSize }

  func scratchSize(images: Int) -> Int {
    copySize + (phases.map { $0.rows * $0.columns }.max() ?? 0) * to.paddedChannels
  }

  func run(_ part: TrainingPart) {
    for image in part.images {
      let dx = unsafe part.execution.write(output, image: image)
      unsafe copy(part.execution.read(input, image: image), part.scratch)
      var weights = unsafe self.weights.buffer.start
      for phase in phases {
        unsafe make(phase, weights, part.scratch, dx)
        unsafe weights += phase.taps.count * blockWords * to.paddedChannels
      }
    }
  }

  /// Copies the gradient of an image, with zeros around it.
  private func copy(_ dy: UnsafePointer<Float>, _ out: UnsafeMutablePointer<Float>) {
    var nothing = unsafe net_prologue()
    for block in 0..<from.blocks {
      let plane = unsafe out + block * rows * rowSize
      for row in 0..<rows {
        let to = unsafe plane + row * rowSize
        guard (before.rows..<before.rows + from.height).contains(row) else {
          unsafe to.update(repeating: 0, count: rowSize)
          continue
        }
        unsafe to.update(repeating: 0, count: before.columns * blockWords)
        unsafe set.table.gather(
          to + before.columns * blockWords, type.kernelType,
          dy + block * from.blockSize + (row - before.rows) * from.rowSize, Int32(net_float32), from.lanes,
          from.width, &nothing)
        let end = before.columns + from.width
        unsafe (to + end * blockWords).update(repeating: 0, count: (columns - end) * blockWords)
      }
    }
  }

  private func make(
    _ phase: Phase, _ weights: UnsafePointer<Float>, _ scratch: UnsafeMutablePointer<Float>,
    _ dx: UnsafeMutablePointer<Float>
  ) {
    guard phase.rows > 0, phase.columns > 0, !phase.taps.isEmpty || !adds else { return }
    let products = unsafe scratch + copySize
    let multiply = unsafe set.product(of: type)
    let lanes = to.lanes
    let size = phase.rows * phase.columns * lanes
    if !phase.taps.isEmpty {
      let start = (phase.fromRow + before.rows) * columns + phase.fromColumn + before.columns
      unsafe phase.taps.withUnsafeBufferPointer { taps in
        guard let taps = taps.baseAddress else { return }
        var product = unsafe net_product(
          x: scratch + start * blockWords, x_step: blockWords, x_row: rowSize, taps: taps,
          tap_count: phase.taps.count, run: blockWords, weights: weights, next: weights, bias: nil,
          residual: nil,
          residual_type: Int32(net_float32), scales: nil, residual_scale: 1, y: products,
          y_type: Int32(net_float32),
          y_row: phase.columns * lanes, y_block: size, rows: phase.rows, columns: phase.columns,
          blocks: to.blocks, relu: 0)
        unsafe multiply(&product)
      }
    } else {
      unsafe products.update(repeating: 0, count: size * to.blocks)
    }
    for block in 0..<to.blocks {
      for row in 0..<phase.rows {
        let place =
          (block * to.positions + (phase.firstRow + row * stride.rows) * to.width) + phase.firstColumn
        unsafe set.training.scatter(
          dx + place * lanes, stride.columns * lanes, products + block * size + row * phase.columns * lanes,
          phase.columns, adds ? 1 : 0)
      }
    }
  }
}
