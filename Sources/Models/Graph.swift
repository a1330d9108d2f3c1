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
