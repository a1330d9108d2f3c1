import Files
public import Models
public import Networks
import Records

/// How fast a network runs on this machine.
public struct InferenceBenchmark: Encodable, Sendable {
  /// The figures of one batch size.
  public struct Batch: Encodable, Sendable {
    /// Images in one call.
    public var batch = 0
    /// The time to read the model and to plan it for this batch size.
    public var loadSeconds = 0.0
    /// The median of `runs`.
    public var imagesPerSecond = 0.0
    /// The largest of `runs`.
    public var bestImagesPerSecond = 0.0
    /// Images per second of each run.
    public var runs: [Double] = []
    /// The median duration of one call, over all runs.
    public var latencyP50Ms = 0.0
    /// The 99th percentile of the duration of one call, over all runs.
    public var latencyP99Ms = 0.0
    /// The operations of direct convolution and dense layers (a multiplication and its addition are two) at the median
    /// speed.
    public var gflopPerSecond = 0.0
    /// The median time of each layer, in the order in which they run; nil unless requested. Layers that are fused into one
    /// step are one entry.
    public var layers: [Layer]?
  }
  /// The time of one layer.
  public struct Layer: Encodable, Sendable {
    /// The layer's name in the model.
    public let name: String
    /// For the whole batch.
    public let milliseconds: Double
    /// The share of the whole network's time, 0...1.
    public let share: Double
  }
  /// The median of the largest batch size.
  public var imagesPerSecond = 0.0
  /// The best run of the largest batch size.
  public var bestImagesPerSecond = 0.0
  /// One for each batch size.
  public var batches: [Batch] = []
  /// Threads that computed.
  public var threads = 0
  /// The engine that ran, "fast" or "reference", which may not be the requested one.
  public var engine = ""
  /// The kernels in use: "portable", "avx2", "avx512"; "openblas" for the reference engine.
  public var kernels = ""
  /// The numbers that the network computes with, "fp32" or "bf16".
  public var precision = ""
  /// Channels, height, width of an image.
  public var shape: [Int] = []
  /// Billions of operations for one image.
  public var gflop = 0.0
  /// The peak resident memory of this process.
  public var peakMemoryBytes = 0
}

/// What a benchmark measures, and for how long.
public struct InferenceBenchmarkOptions: Sendable {
  /// The batch sizes.
  public var batches = [1, 32]
  /// How many runs are measured.
  public var runs = 5
  /// The least duration of a run.
  public var runTime = Duration.seconds(1)
  /// Whether the layers are timed, too.
  public var timesLayers = false
  /// Batches of 1 and 32, five runs of a second each.
  public init() {}
}

/// Runs a network on a fixed sequence of numbers, for each batch size in turn, after a warm-up call that does not count.
///
/// - Parameters:
///   - makeNetwork: plans the network for batches of this size.
///   - progress: called after each run with the number of runs that are done, and of all.
/// - Throws: what `makeNetwork` throws; `CancellationError`.
public func benchmarkInference(
  _ makeNetwork: (_ batch: Int) throws -> Network, options: InferenceBenchmarkOptions,
  progress: (_ done: Int, _ total: Int) -> Void = { _, _ in }
) throws -> InferenceBenchmark {
  var result = InferenceBenchmark()
  let total = options.batches.count * options.runs
  for size in options.batches {
    var batch = InferenceBenchmark.Batch()
    batch.batch = size
    let start = ContinuousClock.now
    let network = try makeNetwork(size)
    batch.loadSeconds = (.now - start) / .seconds(1)
    result.shape = network.inputShape
    result.engine = network.engine.rawValue
    result.kernels = network.kernels
    result.precision = network.precision.rawValue
    result.gflop = Double(operations(of: network.graph)) / 1e9
    let images = imaginedSamples(network.inputShape.reduce(size, *))
    var outputs = [Float](repeating: 0, count: size * network.outputCount)
    func call() -> Duration {
      let start = ContinuousClock.now
      var span = outputs.mutableSpan
      network.run(images.span, count: size, into: &span)
      return .now - start
    }
    _ = call()
    var latencies: [Double] = []
    for run in 0..<options.runs {
      try Task.checkCancellation()
      let start = ContinuousClock.now
      var calls = 0
      repeat {
        latencies.append(call() / .milliseconds(1))
        calls += 1
      } while .now - start < options.runTime
      batch.runs.append(Double(calls * size) / ((.now - start) / .seconds(1)))
      progress(result.batches.count * options.runs + run + 1, total)
    }
    batch.imagesPerSecond = median(batch.runs)
    batch.bestImagesPerSecond = batch.runs.max() ?? 0
    batch.latencyP50Ms = median(latencies)
    batch.latencyP99Ms = quantile(latencies, 0.99)
    batch.gflopPerSecond = batch.imagesPerSecond * result.gflop
    if options.timesLayers {
      batch.layers = layers(
        (0..<options.runs).map { _ in
          var span = outputs.mutableSpan
          return network.profile(images.span, count: size, into: &span)
        })
    }
    result.batches.append(batch)
  }
  if let largest = result.batches.max(by: { $0.batch < $1.batch }) {
    result.imagesPerSecond = largest.imagesPerSecond
    result.bestImagesPerSecond = largest.bestImagesPerSecond
  }
  result.peakMemoryBytes = peakMemory()
  return result
}

