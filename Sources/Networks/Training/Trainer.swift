internal import CNetworks
import Glibc
public import Models

/// Trains a network on this processor: forward with the statistics of the batch, backward, update.
///
/// The same calls from the same parameters give the same bits, for the same number of workers: each worker has its part
/// of a batch, and sums are added in the order of the parts.
///
/// 3x3 convolutions of stride 1 are Winograd's F(4x4, 3x3), forward and for both gradients; see the folder's README.
public final class Trainer: TrainingEngine {
  /// The network that learns.
  public let graph: Graph
  public var inputShape: [Int] { graph.inputShape }
  public var outputCount: Int { graph.outputCount }
  /// How weights follow their gradients.
  public let optimizer: Optimizer
  /// The kernels in use: one of `Network.availableKernels`.
  public let kernels: String
  private let batch: Int
  /// The weight of a positive label in the loss, for each output.
  private let positiveWeights: [Float]
  private let workers: Workers
  private let set: NetworkKernels
  private let plan: TrainingPlan
  private let gradients: GradientPlan
  private let memory: MemoryPlan
  private let arena: PageMemory
  /// Scratch memory and sums of weights' gradients, one of each for each worker.
  private let scratch: [FloatBuffer]
  private let sums: [FloatBuffer]
  private let shared: FloatBuffer
  private let learnt: LearntParameters
  private let state: OptimizerState
  /// One for each view; nil if the view is plain.
  private let normalizations: [Normalization?]
  /// All layers but the last one.
  private let layers: [any TrainingLayer]
  /// For each layer, the views whose gradient is complete after its backward pass.
  private let ready: [[ReadyView]]
  /// The last layer.
  private let dense: DenseTraining
  private let imageShift: (gradient: ImageShiftGradient, layer: Int, normalization: Normalization)?
  /// Layers and pieces of packing their weights, which the workers share.
  private let packing: [(layer: any TrainingLayer, piece: Int)]
  /// Whether the packed weights are the current ones.
  private var isPacked = false
  private var weightAverage: WeightAverage?
  private let exchange: (any GradientExchange)?
  private var buckets: GradientBuckets

