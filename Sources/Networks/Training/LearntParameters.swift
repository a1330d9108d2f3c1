import Models

/// Everything that a network learns in one piece of memory, and its gradient in another, both in the order of the
/// graph's nodes and in the layout of the kernels.
@safe final class LearntParameters: @unchecked Sendable {  // layers write their own parts, one step at a time
  /// How the numbers of a parameter lie.
  enum Layout: Hashable {
    /// Weights of a convolution, in blocks.
    case weights(WeightLayout)
    /// In MXNet's order; filled up with zeros to `padded` numbers, which are whole vectors.
    case plain(count: Int, padded: Int)

    /// Floats that it takes.
    var size: Int {
      switch self {
      case .weights(let layout): layout.size
      case .plain(_, let padded): padded
      }
    }

    /// Calls `body` with the index of each number in MXNet's order and its index in this layout.
    @inline(__always) func forEachPlace(_ body: (_ plain: Int, _ placed: Int) -> Void) {
      switch self {
      case .weights(let layout): layout.forEachPlace(body)
      case .plain(let count, _): for index in 0..<count { body(index, index) }
      }
    }
  }
  /// Where a parameter lies.
  struct Slot: Sendable {
    let name: String
    let shape: [Int]
    let layout: Layout
    /// The index of its first number.
    let start: Int
    /// Whether weight decay applies to it.
    let decays: Bool

    var range: Range<Int> { start..<start + layout.size }
  }
  let slots: [Slot]
  let values: FloatBuffer, gradient: FloatBuffer
  private let places: [String: Int]

  /// - Throws: a `ModelError` if two nodes learn the same array; `OutOfMemory`.
  init(_ graph: Graph, _ set: NetworkKernels) throws {
    var slots: [Slot] = []
    var places: [String: Int] = [:]
    var size = 0
    for node in graph.nodes {
      let input = node.inputs.first.map { graph.nodes[$0] }
      for parameter in graph.parameters(of: node) {
        if parameter.role == .mean || parameter.role == .variance { continue }
        guard places[parameter.name] == nil else {
          throw ModelError("several layers share the parameter \(parameter.name), which training cannot")
        }
        let shape = parameter.shape
        let count = shape.reduce(1, *)
        var layout = Layout.plain(count: count, padded: set.blocks(of: count) * set.lanes)
        if case .convolution = node.operation, parameter.role == .weight {
          layout = .weights(
            WeightLayout(
              filters: shape[0], channels: shape[1], area: shape[2] * shape[3],
              isInterleaved: input.map { Self.isImage($0, graph) } ?? false, lanes: set.lanes))
        }
        places[parameter.name] = slots.count
        slots.append(
          Slot(
            name: parameter.name, shape: shape, layout: layout, start: size,
            decays: parameter.role == .weight || parameter.role == .gamma))
        size += layout.size
      }
    }
    self.slots = slots
    self.places = places
    values = try FloatBuffer(count: size)
    gradient = try FloatBuffer(count: size)
  }

  /// Whether a node is the images themselves, perhaps normalised.
  private static func isImage(_ node: Graph.Node, _ graph: Graph) -> Bool {
    switch node.operation {
    case .input: true
    case .batchNorm: isImage(graph.nodes[node.inputs[0]], graph)
    default: false
    }
  }

  /// - Throws: a `ModelError` if no parameter of that name is learnt.
  func slot(_ name: String) throws(ModelError) -> Slot {
    guard let place = places[name] else { throw ModelError("there is no parameter \(name) to learn") }
    return slots[place]
  }

  /// Copies an array from MXNet's order.
  ///
  /// - Throws: a `ModelError` if the array has another shape.
  func set(_ slot: Slot, in buffer: FloatBuffer, to array: Parameters.Array) throws(ModelError) {
    guard array.shape == slot.shape else {
      throw ModelError("\(slot.name) has the shape \(array.shape); \(slot.shape) is expected")
    }
    unsafe array.values.withUnsafeBufferPointer { numbers in
      slot.layout.forEachPlace { unsafe buffer.start[slot.start + $1] = numbers[$0] }
    }
  }

  /// Copies everything that is learnt from MXNet's order.
  ///
  /// - Throws: a `ModelError` if an array is missing or has another shape.
  func set(_ parameters: Parameters, in buffer: FloatBuffer) throws(ModelError) {
    for slot in slots {
      try set(
        slot, in: buffer,
        to: Parameters.Array(shape: slot.shape, values: parameters.values(of: slot.name)))
    }
  }

  /// A copy of everything that is learnt, in MXNet's order, under the parameters' names.
  func arrays(in buffer: FloatBuffer) -> [String: Parameters.Array] {
    Dictionary(
      uniqueKeysWithValues: slots.map { ($0.name, array($0, in: buffer)) })
  }

  /// A copy in MXNet's order.
  func array(_ slot: Slot, in buffer: FloatBuffer) -> Parameters.Array {
    let count = slot.shape.reduce(1, *)
    let numbers = unsafe [Float](unsafeUninitializedCapacity: count) { numbers, initialised in
      slot.layout.forEachPlace { unsafe numbers[$0] = buffer.start[slot.start + $1] }
      initialised = count
    }
    return Parameters.Array(shape: slot.shape, values: numbers)
  }
}
