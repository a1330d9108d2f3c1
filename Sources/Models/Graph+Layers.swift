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
