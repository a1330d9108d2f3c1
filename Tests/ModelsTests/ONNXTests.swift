import TestSupport
import Testing

@testable import Models

@Suite("ONNX files") struct ONNXTests {
  private func open<Result>(_ bytes: [UInt8], _ body: (Model) throws -> Result) throws -> Result {
    try withScratchFolder { (folder) throws in
      writeScratchFile(folder + "/x.onnx", bytes)
      return try body(try Model(folder + "/x.onnx"))
    }
  }

  private func refusal(_ bytes: [UInt8]) -> String {
    withScratchFolder { folder in
      writeScratchFile(folder + "/x.onnx", bytes)
      return message { _ = try Model(folder + "/x.onnx") }.replacing(folder + "/x.onnx: ", with: "")
    }
  }

  private typealias Make = ONNXBytes

  /// Convolution, BatchNorm, ReLU, a block with a shortcut, an average and a fully connected layer.
  static func residual(head: [[UInt8]]? = nil, arrays: [[UInt8]] = [], stem: [[UInt8]]? = nil) -> [UInt8] {
    let norm = ["g", "b", "m", "v"]
    let begin =
      stem ?? [
        Make.node(
          "Conv", ["x", "w"], "c",
          [
            ("kernel_shape", .integers([3, 3])), ("pads", .integers([1, 1, 1, 1])),
            ("strides", .integers([2, 1])),
          ]),
        Make.node("BatchNormalization", ["c"] + norm, "n", [("epsilon", .number(2e-5))], name: "bn"),
      ]
    let body = [
      Make.node("Relu", ["n"], "r"),
      Make.node(
        "MaxPool", ["r"], "p", [("kernel_shape", .integers([3, 3])), ("pads", .integers([1, 1, 1, 1]))]),
      Make.node("Conv", ["p", "w2", "bias"], "d", [("pads", .integers([0, 0, 0, 0]))]),
      Make.node("Add", ["d", "r"], "s"), Make.node("GlobalAveragePool", ["s"], "a"),
    ]
    let end =
      head ?? [
        Make.node("Flatten", ["a"], "f"),
        Make.node("Gemm", ["f", "fc", "fcb"], "y", [("transB", .integer(1))]),
      ]
    let own =
      [Make.array("w", [4, 3, 3, 3]), Make.array("w2", [4, 4, 1, 1]), Make.array("bias", [4])]
      + norm.map { Make.array($0, [4]) }
    let dense = head == nil ? [Make.array("fc", [2, 4]), Make.array("fcb", [2])] : []
    return Make.model(begin + body + end, arrays: own + dense + arrays)
  }

