extension ONNXNetwork {
  /// Appends what a node computes to the symbol. Shapes are checked when the symbol becomes a graph.
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
    case "Add" where !isArithmetic(node), "Sum": try sum(node)
    case "Flatten": try flatten(node)
    case "Squeeze" where !isArithmetic(node): try squeeze(node)
    case "Reshape": try reshape(node)
    case "Gemm": try gemm(node)
    case "MatMul": try product(node)
    case "Softmax":
      let image = try value(node, try inputs(node, 1...1)[0])
      let rank = try shape(node, of: image).count + 1
      _ = try attributes(node, ["axis"]).integer("axis", default: -1, 1, 1 - rank)
      try emit(node, "softmax", [:], [image])
    case "Identity":
      _ = try attributes(node, [])
      try pass(node, try inputs(node, 1...1)[0])
    case "Dropout":
      _ = try attributes(node, ["ratio", "seed"])
      let inputs = try inputs(node, 1...3)
      if inputs.count > 2, try integers(node, inputs[2]) != [0] {
        throw fault(node, "its input \(shown(inputs[2])) turns training on")
      }
      try pass(node, inputs[0])
    case "Cast" where !isArithmetic(node):
      _ = try attributes(node, ["to", "saturate"]).integer("to", default: 1, 1, 10, 11)
      try pass(node, try inputs(node, 1...1)[0])
    case "Constant": try constant(node)
    case "QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear", "QLinearConv", "QLinearMatMul",
      "ConvInteger", "MatMulInteger":
      throw fault(node, "this is a quantized ONNX graph; one in single precision is expected")
    default:
      guard isArithmetic(node) else {
        throw fault(node, "this operator is not implemented; those of ResNets are")
      }
      try computeIntegers(node)
    }
  }

  private mutating func function(
    _ node: ONNXFile.Node, _ operation: String, _ values: [String: String]
  ) throws(ModelError) {
    _ = try attributes(node, [])
    try emit(node, operation, values, [try value(node, try inputs(node, 1...1)[0])])
  }

  /// Makes the input the output; PyTorch shares arrays between layers this way, too.
  private mutating func pass(_ node: ONNXFile.Node, _ input: String) throws(ModelError) {
    if isConstant(input) {
      try emit(node, try constant(node, input))
    } else {
      try emit(node, try value(node, input))
    }
  }

  private mutating func constant(_ node: ONNXFile.Node) throws(ModelError) {
    _ = try inputs(node, 0...0)
    guard node.attributes.count == 1, let value = node.attributes.first else {
      throw fault(node, "it has \(node.attributes.count) values; one is expected")
    }
    switch (value.key, value.value) {
    case ("value", .array(let array)):
      try emit(node, ONNXFile.Array(name: "", shape: array.shape, content: array.content))
    case ("value_int", .integer(let number)): try emitIntegers(node, [number], isScalar: true)
    case ("value_ints", .integers(let numbers)): try emitIntegers(node, numbers, isScalar: false)
    default: throw fault(node, "its value is not an array")
    }
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
    _ = try attributes.integer("group", default: 1, 1)
    try attributes.expectNoDilation(kernel: Array(shape[2...]))
    let image = try value(node, inputs[0])
    let padding = try padding(node, attributes, kernel: Array(shape[2...]), image)
    var entries = [image, try variable(node, inputs[1], rank: 4)]
    if inputs.count > 2 { entries.append(try variable(node, inputs[2], rank: 1)) }
    try emit(
      node, "Convolution",
      [
        "kernel": "(\(shape[2]), \(shape[3]))", "num_filter": "\(shape[0])",
        "no_bias": inputs.count > 2 ? "False" : "True", "pad": padding,
        "stride": try attributes.extent("strides", default: "(1, 1)"),
      ], entries)
  }

  private mutating func batchNorm(_ node: ONNXFile.Node) throws(ModelError) {
    let attributes = try attributes(node, ["epsilon", "momentum", "spatial", "training_mode"])
    _ = try attributes.integer("spatial", default: 1, 1)
    _ = try attributes.integer("training_mode", default: 0, 0)
    let inputs = try inputs(node, 5...5)
    let image = try value(node, inputs[0])
    noteNormalization(of: image)
    var entries = [image]
    for name in inputs.dropFirst() { entries.append(try variable(node, name, rank: 1)) }
    try emit(
      node, "BatchNorm",
      ["eps": "\(try attributes.number("epsilon", default: 1e-5))", "fix_gamma": "False"], entries)
  }

  private mutating func maxPool(_ node: ONNXFile.Node) throws(ModelError) {
    let attributes = try attributes(
      node, ["auto_pad", "ceil_mode", "dilations", "kernel_shape", "pads", "storage_order", "strides"])
    // It is about the indices of the maxima, which are not computed.
    _ = try attributes.integer("storage_order", default: 0, 0, 1)
    try pool(node, attributes, ["pool_type": "max"])
  }

  private mutating func averagePool(_ node: ONNXFile.Node) throws(ModelError) {
    let attributes = try attributes(
      node, ["auto_pad", "ceil_mode", "count_include_pad", "dilations", "kernel_shape", "pads", "strides"])
    let counts = try attributes.integer("count_include_pad", default: 0, 0, 1) == 1
    try pool(node, attributes, ["pool_type": "avg", "count_include_pad": counts ? "True" : "False"])
  }

  private mutating func pool(
    _ node: ONNXFile.Node, _ attributes: ONNXAttributes, _ kind: [String: String]
  ) throws(ModelError) {
    var values = kind
    values["kernel"] = try attributes.extent("kernel_shape")
    let kernel = try attributes.integers("kernel_shape") ?? []
    try attributes.expectNoDilation(kernel: kernel)
    values["stride"] = try attributes.extent("strides", default: "(1, 1)")
    let roundsUp = try attributes.integer("ceil_mode", default: 0, 0, 1) == 1
    let image = try value(node, try inputs(node, 1...1)[0])
    values["pad"] = try padding(node, attributes, kernel: kernel, image, roundsUp: roundsUp)
    values["pooling_convention"] = roundsUp ? "full" : "valid"
    try emit(node, "Pooling", values, [image])
  }

  /// The padding as a symbol has it, the same on opposite sides. Where the file has more below or on the right, it must
  /// not make for another window.
  private mutating func padding(
    _ node: ONNXFile.Node, _ attributes: ONNXAttributes, kernel: [Int], _ image: Symbol.Entry,
    roundsUp: Bool = false
  ) throws(ModelError) -> String {
    let padding = try attributes.padding()
    if case .explicit(let before, let after) = padding, before == after {
      return "(\(before[0]), \(before[1]))"
    }
    let planes = try shape(node, of: image)
    let strides = try attributes.integers("strides") ?? [1, 1]
    let largest = 1 << 12
    guard planes.count == 3, (kernel + strides).allSatisfy({ (1...largest).contains($0) }) else {
      throw attributes.fault(of: padding)
    }
    var margins: [Int] = []
    for (side, size) in planes.dropFirst().enumerated() {
      let (kernel, stride) = (kernel[side], strides[side])
      let (before, after): (Int, Int)
      switch padding {
      case .explicit(let first, let last): (before, after) = (first[side], last[side])
      case .same(let largerFirst):
        let windows = (size + stride - 1) / stride
        let total = max(0, (windows - 1) * stride + kernel - size)
        before = largerFirst ? total - total / 2 : total / 2
        after = total - before
      }
      guard (0...largest).contains(before), (0...largest).contains(after), !roundsUp || before == after,
        size + before + min(before, after) >= kernel,
        (size + 2 * before - kernel) / stride == (size + before + after - kernel) / stride
      else { throw attributes.fault(of: padding) }
      margins.append(before)
    }
    return "(\(margins[0]), \(margins[1]))"
  }

  /// The mean of each plane: global average pooling.
  private mutating func mean(_ node: ONNXFile.Node) throws(ModelError) {
    let attributes = try attributes(node, ["axes", "keepdims", "noop_with_empty_axes"])
    let inputs = try inputs(node, 1...2)
    let listed = inputs.count > 1 ? try integers(node, inputs[1]) : try attributes.integers("axes") ?? []
    guard listed.count == 2, Set(listed.map { $0 == -1 || $0 == -2 ? $0 + 4 : $0 }) == [2, 3] else {
      throw fault(node, "its axes are \(listed.prefix(8)); [2, 3], height and width, is expected")
    }
    let average = ["global_pool": "True", "pool_type": "avg"]
    let image = try value(node, inputs[0])
    guard try attributes.integer("keepdims", default: 1, 0, 1) == 0 else {
      return try emit(node, "Pooling", average, [image])
    }
    try emit(node, "Flatten", [:], [add("Pooling", node.name, average, [image])])
  }

  /// The sum of two branches, or that of a matrix product and its bias, which together are one dense layer.
  private mutating func sum(_ node: ONNXFile.Node) throws(ModelError) {
    _ = try attributes(node, [])
    let inputs = try inputs(node, node.operation == "Sum" ? 1...ONNXFile.largestInputCount : 2...2)
    guard inputs.count == 2 else {
      var total = try value(node, inputs[0])
      for input in inputs.dropFirst() {
        total = add("elemwise_add", node.name, [:], [total, try value(node, input)])
      }
      return try emit(node, total)
    }
    guard let bias = inputs.first(where: isConstant), let other = inputs.first(where: { !isConstant($0) })
    else {
      return try emit(node, "elemwise_add", [:], [try value(node, inputs[0]), try value(node, inputs[1])])
    }
    let layer = self.node(of: try value(node, other))
    guard layer.operation == "FullyConnected", layer.inputs.count == 2 else {
      throw fault(node, "it adds the array \(shown(bias)); only the bias of a MatMul may be one")
    }
    try emit(
      node, "FullyConnected", layer.attributes.merging(["no_bias": "False"]) { _, new in new },
      layer.inputs + [try variable(node, bias, rank: 1)])
  }

  private mutating func flatten(_ node: ONNXFile.Node) throws(ModelError) {
    let image = try value(node, try inputs(node, 1...1)[0])
    let rank = try shape(node, of: image).count + 1
    _ = try attributes(node, ["axis"]).integer("axis", default: 1, 1, 1 - rank)
    try emit(node, "Flatten", [:], [image])
  }

  /// Removes height and width where both are 1; a row of channels is left.
  private mutating func squeeze(_ node: ONNXFile.Node) throws(ModelError) {
    let attributes = try attributes(node, ["axes"])
    let inputs = try inputs(node, 1...2)
    let image = try value(node, inputs[0])
    let axes = inputs.count > 1 ? try integers(node, inputs[1]) : try attributes.integers("axes") ?? []
    let planes = try shape(node, of: image)
    guard planes.count == 3, axes.count == 2, Set(axes.map { $0 < 0 ? $0 &+ 4 : $0 }) == [2, 3],
      planes.dropFirst().allSatisfy({ $0 == 1 })
    else {
      throw fault(
        node,
        "its axes are \(axes.prefix(8)) of the shape \(shown(planes)); [2, 3] of planes of 1 x 1 is expected"
      )
    }
    try emit(node, "Flatten", [:], [image])
  }

  /// Accepts only what flattens each image into one row, or changes nothing.
  private mutating func reshape(_ node: ONNXFile.Node) throws(ModelError) {
    let copiesZeros =
      try attributes(node, ["allowzero"]).integer("allowzero", default: 0, 0, 1) == 0
    let inputs = try inputs(node, 2...2)
    let image = try value(node, inputs[0])
    let sizes = try sizes(node, inputs[1])
    let own = try shape(node, of: image)
    let count = own.reduce(1, *)
    func fault(_ expected: String) -> ModelError {
      let text = sizes.map { $0.map(String.init) ?? "batch" }.joined(separator: ", ")
      return self.fault(node, "shape is (\(text)); \(expected) is expected")
    }
    guard copiesZeros || !sizes.contains(0) else { throw fault("no 0, as allowzero is 1,") }
    // Any batch size will do.
    guard let first = sizes.first, first == nil || first == 0 || first == -1 || first == batch else {
      throw fault("(0, -1), which flattens,")
    }
    var rest: [Int] = []
    for (place, size) in sizes.enumerated().dropFirst() {
      guard let size else { throw fault("(0, -1), which flattens,") }
      rest.append(size == 0 && own.indices.contains(place - 1) ? own[place - 1] : size)
    }
    // A size of -1 stands for whatever is left.
    if let open = rest.firstIndex(of: -1), first != -1 {
      let others = checkedProduct(rest.enumerated().filter { $0.offset != open }.map(\.element)) ?? 0
      if others > 0, count.isMultiple(of: others) { rest[open] = count / others }
    }
    if rest == own { return try emit(node, image) }
    guard rest == [count] else { throw fault("(0, -1), which flattens,") }
    try emit(node, "Flatten", [:], [image])
  }

  private mutating func gemm(_ node: ONNXFile.Node) throws(ModelError) {
    let attributes = try attributes(node, ["alpha", "beta", "transA", "transB"])
    let inputs = try inputs(node, 2...3)
    try attributes.expectOne("alpha")
    if inputs.count > 2 { try attributes.expectOne("beta") }
    _ = try attributes.integer("transA", default: 0, 0)
    let isTransposed = try attributes.integer("transB", default: 0, 0, 1) == 0
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
    // Its input must be a row: in ONNX, flattening is an operator of its own.
    try emit(
      node, "FullyConnected",
      [
        "num_hidden": "\(shape[isTransposed ? 1 : 0])", "no_bias": inputs.count > 2 ? "False" : "True",
        "flatten": "False",
      ], entries)
  }
}

