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
