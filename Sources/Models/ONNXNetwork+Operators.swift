extension ONNXNetwork {
  /// Adds what a node computes to the symbol. Shapes are checked when the symbol becomes a graph.
  mutating func convert(_ node: ONNXFile.Node) throws(ModelError) {
    switch node.operation {
    case "Conv": try convolution(node)
    case "BatchNormalization": try batchNorm(node)
    case "Relu": try function(node, "Activation", ["act_type": "relu"])
    case "Sigmoid": try function(node, "sigmoid", [:])
    case "MaxPool": try maxPool(node)
    case "AveragePool": try averagePool(node)
    case "GlobalMaxPool": try function(node, "Pooling", ["global_pool": "True", "pool_type": "max"])
    case "GlobalAveragePool": try function(node, "Pooling", ["global_pool": "True", "pool_type": "avg"])
    case "ReduceMean": try mean(node)
    case "Add", "Sum": try sum(node)
    case "Flatten":
      _ = try attributes(node, ["axis"]).integer("axis", standard: 1, 1)
      try give(node, "Flatten", [:], [try value(node, try inputs(node, 1...1)[0])])
    case "Reshape": try reshape(node)
    case "Gemm": try gemm(node)
    case "MatMul": try product(node)
    case "Softmax":
      let axis = try attributes(node, ["axis"]).integer("axis", standard: -1, -1, 1)
      try give(node, "softmax", ["axis": "\(axis)"], [try value(node, try inputs(node, 1...1)[0])])
    case "Identity":
      _ = try attributes(node, [])
      try pass(node, try inputs(node, 1...1)[0])
    case "Dropout":
      _ = try attributes(node, ["ratio", "seed"])
      // A third input would say that this is training.
      try pass(node, try inputs(node, 1...2)[0])
    case "Cast":
      _ = try attributes(node, ["to", "saturate"]).integer("to", standard: 1, 1, 10, 11)
      try pass(node, try inputs(node, 1...1)[0])
    case "Constant": try constant(node)
    default: throw fault(node, "this operator is not implemented; those of ResNets are")
    }
  }

  private mutating func function(
    _ node: ONNXFile.Node, _ operation: String, _ values: [String: String]
  ) throws(ModelError) {
    _ = try attributes(node, [])
    try give(node, operation, values, [try value(node, try inputs(node, 1...1)[0])])
  }

  /// The output is the input; also of arrays, which PyTorch shares so.
  private mutating func pass(_ node: ONNXFile.Node, _ input: String) throws(ModelError) {
    if isConstant(input) {
      try give(node, try constant(node, input))
    } else {
      try give(node, try value(node, input))
    }
  }

  private mutating func constant(_ node: ONNXFile.Node) throws(ModelError) {
    _ = try inputs(node, 0...0)
    guard case .array(let array) = node.attributes["value"], node.attributes.count == 1 else {
      throw fault(node, "it has no array as its value")
    }
    try give(node, ONNXFile.Array(name: "", shape: array.shape, content: array.content))
  }

  private mutating func convolution(_ node: ONNXFile.Node) throws(ModelError) {
    let attributes = try attributes(
      node, ["auto_pad", "dilations", "group", "kernel_shape", "pads", "strides"])
    let inputs = try inputs(node, 2...3)
    let shape = try constant(node, inputs[1]).shape
    guard shape.count == 4 else {
      throw fault(node, "its weights have the shape \(shown(shape)); four dimensions are expected")
    }
    if let kernel = try attributes.integers("kernel_shape"), kernel != Array(shape[2...]) {
      throw fault(node, "kernel_shape is \(kernel.prefix(8)), but its weights have the shape \(shown(shape))")
    }
    _ = try attributes.integer("group", standard: 1, 1)
    try attributes.expectOnes("dilations")
    var entries = [try value(node, inputs[0]), try variable(node, inputs[1], rank: 4)]
    if inputs.count > 2 { entries.append(try variable(node, inputs[2], rank: 1)) }
    try give(
      node, "Convolution",
      [
        "kernel": "(\(shape[2]), \(shape[3]))", "num_filter": "\(shape[0])",
        "no_bias": inputs.count > 2 ? "False" : "True", "pad": try attributes.padding(),
        "stride": try attributes.extent("strides", standard: "(1, 1)"),
      ], entries)
  }

  private mutating func batchNorm(_ node: ONNXFile.Node) throws(ModelError) {
    let attributes = try attributes(node, ["epsilon", "momentum", "spatial", "training_mode"])
    _ = try attributes.integer("spatial", standard: 1, 1)
    _ = try attributes.integer("training_mode", standard: 0, 0)
    let inputs = try inputs(node, 5...5)
    let image = try value(node, inputs[0])
    noteNormalization(of: image)
    var entries = [image]
    for name in inputs.dropFirst() { entries.append(try variable(node, name, rank: 1)) }
    try give(
      node, "BatchNorm",
      ["eps": "\(try attributes.number("epsilon", standard: 1e-5))", "fix_gamma": "False"], entries)
  }

  private mutating func maxPool(_ node: ONNXFile.Node) throws(ModelError) {
    let attributes = try attributes(
      node, ["auto_pad", "ceil_mode", "dilations", "kernel_shape", "pads", "storage_order", "strides"])
    // It says in which order the places of the maxima would be counted.
    _ = try attributes.integer("storage_order", standard: 0, 0, 1)
    try pool(node, attributes, ["pool_type": "max"])
  }

  private mutating func averagePool(_ node: ONNXFile.Node) throws(ModelError) {
    let attributes = try attributes(
      node, ["auto_pad", "ceil_mode", "count_include_pad", "dilations", "kernel_shape", "pads", "strides"])
    let counts = try attributes.integer("count_include_pad", standard: 0, 0, 1) == 1
    try pool(node, attributes, ["pool_type": "avg", "count_include_pad": counts ? "True" : "False"])
  }

  private mutating func pool(
    _ node: ONNXFile.Node, _ attributes: ONNXAttributes, _ kind: [String: String]
  ) throws(ModelError) {
    try attributes.expectOnes("dilations")
    var values = kind
    values["kernel"] = try attributes.extent("kernel_shape")
    values["stride"] = try attributes.extent("strides", standard: "(1, 1)")
    values["pad"] = try attributes.padding()
    values["pooling_convention"] =
      try attributes.integer("ceil_mode", standard: 0, 0, 1) == 1 ? "full" : "valid"
    try give(node, "Pooling", values, [try value(node, try inputs(node, 1...1)[0])])
  }

  /// Of each plane: a global average.
  private mutating func mean(_ node: ONNXFile.Node) throws(ModelError) {
    let attributes = try attributes(node, ["axes", "keepdims", "noop_with_empty_axes"])
    let inputs = try inputs(node, 1...2)
    let listed = inputs.count > 1 ? try integers(node, inputs[1]) : try attributes.integers("axes") ?? []
    guard listed.count == 2, Set(listed.map { $0 == -1 || $0 == -2 ? $0 + 4 : $0 }) == [2, 3] else {
      throw fault(node, "its axes are \(listed.prefix(8)); [2, 3], height and width, is expected")
    }
    let average = ["global_pool": "True", "pool_type": "avg"]
    let image = try value(node, inputs[0])
    guard try attributes.integer("keepdims", standard: 1, 0, 1) == 0 else {
      return try give(node, "Pooling", average, [image])
    }
    try give(node, "Flatten", [:], [add("Pooling", node.name, average, [image])])
  }

  /// Of two branches; or of a product and its bias, which is a layer with a bias then.
  private mutating func sum(_ node: ONNXFile.Node) throws(ModelError) {
    _ = try attributes(node, [])
    let inputs = try inputs(node, 2...2)
    guard let bias = inputs.first(where: isConstant), let other = inputs.first(where: { !isConstant($0) })
    else {
      return try give(node, "elemwise_add", [:], [try value(node, inputs[0]), try value(node, inputs[1])])
    }
    let layer = self.node(of: try value(node, other))
    guard layer.operation == "FullyConnected", layer.inputs.count == 2 else {
      throw fault(node, "it adds the array \(shown(bias)); that is known of the bias of a MatMul only")
    }
    try give(
      node, "FullyConnected", layer.attributes.merging(["no_bias": "False"]) { _, new in new },
      layer.inputs + [try variable(node, bias, rank: 1)])
  }

  /// Only what makes one row of each image.
  private mutating func reshape(_ node: ONNXFile.Node) throws(ModelError) {
    _ = try attributes(node, ["allowzero"]).integer("allowzero", standard: 0, 0)
    let inputs = try inputs(node, 2...2)
    var shape = try integers(node, inputs[1])
    // One batch size is as good as any other.
    if let batch, shape.first == batch { shape[0] = 0 }
    try give(
      node, "Reshape", ["shape": "(\(shape.map(String.init).joined(separator: ", ")))"],
      [try value(node, inputs[0])])
  }

  private mutating func gemm(_ node: ONNXFile.Node) throws(ModelError) {
    let attributes = try attributes(node, ["alpha", "beta", "transA", "transB"])
    try attributes.expectOne("alpha")
    try attributes.expectOne("beta")
    _ = try attributes.integer("transA", standard: 0, 0)
    let isTransposed = try attributes.integer("transB", standard: 0, 0, 1) == 0
    let inputs = try inputs(node, 2...3)
    try dense(node, inputs, isTransposed: isTransposed)
  }

  private mutating func product(_ node: ONNXFile.Node) throws(ModelError) {
    _ = try attributes(node, [])
    try dense(node, try inputs(node, 2...2), isTransposed: true)
  }

  private mutating func dense(
    _ node: ONNXFile.Node, _ inputs: [String], isTransposed: Bool
  ) throws(ModelError) {
    let image = try value(node, inputs[0])
    var entries = [image, try variable(node, inputs[1], rank: 2, isTransposed: isTransposed)]
    if inputs.count > 2 { entries.append(try variable(node, inputs[2], rank: 1)) }
    let shape = try constant(node, inputs[1]).shape
    // Its input is a row: what has planes is flattened by an operator of its own.
    try give(
      node, "FullyConnected",
      [
        "num_hidden": "\(shape[isTransposed ? 1 : 0])", "no_bias": inputs.count > 2 ? "False" : "True",
        "flatten": "False",
      ], entries)
  }
}