/// The number of multiplications and additions of all convolutions and dense layers for one image, computed directly.
func operations(of graph: Graph) -> Int {
  graph.nodes.reduce(0) { sum, node in
    let inputs = node.inputs.first.map { graph.nodes[$0].shape } ?? []
    switch node.operation {
    case .convolution(let layer):
      let window = (inputs.first ?? 0) * layer.kernel.rows * layer.kernel.columns
      return sum + 2 * node.shape.reduce(window, *)
    case .dense(let layer): return sum + 2 * inputs.reduce(layer.outputs, *)
    default: return sum
    }
  }
}

private func layers(_ runs: [[(name: String, time: Duration)]]) -> [InferenceBenchmark.Layer] {
  let names = runs.first?.map(\.name) ?? []
  let times = names.indices.map { layer in median(runs.map { $0[layer].time / .milliseconds(1) }) }
  let total = max(times.reduce(0, +), 1e-12)
  return zip(names, times).map { .init(name: $0, milliseconds: $1, share: $1 / total) }
}

/// The network that a benchmark runs: a model's, or one with random weights that is named by its depth, so that nobody
/// needs a model to measure with.
public struct BenchModel: Sendable {
  /// The network.
  public let graph: Graph
  /// Its weights.
  public let parameters: Parameters

  /// - Parameters:
  ///   - name: a model's path; where there is no such file, "resnet-18" or "resnet-50-v1": SageMaker's network of this
  ///     depth for 1000 classes and images of 224 x 224, or of 28 x 28 for depths 20, 32, 44, 56 and 110.
  ///   - epoch: the number of the `.params` file; nil: the highest there is.
  ///   - inputShape: channels, height, width; nil: those of the model or of the name.
  /// - Throws: where the name is neither.
  public init(_ name: String, epoch: Int? = nil, inputShape: [Int]? = nil) throws(ModelError) {
    if FileStamp(path: name) == nil, let network = try Self.network(named: name, inputShape) {
      graph = try network.graph
      var generator = Sequence(state: 1)
      // Pixels are not centred: their mean square is that of uniform numbers from 0 to 255.
      parameters = Parameters(randomFor: graph, inputVariance: 255 * 255 / 3, using: &generator)
    } else {
      let model = try Model(name, epoch: epoch, inputShape: inputShape)
      graph = model.graph
      parameters = model.parameters
    }
  }

  private static func network(named name: String, _ inputShape: [Int]?) throws(ModelError) -> ResNet? {
    let parts = name.lowercased().split(separator: "-", omittingEmptySubsequences: false)
    guard (2...3).contains(parts.count), parts[0] == "resnet", let depth = Int(parts[1]) else { return nil }
    let version: ResNet.Version? = parts.count == 2 || parts[2] == "v2" ? .v2 : parts[2] == "v1" ? .v1 : nil
    guard let version else { return nil }
    let side = ResNet.smallDepths.contains(depth) ? 28 : 224
    return try ResNet(depth: depth, version: version, inputShape: inputShape ?? [3, side, side])
  }

  /// The same numbers on every machine (Knuth's MMIX generator, the high halves of two steps).
  private struct Sequence: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
      func step() -> UInt64 {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return state >> 32
      }
      return step() << 32 | step()
    }
  }
}
