import Files

/// The network of an `.onnx` file translated into MXNet's operators, and the places of its weights: ResNets as PyTorch and
/// MXNet export them. A network that ends in neither a softmax nor a sigmoid gets a softmax.
///
/// Operators and their defaults are those of ONNX 1.12 and later (docs/Operators.md), operator sets 7 and up. What is not
/// implemented is refused with its operator, node and attribute.
struct ONNXNetwork {
  let file: ONNXFile
  let label: String
  /// Channels, height, width of an image.
  let inputShape: [Int]
  /// The batch size where the file fixes it, as PyTorch does by default; it does not matter here.
  let batch: Int?
  private var builder = SymbolBuilder()
  /// The values that are computed from the image, by name.
  private var values: [String: Symbol.Entry] = [:]
  /// The arrays, those of Constants among them, by each of their names.
  private var constants: [String: ONNXFile.Array] = [:]
  private var variables: [String: Symbol.Entry] = [:]
  /// The arrays that the network reads.
  private(set) var entries: [String: ArrayFile.Entry] = [:]
  private var head: Symbol.Entry?
  /// Whether the first node after the image is a BatchNorm, as in MXNet's pre-activation networks.
  private(set) var normalizesImages = false
  private var shapeCount = 0

  /// - Parameter inputShape: that of `file.imageShape`, with a number for each dimension that is open.
  /// - Throws: with the node, its operator and its attribute, where something is not implemented or is invalid.
  init(_ file: ONNXFile, label: String, inputShape: [Int]) throws(ModelError) {
    self.file = file
    self.label = label
    self.inputShape = inputShape
    guard file.version == 0 || file.version >= 7 else {
      throw ModelError("\(label): its operators are those of version \(file.version); 7 or later is expected")
    }
    guard file.outputs.count == 1 else {
      throw ModelError(
        "\(label): it has \(file.outputs.count) outputs (\(shortList(file.outputs.map(shown)))); one is expected"
      )
    }
    try Graph.check(inputShape: inputShape, label: label)
    let image = file.inputs.first
    batch = image?.shape.first ?? nil
    for array in file.arrays { constants[array.name] = array }
    if let image { values[image.name] = builder.variable(image.name) }
    let needed = Self.neededNodes(of: file)
    for (index, node) in file.nodes.enumerated() where needed[index] { try convert(node) }
    guard let head = values[file.outputs[0]] else {
      throw ModelError("\(label): no node computes the output \(shown(file.outputs[0])) from the image")
    }
    self.head = head
  }

  /// Which nodes the output depends on; exporters leave others in the file.
  private static func neededNodes(of file: ONNXFile) -> [Bool] {
    var names = Set(file.outputs)
    var needed = [Bool](repeating: false, count: file.nodes.count)
    for index in file.nodes.indices.reversed() where file.nodes[index].outputs.contains(where: names.contains)
    {
      needed[index] = true
      // An empty name stands for an omitted input.
      names.formUnion(file.nodes[index].inputs.filter { !$0.isEmpty })
    }
    return needed
  }

  /// The network as a symbol, with a softmax added unless it ends in one or in a sigmoid.
  var symbol: Symbol {
    var builder = builder
    var head = head ?? Symbol.Entry(node: 0, output: 0)
    var last = builder.nodes[head.node]
    while ["Flatten", "Reshape"].contains(last.operation), let input = last.inputs.first {
      last = builder.nodes[input.node]
    }
    if !["softmax", "sigmoid"].contains(last.operation) {
      head = builder.add("Flatten", "flatten", [:], [head])
      head = builder.add("softmax", "softmax", [:], [head])
    }
    return Symbol(nodes: builder.nodes, head: head, label: label)
  }

  /// The names of the float arrays that no node reads.
  var unusedNames: [String] {
    let used = Set(entries.values.map(\.offset))
    return file.arrays.compactMap { array in
      if case .numbers(_, let offset) = array.content, !used.contains(offset) { array.name } else { nil }
    }
  }

  // MARK: - Inputs of operators

  func fault(_ node: ONNXFile.Node, _ sentence: String) -> ModelError { node.fault(sentence, label: label) }

  func attributes(_ node: ONNXFile.Node, _ known: Set<String>) throws(ModelError) -> ONNXAttributes {
    try ONNXAttributes(node, label: label, known: known)
  }

  /// The node's inputs, without omitted ones at the end.
  func inputs(_ node: ONNXFile.Node, _ counts: ClosedRange<Int>) throws(ModelError) -> [String] {
    var inputs = node.inputs
    while inputs.last == "" { inputs.removeLast() }
    guard counts.contains(inputs.count) else {
      let expected =
        counts.count == 1 ? "\(counts.lowerBound)" : "\(counts.lowerBound) to \(counts.upperBound)"
      throw fault(node, "it has \(inputs.count) inputs; \(expected) expected")
    }
    return inputs
  }

  func isConstant(_ name: String) -> Bool { constants[name] != nil }

  func isInteger(_ name: String) -> Bool {
    if case .integers? = constants[name]?.content { true } else { false }
  }

