extension ResNet {
  /// The network as MXNet's script builds it, node by node in its order.
  public var symbol: Symbol {
    var maker = SymbolMaker()
    let image = maker.variable("data")
    var body = maker.add("_copy", "id", [:], [image])
    if version == .v2 { body = maker.batchNorm("bn_data", body, isGammaFixed: true) }
    body = stem(&maker, body)
    for (stage, units) in units.enumerated() {
      for unit in 0..<units {
        let plan = Unit(
          name: "stage\(stage + 1)_unit\(unit + 1)", filters: filters[stage + 1],
          stride: stage > 0 && unit == 0 ? 2 : 1, isFirst: unit == 0)
        body = version == .v2 ? preActivated(&maker, body, plan) : postActivated(&maker, body, plan)
      }
    }
    if version == .v2 { body = maker.relu("relu1", maker.batchNorm("bn1", body)) }
    body = maker.add(
      "Pooling", "pool1", ["global_pool": "True", "kernel": "(7, 7)", "pool_type": "avg"], [body])
    body = maker.add("Flatten", "flatten0", [:], [body])
    body = maker.dense("fc1", body, outputs: classCount)
    let label = maker.variable("softmax_label")
    // Both under the names that MXNet's Module looks for.
    let operation = head == .softmax ? "SoftmaxOutput" : "LogisticRegressionOutput"
    let head = maker.add(operation, "softmax", [:], [body, label])
    return Symbol(nodes: maker.nodes, head: head)
  }

  private struct Unit {
    let name: String
    let filters: Int
    let stride: Int
    /// Whether it changes the shape; the first unit of every stage is built as if it did.
    let isFirst: Bool
  }

  private func stem(_ maker: inout SymbolMaker, _ image: Symbol.Entry) -> Symbol.Entry {
    if inputShape[1] <= 32 {
      let body = maker.convolution("conv0", image, filters[0], kernel: 3, stride: 1)
      return version == .v2 ? body : maker.batchNorm("bn0", body)
    }
    var body = maker.convolution("conv0", image, filters[0], kernel: 7, stride: 2)
    body = maker.relu("relu0", maker.batchNorm("bn0", body))
    return maker.add(
      "Pooling", "pooling0",
      ["kernel": "(3, 3)", "pad": "(1, 1)", "pool_type": "max", "stride": "(2, 2)"], [body])
  }

  private func preActivated(_ maker: inout SymbolMaker, _ input: Symbol.Entry, _ unit: Unit) -> Symbol.Entry {
    var start: Symbol.Entry?
    var body = input
    for (index, layer) in layers(unit, strideIn: isBottleneck ? 1 : 0).enumerated() {
      body = maker.relu(
        "\(unit.name)_relu\(index + 1)", maker.batchNorm("\(unit.name)_bn\(index + 1)", body))
      start = start ?? body
      body = maker.convolution(
        "\(unit.name)_conv\(index + 1)", body, layer.filters, kernel: layer.kernel, stride: layer.stride)
    }
    let shortcut =
      unit.isFirst
      ? maker.convolution(
        "\(unit.name)_sc", start ?? input, unit.filters, kernel: 1, stride: unit.stride, hasPadding: false)
      : input
    return maker.sum(body, shortcut)
  }

  private func postActivated(_ maker: inout SymbolMaker, _ input: Symbol.Entry, _ unit: Unit) -> Symbol.Entry
  {
    let layers = layers(unit, strideIn: 0)
    var body = input
    for (index, layer) in layers.enumerated() {
      body = maker.convolution(
        "\(unit.name)_conv\(index + 1)", body, layer.filters, kernel: layer.kernel, stride: layer.stride)
      body = maker.batchNorm("\(unit.name)_bn\(index + 1)", body)
      if index + 1 < layers.count { body = maker.relu("\(unit.name)_relu\(index + 1)", body) }
    }
    var shortcut = input
    if unit.isFirst {
      shortcut = maker.convolution(
        "\(unit.name)_conv1sc", input, unit.filters, kernel: 1, stride: unit.stride, hasPadding: false)
      shortcut = maker.batchNorm("\(unit.name)_sc", shortcut)
    }
    return maker.relu("\(unit.name)_relu3", maker.sum(body, shortcut))
  }

  /// The convolutions of a unit; the one at `strideIn` has its stride.
  private func layers(_ unit: Unit, strideIn: Int) -> [(filters: Int, kernel: Int, stride: Int)] {
    let (filters, kernels) =
      isBottleneck
      ? ([unit.filters / 4, unit.filters / 4, unit.filters], [1, 3, 1])
      : ([unit.filters, unit.filters], [3, 3])
    return filters.indices.map { (filters[$0], kernels[$0], $0 == strideIn ? unit.stride : 1) }
  }
}
