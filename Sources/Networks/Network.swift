public import Models

/// A network that predicts: planned once, then run on any number of images in the same memory.
///
/// It does one run at a time: calls from several threads wait for each other.
public final class Network: Sendable {
  /// How a network is computed.
  public enum Engine: String, CaseIterable, Sendable {
    /// Planned for this processor: blocked layout, fused layers, Winograd's transform where it is faster.
    case fast
    /// One operator after the other, convolutions by im2col and OpenBLAS: the oracle of the fast engine.
    case reference
  }

  /// The numbers that are multiplied, and those between layers.
  public enum Precision: String, CaseIterable, Sendable {
    /// Single precision throughout.
    case fp32
    /// bfloat16 between layers, rounded to nearest even, and in the products of convolutions wherever that is faster;
    /// sums, fully connected layers and the output are in single precision.
    case bf16
    /// Whole numbers where a `Quantization` says so, bfloat16 elsewhere: the outputs of its layers have the same bits on
    /// every processor.
    case int8

    /// Whether this processor's kernels have instructions for these numbers; without them bf16 is slower than fp32, and
    /// as exact.
    public var isFast: Bool { NetworkKernels.best.isFast(self) }

    var type: NumberType { self == .fp32 ? .float32 : .bfloat16 }
  }

  /// The graph that was planned.
  public let graph: Graph
  /// Channels, height, width of an image.
  public var inputShape: [Int] { graph.inputShape }
  /// Numbers that the network gives for an image.
  public var outputCount: Int { graph.outputCount }
  /// The threads that compute; other networks may share them.
  public let workers: Workers
  /// The engine that runs: the reference engine, even if the fast one was asked for, if the fast one cannot run the
  /// graph.
  public let engine: Engine
  /// A sentence that says why the reference engine runs although the fast one was asked for; nil if it does not.
  public let fallback: String?
  /// The numbers with which the network computes; the reference engine has single precision.
  public let precision: Precision
  /// Whether the kernels have instructions for these numbers; without them bf16 is slower than fp32, and as exact.
  public let hasFastKernels: Bool
  /// The kernels in use: one of `availableKernels`; "openblas" for the reference engine.
  public let kernels: String
  private let running: Running

  private enum Running: Sendable {
    case fast(FastEngine)
    case reference(ReferenceEngine)
  }

  /// Whether a set of kernels has instructions for the numbers of a precision.
  ///
  /// - Parameter kernels: one of `availableKernels`; nil: the last one.
  /// - Throws: a `ModelError` if the processor has no such kernels.
  public static func hasFastKernels(_ precision: Precision, kernels: String? = nil) throws(ModelError) -> Bool
  {
    try NetworkKernels.named(kernels).isFast(precision)
  }

  /// The names of the sets of kernels that this processor can run, the plainest first, the fastest last.
  public static let availableKernels = NetworkKernels.available.map(\.name)

  /// Plans a network.
  ///
  /// - Parameters:
  ///   - batch: the number of images of one run to plan for; a run may have more. 1 plans for the shortest time of a
  ///     single image. Within one plan, an image has the same output bits whatever images are run with it, on any
  ///     number of threads.
  ///   - precision: the reference engine has single precision only.
  ///   - quantization: for int8; not used otherwise.
  ///   - kernels: one of `availableKernels`; nil: the last one.
  /// - Throws: a `ModelError` if a parameter cannot be read or the processor has no such kernels; `OutOfMemory`.
  /// - Complexity: reads and packs every weight once; the packed weights are in memory once, for all workers.
  public init(
    _ graph: Graph, _ parameters: Parameters, engine: Engine = .fast, batch: Int = 32,
    workers: Workers = Workers(), precision: Precision = .fp32, quantization: Quantization? = nil,
    kernels: String? = nil
  ) throws {
    self.graph = graph
    self.workers = workers
    let set = try NetworkKernels.named(kernels)
    var fallback: String?
    if engine == .fast {
      do {
        let fast = try FastEngine(
          graph, parameters, batch: batch, workers: workers, precision: precision.type,
          precision == .int8 ? quantization : nil, set)
        (running, self.engine, self.kernels, self.fallback) = (.fast(fast), .fast, set.name, nil)
        self.precision = precision
        hasFastKernels = set.isFast(precision)
        return
      } catch let error as Unplannable {
        fallback =
          "the reference engine runs, which is slower: the fast one cannot run node \(error.node)"
      }
    }
    self.fallback = fallback
    running = .reference(try ReferenceEngine(graph, parameters))
    self.engine = .reference
    self.kernels = "openblas"
    self.precision = .fp32
    hasFastKernels = true
  }

  /// Computes the outputs of some images.
  ///
  /// - Parameters:
  ///   - images: `count` tensors of `inputShape`, one after the other (NCHW).
  ///   - count: at least 0.
  ///   - outputs: room for `count * outputCount` numbers, one image after the other.
  /// - Complexity: uses the memory of the plan; the reference engine allocates the output of each node.
  public func run(_ images: Span<Float>, count: Int, into outputs: inout MutableSpan<Float>) {
    precondition(
      count >= 0 && images.count == count * graph.inputShape.reduce(1, *), "as many tensors as images")
    precondition(outputs.count == count * outputCount, "room for as many outputs as images")
    switch running {
    case .fast(let engine): engine.run(images, count: count, into: &outputs)
    case .reference(let engine): engine.run(images, count: count, into: &outputs)
    }
  }

  /// Shows what each layer reads, for calibration: `body` is called before the layer runs.
  ///
  /// - Returns: false, without a call, if the reference engine runs.
  func observe(
    _ images: Span<Float>, count: Int, _ body: (FusedLayer, Value, UnsafePointer<Float>) -> Void
  ) -> Bool {
    guard case .fast(let engine) = running else { return false }
    unsafe engine.observe(images, count: count, body)
    return true
  }

  /// Computes the outputs of some images, as `run` does, and measures the layers.
  ///
  /// - Returns: how long each layer took, summed over workers, in the order of the plan; nothing with the reference
  ///   engine, which does not measure its layers.
  public func profile(
    _ images: Span<Float>, count: Int, into outputs: inout MutableSpan<Float>
  ) -> [(name: String, time: Duration)] {
    guard case .fast(let engine) = running else {
      run(images, count: count, into: &outputs)
      return []
    }
    let times = LayerTimes(count: engine.layerNames.count)
    engine.run(images, count: count, into: &outputs, times: times)
    return zip(engine.layerNames, times.values).map { (name: $0, time: $1) }
  }
}
