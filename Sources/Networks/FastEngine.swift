import Models
internal import Synchronization

/// A graph planned for this processor: fused layers with packed weights, and an arena for each worker, which all runs
/// use.
final class FastEngine: Sendable {
  private let layers: [any Layer]
  private let network: FusedNetwork
  private let output: Value
  private let workers: Workers
  /// The most images that one worker takes at once.
  private let imagesAtOnce: Int
  /// So many layers, the first ones, are run image by image: their values are large and their weights small.
  private let perImageLayers: Int
  private let memoryPlan: MemoryPlan
  private let arenas: [PageMemory]
  private let scratch: [FloatBuffer]
  private let shared: FloatBuffer
  private let turn = Mutex(())
  let kernels: String

  var layerNames: [String] { network.layers.map(\.name) }

  /// - Parameter batch: the number of images of one run to plan for; 1 plans for the shortest time of a single image.
  /// - Throws: `Unplannable`, naming a node; a `ModelError` if a parameter cannot be read; `OutOfMemory`.
  init(
    _ graph: Graph, _ parameters: Parameters, batch: Int, workers: Workers, precision: NumberType = .float32,
    _ quantization: Quantization? = nil, _ set: NetworkKernels = .best
  ) throws {
    let network = try FusedNetwork(
      graph, parameters, lanes: set.lanes, storing: precision, quantization)
    self.network = network
    self.workers = workers
    kernels = set.name
    output = network.values[network.output]
    imagesAtOnce = max(1, min(Tuning.imagesAtOnce, (batch + workers.count - 1) / workers.count))
    var budget = Tuning.transformedWeightBytes(batch: batch)
    let layers = try network.layers.map { layer throws -> any Layer in
      try Self.layer(
        layer, network.values, parameters, precision, quantization, set, batch: batch, budget: &budget)
    }
    self.layers = layers
    perImageLayers = Self.perImageLayers(network, imagesAtOnce)
    memoryPlan = MemoryPlan(network, images: imagesAtOnce, perImageLayers: perImageLayers)
    let atOnce = imagesAtOnce
    let scratchSize = layers.map { $0.scratchSize(images: atOnce) }.max() ?? 0
    let plan = memoryPlan
    arenas = try (0..<workers.count).map { _ throws in try PageMemory(byteCount: plan.byteCount) }
    scratch = try (0..<workers.count).map { _ throws in try FloatBuffer(count: scratchSize) }
    shared = try FloatBuffer(count: workers.count > 1 ? layers.map(\.sharedScratchSize).max() ?? 0 : 0)
  }

  /// - Parameter budget: bytes that transformed weights may still take; reduced by those of this layer.
  private static func layer(
    _ layer: FusedLayer, _ values: [Value], _ parameters: Parameters, _ precision: NumberType,
    _ quantization: Quantization?, _ set: NetworkKernels, batch: Int, budget: inout Int
  ) throws -> any Layer {
    switch layer.kind {
    case .convolution(let convolution, let scale, let bias):
      if let input = quantization?.inputs[layer.name] {
        return try DirectConvolution(
          layer, convolution, scale: scale, bias: bias, values: values, parameters, set, type: input.type,
          means: input.means)
      }
      let (from, to) = (values[layer.input], values[layer.output])
      let bytes = WinogradConvolution.weightCount(from, to) * MemoryLayout<Float>.stride
      if WinogradConvolution.suits(convolution, from),
        Tuning.prefersWinograd(from, to, batch: batch, over: precision, set), bytes <= budget
      {
        budget -= bytes
        return try WinogradConvolution(
          layer, convolution, scale: scale, bias: bias, values: values, parameters, set)
      }
      return try DirectConvolution(
        layer, convolution, scale: scale, bias: bias, values: values, parameters, set, type: precision)
    case .pooling(let pooling): return try PoolingLayer(layer, pooling, values: values, set)
    case .affine: return try AffineLayer(layer, values: values, set)
    case .add:
      guard let other = layer.residual else { throw Unplannable(node: layer.name) }
      return SumLayer(layer, other: other, values: values, set)
    case .flatten: return FlattenLayer(layer, values: values)
    case .dense(let dense, let bias):
      return try DenseLayer(
        layer, dense, bias: bias, values: values, parameters, set, quantization?.inputs[layer.name])
    case .softmax, .sigmoid: return HeadLayer(layer, values: values, isPortable: quantization != nil)
    }
  }

