internal import CKernels
import Glibc
public import Models
public import Tensors

/// A network that learns, on this processor: forward with the statistics of the batch, backward, update.
///
/// The same calls from the same parameters give the same numbers, for the same number of workers: each has its part of
/// a batch, and sums are added up in the order of the parts.
///
/// Convolutions of stride 1 are Winograd's F(4x4, 3x3) in all three directions; see the folder's README.
public final class Trainer: TrainingEngine {
  public let graph: Graph
  public var inputShape: [Int] { graph.inputShape }
  public var outputCount: Int { graph.outputCount }
  public let optimizer: Optimizer
  /// The kernels in use: "portable", "avx2" or "avx512".
  public let kernels: String
  private let batch: Int
  /// What a yes of each output counts in the loss.
  private let positiveWeights: [Float]
  private let workers: Workers
  private let set: KernelSet
  private let plan: TrainingPlan
  private let gradients: GradientPlan
  private let memory: MemoryPlan
  private let arena: FloatBuffer
  private let scratch: [FloatBuffer]
  private let sums: [FloatBuffer]
  private let shared: FloatBuffer
  private let learnt: LearntParameters
  private let state: OptimizerState
  /// One for each view; nil where nothing is done.
  private let normalizations: [Normalization?]
  private let layers: [any TrainingLayer]
  /// For each layer, the views whose gradient it is the last one to add to.
  private let ready: [[ReadyView]]
  private let dense: DenseTraining
  private let imageShift: (gradient: ImageShiftGradient, layer: Int, normalization: Normalization)?
  /// Layers and pieces of packing their weights, for all workers.
  private let packing: [(layer: any TrainingLayer, piece: Int)]
  private var isPacked = false
  private var weightAverage: WeightAverage?
  private let exchange: (any GradientExchange)?
  private var buckets: GradientBuckets