  /// The value of this name, which an earlier node computed from the image.
  func value(_ node: ONNXFile.Node, _ name: String) throws(ModelError) -> Symbol.Entry {
    guard let value = values[name] else {
      throw fault(
        node,
        constants[name] == nil
          ? "no node before it computes its input \(shown(name))"
          : "its input \(shown(name)) is an array; a value computed from the image is expected")
    }
    return value
  }

  /// A short array of integers, such as a shape or axes; nil stands for the batch size.
  func sizes(_ node: ONNXFile.Node, _ name: String) throws(ModelError) -> [Int?] {
    guard case .integers(let numbers) = constants[name]?.content else {
      throw fault(node, "its input \(shown(name)) is not an array of whole numbers")
    }
    return numbers
  }

  func integers(_ node: ONNXFile.Node, _ name: String) throws(ModelError) -> [Int] {
    let numbers = try sizes(node, name)
    guard !numbers.contains(nil) else {
      throw fault(node, "its input \(shown(name)) depends on the batch size")
    }
    return numbers.compactMap { $0 }
  }

  /// The shape of a value for one image: channels, height, width; or the length of a row.
  mutating func shape(_ node: ONNXFile.Node, of value: Symbol.Entry) throws(ModelError) -> [Int] {
    if value.node == 0 { return inputShape }
    // Each takes time in proportion to the nodes before it.
    shapeCount += 1
    guard shapeCount <= Self.largestShapeCount else {
      throw fault(
        node,
        "this is the \(shapeCount)th shape to be computed; at most \(Self.largestShapeCount) are expected")
    }
    let graph = try Graph(Symbol(nodes: builder.nodes, head: value, label: label), inputShape: inputShape)
    return graph.nodes[graph.output].shape
  }

  private static let largestShapeCount = 2000

  func constant(_ node: ONNXFile.Node, _ name: String) throws(ModelError) -> ONNXFile.Array {
    guard let array = constants[name] else {
      throw fault(
        node,
        values[name] == nil
          ? "its input \(shown(name)) is missing" : "its input \(shown(name)) is not an array of the file")
    }
    return array
  }

  /// The variable of the symbol for an array of numbers. An array that is read in two shapes or orders gets two.
  ///
  /// - Parameter isTransposed: whether the network reads the array's transpose.
  mutating func variable(
    _ node: ONNXFile.Node, _ name: String, rank: Int, isTransposed: Bool = false
  ) throws(ModelError) -> Symbol.Entry {
    let array = try constant(node, name)
    guard case .numbers(let type, let offset) = array.content else {
      throw fault(node, "the array \(shown(array.name)) does not hold float, double, float16 or bfloat16")
    }
    var shape = array.shape
    // A bias may have the shape (1, n).
    while rank == 1, shape.count > 1, shape[0] == 1 { shape.removeFirst() }
    guard shape.count == rank else {
      throw fault(
        node,
        "the array \(shown(array.name)) has the shape \(shown(array.shape)); \(rank == 1 ? "one dimension is" : "\(rank) dimensions are") expected"
      )
    }
    let entry = ArrayFile.Entry(
      shape: isTransposed ? shape.reversed() : shape, type: type, offset: offset,
      count: shape.reduce(1, *), isTransposed: isTransposed)
    var key = array.name
    while let other = entries[key], other != entry { key += "'" }
    entries[key] = entry
    if let variable = variables[key] { return variable }
    let variable = builder.variable(key)
    variables[key] = variable
    return variable
  }

  // MARK: - Outputs of operators

  /// Appends a node to the symbol, whose output becomes the first output of `node`.
  mutating func emit(
    _ node: ONNXFile.Node, _ operation: String, _ attributes: [String: String], _ inputs: [Symbol.Entry]
  ) throws(ModelError) {
    try emit(node, builder.add(operation, node.name, attributes, inputs))
  }

  /// Makes the output of a node of the symbol the first output of `node`.
  mutating func emit(_ node: ONNXFile.Node, _ entry: Symbol.Entry) throws(ModelError) {
    let name = try newName(node)
    values[name] = entry
  }

  /// Makes an array the first output of `node`.
  mutating func emit(_ node: ONNXFile.Node, _ array: ONNXFile.Array) throws(ModelError) {
    let name = try newName(node)
    // The array of a Constant has no name of its own.
    constants[name] =
      array.name.isEmpty
      ? ONNXFile.Array(name: name, shape: array.shape, content: array.content) : array
  }

  private func newName(_ node: ONNXFile.Node) throws(ModelError) -> String {
    guard let name = node.outputs.first, !name.isEmpty else { throw fault(node, "it has no output") }
    guard values[name] == nil, constants[name] == nil else {
      throw fault(node, "its output \(shown(name)) is computed a second time")
    }
    return name
  }

  /// Sets `normalizesImages` where the input of a BatchNorm is the image.
  mutating func noteNormalization(of input: Symbol.Entry) {
    if input.node == 0 { normalizesImages = true }
  }

  func node(of entry: Symbol.Entry) -> Symbol.Node { builder.nodes[entry.node] }

