import Models

/// A graph as it is trained: layers that store their outputs, and between them views, a BatchNorm and a ReLU that are
/// done on the way into what follows and never stored.
struct TrainingPlan: Sendable {
  /// What layers read: a stored value, normalised where there is a `norm`, then the larger of it and 0 where `relu`.
  struct View: Hashable, Sendable {
    let value: Int
    /// An index into `norms`.
    var norm: Int?
    var relu = false

    var isPlain: Bool { norm == nil && !relu }
  }
  struct Layer: Sendable {
    enum Kind: Sendable {
      case convolution(Convolution)
      case pooling(Pooling)
      /// Of two views.
      case sum
      case dense(Dense)
    }
    let name: String
    let kind: Kind
    /// Indices into `views`.
    let inputs: [Int]
    /// A stored value that a convolution adds to its own sum.
    let residual: Int?
    let output: Int
  }
  enum Head: Sendable { case softmax, sigmoid }

  private(set) var layers: [Layer] = []
  private(set) var views: [View] = []
  private(set) var norms: [(norm: BatchNorm, value: Int)] = []
  /// The first one is the input.
  private(set) var values: [Value]
  private(set) var head = Head.softmax

  private let graph: Graph
  private var places: [Int?]
  private let consumers: [[Int]]

  /// - Throws: naming the first node for which there is no way.
  init(_ graph: Graph) throws(ModelError) {
    self.graph = graph
    var consumers = [[Int]](repeating: [], count: graph.nodes.count)
    for (index, node) in graph.nodes.enumerated() {
      for input in node.inputs { consumers[input].append(index) }
    }
    self.consumers = consumers
    values = [Value(shape: graph.inputShape, isPlanar: true)]
    places = Array(repeating: nil, count: graph.nodes.count)
    places[0] = view(View(value: 0))
    for index in graph.nodes.indices.dropFirst() where places[index] == nil { try add(index) }
    // What nobody asks for would be computed for nothing, and its gradient would be wrong.
    if let loose = graph.nodes.indices.first(where: { $0 != graph.output && consumers[$0].isEmpty }) {
      throw fault(loose, "its output goes nowhere")
    }
  }

  private func fault(_ index: Int, _ sentence: String) -> ModelError {
    ModelError("the node \(graph.nodes[index].name) cannot be trained: \(sentence)")
  }

  private mutating func view(_ view: View) -> Int {
    if let known = views.firstIndex(of: view) { return known }
    views.append(view)
    return views.count - 1
  }

  private func input(_ index: Int, _ number: Int = 0) throws(ModelError) -> Int {
    guard let place = places[graph.nodes[index].inputs[number]] else {
      throw fault(index, "its input is not computed before it")
    }
    return place
  }

  private mutating func add(_ index: Int) throws(ModelError) {
    let node = graph.nodes[index]
    switch node.operation {
    case .input: throw fault(index, "it is a second input")
    case .batchNorm(let norm):
      let from = views[try input(index)]
      guard from.isPlain else { throw fault(index, "it normalises what is normalised already") }
      norms.append((norm, from.value))
      places[index] = view(View(value: from.value, norm: norms.count - 1))
    case .relu:
      var from = views[try input(index)]
      if values[from.value].isPlanar { throw fault(index, "it works on the images themselves") }
      from.relu = true
      places[index] = view(from)
    case .convolution(let convolution):
      guard convolution.bias == nil else { throw fault(index, "convolutions with a bias are not supported") }
      let from = try input(index)
      var last = index
      var residual: Int?
      if index != graph.output, consumers[index].count == 1, let next = consumers[index].first,
        case .add = graph.nodes[next].operation,
        let other = graph.nodes[next].inputs.first(where: { $0 != index }),
        let place = places[other], views[place].isPlain, !values[views[place].value].isPlanar,
        views[from].value != views[place].value || !views[from].isPlain
      {
        residual = views[place].value
        last = next
      }
      store(.convolution(convolution), index, [from], residual: residual, last: last)
    case .pooling(let pooling):
      let from = try input(index)
      if values[views[from].value].isPlanar { throw fault(index, "it works on the images themselves") }
      store(.pooling(pooling), index, [from])
    case .add:
      let (first, second) = (try input(index), try input(index, 1))
      if values[views[first].value].isPlanar || values[views[second].value].isPlanar || first == second {
        throw fault(index, "its inputs are no two outputs of layers")
      }
      store(.sum, index, [first, second])
    case .flatten:
      let from = try input(index)
      guard values[views[from].value].positions == 1, views[from].isPlain else {
        throw fault(index, "its input is no row of numbers")
      }
      places[index] = from
    case .dense(let dense):
      let from = try input(index)
      guard values[views[from].value].positions == 1, views[from].isPlain, from != 0 else {
        throw fault(index, "its input is no row of numbers")
      }
      store(.dense(dense), index, [from])
    case .softmax, .sigmoid:
      guard index == graph.output, let last = layers.last, case .dense = last.kind,
        views[try input(index)] == View(value: last.output)
      else { throw fault(index, "it is not the head on a fully connected layer") }
      if case .sigmoid = node.operation { head = .sigmoid }
      places[index] = view(View(value: last.output))
    }
  }

  private mutating func store(
    _ kind: Layer.Kind, _ index: Int, _ inputs: [Int], residual: Int? = nil, last: Int? = nil
  ) {
    values.append(Value(shape: graph.nodes[last ?? index].shape))
    let output = values.count - 1
    layers.append(
      Layer(name: graph.nodes[index].name, kind: kind, inputs: inputs, residual: residual, output: output))
    places[index] = view(View(value: output))
    places[last ?? index] = places[index]
  }
}
