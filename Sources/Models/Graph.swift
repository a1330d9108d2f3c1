/// A network for inference, checked: every node comes after its inputs, every parameter is there and has the shape its
/// operator asks for, and the shape of every output is known.
///
/// Made from MXNet's `symbol.json` and its parameters. What changes nothing at inference is gone: identities, casts,
/// dropout, the loss's label.
public struct Graph: Hashable, Sendable {
  public struct Node: Hashable, Sendable {
    /// The name in the file, for messages and for the table of layers.
    public let name: String
    public let operation: Operation
    /// Indices into `nodes`, each below this node's own; one for most operators, two for `.add`.
    public let inputs: [Int]
    /// The output's shape for one image: channels, height, width; one number after `.flatten` and `.dense`.
    public let shape: [Int]

    public init(name: String, operation: Operation, inputs: [Int], shape: [Int]) {
      self.name = name
      self.operation = operation
      self.inputs = inputs
      self.shape = shape
    }
  }
  /// The first one is the only `.input`.
  public let nodes: [Node]
  /// The node whose output is the network's.
  public let output: Int

  public init(nodes: [Node], output: Int) {
    self.nodes = nodes
    self.output = output
  }

  /// Channels, height, width of the input.
  public var inputShape: [Int] { nodes[0].shape }
  /// Numbers in the output for one image.
  public var outputCount: Int { nodes[output].shape.reduce(1, *) }
}

/// What a node computes. Parameters are named as in the model's parameters, without `arg:` and `aux:`.
public enum Operation: Hashable, Sendable {
  case input
  /// MXNet's Convolution: a cross-correlation. Weights are (filters, channels, kernel height, kernel width).
  case convolution(Convolution)
  case batchNorm(BatchNorm)
  /// The larger of x and 0; NaN stays NaN.
  case relu
  case pooling(Pooling)
  /// The sum of two inputs of one shape.
  case add
  /// (channels, height, width) as one row, in that order.
  case flatten
  /// MXNet's FullyConnected: weights are (outputs, inputs).
  case dense(Dense)
  /// Over all numbers of an image.
  case softmax
  /// 1 / (1 + e^-x) of each number: MXNet's LogisticRegressionOutput, the head of a multi-label model.
  case sigmoid
}

/// Rows and columns of a kernel, a stride or a margin.
public struct Extent: Hashable, Sendable {
  public let rows: Int, columns: Int

  public init(rows: Int, columns: Int) {
    self.rows = rows
    self.columns = columns
  }
}

public struct Convolution: Hashable, Sendable {
  public let filters: Int
  public let kernel: Extent, stride: Extent
  /// Zeros on each of the two sides.
  public let padding: Extent
  public let weight: String, bias: String?

  public init(filters: Int, kernel: Extent, stride: Extent, padding: Extent, weight: String, bias: String?) {
    self.filters = filters
    self.kernel = kernel
    self.stride = stride
    self.padding = padding
    self.weight = weight
    self.bias = bias
  }
}

/// (x - mean) / sqrt(variance + epsilon) * gamma + beta, a channel at a time, with the moving statistics.
public struct BatchNorm: Hashable, Sendable {
  public let epsilon: Double
  /// nil where gamma is 1, whatever the file stores (MXNet's `fix_gamma`).
  public let gamma: String?
  public let beta: String, mean: String, variance: String
  /// What the moving statistics keep of themselves at each step of training.
  public let momentum: Double

  public init(
    epsilon: Double, gamma: String?, beta: String, mean: String, variance: String, momentum: Double = 0.9
  ) {
    self.epsilon = epsilon
    self.momentum = momentum
    self.gamma = gamma
    self.beta = beta
    self.mean = mean
    self.variance = variance
  }
}

