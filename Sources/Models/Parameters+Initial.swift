import Encodings
import Foundation

extension Parameters {
  /// Fresh parameters to train from: MXNet's Xavier(gaussian, in, 2), which is He et al. 2015.
  ///
  /// Weights are normal with a standard deviation of sqrt(2 / inputs), where `inputs` is the product of all dimensions
  /// but the first; biases, betas and moving means are 0, gammas and moving variances 1.
  ///
  /// - Parameter seed: the same seed gives the same parameters. Each array depends only on the seed and on its own name,
  ///   so that layers of the same name start alike in two networks.
  /// - Complexity: a logarithm and a cosine for each weight.
  public init(initialFor graph: Graph, seed: UInt64) {
    var arrays: [String: Array] = [:]
    for parameter in graph.parameters {
      let count = parameter.shape.reduce(1, *)
      let values: [Float]
      switch parameter.role {
      case .weight:
        var normal = NormalNumbers(seed: seed, name: parameter.name)
        let deviation = (2 / Double(parameter.shape.dropFirst().reduce(1, *))).squareRoot()
        values = (0..<count).map { _ in Float(deviation * normal.next()) }
      case .bias, .beta, .mean: values = [Float](repeating: 0, count: count)
      case .gamma, .variance: values = [Float](repeating: 1, count: count)
      }
      arrays[parameter.name] = Array(shape: parameter.shape, values: values)
    }
    self.init(arrays)
  }
}

/// Normal numbers of mean 0 and standard deviation 1 (Box and Muller 1958), from SplitMix64 (Steele, Lea, Flood 2014).
private struct NormalNumbers {
  private var state: UInt64

  init(seed: UInt64, name: String) {
    state = seed &* goldenRatio64 ^ fnv1a(name.utf8)
  }

  mutating func next() -> Double {
    // Above 0, so that the logarithm is finite.
    let radius = (-2 * log(1 - uniform())).squareRoot()
    return radius * cos(2 * Double.pi * uniform())
  }

  /// A number of 0..<1.
  private mutating func uniform() -> Double {
    state &+= goldenRatio64
    return Double(mixedBits(state) >> 11) * 0x1p-53
  }
}

extension Parameters {
  /// Random parameters with which activations neither vanish nor explode, however deep the network is: weights after He
  /// et al. 2015 (uniform), moving variances near the variance of the layer's input, everything else away from its
  /// default value.
  ///
  /// - Parameters:
  ///   - inputVariance: the mean square of the network's input.
  ///   - generator: the same random numbers give the same parameters.
  /// - Complexity: one random number for each number of the parameters.
  public init(
    randomFor graph: Graph, inputVariance: Double = 1, using generator: inout some RandomNumberGenerator
  ) {
    let squares = meanSquares(graph, inputVariance: inputVariance)
    var arrays: [String: Array] = [:]
    for node in graph.nodes {
      let arriving = Float(node.inputs.first.map { squares[$0] } ?? 1)
      for parameter in graph.parameters(of: node) {
        let range: ClosedRange<Float>
        switch parameter.role {
        case .weight:
          let reach = (6 / Float(parameter.shape.dropFirst().reduce(1, *))).squareRoot()
          range = -reach...reach
        case .bias, .beta: range = -0.2...0.2
        case .gamma: range = 0.5...1.5
        case .mean: range = -0.2 * arriving.squareRoot()...0.2 * arriving.squareRoot()
        case .variance: range = 0.5 * arriving...1.5 * arriving
        }
        let count = parameter.shape.reduce(1, *)
        arrays[parameter.name] = Array(
          shape: parameter.shape, values: (0..<count).map { _ in Float.random(in: range, using: &generator) })
      }
    }
    self.init(arrays)
  }
}

