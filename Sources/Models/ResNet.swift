/// A ResNet as MXNet's image-classification example builds it, and SageMaker's algorithm after it: `symbols/resnet.py`
/// (version 2, pre-activation) and `symbols/resnet-v1.py`, with their names.
public struct ResNet: Hashable, Sendable {
  public enum Version: Hashable, Sendable, CaseIterable {
    /// Each convolution is followed by BatchNorm and ReLU; a bottleneck strides in its first 1x1.
    case v1
    /// BatchNorm and ReLU come before each convolution; a bottleneck strides in its 3x3.
    case v2
  }
  /// What the network ends in, and so what its loss is.
  public enum Head: Hashable, Sendable, CaseIterable {
    /// One class an image: softmax, MXNet's SoftmaxOutput.
    case softmax
    /// Any number of classes an image: a sigmoid for each, MXNet's LogisticRegressionOutput.
    case sigmoid
  }
  public let version: Version
  public let head: Head
  public let depth: Int
  public let classCount: Int
  /// Channels, height, width.
  public let inputShape: [Int]
  /// Units of each stage.
  let units: [Int]
  /// Of the stem, then of each stage.
  let filters: [Int]
  let isBottleneck: Bool

  /// - Parameters:
  ///   - depth: 18, 34, 50, 101, 152, 200 or 269; for images of height 28 and less 6 n + 2 below 164 (20, 32, 44, 56,
  ///     110, ...) and 9 n + 2 from there on.
  ///   - inputShape: channels, height, width.
  /// - Throws: where there is no such network.
  public init(
    depth: Int, version: Version = .v2, head: Head = .softmax, classCount: Int = 1000,
    inputShape: [Int] = [3, 224, 224]
  ) throws(ModelError) {
    guard inputShape.count == 3, inputShape.allSatisfy({ $0 >= 1 }), classCount >= 1 else {
      throw ModelError(
        "a ResNet for \(classCount) classes and images of shape \(shown(inputShape)); 1 class or more and channels, "
          + "height, width are expected")
    }
    if inputShape[1] <= 28 {
      guard let small = Self.small(depth) else {
        throw ModelError(
          "a ResNet of depth \(depth) for images of height 28 and less; 6 n + 2 below 164, such as 20, 32, 44, 56, 110, "
            + "or 9 n + 2 is expected")
      }
      (units, filters, isBottleneck) = small
    } else {
      guard let units = Self.largeUnits[depth] else {
        throw ModelError("a ResNet of depth \(depth); 18, 34, 50, 101, 152, 200 or 269 is expected")
      }
      self.units = units
      isBottleneck = depth >= 50
      filters = isBottleneck ? [64, 256, 512, 1024, 2048] : [64, 64, 128, 256, 512]
    }
    self.version = version
    self.head = head
    self.depth = depth
    self.classCount = classCount
    self.inputShape = inputShape
  }

  /// The depths for images of more than 28 rows.
  public static let largeDepths = largeUnits.keys.sorted()
  /// The depths for small images that SageMaker's algorithm offers.
  public static let smallDepths = [20, 32, 44, 56, 110]

  private static let largeUnits = [
    18: [2, 2, 2, 2], 34: [3, 4, 6, 3], 50: [3, 4, 6, 3], 101: [3, 4, 23, 3], 152: [3, 8, 36, 3],
    200: [3, 24, 36, 3],
    269: [3, 30, 48, 8],
  ]

  private static func small(_ depth: Int) -> (units: [Int], filters: [Int], isBottleneck: Bool)? {
    if (164...2000).contains(depth) && (depth - 2) % 9 == 0 {
      return ([Int](repeating: (depth - 2) / 9, count: 3), [16, 64, 128, 256], true)
    }
    if (8..<164).contains(depth) && (depth - 2) % 6 == 0 {
      return ([Int](repeating: (depth - 2) / 6, count: 3), [16, 16, 32, 64], false)
    }
    return nil
  }

  public var graph: Graph {
    get throws(ModelError) { try Graph(symbol, inputShape: inputShape) }
  }
}

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
