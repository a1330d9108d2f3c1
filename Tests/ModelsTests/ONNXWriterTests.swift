import Files
import TestSupport
import Testing

@testable import Models

@Suite("Written ONNX files") struct ONNXWriterTests {
  @Test("nodes, attributes and arrays are decoded as they were added")
  func decoded() throws {
    var graph = ONNXGraph(inputShape: [3, 8, 300], name: "data")
    let parameters = Parameters(["w": Parameters.Array(shape: [2, 3], values: [1, 2, 3, 4, 5, -6])])
    let arrays = [
      graph.array("float", [2], .float([0.5, -.infinity])),
      graph.array("int8", [3, 1], .int8([-127, 0, 127])), graph.array("uint8", [], .uint8([128])),
      graph.array("int32", [2], .int32([-2_000_000_000, 7])), try graph.parameter("w", of: parameters),
    ]
    #expect(try graph.parameter("w", of: parameters) == "w")
    let scaled = graph.array("w", [2, 3], .parameter(parameters, name: "w", scale: [2, -1]))
    #expect(scaled == "w_2")
    let attributes: [(key: String, value: ONNXGraph.Attribute)] = [
      ("number", .number(2e-5)), ("integer", .integer(-1)), ("integers", .integers([1, 300, 0])),
    ]
    let name = graph.add("Op", [graph.image.name] + arrays, attributes, name: "layer")
    #expect(name == "layer_output" && graph.add("Op", [], name: "layer") == "layer_2_output")
    #expect(graph.add("Op", [], name: "") == "Op_output")
    graph.finish(graph.apply(.relu, to: graph.image, name: "r"), count: 7200)
    try withScratchFolder { (folder) throws in
      let path = folder + "/x.onnx"
      try graph.write(path, metadata: [("classes", "[\"a\"]"), ("empty", "")], version: "1.0")
      let text = try #require(readScratchBytes(path))
      for part in ["imrec", "1.0", "classes", "[\"a\"]", "empty"] {
        #expect(text.contains(Array(part.utf8)), "\(part)")
      }
      let file = try ONNXFile(try InputFile(path), label: path)
      #expect(file.version == 17 && file.outputs == ["r_output_flat_output"])
      #expect(file.inputs.map(\.name) == ["data"] && file.inputs[0].shape == [nil, 3, 8, 300])
      let node = file.nodes[0]
      #expect(node.operation == "Op" && node.name == "layer" && node.outputs == ["layer_output"])
      #expect(node.inputs == ["data", "float", "int8", "uint8", "int32", "w"])
      guard case .number(let number)? = node.attributes["number"],
        case .integer(let integer)? = node.attributes["integer"],
        case .integers(let integers)? = node.attributes["integers"]
      else {
        Issue.record("an attribute has another type")
        return
      }
      #expect(number == 2e-5 && integer == -1 && integers == [1, 300, 0])
      #expect(file.nodes.map(\.operation) == ["Op", "Op", "Op", "Relu", "Flatten"])
      #expect(Set(file.nodes.map(\.name)).count == 5)
      #expect(file.arrays.map(\.name) == ["float", "int8", "uint8", "int32", "w", "w_2"])
      #expect(file.arrays.map(\.shape) == [[2], [3, 1], [], [2], [2, 3], [2, 3]])
      guard case .integers(let steps) = file.arrays[3].content else {
        Issue.record("int32 is read as whole numbers")
        return
      }
      #expect(steps == [-2_000_000_000, 7])
      var read: [[Float]] = []
      for array in file.arrays {
        guard case .numbers(let type, let offset) = array.content else { continue }
        let count = array.shape.reduce(1, *)
        let entry = ArrayFile.Entry(shape: array.shape, type: type, offset: offset, count: count)
        let numbers = ArrayFile(try InputFile(path), label: path, entries: ["a": entry])
        read.append(try numbers.values(of: entry))
      }
      #expect(read == [[0.5, -.infinity], [1, 2, 3, 4, 5, -6], [2, 4, 6, -4, -5, 6]])
    }
  }

  @Test(
    "a network is read back as the same layers and numbers",
    arguments: [(18, [3, 64, 64]), (50, [3, 40, 56]), (20, [1, 28, 28])], ResNet.Version.allCases)
  func network(_ size: (depth: Int, shape: [Int]), _ version: ResNet.Version) throws {
    let network = try ResNet(
      depth: size.depth, version: version, classCount: 5, inputShape: size.shape)
    let graph = try network.graph
    var arrays: [String: Parameters.Array] = [:]
    for (index, parameter) in graph.parameters.enumerated() {
      let count = parameter.shape.reduce(1, *)
      let values = [Float](repeating: Float(index + 1), count: count)
      arrays[parameter.name] = Parameters.Array(shape: parameter.shape, values: values)
    }
    let parameters = Parameters(arrays)
    try withScratchFolder { (folder) throws in
      let path = folder + "/x.onnx"
      try ONNXGraph(graph, parameters).write(path)
      let model = try Model(path)
      #expect(model.warnings.isEmpty && model.shapeSource == .file)
      #expect(model.graph.nodes.map(\.name) == graph.nodes.map(\.name))
      #expect(model.graph.nodes.map(\.shape) == graph.nodes.map(\.shape))
      #expect(model.graph.nodes.map(\.inputs) == graph.nodes.map(\.inputs))
      for (read, node) in zip(model.graph.nodes, graph.nodes) {
        // A fixed gamma is an array of ones in ONNX.
        if case .batchNorm(let norm) = node.operation, norm.gamma == nil {
          #expect(try model.parameters.values(of: node.name + "_gamma").allSatisfy { $0 == 1 })
        } else if case .pooling(let pooling) = node.operation, pooling.isGlobal {
          #expect(read.operation != .flatten)
        } else {
          #expect(read.operation == node.operation)
        }
      }
      for name in Set(graph.parameters.map(\.name)) {
        #expect(try model.parameters.values(of: name) == parameters.values(of: name))
      }
    }
  }

  @Test("a file that cannot be written whole leaves what its path held")
  func failures() throws {
    let parameters = Parameters(["w": Parameters.Array(shape: [2], values: [1, 2])])
    func graph(_ numbers: ONNXGraph.Numbers, _ shape: [Int]) -> ONNXGraph {
      var graph = ONNXGraph(inputShape: [1, 1, 1], name: "data")
      _ = graph.array("a", shape, numbers)
      graph.finish(graph.image, count: 1)
      return graph
    }
    try withScratchFolder { (folder) throws in
      let path = folder + "/x.onnx"
      writeScratchFile(path, Array("before".utf8))
      let missing = graph(.parameter(parameters, name: "none", scale: nil), [2])
      #expect(message { try missing.write(path) } == "there is no parameter none")
      let large = graph(.parameter(parameters, name: "w", scale: nil), [1 << 20, 1 << 10])
      #expect(
        message { try large.write(path) }
          == "\(path): it would have 4294967458 bytes; an ONNX file has less than 2147483648")
      #expect(readScratchFile(path) == "before")
      #expect(message { try large.write(folder + "/none/x.onnx") } != "nothing")
      #expect(readScratchBytes(path + ".partial") == nil)
    }
  }
}
