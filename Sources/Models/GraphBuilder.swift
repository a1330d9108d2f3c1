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

extension GraphBuilder {
  /// Adds what a node of the symbol computes; returns the place of its output, which is an older node's where the node
  /// changes nothing.
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
        "num_args", standard: inputs.count, in: 1...Symbol.largestNodeCount)
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
      try checkPassing(node)
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

  /// Operators whose output is their input at inference.
  private func checkPassing(_ node: Symbol.Node) throws(ModelError) {
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

  /// The sum of one input or more, two at a time from the first on.
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

  /// Only what makes one row of each image.
  private mutating func reshape(_ node: Symbol.Node, _ input: Int) throws(ModelError) -> Int {
    let attributes = try attributes(node, ["shape", "reverse"])
    try expectInputs(node, 1...1)
    let count = nodes[input].shape.reduce(1, *)
    let isReversed = try attributes.flag("reverse", standard: false)
    guard let shape = attributes.text("shape").flatMap(parseTuple), !isReversed,
      [[0, -1], [0, count], [-1, count]].contains(shape)
    else { throw attributes.fault("shape", expected: "(0, -1), which flattens,") }
    return try flatten(node, input)
  }

  /// MXNet's softmax over all numbers of an image, or over the channels of each pixel.
  private mutating func softmaxOutput(_ node: Symbol.Node, _ input: Int) throws(ModelError) -> Int {
    let attributes = try attributes(
      node, ["multi_output", "preserve_shape"],
      ignored: [
        "grad_scale", "ignore_label", "use_ignore", "normalization", "out_grad", "smooth_alpha",
      ])
    try expectInputs(node, 1...2)
    for key in ["multi_output", "preserve_shape"]
    where try attributes.flag(key, standard: false) && nodes[input].shape.count > 1 {
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
      _ = try attributes.integer("axis", standard: -1, in: -1...1)
      _ = try attributes.choice("axis", "-1", "1")
      guard try attributes.number("temperature", standard: 1) == 1 else {
        throw attributes.fault("temperature", expected: "1")
      }
      guard try !attributes.flag("use_length", standard: false) else {
        throw attributes.fault("use_length", expected: "False")
      }
    }
    return try addFlat(.softmax, node, input)
  }

  /// Adds what is known of one row of numbers only.
  private mutating func addFlat(_ operation: Operation, _ node: Symbol.Node, _ input: Int) throws(ModelError)
    -> Int
  {
    let shape = nodes[input].shape
    guard shape.count == 1 else {
      throw fault(
        node, "its input is \(shown(shape)); one row of numbers is expected: Flatten comes before it")
    }
    return try add(operation, node, [input], shape: shape)
  }
}

extension GraphBuilder {
  /// Kernels, strides and margins: far above what networks have, far below where sums overflow.
  private static let largestExtent = 1 << 12
  private static let largestCount = 1 << 24

