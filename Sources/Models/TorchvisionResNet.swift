import Files

/// A torchvision ResNet, inferred from the names and shapes of its weights (models/resnet.py, "v1.5": a bottleneck strides
/// in its 3x3). Any depth and width will do; a softmax is added at its end.
///
/// Weights do not tell strides. Where the kernels are torchvision's, the strides are assumed to be, too. Weights with
/// another kernel, or with an array that has no place in this network, are those of another network and are refused.
struct TorchvisionResNet {
  private let weights: Parameters
  private let isBottleneck: Bool
  private static let epsilon = "1e-05"

  /// - Parameter weights: under torchvision's names.
  /// - Throws: where the weights are not those of such a network.
  init(_ weights: Parameters) throws(ModelError) {
    self.weights = weights
    isBottleneck = weights.shape(of: "layer1.0.conv3.weight") != nil
    for name in ["conv1.weight", "layer1.0.conv1.weight", "layer4.0.conv1.weight", "fc.weight"]
    where weights.shape(of: name) == nil {
      let known = [
        "conv1.weight": "conv1.0.weight",
        "fc.weight": weights.names.first { $0.hasPrefix("fc.") && $0 != "fc.bias" } ?? "",
      ]
      let other = known[name].flatMap { weights.shape(of: $0) == nil ? nil : ", but \(shown($0))" } ?? ""
      throw ModelError(
        "these are not the weights of a torchvision ResNet: there is no \(name)\(other); \(Self.remedy)")
    }
  }

  static let remedy = "export the network as ONNX, which says what is computed"

  /// Channels of the images.
  var channels: Int { weights.shape(of: "conv1.weight")?.dropFirst().first ?? 0 }

  /// - Throws: naming the array, where one has no place in such a network.
  var symbol: Symbol {
    get throws(ModelError) {
      var builder = SymbolBuilder()
      var body = Layer(entry: builder.variable("data"), channels: channels)
      body = try convolution(&builder, "conv1", body, kernel: 7, stride: 2)
      body.entry = builder.relu("relu", norm(&builder, "bn1", body.entry))
      body.entry = builder.add(
        "Pooling", "maxpool",
        ["kernel": "(3, 3)", "pad": "(1, 1)", "pool_type": "max", "stride": "(2, 2)"], [body.entry])
      for stage in 1...4 {
        var unit = 0
        while weights.shape(of: "layer\(stage).\(unit).conv1.weight") != nil {
          let stride = stage > 1 && unit == 0 ? 2 : 1
          body = try block(&builder, "layer\(stage).\(unit)", body, stride: stride)
          unit += 1
        }
      }
      body.entry = builder.add(
        "Pooling", "avgpool", ["global_pool": "True", "pool_type": "avg"], [body.entry])
      body.entry = builder.add("Flatten", "flatten", [:], [body.entry])
      let outputs = weights.shape(of: "fc.weight")?.first ?? 0
      body.entry = builder.add(
        "FullyConnected", "fc", ["num_hidden": "\(outputs)"],
        [body.entry, builder.variable("fc.weight"), builder.variable("fc.bias")])
      let head = builder.add("softmax", "softmax", [:], [body.entry])
      let symbol = Symbol(nodes: builder.nodes, head: head)
      try refuse(symbol.unusedNames(in: weights))
      return symbol
    }
  }

  /// Refuses arrays that have no place in the network: they belong to another network, which computes something else.
  private func refuse(_ names: [String]) throws(ModelError) {
    guard !names.isEmpty else { return }
    let kinds = [
      ("squeeze-and-excitation", [".se.", ".se_module.", ".attn.", ".se1.", ".se2."]),
      ("ResNet-D's shortcuts", [".downsample.2.", ".downsample.1.0."]),
      ("anti-aliasing", [".filt", ".aa.", ".blur."]),
      ("convolutions with a bias", ["conv1.bias", "conv2.bias", "conv3.bias"]),
    ]
    let kind = kinds.first { kind in
      names.contains { name in kind.1.contains { name.hasByteSuffix($0) || name.contains($0) } }
    }
    throw ModelError(
      "a torchvision ResNet has no place for \(names.count) of its arrays: \(shortList(names.map(shown)))"
        + (kind.map { " (\($0.0))" } ?? "") + "; \(Self.remedy)")
  }