  /// The number of layers up to the last one with large values; 0 if there is one image only.
  private static func perImageLayers(_ network: FusedNetwork, _ images: Int) -> Int {
    guard images > 1 else { return 0 }
    let large = network.layers.lastIndex { layer in
      max(network.values[layer.input].byteCount, network.values[layer.output].byteCount)
        > Tuning.perImageBytes
    }
    return large.map { $0 + 1 } ?? 0
  }

  /// - Parameter times: the time of each layer is added to it; nil: none is measured.
  func run(
    _ images: Span<Float>, count: Int, into outputs: inout MutableSpan<Float>, times: LayerTimes? = nil
  ) {
    turn.withLock { _ in
      unsafe images.withUnsafeBufferPointer { images in
        unsafe outputs.withUnsafeMutableBufferPointer { outputs in
          guard let images = images.baseAddress, let outputs = outputs.baseAddress else { return }
          let memory = unsafe Memory(images: images, outputs: outputs)
          if count == 1 || workers.count == 1 {
            runInTurn(count, memory, times)
          } else {
            runSideBySide(count, memory, times)
          }
        }
      }
    }
  }

  /// The caller's memory, of which the workers use parts that do not overlap.
  @safe private struct Memory: @unchecked Sendable {
    let images: UnsafePointer<Float>
    let outputs: UnsafeMutablePointer<Float>
  }

  /// Runs images one after the other on one worker, and lends what each layer reads before the layer runs.
  ///
  /// - Parameter body: gets the layer, the value that it reads, and its numbers: floats, if the plan is one of single
  ///   precision.
  func observe(
    _ images: Span<Float>, count: Int, _ body: (FusedLayer, Value, UnsafePointer<Float>) -> Void
  ) {
    turn.withLock { _ in
      unsafe images.withUnsafeBufferPointer { images in
        guard let images = images.baseAddress else { return }
        for image in 0..<count {
          let execution = unsafe Execution(
            arena: arenas[0].start, memory: memoryPlan, input: images + image * network.values[0].size,
            workers: nil, scratch: scratch, shared: shared, worker: 0)
          for (layer, fused) in zip(layers, network.layers) {
            unsafe body(fused, network.values[fused.input], execution.read(fused.input, image: 0))
            layer.run(0..<1, execution)
          }
        }
      }
    }
  }

  /// A single image, or a single worker: all workers share each layer.
  private func runInTurn(_ count: Int, _ memory: Memory, _ times: LayerTimes?) {
    for first in stride(from: 0, to: count, by: imagesAtOnce) {
      run(
        first..<min(first + imagesAtOnce, count), memory, workers.count > 1 ? workers : nil, worker: 0, times)
    }
  }

  /// Several images: each worker takes some of them through all layers; all workers read the same weights.
  private func runSideBySide(_ count: Int, _ memory: Memory, _ times: LayerTimes?) {
    let least = (count + imagesAtOnce - 1) / imagesAtOnce
    let parts = min(count, (least + workers.count - 1) / workers.count * workers.count)
    workers.forEach(parts) { part, worker in
      self.run(count * part / parts..<count * (part + 1) / parts, memory, nil, worker: worker, times)
    }
  }

  private func run(_ index: Int, _ images: Range<Int>, _ execution: Execution, _ times: LayerTimes?) {
    guard let times else { return layers[index].run(images, execution) }
    let start = ContinuousClock.now
    layers[index].run(images, execution)
    times.add(ContinuousClock.now - start, to: index)
  }

  private func run(
    _ images: Range<Int>, _ memory: Memory, _ workers: Workers?, worker: Int, _ times: LayerTimes?
  ) {
    let inputSize = network.values[0].size
    let execution = unsafe Execution(
      arena: arenas[worker].start, memory: memoryPlan, input: memory.images + images.lowerBound * inputSize,
      workers: workers, scratch: scratch, shared: shared, worker: worker)
    for image in 0..<images.count {
      for index in 0..<perImageLayers { run(index, image..<image + 1, execution, times) }
    }
    for index in perImageLayers..<layers.count { run(index, 0..<images.count, execution, times) }
    let outputs = unsafe memory.outputs + images.lowerBound * output.channels
    for image in 0..<images.count {
      unsafe (outputs + image * output.channels).update(
        from: execution.read(network.output, image: image), count: output.channels)
    }
  }
}
