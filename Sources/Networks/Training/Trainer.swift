internal import CNetworks
import Glibc
public import Models

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
  let batch: Int
  /// What a yes of each output counts in the loss.
  let positiveWeights: [Float]
  let workers: Workers
  let set: KernelSet
  let plan: TrainingPlan
  let gradients: GradientPlan
  let memory: MemoryPlan
  let arena: FloatBuffer
  let scratch: [FloatBuffer]
  let sums: [FloatBuffer]
  let shared: FloatBuffer
  let learnt: LearntParameters
  let state: OptimizerState
  /// One for each view; nil where nothing is done.
  let normalizations: [Normalization?]
  let layers: [any TrainingLayer]
  /// For each layer, the views whose gradient it is the last one to add to.
  let ready: [[ReadyView]]
  let dense: DenseTraining
  let imageShift: (gradient: ImageShiftGradient, layer: Int, normalization: Normalization)?
  /// Layers and pieces of packing their weights, for all workers.
  let packing: [(layer: any TrainingLayer, piece: Int)]
  var isPacked = false
  var weightAverage: WeightAverage?
  let exchange: (any GradientExchange)?
  var buckets: GradientBuckets

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

  /// The gradients of the summed loss of some images, those of other ranks among them, under the parameters' names;
  /// nothing is updated but the moving statistics.
  public func gradients(
    _ images: Span<Float>, targets: Span<Float>, count: Int, outputs: inout MutableSpan<Float>
  ) -> (loss: Double, arrays: [String: Parameters.Array]) {
    let (loss, total) = run(images, targets: targets, count: count, outputs: &outputs)
    backward(images, count: count, total: total)
    return (loss, learnt.arrays(in: learnt.gradient))
  }
}
