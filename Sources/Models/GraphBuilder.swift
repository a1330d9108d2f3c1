import Files

extension Graph {
  /// The network that a symbol describes, for images of one shape.
  ///
  /// Operators and their defaults are those of MXNet 1.9.1. Identities, casts between float types, dropout, gradient
  /// stops, labels and whatever the head does not need are left out. A dense layer on (channels, height, width) gets a
  /// `.flatten` before it.
  ///
  /// - Parameter inputShape: channels, height, width.
  /// - Throws: with the node, its operator and its attribute, where something is not implemented or is invalid; where an
  ///   output has more than `largestCount` numbers.
  public init(_ symbol: Symbol, inputShape: [Int]) throws(ModelError) {
    var builder = try GraphBuilder(symbol, inputShape: inputShape)
    try builder.convert()
    let nodes = builder.nodes
    self.init(nodes: nodes, output: nodes.count - 1)
  }

  /// The most numbers that a node may output for one image: 4 GiB of them.
  public static let largestCount = 1 << 30

  /// Checks that this is the shape of images of at most `largestCount` numbers.
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

/// Converts the nodes of a symbol into those of a graph, in order.
struct GraphBuilder {
  let symbol: Symbol
  private(set) var nodes: [Graph.Node]
  /// For each node of the symbol, the index of the graph's node that computes its output; nil for parameters and for
  /// nodes that the head does not need.
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
      let names = shortList(images.map { shown(symbol.nodes[$0].name) })
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
          + "only output 0 is supported")
    }
    return place
  }

  /// Appends a node.
  ///
  /// - Returns: its index.
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
    while let next = symbol.nodes[entry.node].inputs.first, symbol.nodes[entry.node].isIdentity {
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

  /// Whether the output is the input, but for its float type.
  fileprivate var isIdentity: Bool {
    ["_copy", "identity", "BlockGrad", "stop_gradient", "Cast", "cast", "amp_cast"].contains(operation)
  }
}

extension GraphBuilder {
  /// Appends what a node of the symbol computes.
  ///
  /// - Returns: the index of the node that has its output: an earlier one where this node changes nothing.
  mutating func convert(_ node: Symbol.Node, _ inputs: [Int]) throws(ModelError) -> Int {
    switch node.operation {
    case "Convolution", "Convolution_v1": return try convolution(node, inputs[0])
    case "BatchNorm", "BatchNorm_v1": return try batchNorm(node, inputs[0])
    case "FullyConnected": return try dense(node, inputs[0])
    case "Pooling": return try pooling(node, inputs[0])
    case "Activation": return try activation(node, inputs[0])
    case "relu", "sigmoid": return try function(node, inputs[0])
    case "elemwise_add", "_plus", "_Plus", "_add", "_grad_add", "broadcast_add", "broadcast_plus":
      _ = try attributes(node, [])
      try expectInputs(node, 2...2)
      return try sum(node, inputs)
    case "add_n", "ElementWiseSum":
      let count = try attributes(node, ["num_args"]).integer(
        "num_args", default: inputs.count, in: 1...Symbol.largestNodeCount)
      try expectInputs(node, count...count)
      return try sum(node, inputs)
    case "Flatten", "flatten":
      _ = try attributes(node, [])
      try expectInputs(node, 1...1)
      return try flatten(node, inputs[0])
    case "Reshape", "reshape": return try reshape(node, inputs[0])
    case "SoftmaxOutput", "Softmax": return try softmaxOutput(node, inputs[0])
    case "softmax", "SoftmaxActivation": return try softmax(node, inputs[0])
    case "LogisticRegressionOutput":
      _ = try attributes(node, [], ignored: ["grad_scale"])
      try expectInputs(node, 1...2)
      return try addFlat(.sigmoid, node, inputs[0])
    default:
      try checkIdentity(node)
      return inputs[0]
    }
  }

  func fault(_ node: Symbol.Node, _ sentence: String) -> ModelError {
    ModelError("\(symbol.label): node \(shown(node.name)) (\(shown(node.operation))): \(sentence)")
  }

  func attributes(
    _ node: Symbol.Node, _ known: Set<String>, ignored: Set<String> = []
  ) throws(ModelError) -> Attributes {
    try Attributes(node, label: symbol.label, known: known, ignored: ignored)
  }

  func expectInputs(_ node: Symbol.Node, _ counts: ClosedRange<Int>) throws(ModelError) {
    guard counts.contains(node.inputs.count) else {
      let expected =
        counts.count == 1 ? "\(counts.lowerBound)" : "\(counts.lowerBound) to \(counts.upperBound)"
      throw fault(node, "it has \(node.inputs.count) inputs; \(expected) expected")
    }
  }