  mutating func add(
    _ operation: String, _ name: String, _ attributes: [String: String], _ inputs: [Symbol.Entry]
  ) -> Symbol.Entry {
    builder.add(operation, name, attributes, inputs)
  }
}

/// The attributes of one node of an `.onnx` file. A value that is not implemented is refused by name.
struct ONNXAttributes {
  private let node: ONNXFile.Node
  private let label: String

  /// - Parameter known: the operator's attributes that are read, or change nothing at inference.
  /// - Throws: where the node has any other attribute.
  init(_ node: ONNXFile.Node, label: String, known: Set<String>) throws(ModelError) {
    self.node = node
    self.label = label
    for key in node.attributes.keys.sorted() where !known.contains(key) {
      throw fault("the attribute \(shown(key)) is not known")
    }
  }

  func fault(_ sentence: String) -> ModelError { node.fault(sentence, label: label) }

  private func fault(_ key: String, expected: String) -> ModelError {
    let value =
      switch node.attributes[key] {
      case nil: "missing"
      case .number(let value): "\(value)"
      case .integer(let value): "\(value)"
      case .integers(let values): "\(values.prefix(8))"
      case .text(let text): shown(text)
      case .array, .other: "of another type"
      }
    return fault("\(key) is \(value); \(expected) is expected")
  }

  /// - Parameter fallback: the value of a missing attribute.
  func integer(_ key: String, default fallback: Int, _ allowed: Int...) throws(ModelError) -> Int {
    guard let value = node.attributes[key] else { return fallback }
    guard case .integer(let number) = value, allowed.contains(number) else {
      throw fault(key, expected: allowed.map(String.init).joined(separator: " or "))
    }
    return number
  }

  /// nil where the attribute is missing.
  func integer(_ key: String) throws(ModelError) -> Int? {
    guard let value = node.attributes[key] else { return nil }
    guard case .integer(let number) = value else { throw fault(key, expected: "a whole number") }
    return number
  }

  /// Checks that the attribute, if there is one, is 1.0.
  func expectOne(_ key: String) throws(ModelError) {
    guard let value = node.attributes[key] else { return }
    guard case .number(1) = value else { throw fault(key, expected: "1.0") }
  }

  func number(_ key: String, default fallback: Float) throws(ModelError) -> Float {
    guard let value = node.attributes[key] else { return fallback }
    guard case .number(let number) = value, number.isFinite, number >= 0 else {
      throw fault(key, expected: "a number, 0 or more,")
    }
    return number
  }

  /// nil where the attribute is missing.
  func integers(_ key: String) throws(ModelError) -> [Int]? {
    guard let value = node.attributes[key] else { return nil }
    guard case .integers(let numbers) = value else { throw fault(key, expected: "a list of whole numbers") }
    return numbers
  }

  /// A pair of numbers, rows and columns, as the text of a symbol's attribute.
  func extent(_ key: String, default fallback: String? = nil) throws(ModelError) -> String {
    guard let numbers = try integers(key) else {
      if let fallback { return fallback }
      throw fault(key, expected: "a pair of whole numbers")
    }
    guard numbers.count == 2 else { throw fault(key, expected: "a pair of whole numbers") }
    return "(\(numbers[0]), \(numbers[1]))"
  }

  /// Checks that no side is dilated; along a side where the kernel is 1, `dilations` changes nothing.
  func expectNoDilation(kernel: [Int]) throws(ModelError) {
    guard let numbers = try integers("dilations") else { return }
    guard numbers.count == kernel.count, zip(numbers, kernel).allSatisfy({ $0 == 1 || $1 == 1 }) else {
      throw fault("dilations", expected: "[1, 1]")
    }
  }

  enum Padding {
    /// [rows above, columns on the left], [rows below, columns on the right].
    case explicit([Int], [Int])
    /// As much as gives a window for each stride; of an odd number the larger half comes first or last.
    case same(largerFirst: Bool)
  }

  func padding() throws(ModelError) -> Padding {
    if let value = node.attributes["auto_pad"] {
      switch value {
      case .text("NOTSET"): break
      case .text("VALID"): return .explicit([0, 0], [0, 0])
      case .text("SAME_UPPER"): return .same(largerFirst: false)
      case .text("SAME_LOWER"): return .same(largerFirst: true)
      default: throw fault("auto_pad", expected: "NOTSET, VALID, SAME_UPPER or SAME_LOWER")
      }
    }
    guard let pads = try integers("pads") else { return .explicit([0, 0], [0, 0]) }
    guard pads.count == 4 else { throw fault("pads", expected: "four numbers") }
    return .explicit([pads[0], pads[1]], [pads[2], pads[3]])
  }

  /// The error for a padding that is not implemented.
  func fault(of padding: Padding) -> ModelError {
    switch padding {
    case .explicit: fault("pads", expected: "the same padding above and below, left and right,")
    case .same:
      fault("auto_pad", expected: "one that makes the same padding above and below, left and right,")
    }
  }
}

extension ONNXFile.Node {
  func fault(_ sentence: String, label: String) -> ModelError {
    ModelError("\(label): node \(shown(name)) (\(shown(operation))): \(sentence)")
  }
}
