import Glibc
import Models
import TestSupport
import Testing

@testable import Networks

/// A network that is run on both engines.
struct Trial {
  let graph: Graph
  let parameters: Parameters

  init(_ graph: Graph, _ parameters: Parameters) {
    self.graph = graph
    self.parameters = parameters
  }

  init(_ maker: GraphMaker) { self.init(maker.graph, maker.parameters) }

  /// How the fast engine is planned.
  struct Plan: CustomTestStringConvertible {
    var kernels = NetworkKernels.best.name
    var batch = 32
    var threads = 1
    var precision = Network.Precision.fp32
    var quantization: Quantization?
    var testDescription: String { "\(kernels), \(precision), batch \(batch), \(threads) threads" }

    /// Every kernel set, planned for one image and for many, on one thread and on two.
    static let all = NetworkKernels.singlePrecision.map(\.name).flatMap { name in
      [Plan(kernels: name, batch: 1, threads: 2), Plan(kernels: name, batch: 32, threads: 1)]
    }
  }

  func network(_ plan: Plan) throws -> Network {
    try Network(
      graph, parameters, batch: plan.batch, workers: Workers(count: plan.threads), precision: plan.precision,
      quantization: plan.quantization,
      kernels: plan.kernels)
  }

  func reference(_ images: [Float], count: Int = 1) throws -> [Float] {
    try Network(graph, parameters, engine: .reference).outputs(images, count: count)
  }

  /// That each plan gives what the reference engine gives, within `tolerance` times the largest output.
  func expectAgreement(
    _ images: [Float], count: Int = 1, plans: [Plan] = Plan.all, tolerance: Double,
    engine: Network.Engine = .fast
  ) throws {
    let expected = try reference(images, count: count)
    let size = expected.reduce(0) { max($0, abs($1)) }
    // Outputs that hardly differ would agree whatever is wrong.
    let spread = (expected.max() ?? 0) - (expected.min() ?? 0)
    #expect(size.isFinite && size > 0.01 && spread > size / 100)
    for plan in plans {
      let network = try network(plan)
      #expect(network.engine == engine)
      let worst = greatestDifference(network.outputs(images, count: count), expected)
      #expect(worst <= tolerance * Double(size), "\(plan): off by \(worst / Double(size))")
    }
  }
}

extension Network {
  func outputs(_ images: [Float], count: Int) -> [Float] {
    var outputs = [Float](repeating: -12345, count: count * outputCount)
    var span = outputs.mutableSpan
    run(images.span, count: count, into: &span)
    return outputs
  }
}

/// Infinity where there is a NaN or the counts differ.
func greatestDifference(_ one: [Float], _ other: [Float]) -> Double {
  guard one.count == other.count else { return .infinity }
  return one.withUnsafeBufferPointer { one in
    other.withUnsafeBufferPointer { other in
      var worst: Float = 0
      for index in 0..<one.count {
        let difference = abs(one[index] - other[index])
        if !(difference <= worst) { worst = difference.isNaN ? .infinity : difference }
      }
      return Double(worst)
    }
  }
}

/// Random numbers by the million: the generator is slow without optimisation.
struct Noise {
  private let pool: [Float]
  private var next: Int

  init(seed: UInt64) {
    var random = SplitMix64(seed: seed)
    // A prime, so that no two filters are alike.
    pool = random.floats(16_411)
    next = 0
  }

  /// Numbers of -scale...scale.
  mutating func floats(_ count: Int, scale: Float = 1) -> [Float] {
    let start = next
    next = (next + count) % pool.count
    let scaled = scale == 1 ? pool : pool.map { $0 * scale }
    return [Float](unsafeUninitializedCapacity: count) { out, initialized in
      var at = 0
      var from = start
      while at < count {
        let length = min(count - at, scaled.count - from)
        scaled.withUnsafeBufferPointer { scaled in
          guard let target = out.baseAddress, let source = scaled.baseAddress else { return }
          memcpy(target + at, source + from, length * MemoryLayout<Float>.stride)
        }
        at += length
        from = 0
      }
      initialized = count
    }
  }
}

extension Graph {
  /// The same network with a part of the filters everywhere.
  func narrowed(by divisor: Int) -> Graph {
    let nodes = nodes.map { node in
      var operation = node.operation
      var shape = node.shape
      switch node.operation {
      case .input, .dense, .softmax, .sigmoid: break
      case .convolution(let convolution):
        operation = .convolution(
          Convolution(
            filters: convolution.filters / divisor, kernel: convolution.kernel, stride: convolution.stride,
            padding: convolution.padding, weight: convolution.weight, bias: convolution.bias))
        shape[0] /= divisor
      default: if node.inputs != [0] { shape[0] /= divisor }
      }
      return Node(name: node.name, operation: operation, inputs: node.inputs, shape: shape)
    }
    return Graph(nodes: nodes, output: output)
  }

  /// Without the softmax at its end: probabilities hide errors.
  var withoutSoftmax: Graph { Graph(nodes: nodes.dropLast(), output: nodes.count - 2) }
}