/// Constant folding: integers that are known before there is an image, such as shapes and what exporters compute from
/// them. The batch size, which is open, passes through as it is; a computation that would change it is refused.
extension ONNXNetwork {
  /// Whether a node computes integers from integers.
  func isArithmetic(_ node: ONNXFile.Node) -> Bool {
    switch node.operation {
    case "Shape": return true
    case "Add", "Sub", "Mul", "Div", "Gather", "Unsqueeze", "Squeeze", "Concat", "Slice", "Cast",
      "ConstantOfShape":
      return !node.inputs.isEmpty && node.inputs.allSatisfy { $0.isEmpty || isInteger($0) }
    default: return false
    }
  }

  mutating func computeIntegers(_ node: ONNXFile.Node) throws(ModelError) {
    switch node.operation {
    case "Shape": try shapeOperator(node)
    case "Gather": try gather(node)
    case "Unsqueeze":
      try expectFirstAxis(node, default: nil)
      guard try row(node, node.inputs[0]).isScalar else {
        throw fault(node, "its input is not a single number")
      }
      try emitIntegers(node, try row(node, node.inputs[0]).values, isScalar: false)
    case "Squeeze":
      try expectFirstAxis(node, default: 0)
      let values = try row(node, node.inputs[0]).values
      guard values.count == 1 else {
        throw fault(node, "its input has \(values.count) numbers; one is expected")
      }
      try emitIntegers(node, values, isScalar: true)
    case "Concat":
      _ = try attributes(node, ["axis"]).integer("axis", default: 0, 0, -1)
      var values: [Int?] = []
      for name in try inputs(node, 1...ONNXFile.largestIntegerCount) { values += try row(node, name).values }
      try emitIntegers(node, values, isScalar: false)
    case "Slice": try slice(node)
    case "Cast":
      _ = try attributes(node, ["to", "saturate"]).integer("to", default: 7, 6, 7)
      let input = try row(node, try inputs(node, 1...1)[0])
      try emitIntegers(node, input.values, isScalar: input.isScalar)
    case "ConstantOfShape": try constantOfShape(node)
    default: try binary(node)
    }
  }

