/// A graph of ONNX operators (operator set 17) that is put together node by node, to be written as an `.onnx` file.
///
/// The image is (N, channels, height, width) for any batch size N, which is the first dimension of every value. A node
/// has the name of the layer that it computes, so that the layer is found again in the file; further nodes of the layer
/// have that name with an ending.
public struct ONNXGraph: Sendable {
  /// The numbers of an array, row-major.
  public enum Numbers: Sendable {
    case float([Float])
    /// Floats that are read when the file is written. What lies at an index of the first dimension is multiplied by the
    /// number of `scale` there, unless that is nil.
    case parameter(Parameters, name: String, scale: [Float]?)
    case int8([Int8])
    case uint8([UInt8])
    case int32([Int32])
  }
  /// The value of a node's attribute.
  public enum Attribute: Sendable {
    case integer(Int)
    case integers([Int])
    case number(Float)
  }
  /// A value that nodes compute: its name, and whether it is (N, length) and not (N, channels, height, width).
  public struct Value: Hashable, Sendable {
    let name: String
    let isRow: Bool
  }
  struct Node: Sendable {
    let operation: String, name: String
    let inputs: [String], output: String
    let attributes: [(key: String, value: Attribute)]
  }
  struct Array: Sendable {
    let name: String
    /// Empty for a single number.
    let shape: [Int]
    let numbers: Numbers
  }
  private(set) var nodes: [Node] = []
  private(set) var arrays: [Array] = []
  /// Channels, height, width.
  let inputShape: [Int]
  /// The name of the network's output, and how many numbers it has for an image.
  private(set) var output = (name: "", count: 0)
  /// The image.
  public let image: Value
  /// The names of values and arrays, and those of nodes: runtimes refuse one that stands twice.
  private var names: Set<String> = []
  private var nodeNames: Set<String> = []
  /// The names of the arrays that stand for parameters, by those of the parameters.
  private var parameterNames: [String: String] = [:]

  /// A graph without nodes.
  ///
  /// - Parameters:
  ///   - inputShape: channels, height, width.
  ///   - name: that of the image.
  public init(inputShape: [Int], name: String) {
    self.inputShape = inputShape
    image = Value(name: name.isEmpty ? "data" : name, isRow: false)
    names = [image.name]
  }

  /// Makes a value the network's output, as (N, `count`).
  public mutating func finish(_ value: Value, count: Int) {
    output = (flatten(value, name: value.name + "_flat").name, count)
  }

  /// The name itself or, if it is taken, the name with a number.
  private static func unique(_ name: String, in names: inout Set<String>) -> String {
    var (found, count) = (name, 1)
    while !names.insert(found).inserted {
      count += 1
      found = "\(name)_\(count)"
    }
    return found
  }

  /// Adds an array.
  ///
  /// - Parameter shape: empty for a single number.
  /// - Returns: its name in the graph.
  public mutating func array(_ name: String, _ shape: [Int], _ numbers: Numbers) -> String {
    let name = Self.unique(name, in: &names)
    arrays.append(Array(name: name, shape: shape, numbers: numbers))
    return name
  }

  /// Adds a parameter as an array, once, however many nodes read it.
  ///
  /// - Returns: its name in the graph.
  /// - Throws: if there is no such parameter.
  public mutating func parameter(_ name: String, of parameters: Parameters) throws(ModelError) -> String {
    if let known = parameterNames[name] { return known }
    guard let shape = parameters.shape(of: name) else {
      throw ModelError("there is no parameter \(shown(name))")
    }
    let added = array(name, shape, .parameter(parameters, name: name, scale: nil))
    parameterNames[name] = added
    return added
  }

