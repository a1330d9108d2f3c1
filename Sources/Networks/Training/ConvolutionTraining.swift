internal import CNetworks
import Models

/// A convolution that learns. Its output and, with transposed weights, the gradient of its input are computed by the
/// layers of the inference engine; `WeightGradient` adds the gradient of its weights.
struct ConvolutionTraining: TrainingLayer {
  private enum InputGradient {
    case none
    case convolution(any Layer)
    case strided(StridedGradient)
  }
  private let slot: LearntParameters.Slot
  private let learnt: LearntParameters
  private let forward: any Layer
  private let forwardWeights: PackedWeights
  private let inputGradient: InputGradient
  private let inputWeights: PackedWeights?
  private let weightGradient: any WeightGradient
  private let input: Int, gradient: Int
  private let residual: ResidualGradient?

  init(
    _ convolution: Convolution, _ layer: TrainingPlan.Layer, _ step: GradientPlan.Step,
    _ view: TrainingPlan.View, _ prologue: Prologue, values: [Value], _ learnt: LearntParameters,
    precision: NumberType, _ set: NetworkKernels
  ) throws {
    let slot = try learnt.slot(convolution.weight)
    self.slot = slot
    self.learnt = learnt
    input = view.value
    gradient = step.gradient
    let (from, to) = (values[view.value], values[layer.output])
    residual = step.residual.map {
      ResidualGradient(from: step.gradient, to: $0.place, adds: $0.adds, to, set)
    }

    let layout = WeightLayout(convolution, from: from)
    (forward, forwardWeights) = try Self.sum(
      convolution,
      ConvolutionEnds(from: (view.value, from), to: (layer.output, to), residual: layer.residual),
      layout, isTransposed: false, prologue, precision, set)
    weightGradient =
      if WinogradConvolution.suits(convolution, from) {
        WinogradWeightGradient(convolution, from, to, prologue, set)
      } else if precision == .bfloat16 {
        try PairedWeightGradient(convolution, from, to, prologue, set)
      } else {
        try DirectWeightGradient(convolution, from, to, prologue, set)
      }

    guard let target = step.inputs[0] else {
      inputGradient = .none
      inputWeights = nil
      return
    }
    if convolution.stride == Extent(rows: 1, columns: 1) {
      let transposed = Convolution(
        filters: from.channels, kernel: convolution.kernel, stride: convolution.stride,
        padding: Extent(
          rows: convolution.kernel.rows - 1 - convolution.padding.rows,
          columns: convolution.kernel.columns - 1 - convolution.padding.columns),
        weight: convolution.weight, bias: nil)
      let (sum, weights) = try Self.sum(
        transposed,
        ConvolutionEnds(
          from: (step.gradient, to), to: (target.place, from), residual: target.adds ? target.place : nil),
        layout, isTransposed: true, Prologue(), precision, set)
      inputWeights = weights
      inputGradient = .convolution(sum)
    } else {
      let weights = try PackedWeights(
        layout, .phases(StridedGradient.taps(convolution)), isTransposed: true, type: precision, set)
      inputWeights = weights
      inputGradient = .strided(
        StridedGradient(
          convolution, from: (step.gradient, to), to: (target.place, from), adds: target.adds, weights, set))
    }
  }

  /// A convolution, or the gradient of its input, and its weights, which are still to be packed. A batch has so many
  /// tiles that Winograd's transform in floats is faster than direct sums of bfloat16, for all channels.
  private static func sum(
    _ convolution: Convolution, _ ends: ConvolutionEnds, _ layout: WeightLayout, isTransposed: Bool,
    _ prologue: Prologue, _ precision: NumberType, _ set: NetworkKernels
  ) throws -> (any Layer, PackedWeights) {
    if WinogradConvolution.suits(convolution, ends.from) {
      let weights = try PackedWeights(layout, .winograd, isTransposed: isTransposed, set)
      return (
        try WinogradConvolution(convolution, ends, weights: weights.buffer, bias: nil, prologue, set), weights
      )
    }
    let weights = try PackedWeights(
      layout, .direct, isTransposed: isTransposed, type: precision,
      pixel: Slabs.pixel(convolution, ends.from, precision), set)
    return (try DirectConvolution(convolution, ends, weights, bias: nil, prologue, set), weights)
  }

  func scratchSize(images: Int) -> Int {
    let backward =
      switch inputGradient {
      case .none: 0
      case .convolution(let layer): layer.scratchSize(images: images)
      case .strided(let layer): layer.scratchSize(images: images)
      }
    return max(
      forward.scratchSize(images: images), weightGradient.scratchSize(images: images), backward)
  }

  var gradientRange: Range<Int>? { slot.range }
  var sumSize: Int { weightGradient.sumSize }

  var packCount: Int { forwardWeights.pieceCount + (inputWeights?.pieceCount ?? 0) }

  func pack(_ piece: Int) {
    let source = unsafe PackedWeights.Source.blocks(learnt.values.start + slot.start)
    if piece < forwardWeights.pieceCount {
      forwardWeights.pack(piece, from: source)
    } else {
      inputWeights?.pack(piece - forwardWeights.pieceCount, from: source)
    }
  }

