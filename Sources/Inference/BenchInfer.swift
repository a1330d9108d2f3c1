import Files
public import Models
public import Networks
import Records

/// How fast a network runs on this machine.
public struct InferenceBenchmark: Encodable, Sendable {
  /// The figures of one batch size in one precision.
  public struct Batch: Encodable, Sendable {
    /// Images in one call.
    public var batch = 0
    /// The numbers that the network computes with: "fp32", "bf16" or "int8".
    public var precision = ""
    /// Images per second as a multiple of the first precision's, the median of the runs' ratios; nil for the first.
    public var ratio: Double?
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
    /// For the whole batch, summed over the threads if each computes images of its own, as for all batches but 1.
    public let milliseconds: Double
    /// The share of the whole network's time, 0...1.
    public let share: Double
    /// The operations of direct convolution and dense layers, all threads together; 0 for other layers.
    public let gflopPerSecond: Double
  }
  /// The median of the largest batch size in the first precision.
  public var imagesPerSecond = 0.0
  /// The best run of the largest batch size in the first precision.
  public var bestImagesPerSecond = 0.0
  /// One for each batch size, in the first precision.
  public var batches: [Batch] = []
  /// One for each batch size and each further precision, in this order.
  public var otherPrecisions: [Batch] = []
  /// Threads that computed.
  public var threads = 0
  /// The engine that ran, "fast" or "reference", which may not be the requested one.
  public var engine = ""
  /// The kernels in use: "portable", "avx2", "avx512"; "openblas" for the reference engine.
  public var kernels = ""
  /// The first precision, to which the others are compared: "fp32", "bf16" or "int8".
  public var precision = ""
  /// Channels, height, width of an image.
  public var shape: [Int] = []
  /// Billions of operations for one image.
  public var gflop = 0.0
  /// The peak resident memory of this process, in which the networks of all precisions are at once.
  public var peakMemoryBytes = 0
}

/// What a benchmark measures, and for how long.
public struct InferenceBenchmarkOptions: Sendable {
  /// The batch sizes.
  public var batches = [1, 32]
  /// What the networks compute with; at least one.
  public var precisions = [Network.Precision.fp32]
  /// How many runs are measured.
  public var runs = 5
  /// The least duration of a run.
  public var runTime = Duration.seconds(1)
  /// Whether the layers are timed, too.
  public var timesLayers = false
  /// Batches of 1 and 32 in fp32, five runs of a second each.
  public init() {}
}

/// Runs a network on a fixed sequence of numbers, for each batch size in turn, after a warm-up call that does not count.
/// The precisions take turns, run by run, so that a change of the machine's speed meets all alike.
///
/// - Parameters:
///   - makeNetwork: plans the network for batches of this size. Where the reference engine runs, which has one precision,
///     the precisions after the first are left out.
///   - progress: called after each run with the number of runs that are done, and of all.
/// - Throws: what `makeNetwork` throws; `CancellationError`.
public func benchmarkInference(
  _ makeNetwork: (_ batch: Int, _ precision: Network.Precision) throws -> Network,
  options: InferenceBenchmarkOptions, progress: (_ done: Int, _ total: Int) -> Void = { _, _ in }
) throws -> InferenceBenchmark {
  precondition(!options.precisions.isEmpty, "a precision to measure")
  var result = InferenceBenchmark()
  var done = 0
  for size in options.batches {
    var measured: [Measurement] = []
    for precision in options.precisions {
      let start = ContinuousClock.now
      measured.append(Measurement(try makeNetwork(size, precision), size))
      measured[measured.count - 1].figures.loadSeconds = (.now - start) / .seconds(1)
      if measured[0].network.engine == .reference { break }
    }
    let first = measured[0].network
    result.shape = first.inputShape
    result.engine = first.engine.rawValue
    result.kernels = first.kernels
    result.precision = first.precision.rawValue
    result.gflop = Double(operations(of: first.graph)) / 1e9
    let images = imaginedSamples(first.inputShape.reduce(size, *))
    for index in measured.indices { _ = measured[index].call(images) }
    for _ in 0..<options.runs {
      for index in measured.indices {
        try Task.checkCancellation()
        measured[index].run(images, options.runTime)
        done += 1
        progress(done, options.batches.count * options.runs * measured.count)
      }
    }
    for index in measured.indices {
      let figures = measured[index].finished(
        images, gflop: result.gflop, layerRuns: options.timesLayers ? options.runs : 0)
      if index == 0 {
        result.batches.append(figures)
      } else {
        result.otherPrecisions.append(figures)
        result.otherPrecisions[result.otherPrecisions.count - 1].ratio = median(
          zip(figures.runs, measured[0].figures.runs).map { $0 / $1 })
      }
    }
  }
  if let largest = result.batches.max(by: { $0.batch < $1.batch }) {
    result.imagesPerSecond = largest.imagesPerSecond
    result.bestImagesPerSecond = largest.bestImagesPerSecond
  }
  result.peakMemoryBytes = peakMemory()
  return result
}

