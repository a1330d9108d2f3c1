import Models

/// All that a network learns in one piece of memory, and its gradient in another, both in the order of the graph's nodes
/// and in the layout of the kernels.
@safe final class LearntParameters: @unchecked Sendable {  // layers write their own parts, one step at a time
  enum Layout: Hashable {
    /// Weights of a convolution on blocks: block of filters, block of channels, tap, channel, filter.
    case blocked(filters: Int, channels: Int, area: Int)
    /// Weights of a convolution on pixels: block of filters, tap, channel, filter.
    case pixels(filters: Int, channels: Int, area: Int)
    /// As MXNet has it; filled up to whole vectors.
    case plain(count: Int)

    var size: Int {
      switch self {
      case .blocked(let filters, let channels, let area): blocks(filters) * blocks(channels) * area * 256
      case .pixels(let filters, let channels, let area): blocks(filters) * area * channels * 16
      case .plain(let count): blocks(count) * 16
      }
    }

    private func blocks(_ count: Int) -> Int { (count + 15) / 16 }

    /// Calls `body` with each number's place in MXNet's order and in this one.
    func forEachPlace(_ body: (_ plain: Int, _ placed: Int) -> Void) {
      switch self {
      case .blocked(let filters, let channels, let area):
        for filter in 0..<filters {
          for channel in 0..<channels {
            for tap in 0..<area {
              let block = (filter / 16 * blocks(channels) + channel / 16) * area + tap
              body((filter * channels + channel) * area + tap, block * 256 + channel % 16 * 16 + filter % 16)
            }
          }
        }
      case .pixels(let filters, let channels, let area):
        for filter in 0..<filters {
          for channel in 0..<channels {
            for tap in 0..<area {
              let row = (filter / 16 * area + tap) * channels + channel
              body((filter * channels + channel) * area + tap, row * 16 + filter % 16)
            }
          }
        }
      case .plain(let count): for index in 0..<count { body(index, index) }
      }
    }
  }
  struct Slot: Sendable {
    let name: String
    let shape: [Int]
    let layout: Layout
    let start: Int
    /// Whether weight decay concerns it.
    let decays: Bool

    var range: Range<Int> { start..<start + layout.size }
  }
  let slots: [Slot]
  let values: FloatBuffer, gradient: FloatBuffer
  private let places: [String: Int]

  /// - Throws: where two nodes learn the same array, or memory is lacking.
  init(_ graph: Graph) throws {
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
        var layout = Layout.plain(count: shape.reduce(1, *))
        if case .convolution = node.operation, parameter.role == .weight {
          let area = shape[2] * shape[3]
          layout =
            input.map { Self.isImage($0, graph) } ?? false
            ? .pixels(filters: shape[0], channels: shape[1], area: area)
            : .blocked(filters: shape[0], channels: shape[1], area: area)
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

  /// Whether a node gives the images themselves, perhaps normalised.
  private static func isImage(_ node: Graph.Node, _ graph: Graph) -> Bool {
    switch node.operation {
    case .input: true
    case .batchNorm: isImage(graph.nodes[node.inputs[0]], graph)
    default: false
    }
  }

  /// - Throws: where nothing of that name is learnt.
  func slot(_ name: String) throws(ModelError) -> Slot {
    guard let place = places[name] else { throw ModelError("there is no parameter \(name) to learn") }
    return slots[place]
  }

  /// From MXNet's order.
  func set(_ slot: Slot, in buffer: FloatBuffer, to array: Parameters.Array) throws(ModelError) {
    guard array.shape == slot.shape else {
      throw ModelError("\(slot.name) has the shape \(array.shape); \(slot.shape) is expected")
    }
    unsafe array.values.withUnsafeBufferPointer { numbers in
      slot.layout.forEachPlace { unsafe buffer.start[slot.start + $1] = numbers[$0] }
    }
  }

  /// All that is learnt, from MXNet's order.
  ///
  /// - Throws: where an array is missing or has another shape.
  func set(_ parameters: Parameters, in buffer: FloatBuffer) throws(ModelError) {
    for slot in slots {
      try set(
        slot, in: buffer,
        to: Parameters.Array(shape: slot.shape, values: parameters.values(of: slot.name)))
    }
  }

  /// All that is learnt, in MXNet's order, under the parameters' names.
  func arrays(in buffer: FloatBuffer) -> [String: Parameters.Array] {
    Dictionary(
      uniqueKeysWithValues: slots.map { ($0.name, array($0, in: buffer)) })
  }

  /// In MXNet's order.
  func array(_ slot: Slot, in buffer: FloatBuffer) -> Parameters.Array {
    let count = slot.shape.reduce(1, *)
    let numbers = unsafe [Float](unsafeUninitializedCapacity: count) { numbers, initialised in
      slot.layout.forEachPlace { unsafe numbers[$0] = buffer.start[slot.start + $1] }
      initialised = count
    }
    return Parameters.Array(shape: slot.shape, values: numbers)
  }
}
