extension Graph {
  /// What a symbol computes for images of one shape.
  ///
  /// Operators and their defaults are those of MXNet 1.9.1. Gone are identities, casts between float types, dropout, the
  /// gradient's stops, labels, and whatever the head does not need. A dense layer on planes gets a `.flatten` before it.
  ///
  /// - Parameter inputShape: channels, height, width.
  /// - Throws: naming node, operator and attribute, where something is not implemented here or makes no sense, or a
  ///   shape is larger than `largestCount`.
  public init(_ symbol: Symbol, inputShape: [Int]) throws(ModelError) {
    var builder = try GraphBuilder(symbol, inputShape: inputShape)
    try builder.convert()
    let nodes = builder.nodes
    self.init(nodes: nodes, output: nodes.count - 1)
  }

  /// Numbers that one node may give for one image: 4 GiB of them.
  public static let largestCount = 1 << 30

  /// Whether images of this shape are few enough numbers.
  static func check(inputShape: [Int], label: String) throws(ModelError) {
    guard inputShape.count == 3, inputShape.allSatisfy({ (1...1 << 16).contains($0) }),
      let count = checkedProduct(inputShape), count <= largestCount
    else {
      throw ModelError(
        "\(label): the input's shape is \(shown(inputShape)); channels, height, width are expected, each "
          + "from 1 to 65536, at most \(largestCount) numbers")
    }
  }
}

/// Makes the nodes of a graph from those of a symbol, in their order.
struct GraphBuilder {
  let symbol: Symbol
  private(set) var nodes: [Graph.Node]
  /// Of each node of the symbol, the graph's node that has its output; nil for parameters and for what nobody needs.
  private var places: [Int?]
  private let isNeeded: [Bool]

  init(_ symbol: Symbol, inputShape: [Int]) throws(ModelError) {
    try Graph.check(inputShape: inputShape, label: symbol.label)
    var isNeeded = [Bool](repeating: false, count: symbol.nodes.count)
    isNeeded[symbol.head.node] = true
    for index in symbol.nodes.indices.reversed() where isNeeded[index] {
      for input in symbol.nodes[index].dataInputs { isNeeded[input.node] = true }
    }
    let images = symbol.nodes.indices.filter { isNeeded[$0] && symbol.nodes[$0].isVariable }
    guard images.count == 1, images[0] != symbol.head.node else {
      let names = images.prefix(4).map { shown(symbol.nodes[$0].name) }.joined(separator: ", ")
      throw ModelError(
        images.count == 1
          ? "\(symbol.label): the head is the variable \(names); an operator's output is expected"
          : "\(symbol.label): the operators take \(images.count) variables as images (\(names)); one is expected"
      )
    }
    self.symbol = symbol
    self.isNeeded = isNeeded
    places = [Int?](repeating: nil, count: symbol.nodes.count)
    places[images[0]] = 0
    nodes = [
      Graph.Node(name: symbol.nodes[images[0]].name, operation: .input, inputs: [], shape: inputShape)
    ]
  }

  mutating func convert() throws(ModelError) {
    for (index, node) in symbol.nodes.enumerated() where isNeeded[index] && !node.isVariable {
      var inputs: [Int] = []
      for input in node.dataInputs { inputs.append(try place(of: input, for: node)) }
      guard !inputs.isEmpty else { throw fault(node, "it has no input") }
      places[index] = try convert(node, inputs)
    }
    let output = try place(of: symbol.head, for: nil)
    // The last node is the output: one after it would not have been needed.
    guard output > 0 else {
      throw ModelError("\(symbol.label): the network computes nothing: its head is its input")
    }
  }

  private func place(of entry: Symbol.Entry, for node: Symbol.Node?) throws(ModelError) -> Int {
    guard entry.output == 0, let place = places[entry.node] else {
      let what = node.map { "node \(shown($0.name)) (\(shown($0.operation)))" } ?? "the head"
      throw ModelError(
        "\(symbol.label): \(what): it takes output \(entry.output) of node \(shown(symbol.nodes[entry.node].name)); "
          + "only output 0 is known")
    }
    return place
  }

  /// Adds a node; returns its place.
  mutating func add(
    _ operation: Operation, _ node: Symbol.Node, _ inputs: [Int], shape: [Int]
  ) throws(ModelError) -> Int {
    guard let count = checkedProduct(shape), count <= Graph.largestCount else {
      throw fault(node, "its output is \(shown(shape)), more than \(Graph.largestCount) numbers")
    }
    nodes.append(Graph.Node(name: node.name, operation: operation, inputs: inputs, shape: shape))
    return nodes.count - 1
  }

  /// The name of the variable that is the node's input number `index`.
  func parameter(_ node: Symbol.Node, _ index: Int, _ role: String) throws(ModelError) -> String {
    guard node.inputs.indices.contains(index) else {
      throw fault(node, "it has no \(role)")
    }
    var entry = node.inputs[index]
    // Half-precision models cast their weights.
    while let next = symbol.nodes[entry.node].inputs.first, symbol.nodes[entry.node].isPassing {
      entry = next
    }
    let variable = symbol.nodes[entry.node]
    guard variable.isVariable, places[entry.node] == nil else {
      let what = variable.isVariable ? "the image" : shown(variable.operation)
      throw fault(
        node, "its \(role) is \(shown(variable.name)) (\(what)); a variable of its own is expected")
    }
    return variable.name
  }
}

extension Symbol.Node {
  /// The inputs that depend on the image: not parameters, not labels.
  fileprivate var dataInputs: ArraySlice<Symbol.Entry> {
    switch operation {
    case "Convolution", "Convolution_v1", "BatchNorm", "BatchNorm_v1", "FullyConnected", "SoftmaxOutput",
      "Softmax",
      "LogisticRegressionOutput", "LinearRegressionOutput", "MAERegressionOutput":
      inputs.prefix(1)
    default: inputs[...]
    }
  }

  /// Whether the output is the input, or differs by its type only.
  fileprivate var isPassing: Bool {
    ["_copy", "identity", "BlockGrad", "stop_gradient", "Cast", "cast", "amp_cast"].contains(operation)
  }
}
