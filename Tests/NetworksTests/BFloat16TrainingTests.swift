import CNetworks
import Models
import TestSupport
import Testing

@testable import Networks

/// One convolution of a small network, as it is trained with bfloat16, and numbers for it.
private struct ConvolutionTrial {
  let convolution: Convolution
  let from: Value, to: Value
  let images: Int
  /// Planes of each image, in MXNet's order: what enters, after the prologue, and the gradient of the output.
  private(set) var entering: [[Double]] = [], gradients: [[Double]] = []
  private let weights: [Double]
  /// What was computed, in the same order.
  private(set) var output: [[Float]] = [], inputGradient: [[Float]] = [], weightGradient: [Float] = []

  struct Shape: Sendable {
    var input = [16, 8, 8], filters = 16
    var kernel = (1, 1), stride = (1, 1), padding = (0, 0)
    var images = 2
    /// Whether it is the network's first layer, on planes, which has no gradient of its input.
    var isFirst = false
  }

  private static func rounded(_ number: Float) -> Double { Double(widened(bfloat16(number))) }

  init(_ shape: Shape, _ set: NetworkKernels, parts: Int) throws {
    images = shape.images
    var maker = GraphMaker(seed: 31, input: shape.input)
    var node = 0
    if shape.isFirst {
      node = maker.batchNorm(0, fixesGamma: true)
    } else {
      node = maker.convolution(0, filters: shape.input[0], kernel: (1, 1), padding: (0, 0))
      node = maker.relu(maker.batchNorm(node))
    }
    let tested = maker.convolution(
      node, filters: shape.filters, kernel: shape.kernel, stride: shape.stride, padding: shape.padding)
    let pooled = maker.pooling(tested, .average(countsPadding: true), isGlobal: true)
    _ = maker.softmax(maker.dense(maker.flatten(pooled), outputs: 2))
    let graph = maker.graph
    let plan = try TrainingPlan(graph, lanes: set.lanes)
    let gradientPlan = GradientPlan(plan)
    let index = shape.isFirst ? 0 : 1
    let layer = plan.layers[index]
    let step = try #require(gradientPlan.steps[index])
    guard case .convolution(let convolution) = layer.kind else { throw ModelError("no convolution") }
    self.convolution = convolution
    let view = plan.views[layer.inputs[0]]
    (from, to) = (plan.values[view.value], plan.values[layer.output])

    var random = SplitMix64(seed: 77)
    let (scale, shift) = (random.floats(from.channels), random.floats(from.channels))
    let prologue = try Prologue(Affine(scale: scale, shift: shift, relu: !shape.isFirst), from)
    let learnt = try LearntParameters(graph, set)
    try learnt.set(maker.parameters, in: learnt.values)
    let trained = try ConvolutionTraining(
      convolution, layer, step, view, prologue, values: plan.values, learnt, precision: .bfloat16, set)
    for piece in 0..<trained.packCount { trained.pack(piece) }
    weights = try maker.parameters.values(of: convolution.weight).map(Self.rounded)

    let memory = MemoryPlan(gradientPlan.values, lifetimes: gradientPlan.lifetimes, images: images)
    let arena = try PageMemory(byteCount: memory.byteCount)
    let scratch = try (0..<parts).map { _ in try FloatBuffer(count: trained.scratchSize(images: images)) }
    let sums = try (0..<parts).map { _ in try FloatBuffer(count: trained.sumSize) }
    let shared = try FloatBuffer(count: 0)
    let planes = random.floats(images * shape.input.reduce(1, *))
    try planes.withUnsafeBufferPointer { planes in
      let all = (0..<parts).map { part in
        let execution = Execution(
          arena: arena.start, memory: memory, input: planes.baseAddress!, workers: nil, scratch: scratch,
          shared: shared, worker: part)
        let own = images * part / parts..<images * (part + 1) / parts
        return TrainingPart(
          images: own, all: own, index: part, execution: execution, sums: sums[part].start)
      }
      for image in 0..<images {
        var numbers = Array(
          planes[image * from.channels * from.positions..<(image + 1) * from.channels * from.positions])
        if !shape.isFirst {
          numbers = random.floats(numbers.count)
          Self.store(numbers, from, all[0].execution.write(view.value, image: image))
        }
        entering.append(
          numbers.indices.map {
            let channel = $0 / from.positions
            let value = numbers[$0] * scale[channel] + shift[channel]
            return Self.rounded(shape.isFirst ? value : max(value, 0))
          })
        let dy = random.floats(to.channels * to.positions)
        Self.store(dy, to, all[0].execution.write(step.gradient, image: image))
        gradients.append(dy.map(Self.rounded))
      }
      for part in all where !part.images.isEmpty { part.forEachChunk(trained.imagesForward, trained.forward) }
      for image in 0..<images {
        output.append(Self.loaded(to, all[0].execution.read(layer.output, image: image)))
      }
      for part in all where !part.images.isEmpty {
        part.forEachChunk(trained.imagesBackward, trained.backward)
      }
      if let target = step.inputs[0] {
        for image in 0..<images {
          inputGradient.append(Self.loaded(from, all[0].execution.read(target.place, image: image)))
        }
      }
      let slot = try learnt.slot(convolution.weight)
      for place in 0..<slot.range.count {
        learnt.gradient.start[slot.start + place] = all.filter { !$0.images.isEmpty }.reduce(0) {
          $0 + $1.sums[place]
        }
      }
      weightGradient = learnt.array(slot, in: learnt.gradient).values
    }
  }