  /// The output of a layer.
  private struct Layer {
    var entry: Symbol.Entry
    var channels: Int
  }

  private func block(
    _ builder: inout SymbolBuilder, _ name: String, _ input: Layer, stride: Int
  ) throws(ModelError) -> Layer {
    var body = input
    let (kernels, strided) = isBottleneck ? ([1, 3, 1], 1) : ([3, 3], 0)
    for (index, kernel) in kernels.enumerated() {
      body = try convolution(
        &builder, "\(name).conv\(index + 1)", body, kernel: kernel, stride: index == strided ? stride : 1)
      body.entry = norm(&builder, "\(name).bn\(index + 1)", body.entry)
      if index + 1 < kernels.count { body.entry = builder.relu("\(name).relu\(index + 1)", body.entry) }
    }
    var shortcut = input
    if weights.shape(of: "\(name).downsample.0.weight") != nil {
      shortcut = try convolution(&builder, "\(name).downsample.0", input, kernel: 1, stride: stride)
      shortcut.entry = norm(&builder, "\(name).downsample.1", shortcut.entry)
    }
    body.entry = builder.relu(
      "\(name).relu", builder.add("elemwise_add", "\(name).add", [:], [body.entry, shortcut.entry]))
    return body
  }

  /// The weight's shape gives the number of filters; the padding keeps the size.
  private func convolution(
    _ builder: inout SymbolBuilder, _ name: String, _ input: Layer, kernel: Int, stride: Int
  ) throws(ModelError) -> Layer {
    guard let shape = weights.shape(of: name + ".weight") else {
      throw ModelError(
        "these are not the weights of a torchvision ResNet: there is no \(name).weight; \(Self.remedy)")
    }
    guard shape.count == 4 else {
      throw ModelError("\(name).weight has \(shape.count) dimensions; four are expected")
    }
    guard shape[2] == kernel, shape[3] == kernel else {
      throw ModelError(
        "\(name).weight has the shape \(shown(shape)): torchvision's is \(kernel)x\(kernel), and weights do not tell "
          + "which stride\(name == "conv1" ? " and pooling" : "") another kernel has; \(Self.remedy)")
    }
    guard shape[1] == input.channels else {
      let isGrouped = shape[1] > 0 && input.channels % shape[1] == 0
      throw ModelError(
        "\(name).weight has the shape \(shown(shape)); \(shown([shape[0], input.channels, kernel, kernel])) is expected"
          + (isGrouped
            ? ": \(input.channels / shape[1]) groups, as in a ResNeXt, are not implemented" : ""))
    }
    let entry = builder.add(
      "Convolution", name,
      [
        "kernel": "(\(kernel), \(kernel))", "num_filter": "\(shape[0])", "no_bias": "True",
        "pad": "(\(kernel / 2), \(kernel / 2))", "stride": "(\(stride), \(stride))",
      ], [input.entry, builder.variable(name + ".weight")])
    return Layer(entry: entry, channels: shape[0])
  }

  private func norm(_ builder: inout SymbolBuilder, _ name: String, _ input: Symbol.Entry) -> Symbol.Entry {
    builder.add(
      "BatchNorm", name, ["eps": Self.epsilon, "fix_gamma": "False"],
      [input] + ["weight", "bias", "running_mean", "running_var"].map { builder.variable("\(name).\($0)") })
  }
}

/// Translates the names of a file's arrays into torchvision's: without the prefix of whatever the network was wrapped in
/// (DataParallel's `module.`, Lightning's `model.`, `_orig_mod.`, `backbone.`), and from those of Hugging Face's
/// transformers.
struct TorchvisionNames {
  private let prefix: String
  /// Whether the names are those of `ResNetForImageClassification`.
  let isHuggingFace: Bool

