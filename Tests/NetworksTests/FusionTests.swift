import Models
import TestSupport
import Testing

@testable import Networks

extension FusedLayer {
  /// What it does in words: the prologue, the step, and what is done to its output.
  var summary: String {
    let step =
      switch kind {
      case .convolution: "convolution"
      case .pooling: "pooling"
      case .affine: "affine"
      case .add: "add"
      case .flatten: "flatten"
      case .dense: "dense"
      case .softmax: "softmax"
      case .sigmoid: "sigmoid"
      }
    let before = prologue.map { $0.relu ? "norm relu " : "norm " } ?? ""
    return "\(name): \(before)\(step)\(residual == nil ? "" : " + shortcut")\(relu ? " relu" : "")"
  }
}

@Suite("Fusion") struct FusionTests {
  private func layers(_ graph: Graph) throws -> [String] {
    var random = SplitMix64(seed: 1)
    let narrow = graph.narrowed(by: 16)
    return try FusedNetwork(narrow, Parameters(randomFor: narrow, using: &random), lanes: 16).layers.map(
      \.summary)
  }

  @Test("leaves nothing but convolutions of a post-activation unit")
  func postActivation() throws {
    let all = try layers(ResNet(depth: 18, version: .v1, inputShape: [3, 64, 64]).graph)
    #expect(
      Array(all.prefix(5)) == [
        "conv0: convolution relu", "pooling0: pooling",
        "stage1_unit1_conv1: convolution relu", "stage1_unit1_conv2: convolution",
        "stage1_unit1_conv1sc: convolution + shortcut relu",
      ])
    #expect(
      Array(all[5..<7]) == [
        "stage1_unit2_conv1: convolution relu", "stage1_unit2_conv2: convolution + shortcut relu",
      ])
    #expect(Array(all.suffix(3)) == ["pool1: pooling", "fc1: dense", "softmax: softmax"])
    #expect(all.count == 2 + 4 * 5 + 3)
  }

  @Test("makes BatchNorm and ReLU of a pre-activation unit the prologue of its convolutions")
  func preActivation() throws {
    let all = try layers(ResNet(depth: 50, version: .v2, inputShape: [3, 64, 64]).graph)
    #expect(
      Array(all.prefix(9)) == [
        "conv0: norm convolution relu", "pooling0: pooling",
        "stage1_unit1_conv1: norm relu convolution relu", "stage1_unit1_conv2: convolution relu",
        "stage1_unit1_conv3: convolution", "stage1_unit1_sc: norm relu convolution + shortcut",
        "stage1_unit2_conv1: norm relu convolution relu", "stage1_unit2_conv2: convolution relu",
        "stage1_unit2_conv3: convolution + shortcut",
      ])
    #expect(Array(all.suffix(3)) == ["pool1: norm relu pooling", "fc1: dense", "softmax: softmax"])
    #expect(all.count == 2 + 16 * 3 + 4 + 3)
  }

  @Test("stores a BatchNorm whose readers have no prologue, and once only")
  func stored() throws {
    var maker = GraphMaker(seed: 2, input: [3, 5, 5])
    let shared = maker.relu(maker.batchNorm(maker.relu(maker.stem())))
    let sum = maker.add(maker.convolution(shared, filters: 20), shared)
    _ = maker.relu(maker.add(maker.relu(sum), shared))
    let network = try FusedNetwork(maker.graph, maker.parameters, lanes: 16)
    #expect(
      network.layers.map(\.summary) == [
        "node1: convolution relu", "node4: norm relu affine", "node5: convolution + shortcut relu",
        "node8: add + shortcut relu", "node9: flatten",
      ])
  }

  @Test("folds the numbers of BatchNorm into the weights of a channel")
  func folded() throws {
    let arrays =
      ["gamma": [2, -1], "beta": [0.5, 3], "mean": [1, -2], "variance": [4 - 1e-3, 0.25 - 1e-3]]
      as [String: [Float]]
    let parameters = Parameters(arrays.mapValues { Parameters.Array(shape: [2], values: $0) })
    let norm = BatchNorm(epsilon: 1e-3, gamma: "gamma", beta: "beta", mean: "mean", variance: "variance")
    let affine = try Affine(norm, parameters)
    for (found, expected) in zip(affine.scale + affine.shift, [1, -2, -0.5, -1] as [Float]) {
      #expect(abs(found - expected) < 1e-6)
    }
    // 3 x + 1, then 2 y - 1, then ReLU.
    let both = Affine(scale: [3], shift: [1]).then(Affine(scale: [2], shift: [-1], relu: true))
    #expect(both.scale == [6] && both.shift == [1] && both.relu)
  }
}

@Suite("The arena") struct MemoryPlanTests {
  /// A network of random form, with values of one size and shortcuts over any distance.
  private func network(seed: UInt64) throws -> FusedNetwork {
    var random = SplitMix64(seed: seed)
    var maker = GraphMaker(seed: seed, input: [2, 4, 4])
    // Nodes of 4x4 positions by channels.
    var places: [Int: [Int]] = [16: [maker.convolution(0, filters: 16)]]
    for _ in 0..<Int.random(in: 3...18, using: &random) {
      guard let channels = places.keys.sorted().randomElement(using: &random),
        let one = places[channels]?.randomElement(using: &random),
        let other = places[channels]?.randomElement(using: &random)
      else { continue }
      var filters = channels
      let node: Int
      switch Int.random(in: 0...6, using: &random) {
      case 0, 1: (filters, node) = (channels, maker.add(maker.convolution(one, filters: channels), other))
      case 2:
        filters = [5, 16, 32].randomElement(using: &random) ?? 16
        node = maker.convolution(maker.relu(one), filters: filters, kernel: (1, 1), padding: (0, 0))
      case 3: node = maker.relu(maker.batchNorm(one))
      case 4: node = maker.add(one, other)
      case 5: node = maker.pooling(one, .maximum, stride: (1, 1))
      default: node = maker.relu(one)
      }
      places[filters, default: []].append(node)
    }
    _ = maker.head(maker.nodes.count - 1)
    return try FusedNetwork(maker.graph, maker.parameters, lanes: 16)
  }

