/// The network of an `.onnx` file as MXNet would write it, and where its weights are: ResNets as PyTorch and MXNet
/// export them, with a softmax at the end where they have none.
///
/// Operators and their defaults are those of ONNX 1.12 and later (docs/Operators.md), versions 7 and up. What cannot be
/// computed is refused with operator, node and attribute.
struct ONNXNetwork {
  let file: ONNXFile
  let label: String
  /// Channels, height, width of an image.
  let inputShape: [Int]
  /// Images of one run where they are fixed, as PyTorch does unless told otherwise; they do not matter here.
  let batch: Int?
  private var maker = SymbolMaker()
  /// What is computed from the image, by name.
  private var values: [String: Symbol.Entry] = [:]
  /// Arrays, Constants among them, and their other names.
  private var constants: [String: ONNXFile.Array] = [:]
  private var variables: [String: Symbol.Entry] = [:]
  /// The arrays that the network reads.
  private(set) var entries: [String: ArrayFile.Entry] = [:]
  private var head: Symbol.Entry?
  /// Whether a BatchNorm is the first that happens to the image, as in MXNet's pre-activation networks.
  private(set) var normalizesImages = false
  private var shapeCount = 0

  /// - Parameter inputShape: as `file.imageShape` has it, with a number for each that is open.
  init(_ file: ONNXFile, label: String, inputShape: [Int]) throws(ModelError) {
    self.file = file
    self.label = label
    self.inputShape = inputShape
    guard file.version == 0 || file.version >= 7 else {
      throw ModelError("\(label): its operators are those of version \(file.version); 7 or later is expected")
    }
    guard file.outputs.count == 1 else {
      throw ModelError(
        "\(label): it has \(file.outputs.count) outputs (\(shown(file.outputs))); one is expected")
    }
    try Graph.check(inputShape: inputShape, label: label)
    let image = file.inputs.first
    batch = image?.shape.first ?? nil
    for array in file.arrays { constants[array.name] = array }
    if let image { values[image.name] = maker.variable(image.name) }
    let needed = Self.neededNodes(of: file)
    for (index, node) in file.nodes.enumerated() where needed[index] { try convert(node) }
    guard let head = values[file.outputs[0]] else {
      throw ModelError("\(label): no node gives the output \(shown(file.outputs[0])) from the image")
    }
    self.head = head
  }

  /// Which nodes the output depends on: exporters leave others behind.
  private static func neededNodes(of file: ONNXFile) -> [Bool] {
    var names = Set(file.outputs)
    var needed = [Bool](repeating: false, count: file.nodes.count)
    for index in file.nodes.indices.reversed() where file.nodes[index].outputs.contains(where: names.contains)
    {
      needed[index] = true
      // An empty name is no array's.
      names.formUnion(file.nodes[index].inputs.filter { !$0.isEmpty })
    }
    return needed
  }

  /// With a softmax at its end, unless there is one or a sigmoid.
  var symbol: Symbol {
    var maker = maker
    var head = head ?? Symbol.Entry(node: 0, output: 0)
    var last = maker.nodes[head.node]
    while ["Flatten", "Reshape"].contains(last.operation), let input = last.inputs.first {
      last = maker.nodes[input.node]
    }
    if !["softmax", "sigmoid"].contains(last.operation) {
      head = maker.add("Flatten", "flatten", [:], [head])
      head = maker.add("softmax", "softmax", [:], [head])
    }
    return Symbol(nodes: maker.nodes, head: head, label: label)
  }

  /// The float arrays that no node reads.
  var unusedNames: [String] {
    let used = Set(entries.values.map(\.offset))
    return file.arrays.compactMap { array in
      if case .numbers(_, let offset) = array.content, !used.contains(offset) { array.name } else { nil }
    }
  }

  // MARK: - What the operators ask for

  func fault(_ node: ONNXFile.Node, _ sentence: String) -> ModelError { node.fault(sentence, label: label) }

  func attributes(_ node: ONNXFile.Node, _ known: Set<String>) throws(ModelError) -> ONNXAttributes {
    try ONNXAttributes(node, label: label, known: known)
  }

  /// Without those left out at the end.
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

  /// What an earlier node computed from the image.
  func value(_ node: ONNXFile.Node, _ name: String) throws(ModelError) -> Symbol.Entry {
    guard let value = values[name] else {
      throw fault(
        node,
        constants[name] == nil
          ? "no node before it gives its input \(shown(name))"
          : "its input \(shown(name)) is an array; what is computed from the image is expected")
    }
    return value
  }

