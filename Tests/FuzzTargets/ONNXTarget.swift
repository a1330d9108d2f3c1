import Models

// Protocol Buffers' wire format, as far as a seed needs it: lengths and numbers below 128 take one byte.

private func number(_ value: Int) -> [UInt8] {
  value < 0x80 ? [UInt8(value)] : [UInt8(value & 0x7F | 0x80)] + number(value >> 7)
}

private func field(_ key: Int, _ bytes: [UInt8]) -> [UInt8] {
  number(key << 3 | 2) + number(bytes.count) + bytes
}

private func field(_ key: Int, _ text: String) -> [UInt8] { field(key, Array(text.utf8)) }

private func field(_ key: Int, _ value: Int) -> [UInt8] { number(key << 3) + number(value) }

private func array(_ name: String, _ shape: [Int], type: Int = 1, byteCount: Int = 4) -> [UInt8] {
  let numbers = [UInt8](repeating: 0x3C, count: byteCount * shape.reduce(1, *))
  return field(5, shape.flatMap { field(1, $0) } + field(2, type) + field(8, name) + field(9, numbers))
}

private func node(_ operation: String, _ inputs: [String], _ output: String, _ lists: [(String, [Int])] = [])
  -> [UInt8]
{
  let attributes = lists.flatMap { name, values in
    // One number is a number of its own, several are a list.
    let content =
      values.count == 1 ? field(3, values[0]) + field(20, 2) : values.flatMap { field(8, $0) } + field(20, 7)
    return field(5, field(1, name) + content)
  }
  return field(1, inputs.flatMap { field(1, $0) } + field(2, output) + field(4, operation) + attributes)
}

private func model(_ graph: [UInt8]) -> [UInt8] {
  let sizes = [field(2, "N"), field(1, 3), field(1, 9), field(1, 9)].flatMap { field(1, $0) }
  let input = field(11, field(1, "x") + field(2, field(1, field(1, 1) + field(2, sizes))))
  return field(1, 8) + field(7, graph + input + field(12, field(1, "y"))) + field(8, field(2, 17))
}

private let residual = model(
  node("BatchNormalization", ["x", "g", "g", "g", "g"], "n")
    + node(
      "Conv", ["n", "w", "b"], "c",
      [("kernel_shape", [3, 3]), ("pads", [1, 1, 1, 1]), ("strides", [2, 1])])
    + node("Relu", ["c"], "r")
    + node("MaxPool", ["r"], "m", [("kernel_shape", [3, 3]), ("pads", [1, 1, 1, 1])])
    + node("Conv", ["m", "v"], "d") + node("Add", ["d", "r"], "s")
    + node("GlobalAveragePool", ["s"], "a") + node("Flatten", ["a"], "f", [("axis", [1])])
    + node("Gemm", ["f", "k", "o"], "y", [("transB", [1])])
    + array("g", [3]) + array("w", [2, 3, 3, 3]) + array("b", [2]) + array("v", [2, 2, 1, 1])
    + array("k", [2, 2])
    + array("o", [2]))

private let converted = model(
  node("Cast", ["h"], "w", [("to", [1])]) + node("Conv", ["x", "w"], "c") + node("Identity", ["c"], "i")
    + node(
      "AveragePool", ["i"], "p", [("kernel_shape", [2, 2]), ("count_include_pad", [1]), ("ceil_mode", [1])])
    + node("ReduceMean", ["p"], "e", [("axes", [2, 3]), ("keepdims", [1])]) + node("Dropout", ["e"], "q")
    + node("Reshape", ["q", "t"], "f") + node("MatMul", ["f", "k"], "z") + node("Add", ["z", "o"], "l")
    + node("Softmax", ["l"], "y") + array("h", [2, 3, 1, 1], type: 10, byteCount: 2)
    + array("k", [2, 2], type: 11, byteCount: 8) + array("o", [2], type: 16, byteCount: 2)
    + field(
      5,
      field(1, 2) + field(2, 7) + field(8, "t")
        + field(7, number(0) + [UInt8](repeating: 0xFF, count: 9) + [1])))

let onnxFiles = FuzzTarget(
  "onnx",
  words: [
    "Conv", "Gemm", "Identity", "Sigmoid", "GlobalMaxPool", "ReduceMean", "Constant", "value", "auto_pad",
    "dilations",
    "group", "axes", "epsilon", [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f],
    [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
  ],
  seeds: { [residual, converted] },
  check: { input, scratch in
    let path = try scratch.file(input, "input.onnx")
    let model: Model
    do throws(ModelError) { model = try Model(path) } catch { return try requireSentence(error) }
    for (index, node) in model.graph.nodes.enumerated() {
      try require(node.inputs.allSatisfy { (0..<index).contains($0) }, "inputs come before their node")
      try require(node.shape.reduce(1, *) <= Graph.largestCount, "no output is larger than allowed")
    }
    for parameter in model.graph.parameters {
      guard let values = try? model.parameters.values(of: parameter.name) else {
        throw BrokenPromise(description: "every parameter can be read")
      }
      try require(values.count == parameter.shape.reduce(1, *), "every parameter has its numbers")
    }
  })
