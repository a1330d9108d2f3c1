import Files

/// A network as a list of operators, each after its inputs, with the shape of every output.
///
/// It is made from an MXNet symbol; ONNX graphs and torchvision's weights are translated into one first. What changes
/// nothing at inference is left out: identities, casts, dropout, the loss's label. Whether parameters fit the network is
/// up to `check(_:)`.
public struct Graph: Hashable, Sendable {
  /// One operator, its inputs and the shape of its output.
  public struct Node: Hashable, Sendable {
    /// The name in the file, for messages and for the table of layers.
    public let name: String
    /// What it computes.
    public let operation: Operation
    /// Indices into `nodes`, each below this node's own: none for `.input`, two for `.add`, one for the others.
    public let inputs: [Int]
    /// The output's shape for one image: channels, height, width; one number after `.flatten` and `.dense`.
    public let shape: [Int]

    /// A node whose parts are not checked.
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

  /// - Precondition: `nodes` are as the properties say; this is not checked.
  public init(nodes: [Node], output: Int) {
    self.nodes = nodes
    self.output = output
  }

  /// Channels, height, width of the input.
  public var inputShape: [Int] { nodes[0].shape }
  /// How many numbers the network outputs for one image.
  public var outputCount: Int { nodes[output].shape.reduce(1, *) }
}

/// What a node computes. Arrays are given by their names in `Parameters`, without `arg:` and `aux:`.
public enum Operation: Hashable, Sendable {
  /// The image.
  case input
  /// MXNet's Convolution: a cross-correlation. Weights are (filters, channels, kernel height, kernel width).
  case convolution(Convolution)
  /// Batch normalization with the moving statistics.
  case batchNorm(BatchNorm)
  /// max(x, 0); NaN stays NaN.
  case relu
  /// Maximum or average over windows of each plane.
  case pooling(Pooling)
  /// The sum of two inputs of the same shape.
  case add
  /// (channels, height, width) becomes one row, in that order.
  case flatten
  /// MXNet's FullyConnected: weights are (outputs, inputs).
  case dense(Dense)
  /// e^x of each number over the sum of them all.
  case softmax
  /// 1 / (1 + e^-x) of each number: MXNet's LogisticRegressionOutput, the head of a multi-label model.
  case sigmoid
}

/// Rows and columns of a kernel, a stride or a padding.
public struct Extent: Hashable, Sendable {
  /// Along the height, and along the width.
  public let rows: Int, columns: Int

  /// - Precondition: neither is negative; this is not checked.
  public init(rows: Int, columns: Int) {
    self.rows = rows
    self.columns = columns
  }
}

/// A convolution's settings and the names of its arrays.
public struct Convolution: Hashable, Sendable {
  /// Channels of the output.
  public let filters: Int
  /// The size of a window, and the distance from one window to the next.
  public let kernel: Extent, stride: Extent
  /// Rows of zeros above and as many below; columns left and as many right.
  public let padding: Extent
  /// The names of the arrays; nil where there is no bias.
  public let weight: String, bias: String?

  /// A convolution whose settings are not checked.
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
  /// Keeps the divisor from 0.
  public let epsilon: Double
  /// nil where gamma is 1, whatever the file stores (MXNet's `fix_gamma`).
  public let gamma: String?
  /// The names of the arrays; `mean` and `variance` are the moving statistics.
  public let beta: String, mean: String, variance: String
  /// The share of the moving statistics that a training step keeps.
  public let momentum: Double

  /// A batch normalization whose settings are not checked.
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

/// A pooling's settings.
public struct Pooling: Hashable, Sendable {
  /// What a window gives.
  public enum Kind: Hashable, Sendable {
    /// Padding is ignored.
    case maximum
    /// Padding counts as zeros where `countsPadding`; else the average is that of the numbers in the plane.
    case average(countsPadding: Bool)
  }
  /// What a window gives.
  public let kind: Kind
  /// The size of a window, the distance from one window to the next, and what is added on each side.
  public let kernel: Extent, stride: Extent, padding: Extent
  /// MXNet's pooling_convention `full`: the number of windows is rounded up, and a window that reaches beyond the padding
  /// is clipped.
  public let roundsUp: Bool
  /// Whether one window covers the whole plane; kernel, stride and padding then have no meaning.
  public let isGlobal: Bool

  /// A pooling whose settings are not checked.
  public init(kind: Kind, kernel: Extent, stride: Extent, padding: Extent, roundsUp: Bool, isGlobal: Bool) {
    self.kind = kind
    self.kernel = kernel
    self.stride = stride
    self.padding = padding
    self.roundsUp = roundsUp
    self.isGlobal = isGlobal
  }
}

/// A dense layer's settings and the names of its arrays.
public struct Dense: Hashable, Sendable {
  /// How many numbers it outputs.
  public let outputs: Int
  /// The names of the arrays; nil where there is no bias.
  public let weight: String, bias: String?

  /// A dense layer whose settings are not checked.
  public init(outputs: Int, weight: String, bias: String?) {
    self.outputs = outputs
    self.weight = weight
    self.bias = bias
  }
}

extension Graph {
  /// An array that the network reads.
  public struct Parameter: Hashable, Sendable {
    /// What the array is to its layer.
    public enum Role: Hashable, Sendable {
      case weight, bias, gamma, beta
      /// A BatchNorm's moving statistics, which training updates without a gradient: MXNet's `aux:`.
      case mean, variance
    }
    /// The array's name in `Parameters`.
    public let name: String
    /// What it is to its layer.
    public let role: Role
    /// The shape that its layer needs.
    public let shape: [Int]
  }

  /// Every array that the network reads, node by node; an array that several nodes share is listed for each of them.
  public var parameters: [Parameter] { nodes.flatMap(parameters(of:)) }

  /// The arrays that one node reads.
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

  /// Checks that every parameter is there in the right shape.
  ///
  /// - Throws: with the names of those that are missing, or of the first one that has another shape than its operator
  ///   needs.
  public func check(_ parameters: Parameters) throws(ModelError) {
    let missing = self.parameters.map(\.name).filter { parameters.shape(of: $0) == nil }
    guard missing.isEmpty else {
      throw ModelError(
        "\(missing.count) \(missing.count == 1 ? "parameter" : "parameters") of the network \(missing.count == 1 ? "is" : "are") missing: \(shortList(missing.map(shown)))"
      )
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
  /// The names of the arrays that no variable of the symbol uses, such as the last layer of the network that it was
  /// fine-tuned from.
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
