/// A ResNet as MXNet's image-classification example builds it, and SageMaker's algorithm after it: `symbols/resnet.py`
/// (version 2, pre-activation) and `symbols/resnet-v1.py`, with their names of layers.
public struct ResNet: Hashable, Sendable {
  /// The order of a unit's layers.
  public enum Version: Hashable, Sendable, CaseIterable {
    /// Each convolution is followed by BatchNorm and ReLU; a bottleneck strides in its first 1x1.
    case v1
    /// BatchNorm and ReLU come before each convolution; a bottleneck strides in its 3x3.
    case v2
  }
  /// The network's last layer, which also decides its loss.
  public enum Head: Hashable, Sendable, CaseIterable {
    /// One class for each image: softmax, MXNet's SoftmaxOutput.
    case softmax
    /// Any number of classes for each image: a sigmoid for each class, MXNet's LogisticRegressionOutput.
    case sigmoid
  }
  /// The order of a unit's layers.
  public let version: Version
  /// The last layer.
  public let head: Head
  /// The number of convolutions and dense layers, without those of shortcuts.
  public let depth: Int
  /// The number of outputs.
  public let classCount: Int
  /// Channels, height, width.
  public let inputShape: [Int]
  /// The number of units of each stage.
  let units: [Int]
  /// The number of filters of the stem, then of each stage.
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
        "there is no ResNet for \(classCount) classes and images of shape \(shown(inputShape)); 1 class or more and channels, "
          + "height, width are expected")
    }
    if inputShape[1] <= 28 {
      guard let small = Self.small(depth) else {
        throw ModelError(
          "there is no ResNet of depth \(depth) for images of height 28 and less; 6 n + 2 below 164, such as 20, 32, 44, 56, 110, "
            + "or 9 n + 2 is expected")
      }
      (units, filters, isBottleneck) = small
    } else {
      guard let units = Self.largeUnits[depth] else {
        throw ModelError("there is no ResNet of depth \(depth); 18, 34, 50, 101, 152, 200 or 269 is expected")
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

  /// The network for images of `inputShape`.
  ///
  /// - Throws: where the images are larger than `Graph` allows, or too small for the network.
  public var graph: Graph {
    get throws(ModelError) { try Graph(symbol, inputShape: inputShape) }
  }
}

extension ResNet {
  /// The network as MXNet's script builds it, node by node in its order.
  public var symbol: Symbol {
    var builder = SymbolBuilder()
    let image = builder.variable("data")
    var body = builder.add("_copy", "id", [:], [image])
    if version == .v2 { body = builder.batchNorm("bn_data", body, isGammaFixed: true) }
    body = stem(&builder, body)
    for (stage, units) in units.enumerated() {
      for unit in 0..<units {
        let plan = Unit(
          name: "stage\(stage + 1)_unit\(unit + 1)", filters: filters[stage + 1],
          stride: stage > 0 && unit == 0 ? 2 : 1, isFirst: unit == 0)
        body = version == .v2 ? preActivated(&builder, body, plan) : postActivated(&builder, body, plan)
      }
    }
    if version == .v2 { body = builder.relu("relu1", builder.batchNorm("bn1", body)) }
    body = builder.add(
      "Pooling", "pool1", ["global_pool": "True", "kernel": "(7, 7)", "pool_type": "avg"], [body])
    body = builder.add("Flatten", "flatten0", [:], [body])
    body = builder.dense("fc1", body, outputs: classCount)
    let label = builder.variable("softmax_label")
    // Both under the names that MXNet's Module looks for.
    let operation = head == .softmax ? "SoftmaxOutput" : "LogisticRegressionOutput"
    let head = builder.add(operation, "softmax", [:], [body, label])
    return Symbol(nodes: builder.nodes, head: head)
  }

  private struct Unit {
    let name: String
    let filters: Int
    let stride: Int
    /// Whether it is the first unit of its stage, whose shortcut has a convolution.
    let isFirst: Bool
  }

  private func stem(_ builder: inout SymbolBuilder, _ image: Symbol.Entry) -> Symbol.Entry {
    if inputShape[1] <= 32 {
      let body = builder.convolution("conv0", image, filters[0], kernel: 3, stride: 1)
      return version == .v2 ? body : builder.batchNorm("bn0", body)
    }
    var body = builder.convolution("conv0", image, filters[0], kernel: 7, stride: 2)
    body = builder.relu("relu0", builder.batchNorm("bn0", body))
    return builder.add(
      "Pooling", "pooling0",
      ["kernel": "(3, 3)", "pad": "(1, 1)", "pool_type": "max", "stride": "(2, 2)"], [body])
  }

  private func preActivated(_ builder: inout SymbolBuilder, _ input: Symbol.Entry, _ unit: Unit)
    -> Symbol.Entry
  {
    var start: Symbol.Entry?
    var body = input
    for (index, layer) in layers(unit, strideIn: isBottleneck ? 1 : 0).enumerated() {
      body = builder.relu(
        "\(unit.name)_relu\(index + 1)", builder.batchNorm("\(unit.name)_bn\(index + 1)", body))
      start = start ?? body
      body = builder.convolution(
        "\(unit.name)_conv\(index + 1)", body, layer.filters, kernel: layer.kernel, stride: layer.stride)
    }
    let shortcut =
      unit.isFirst
      ? builder.convolution(
        "\(unit.name)_sc", start ?? input, unit.filters, kernel: 1, stride: unit.stride, hasPadding: false)
      : input
    return builder.sum(body, shortcut)
  }

  private func postActivated(_ builder: inout SymbolBuilder, _ input: Symbol.Entry, _ unit: Unit)
    -> Symbol.Entry
  {
    let layers = layers(unit, strideIn: 0)
    var body = input
    for (index, layer) in layers.enumerated() {
      body = builder.convolution(
        "\(unit.name)_conv\(index + 1)", body, layer.filters, kernel: layer.kernel, stride: layer.stride)
      body = builder.batchNorm("\(unit.name)_bn\(index + 1)", body)
      if index + 1 < layers.count { body = builder.relu("\(unit.name)_relu\(index + 1)", body) }
    }
    var shortcut = input
    if unit.isFirst {
      shortcut = builder.convolution(
        "\(unit.name)_conv1sc", input, unit.filters, kernel: 1, stride: unit.stride, hasPadding: false)
      shortcut = builder.batchNorm("\(unit.name)_sc", shortcut)
    }
    return builder.relu("\(unit.name)_relu3", builder.sum(body, shortcut))
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
