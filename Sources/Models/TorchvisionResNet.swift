/// A ResNet of torchvision as the names and shapes of its weights tell it (models/resnet.py, "v1.5": a bottleneck strides
/// in its 3x3), also of other depths and widths, with a softmax at its end.
struct TorchvisionResNet {
  private let weights: Parameters
  private let isBottleneck: Bool
  private static let epsilon = "1e-05"

  /// - Throws: where the weights are not those of such a network.
  init(_ weights: Parameters) throws(ModelError) {
    self.weights = weights
    isBottleneck = weights.shape(of: "layer1.0.conv3.weight") != nil
    for name in ["conv1.weight", "layer1.0.conv1.weight", "layer4.0.conv1.weight", "fc.weight"]
    where weights.shape(of: name) == nil {
      throw ModelError("these are no weights of a torchvision ResNet: there is no \(name)")
    }
  }

  var symbol: Symbol {
    get throws(ModelError) {
      var maker = SymbolMaker()
      var body = try convolution(&maker, "conv1", maker.variable("data"), stride: 2)
      body = maker.relu("relu", norm(&maker, "bn1", body))
      body = maker.add(
        "Pooling", "maxpool",
        ["kernel": "(3, 3)", "pad": "(1, 1)", "pool_type": "max", "stride": "(2, 2)"], [body])
      for stage in 1...4 {
        var unit = 0
        while weights.shape(of: "layer\(stage).\(unit).conv1.weight") != nil {
          let stride = stage > 1 && unit == 0 ? 2 : 1
          body = try block(&maker, "layer\(stage).\(unit)", body, stride: stride)
          unit += 1
        }
      }
      body = maker.add("Pooling", "avgpool", ["global_pool": "True", "pool_type": "avg"], [body])
      body = maker.add("Flatten", "flatten", [:], [body])
      let outputs = weights.shape(of: "fc.weight")?.first ?? 0
      body = maker.add(
        "FullyConnected", "fc", ["num_hidden": "\(outputs)"],
        [body, maker.variable("fc.weight"), maker.variable("fc.bias")])
      let head = maker.add("softmax", "softmax", [:], [body])
      return Symbol(nodes: maker.nodes, head: head)
    }
  }

  private func block(
    _ maker: inout SymbolMaker, _ name: String, _ input: Symbol.Entry, stride: Int
  ) throws(ModelError) -> Symbol.Entry {
    var body = input
    let (last, strided) = isBottleneck ? (3, 2) : (2, 1)
    for layer in 1...last {
      body = try convolution(&maker, "\(name).conv\(layer)", body, stride: layer == strided ? stride : 1)
      body = norm(&maker, "\(name).bn\(layer)", body)
      if layer < last { body = maker.relu("\(name).relu\(layer)", body) }
    }
    var shortcut = input
    if weights.shape(of: "\(name).downsample.0.weight") != nil {
      shortcut = try convolution(&maker, "\(name).downsample.0", input, stride: stride)
      shortcut = norm(&maker, "\(name).downsample.1", shortcut)
    }
    return maker.relu("\(name).relu", maker.add("elemwise_add", "\(name).add", [:], [body, shortcut]))
  }

  /// Filters and kernel are those of the weight; the margin keeps the size.
  private func convolution(
    _ maker: inout SymbolMaker, _ name: String, _ input: Symbol.Entry, stride: Int
  ) throws(ModelError) -> Symbol.Entry {
    let shape = weights.shape(of: name + ".weight") ?? []
    guard shape.count == 4 else {
      throw ModelError("\(name).weight has \(shape.count) dimensions; four are expected")
    }
    return maker.add(
      "Convolution", name,
      [
        "kernel": "(\(shape[2]), \(shape[3]))", "num_filter": "\(shape[0])", "no_bias": "True",
        "pad": "(\(shape[2] / 2), \(shape[3] / 2))", "stride": "(\(stride), \(stride))",
      ], [input, maker.variable(name + ".weight")])
  }

  private func norm(_ maker: inout SymbolMaker, _ name: String, _ input: Symbol.Entry) -> Symbol.Entry {
    maker.add(
      "BatchNorm", name, ["eps": Self.epsilon, "fix_gamma": "False"],
      [input] + ["weight", "bias", "running_mean", "running_var"].map { maker.variable("\(name).\($0)") })
  }
}