  /// Plans the training of a network.
  ///
  /// - Parameters:
  ///   - graph: a network that ends with a fully connected layer and its softmax or sigmoid.
  ///   - parameters: its weights and moving statistics at the start.
  ///   - batch: the most images of one step on this rank.
  ///   - positiveWeights: for a network with many labels, the weight in the loss of a positive label of each class,
  ///     where a negative one has weight 1: `pos_weight` of PyTorch's BCEWithLogitsLoss. nil: 1 for all.
  ///   - precision: fp32, or bf16: inputs and gradients are rounded to bfloat16 where convolutions multiply them, unless
  ///     Winograd's transform in floats is faster. Sums, weights, the optimiser's state and everything else are in single
  ///     precision.
  ///   - kernels: one of `Network.availableKernels`; nil: the last one.
  ///   - exchange: sums over the ranks that learn together. A step then learns from the images of all ranks, of which a
  ///     rank may have none. nil: there is one rank.
  /// - Throws: a `ModelError` if the graph has a node that cannot be trained, a parameter is missing, or the processor
  ///   has no such kernels; `OutOfMemory`.
  /// - Complexity: keeps all activations of a batch, the weights, their gradient, the optimiser's state, and one or two
  ///   packed copies of each convolution's weights.
  public init(
    _ graph: Graph, _ parameters: Parameters, batch: Int, optimizer: Optimizer,
    positiveWeights: [Float]? = nil, workers: Workers = Workers(), precision: Network.Precision = .fp32,
    kernels: String? = nil, exchange: (any GradientExchange)? = nil
  ) throws {
    precondition(batch > 0, "a batch has an image at least")
    precondition(precision != .int8, "gradients are no whole numbers")
    let outputs = graph.outputCount
    precondition(
      positiveWeights.map { $0.count == outputs && graph.nodes[graph.output].operation == .sigmoid } ?? true,
      "a weight for each of many labels")
    self.positiveWeights = positiveWeights ?? [Float](repeating: 1, count: outputs)
    let set = try NetworkKernels.named(kernels)
    self.graph = graph
    self.batch = batch
    self.workers = workers
    self.optimizer = optimizer
    self.set = set
    self.exchange = exchange
    self.kernels = set.name
    let plan = try TrainingPlan(graph, lanes: set.lanes)
    self.plan = plan
    let gradients = GradientPlan(plan)
    self.gradients = gradients
    memory = MemoryPlan(gradients.values, lifetimes: gradients.lifetimes, images: batch)
    arena = try PageMemory(byteCount: memory.byteCount)
    let learnt = try LearntParameters(graph, set)
    self.learnt = learnt
    state = try OptimizerState(optimizer, learnt)
    let parts = workers.count
    let normalizations = try plan.views.map { view throws -> Normalization? in
      view.isPlain
        ? nil
        : try Normalization(
          view.norm.map { plan.norms[$0].norm }, relu: view.relu, plan.values[view.value], learnt, parameters,
          parts: parts, set)
    }
    self.normalizations = normalizations
    func prologue(_ view: Int) -> Prologue { normalizations[view]?.prologue ?? Prologue() }

    var layers: [any TrainingLayer] = []
    var dense: DenseTraining?
    var imageShift: (ImageShiftGradient, Int, Normalization)?
    for (index, layer) in plan.layers.enumerated() {
      guard let step = gradients.steps[index] else { continue }
      let view = plan.views[layer.inputs[0]]
      switch layer.kind {
      case .convolution(let convolution):
        layers.append(
          try ConvolutionTraining(
            convolution, layer, step, view, prologue(layer.inputs[0]), values: plan.values, learnt,
            precision: precision.type, set))
        if view.value == 0, let norm = normalizations[layer.inputs[0]] {
          let gradient = try ImageShiftGradient(
            convolution, plan.values[0], plan.values[layer.output], gradient: step.gradient, learnt,
            parts: parts, set)
          imageShift = (gradient, index, norm)
        }
      case .pooling(let pooling):
        layers.append(
          PoolingTraining(
            pooling, layer, step, view, prologue(layer.inputs[0]), values: plan.values, set))
      case .sum:
        let inputs = layer.inputs.map { (plan.views[$0].value, prologue($0)) }
        layers.append(SumTraining(layer, step, inputs, values: plan.values, set))
      case .dense(let operation):
        guard index == plan.layers.count - 1 else {
          throw ModelError("the node \(layer.name) cannot be trained: it is not the last layer")
        }
        dense = try DenseTraining(
          operation, layer, step, view, values: plan.values, learnt, batch: batch, set)
      }
    }
    guard let dense else { throw ModelError("the network has no fully connected layer at its end") }
    self.layers = layers
    packing = layers.flatMap { layer in (0..<layer.packCount).map { (layer, $0) } }
    ready = ReadyView.all(plan, gradients, normalizations)
    self.dense = dense
    self.imageShift = imageShift
    buckets = try GradientBuckets(
      plan, gradients, learnt, ranges: layers.map(\.gradientRange),
      leastSize: exchange?.bucketSize ?? .max)
    let most = (batch + parts - 1) / parts
    let scratchSize = layers.map { $0.scratchSize(images: most) }.max() ?? 0
    let sumSize = layers.map(\.sumSize).max() ?? 0
    scratch = try (0..<parts).map { _ throws in try FloatBuffer(count: scratchSize) }
    sums = try (0..<parts).map { _ throws in try FloatBuffer(count: sumSize) }
    shared = try FloatBuffer(count: 0)
    try load(parameters)
  }

  // MARK: - Steps

  public func step(
    _ images: Span<Float>, targets: Span<Float>, count: Int, learningRate: Double,
    outputs: inout MutableSpan<Float>
  ) throws -> TrainingStep {
    let start = ContinuousClock.now
    let (loss, total) = run(images, targets: targets, count: count, outputs: &outputs)
    let middle = ContinuousClock.now
    backward(images, count: count, total: total)
    let end = ContinuousClock.now
    update(learningRate: learningRate, count: total)
    return TrainingStep(
      loss: loss, forward: middle - start, backward: end - middle, update: ContinuousClock.now - end)
  }