  private static let first = "layer1.0.conv1.weight"
  private static let huggingFaceFirst = "resnet.embedder.embedder.convolution.weight"

  /// - Throws: where the names are those of no known network, or of several.
  init(_ names: [String]) throws(ModelError) {
    func prefixes(_ first: String) -> [String] {
      names.filter { hasSameBytes($0, first) || $0.hasByteSuffix("." + first) }
        .map { String(decoding: $0.utf8.dropLast(first.utf8.count), as: UTF8.self) }.sorted(by: precedes)
    }
    let (plain, huggingFace) = (prefixes(Self.first), prefixes(Self.huggingFaceFirst))
    let found = plain + huggingFace
    guard let prefix = found.first else {
      let isHeadless = names.contains { $0.hasByteSuffix(Self.huggingFaceFirst.dropFirst("resnet.".count)) }
      throw ModelError(
        isHeadless
          ? "these are the weights of Hugging Face's ResNetModel, which has no classifier; those of "
            + "ResNetForImageClassification are expected"
          : "these are not the weights of a torchvision ResNet: there is no \(Self.first), but \(shortList(names.sorted(by: precedes).map(shown)))"
      )
    }
    guard found.count == 1 else {
      throw ModelError(
        "there are \(found.count) networks in it, with the prefixes \(shortList(found.map { shown("'\($0)'") })); one is expected: "
          + "save the state_dict of one alone")
    }
    self.prefix = prefix
    isHuggingFace = plain.isEmpty
    let others = names.filter { !$0.hasBytePrefix(prefix) }.sorted(by: precedes)
    guard others.isEmpty else {
      throw ModelError(
        "the network's arrays have the prefix '\(prefix)'; \(others.count) others would not be used: \(shortList(others.map(shown))); save "
          + "the state_dict of the network alone")
    }
  }

  /// A sentence on names that are not torchvision's; nil where they are.
  var note: String? {
    var parts: [String] = []
    if !prefix.isEmpty { parts.append("the prefix \(shown(prefix)) is taken off the names of its arrays") }
    if isHuggingFace { parts.append("the names of its arrays are Hugging Face's, read as torchvision's") }
    return parts.isEmpty ? nil : parts.joined(separator: "; ")
  }

  /// The torchvision name of an array; the name without its prefix where it has no counterpart.
  func torchvision(_ name: String) -> String {
    let own = String(decoding: name.utf8.dropFirst(prefix.utf8.count), as: UTF8.self)
    return isHuggingFace ? Self.translated(own) ?? own : own
  }

  /// `resnet.encoder.stages.0.layers.1.layer.0.convolution.weight` is `layer1.1.conv1.weight`.
  private static func translated(_ name: String) -> String? {
    let parts = name.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
      .map { String(decoding: $0, as: UTF8.self) }
    guard let last = parts.last else { return nil }
    let place = Array(parts.dropLast(2))
    if place == ["classifier"], parts[1] == "1" { return "fc." + last }
    let kind = parts.dropLast().last
    guard kind == "convolution" || kind == "normalization" else { return nil }
    let isNorm = kind == "normalization"
    if place == ["resnet", "embedder", "embedder"] { return (isNorm ? "bn1." : "conv1.") + last }
    guard place.count >= 7, place[..<3] == ["resnet", "encoder", "stages"], place[4] == "layers",
      let stage = Int(place[3]), (0...3).contains(stage), let unit = Int(place[5])
    else { return nil }
    let block = "layer\(stage + 1).\(unit)."
    if place.count == 7, place[6] == "shortcut" {
      return block + (isNorm ? "downsample.1." : "downsample.0.") + last
    }
    guard place.count == 8, place[6] == "layer", let layer = Int(place[7]), (0...2).contains(layer) else {
      return nil
    }
    return block + (isNorm ? "bn" : "conv") + "\(layer + 1)." + last
  }
}