  /// Checks an operator whose output is its input at inference.
  private func checkIdentity(_ node: Symbol.Node) throws(ModelError) {
    switch node.operation {
    case "_copy", "identity", "BlockGrad", "stop_gradient": _ = try attributes(node, [])
    case "Cast", "cast", "amp_cast":
      _ = try attributes(node, ["dtype"]).choice("dtype", "float32", "float16", "float64")
    case "Dropout":
      _ = try attributes(node, ["mode"], ignored: ["p", "axes", "cudnn_off"]).choice("mode", "training")
    case "MakeLoss", "make_loss":
      _ = try attributes(node, [], ignored: ["grad_scale", "valid_thresh", "normalization"])
    case "LinearRegressionOutput", "MAERegressionOutput":
      _ = try attributes(node, [], ignored: ["grad_scale"])
      return try expectInputs(node, 1...2)
    default: throw fault(node, "this operator is not implemented; those of ResNets are")
    }
    try expectInputs(node, 1...1)
  }

  private mutating func activation(_ node: Symbol.Node, _ input: Int) throws(ModelError) -> Int {
    let attributes = try attributes(node, ["act_type"])
    try expectInputs(node, 1...1)
    guard attributes.text("act_type") != nil else { throw attributes.fault("act_type", expected: "relu") }
    if try attributes.choice("act_type", "relu", "sigmoid") == "sigmoid" {
      return try addFlat(.sigmoid, node, input)
    }
    return try add(.relu, node, [input], shape: nodes[input].shape)
  }

  private mutating func function(_ node: Symbol.Node, _ input: Int) throws(ModelError) -> Int {
    _ = try attributes(node, [])
    try expectInputs(node, 1...1)
    if node.operation == "sigmoid" { return try addFlat(.sigmoid, node, input) }
    return try add(.relu, node, [input], shape: nodes[input].shape)
  }

  /// The sum of one or more inputs, added two at a time from the first on.
  private mutating func sum(_ node: Symbol.Node, _ inputs: [Int]) throws(ModelError) -> Int {
    let shape = nodes[inputs[0]].shape
    var total = inputs[0]
    for input in inputs.dropFirst() {
      guard nodes[input].shape == shape else {
        throw fault(
          node, "its inputs are \(shown(shape)) and \(shown(nodes[input].shape)); the same shape is expected")
      }
      total = try add(.add, node, [total, input], shape: shape)
    }
    return total
  }

  mutating func flatten(_ node: Symbol.Node, _ input: Int) throws(ModelError) -> Int {
    let shape = nodes[input].shape
    if shape.count == 1 { return input }
    return try add(.flatten, node, [input], shape: [shape.reduce(1, *)])
  }

  /// Accepts only what flattens each image into one row.
  private mutating func reshape(_ node: Symbol.Node, _ input: Int) throws(ModelError) -> Int {
    let attributes = try attributes(node, ["shape", "reverse"])
    try expectInputs(node, 1...1)
    let count = nodes[input].shape.reduce(1, *)
    let isReversed = try attributes.flag("reverse", default: false)
    guard let shape = attributes.text("shape").flatMap(parseTuple), !isReversed,
      [[0, -1], [0, count], [-1, count]].contains(shape)
    else { throw attributes.fault("shape", expected: "(0, -1), which flattens,") }
    return try flatten(node, input)
  }

  /// MXNet's softmax over all numbers of an image; that over the channels of each pixel is refused.
  private mutating func softmaxOutput(_ node: Symbol.Node, _ input: Int) throws(ModelError) -> Int {
    let attributes = try attributes(
      node, ["multi_output", "preserve_shape"],
      ignored: [
        "grad_scale", "ignore_label", "use_ignore", "normalization", "out_grad", "smooth_alpha",
      ])
    try expectInputs(node, 1...2)
    for key in ["multi_output", "preserve_shape"]
    where try attributes.flag(key, default: false) && nodes[input].shape.count > 1 {
      throw attributes.fault(key, expected: "False")
    }
    return try add(.softmax, node, [input], shape: nodes[input].shape)
  }