  /// Computes the gradients of the loss of some images, summed over the images of all ranks, without a step: nothing
  /// but the moving statistics is updated.
  ///
  /// - Parameters: as those of `step`.
  /// - Returns: the mean loss, and the gradients under the parameters' names.
  public func gradients(
    _ images: Span<Float>, targets: Span<Float>, count: Int, outputs: inout MutableSpan<Float>
  ) -> (loss: Double, arrays: [String: Parameters.Array]) {
    let (loss, total) = run(images, targets: targets, count: count, outputs: &outputs)
    backward(images, count: count, total: total)
    return (loss, learnt.arrays(in: learnt.gradient))
  }
}

/// The forward pass: all layers one after the other, each by all workers on their parts of the batch.
extension Trainer {
  /// The images of a part.
  private func images(of part: Int, count: Int) -> Range<Int> {
    count * part / workers.count..<count * (part + 1) / workers.count
  }

  private func execution(_ images: UnsafePointer<Float>, worker: Int) -> Execution {
    unsafe Execution(
      arena: arena.start, memory: memory, input: images, workers: nil, scratch: scratch, shared: shared,
      worker: worker)
  }

  /// Calls `body` for each part that has images, all at the same time.
  private func forEachPart(
    _ images: Span<Float>, count: Int, _ body: @Sendable (TrainingPart) -> Void
  ) {
    unsafe images.withUnsafeBufferPointer { images in
      guard let images = images.baseAddress else { return }
      let parts = (0..<workers.count).map { part in
        let all = self.images(of: part, count: count)
        return unsafe TrainingPart(
          images: all, all: all, index: part, execution: execution(images, worker: part),
          sums: sums[part].start)
      }
      workers.forEach(parts.count) { part, _ in
        if !parts[part].images.isEmpty { body(parts[part]) }
      }
    }
  }

  /// - Returns: the mean loss of the images of all ranks, and their number.
  private func run(
    _ images: Span<Float>, targets: Span<Float>, count: Int, outputs: inout MutableSpan<Float>
  ) -> (loss: Double, total: Int) {
    let least = exchange == nil ? 1 : 0
    precondition((least...batch).contains(count), "a step has an image at least, and at most a batch")
    precondition(images.count == count * inputShape.reduce(1, *), "as many tensors as images")
    precondition(targets.count == count * outputCount, "as many targets as outputs")
    precondition(outputs.count == count * outputCount, "room for as many outputs as images")
    if !isPacked { pack() }
    normalizeImages(images, count: count)
    for (index, layer) in layers.enumerated() {
      let output = plan.layers[index].output
      let norms = normalizations(of: output)
      for norm in norms { norm.begin() }
      forEachPart(images, count: count) { part in
        part.forEachChunk(layer.imagesForward) { chunk in
          layer.forward(chunk)
          for image in chunk.images {
            for norm in norms {
              unsafe norm.addStatistics(of: chunk.execution.read(output, image: image), part: chunk.index)
            }
          }
        }
      }
      for norm in norms { norm.finish(exchange) }
    }
    let loss = head(images, targets: targets, count: count, outputs: &outputs)
    guard let exchange else { return (loss, count) }
    var sums = [count > 0 ? loss * Double(count) : 0, Double(count)]
    exchange.sum(&sums)
    return (sums[0] / sums[1], Int(exactly: sums[1]) ?? count)
  }

  /// The BatchNorms and ReLUs of a value.
  private func normalizations(of value: Int) -> [Normalization] {
    plan.views.indices.compactMap { plan.views[$0].value == value ? normalizations[$0] : nil }
  }

