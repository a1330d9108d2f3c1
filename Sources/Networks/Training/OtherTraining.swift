internal import CNetworks
import Models

/// A maximum or an average over windows.
struct PoolingTraining: TrainingLayer {
  private let input: Int, output: Int
  private let gradient: Int
  private let target: (place: Int, adds: Bool)?
  private let from: Value, to: Value
  private let pooling: Pooling
  private let factors: [Float]
  private let prologue: Prologue
  private let set: NetworkKernels

  init(
    _ pooling: Pooling, _ layer: TrainingPlan.Layer, _ step: GradientPlan.Step, _ view: TrainingPlan.View,
    _ prologue: Prologue, values: [Value], _ set: NetworkKernels
  ) {
    input = view.value
    output = layer.output
    gradient = step.gradient
    target = step.inputs[0]
    (from, to) = (values[view.value], values[layer.output])
    self.prologue = prologue
    self.set = set
    let one = Extent(rows: 1, columns: 1)
    let none = Extent(rows: 0, columns: 0)
    self.pooling =
      pooling.isGlobal
      ? Pooling(
        kind: pooling.kind, kernel: Extent(rows: from.height, columns: from.width), stride: one,
        padding: none,
        roundsUp: false, isGlobal: true) : pooling
    guard case .average(let countsPadding) = pooling.kind else {
      factors = []
      return
    }
    factors = averageFactors(
      from: (from.height, from.width), to: (to.height, to.width), self.pooling.kernel, self.pooling.stride,
      self.pooling.padding, countsPadding: countsPadding)
  }

  private func withPool(_ block: Int, _ body: (inout net_pool) -> Void) {
    unsafe factors.withUnsafeBufferPointer { factors in
      unsafe prologue.withBlocks(from: block) { prologue in
        var pool = unsafe net_pool(
          height: from.height, width: from.width, out_height: to.height, out_width: to.width,
          kernel_rows: Int32(pooling.kernel.rows), kernel_columns: Int32(pooling.kernel.columns),
          stride_rows: Int32(pooling.stride.rows), stride_columns: Int32(pooling.stride.columns),
          padding_rows: Int32(pooling.padding.rows), padding_columns: Int32(pooling.padding.columns),
          factors: self.factors.isEmpty ? nil : factors.baseAddress, prologue: prologue,
          x_type: Int32(net_float32), y_type: Int32(net_float32))
        unsafe body(&pool)
      }
    }
  }

  func forward(_ part: TrainingPart) {
    for image in part.images {
      let x = unsafe part.execution.read(input, image: image)
      let y = unsafe part.execution.write(output, image: image)
      for block in 0..<to.blocks {
        unsafe withPool(block) { pool in
          unsafe set.table.pool(y + block * to.blockSize, x + block * from.blockSize, &pool)
        }
      }
    }
  }

  func backward(_ part: TrainingPart) {
    guard let target else { return }
    for image in part.images {
      let x = unsafe part.execution.read(input, image: image)
      let dy = unsafe part.execution.read(gradient, image: image)
      let dx = unsafe part.execution.write(target.place, image: image)
      if !target.adds { unsafe dx.update(repeating: 0, count: from.size) }
      for block in 0..<to.blocks {
        unsafe withPool(block) { pool in
          let at = block * from.blockSize
          unsafe set.training.pool_backward(dx + at, dy + block * to.blockSize, x + at, &pool)
        }
      }
    }
  }
}

/// The sum of two views.
struct SumTraining: TrainingLayer {
  private let inputs: [(value: Int, prologue: Prologue)]
  private let output: Int
  private let value: Value
  private let targets: [ResidualGradient]
  private let set: NetworkKernels

  init(
    _ layer: TrainingPlan.Layer, _ step: GradientPlan.Step, _ inputs: [(value: Int, prologue: Prologue)],
    values: [Value], _ set: NetworkKernels
  ) {
    self.inputs = inputs
    output = layer.output
    let value = values[layer.output]
    self.value = value
    self.set = set
    targets = step.inputs.compactMap { target in
      target.map { ResidualGradient(from: step.gradient, to: $0.place, adds: $0.adds, value, set) }
    }
  }

  func scratchSize(images: Int) -> Int { value.blockSize }