  private static func store(_ numbers: [Float], _ value: Value, _ to: UnsafeMutablePointer<Float>) {
    to.update(repeating: 0, count: value.size)
    for (index, number) in numbers.enumerated() {
      let (channel, position) = index.quotientAndRemainder(dividingBy: value.positions)
      to[(channel / value.lanes * value.positions + position) * value.lanes + channel % value.lanes] = number
    }
  }

  private static func loaded(_ value: Value, _ from: UnsafePointer<Float>) -> [Float] {
    (0..<value.channels * value.positions).map { index in
      let (channel, position) = index.quotientAndRemainder(dividingBy: value.positions)
      return from[(channel / value.lanes * value.positions + position) * value.lanes + channel % value.lanes]
    }
  }

  /// Compares what was computed with loops in double precision over the rounded numbers.
  func expectSums(_ comment: String) {
    var outputs = images.zeros(to)
    var inputs = images.zeros(from)
    var sums = (
      value: [Double](repeating: 0, count: weights.count), size: [Double](repeating: 0, count: weights.count)
    )
    let (kernel, stride, padding) = (convolution.kernel, convolution.stride, convolution.padding)
    for image in 0..<images {
      for filter in 0..<to.channels {
        for channel in 0..<from.channels {
          for row in 0..<kernel.rows {
            for column in 0..<kernel.columns {
              let weight = ((filter * from.channels + channel) * kernel.rows + row) * kernel.columns + column
              for y in 0..<to.height {
                let i = y * stride.rows + row - padding.rows
                guard (0..<from.height).contains(i) else { continue }
                for x in 0..<to.width {
                  let j = x * stride.columns + column - padding.columns
                  guard (0..<from.width).contains(j) else { continue }
                  let there = (filter * to.height + y) * to.width + x
                  let here = (channel * from.height + i) * from.width + j
                  outputs.add(image, there, weights[weight] * entering[image][here])
                  inputs.add(image, here, weights[weight] * gradients[image][there])
                  let product = entering[image][here] * gradients[image][there]
                  sums.value[weight] += product
                  sums.size[weight] += abs(product)
                }
              }
            }
          }
        }
      }
    }
    func isNear(_ found: Float, _ sum: Double, _ size: Double) -> Bool {
      abs(Double(found) - sum) <= 1e-5 * max(size, 1e-3)
    }
    for image in 0..<images {
      let first = output[image].indices.first {
        !isNear(output[image][$0], outputs.value[image][$0], outputs.size[image][$0])
      }
      #expect(first == nil, "\(comment): output of image \(image)")
      guard !inputGradient.isEmpty else { continue }
      let second = inputGradient[image].indices.first {
        !isNear(inputGradient[image][$0], inputs.value[image][$0], inputs.size[image][$0])
      }
      #expect(second == nil, "\(comment): gradient of the input of image \(image)")
    }
    let third = weights.indices.first { !isNear(weightGradient[$0], sums.value[$0], sums.size[$0]) }
    #expect(third == nil, "\(comment): gradient of a weight")
  }
}

/// Sums for each number of each image, and those of the sizes of what was added.
private struct ImageSums {
  var value: [[Double]], size: [[Double]]

  mutating func add(_ image: Int, _ index: Int, _ product: Double) {
    value[image][index] += product
    size[image][index] += abs(product)
  }
}

