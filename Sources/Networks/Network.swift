public import Models

/// A network that can be run: planned once, then run on any number of images in the same memory.
///
/// One run at a time: calls from several threads wait for each other.
public final class Network: Sendable {
  /// How the numbers are computed.
  public enum Engine: String, CaseIterable, Sendable {
    /// Planned for this processor: blocked layout, fused layers, Winograd where it wins.
    case fast
    /// One operator after the other by im2col and OpenBLAS: what the fast one is compared with.
    case reference
  }

  public let graph: Graph
  public var inputShape: [Int] { graph.inputShape }
  public var outputCount: Int { graph.outputCount }
  public let workers: Workers
  /// The one that runs: the reference engine too where the fast one has no way for the graph.
  public let engine: Engine
  /// A sentence that says why the reference engine runs though the fast one was asked for; nil where it does not.
  public let fallback: String?
  /// The kernels in use: "portable", "avx2" or "avx512"; "openblas" of the reference engine.
  public let kernels: String
  private let running: Running

  private enum Running: Sendable {
    case fast(FastEngine)
    case reference(ReferenceEngine)
  }

  /// The kernels that this processor has, the plainest first.
  public static let availableKernels = KernelSet.available.map(\.name)

  /// - Parameters:
  ///   - batch: the most images of one run that matter; more are possible. 1 plans for the shortest time of a single
  ///     image. For one plan an image has the same output bits whatever images are run with it, on any number of threads.
  ///   - kernels: one of `availableKernels`; nil: the last one.
  /// - Throws: where a parameter cannot be read, memory is lacking, or the processor has no such kernels.
  /// - Complexity: packs all weights; they are in memory once.
  public init(
    _ graph: Graph, _ parameters: Parameters, engine: Engine = .fast, batch: Int = 32,
    workers: Workers = Workers(), kernels: String? = nil
  ) throws {
    self.graph = graph
    self.workers = workers
    let set = try KernelSet.named(kernels)
    var fallback: String?
    if engine == .fast {
      do {
        let fast = try FastEngine(graph, parameters, batch: batch, workers: workers, set)
        (running, self.engine, self.kernels, self.fallback) = (.fast(fast), .fast, set.name, nil)
        return
      } catch let error as Unplannable {
        fallback =
          "the reference engine runs, which is slower: the fast one has no way for node \(error.node)"
      }
    }
    self.fallback = fallback
    running = .reference(try ReferenceEngine(graph, parameters))
    self.engine = .reference
    self.kernels = "openblas"
  }

  /// - Parameters:
  ///   - images: `count` tensors of `inputShape`, one after the other (NCHW).
  ///   - outputs: `count * outputCount` numbers, an image after the other.
  public func run(_ images: Span<Float>, count: Int, into outputs: inout MutableSpan<Float>) {
    precondition(
      count >= 0 && images.count == count * graph.inputShape.reduce(1, *), "as many tensors as images")
    precondition(outputs.count == count * outputCount, "room for as many outputs as images")
    switch running {
    case .fast(let engine): engine.run(images, count: count, into: &outputs)
    case .reference(let engine): engine.run(images, count: count, into: &outputs)
    }
  }

  /// The same, and how long each layer took, summed over workers; the reference engine does not measure its layers.
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
