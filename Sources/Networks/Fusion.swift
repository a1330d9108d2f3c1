import Models

/// A graph as the fast engine runs it: a BatchNorm is folded into the convolution before it or becomes the prologue of
/// the layer after it; ReLU and the sum with a shortcut are done by the convolution before them as it writes.
struct FusedNetwork: Sendable {
  let layers: [FusedLayer]
  /// The first one is the network's input.
  let values: [Value]
  let output: Int

  /// - Parameters:
  ///   - lanes: channels of a block, as the kernels have it.
  ///   - type: the numbers of the values between convolutions; the input and vectors are floats.
  ///   - quantization: nil: no value is quantized.
  /// - Throws: `Unplannable`, naming a node; a `ModelError` if a parameter is missing.
  init(
    _ graph: Graph, _ parameters: Parameters, lanes: Int, storing type: NumberType = .float32,
    _ quantization: Quantization? = nil
  ) throws {
    var fusion = Fusion(graph, parameters, lanes: lanes)
    try fusion.run()
    // This may store the last node.
    output = try fusion.row(graph.output)
    layers = fusion.layers
    var floats: Set = [0, output]
    for layer in layers {
      switch layer.kind {
      case .flatten, .dense, .softmax, .sigmoid: floats.formUnion([layer.input, layer.output])
      case .convolution, .pooling, .affine, .add: break
      }
    }
    let types = Self.types(
      layers, valueCount: fusion.values.count, floats: floats, storing: type, quantization)
    values = zip(fusion.values, types).map { $0.type == $1 ? $0 : $0.stored(as: $1) }
  }
}

private struct Fusion {
  private let graph: Graph
  private let parameters: Parameters
  private let lanes: Int
  /// For each node, the nodes that take its output.
  private let consumers: [[Int]]
  /// Where each node's output is, once that is decided.
  private var places: [Place?]
  private(set) var layers: [FusedLayer] = []
  private(set) var values: [Value]

  private enum Place {
    case value(Int)
    /// Not stored: the value that it is made from, and what is still to be done to that.
    case pending(Int, Affine)
  }

  init(_ graph: Graph, _ parameters: Parameters, lanes: Int) {
    self.graph = graph
    self.parameters = parameters
    self.lanes = lanes
    var consumers = [[Int]](repeating: [], count: graph.nodes.count)
    for (index, node) in graph.nodes.enumerated() {
      for input in node.inputs { consumers[input].append(index) }
    }
    self.consumers = consumers
    places = Array(repeating: nil, count: graph.nodes.count)
    values = [Value(shape: graph.inputShape, lanes: lanes, isPlanar: true)]
    places[0] = .value(0)
  }

  mutating func run() throws {
    for index in graph.nodes.indices where places[index] == nil {
      let node = graph.nodes[index]
      switch node.operation {
      case .input: throw Unplannable(node: node.name)
      case .convolution(let convolution): try addConvolution(index, convolution)
      case .batchNorm(let norm): try put(Affine(norm, parameters), on: node.inputs[0], for: index)
      case .relu:
        var relu = Affine.identity(channels: node.shape[0])
        relu.relu = true
        try put(relu, on: node.inputs[0], for: index)
      case .pooling(let pooling): try addPooling(index, pooling)
      case .add: try addSum(index)
      case .flatten: try addFlatten(index)
      case .dense(let dense):
        let bias = try dense.bias.map { name throws in try parameters.values(of: name) }
        try addRow(.dense(dense, bias: bias ?? Array(repeating: 0, count: dense.outputs)), index)
      case .softmax: try addRow(.softmax, index)
      case .sigmoid: try addRow(.sigmoid, index)
      }
    }
  }

  // MARK: - Convolutions

  /// Adds a convolution with the BatchNorms, the sum with a value that is computed already, and the ReLU that follow
  /// it, as long as nothing else reads what lies between.
  private mutating func addConvolution(_ index: Int, _ convolution: Convolution) throws {
    var last = index
    var scale = [Float](repeating: 1, count: convolution.filters)
    var bias = scale.map { _ in Float(0) }
    if let name = convolution.bias { bias = try parameters.values(of: name) }
    while let next = onlyConsumer(of: last), case .batchNorm(let norm) = graph.nodes[next].operation {
      let affine = try Affine(norm, parameters)
      for filter in scale.indices {
        scale[filter] *= affine.scale[filter]
        bias[filter] = bias[filter] * affine.scale[filter] + affine.shift[filter]
      }
      last = next
    }
    var residual: Int?
    if let next = onlyConsumer(of: last), case .add = graph.nodes[next].operation,
      let other = graph.nodes[next].inputs.first(where: { $0 != last }), let value = try computed(other)
    {
      if values[value].isPlanar { throw Unplannable(node: graph.nodes[next].name) }
      residual = value
      last = next
    }
    var relu = false
    if let next = onlyConsumer(of: last), case .relu = graph.nodes[next].operation {
      relu = true
      last = next
    }
    let (input, prologue) = try source(graph.nodes[index].inputs[0])
    append(
      .convolution(convolution, scale: scale, bias: bias), index, input, prologue, residual: residual,
      relu: relu,
      last: last)
  }

  /// The only node that takes the output of `index`, if there is just one and it takes it once.
  private func onlyConsumer(of index: Int) -> Int? {
    index != graph.output && consumers[index].count == 1 ? consumers[index][0] : nil
  }

  /// The value of a node, stored now if it was only pending; nil if it is not computed yet.
  private mutating func computed(_ index: Int) throws -> Int? {
    places[index] == nil ? nil : try stored(index)
  }

  // MARK: - The other operators

  private mutating func addPooling(_ index: Int, _ pooling: Pooling) throws {
    let (input, prologue) = try source(graph.nodes[index].inputs[0])
    if values[input].isPlanar { throw Unplannable(node: graph.nodes[index].name) }
    append(.pooling(pooling), index, input, prologue)
  }