  /// Takes the statistics of the images themselves, for a BatchNorm that reads them.
  private func normalizeImages(_ images: Span<Float>, count: Int) {
    let norms = normalizations(of: 0)
    guard !norms.isEmpty else { return }
    for norm in norms { norm.begin() }
    forEachPart(images, count: count) { part in
      for image in part.images {
        for norm in norms {
          unsafe norm.addStatistics(of: part.execution.read(0, image: image), part: part.index)
        }
      }
    }
    for norm in norms { norm.finish(exchange) }
  }
}

/// The head of the network.
extension Trainer {
  /// Computes the last layer, the loss and the gradient of the loss.
  ///
  /// - Returns: the mean loss of the images.
  private func head(
    _ images: Span<Float>, targets: Span<Float>, count: Int, outputs: inout MutableSpan<Float>
  ) -> Double {
    guard let last = plan.layers.last, let step = gradients.steps[plan.layers.count - 1] else { return 0 }
    return unsafe images.withUnsafeBufferPointer { images in
      unsafe outputs.withUnsafeMutableBufferPointer { outputs in
        guard let images = images.baseAddress else { return 0 }
        let execution = unsafe execution(images, worker: 0)
        dense.forward(execution, images: count)
        var loss = 0.0
        // MXNet's LogisticRegressionOutput divides by the number of outputs.
        let share = plan.head == .sigmoid ? 1 / Float(outputCount) : 1
        for image in 0..<count {
          let row = unsafe UnsafeBufferPointer(
            start: execution.read(last.output, image: image), count: outputCount)
          let range = image * outputCount..<(image + 1) * outputCount
          let probabilities = unsafe UnsafeMutableBufferPointer(rebasing: outputs[range])
          switch plan.head {
          case .softmax: unsafe softmax(row, probabilities)
          case .sigmoid: unsafe sigmoid(row, probabilities)
          }
          let gradient = unsafe execution.write(step.gradient, image: image)
          for index in 0..<outputCount {
            let target = targets[range.lowerBound + index]
            let probability = unsafe probabilities[index]
            let weight = positiveWeights[index]
            // With weight 1, this is the plain difference, to the bit.
            unsafe gradient[index] = (probability * (1 + (weight - 1) * target) - weight * target) * share
            loss -= crossEntropy(Double(target), Double(probability), Double(weight)) * Double(share)
          }
        }
        return loss / Double(count)
      }
    }
  }

  /// - Returns: the logarithm of the likelihood, at most 0: the loss is its negative.
  private func crossEntropy(_ target: Double, _ probability: Double, _ weight: Double) -> Double {
    let least = 1e-30
    var sum = target == 0 ? 0 : weight * target * log(max(probability, least))
    if plan.head == .sigmoid, target != 1 { sum += (1 - target) * log(max(1 - probability, least)) }
    return probability.isNaN ? .nan : sum
  }
}

/// The backward pass, from the loss to the gradients of all weights.
extension Trainer {
  /// - Parameters:
  ///   - count: the images of this rank.
  ///   - total: the images of all ranks.
  private func backward(_ images: Span<Float>, count: Int, total: Int) {
    buckets.begin()
    imageShift?.gradient.begin()
    // A rank without images adds zeros.
    if count == 0 { unsafe learnt.gradient.start.update(repeating: 0, count: learnt.gradient.count) }
    unsafe images.withUnsafeBufferPointer { images in
      guard let images = images.baseAddress else { return }
      unsafe dense.backward(execution(images, worker: 0), images: count)
    }
    for index in layers.indices.reversed() {
      guard let step = gradients.steps[index] else { continue }
      for view in step.views { normalizations[view.view]?.finishSums(images: total, exchange) }
      let layer = layers[index]
      let shift = imageShift.flatMap { $0.layer == index ? $0.gradient : nil }
      let output = plan.layers[index].output
      let views = step.views.compactMap { view in
        normalizations[view.view].map { (norm: $0, from: view.from, add: view.add) }
      }
      let ready = ready[index]
      for view in ready { view.norm.begin() }
      forEachPart(images, count: count) { part in
        part.forEachChunk(layer.imagesBackward) { chunk in
          for view in views {
            for image in chunk.images {
              unsafe view.norm.backward(
                chunk.execution.write(step.gradient, image: image),
                chunk.execution.read(view.from, image: image), chunk.execution.read(output, image: image),
                add: view.add.map { unsafe chunk.execution.read($0, image: image) })
            }
          }
          layer.backward(chunk)
          shift?.add(chunk)
          for view in ready { view.sum(chunk) }
        }
      }
      if let range = layer.gradientRange { collect(range, count: count) }
      if let bucket = buckets.bucket(after: index) { exchange?.begin(bucket) }
      exchange?.advance()
    }
    if let imageShift {
      for (channel, sum) in imageShift.gradient.finish().enumerated() {
        imageShift.normalization.setBetaGradient(channel, to: sum)
      }
    }
    if let exchange {
      if let bucket = buckets.lastBucket() { exchange.begin(bucket) }
      exchange.finish()
    }
  }