  /// Few whole numbers: a shape, axes. nil is the number of images.
  func sizes(_ node: ONNXFile.Node, _ name: String) throws(ModelError) -> [Int?] {
    guard case .integers(let numbers) = constants[name]?.content else {
      throw fault(node, "its input \(shown(name)) is no array of whole numbers")
    }
    return numbers
  }

  func integers(_ node: ONNXFile.Node, _ name: String) throws(ModelError) -> [Int] {
    let numbers = try sizes(node, name)
    guard !numbers.contains(nil) else {
      throw fault(node, "its input \(shown(name)) depends on the number of images")
    }
    return numbers.compactMap { $0 }
  }

  /// What a value has for each image: channels, height, width; or the numbers of a row.
  mutating func shape(_ node: ONNXFile.Node, of value: Symbol.Entry) throws(ModelError) -> [Int] {
    if value.node == 0 { return inputShape }
    // Each asks for all that lies before it.
    shapeCount += 1
    guard shapeCount <= Self.largestShapeCount else {
      throw fault(
        node, "this is shape \(shapeCount) that is asked for; at most \(Self.largestShapeCount) are expected")
    }
    let graph = try Graph(Symbol(nodes: maker.nodes, head: value, label: label), inputShape: inputShape)
    return graph.nodes[graph.output].shape
  }

  private static let largestShapeCount = 2000

  func constant(_ node: ONNXFile.Node, _ name: String) throws(ModelError) -> ONNXFile.Array {
    guard let array = constants[name] else {
      throw fault(
        node,
        values[name] == nil
          ? "its input \(shown(name)) is not there" : "its input \(shown(name)) is no array of the file")
    }
    return array
  }

  /// The variable for an array of numbers, of one shape and order wherever it is read.
  ///
  /// - Parameter isTransposed: whether rows and columns change places.
  mutating func variable(
    _ node: ONNXFile.Node, _ name: String, rank: Int, isTransposed: Bool = false
  ) throws(ModelError) -> Symbol.Entry {
    let array = try constant(node, name)
    guard case .numbers(let kind, let offset) = array.content else {
      throw fault(node, "the array \(shown(array.name)) does not hold float, double, float16 or bfloat16")
    }
    var shape = array.shape
    // A bias may come as one row.
    while rank == 1, shape.count > 1, shape[0] == 1 { shape.removeFirst() }
    guard shape.count == rank else {
      throw fault(
        node,
        "the array \(shown(array.name)) has the shape \(shown(array.shape)); \(rank) dimensions are expected")
    }
    let entry = ArrayFile.Entry(
      shape: isTransposed ? shape.reversed() : shape, kind: kind, offset: offset,
      count: shape.reduce(1, *), isTransposed: isTransposed)
    var key = array.name
    while let other = entries[key], other != entry { key += "'" }
    entries[key] = entry
    if let variable = variables[key] { return variable }
    let variable = maker.variable(key)
    variables[key] = variable
    return variable
  }

  // MARK: - What they give

  /// The first output is that of a new node of the symbol.
  mutating func give(
    _ node: ONNXFile.Node, _ operation: String, _ attributes: [String: String], _ inputs: [Symbol.Entry]
  ) throws(ModelError) {
    try give(node, maker.add(operation, node.name, attributes, inputs))
  }

  /// The first output is that of a node of the symbol.
  mutating func give(_ node: ONNXFile.Node, _ entry: Symbol.Entry) throws(ModelError) {
    let name = try newName(node)
    values[name] = entry
  }

  /// The output is an array.
  mutating func give(_ node: ONNXFile.Node, _ array: ONNXFile.Array) throws(ModelError) {
    let name = try newName(node)
    // A Constant has no name of its own.
    constants[name] =
      array.name.isEmpty
      ? ONNXFile.Array(name: name, shape: array.shape, content: array.content) : array
  }

  private func newName(_ node: ONNXFile.Node) throws(ModelError) -> String {
    guard let name = node.outputs.first, !name.isEmpty else { throw fault(node, "it has no output") }
    guard values[name] == nil, constants[name] == nil else {
      throw fault(node, "its output \(shown(name)) is given a second time")
    }
    return name
  }

  /// A later node that begins with the image.
  mutating func noteNormalization(of input: Symbol.Entry) {
    if input.node == 0 { normalizesImages = true }
  }

  func node(of entry: Symbol.Entry) -> Symbol.Node { maker.nodes[entry.node] }