  /// Adds a node.
  ///
  /// - Parameters:
  ///   - inputs: names of values and arrays.
  ///   - name: that of the node, which gets a number if another one has it; its output has the same name with `_output`.
  /// - Returns: the name of its output.
  public mutating func add(
    _ operation: String, _ inputs: [String], _ attributes: [(key: String, value: Attribute)] = [],
    name: String
  ) -> String {
    let name = Self.unique(name.isEmpty ? operation : name, in: &nodeNames)
    let output = Self.unique(name + "_output", in: &names)
    nodes.append(
      Node(operation: operation, name: name, inputs: inputs, output: output, attributes: attributes))
    return output
  }

  // MARK: - Layers

  /// Adds a convolution; of `convolution` all is used but the names of the arrays.
  public mutating func convolve(
    _ input: Value, _ convolution: Convolution, weight: String, bias: String?, name: String
  ) -> Value {
    let inputs = [input.name, weight] + (bias.map { [$0] } ?? [])
    return Value(name: add("Conv", inputs, attributes(convolution), name: name), isRow: false)
  }

  private func attributes(_ convolution: Convolution) -> [(key: String, value: Attribute)] {
    windows(convolution.kernel, convolution.stride, convolution.padding)
  }

  private func windows(
    _ kernel: Extent, _ stride: Extent, _ padding: Extent
  ) -> [(key: String, value: Attribute)] {
    let pads = [padding.rows, padding.columns]
    return [
      ("kernel_shape", .integers([kernel.rows, kernel.columns])), ("pads", .integers(pads + pads)),
      ("strides", .integers([stride.rows, stride.columns])),
    ]
  }

  /// Adds a fully connected layer.
  ///
  /// - Parameter weight: (outputs, inputs).
  public mutating func multiply(_ input: Value, weight: String, bias: String?, name: String) -> Value {
    let inputs = [input.name, weight] + (bias.map { [$0] } ?? [])
    return Value(name: add("Gemm", inputs, [("transB", .integer(1))], name: name), isRow: true)
  }

  /// Adds a batch normalization.
  ///
  /// - Parameter arrays: gamma, beta, mean and variance.
  public mutating func normalize(_ input: Value, _ arrays: [String], epsilon: Double, name: String) -> Value {
    let output = add(
      "BatchNormalization", [input.name] + arrays, [("epsilon", .number(Float(epsilon)))], name: name)
    return Value(name: output, isRow: input.isRow)
  }

  /// Adds a pooling. A window that reaches beyond the padding is clipped there, as MXNet and ONNX Runtime (1.32) do.
  public mutating func pool(_ input: Value, _ pooling: Pooling, name: String) -> Value {
    var (operation, attributes) = ("MaxPool", windows(pooling.kernel, pooling.stride, pooling.padding))
    if case .average(let countsPadding) = pooling.kind {
      operation = "AveragePool"
      attributes.append(("count_include_pad", .integer(countsPadding ? 1 : 0)))
    }
    guard !pooling.isGlobal else {
      return Value(name: add("Global" + operation, [input.name], name: name), isRow: false)
    }
    if pooling.roundsUp { attributes.append(("ceil_mode", .integer(1))) }
    return Value(name: add(operation, [input.name], attributes, name: name), isRow: false)
  }

  /// Adds ReLU, softmax or sigmoid; softmax is over a row.
  public mutating func apply(_ function: Function, to input: Value, name: String) -> Value {
    Value(name: add(function.rawValue, [input.name], name: name), isRow: input.isRow)
  }

  /// What is done to each value without parameters; the raw value is the operator's name.
  public enum Function: String, Sendable {
    case relu = "Relu"
    case softmax = "Softmax"
    case sigmoid = "Sigmoid"
  }

  /// Adds the sum of two values; planes of one position are added to a row as a row.
  public mutating func sum(_ first: Value, _ second: Value, name: String) -> Value {
    var terms = [first, second]
    if first.isRow != second.isRow {
      terms = terms.map { flatten($0, name: $0.name + "_flat") }
    }
    return Value(name: add("Add", terms.map(\.name), name: name), isRow: terms[0].isRow)
  }