  mutating func emitIntegers(_ node: ONNXFile.Node, _ values: [Int?], isScalar: Bool) throws(ModelError) {
    guard values.count <= ONNXFile.largestIntegerCount else {
      throw fault(
        node, "it computes \(values.count) numbers; at most \(ONNXFile.largestIntegerCount) are expected")
    }
    let shape = isScalar ? [] : [values.count]
    try emit(node, ONNXFile.Array(name: "", shape: shape, content: .integers(values)))
  }

  private func row(
    _ node: ONNXFile.Node, _ name: String
  ) throws(ModelError) -> (values: [Int?], isScalar: Bool) {
    let values = try sizes(node, name)
    let rank = try constant(node, name).shape.count
    guard rank <= 1 else {
      throw fault(node, "its input \(shown(name)) has \(rank) dimensions; one is expected")
    }
    return (values, rank == 0)
  }

  private mutating func shapeOperator(_ node: ONNXFile.Node) throws(ModelError) {
    let attributes = try attributes(node, ["end", "start"])
    let name = try inputs(node, 1...1)[0]
    let whole: [Int?] =
      isConstant(name)
      ? try constant(node, name).shape : [nil] + (try shape(node, of: try value(node, name)))
    let start = place(try attributes.integer("start") ?? 0, in: whole.count)
    let end = place(try attributes.integer("end") ?? whole.count, in: whole.count)
    try emitIntegers(node, Array(whole[start..<max(start, end)]), isScalar: false)
  }