extension Int {
  fileprivate func zeros(_ value: Value) -> ImageSums {
    let zeros = [[Double]](
      repeating: Array(repeating: 0, count: value.channels * value.positions), count: self)
    return ImageSums(value: zeros, size: zeros)
  }
}

@Suite("Training with bfloat16") struct BFloat16TrainingTests {
  @Test(
    "outputs and gradients of a convolution are the sums over rounded inputs",
    arguments: NetworkKernels.available,
    [
      ConvolutionTrial.Shape(), .init(input: [5, 7, 7], filters: 33, images: 5),
      .init(input: [33, 9, 5], filters: 7, stride: (2, 2), images: 3),
      // So many positions are taken in two rounds.
      .init(input: [32, 53, 53], filters: 40, images: 1),
      .init(input: [20, 15, 11], filters: 18, kernel: (3, 3), stride: (2, 2), padding: (1, 1)),
      .init(input: [18, 8, 8], filters: 20, kernel: (3, 3), stride: (2, 2), padding: (1, 1), images: 3),
      .init(input: [3, 29, 30], filters: 20, kernel: (7, 7), stride: (2, 2), padding: (3, 3), isFirst: true),
      .init(input: [3, 9, 8], filters: 16, kernel: (3, 3), padding: (1, 1), images: 3, isFirst: true),
      .init(input: [1, 9, 8], filters: 5, kernel: (5, 5), padding: (2, 2), images: 1, isFirst: true),
      .init(input: [17, 9, 14], filters: 9, kernel: (5, 4), stride: (3, 2), padding: (2, 1)),
      .init(input: [6, 4, 5], filters: 8, kernel: (2, 3), stride: (1, 2), padding: (0, 1)),
      .init(input: [16, 1, 1], filters: 16, images: 4),
      .init(input: [4, 5, 5], filters: 4, kernel: (2, 2), stride: (3, 3)),
    ])
  fileprivate func layers(_ set: NetworkKernels, _ shape: ConvolutionTrial.Shape) throws {
    for parts in [1, 2] {
      try ConvolutionTrial(shape, set, parts: parts).expectSums("\(set.name), \(parts) parts")
    }
  }

  private static func lesson() -> (Graph, Parameters, images: [Float], targets: [Float]) {
    var maker = GraphMaker.preActivation(seed: 7, input: [3, 24, 24], classes: 5)
    let targets = (0..<6 * 5).map { Float($0 % 5 == $0 / 5 * 2 % 5 ? 1 : 0) }
    return (maker.graph, maker.parameters, maker.images(6), targets)
  }

  /// The losses of some steps on one batch, and the bits of the weights after them.
  private static func losses(
    _ count: Int, precision: Network.Precision, threads: Int = 2, kernels: String? = nil
  ) throws -> (losses: [Double], bits: [String: [UInt32]]) {
    let (graph, parameters, images, targets) = lesson()
    let trainer = try Trainer(
      graph, parameters, batch: 6, optimizer: .sgd(momentum: 0.9, weightDecay: 0.01),
      workers: Workers(count: threads), precision: precision, kernels: kernels)
    var outputs = [Float](repeating: 0, count: targets.count)
    let losses = try (0..<count).map { _ in
      var span = outputs.mutableSpan
      return try trainer.step(
        images.span, targets: targets.span, count: 6, learningRate: 0.02, outputs: &span
      ).loss
    }
    let after = try trainer.parameters()
    var bits: [String: [UInt32]] = [:]
    for name in after.names { bits[name] = try after.values(of: name).map(\.bitPattern) }
    return (losses, bits)
  }

  @Test("the same steps give the same bits on each number of threads", arguments: 1...4)
  func repeatable(_ threads: Int) throws {
    let one = try Self.losses(3, precision: .bf16, threads: threads)
    let other = try Self.losses(3, precision: .bf16, threads: threads)
    #expect(one == other)
  }

  @Test("the loss falls as it does in single precision", arguments: NetworkKernels.available.map(\.name))
  func learns(_ kernels: String) throws {
    let floats = try Self.losses(16, precision: .fp32, kernels: kernels).losses
    let halves = try Self.losses(16, precision: .bf16, kernels: kernels).losses
    #expect(floats != halves)
    #expect(floats[15] < floats[0] / 4)
    for (one, other) in zip(floats, halves) {
      #expect(abs(one - other) < 0.05 * floats[0], "\(one), \(other)")
    }
  }
}