  /// Adds the parts' sums of a weight's gradient, in the order of the parts.
  private func collect(_ range: Range<Int>, count: Int) {
    let busy = sums.indices.filter { !images(of: $0, count: count).isEmpty }.map {
      unsafe Shared(sums[$0].start)
    }
    if busy.isEmpty { return }
    let out = unsafe Shared(learnt.gradient.start + range.lowerBound)
    let pieces = workers.count
    let set = set
    workers.forEach(pieces) { piece, _ in
      let part = range.count * piece / pieces..<range.count * (piece + 1) / pieces
      let from = unsafe busy.map { unsafe UnsafePointer($0.pointer + part.lowerBound) }
      unsafe from.withUnsafeBufferPointer { from in
        guard let start = from.baseAddress else { return }
        unsafe set.training.sum(out.pointer + part.lowerBound, start, from.count, part.count)
      }
    }
  }

  @safe private struct Shared: @unchecked Sendable {  // the pieces write different places
    let pointer: UnsafeMutablePointer<Float>

    init(_ pointer: UnsafeMutablePointer<Float>) { unsafe self.pointer = pointer }
  }
}

/// The update, and what a checkpoint needs.
extension Trainer {
  private func update(learningRate: Double, count: Int) {
    state.update(rate: learningRate, images: count, workers, set)
    isPacked = false
  }

  /// Packs the current weights for the kernels.
  private func pack() {
    let packing = packing
    workers.forEach(packing.count) { index, _ in packing[index].layer.pack(packing[index].piece) }
    isPacked = true
  }

  private func load(_ parameters: Parameters) throws {
    try graph.check(parameters)
    try learnt.set(parameters, in: learnt.values)
    for norm in normalizations.compactMap(\.self) {
      guard let names = norm.statistics else { continue }
      norm.restore(
        mean: try parameters.values(of: names.mean), variance: try parameters.values(of: names.variance))
    }
    isPacked = false
  }

  public func parameters() throws -> Parameters {
    var arrays = learnt.arrays(in: learnt.values)
    for norm in normalizations.compactMap(\.self) {
      guard let names = norm.statistics else { continue }
      arrays[names.mean] = Parameters.Array(shape: [norm.movingMean.count], values: norm.movingMean)
      arrays[names.variance] = Parameters.Array(
        shape: [norm.movingVariance.count], values: norm.movingVariance)
    }
    return Parameters(arrays)
  }

  public func startAverage(_ parameters: Parameters) throws {
    weightAverage = try WeightAverage(
      learnt, normalizations.compactMap(\.self), startingAt: parameters)
  }

  public func updateAverage(keeping kept: Float) { weightAverage?.update(keeping: kept, workers) }

  public func average() -> Parameters? { weightAverage.map { Parameters($0.arrays()) } }

  public func optimizerState() -> (arrays: [String: Parameters.Array], updateCount: Int) {
    (state.arrays(), state.updateCount)
  }

  public func restore(
    _ parameters: Parameters, optimizerState: [String: Parameters.Array], updateCount: Int
  ) throws {
    try load(parameters)
    try state.restore(optimizerState, updateCount: updateCount)
  }
}
