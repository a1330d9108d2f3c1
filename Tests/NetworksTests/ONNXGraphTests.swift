import TestSupport
import Testing

@testable import Models
@testable import Networks

@Suite("Networks as ONNX") struct ONNXGraphTests {
  /// A network with operators that no ResNet has, or has elsewhere.
  private static func odd() -> GraphMaker {
    var maker = GraphMaker(seed: 91, input: [3, 22, 31])
    var body = maker.convolution(0, filters: 10, kernel: (3, 5), stride: (1, 2), padding: (0, 2), bias: true)
    body = maker.pooling(maker.relu(body), .maximum, roundsUp: true)
    body = maker.pooling(body, .average(countsPadding: false), stride: (1, 1), roundsUp: true)
    body = maker.relu(maker.pooling(body, .average(countsPadding: true), roundsUp: true))
    let one = maker.convolution(body, filters: 10)
    let two = maker.batchNorm(maker.convolution(body, filters: 10))
    body = maker.relu(maker.add(maker.relu(one), maker.relu(two)))
    body = maker.flatten(maker.pooling(body, .maximum, isGlobal: true))
    body = maker.dense(maker.relu(maker.dense(body, outputs: 10, bias: false)), outputs: 6)
    _ = maker.sigmoid(body)
    return maker
  }

  private static func resNet(_ depth: Int, _ version: ResNet.Version, _ input: [Int]) throws -> Trial {
    let graph = try ResNet(depth: depth, version: version, classCount: 7, inputShape: input).graph
      .narrowed(by: 4)
    var random = SplitMix64(seed: 92)
    return Trial(graph, Parameters(randomFor: graph, inputVariance: 1.0 / 3, using: &random))
  }

  private static func trial(_ index: Int) throws -> Trial {
    switch index {
    case 0: Trial(odd())
    case 1: Trial(.preActivation(seed: 93, input: [3, 37, 41], classes: 6))
    case 2: try resNet(18, .v1, [3, 48, 48])
    case 3: try resNet(50, .v2, [4, 33, 47])
    case 4: try resNet(50, .v1, [3, 40, 40])
    default: try resNet(20, .v2, [1, 28, 28])
    }
  }

  @Test("written as they are, and fused, are read back with the same output bits", arguments: 0..<6)
  func readBack(_ index: Int) throws {
    let trial = try Self.trial(index)
    var noise = Noise(seed: 94)
    let images = noise.floats(2 * trial.graph.inputShape.reduce(1, *))
    let expected = try trial.network(Trial.Plan()).outputs(images, count: 2).map(\.bitPattern)
    let graphs = [
      try ONNXGraph(trial.graph, trial.parameters),
      try ONNXGraph(trial.graph, trial.parameters, fusedWith: nil),
    ]
    try withScratchFolder { (folder) throws in
      for (place, graph) in graphs.enumerated() {
        let path = folder + "/x.onnx"
        try graph.write(path)
        let model = try Model(path)
        #expect(model.warnings.isEmpty)
        let found = try Trial(model.graph, model.parameters).network(Trial.Plan()).outputs(images, count: 2)
        #expect(found.map(\.bitPattern) == expected, "\(place == 0 ? "as it is" : "fused")")
      }
    }
  }

  private func quantization(_ trial: Trial) throws -> (layers: [String], all: Quantization) {
    var noise = Noise(seed: 95)
    let images = noise.floats(2 * trial.graph.inputShape.reduce(1, *))
    let calibrator = try Calibrator(trial.graph, trial.parameters)
    try calibrator.add(images.span, count: 2)
    return (calibrator.layers, calibrator.quantization(.maximum))
  }

  private struct Written {
    let file: ONNXFile
    private let path: String

    init(_ graph: ONNXGraph, _ path: String) throws {
      try graph.write(path)
      file = try ONNXFile(try openFile(path), label: path)
      self.path = path
    }

    /// The node that computes a value.
    func writer(of name: String) -> ONNXFile.Node? { file.nodes.first { $0.outputs == [name] } }

    func shape(_ name: String) -> [Int]? { file.arrays.first { $0.name == name }?.shape }

    func floats(_ name: String) throws -> [Float] {
      guard let array = file.arrays.first(where: { $0.name == name }),
        case .numbers(let type, let offset) = array.content
      else { return [] }
      let count = array.shape.reduce(1, *)
      let entry = ArrayFile.Entry(shape: array.shape, type: type, offset: offset, count: count)
      return try ArrayFile(try openFile(path), label: path, entries: ["": entry]).values(of: entry)
    }

    func integers(_ name: String) -> [Int] {
      guard case .integers(let numbers)? = file.arrays.first(where: { $0.name == name })?.content else {
        return []
      }
      return numbers.compactMap { $0 }
    }
  }

