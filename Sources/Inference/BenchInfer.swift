import Files
public import Models
public import Networks
import Pipelines

/// How fast a network runs here.
public struct InferenceBenchmark: Encodable, Sendable {
  public struct Batch: Encodable, Sendable {
    /// Images in one call.
    public var batch = 0
    /// Reading the model and planning it for such batches.
    public var loadSeconds = 0.0
    /// Median over the runs.
    public var imagesPerSecond = 0.0
    public var bestImagesPerSecond = 0.0
    public var runs: [Double] = []
    /// Of one call, over all runs.
    public var latencyP50Ms = 0.0
    public var latencyP99Ms = 0.0
    /// What direct convolution and dense layers would compute (two operations a multiplication), at the median speed.
    public var gflopPerSecond = 0.0
    /// Median of the runs' times of each layer, in the order of running; nil unless asked for. What is fused into one
    /// step is one entry.
    public var layers: [Layer]?
  }
  public struct Layer: Encodable, Sendable {
    public let name: String
    public let milliseconds: Double
    /// 0...1.
    public let share: Double
  }
  /// Those of the largest batch.
  public var imagesPerSecond = 0.0
  public var bestImagesPerSecond = 0.0
  public var batches: [Batch] = []
  public var threads = 0
  /// The one that ran, "fast" or "reference", whichever was asked for.
  public var engine = ""
  /// The kernels in use: "portable", "avx2", "avx512"; "openblas" of the reference engine.
  public var kernels = ""
  public var shape: [Int] = []
  /// Of one image.
  public var gflop = 0.0
  public var peakMemoryBytes = 0
}

public struct InferenceBenchmarkOptions: Sendable {
  public var batches = [1, 32]
  /// Runs that count.
  public var runs = 5
  /// A run lasts at least so long.
  public var runTime = Duration.seconds(1)
  public var timesLayers = false
  public init() {}
}

/// Runs the network on numbers of a fixed sequence, for each batch size in turn, after a run that does not count.
///
/// - Parameters:
///   - makeNetwork: plans the network for runs of so many images.
///   - progress: called after each run with how many of all are done.
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

/// Multiplications and additions of all convolutions and dense layers for one image, computed directly.
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

/// The network that a benchmark runs: a model's, or one of random numbers that is named by its depth, so that nobody
/// needs a model to measure with.
public struct BenchModel: Sendable {
  public let graph: Graph
  public let parameters: Parameters

  /// - Parameter name: a folder or an archive; else "resnet-18", "resnet-50-v1": SageMaker's networks of these depths,
  ///   for 1000 classes and images of 224 x 224, those of depths 20, 32, 44, 56, 110 of 28 x 28.
  /// - Parameter inputShape: channels, height, width; nil: those of the model or of the name.
  /// - Throws: where it is neither.
  public init(_ name: String, epoch: Int? = nil, inputShape: [Int]? = nil) throws(ModelError) {
    if FileStamp(path: name) == nil, let network = try Self.network(named: name, inputShape) {
      graph = try network.graph
      var generator = Sequence(state: 1)
      // Pixels are not centred: their mean square is that of numbers from 0 to 255.
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

  /// The same numbers on every machine (Knuth's MMIX, the high half of two steps).
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