/// The approximate mean square of each node's output, with parameters made as above.
private func meanSquares(_ graph: Graph, inputVariance: Double) -> [Double] {
  var squares: [Double] = []
  for node in graph.nodes {
    let arriving = node.inputs.map { squares[$0] }
    switch node.operation {
    case .input: squares.append(inputVariance)
    // He's weights double the mean square of their input, as a ReLU before them halves it.
    case .convolution, .dense: squares.append(2 * arriving[0])
    case .batchNorm: squares.append(1)
    case .relu: squares.append(arriving[0] / 2)
    case .add: squares.append(arriving[0] + arriving[1])
    case .pooling, .flatten, .softmax, .sigmoid: squares.append(arriving[0])
    }
  }
  return squares
}

extension Parameters {
  /// What a network that is trained further takes over from a trained one.
  public struct Transfer: Sendable {
    /// The parameters to start with.
    public let parameters: Parameters
    /// The names of the last layer's arrays that were initialized afresh, as the number of classes differs.
    public let renewed: [String]
  }

  /// The parameters to start with: those of a trained network, with the last layer initialized afresh where the number of
  /// outputs differs.
  ///
  /// - Parameters:
  ///   - trained: the trained network's parameters, checked against its graph.
  ///   - old: the trained network.
  ///   - graph: the network to be trained.
  ///   - label: where the trained network comes from, for messages.
  ///   - fresh: initial values of the network to be trained; those of a last layer of another size are taken.
  /// - Throws: where the networks differ in any other layer, with the depths of both; where `trained` cannot be read.
  public static func transferred(
    from trained: Parameters, of old: Graph, to graph: Graph, label: String, fresh: Parameters
  ) throws(ModelError) -> Transfer {
    // The last layer may have another name: MXNet's fine-tuning calls it `fc`, not `fc1`.
    let renamed = Dictionary(
      zip(graph.lastLayerNames, old.lastLayerNames).map { ($0, $1) }, uniquingKeysWith: { first, _ in first })
    var arrays: [String: Array] = [:]
    var renewed: [String] = []
    for parameter in graph.parameters {
      let name = renamed[parameter.name] ?? parameter.name
      let shape = trained.shape(of: name)
      if shape == parameter.shape {
        arrays[parameter.name] = Array(shape: parameter.shape, values: try trained.values(of: name))
      } else if renamed[parameter.name] != nil, shape?.dropFirst() == parameter.shape.dropFirst()[...] {
        arrays[parameter.name] = Array(
          shape: parameter.shape, values: try fresh.values(of: parameter.name))
        renewed.append(parameter.name)
      } else {
        throw difference(parameter, found: shape, old, graph, label)
      }
    }
    let known = Set(graph.parameters.map { renamed[$0.name] ?? $0.name })
    if let extra = old.parameters.first(where: { !known.contains($0.name) }) {
      throw difference(extra, found: nil, old, graph, label, isExtra: true)
    }
    return Transfer(parameters: Parameters(arrays), renewed: renewed)
  }

  private static func difference(
    _ parameter: Graph.Parameter, found shape: [Int]?, _ old: Graph, _ new: Graph, _ label: String,
    isExtra: Bool = false
  ) -> ModelError {
    let place =
      isExtra
      ? "it has the parameter \(shown(parameter.name)), which is not expected"
      : shape.map { "its \(shown(parameter.name)) has the shape \(shown($0)), not \(shown(parameter.shape))" }
        ?? "it has no parameter \(shown(parameter.name))"
    return ModelError(
      "\(label): the pretrained model has \(old.layerCount) layers for images of shape \(shown(old.inputShape)), the "
        + "network to be trained \(new.layerCount) layers for images of shape \(shown(new.inputShape)): \(place)"
    )
  }
}

extension Graph {
  /// The names of the weight and the bias of the last dense layer.
  fileprivate var lastLayerNames: [String] {
    for node in nodes.reversed() {
      if case .dense(let dense) = node.operation { return [dense.weight] + (dense.bias.map { [$0] } ?? []) }
    }
    return []
  }

  /// The number of convolutions and dense layers, without those of shortcuts: the depth in a ResNet's name.
  public var layerCount: Int {
    nodes.count { node in
      switch node.operation {
      case .convolution: !node.name.hasSuffix("sc")
      case .dense: true
      default: false
      }
    }
  }
}