  @Test(
    "in QDQ form have the steps, zeros and biases of the engine, and kept layers in floats", arguments: 0..<6)
  func numbers(_ index: Int) throws {
    let trial = try Self.trial(index)
    var (layers, quantization) = try quantization(trial)
    let kept = layers[2]
    quantization.inputs[kept] = nil
    let fused = try FusedNetwork(trial.graph, trial.parameters, lanes: 16)
    let graph = try ONNXGraph(trial.graph, trial.parameters, fusedWith: quantization)
    try withScratchFolder { (folder) throws in
      let written = try Written(graph, folder + "/x.onnx")
      for layer in fused.layers {
        let (weight, scale, bias): (String, [Float], [Float])
        switch layer.kind {
        case .convolution(let convolution, let scales, let biases):
          (weight, scale, bias) = (convolution.weight, scales, biases)
        case .dense(let dense, let biases):
          (weight, scale, bias) = (dense.weight, biases.map { _ in 1 }, biases)
        default: continue
        }
        let node = try #require(written.file.nodes.first { $0.name == layer.name })
        let shape = try #require(trial.parameters.shape(of: weight))
        guard let input = quantization.inputs[layer.name] else {
          #expect(layer.name == kept && written.shape(node.inputs[1]) == shape)
          #expect(try written.floats(node.inputs[2]) == bias)
          continue
        }
        let sources = try node.inputs.map { try #require(written.writer(of: $0)) }
        #expect(sources.map(\.operation) == ["DequantizeLinear", "DequantizeLinear", "DequantizeLinear"])
        let rounding = try #require(written.writer(of: sources[0].inputs[0]))
        #expect(rounding.operation == "QuantizeLinear" && rounding.inputs[1...] == sources[0].inputs[1...])
        #expect(try written.floats(rounding.inputs[1]) == [input.type.step])
        #expect(written.shape(rounding.inputs[2]) == [] && written.shape(sources[1].inputs[0]) == shape)
        let filters = QuantizedFilters(
          try trial.parameters.values(of: weight), scale: scale, area: shape.dropFirst(2).reduce(1, *),
          means: input.means)
        #expect(try written.floats(sources[1].inputs[1]) == filters.steps)
        let (units, steps) = (
          try written.floats(sources[2].inputs[1]), written.integers(sources[2].inputs[0])
        )
        guard steps.count == bias.count else {
          #expect(bias.count > ONNXFile.largestIntegerCount)
          continue
        }
        for (filter, corrected) in filters.corrected(bias).enumerated() {
          let unit = filters.unit(filter, reading: input.type)
          #expect(units[filter] == Float(unit))
          #expect(abs(Double(steps[filter]) * Double(units[filter]) - corrected) <= unit * 0.5001)
        }
      }
    }
  }

  @Test("a bias that does not fit in 32 bits beside a sum stays in floats")
  func largeBias() throws {
    var maker = GraphMaker(seed: 96, input: [3, 6, 6])
    let body = maker.convolution(0, filters: 4, bias: true)
    _ = maker.softmax(maker.flatten(maker.pooling(body, .maximum, isGlobal: true)))
    var arrays = maker.arrays
    let weight = try #require(arrays["node1_weight"])
    arrays["node1_weight"] = Parameters.Array(
      shape: weight.shape, values: weight.values.enumerated().map { $0 < 27 ? $1 * 1e-20 : $1 })
    let trial = Trial(maker.graph, Parameters(arrays))
    let quantization = try quantization(trial).all
    let graph = try ONNXGraph(trial.graph, trial.parameters, fusedWith: quantization)
    try withScratchFolder { (folder) throws in
      let written = try Written(graph, folder + "/x.onnx")
      let node = try #require(written.file.nodes.first { $0.operation == "Conv" })
      let bias = try #require(arrays["node1_bias"]).values
      let found = try written.floats(node.inputs[2])
      #expect(found.count == 4 && greatestDifference(found, bias) < 0.1)
      #expect(written.writer(of: node.inputs[1])?.operation == "DequantizeLinear")
    }
  }

  @Test("a quantization of another network, and a network that only the reference engine runs, are refused")
  func refusals() throws {
    let trial = try Self.trial(1)
    let other = Quantization(inputs: ["conv9": Quantization.Input(range: 0...1)])
    #expect(
      message { _ = try ONNXGraph(trial.graph, trial.parameters, fusedWith: other) }
        == "the network has no convolution or fully connected layer conv9")
    var maker = GraphMaker(seed: 97, input: [3, 8, 8])
    _ = maker.dense(maker.flatten(maker.pooling(0, .maximum)), outputs: 3)
    #expect(
      message { _ = try ONNXGraph(maker.graph, maker.parameters, fusedWith: nil) }
        == "node node1: only the reference engine can run this network, and it neither fuses nor quantizes layers"
    )
  }
}