  private mutating func softmax(_ node: Symbol.Node, _ input: Int) throws(ModelError) -> Int {
    let isActivation = node.operation == "SoftmaxActivation"
    let attributes = try attributes(
      node, isActivation ? ["mode"] : ["axis", "temperature", "use_length"],
      ignored: isActivation ? [] : ["dtype"])
    try expectInputs(node, 1...1)
    if isActivation {
      _ = try attributes.choice("mode", "instance")
    } else {
      _ = try attributes.integer("axis", default: -1, in: -1...1)
      _ = try attributes.choice("axis", "-1", "1")
      guard try attributes.number("temperature", default: 1) == 1 else {
        throw attributes.fault("temperature", expected: "1")
      }
      guard try !attributes.flag("use_length", default: false) else {
        throw attributes.fault("use_length", expected: "False")
      }
    }
    return try addFlat(.softmax, node, input)
  }

  /// Appends an operation that is implemented for one row of numbers only.
  private mutating func addFlat(_ operation: Operation, _ node: Symbol.Node, _ input: Int) throws(ModelError)
    -> Int
  {
    let shape = nodes[input].shape
    guard shape.count == 1 else {
      throw fault(
        node, "its input is \(shown(shape)); one row of numbers, as Flatten gives, is expected")
    }
    return try add(operation, node, [input], shape: shape)
  }
}

extension GraphBuilder {
  /// The largest kernel, stride or padding: far above those of real networks, far below where sums overflow.
  private static let largestExtent = 1 << 12
  /// The most filters of a convolution, or outputs of a dense layer.
  private static let largestCount = 1 << 24

  mutating func convolution(_ node: Symbol.Node, _ input: Int) throws(ModelError) -> Int {
    let attributes = try attributes(
      node, ["kernel", "stride", "dilate", "pad", "num_filter", "num_group", "no_bias", "layout"],
      ignored: ["workspace", "cudnn_tune", "cudnn_off"])
    let planes = try planes(node, input)
    let kernel = try attributes.extent("kernel", in: 1...Self.largestExtent)
    let stride = try attributes.extent("stride", default: 1, in: 1...Self.largestExtent)
    let padding = try attributes.extent("pad", default: 0, in: 0...Self.largestExtent)
    // Dilation changes nothing along a side where the kernel is 1.
    let dilation = try attributes.extent("dilate", default: 1, in: 1...Self.largestExtent)
    guard dilation.rows == 1 || kernel.rows == 1, dilation.columns == 1 || kernel.columns == 1 else {
      throw attributes.fault("dilate", expected: "(1, 1)")
    }
    _ = try attributes.integer("num_group", default: 1, in: 1...1)
    _ = try attributes.choice("layout", "NCHW")
    let filters = try attributes.integer("num_filter", in: 1...Self.largestCount)
    let hasBias = try !attributes.flag("no_bias", default: false)
    try expectInputs(node, hasBias ? 3...3 : 2...2)
    let convolution = Convolution(
      filters: filters, kernel: kernel, stride: stride, padding: padding,
      weight: try parameter(node, 1, "weight"), bias: hasBias ? try parameter(node, 2, "bias") : nil)
    return try add(
      .convolution(convolution), node, [input],
      shape: [
        filters,
        try windowCount(node, planes[1], kernel.rows, stride.rows, padding.rows),
        try windowCount(node, planes[2], kernel.columns, stride.columns, padding.columns),
      ])
  }

  mutating func batchNorm(_ node: Symbol.Node, _ input: Int) throws(ModelError) -> Int {
    let attributes = try attributes(
      node, ["eps", "fix_gamma", "axis", "momentum"],
      ignored: [
        "use_global_stats", "output_mean_var", "cudnn_off", "min_calib_range", "max_calib_range",
      ])
    _ = try attributes.choice("axis", "1")
    // Up to MXNet 0.8 the moving statistics are not inputs; they go by these names.
    let hasNamedStatistics = node.inputs.count == 3
    try expectInputs(node, hasNamedStatistics ? 3...3 : 5...5)
    let isFixed = try attributes.flag("fix_gamma", default: true)
    let gamma = try parameter(node, 1, "gamma")
    let norm = BatchNorm(
      epsilon: try attributes.number("eps", default: 1e-3), gamma: isFixed ? nil : gamma,
      beta: try parameter(node, 2, "beta"),
      mean: hasNamedStatistics ? node.name + "_moving_mean" : try parameter(node, 3, "moving mean"),
      variance: hasNamedStatistics ? node.name + "_moving_var" : try parameter(node, 4, "moving variance"),
      momentum: try attributes.number("momentum", default: 0.9))
    return try add(.batchNorm(norm), node, [input], shape: try planes(node, input))
  }