  private mutating func addSum(_ index: Int) throws {
    let inputs = graph.nodes[index].inputs
    let first = try stored(inputs[0])
    let second = try stored(inputs[1])
    if values[first].isPlanar || values[second].isPlanar {
      throw Unplannable(node: graph.nodes[index].name)
    }
    var last = index
    if let next = onlyConsumer(of: index), case .relu = graph.nodes[next].operation { last = next }
    append(.add, index, first, nil, residual: second, relu: last != index, last: last)
  }

  private mutating func addFlatten(_ index: Int) throws {
    let input = try stored(graph.nodes[index].inputs[0])
    // A single position in blocks of channels is a vector already.
    if values[input].positions == 1, !values[input].isPlanar {
      places[index] = .value(input)
    } else if values[input].isPlanar {
      throw Unplannable(node: graph.nodes[index].name)
    } else {
      append(.flatten, index, input, nil)
    }
  }

  private mutating func addRow(_ kind: FusedLayer.Kind, _ index: Int) throws {
    let input = try stored(graph.nodes[index].inputs[0])
    if values[input].isPlanar || values[input].positions != 1 {
      throw Unplannable(node: graph.nodes[index].name)
    }
    append(kind, index, input, nil)
  }

  // MARK: - Places

  private mutating func put(_ affine: Affine, on input: Int, for index: Int) throws {
    if case .pending(let value, let before) = places[input], !before.relu {
      places[index] = .pending(value, before.then(affine))
    } else {
      places[index] = .pending(try stored(input), affine)
    }
  }

  /// What a layer that can have a prologue reads, and its prologue. Only a convolution reads the planes of the input,
  /// and its prologue has no ReLU there.
  private mutating func source(_ index: Int) throws -> (value: Int, prologue: Affine?) {
    guard case .pending(let value, let affine) = places[index] else { return (try stored(index), nil) }
    if values[value].isPlanar, affine.relu { return (try stored(index), nil) }
    return (value, affine)
  }

  /// The value of a node, which gets a layer of its own if it was only pending.
  mutating func stored(_ index: Int) throws -> Int {
    switch places[index] {
    case .value(let value): return value
    case .pending(let value, let affine):
      if values[value].isPlanar { throw Unplannable(node: graph.nodes[index].name) }
      append(.affine, index, value, affine)
      guard case .value(let stored) = places[index] else { throw Unplannable(node: graph.nodes[index].name) }
      return stored
    case nil: throw Unplannable(node: graph.nodes[index].name)
    }
  }

  /// The value of a node as one vector in the order of its shape, not in blocks: the network's output.
  mutating func row(_ index: Int) throws -> Int {
    let value = try stored(index)
    if values[value].isPlanar { throw Unplannable(node: graph.nodes[index].name) }
    guard values[value].positions > 1 else { return value }
    values.append(Value(shape: [graph.nodes[index].shape.reduce(1, *)], lanes: lanes))
    layers.append(
      FusedLayer(
        name: graph.nodes[index].name, kind: .flatten, input: value, output: values.count - 1, prologue: nil,
        residual: nil, relu: false))
    return values.count - 1
  }

  private mutating func append(
    _ kind: FusedLayer.Kind, _ index: Int, _ input: Int, _ prologue: Affine?, residual: Int? = nil,
    relu: Bool = false, last: Int? = nil
  ) {
    values.append(Value(shape: graph.nodes[last ?? index].shape, lanes: lanes))
    layers.append(
      FusedLayer(
        name: graph.nodes[index].name, kind: kind, input: input, output: values.count - 1, prologue: prologue,
        residual: residual, relu: relu))
    // No other node reads those between the first and the last one.
    var node = last ?? index
    places[node] = .value(values.count - 1)
    while node != index {
      node = graph.nodes[node].inputs.first { places[$0] == nil && $0 >= index } ?? index
      places[node] = .value(values.count - 1)
    }
  }
}

/// One step of a plan: nodes of a graph that are computed in one pass.
struct FusedLayer: Sendable {
  enum Kind: Sendable {
    /// Each filter's weights are multiplied by its `scale`; then its `bias` is added.
    case convolution(Convolution, scale: [Float], bias: [Float])
    case pooling(Pooling)
    /// The prologue alone.
    case affine
    /// The sum of the input and `residual`.
    case add
    /// From blocks of channels to a vector in the order of channels, rows, columns.
    case flatten
    case dense(Dense, bias: [Float])
    case softmax
    case sigmoid
  }
  /// The name of the first node.
  let name: String
  let kind: Kind
  /// Indices of values.
  let input: Int, output: Int
  /// What is done to the input as it is read.
  let prologue: Affine?
  /// A value that is added to the output.
  let residual: Int?
  /// Whether ReLU is done last.
  let relu: Bool
}

/// What a convolution reads and writes, and what it does as it writes.
struct ConvolutionEnds: Sendable {
  /// Indices of values, and the values.
  let input: Int, output: Int
  let from: Value, to: Value
  /// A value that is added to the output; it may be the output itself.
  let residual: Int?
  /// Whether ReLU is done last.
  var relu = false

  init(from: (index: Int, Value), to: (index: Int, Value), residual: Int?) {
    (input, self.from) = from
    (output, self.to) = to
    self.residual = residual
  }

  init(_ layer: FusedLayer, _ values: [Value]) {
    self.init(
      from: (layer.input, values[layer.input]), to: (layer.output, values[layer.output]),
      residual: layer.residual)
    relu = layer.relu
  }
}

/// The graph has a node that the fast engine cannot run; the reference engine can.
struct Unplannable: Error {
  /// The node's name.
  let node: String
}
