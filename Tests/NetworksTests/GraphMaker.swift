import Models
import TestSupport

/// Makes small networks with random parameters, a node at a time; each call gives the new node's index.
struct GraphMaker {
  private(set) var nodes: [Graph.Node]
  private(set) var arrays: [String: Parameters.Array] = [:]
  private(set) var random: SplitMix64

  init(seed: UInt64, input: [Int]) {
    random = SplitMix64(seed: seed)
    nodes = [Graph.Node(name: "data", operation: .input, inputs: [], shape: input)]
  }

  var graph: Graph { Graph(nodes: nodes, output: nodes.count - 1) }
  var parameters: Parameters { Parameters(arrays) }

  private mutating func append(_ operation: Operation, _ inputs: [Int], _ shape: [Int]) -> Int {
    nodes.append(Graph.Node(name: "node\(nodes.count)", operation: operation, inputs: inputs, shape: shape))
    return nodes.count - 1
  }

  /// Random numbers of -1...1, then scaled and moved.
  private mutating func array(_ suffix: String, _ shape: [Int], scale: Float = 1, plus: Float = 0) -> String {
    let name = "node\(nodes.count)_\(suffix)"
    let values = random.floats(shape.reduce(1, *)).map { $0 * scale + plus }
    arrays[name] = Parameters.Array(shape: shape, values: values)
    return name
  }

  mutating func convolution(
    _ input: Int, filters: Int, kernel: (Int, Int) = (3, 3), stride: (Int, Int) = (1, 1),
    padding: (Int, Int) = (1, 1), bias: Bool = false
  ) -> Int {
    let shape = nodes[input].shape
    let taps = shape[0] * kernel.0 * kernel.1
    let weight = array(
      "weight", [filters, shape[0], kernel.0, kernel.1], scale: (3 / Float(taps)).squareRoot())
    let convolution = Convolution(
      filters: filters, kernel: Extent(kernel), stride: Extent(stride), padding: Extent(padding),
      weight: weight,
      bias: bias ? array("bias", [filters]) : nil)
    let height = (shape[1] + 2 * padding.0 - kernel.0) / stride.0 + 1
    let width = (shape[2] + 2 * padding.1 - kernel.1) / stride.1 + 1
    return append(.convolution(convolution), [input], [filters, height, width])
  }

  mutating func batchNorm(_ input: Int, fixesGamma: Bool = false) -> Int {
    let channels = [nodes[input].shape[0]]
    let norm = BatchNorm(
      epsilon: 2e-5, gamma: fixesGamma ? nil : array("gamma", channels, scale: 0.5, plus: 1),
      beta: array("beta", channels, scale: 0.5), mean: array("mean", channels, scale: 0.5),
      variance: array("variance", channels, scale: 0.8, plus: 1))
    return append(.batchNorm(norm), [input], nodes[input].shape)
  }

  mutating func pooling(
    _ input: Int, _ kind: Pooling.Kind, kernel: (Int, Int) = (3, 3), stride: (Int, Int) = (2, 2),
    padding: (Int, Int) = (1, 1), roundsUp: Bool = false, isGlobal: Bool = false
  ) -> Int {
    let shape = nodes[input].shape
    func count(_ size: Int, _ kernel: Int, _ stride: Int, _ padding: Int) -> Int {
      isGlobal ? 1 : (size + 2 * padding - kernel + (roundsUp ? stride - 1 : 0)) / stride + 1
    }
    let pooling = Pooling(
      kind: kind, kernel: Extent(kernel), stride: Extent(stride), padding: Extent(padding),
      roundsUp: roundsUp,
      isGlobal: isGlobal)
    let height = count(shape[1], kernel.0, stride.0, padding.0)
    let width = count(shape[2], kernel.1, stride.1, padding.1)
    return append(.pooling(pooling), [input], [shape[0], height, width])
  }

  mutating func relu(_ input: Int) -> Int { append(.relu, [input], nodes[input].shape) }
  mutating func softmax(_ input: Int) -> Int { append(.softmax, [input], nodes[input].shape) }
  mutating func sigmoid(_ input: Int) -> Int { append(.sigmoid, [input], nodes[input].shape) }
  mutating func add(_ one: Int, _ other: Int) -> Int { append(.add, [one, other], nodes[one].shape) }
  mutating func flatten(_ input: Int) -> Int { append(.flatten, [input], [nodes[input].shape.reduce(1, *)]) }

  mutating func dense(_ input: Int, outputs: Int, bias: Bool = true) -> Int {
    let count = nodes[input].shape[0]
    let weight = array("weight", [outputs, count], scale: (3 / Float(count)).squareRoot())
    let dense = Dense(outputs: outputs, weight: weight, bias: bias ? array("bias", [outputs]) : nil)
    return append(.dense(dense), [input], [outputs])
  }

  /// `count` images, one after the other.
  mutating func images(_ count: Int) -> [Float] { random.floats(count * nodes[0].shape.reduce(1, *)) }
}

extension Extent {
  init(_ sides: (Int, Int)) { self.init(rows: sides.0, columns: sides.1) }
}

extension GraphMaker {
  /// A pre-activation residual network in small, with every operator of its kind.
  static func preActivation(seed: UInt64, input: [Int], classes: Int) -> GraphMaker {
    var maker = GraphMaker(seed: seed, input: input)
    var body = maker.batchNorm(0, fixesGamma: true)
    body = maker.convolution(body, filters: 8, kernel: (7, 7), stride: (2, 2), padding: (3, 3))
    body = maker.relu(maker.batchNorm(body))
    body = maker.pooling(body, .maximum)
    for (filters, stride) in [(8, 1), (12, 2)] {
      let first = maker.relu(maker.batchNorm(body))
      var inner = maker.convolution(first, filters: filters, stride: (stride, stride))
      inner = maker.convolution(maker.relu(maker.batchNorm(inner)), filters: filters)
      let short = maker.convolution(
        first, filters: filters, kernel: (1, 1), stride: (stride, stride), padding: (0, 0))
      let unit = maker.add(inner, short)
      let second = maker.relu(maker.batchNorm(unit))
      body = maker.add(maker.convolution(second, filters: filters), unit)
    }
    body = maker.pooling(maker.relu(maker.batchNorm(body)), .average(countsPadding: true), isGlobal: true)
    _ = maker.softmax(maker.dense(maker.flatten(body), outputs: classes))
    return maker
  }
}