  private mutating func gather(_ node: ONNXFile.Node) throws(ModelError) {
    _ = try attributes(node, ["axis"]).integer("axis", default: 0, 0, -1)
    let inputs = try inputs(node, 2...2)
    let values = try row(node, inputs[0]).values
    let indices = try integers(node, inputs[1])
    var found: [Int?] = []
    for index in indices {
      let place = index < 0 ? index &+ values.count : index
      guard values.indices.contains(place) else {
        throw fault(node, "the index \(index) is beyond its \(values.count) numbers")
      }
      found.append(values[place])
    }
    try emitIntegers(node, found, isScalar: try row(node, inputs[1]).isScalar)
  }

  /// Checks that the only axis is the first. Up to version 12 axes are an attribute, then an input.
  private func expectFirstAxis(_ node: ONNXFile.Node, default fallback: Int?) throws(ModelError) {
    let attributes = try attributes(node, ["axes"])
    let inputs = try inputs(node, 1...2)
    let axes =
      inputs.count > 1
      ? try integers(node, inputs[1]) : try attributes.integers("axes") ?? fallback.map { [$0] } ?? []
    guard axes == [0] || axes == [-1] else {
      throw fault(node, "its axes are \(axes.prefix(8)); [0] is expected for whole numbers")
    }
  }

