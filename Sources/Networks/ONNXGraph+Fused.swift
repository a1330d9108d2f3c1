public import Models

extension ONNXGraph {
  /// A network as the fast engine runs it: BatchNorms folded into the convolutions before them and, with a quantization, in
  /// QDQ form, which runtimes turn into sums of whole numbers.
  ///
  /// Each quantized layer has QuantizeLinear and DequantizeLinear in front of it (uint8, one step, zero 0 or 128); its
  /// weights are int8 with a step for each filter, its bias int32 in steps of the sums, corrected for the rounding of the
  /// weights. These are the numbers that `Network` computes with. What the engine stores as bfloat16 is a float here, and
  /// a runtime may round a number that lies between two steps otherwise, so outputs are alike but not the same.
  ///
  /// - Parameter quantization: nil: all is in single precision.
  /// - Throws: a `ModelError` if a parameter cannot be read, the quantization does not fit the network, or
  ///   only the reference engine can run the network.
  /// - Complexity: reads and rounds the weights of quantized layers; those of the others are read when the file is written.
  public init(_ graph: Graph, _ parameters: Parameters, fusedWith quantization: Quantization?) throws {
    let network: FusedNetwork
    // The layers are the same for any number of lanes.
    do { network = try FusedNetwork(graph, parameters, lanes: 1) } catch let error as Unplannable {
      throw ModelError(
        "node \(error.node): only the reference engine can run this network, and it neither fuses nor quantizes layers"
      )
    }
    try quantization?.check(graph)
    var emission = FusedEmission(
      graph: ONNXGraph(inputShape: graph.inputShape, name: graph.nodes[0].name), parameters: parameters,
      quantization: quantization, channels: network.values.map(\.channels))
    try emission.add(network.layers)
    emission.graph.finish(emission.value(network.output), count: graph.outputCount)
    self = emission.graph
  }
}

/// Turns layers into nodes of ONNX.
private struct FusedEmission {
  var graph: ONNXGraph
  let parameters: Parameters
  let quantization: Quantization?
  /// Those of each of the network's values.
  let channels: [Int]
  /// The network's values that were made, by their index.
  private var values: [Int: ONNXGraph.Value] = [:]
  /// What layers read of a value, made once for all of them.
  private var prologues: [Int: [(affine: Affine, value: ONNXGraph.Value)]] = [:]
  private var rounded: [ONNXGraph.Value: [NumberType: ONNXGraph.Value]] = [:]

  init(graph: ONNXGraph, parameters: Parameters, quantization: Quantization?, channels: [Int]) {
    self.graph = graph
    self.parameters = parameters
    self.quantization = quantization
    self.channels = channels
    values[0] = graph.image
  }

  /// A value that an earlier layer made.
  func value(_ index: Int) -> ONNXGraph.Value {
    guard let value = values[index] else { preconditionFailure("value \(index) is read before it is made") }
    return value
  }

  mutating func add(_ layers: [FusedLayer]) throws {
    for layer in layers {
      var value = try output(of: layer, try input(of: layer))
      if let residual = layer.residual {
        // The sum alone is a layer, too.
        let name = if case .add = layer.kind { layer.name } else { layer.name + "_sum" }
        value = graph.sum(value, self.value(residual), name: name)
      }
      if layer.relu { value = graph.apply(.relu, to: value, name: layer.name + "_relu") }
      values[layer.output] = value
    }
  }

  private mutating func output(of layer: FusedLayer, _ input: ONNXGraph.Value) throws -> ONNXGraph.Value {
    let name = layer.name
    switch layer.kind {
    case .affine, .add: return input
    case .pooling(let pooling): return graph.pool(input, pooling, name: name)
    case .flatten: return graph.flatten(input, name: name)
    case .softmax: return graph.apply(.softmax, to: row(input), name: name)
    case .sigmoid: return graph.apply(.sigmoid, to: row(input), name: name)
    case .convolution(let convolution, let scale, let bias):
      let shape = [
        convolution.filters, channels[layer.input], convolution.kernel.rows, convolution.kernel.columns,
      ]
      let given = try factors(layer, input, weight: convolution.weight, shape, scale: scale, bias: bias)
      return graph.convolve(
        given.input, convolution, weight: given.weight, bias: given.bias, name: name)
    case .dense(let dense, let bias):
      let shape = [dense.outputs, channels[layer.input]]
      let scale = [Float](repeating: 1, count: dense.outputs)
      let given = try factors(layer, row(input), weight: dense.weight, shape, scale: scale, bias: bias)
      return graph.multiply(given.input, weight: given.weight, bias: given.bias, name: name)
    }
  }