  mutating func convolution(_ node: Symbol.Node, _ input: Int) throws(ModelError) -> Int {
    let attributes = try attributes(
      node, ["kernel", "stride", "dilate", "pad", "num_filter", "num_group", "no_bias", "layout"],
      ignored: ["workspace", "cudnn_tune", "cudnn_off"])
    let planes = try planes(node, input)
    let kernel = try attributes.extent("kernel", in: 1...Self.largestExtent)
    let stride = try attributes.extent("stride", standard: 1, in: 1...Self.largestExtent)
    let padding = try attributes.extent("pad", standard: 0, in: 0...Self.largestExtent)
    // A kernel of one number has no gaps.
    let dilation = try attributes.extent("dilate", standard: 1, in: 1...Self.largestExtent)
    guard dilation.rows == 1 || kernel.rows == 1, dilation.columns == 1 || kernel.columns == 1 else {
      throw attributes.fault("dilate", expected: "(1, 1)")
    }
    _ = try attributes.integer("num_group", standard: 1, in: 1...1)
    _ = try attributes.choice("layout", "NCHW")
    let filters = try attributes.integer("num_filter", in: 1...Self.largestCount)
    let hasBias = try !attributes.flag("no_bias", standard: false)
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
    // Up to 0.8 the moving statistics are no inputs; MXNet gives them these names.
    let areNamed = node.inputs.count == 3
    try expectInputs(node, areNamed ? 3...3 : 5...5)
    let isFixed = try attributes.flag("fix_gamma", standard: true)
    let gamma = try parameter(node, 1, "gamma")
    let norm = BatchNorm(
      epsilon: try attributes.number("eps", standard: 1e-3), gamma: isFixed ? nil : gamma,
      beta: try parameter(node, 2, "beta"),
      mean: areNamed ? node.name + "_moving_mean" : try parameter(node, 3, "moving mean"),
      variance: areNamed ? node.name + "_moving_var" : try parameter(node, 4, "moving variance"),
      momentum: try attributes.number("momentum", standard: 0.9))
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
      ? .maximum : .average(countsPadding: try attributes.flag("count_include_pad", standard: true))
    let roundsUp = try attributes.choice("pooling_convention", "valid", "full") == "full"
    _ = try attributes.choice("layout", "NCHW")
    if try attributes.flag("global_pool", standard: false) {
      let none = Extent(rows: 0, columns: 0)
      let one = Extent(rows: 1, columns: 1)
      let whole = Extent(rows: planes[1], columns: planes[2])
      let pooling = Pooling(
        kind: kind, kernel: whole, stride: one, padding: none, roundsUp: false, isGlobal: true)
      return try add(.pooling(pooling), node, [input], shape: [planes[0], 1, 1])
    }
    let kernel = try attributes.extent("kernel", in: 1...Self.largestExtent)
    let stride = try attributes.extent("stride", standard: 1, in: 1...Self.largestExtent)
    let padding = try attributes.extent("pad", standard: 0, in: 0...Self.largestExtent)
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
    let hasBias = try !attributes.flag("no_bias", standard: false)
    try expectInputs(node, hasBias ? 3...3 : 2...2)
    guard try attributes.flag("flatten", standard: true) || nodes[input].shape.count == 1 else {
      throw attributes.fault("flatten", expected: "True, as its input is no row of numbers,")
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

  /// How many windows there are along one side.
  private func windowCount(
    _ node: Symbol.Node, _ size: Int, _ kernel: Int, _ stride: Int, _ padding: Int, _ roundsUp: Bool = false
  ) throws(ModelError) -> Int {
    let room = size + 2 * padding - kernel
    guard room >= 0 else {
      throw fault(
        node,
        "its kernel of \(kernel) is larger than its input, which has \(size) there and margins of \(padding)")
    }
    let count = (roundsUp ? (room + stride - 1) / stride : room / stride) + 1
    guard !roundsUp || (count - 1) * stride - padding < size else {
      throw fault(node, "its last window lies beyond its input, which has \(size) there")
    }
    return count
  }
}

/// The attributes of one node, read as MXNet reads them (dmlc/parameter.h, mxnet/tuple.h), but with every value that
/// cannot be computed here refused by name.
struct Attributes {
  private let node: Symbol.Node
  private let label: String

  /// - Parameters:
  ///   - known: the operator's attributes that have a say.
  ///   - ignored: those that change nothing at inference.
  /// - Throws: where the node has another one. Those of all nodes (`__name__`, learning rates, devices) are ignored.
  init(_ node: Symbol.Node, label: String, known: Set<String>, ignored: Set<String> = []) throws(ModelError) {
    self.node = node
    self.label = label
    for key in node.attributes.keys.sorted() {
      guard !known.contains(key), !ignored.contains(key), !isOfAnyNode(key) else { continue }
      throw fault("the attribute \(shown(key)) is not known")
    }
  }

  func fault(_ sentence: String) -> ModelError {
    ModelError("\(label): node \(shown(node.name)) (\(shown(node.operation))): \(sentence)")
  }

  func fault(_ key: String, expected: String) -> ModelError {
    guard let text = node.attributes[key] else {
      return fault("\(key) is not there; \(expected) is expected")
    }
    return fault("\(key) is \(shown(text)); \(expected) is expected")
  }

  /// nil where it is not there, or is Python's None.
  func text(_ key: String) -> String? {
    guard let text = node.attributes[key], text != "None" else { return nil }
    return text
  }

  /// - Parameter standard: the value of an attribute that is not there; nil: it must be there.
  func integer(_ key: String, standard: Int? = nil, in range: ClosedRange<Int>) throws(ModelError) -> Int {
    guard let text = text(key) else {
      if let standard { return standard }
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

  func flag(_ key: String, standard: Bool) throws(ModelError) -> Bool {
    guard let text = text(key) else { return standard }
    switch trimmed(text).lowercased() {
    case "true", "1": return true
    case "false", "0": return false
    default: throw fault(key, expected: "True or False")
    }
  }

  func number(_ key: String, standard: Double) throws(ModelError) -> Double {
    guard let text = text(key) else { return standard }
    guard let value = Double(trimmed(text)), value.isFinite, value >= 0 else {
      throw fault(key, expected: "a number, 0 or more,")
    }
    return value
  }

  /// Rows and columns.
  func extent(_ key: String, standard: Int? = nil, in range: ClosedRange<Int>) throws(ModelError) -> Extent {
    let expected =
      range.count == 1
      ? "(\(range.lowerBound), \(range.lowerBound))"
      : "a pair of numbers from \(range.lowerBound) to \(range.upperBound)"
    let tuple = text(key).map { parseTuple($0) ?? [0] } ?? []
    if tuple.isEmpty, let standard { return Extent(rows: standard, columns: standard) }
    guard tuple.count == 2, tuple.allSatisfy(range.contains) else { throw fault(key, expected: expected) }
    return Extent(rows: tuple[0], columns: tuple[1])
  }

  /// - Parameter allowed: what can be computed here; the first is the value of an attribute that is not there.
  func choice(_ key: String, _ allowed: String...) throws(ModelError) -> String {
    guard let text = text(key) else { return allowed[0] }
    guard allowed.contains(text) else { throw fault(key, expected: allowed.joined(separator: " or ")) }
    return text
  }
}

/// Whether every node may have this attribute: MXNet's hidden ones, also as older versions wrote them.
private func isOfAnyNode(_ key: String) -> Bool {
  (key.hasPrefix("__") && key.hasSuffix("__") && key.utf8.count > 4)
    || ["ctx_group", "lr_mult", "wd_mult", "force_mirroring", "mirror_stage"].contains {
      key == $0 || key.hasSuffix("_" + $0)
    }
}

/// "(3, 3)", "(3,3)", "[3, 3]", "(3L, 3L)", "(3,)", "3"; empty for "()". nil for what is no such thing.
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
    // Python 2 wrote long integers so.
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