  private mutating func slice(_ node: ONNXFile.Node) throws(ModelError) {
    let attributes = try attributes(node, ["axes", "ends", "starts"])
    let inputs = try inputs(node, 1...5)
    func numbers(_ place: Int, _ key: String) throws(ModelError) -> [Int]? {
      guard inputs.indices.contains(place), !inputs[place].isEmpty else {
        return try attributes.integers(key)
      }
      return try integers(node, inputs[place])
    }
    let values = try row(node, inputs[0]).values
    let axes = try numbers(3, "axes") ?? [0]
    let steps = try numbers(4, "steps") ?? [1]
    guard let starts = try numbers(1, "starts"), let ends = try numbers(2, "ends"), starts.count == 1,
      ends.count == 1, axes == [0] || axes == [-1], steps == [1]
    else { throw fault(node, "a start, an end, axis 0 and step 1 are expected for whole numbers") }
    let (start, end) = (place(starts[0], in: values.count), place(ends[0], in: values.count))
    try emitIntegers(node, Array(values[start..<max(start, end)]), isScalar: false)
  }

  /// The place that an index means: negative ones count from the end, and those outside are clamped.
  private func place(_ index: Int, in count: Int) -> Int {
    max(0, min(count, index < 0 ? index &+ count : index))
  }

  private mutating func constantOfShape(_ node: ONNXFile.Node) throws(ModelError) {
    _ = try attributes(node, ["value"])
    let sizes = try integers(node, try inputs(node, 1...1)[0])
    guard case .array(let array)? = node.attributes["value"], case .integers(let value) = array.content,
      let number = value.first, value.count == 1
    else { throw fault(node, "its value is not a whole number") }
    let count = sizes.first ?? 1
    guard sizes.count <= 1, (0...ONNXFile.largestIntegerCount).contains(count)
    else {
      throw fault(
        node, "its shape is \(shown(sizes)); at most \(ONNXFile.largestIntegerCount) numbers are expected")
    }
    try emitIntegers(node, [Int?](repeating: number, count: count), isScalar: sizes.isEmpty)
  }

  /// A sum, difference, product or quotient, element by element; a single number is broadcast.
  private mutating func binary(_ node: ONNXFile.Node) throws(ModelError) {
    _ = try attributes(node, [])
    let inputs = try inputs(node, 2...2)
    let (left, right) = (try row(node, inputs[0]), try row(node, inputs[1]))
    let count = max(left.values.count, right.values.count)
    guard [1, count].contains(left.values.count), [1, count].contains(right.values.count) else {
      throw fault(node, "its inputs have \(left.values.count) and \(right.values.count) numbers")
    }
    var results: [Int?] = []
    for place in 0..<count {
      let first = left.values[left.values.count == 1 ? 0 : place]
      let second = right.values[right.values.count == 1 ? 0 : place]
      results.append(try result(node, first, second))
    }
    try emitIntegers(node, results, isScalar: left.isScalar && right.isScalar)
  }

  private func result(_ node: ONNXFile.Node, _ first: Int?, _ second: Int?) throws(ModelError) -> Int? {
    let neutral = ["Add", "Sub"].contains(node.operation) ? 0 : 1
    guard let first, let second else {
      // An operation that leaves the batch size as it is.
      let isSame = second == neutral || (first == neutral && ["Add", "Mul"].contains(node.operation))
      guard isSame else { throw fault(node, "what it computes depends on the batch size") }
      return nil
    }
    let (value, overflow) =
      switch node.operation {
      case "Add": first.addingReportingOverflow(second)
      case "Sub": first.subtractingReportingOverflow(second)
      case "Mul": first.multipliedReportingOverflow(by: second)
      default: first.dividedReportingOverflow(by: second)
      }
    guard !overflow else {
      throw fault(node, "the result for \(first) and \(second) does not fit in 64 bits")
    }
    return value
  }
}
