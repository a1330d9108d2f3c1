import Models

/// A graph as it is trained: layers, which store their outputs, and between them views: a BatchNorm and a ReLU that the
/// layer after them does as it reads, and that are never stored.
struct TrainingPlan: Sendable {
  /// What layers read: a stored value, then a BatchNorm if there is a `norm`, then ReLU if `relu`.
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
      /// The sum of two views.
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

  private let lanes: Int

  /// - Parameter lanes: channels of a block, as the kernels have it.
  /// - Throws: a `ModelError` that names the first node that cannot be trained.
  init(_ graph: Graph, lanes: Int) throws(ModelError) {
    self.graph = graph
    self.lanes = lanes
    var consumers = [[Int]](repeating: [], count: graph.nodes.count)
    for (index, node) in graph.nodes.enumerated() {
      for input in node.inputs { consumers[input].append(index) }
    }
    self.consumers = consumers
    values = [Value(shape: graph.inputShape, lanes: lanes, isPlanar: true)]
    places = Array(repeating: nil, count: graph.nodes.count)
    places[0] = view(View(value: 0))
    for index in graph.nodes.indices.dropFirst() where places[index] == nil { try add(index) }
    // A node that nothing reads would be computed for nothing, and its gradient would be wrong.
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
    values.append(Value(shape: graph.nodes[last ?? index].shape, lanes: lanes))
    let output = values.count - 1
    layers.append(
      Layer(name: graph.nodes[index].name, kind: kind, inputs: inputs, residual: residual, output: output))
    places[index] = view(View(value: output))
    places[last ?? index] = places[index]
  }
}

/// Where gradients lie, and which layer writes each first.
///
/// The memory of each gradient is a value of the arena, too; these values are numbered after the plan's own.
struct GradientPlan: Sendable {
  /// The backward pass of a layer.
  struct Step: Sendable {
    /// Where the gradient of its output is.
    let gradient: Int
    /// Where the gradient of each input goes, and whether it is added to what is there; nil: nothing needs it.
    let inputs: [(place: Int, adds: Bool)?]
    /// Where the gradient of the residual goes; nil if it shares the memory of the output's gradient.
    let residual: (place: Int, adds: Bool)?
    /// Views of the output, whose gradients are first made into the output's gradient.
    let views: [(view: Int, from: Int, add: Int?)]
  }
  private(set) var steps: [Step?]
  private(set) var values: [Value]
  /// For each value, the plan's and the gradients', the first and the last step that need it, counted through the
  /// layers and back; nil: no step does.
  private(set) var lifetimes: [ClosedRange<Int>?]

  init(_ plan: TrainingPlan) {
    let count = plan.layers.count
    values = plan.values
    lifetimes = Array(repeating: nil, count: plan.values.count)
    steps = Array(repeating: nil, count: count)
    // Where the gradient of each value and of each view is.
    var ofValue: [Int: Int] = [:]
    var ofView: [Int: Int] = [:]

    func use(_ value: Int, at step: Int) {
      let life = lifetimes[value]
      lifetimes[value] = min(life?.lowerBound ?? step, step)...max(life?.upperBound ?? step, step)
    }
    func newPlace(like value: Int) -> Int {
      values.append(plan.values[value])
      lifetimes.append(nil)
      return values.count - 1
    }
    // Where a view's gradient goes.
    func target(_ view: Int, at step: Int) -> (place: Int, adds: Bool)? {
      let seen = plan.views[view]
      guard seen.value != 0 else { return nil }
      let known = seen.isPlain ? ofValue[seen.value] : ofView[view]
      let place = known ?? newPlace(like: seen.value)
      if seen.isPlain { ofValue[seen.value] = place } else { ofView[view] = place }
      use(place, at: step)
      return (place, known != nil)
    }

    for (index, layer) in plan.layers.enumerated() {
      use(layer.output, at: index)
      use(layer.output, at: 2 * count - 1 - index)
    }
    for index in plan.layers.indices.reversed() {
      let layer = plan.layers[index]
      let step = 2 * count - 1 - index
      var views: [(view: Int, from: Int, add: Int?)] = []
      for (view, seen) in plan.views.enumerated() where seen.value == layer.output && !seen.isPlain {
        guard let place = ofView[view] else { continue }
        use(place, at: step)
        views.append((view, place, ofValue[layer.output]))
        ofValue[layer.output] = ofValue[layer.output] ?? place
      }
      let gradient = ofValue[layer.output] ?? newPlace(like: layer.output)
      use(gradient, at: step)
      var residual: (place: Int, adds: Bool)?
      if let other = layer.residual {
        if let known = ofValue[other] {
          use(known, at: step)
          residual = (known, true)
        } else {
          ofValue[other] = gradient
        }
      }
      steps[index] = Step(
        gradient: gradient, inputs: layer.inputs.map { target($0, at: step) }, residual: residual,
        views: views)
    }
  }
}

/// A view whose gradient is complete: its sums are taken while it is still in the cache.
struct ReadyView: Sendable {
  let norm: Normalization
  /// Where the view's gradient is, and the value that it is a view of.
  private let from: Int, value: Int

  func sum(_ part: TrainingPart) {
    for image in part.images {
      unsafe norm.sum(
        part.execution.read(from, image: image), part.execution.read(value, image: image), part: part.index)
    }
  }

  /// For each layer, the views whose gradient is complete after its backward pass.
  static func all(
    _ plan: TrainingPlan, _ gradients: GradientPlan, _ normalizations: [Normalization?]
  ) -> [[ReadyView]] {
    var ready: [[ReadyView]] = plan.layers.map { _ in [] }
    for (index, step) in gradients.steps.enumerated() {
      for view in step?.views ?? [] {
        guard let norm = normalizations[view.view],
          let reader = plan.layers.firstIndex(where: { $0.inputs.contains(view.view) })
        else { continue }
        ready[reader].append(ReadyView(norm: norm, from: view.from, value: plan.layers[index].output))
      }
    }
    return ready
  }
}