  mutating func pooling(_ node: Symbol.Node, _ input: Int) throws(ModelError) -> Int {
    let attributes = try attributes(
      node,
      [
        "kernel", "stride", "pad", "pool_type", "global_pool", "pooling_convention", "count_include_pad",
        "layout",
      ], ignored: ["p_value", "cudnn_off"])
    try expectInputs(node, 1...1)
    let planes = try planes(node, input)
    let kind: Pooling.Kind =
      try attributes.choice("pool_type", "max", "avg") == "max"
      ? .maximum : .average(countsPadding: try attributes.flag("count_include_pad", default: true))
    let roundsUp = try attributes.choice("pooling_convention", "valid", "full") == "full"
    _ = try attributes.choice("layout", "NCHW")
    if try attributes.flag("global_pool", default: false) {
      let none = Extent(rows: 0, columns: 0)
      let one = Extent(rows: 1, columns: 1)
      let whole = Extent(rows: planes[1], columns: planes[2])
      let pooling = Pooling(
        kind: kind, kernel: whole, stride: one, padding: none, roundsUp: false, isGlobal: true)
      return try add(.pooling(pooling), node, [input], shape: [planes[0], 1, 1])
    }
    let kernel = try attributes.extent("kernel", in: 1...Self.largestExtent)
    let stride = try attributes.extent("stride", default: 1, in: 1...Self.largestExtent)
    let padding = try attributes.extent("pad", default: 0, in: 0...Self.largestExtent)
    guard padding.rows < kernel.rows, padding.columns < kernel.columns else {
      throw attributes.fault("pad", expected: "less than the kernel")
    }
    let pooling = Pooling(
      kind: kind, kernel: kernel, stride: stride, padding: padding, roundsUp: roundsUp, isGlobal: false)
    return try add(
      .pooling(pooling), node, [input],
      shape: [
        planes[0],
        try windowCount(node, planes[1], kernel.rows, stride.rows, padding.rows, roundsUp),
        try windowCount(node, planes[2], kernel.columns, stride.columns, padding.columns, roundsUp),
      ])
  }

  mutating func dense(_ node: Symbol.Node, _ input: Int) throws(ModelError) -> Int {
    let attributes = try attributes(node, ["num_hidden", "no_bias", "flatten"])
    let outputs = try attributes.integer("num_hidden", in: 1...Self.largestCount)
    let hasBias = try !attributes.flag("no_bias", default: false)
    try expectInputs(node, hasBias ? 3...3 : 2...2)
    guard try attributes.flag("flatten", default: true) || nodes[input].shape.count == 1 else {
      throw attributes.fault("flatten", expected: "True, as its input is not one row of numbers,")
    }
    let dense = Dense(
      outputs: outputs, weight: try parameter(node, 1, "weight"),
      bias: hasBias ? try parameter(node, 2, "bias") : nil)
    return try add(.dense(dense), node, [try flatten(node, input)], shape: [outputs])
  }

  private func planes(_ node: Symbol.Node, _ input: Int) throws(ModelError) -> [Int] {
    let shape = nodes[input].shape
    guard shape.count == 3 else {
      throw fault(node, "its input is \(shown(shape)); channels, height and width are expected")
    }
    return shape
  }

  /// The number of windows along one side.
  private func windowCount(
    _ node: Symbol.Node, _ size: Int, _ kernel: Int, _ stride: Int, _ padding: Int, _ roundsUp: Bool = false
  ) throws(ModelError) -> Int {
    let room = size + 2 * padding - kernel
    guard room >= 0 else {
      throw fault(
        node,
        "its kernel of \(kernel) is larger than its input of \(size) with a padding of \(padding) on each side"
      )
    }
    let count = (roundsUp ? (room + stride - 1) / stride : room / stride) + 1
    guard !roundsUp || (count - 1) * stride - padding < size else {
      throw fault(node, "its last window lies beyond its input of \(size)")
    }
    return count
  }
}

/// The attributes of one node, parsed as MXNet parses them (dmlc/parameter.h, mxnet/tuple.h). A value that is not
/// implemented is refused by name.
struct Attributes {
  private let node: Symbol.Node
  private let label: String

  /// - Parameters:
  ///   - known: the operator's attributes that change what is computed.
  ///   - ignored: those that change nothing at inference.
  /// - Throws: where the node has any other attribute. Those that any node may have (`__name__`, learning rates, devices)
  ///   are ignored.
  init(_ node: Symbol.Node, label: String, known: Set<String>, ignored: Set<String> = []) throws(ModelError) {
    self.node = node
    self.label = label
    for key in node.attributes.keys.sorted() {
      guard !known.contains(key), !ignored.contains(key), !isCommonAttribute(key) else { continue }
      throw fault("the attribute \(shown(key)) is not known")
    }
  }