  /// Adds DequantizeLinear of an array: (number - zero) * step.
  ///
  /// - Parameters:
  ///   - step: the name of an array: a number for each index of dimension `axis`.
  ///   - zero: that of an array of the same shape, and the type of the numbers; nil: 0.
  /// - Returns: the name of its output.
  public mutating func dequantize(
    _ array: String, step: String, zero: String?, axis: Int, name: String
  ) -> String {
    let inputs = [array, step] + (zero.map { [$0] } ?? [])
    return add("DequantizeLinear", inputs, [("axis", .integer(axis))], name: name)
  }

  /// Adds QuantizeLinear and DequantizeLinear, which round each number to one of 256.
  ///
  /// - Parameters:
  ///   - step: the name of an array of one number.
  ///   - zero: that of an array of one uint8, which stands for 0.
  ///   - name: that of the layer that reads the numbers.
  public mutating func round(_ input: Value, step: String, zero: String, name: String) -> Value {
    let whole = add("QuantizeLinear", [input.name, step, zero], name: name + "_quantize")
    return Value(
      name: add("DequantizeLinear", [whole, step, zero], name: name + "_dequantize"), isRow: input.isRow)
  }

  /// Adds a node that makes planes a row, if it is not a row already.
  public mutating func flatten(_ input: Value, name: String) -> Value {
    if input.isRow { return input }
    return Value(name: add("Flatten", [input.name], [("axis", .integer(1))], name: name), isRow: true)
  }
}

extension ONNXGraph {
  /// A network as it is: each node of the graph becomes the operator that computes it, in single precision.
  ///
  /// The numbers of the parameters are read when the file is written.
  ///
  /// - Throws: where a parameter is missing.
  public init(_ graph: Graph, _ parameters: Parameters) throws(ModelError) {
    self.init(inputShape: graph.inputShape, name: graph.nodes[0].name)
    var values = [image]
    for node in graph.nodes.dropFirst() {
      values.append(try value(of: node, node.inputs.map { values[$0] }, parameters))
    }
    finish(values[graph.output], count: graph.outputCount)
  }

  private mutating func value(
    of node: Graph.Node, _ inputs: [Value], _ parameters: Parameters
  ) throws(ModelError) -> Value {
    let input = inputs.first ?? image
    switch node.operation {
    case .input: return image
    case .convolution(let convolution):
      let weight = try parameter(convolution.weight, of: parameters)
      let bias = try optional(convolution.bias, of: parameters)
      return convolve(input, convolution, weight: weight, bias: bias, name: node.name)
    case .batchNorm(let norm):
      // Where gamma is fixed there is no array.
      let gamma =
        try optional(norm.gamma, of: parameters)
        ?? array(node.name + "_gamma", [node.shape[0]], .float(.init(repeating: 1, count: node.shape[0])))
      var arrays = [gamma]
      for name in [norm.beta, norm.mean, norm.variance] {
        arrays.append(try parameter(name, of: parameters))
      }
      return normalize(input, arrays, epsilon: norm.epsilon, name: node.name)
    case .relu: return apply(.relu, to: input, name: node.name)
    case .pooling(let pooling): return pool(input, pooling, name: node.name)
    case .add: return sum(inputs[0], inputs[1], name: node.name)
    case .flatten: return flatten(input, name: node.name)
    case .dense(let dense):
      let weight = try parameter(dense.weight, of: parameters)
      let bias = try optional(dense.bias, of: parameters)
      return multiply(input, weight: weight, bias: bias, name: node.name)
    case .softmax: return apply(.softmax, to: flatten(input, name: node.name + "_flat"), name: node.name)
    case .sigmoid: return apply(.sigmoid, to: input, name: node.name)
    }
  }

  private mutating func optional(
    _ name: String?, of parameters: Parameters
  ) throws(ModelError) -> String? {
    guard let name else { return nil }
    return try parameter(name, of: parameters)
  }
}