/// One network and what its runs gave so far.
private struct Measurement {
  let network: Network
  var figures = InferenceBenchmark.Batch()
  private var outputs: [Float]
  private var latencies: [Double] = []

  init(_ network: Network, _ size: Int) {
    self.network = network
    outputs = [Float](repeating: 0, count: size * network.outputCount)
    figures.batch = size
    figures.precision = network.precision.rawValue
  }

  mutating func call(_ images: [Float]) -> Duration {
    let (network, count) = (network, figures.batch)
    let start = ContinuousClock.now
    var span = outputs.mutableSpan
    network.run(images.span, count: count, into: &span)
    return .now - start
  }

  mutating func run(_ images: [Float], _ time: Duration) {
    let start = ContinuousClock.now
    var calls = 0
    repeat {
      latencies.append(call(images) / .milliseconds(1))
      calls += 1
    } while .now - start < time
    figures.runs.append(Double(calls * figures.batch) / ((.now - start) / .seconds(1)))
  }

  /// - Parameter layerRuns: how often the layers are timed; 0: they are not.
  mutating func finished(_ images: [Float], gflop: Double, layerRuns: Int) -> InferenceBenchmark.Batch {
    figures.imagesPerSecond = median(figures.runs)
    figures.bestImagesPerSecond = figures.runs.max() ?? 0
    figures.latencyP50Ms = median(latencies)
    figures.latencyP99Ms = quantile(latencies, 0.99)
    figures.gflopPerSecond = figures.imagesPerSecond * gflop
    if layerRuns > 0 {
      let (network, count) = (network, figures.batch)
      let times = (0..<layerRuns).map { _ in
        var span = outputs.mutableSpan
        return network.profile(images.span, count: count, into: &span)
      }
      figures.layers = layers(times)
    }
    return figures
  }

  private func layers(_ runs: [[(name: String, time: Duration)]]) -> [InferenceBenchmark.Layer] {
    let names = runs.first?.map(\.name) ?? []
    let times = names.indices.map { layer in median(runs.map { $0[layer].time / .milliseconds(1) }) }
    let total = max(times.reduce(0, +), 1e-12)
    let products = Dictionary(
      network.graph.nodes.map { ($0.name, Double(operations(of: $0, in: network.graph))) },
      uniquingKeysWith: { first, _ in first })
    // The time of a single image is that of all threads; of several, each thread's time is added.
    let threads = figures.batch == 1 ? 1 : min(network.workers.count, figures.batch)
    return zip(names, times).map { name, time in
      let flop = products[name, default: 0] * Double(figures.batch * threads)
      return .init(
        name: name, milliseconds: time, share: time / total, gflopPerSecond: flop / max(time, 1e-12) / 1e6)
    }
  }
}

/// The number of multiplications and additions of all convolutions and dense layers for one image, computed directly.
func operations(of graph: Graph) -> Int {
  graph.nodes.reduce(0) { $0 + operations(of: $1, in: graph) }
}

private func operations(of node: Graph.Node, in graph: Graph) -> Int {
  let inputs = node.inputs.first.map { graph.nodes[$0].shape } ?? []
  switch node.operation {
  case .convolution(let layer):
    let window = (inputs.first ?? 0) * layer.kernel.rows * layer.kernel.columns
    return 2 * node.shape.reduce(window, *)
  case .dense(let layer): return 2 * inputs.reduce(layer.outputs, *)
  default: return 0
  }
}

/// The network that a benchmark runs: a model's, or one with random weights that is named by its depth, so that nobody
/// needs a model to measure with.
public struct BenchModel: Sendable {
  /// The network.
  public let graph: Graph
  /// Its weights.
  public let parameters: Parameters
  private let ranges: Quantization?

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
      ranges = nil
    } else {
      let model = try Model(name, epoch: epoch, inputShape: inputShape)
      graph = model.graph
      parameters = model.parameters
      ranges = model.quantization
    }
  }

  /// How a quantized model is quantized; of another, the ranges of the activations on imagined images, with which int8
  /// runs at the speed of a real calibration: its outputs are worth nothing.
  ///
  /// - Throws: as `Calibrator`.
  /// - Complexity: two runs of the network on one thread.
  public func quantization(kernels: String? = nil) throws -> Quantization {
    if let ranges { return ranges }
    let calibrator = try Calibrator(graph, parameters, kernels: kernels)
    try calibrator.add(imaginedSamples(graph.inputShape.reduce(2, *)).span, count: 2)
    return calibrator.quantization(.leastSquares)
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