  func forward(_ part: TrainingPart) {
    let size = value.blockSize
    for image in part.images {
      let y = unsafe part.execution.write(output, image: image)
      for block in 0..<value.blocks {
        for (index, input) in inputs.enumerated() {
          let x = unsafe part.execution.read(input.value, image: image) + block * size
          let to = unsafe index == 0 ? y + block * size : part.scratch
          unsafe input.prologue.withBlocks(from: block) { prologue in
            let floats = Int32(net_float32)
            unsafe set.table.gather(to, floats, x, floats, value.lanes, value.positions, &prologue)
          }
        }
        unsafe set.table.add(y + block * size, y + block * size, part.scratch, size, 0)
      }
    }
  }

  func backward(_ part: TrainingPart) { for target in targets { target.run(part) } }
}

/// A fully connected layer: three products of matrices for all images at once, by OpenBLAS.
struct DenseTraining: Sendable {
  private let weight: LearntParameters.Slot, bias: LearntParameters.Slot?
  private let learnt: LearntParameters
  private let input: Int, output: Int, gradient: Int
  private let target: (place: Int, adds: Bool)?
  private let inputs: Int, outputs: Int
  /// Inputs, with those that fill up the last block.
  private let paddedInputs: Int
  private let set: NetworkKernels
  /// A matrix of the images' inputs, and one of their outputs or the outputs' gradients: an image a row.
  private let x: FloatBuffer, y: FloatBuffer

  init(
    _ dense: Dense, _ layer: TrainingPlan.Layer, _ step: GradientPlan.Step, _ view: TrainingPlan.View,
    values: [Value], _ learnt: LearntParameters, batch: Int, _ set: NetworkKernels
  ) throws {
    weight = try learnt.slot(dense.weight)
    bias = if let name = dense.bias { try learnt.slot(name) } else { nil }
    self.learnt = learnt
    self.set = set
    input = view.value
    output = layer.output
    gradient = step.gradient
    target = step.inputs[0]
    inputs = values[view.value].channels
    paddedInputs = values[view.value].paddedChannels
    outputs = dense.outputs
    x = try FloatBuffer(count: batch * inputs)
    y = try FloatBuffer(count: batch * outputs)
  }

  func forward(_ execution: Execution, images: Int) {
    for image in 0..<images {
      unsafe (x.start + image * inputs).update(from: execution.read(input, image: image), count: inputs)
    }
    unsafe Self.multiply(
      x.start, learnt.values.start + weight.start, rightIsTransposed: true, into: y.start, rows: images,
      inner: inputs, columns: outputs)
    for image in 0..<images {
      let row = unsafe execution.write(output, image: image)
      for index in 0..<outputs {
        let shift = bias.map { unsafe learnt.values.start[$0.start + index] } ?? 0
        unsafe row[index] = y.start[image * outputs + index] + shift
      }
    }
  }

  func backward(_ execution: Execution, images: Int) {
    for image in 0..<images {
      unsafe (y.start + image * outputs).update(from: execution.read(gradient, image: image), count: outputs)
    }
    if let bias {
      for index in 0..<outputs {
        var sum = 0.0
        for image in 0..<images { unsafe sum += Double(y.start[image * outputs + index]) }
        unsafe learnt.gradient.start[bias.start + index] = Float(sum)
      }
    }
    unsafe Self.multiply(
      y.start, leftIsTransposed: true, x.start, into: learnt.gradient.start + weight.start, rows: outputs,
      inner: images, columns: inputs)
    guard let target else { return }
    unsafe Self.multiply(
      y.start, learnt.values.start + weight.start, into: x.start, rows: images, inner: outputs,
      columns: inputs)
    for image in 0..<images {
      let dx = unsafe execution.write(target.place, image: image)
      let from = unsafe x.start + image * inputs
      if target.adds {
        unsafe set.table.add(dx, dx, from, inputs, 0)
      } else {
        unsafe dx.update(from: from, count: inputs)
        unsafe (dx + inputs).update(repeating: 0, count: paddedInputs - inputs)
      }
    }
  }

  /// `Gemm.multiply` with pointers.
  private static func multiply(
    _ left: UnsafePointer<Float>, leftIsTransposed: Bool = false, _ right: UnsafePointer<Float>,
    rightIsTransposed: Bool = false, into out: UnsafeMutablePointer<Float>, rows: Int, inner: Int,
    columns: Int
  ) {
    var product = unsafe MutableSpan(_unsafeStart: out, count: rows * columns)
    unsafe Gemm.multiply(
      Span(_unsafeStart: left, count: rows * inner), leftIsTransposed: leftIsTransposed,
      Span(_unsafeStart: right, count: inner * columns), rightIsTransposed: rightIsTransposed, into: &product,
      rows: rows, inner: inner, columns: columns)
  }
}
