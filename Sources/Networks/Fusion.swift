import Models

/// A graph as the fast engine runs it: BatchNorm folded into the convolution before it, or done on the way into what
/// follows; ReLU and the sum with a shortcut done on the way out of the convolution before them.
struct FusedNetwork: Sendable {
  let layers: [FusedLayer]
  /// The first one is the network's input.
  let values: [Value]
  let output: Int

  init(_ graph: Graph, _ parameters: Parameters) throws {
    var fusion = Fusion(graph, parameters)
    try fusion.run()
    // The last node may be stored only now.
    output = try fusion.row(graph.output)
    layers = fusion.layers
    values = fusion.values
  }
}

private struct Fusion {
  private let graph: Graph
  private let parameters: Parameters
  /// Of each node, the nodes that take its output.
  private let consumers: [[Int]]
  /// Where each node's output is, once it is decided.
  private var places: [Place?]
  private(set) var layers: [FusedLayer] = []
  private(set) var values: [Value]

  private enum Place {
    case value(Int)
    /// Not stored: the value, and what is still to be done to it.
    case pending(Int, Affine)
  }

  init(_ graph: Graph, _ parameters: Parameters) {
    self.graph = graph
    self.parameters = parameters
    var consumers = [[Int]](repeating: [], count: graph.nodes.count)
    for (index, node) in graph.nodes.enumerated() {
      for input in node.inputs { consumers[input].append(index) }
    }
    self.consumers = consumers
    places = Array(repeating: nil, count: graph.nodes.count)
    values = [Value(shape: graph.inputShape, isPlanar: true)]
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

  /// With what follows it as far as nothing else needs what is between: BatchNorm, the sum with something that is
  /// computed already, ReLU.
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
    let (input, prologue) = try entering(graph.nodes[index].inputs[0])
    append(
      .convolution(convolution, scale: scale, bias: bias), index, input, prologue, residual: residual,
      relu: relu,
      last: last)
  }

  /// The node that alone takes the output of `index`, and takes it once.
  private func onlyConsumer(of index: Int) -> Int? {
    index != graph.output && consumers[index].count == 1 ? consumers[index][0] : nil
  }

  /// The value of a node, stored now if it was only pending; nil if it is not computed yet.
  private mutating func computed(_ index: Int) throws -> Int? {
    places[index] == nil ? nil : try stored(index)
  }

  // MARK: - The other operators

  private mutating func addPooling(_ index: Int, _ pooling: Pooling) throws {
    let (input, prologue) = try entering(graph.nodes[index].inputs[0])
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
    // One position in blocks of channels is a row already.
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

  /// What a layer that can do something on the way in starts from. From the planes of the input only a convolution
  /// starts, which can do all but a ReLU.
  private mutating func entering(_ index: Int) throws -> (value: Int, prologue: Affine?) {
    guard case .pending(let value, let affine) = places[index] else { return (try stored(index), nil) }
    if values[value].isPlanar, affine.relu { return (try stored(index), nil) }
    return (value, affine)
  }

  /// The value of a node, after a layer of its own if it was only pending.
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

  /// The value of a node as one row in the order of its shape, not in blocks: the network's output.
  mutating func row(_ index: Int) throws -> Int {
    let value = try stored(index)
    if values[value].isPlanar { throw Unplannable(node: graph.nodes[index].name) }
    guard values[value].positions > 1 else { return value }
    values.append(Value(shape: [graph.nodes[index].shape.reduce(1, *)]))
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
    values.append(Value(shape: graph.nodes[last ?? index].shape))
    layers.append(
      FusedLayer(
        name: graph.nodes[index].name, kind: kind, input: input, output: values.count - 1, prologue: prologue,
        residual: residual, relu: relu))
    // Nodes between the first and the last one are never asked for.
    var node = last ?? index
    places[node] = .value(values.count - 1)
    while node != index {
      node = graph.nodes[node].inputs.first { places[$0] == nil && $0 >= index } ?? index
      places[node] = .value(values.count - 1)
    }
  }
}