  func fault(_ sentence: String) -> ModelError {
    ModelError("\(label): node \(shown(node.name)) (\(shown(node.operation))): \(sentence)")
  }

  func fault(_ key: String, expected: String) -> ModelError {
    guard let text = node.attributes[key] else {
      return fault("\(key) is missing; \(expected) is expected")
    }
    return fault("\(key) is \(shown(text)); \(expected) is expected")
  }

  /// The attribute's text; nil where it is missing, or is Python's None.
  func text(_ key: String) -> String? {
    guard let text = node.attributes[key], text != "None" else { return nil }
    return text
  }

  /// - Parameter fallback: the value of a missing attribute; nil makes the attribute required.
  func integer(_ key: String, default fallback: Int? = nil, in range: ClosedRange<Int>) throws(ModelError)
    -> Int
  {
    guard let text = text(key) else {
      if let fallback { return fallback }
      throw fault(key, expected: "a whole number")
    }
    guard let value = Int(trimmed(text)), range.contains(value) else {
      throw fault(
        key,
        expected: range.count == 1
          ? "\(range.lowerBound)" : "a whole number from \(range.lowerBound) to \(range.upperBound)")
    }
    return value
  }

  func flag(_ key: String, default fallback: Bool) throws(ModelError) -> Bool {
    guard let text = text(key) else { return fallback }
    switch trimmed(text).lowercased() {
    case "true", "1": return true
    case "false", "0": return false
    default: throw fault(key, expected: "True or False")
    }
  }

  func number(_ key: String, default fallback: Double) throws(ModelError) -> Double {
    guard let text = text(key) else { return fallback }
    guard let value = Double(trimmed(text)), value.isFinite, value >= 0 else {
      throw fault(key, expected: "a number, 0 or more,")
    }
    return value
  }

  /// A pair of numbers: rows and columns.
  func extent(_ key: String, default fallback: Int? = nil, in range: ClosedRange<Int>) throws(ModelError)
    -> Extent
  {
    let expected =
      range.count == 1
      ? "(\(range.lowerBound), \(range.lowerBound))"
      : "a pair of numbers from \(range.lowerBound) to \(range.upperBound)"
    let tuple = text(key).map { parseTuple($0) ?? [0] } ?? []
    if tuple.isEmpty, let fallback { return Extent(rows: fallback, columns: fallback) }
    guard tuple.count == 2, tuple.allSatisfy(range.contains) else { throw fault(key, expected: expected) }
    return Extent(rows: tuple[0], columns: tuple[1])
  }

  /// - Parameter allowed: the values that are implemented; the first is that of a missing attribute.
  func choice(_ key: String, _ allowed: String...) throws(ModelError) -> String {
    guard let text = text(key) else { return allowed[0] }
    guard allowed.contains(text) else { throw fault(key, expected: allowed.joined(separator: " or ")) }
    return text
  }
}

/// Whether any node may have this attribute: MXNet's hidden ones, also as older versions write them.
private func isCommonAttribute(_ key: String) -> Bool {
  (key.hasPrefix("__") && key.hasSuffix("__") && key.utf8.count > 4)
    || ["ctx_group", "lr_mult", "wd_mult", "force_mirroring", "mirror_stage"].contains {
      key == $0 || key.hasSuffix("_" + $0)
    }
}

/// Parses a tuple of integers as Python writes it: "(3, 3)", "(3,3)", "[3, 3]", "(3L, 3L)", "(3,)", "3", "()".
///
/// - Returns: nil where the text is none.
func parseTuple(_ text: String) -> [Int]? {
  var body = trimmed(text)[...]
  if let first = body.first, first == "(" || first == "[" {
    guard body.count >= 2, body.last == (first == "(" ? ")" : "]") else { return nil }
    body = body.dropFirst().dropLast()
  } else if body.isEmpty {
    return nil
  }
  var parts = body.split(separator: ",", omittingEmptySubsequences: false).map { trimmed(String($0)) }
  if parts.last == "" { parts.removeLast() }
  guard parts.count <= 32 else { return nil }
  var numbers: [Int] = []
  for part in parts {
    // Python 2 writes long integers with an L.
    guard let number = Int(part.hasSuffix("L") ? String(part.dropLast()) : part) else { return nil }
    numbers.append(number)
  }
  return numbers
}

private func trimmed(_ text: String) -> String {
  let blanks: (Character) -> Bool = { $0 == " " || $0 == "\t" || $0 == "\n" || $0 == "\r" }
  guard let last = text.lastIndex(where: { !blanks($0) }) else { return "" }
  return String(text[...last].drop(while: blanks))
}