public struct Pooling: Hashable, Sendable {
  public enum Kind: Hashable, Sendable {
    /// Margins have no say.
    case maximum
    /// Margins count as zeros where `countsPadding`.
    case average(countsPadding: Bool)
  }
  public let kind: Kind
  public let kernel: Extent, stride: Extent, padding: Extent
  /// MXNet's pooling_convention `full`: the number of windows is rounded up, and one that reaches beyond the margin is cut.
  public let roundsUp: Bool
  /// One window, the whole plane; kernel, stride, padding have no meaning.
  public let isGlobal: Bool

  public init(kind: Kind, kernel: Extent, stride: Extent, padding: Extent, roundsUp: Bool, isGlobal: Bool) {
    self.kind = kind
    self.kernel = kernel
    self.stride = stride
    self.padding = padding
    self.roundsUp = roundsUp
    self.isGlobal = isGlobal
  }
}

public struct Dense: Hashable, Sendable {
  public let outputs: Int
  public let weight: String, bias: String?

  public init(outputs: Int, weight: String, bias: String?) {
    self.outputs = outputs
    self.weight = weight
    self.bias = bias
  }
}

extension Graph {
  /// An array that the network reads.
  public struct Parameter: Hashable, Sendable {
    public enum Role: Hashable, Sendable {
      case weight, bias, gamma, beta
      /// A BatchNorm's moving statistics: learnt by watching, MXNet's `aux:`.
      case mean, variance
    }
    public let name: String
    public let role: Role
    public let shape: [Int]
  }

  /// Every array that the network reads, node by node; one that several nodes read comes several times.
  public var parameters: [Parameter] { nodes.flatMap(parameters(of:)) }

  package func parameters(of node: Node) -> [Parameter] {
    let input = node.inputs.first.map { nodes[$0].shape } ?? []
    switch node.operation {
    case .convolution(let convolution):
      let kernel = [convolution.kernel.rows, convolution.kernel.columns]
      return [
        Parameter(
          name: convolution.weight, role: .weight, shape: [convolution.filters] + input.prefix(1) + kernel)
      ] + bias(convolution.bias, convolution.filters)
    case .dense(let dense):
      return [Parameter(name: dense.weight, role: .weight, shape: [dense.outputs] + input)]
        + bias(dense.bias, dense.outputs)
    case .batchNorm(let norm):
      let shape = Array(input.prefix(1))
      let gamma = norm.gamma.map { [Parameter(name: $0, role: .gamma, shape: shape)] } ?? []
      return gamma + [
        Parameter(name: norm.beta, role: .beta, shape: shape),
        Parameter(name: norm.mean, role: .mean, shape: shape),
        Parameter(name: norm.variance, role: .variance, shape: shape),
      ]
    case .input, .relu, .pooling, .add, .flatten, .softmax, .sigmoid: return []
    }
  }

  private func bias(_ name: String?, _ count: Int) -> [Parameter] {
    name.map { [Parameter(name: $0, role: .bias, shape: [count])] } ?? []
  }

  /// Whether every parameter is there in the right shape.
  ///
  /// - Throws: naming those that are missing, or the first one whose shape is not what its operator asks for.
  public func check(_ parameters: Parameters) throws(ModelError) {
    let missing = self.parameters.map(\.name).filter { parameters.shape(of: $0) == nil }
    guard missing.isEmpty else {
      throw ModelError("\(missing.count) parameters of the network are missing: \(shown(missing))")
    }
    for parameter in self.parameters {
      let found = parameters.shape(of: parameter.name) ?? []
      guard found == parameter.shape else {
        throw ModelError(
          "the parameter \(shown(parameter.name)) has the shape \(shown(found)); \(shown(parameter.shape)) is expected"
        )
      }
    }
  }
}

extension Symbol {
  /// The arrays that no variable of the symbol names, for example the head of the network it was tuned from.
  public func unusedNames(in parameters: Parameters) -> [String] {
    var known: Set<String> = []
    for node in nodes {
      if node.isVariable { known.insert(node.name) }
      if node.operation.hasPrefix("BatchNorm") && node.inputs.count == 3 {
        known.formUnion([node.name + "_moving_mean", node.name + "_moving_var"])
      }
    }
    return parameters.names.filter { !known.contains($0) }
  }
}