  var imagesForward: Int { forward.imagesAtOnce }
  var imagesBackward: Int {
    let input = if case .convolution(let layer) = inputGradient { layer.imagesAtOnce } else { 1 }
    return max(input, weightGradient.imagesAtOnce)
  }

  func forward(_ part: TrainingPart) { forward.run(part.images, part.execution) }

  func backward(_ part: TrainingPart) {
    weightGradient.add(part, input: input, gradient: gradient)
    residual?.run(part)
    switch inputGradient {
    case .none: break
    case .convolution(let layer): layer.run(part.images, part.execution)
    case .strided(let layer): layer.run(part)
    }
  }
}

/// Copies or adds a gradient to a second place, to which it belongs, too.
struct ResidualGradient: Sendable {
  private let from: Int, to: Int
  private let adds: Bool
  private let value: Value
  private let set: NetworkKernels

  init(from: Int, to: Int, adds: Bool, _ value: Value, _ set: NetworkKernels) {
    self.from = from
    self.to = to
    self.adds = adds
    self.value = value
    self.set = set
  }

  func run(_ part: TrainingPart) {
    for image in part.images {
      let dy = unsafe part.execution.read(from, image: image)
      let dx = unsafe part.execution.write(to, image: image)
      if adds {
        unsafe set.table.add(dx, dx, dy, value.size, 0)
      } else {
        unsafe dx.update(from: dy, count: value.size)
      }
    }
  }
}

/// The gradient of the beta of a BatchNorm on the images themselves: the sum over all positions of the gradient of the
/// first convolution's input. That gradient itself is never computed: each tap contributes its weights times the sum of
/// the output's gradient over the rectangle that the tap reads into.
struct ImageShiftGradient: Sendable {
  private let convolution: Convolution
  private let from: Value, to: Value
  private let gradient: Int
  private let slot: LearntParameters.Slot
  private let learnt: LearntParameters
  private let set: NetworkKernels
  /// For each part, the sum of the output's gradient over its images.
  private let sums: [FloatBuffer]

  init(
    _ convolution: Convolution, _ from: Value, _ to: Value, gradient: Int, _ learnt: LearntParameters,
    parts: Int, _ set: NetworkKernels
  ) throws {
    self.convolution = convolution
    self.from = from
    self.to = to
    self.gradient = gradient
    self.learnt = learnt
    self.set = set
    slot = try learnt.slot(convolution.weight)
    sums = try (0..<parts).map { _ throws in try FloatBuffer(count: to.size) }
  }

  /// Sets all sums to 0, as a part without images adds nothing to its own.
  func begin() { for sum in sums { unsafe sum.start.update(repeating: 0, count: to.size) } }

  func add(_ part: TrainingPart) {
    let sum = unsafe sums[part.index].start
    for image in part.images {
      unsafe set.table.add(sum, sum, part.execution.read(gradient, image: image), to.size, 0)
    }
  }

  /// The gradient of each channel's beta.
  func finish() -> [Double] {
    let sum = unsafe sums[0].start
    for other in sums.dropFirst() { unsafe set.table.add(sum, sum, other.start, to.size, 0) }
    var result = [Double](repeating: 0, count: from.channels)
    guard case .weights(let layout) = slot.layout, layout.isInterleaved else { return result }
    let rows = (0..<convolution.kernel.rows).map {
      seen($0, convolution.stride.rows, convolution.padding.rows, from.height, to.height)
    }
    let columns = (0..<convolution.kernel.columns).map {
      seen($0, convolution.stride.columns, convolution.padding.columns, from.width, to.width)
    }
    let (lanes, channels) = (layout.lanes, layout.channels)
    for filter in 0..<layout.filters {
      let (block, lane) = filter.quotientAndRemainder(dividingBy: lanes)
      let plane = unsafe sum + block * to.blockSize + lane
      let weights = unsafe learnt.values.start + slot.start + block * layout.blockSize + lane
      for (row, seenRows) in rows.enumerated() {
        // Prefix sums along the columns, each over the rows that this row of taps reads into.
        var along = [Double](repeating: 0, count: to.width + 1)
        for column in 0..<to.width {
          var total = 0.0
          for index in seenRows { unsafe total += Double(plane[(index * to.width + column) * lanes]) }
          along[column + 1] = along[column] + total
        }
        for (column, seenColumns) in columns.enumerated() {
          let total = along[seenColumns.upperBound] - along[seenColumns.lowerBound]
          for channel in 0..<channels {
            let place = (row * convolution.kernel.columns + column) * channels + channel
            result[channel] += unsafe total * Double(weights[place * lanes])
          }
        }
      }
    }
    return result
  }

  /// The outputs for which a tap lies within the image.
  private func seen(_ tap: Int, _ stride: Int, _ padding: Int, _ size: Int, _ count: Int) -> Range<Int> {
    let first = tap >= padding ? 0 : (padding - tap + stride - 1) / stride
    let end = size + padding - tap <= 0 ? 0 : (size + padding - tap - 1) / stride + 1
    return min(first, count)..<max(min(first, count), min(end, count))
  }
}