  @Test("a residual network is the graph that MXNet's operators make")
  func graph() throws {
    try open(Self.residual()) { model in
      let operations = model.graph.nodes.map(\.operation)
      let three = Extent(rows: 3, columns: 3)
      let one = Extent(rows: 1, columns: 1)
      let none = Extent(rows: 0, columns: 0)
      #expect(
        operations == [
          .input,
          .convolution(
            Convolution(
              filters: 4, kernel: three, stride: Extent(rows: 2, columns: 1), padding: one, weight: "w",
              bias: nil)),
          .batchNorm(BatchNorm(epsilon: 2e-5, gamma: "g", beta: "b", mean: "m", variance: "v")), .relu,
          .pooling(
            Pooling(
              kind: .maximum, kernel: three, stride: one, padding: one, roundsUp: false, isGlobal: false)),
          .convolution(
            Convolution(filters: 4, kernel: one, stride: one, padding: none, weight: "w2", bias: "bias")),
          .add,
          .pooling(
            Pooling(
              kind: .average(countsPadding: true), kernel: Extent(rows: 5, columns: 7), stride: one,
              padding: none,
              roundsUp: false, isGlobal: true)),
          .flatten, .dense(Dense(outputs: 2, weight: "fc", bias: "fcb")), .softmax,
        ])
      #expect(model.graph.inputShape == [3, 9, 7] && model.graph.outputCount == 2)
      #expect(model.shapeSource == .file && model.format == .torchvision && model.warnings.isEmpty)
      #expect(model.graph.nodes[2].name == "bn" && model.graph.nodes[3].name == "r")
    }
  }

  @Test("a network that begins with a BatchNorm of the image is one of MXNet's")
  func normalized() throws {
    let norm = ["g", "b", "m", "v"]
    let nodes = [
      Make.node("BatchNormalization", ["x"] + norm, "n", [("epsilon", .number(1e-3))]),
      Make.node("Flatten", ["n"], "f"), Make.node("Gemm", ["f", "fc"], "s", [("transB", .integer(1))]),
      Make.node("Softmax", ["s"], "y", [("axis", .integer(1))]),
    ]
    let arrays =
      norm.map { Make.array($0, [3]) } + [Make.array("fc", [2, 12]), Make.array("left over", [7])]
    // As versions of the format before 4 do, the arrays are inputs, too.
    let inputs = [Make.input("x", [nil, 3, nil, nil]), Make.input("fc", [2, 12])]
    try open(Make.model(nodes, arrays: arrays, inputs: [Make.input("x", [1, 3, 2, 2])] + inputs.dropFirst()))
    {
      #expect($0.format == .mxnet && $0.graph.nodes.filter { $0.operation == .softmax }.count == 1)
      #expect($0.warnings == ["\($0.path): 1 parameters belong to no node: left over"])
    }
    #expect(
      refusal(Make.model(nodes, arrays: arrays, inputs: inputs))
        == "the parameter fc has the shape (2, 12); (2, 150528) is expected")
  }

  @Test("weights stored by columns are turned; float, half, double and bfloat16 are read")
  func numbers() throws {
    let nodes = [
      Make.node("Flatten", ["x"], "f"), Make.node("MatMul", ["f", "k"], "p"),
      Make.node("Add", ["b", "p"], "q"),
      Make.node("Cast", ["half"], "whole", [("to", .integer(1))]),
      Make.node("Gemm", ["q", "whole", "row"], "t", [("transB", .integer(0))]),
      Make.node("Gemm", ["t", "double", "brain"], "y", [("transB", .integer(1))]),
    ]
    let values = Make.field(4, Make.bytes([1, 2, 3, 4, 5, 6]))
    let arrays = [
      Make.array("k", [3, 2], data: values), Make.array("b", [2], data: Make.field(9, Make.bytes([7, 8]))),
      Make.array("half", [2, 1], type: 10, data: Make.field(9, [0x00, 0x3C, 0x00, 0xC0])),
      Make.array("row", [1, 1], data: Make.field(9, Make.bytes([0.5]))),
      Make.array("double", [1, 1], type: 11, data: Make.field(10, [0, 0, 0, 0, 0, 0, 0x04, 0x40])),
      Make.array("brain", [1], type: 16, data: Make.field(9, [0x20, 0x40])),
    ]
    try open(Make.model(nodes, arrays: arrays, inputs: [Make.input("x", [nil, 3, 1, 1])])) { model throws in
      let layers = model.graph.nodes.compactMap { node in
        if case .dense(let dense) = node.operation { dense } else { nil }
      }
      #expect(layers.map(\.outputs) == [2, 1, 1])
      let weights = try layers.map { try model.parameters.values(of: $0.weight) }
      #expect(weights == [[1, 3, 5, 2, 4, 6], [1, -2], [2.5]])
      let biases = try layers.map { try model.parameters.values(of: $0.bias ?? "none") }
      #expect(biases == [[7, 8], [0.5], [2.5]])
    }
  }

  @Test(
    "a row is made of planes by Flatten, Reshape or a mean without its dimensions",
    arguments: [
      [Make.node("Reshape", ["a", "shape"], "f")],
      [
        Make.node("Constant", [], "one", [("value", .array(Make.integers("", [-1, 4])))]),
        Make.node("Reshape", ["a", "one"], "f"),
      ],
      [Make.node("ReduceMean", ["s"], "f", [("axes", .integers([2, 3])), ("keepdims", .integer(0))])],
      [Make.node("ReduceMean", ["s", "axes"], "e"), Make.node("Flatten", ["e"], "f")],
      [
        Make.node("Identity", ["a"], "e"), Make.node("Dropout", ["e"], "h"), Make.node("Flatten", ["h"], "f"),
      ],
    ])
  func rows(_ nodes: [[UInt8]]) throws {
    let dense = Make.node("Gemm", ["f", "fc"], "y", [("transB", .integer(1))])
    let arrays = [
      Make.array("fc", [2, 4]), Make.integers("shape", [0, -1]), Make.integers("axes", [-2, -1]),
    ]
    try open(Self.residual(head: nodes + [dense], arrays: arrays)) { model in
      #expect(model.graph.nodes.suffix(4).map(\.shape) == [[4, 1, 1], [4], [2], [2]])
    }
  }

  @Test("arrays that stand under two names, and two orders of one array, are each read as they are used")
  func shared() throws {
    let nodes = [
      Make.node("Flatten", ["x"], "f"), Make.node("Identity", ["k"], "same"),
      Make.node("Gemm", ["f", "same"], "p", [("transB", .integer(1))]), Make.node("MatMul", ["p", "k"], "y"),
    ]
    let arrays = [Make.array("k", [2, 2], data: Make.field(9, Make.bytes([1, 2, 3, 4])))]
    try open(Make.model(nodes, arrays: arrays, inputs: [Make.input("x", [nil, 1, 2, 1])])) { model throws in
      #expect(model.parameters.names == ["k", "k'"])
      #expect(try model.parameters.values(of: "k") == [1, 2, 3, 4])
      #expect(try model.parameters.values(of: "k'") == [1, 3, 2, 4])
    }
  }

  @Test("sizes that the file leaves open are assumed and reported")
  func openSizes() throws {
    let nodes = [Make.node("Conv", ["x", "w"], "c"), Make.node("GlobalAveragePool", ["c"], "y")]
    let bytes = Make.model(
      nodes, arrays: [Make.array("w", [2, 1, 1, 1])], inputs: [Make.input("x", [nil, 1, nil, 32])])
    try open(bytes) { model in
      #expect(model.graph.inputShape == [1, 224, 32] && model.shapeSource == .assumed)
      #expect(
        model.warnings == ["\(model.path): it does not fix the shape of its images: 1,224,32 is assumed"])
    }
  }

  // MARK: - Other forms of the same network

  /// What a network of `nodes` from the image `x` computes after it, a fully connected layer for 12 numbers.
  private func operations(
    _ nodes: [[UInt8]], arrays: [[UInt8]] = [], shape: [Int?] = [nil, 3, 2, 2]
  ) throws -> [Models.Operation] {
    let dense = Make.node("Gemm", ["f", "fc"], "y", [("transB", .integer(1))])
    let bytes = Make.model(
      nodes + [dense], arrays: [Make.array("fc", [2, 12])] + arrays, inputs: [Make.input("x", shape)])
    return try open(bytes) { model in model.graph.nodes.map(\.operation) }
  }

  private static let flat: [Models.Operation] = [
    .input, .flatten, .dense(Dense(outputs: 2, weight: "fc", bias: nil)), .softmax,
  ]

  private static func integers(_ name: String, _ values: [Int], isScalar: Bool = false) -> [UInt8] {
    Make.node(
      "Constant", [], name,
      [
        (
          "value",
          .array(
            isScalar
              ? Make.array("", [], type: 7, data: Make.field(7, values.flatMap(Make.varint)))
              : Make.integers("", values))
        )
      ])
  }

  @Test(
    "allowzero has no effect where the shape has no 0, nor have shapes that keep what is there",
    arguments: [
      [integers("s", [-1, 12]), Make.node("Reshape", ["x", "s"], "f", [("allowzero", .integer(1))])],
      [
        integers("s", [0, 0, 0, 0]), integers("t", [0, -1]), Make.node("Reshape", ["x", "s"], "e"),
        Make.node("Reshape", ["e", "t"], "f"),
      ],
      [
        integers("s", [-1, 3, 2, 2]), integers("t", [0, 12]), Make.node("Reshape", ["x", "s"], "e"),
        Make.node("Reshape", ["e", "t"], "f"),
      ],
      [Make.node("Flatten", ["x"], "f", [("axis", .integer(-3))])],
      [Make.node("Flatten", ["x"], "e"), Make.node("Flatten", ["e"], "f", [("axis", .integer(-1))])],
    ])
  func sameShapes(_ nodes: [[UInt8]]) throws { #expect(try operations(nodes) == Self.flat) }

  @Test("allowzero has an effect where the shape has a 0")
  func allowZero() {
    let nodes = [
      Self.integers("s", [0, -1]), Make.node("Reshape", ["x", "s"], "y", [("allowzero", .integer(1))]),
    ]
    #expect(
      refusal(Make.model(nodes, arrays: []))
        == "node y (Reshape): shape is (0, -1); no 0, as allowzero is 1, is expected")
  }

  /// x.view(x.size(0), -1), x.view(x.size(0), x.size(1) * x.size(2) * 2) and others, as exporters have written them.
  private static let arithmetic: [[[UInt8]]] = [
    [
      Make.node("Shape", ["x"], "s"), integers("0", [0], isScalar: true),
      Make.node("Gather", ["s", "0"], "g"),
      Make.node("Unsqueeze", ["g"], "u", [("axes", .integers([0]))]), integers("m", [-1]),
      Make.node("Concat", ["u", "m"], "t", [("axis", .integer(0))]),
    ],
    [
      Make.node("Shape", ["x"], "s"), integers("0", [0]), integers("1", [1]), integers("m", [-1]),
      Make.node("Slice", ["s", "0", "1", "0"], "b"), Make.node("Cast", ["b"], "c", [("to", .integer(7))]),
      Make.node("Concat", ["c", "m"], "t", [("axis", .integer(0))]),
    ],
    [
      Make.node("Shape", ["x"], "s"),
      Make.node("Slice", ["s"], "b", [("starts", .integers([0])), ("ends", .integers([1]))]),
      Make.node("Slice", ["s"], "r", [("starts", .integers([-3])), ("ends", .integers([.max]))]),
      integers("i", [0, 1, -1]), Make.node("Gather", ["r", "i"], "g"),
      Make.node("Constant", [], "p0", [("value_int", .integer(0))]), Make.node("Gather", ["g", "p0"], "c"),
      Make.node("Constant", [], "p1", [("value_int", .integer(1))]), Make.node("Gather", ["g", "p1"], "h"),
      Make.node("Mul", ["c", "h"], "m"), Make.node("Constant", [], "two", [("value_int", .integer(2))]),
      Make.node("Mul", ["m", "two"], "n"), Make.node("Unsqueeze", ["n", "axis"], "k"),
      Make.node("Concat", ["b", "k"], "t", [("axis", .integer(-1))]),
    ],
    [
      Make.node("Shape", ["x"], "b", [("end", .integer(1))]), integers("1", [1]),
      Make.node("Mul", ["b", "1"], "c"), Make.node("Div", ["c", "1"], "d"), Make.node("Squeeze", ["d"], "e"),
      Make.node("Constant", [], "z", [("value_int", .integer(0))]), Make.node("Add", ["e", "z"], "h"),
      Make.node("Sub", ["h", "z"], "i"), Make.node("Unsqueeze", ["i", "axis"], "j"),
      Make.node("ConstantOfShape", ["1"], "m", [("value", .array(Make.integers("", [-1])))]),
      Make.node("Concat", ["j", "m"], "t", [("axis", .integer(0))]),
    ],
  ]

  @Test("what exporters compute of shapes is known before there is an image", arguments: arithmetic.indices)
  func shapeArithmetic(_ index: Int) throws {
    let nodes = Self.arithmetic[index] + [Make.node("Reshape", ["x", "t"], "f")]
    #expect(try operations(nodes, arrays: [Make.integers("axis", [0])]) == Self.flat)
    // A batch that is fixed, and numbers of 32 bits.
    let axis = Make.array("axis", [1], type: 6, data: Make.field(9, [0, 0, 0, 0]))
    #expect(try operations(nodes, arrays: [axis], shape: [1, 3, 2, 2]) == Self.flat)
  }

  @Test("images that are too large are refused before anything is computed of their size")
  func tooLarge() {
    let nodes = [Self.integers("s", [0, -1]), Make.node("Reshape", ["x", "s"], "y")]
    let input = Make.input("x", [1, 1 << 40, 1 << 40, 2])
    #expect(
      refusal(Make.model(nodes, arrays: [], inputs: [input])).hasPrefix(
        "the input's shape is (1099511627776, "))
  }

  @Test("what depends on the batch size is refused")
  func batchArithmetic() {
    let nodes = [
      Make.node("Shape", ["x"], "s"), Self.integers("0", [0]), Make.node("Gather", ["s", "0"], "b"),
      Make.node("Add", ["b", "b"], "t"), Make.node("Reshape", ["x", "t"], "y"),
    ]
    #expect(
      refusal(Make.model(nodes, arrays: []))
        == "node t (Add): what it computes depends on the batch size")
    let divided = [
      Self.integers("1", [1]), Self.integers("0", [0]), Make.node("Div", ["1", "0"], "t"),
      Make.node("Reshape", ["x", "t"], "y"),
    ]
    #expect(
      refusal(Make.model(divided, arrays: []))
        == "node t (Div): the result for 1 and 0 does not fit in 64 bits")
  }

  @Test(
    "padding and dilation without an effect are accepted",
    arguments: [
      ([("auto_pad", .text("SAME_UPPER"))], [3, 3], 1),
      ([("auto_pad", .text("SAME_LOWER")), ("strides", .integers([2, 2]))], [3, 3], 1),
      // Windows of 3 x 3 with a stride of 2 on 9 x 7: one more row below adds no window.
      ([("pads", .integers([0, 0, 1, 1])), ("strides", .integers([2, 2]))], [3, 3], 0),
      ([("pads", .integers([1, 1, 2, 2])), ("strides", .integers([2, 2]))], [3, 3], 1),
      ([("dilations", .integers([2, 2]))], [1, 1], 0),
    ] as [([(String, ONNXBytes.Value)], [Int], Int)])
  func padding(_ attributes: [(String, ONNXBytes.Value)], _ kernel: [Int], _ padding: Int) throws {
    let nodes = [
      Make.node("Conv", ["x", "w"], "c", attributes), Make.node("GlobalAveragePool", ["c"], "y"),
    ]
    let bytes = Make.model(
      nodes, arrays: [Make.array("w", [2, 3] + kernel)], inputs: [Make.input("x", [nil, 3, 9, 7])])
    try open(bytes) { model in
      guard case .convolution(let convolution) = model.graph.nodes[1].operation else {
        Issue.record("no convolution")
        return
      }
      #expect(convolution.padding == Extent(rows: padding, columns: padding))
    }
  }

  @Test(
    "other values that change nothing: beta without a bias, a dropout that says it is no training, sums of any number"
  )
  func harmless() throws {
    let nodes = [
      Make.node("Dropout", ["x", "", "no"], "d"), Make.node("Sum", ["d"], "e"),
      Make.node("Sum", ["e", "x", "x"], "s"), Make.node("GlobalAveragePool", ["s"], "a"),
      Make.node("Squeeze", ["a", "axes"], "f"),
      Make.node("Gemm", ["f", "w"], "y", [("beta", .number(0)), ("transB", .integer(1))]),
      // No node reads this.
      Make.node("Elu", ["x"], "left over"),
    ]
    let arrays = [
      Make.array("no", [], type: 9, data: Make.field(9, [0])), Make.integers("axes", [-1, 2]),
      Make.array("w", [2, 3]),
    ]
    try open(Make.model(nodes, arrays: arrays)) { model in
      #expect(model.graph.nodes.filter { $0.operation == .add }.count == 2 && model.graph.outputCount == 2)
    }
    let training = Make.array("no", [], type: 9, data: Make.field(9, [1]))
    #expect(
      refusal(Make.model(nodes, arrays: [training] + arrays.dropFirst()))
        == "node d (Dropout): its input no turns training on")
  }

  @Test("open sizes are the caller's or those of preprocess.json, fixed ones the file's")
  func sizes() throws {
    let nodes = [Make.node("Conv", ["x", "w"], "c"), Make.node("GlobalAveragePool", ["c"], "y")]
    func bytes(_ shape: [Int?]) -> [UInt8] {
      Make.model(nodes, arrays: [Make.array("w", [2, 3, 1, 1])], inputs: [Make.input("x", shape)])
    }
    try withScratchFolder { (folder) throws in
      let path = folder + "/x.onnx"
      writeScratchFile(path, bytes([nil, 3, nil, nil]))
      writeScratchFile(folder + "/preprocess.json", #"{"shape": [3, 96, 64]}"#.utf8)
      let told = try Model(path)
      #expect(told.graph.inputShape == [3, 96, 64] && told.shapeSource == .preset && told.warnings.isEmpty)
      let asked = try Model(path, inputShape: [3, 32, 32])
      #expect(asked.graph.inputShape == [3, 32, 32] && asked.shapeSource == .caller)
      writeScratchFile(path, bytes([1, 3, 48, 48]))
      #expect(try Model(path).graph.inputShape == [3, 48, 48])
      #expect(
        message { _ = try Model(path, inputShape: [3, 32, 32]) }
          == "\(path): it takes images of 3,48,48, not of 3,32,32")
    }
  }
}