  /// Runs the plan on an arena that only remembers which value lies where.
  ///
  /// - Returns: a sentence for each fault.
  private func faults(_ network: FusedNetwork, _ plan: MemoryPlan, images: Int, perImage: Int) -> [String] {
    struct Owner: Equatable { let value: Int, image: Int }
    // An owner for each cache line.
    let line = MemoryPlan.alignment
    var arena = [Owner?](repeating: nil, count: plan.byteCount / line)
    var faults: [String] = []
    func place(_ value: Int, _ image: Int) -> Range<Int> {
      let start = plan.offset(of: value, image: image)
      if start % line != 0 { faults.append("value \(value) of image \(image) begins within a cache line") }
      return start / line..<(start + network.values[value].byteCount) / line
    }
    func read(_ value: Int, _ image: Int, for name: String) {
      guard value != 0 else { return }
      if arena[place(value, image)].contains(where: { $0 != Owner(value: value, image: image) }) {
        faults.append("\(name): value \(value) of image \(image) is lost")
      }
    }
    func run(_ layer: FusedLayer, _ images: Range<Int>) {
      // A layer may read any image after it wrote any other.
      for image in images {
        let output = place(layer.output, image)
        guard output.lowerBound >= 0, output.upperBound <= arena.count else {
          faults.append("\(layer.name): outside of the arena")
          continue
        }
        for other in images where layer.input != 0 && place(layer.input, other).overlaps(output) {
          faults.append("\(layer.name): writes over its input")
        }
        for other in images {
          guard let residual = layer.residual, place(residual, other).overlaps(output) else { continue }
          if other != image || place(residual, other) != output {
            faults.append("\(layer.name): writes beside the shortcut")
          }
        }
      }
      for image in images {
        read(layer.input, image, for: layer.name)
        if let residual = layer.residual { read(residual, image, for: layer.name) }
      }
      for image in images {
        for index in place(layer.output, image) where arena.indices.contains(index) {
          arena[index] = Owner(value: layer.output, image: image)
        }
      }
    }
    for image in 0..<images { for layer in network.layers[..<perImage] { run(layer, image..<image + 1) } }
    for layer in network.layers[perImage...] { run(layer, 0..<images) }
    for image in 0..<images { read(network.output, image, for: "the end") }
    return faults
  }

  @Test(
    "never overwrites a value that is still needed, for any number of images at once or in turn",
    arguments: 0..<40)
  func lifetimes(_ seed: UInt64) throws {
    let network = try network(seed: seed)
    for images in 1...4 {
      for perImage in 0...network.layers.count {
        let plan = MemoryPlan(network, images: images, perImageLayers: perImage)
        let faults = faults(network, plan, images: images, perImage: perImage)
        #expect(faults == [], "seed \(seed), \(images) images, \(perImage) layers image by image")
      }
    }
  }

  @Test("reuses memory: a chain takes the memory of two values, however long it is")
  func chain() throws {
    var maker = GraphMaker(seed: 3, input: [2, 4, 4])
    var body = maker.convolution(0, filters: 16)
    for _ in 0..<20 { body = maker.convolution(maker.relu(body), filters: 16) }
    _ = maker.head(body)
    let network = try FusedNetwork(maker.graph, maker.parameters, lanes: 16)
    let value = network.values[1].byteCount + MemoryPlan.alignment
    #expect(MemoryPlan(network, images: 1, perImageLayers: 0).byteCount <= 2 * value)
    #expect(MemoryPlan(network, images: 3, perImageLayers: 0).byteCount <= 6 * value)
    // Image by image, only the last value of each image has memory of its own.
    #expect(MemoryPlan(network, images: 3, perImageLayers: network.layers.count).byteCount < 3 * value)
  }

  /// Version 1 needs the most memory in a unit of the first stage with its shortcut: at most three values of 256
  /// channels at 56x56 positions, of which the sum is computed in place.
  @Test("of ResNet-50 for one image is below 10 MiB", arguments: ResNet.Version.allCases)
  func bound(_ version: ResNet.Version) throws {
    let graph = try ResNet(depth: 50, version: version).graph
    // Fusion reads no weights of convolutions.
    var arrays: [String: Parameters.Array] = [:]
    for node in graph.nodes {
      switch node.operation {
      case .batchNorm(let norm):
        for name in [norm.gamma, norm.beta, norm.mean, norm.variance] {
          if let name {
            arrays[name] = Parameters.Array(
              shape: [node.shape[0]], values: Array(repeating: 1, count: node.shape[0]))
          }
        }
      case .dense(let dense):
        if let name = dense.bias {
          arrays[name] = Parameters.Array(shape: [1000], values: Array(repeating: 1, count: 1000))
        }
      default: break
      }
    }
    let network = try FusedNetwork(graph, Parameters(arrays), lanes: 16)
    let bytes = MemoryPlan(network, images: 1, perImageLayers: 0).byteCount
    #expect(bytes < 10 << 20)
    // No less than the input and the output of the largest layer.
    #expect(bytes >= 4 * (256 + 64) * 56 * 56)
  }
}