  /// - Parameters:
  ///   - graph: a network that ends with a fully connected layer and its softmax or sigmoid.
  ///   - batch: the most images of one step, of this rank.
  ///   - positiveWeights: of a network with many labels, what a yes of each class counts in the loss where a no counts 1:
  ///     `pos_weight` of PyTorch's BCEWithLogitsLoss. nil: 1 as well.
  ///   - kernels: one of `Network.availableKernels`; nil: the last one.
  ///   - exchange: with whom it learns. A step is then one of all ranks' images together; a rank may have none.
  /// - Throws: where the graph has a node that cannot be trained, a parameter is missing, or memory is lacking.
  public init(
    _ graph: Graph, _ parameters: Parameters, batch: Int, optimizer: Optimizer,
    positiveWeights: [Float]? = nil,
    workers: Workers = Workers(), kernels: String? = nil, exchange: (any GradientExchange)? = nil
  ) throws {
    precondition(batch > 0, "a batch has an image at least")
    let outputs = graph.outputCount
    precondition(
      positiveWeights.map { $0.count == outputs && graph.nodes[graph.output].operation == .sigmoid } ?? true,
      "a weight for each of many labels")
    self.positiveWeights = positiveWeights ?? [Float](repeating: 1, count: outputs)
    let set = try KernelSet.named(kernels)
    self.graph = graph
    self.batch = batch
    self.workers = workers
    self.optimizer = optimizer
    self.set = set
    self.exchange = exchange
    self.kernels = set.name
    let plan = try TrainingPlan(graph)
    self.plan = plan
    let gradients = GradientPlan(plan)
    self.gradients = gradients
    memory = MemoryPlan(gradients.values, lifetimes: gradients.lifetimes, images: batch)
    arena = try FloatBuffer(count: memory.size)
    let learnt = try LearntParameters(graph)
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
            convolution, layer, step, view, prologue(layer.inputs[0]), values: plan.values, learnt, set))
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

  /// The gradients of the summed loss of some images, those of other ranks among them, under the parameters' names; nothing is updated but the moving
  /// statistics.
  public func gradients(
    _ images: Span<Float>, targets: Span<Float>, count: Int, outputs: inout MutableSpan<Float>
  ) -> (loss: Double, arrays: [String: Parameters.Array]) {
    let (loss, total) = run(images, targets: targets, count: count, outputs: &outputs)
    backward(images, count: count, total: total)
    var arrays: [String: Parameters.Array] = [:]
    for slot in learnt.slots { arrays[slot.name] = learnt.array(slot, in: learnt.gradient) }
    return (loss, arrays)
  }

  /// Which images each part has.
  private func images(of part: Int, count: Int) -> Range<Int> {
    count * part / workers.count..<count * (part + 1) / workers.count
  }

  private func execution(_ images: UnsafePointer<Float>, worker: Int) -> Execution {
    unsafe Execution(
      arena: arena.start, memory: memory, input: images, workers: nil, scratch: scratch, shared: shared,
      worker: worker)
  }

  private func forEachPart(
    _ images: Span<Float>, count: Int, _ body: @Sendable (TrainingPart) -> Void
  ) {
    unsafe images.withUnsafeBufferPointer { images in
      guard let images = images.baseAddress else { return }
      let parts = (0..<workers.count).map { part in
        unsafe TrainingPart(
          images: self.images(of: part, count: count), all: self.images(of: part, count: count), index: part,
          execution: execution(images, worker: part),
          sums: sums[part].start)
      }
      workers.forEach(parts.count) { part, _ in
        if !parts[part].images.isEmpty { body(parts[part]) }
      }
    }
  }

  /// - Returns: the mean loss and the number of the images, of all ranks.
  private func run(
    _ images: Span<Float>, targets: Span<Float>, count: Int, outputs: inout MutableSpan<Float>
  ) -> (loss: Double, total: Int) {
    let least = exchange == nil ? 1 : 0
    precondition((least...batch).contains(count), "a step has an image at least, and at most a batch")
    precondition(images.count == count * inputShape.reduce(1, *), "as many tensors as images")
    precondition(targets.count == count * outputCount, "as many targets as outputs")
    precondition(outputs.count == count * outputCount, "room for as many outputs as images")
    if !isPacked { pack() }
    watch(images, count: count)
    for (index, layer) in layers.enumerated() {
      let output = plan.layers[index].output
      let norms = normalizations(of: output)
      for norm in norms { norm.begin() }
      forEachPart(images, count: count) { part in
        part.forEachFew(layer.imagesForward) { few in
          layer.forward(few)
          for image in few.images {
            for norm in norms { unsafe norm.watch(few.execution.read(output, image: image), part: few.index) }
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

  private func normalizations(of value: Int) -> [Normalization] {
    plan.views.indices.compactMap { plan.views[$0].value == value ? normalizations[$0] : nil }
  }

  /// The statistics of the images themselves.
  private func watch(_ images: Span<Float>, count: Int) {
    let norms = normalizations(of: 0)
    guard !norms.isEmpty else { return }
    for norm in norms { norm.begin() }
    forEachPart(images, count: count) { part in
      for image in part.images {
        for norm in norms { unsafe norm.watch(part.execution.read(0, image: image), part: part.index) }
      }
    }
    for norm in norms { norm.finish(exchange) }
  }

  /// The last layer, the loss and its gradient.
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
        // MXNet's LogisticRegressionOutput takes the mean over an image's outputs.
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
            // Of weight 1 the plain difference, to the bit.
            unsafe gradient[index] = (probability * (1 + (weight - 1) * target) - weight * target) * share
            loss -= crossEntropy(Double(target), Double(probability), Double(weight)) * Double(share)
          }
        }
        return loss / Double(count)
      }
    }
  }

  /// - Returns: a number below 0.
  private func crossEntropy(_ target: Double, _ probability: Double, _ weight: Double) -> Double {
    let least = 1e-30
    var sum = target == 0 ? 0 : weight * target * log(max(probability, least))
    if plan.head == .sigmoid, target != 1 { sum += (1 - target) * log(max(1 - probability, least)) }
    return probability.isNaN ? .nan : sum
  }

  // MARK: - Backward

  private func backward(_ images: Span<Float>, count: Int, total: Int) {
    buckets.begin()
    imageShift?.gradient.begin()
    // A rank without images takes part with zeros.
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
        part.forEachFew(layer.imagesBackward) { few in
          for view in views {
            for image in few.images {
              unsafe view.norm.backward(
                few.execution.write(step.gradient, image: image), few.execution.read(view.from, image: image),
                few.execution.read(output, image: image),
                add: view.add.map { unsafe few.execution.read($0, image: image) })
            }
          }
          layer.backward(few)
          shift?.watch(few)
          for view in ready { view.sum(few) }
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

  /// Adds up the parts' sums.
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
        unsafe set.backward.sum(out.pointer + part.lowerBound, start, from.count, part.count)
      }
    }
  }

  @safe private struct Shared: @unchecked Sendable {  // the pieces write different places
    let pointer: UnsafeMutablePointer<Float>

    init(_ pointer: UnsafeMutablePointer<Float>) { unsafe self.pointer = pointer }
  }

  // MARK: - Weights

  private func update(learningRate: Double, count: Int) {
    state.update(rate: learningRate, images: count, workers, set)
    isPacked = false
  }

  private func pack() {
    let packing = packing
    workers.forEach(packing.count) { index, _ in packing[index].layer.pack(packing[index].piece) }
    isPacked = true
  }

  private func load(_ parameters: Parameters) throws {
    try graph.check(parameters)
    for slot in learnt.slots {
      try learnt.set(
        slot, in: learnt.values,
        to: Parameters.Array(shape: slot.shape, values: parameters.values(of: slot.name)))
    }
    for norm in normalizations.compactMap(\.self) {
      guard let names = norm.statistics else { continue }
      norm.restore(
        mean: try parameters.values(of: names.mean), variance: try parameters.values(of: names.variance))
    }
    isPacked = false
  }

  public func parameters() throws -> Parameters {
    var arrays: [String: Parameters.Array] = [:]
    for slot in learnt.slots { arrays[slot.name] = learnt.array(slot, in: learnt.values) }
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