  mutating func add(
    _ operation: String, _ name: String, _ attributes: [String: String], _ inputs: [Symbol.Entry]
  ) -> Symbol.Entry {
    maker.add(operation, name, attributes, inputs)
  }
}

/// The attributes of one node of an `.onnx` file, with every value that cannot be computed here refused by name.
struct ONNXAttributes {
  private let node: ONNXFile.Node
  private let label: String

  /// - Parameter known: the operator's attributes that have a say, or change nothing at inference.
  /// - Throws: where the node has another one.
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
      case nil: "not there"
      case .number(let value): "\(value)"
      case .integer(let value): "\(value)"
      case .integers(let values): "\(values.prefix(8))"
      case .text(let text): shown(text)
      case .array, .other: "of another kind"
      }
    return fault("\(key) is \(value); \(expected) is expected")
  }

  /// - Parameter standard: the value of an attribute that is not there.
  func integer(_ key: String, standard: Int, _ allowed: Int...) throws(ModelError) -> Int {
    guard let value = node.attributes[key] else { return standard }
    guard case .integer(let number) = value, allowed.contains(number) else {
      throw fault(key, expected: allowed.map(String.init).joined(separator: " or "))
    }
    return number
  }

  /// nil where it is not there.
  func integer(_ key: String) throws(ModelError) -> Int? {
    guard let value = node.attributes[key] else { return nil }
    guard case .integer(let number) = value else { throw fault(key, expected: "a whole number") }
    return number
  }

  /// 1, as a factor or as text for the attribute of a symbol.
  func expectOne(_ key: String) throws(ModelError) {
    guard let value = node.attributes[key] else { return }
    guard case .number(1) = value else { throw fault(key, expected: "1.0") }
  }

  func number(_ key: String, standard: Float) throws(ModelError) -> Float {
    guard let value = node.attributes[key] else { return standard }
    guard case .number(let number) = value, number.isFinite, number >= 0 else {
      throw fault(key, expected: "a number, 0 or more,")
    }
    return number
  }

  /// nil where it is not there.
  func integers(_ key: String) throws(ModelError) -> [Int]? {
    guard let value = node.attributes[key] else { return nil }
    guard case .integers(let numbers) = value else { throw fault(key, expected: "a list of whole numbers") }
    return numbers
  }

  /// A number for rows and one for columns, as a symbol has it.
  func extent(_ key: String, standard: String? = nil) throws(ModelError) -> String {
    guard let numbers = try integers(key) else {
      if let standard { return standard }
      throw fault(key, expected: "a pair of whole numbers")
    }
    guard numbers.count == 2 else { throw fault(key, expected: "a pair of whole numbers") }
    return "(\(numbers[0]), \(numbers[1]))"
  }

  /// A kernel of one number has no gaps, whatever `dilations` says.
  func expectNoDilation(kernel: [Int]) throws(ModelError) {
    guard let numbers = try integers("dilations") else { return }
    guard numbers.count == kernel.count, zip(numbers, kernel).allSatisfy({ $0 == 1 || $1 == 1 }) else {
      throw fault("dilations", expected: "[1, 1]")
    }
  }

  enum Padding {
    /// Rows above and columns to the left, rows below and columns to the right.
    case margins([Int], [Int])
    /// So many that each stride has its window; of an odd number the larger half comes first or last.
    case same(largerFirst: Bool)
  }

  func padding() throws(ModelError) -> Padding {
    if let value = node.attributes["auto_pad"] {
      switch value {
      case .text("NOTSET"): break
      case .text("VALID"): return .margins([0, 0], [0, 0])
      case .text("SAME_UPPER"): return .same(largerFirst: false)
      case .text("SAME_LOWER"): return .same(largerFirst: true)
      default: throw fault("auto_pad", expected: "NOTSET, VALID, SAME_UPPER or SAME_LOWER")
      }
    }
    guard let pads = try integers("pads") else { return .margins([0, 0], [0, 0]) }
    guard pads.count == 4 else { throw fault("pads", expected: "four numbers") }
    return .margins([pads[0], pads[1]], [pads[2], pads[3]])
  }

  /// For margins that cannot be computed here.
  func fault(of padding: Padding) -> ModelError {
    switch padding {
    case .margins: fault("pads", expected: "the same above and below, left and right,")
    case .same:
      fault("auto_pad", expected: "one that makes the same margins above and below, left and right,")
    }
  }
}

extension ONNXFile.Node {
  func fault(_ sentence: String, label: String) -> ModelError {
    ModelError("\(label): node \(shown(name)) (\(shown(operation))): \(sentence)")
  }
}