  /// A single position in blocks of channels is a vector for the engine; in ONNX it is still planes.
  private mutating func row(_ value: ONNXGraph.Value) -> ONNXGraph.Value {
    graph.flatten(value, name: "flatten")
  }

  // MARK: - What a layer reads

  /// The layer's input after its prologue.
  private mutating func input(of layer: FusedLayer) throws -> ONNXGraph.Value {
    let input = value(layer.input)
    guard let affine = layer.prologue else { return input }
    let known = prologues[layer.input, default: []].first {
      $0.affine.scale == affine.scale && $0.affine.shift == affine.shift && $0.affine.relu == affine.relu
    }
    if let known { return known.value }
    var value = input
    if affine.scale.contains(where: { $0 != 1 }) || affine.shift.contains(where: { $0 != 0 }) {
      let count = affine.scale.count
      let name = layer.name + "_norm"
      // With these statistics and an epsilon of 0 the layer's scale and shift are gamma and beta.
      let arrays = [
        graph.array(name + "_gamma", [count], .float(affine.scale)),
        graph.array(name + "_beta", [count], .float(affine.shift)),
        graph.array(name + "_mean", [count], .float(Array(repeating: 0, count: count))),
        graph.array(name + "_variance", [count], .float(Array(repeating: 1, count: count))),
      ]
      value = graph.normalize(value, arrays, epsilon: 0, name: name)
    }
    if affine.relu { value = graph.apply(.relu, to: value, name: layer.name + "_prologue") }
    prologues[layer.input, default: []].append((affine, value))
    return value
  }

  /// The input, weights and bias of a layer that multiplies, in floats or in QDQ form.
  ///
  /// - Parameter shape: that of the weights: filters first.
  private mutating func factors(
    _ layer: FusedLayer, _ input: ONNXGraph.Value, weight: String, _ shape: [Int], scale: [Float],
    bias: [Float]
  ) throws -> (input: ONNXGraph.Value, weight: String, bias: String) {
    let (name, filters) = (layer.name, [shape[0]])
    guard let quantized = quantization?.inputs[name] else {
      let isPlain = scale.allSatisfy { $0 == 1 }
      let weights = graph.array(
        name + "_weight", shape, .parameter(parameters, name: weight, scale: isPlain ? nil : scale))
      return (input, weights, graph.array(name + "_bias", filters, .float(bias)))
    }
    let type = quantized.type
    let area = shape.dropFirst(2).reduce(1, *)
    let rounded = QuantizedFilters(
      try parameters.values(of: weight), scale: scale, area: area, means: quantized.means)
    let weights = graph.dequantize(
      graph.array(name + "_weight", shape, .int8(rounded.weights)),
      step: graph.array(name + "_weight_step", filters, .float(rounded.steps)),
      zero: graph.array(name + "_weight_zero", filters, .int8(Array(repeating: 0, count: shape[0]))),
      axis: 0, name: name + "_weight_floats")
    return (round(input, to: type, name: name), weights, self.bias(rounded, bias, type, name: name))
  }

  /// QuantizeLinear and DequantizeLinear.
  private mutating func round(
    _ input: ONNXGraph.Value, to type: NumberType, name: String
  ) -> ONNXGraph.Value {
    if let known = rounded[input]?[type] { return known }
    let step = graph.array(name + "_step", [], .float([type.step]))
    let zero = graph.array(name + "_zero", [], .uint8([type.zero]))
    let value = graph.round(input, step: step, zero: zero, name: name)
    rounded[input, default: [:]][type] = value
    return value
  }

  /// The corrected bias in steps of the sums; in floats, which the layer then adds as such, if the steps are so small that
  /// it does not fit beside a sum in 32 bits.
  private mutating func bias(
    _ filters: QuantizedFilters, _ bias: [Float], _ type: NumberType, name: String
  ) -> String {
    let corrected = filters.corrected(bias)
    let units = corrected.indices.map { Float(filters.unit($0, reading: type)) }
    let limit = 0x1p30
    let steps = zip(corrected, units).compactMap { value, unit in
      let steps = (value / Double(unit)).rounded(.toNearestOrEven)
      return abs(steps) < limit ? Int32(exactly: steps) : nil
    }
    guard steps.count == corrected.count else {
      return graph.array(name + "_bias", [corrected.count], .float(corrected.map { Float($0) }))
    }
    return graph.dequantize(
      graph.array(name + "_bias", [steps.count], .int32(steps)),
      step: graph.array(name + "_bias_step", [units.count], .float(units)), zero: nil, axis: 0,
      name: name + "_bias_floats")
  }
}
