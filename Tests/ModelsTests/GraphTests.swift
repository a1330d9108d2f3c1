import Testing

@testable import Models

@Suite struct GraphTests {
  static func graph(_ text: SymbolText, _ shape: [Int] = [3, 9, 12]) throws -> Graph {
    try Graph(try Symbol(json: Array(text.json.utf8), label: "s"), inputShape: shape)
  }

  static func refusal(_ text: SymbolText, _ shape: [Int] = [3, 9, 12]) -> String {
    message { _ = try graph(text, shape) }
  }

  static let kernel = ["kernel": "(3, 3)", "num_filter": "4"]

  /// One operator on 3 x 9 x 12, and what becomes of it.
  static let operators: [(text: SymbolText, operation: Models.Operation, shape: [Int])] = [
    (
      .one("Convolution", kernel, parameters: ["w", "b"]),
      .convolution(
        Convolution(
          filters: 4, kernel: Extent(rows: 3, columns: 3), stride: Extent(rows: 1, columns: 1),
          padding: Extent(rows: 0, columns: 0), weight: "w", bias: "b")), [4, 7, 10]
    ),
    (
      .one(
        "Convolution",
        [
          "kernel": "[3,2]", "num_filter": "4", "no_bias": "1", "stride": "(2L, 3L)", "pad": " ( 1 ,0 ) ",
          "dilate": "()", "workspace": "256", "cudnn_tune": "off", "layout": "NCHW", "num_group": "1",
          "__lr_mult__": "2", "weight_lr_mult": "0.5",
        ], parameters: ["w"]),
      .convolution(
        Convolution(
          filters: 4, kernel: Extent(rows: 3, columns: 2), stride: Extent(rows: 2, columns: 3),
          padding: Extent(rows: 1, columns: 0), weight: "w", bias: nil)), [4, 5, 4]
    ),
    // Dilation changes nothing where the kernel is 1.
    (
      .one(
        "Convolution", ["kernel": "(1, 1)", "num_filter": "4", "dilate": "(2, 2)"], parameters: ["w", "b"]),
      .convolution(
        Convolution(
          filters: 4, kernel: Extent(rows: 1, columns: 1), stride: Extent(rows: 1, columns: 1),
          padding: Extent(rows: 0, columns: 0), weight: "w", bias: "b")), [4, 9, 12]
    ),
    (
      .one("BatchNorm", parameters: ["g", "b", "m", "v"]),
      .batchNorm(BatchNorm(epsilon: 1e-3, gamma: nil, beta: "b", mean: "m", variance: "v")), [3, 9, 12]
    ),
    (
      .one(
        "BatchNorm", ["eps": "2e-05", "fix_gamma": "False", "momentum": "0.9", "use_global_stats": "True"],
        parameters: ["g", "b", "m", "v"]),
      .batchNorm(BatchNorm(epsilon: 2e-5, gamma: "g", beta: "b", mean: "m", variance: "v")), [3, 9, 12]
    ),
    (
      .one("BatchNorm", ["fix_gamma": "0"], parameters: ["g", "b"]),
      .batchNorm(
        BatchNorm(epsilon: 1e-3, gamma: "g", beta: "b", mean: "x_moving_mean", variance: "x_moving_var")),
      [3, 9, 12]
    ),
    (.one("Activation", ["act_type": "relu"]), .relu, [3, 9, 12]),
    (.one("relu"), .relu, [3, 9, 12]),
    (.one("sigmoid", flat: true), .sigmoid, [324]),
    (.one("Activation", ["act_type": "sigmoid"], flat: true), .sigmoid, [324]),
    (
      .one("Pooling", ["kernel": "(2, 2)", "stride": "(2, 2)"]),
      .pooling(
        Pooling(
          kind: .maximum, kernel: Extent(rows: 2, columns: 2), stride: Extent(rows: 2, columns: 2),
          padding: Extent(rows: 0, columns: 0), roundsUp: false, isGlobal: false)), [3, 4, 6]
    ),
    (
      .one(
        "Pooling",
        [
          "kernel": "(3, 2)", "stride": "(2, 2)", "pool_type": "avg", "pooling_convention": "full",
          "count_include_pad": "False", "pad": "(1, 0)",
        ]),
      .pooling(
        Pooling(
          kind: .average(countsPadding: false), kernel: Extent(rows: 3, columns: 2),
          stride: Extent(rows: 2, columns: 2), padding: Extent(rows: 1, columns: 0), roundsUp: true,
          isGlobal: false)),
      [3, 5, 6]
    ),
    (
      .one("Pooling", ["kernel": "(7, 7)", "pool_type": "avg", "global_pool": "True", "pad": "(9, 9)"]),
      .pooling(
        Pooling(
          kind: .average(countsPadding: true), kernel: Extent(rows: 9, columns: 12),
          stride: Extent(rows: 1, columns: 1), padding: Extent(rows: 0, columns: 0), roundsUp: false,
          isGlobal: true)),
      [3, 1, 1]
    ),
    (.one("Flatten"), .flatten, [324]), (.one("Reshape", ["shape": "(0, -1)"]), .flatten, [324]),
    (.one("reshape", ["shape": "(-1, 324)"]), .flatten, [324]),
    (
      .one("FullyConnected", ["num_hidden": "5"], parameters: ["w", "b"]),
      .dense(Dense(outputs: 5, weight: "w", bias: "b")), [5]
    ),
    (
      .one(
        "FullyConnected", ["num_hidden": "5", "no_bias": "True", "flatten": "False"], parameters: ["w"],
        flat: true),
      .dense(Dense(outputs: 5, weight: "w", bias: nil)), [5]
    ),
    (.one("SoftmaxOutput", ["multi_output": "True"], parameters: ["l"], flat: true), .softmax, [324]),
    (.one("SoftmaxOutput", parameters: ["l"]), .softmax, [3, 9, 12]),
    (.one("Softmax", ["grad_scale": "1"], parameters: ["l"], flat: true), .softmax, [324]),
    (.one("softmax", ["axis": "-1"], flat: true), .softmax, [324]),
    (.one("SoftmaxActivation", flat: true), .softmax, [324]),
    (.one("LogisticRegressionOutput", parameters: ["l"], flat: true), .sigmoid, [324]),
  ]

  @Test("each operator is what MXNet's is, defaults included", arguments: operators.indices)
  func operation(_ index: Int) throws {
    let row = Self.operators[index]
    let graph = try Self.graph(row.text)
    #expect(graph.nodes[graph.output].operation == row.operation)
    #expect(graph.nodes[graph.output].shape == row.shape)
    #expect(graph.nodes[0].operation == .input)
  }

  @Test(
    "nodes without an effect are removed",
    arguments: [
      ("_copy", [:]), ("identity", [:]), ("BlockGrad", [:]), ("stop_gradient", [:]),
      ("Cast", ["dtype": "float16"]),
      ("cast", ["dtype": "float32"]), ("amp_cast", ["dtype": "float64"]), ("Dropout", ["p": "0.5"]),
      ("MakeLoss", ["grad_scale": "2"]), ("make_loss", [:]), ("LinearRegressionOutput", [:]),
      ("MAERegressionOutput", [:]),
    ] as [(String, [String: String])])
  func passing(_ operation: String, _ attributes: [String: String]) throws {
    var text = SymbolText.one("relu")
    text.add(operation, "y", attributes, [1])
    #expect(try Self.graph(text) == Self.graph(.one("relu")))
  }

  @Test(
    "sums of two and more become chains",
    arguments: [
      "elemwise_add", "_plus", "_Plus", "_add", "_grad_add", "broadcast_add", "broadcast_plus", "add_n",
      "ElementWiseSum",
    ])
  func sum(_ operation: String) throws {
    var text = SymbolText.one("relu")
    text.add(operation, "y", [:], [0, 1])
    #expect(try Self.graph(text).nodes.last?.inputs == [0, 1])
    guard operation == "add_n" || operation == "ElementWiseSum" else {
      text.add(operation, "z", [:], [0, 1, 2])
      #expect(Self.refusal(text) == "s: node z (\(operation)): it has 3 inputs; 2 expected")
      return
    }
    text.add(operation, "z", ["num_args": "3"], [2, 1, 0])
    #expect(try Self.graph(text).nodes.suffix(2).map(\.inputs) == [[2, 1], [3, 0]])
    text.add(operation, "one", ["num_args": "1"], [3])
    #expect(try Self.graph(text).nodes.count == 5)
    text.add(operation, "four", ["num_args": "4"], [3, 3])
    #expect(Self.refusal(text) == "s: node four (\(operation)): it has 2 inputs; 4 expected")
  }

  @Test("weights may come through a cast, and two layers may share them")
  func shared() throws {
    var text = SymbolText()
    let (data, weight) = (text.variable("data"), text.variable("w"))
    let cast = text.add("Cast", "half", ["dtype": "float16"], [weight])
    let attributes = ["kernel": "(1, 1)", "num_filter": "3", "no_bias": "True"]
    let first = text.add("Convolution", "a", attributes, [data, cast])
    text.add("Convolution", "b", attributes, [first, weight])
    let graph = try Self.graph(text)
    #expect(graph.parameters.map(\.name) == ["w", "w"])
    try graph.check(Parameters(["w": .init(shape: [3, 3, 1, 1], values: Array(repeating: 1, count: 9))]))
  }

  @Test("parameters that are missing or have another shape are named, and those that nothing reads")
  func parameters() throws {
    let text = SymbolText.one("Convolution", Self.kernel, parameters: ["w", "b"])
    let graph = try Self.graph(text)
    #expect(graph.parameters.map(\.shape) == [[4, 3, 3, 3], [4]])
    let bias = Parameters.Array(shape: [4], values: [0, 0, 0, 0])
    #expect(
      message { try graph.check(Parameters([:])) } == "2 parameters of the network are missing: w, b")
    #expect(
      message { try graph.check(Parameters(["w": bias, "b": bias])) }
        == "the parameter w has the shape (4,); (4, 3, 3, 3) is expected")
    let symbol = try Symbol(json: Array(text.json.utf8), label: "s")
    #expect(symbol.unusedNames(in: Parameters(["w": bias, "fc1_bias": bias])) == ["fc1_bias"])
    let old = SymbolText.one("BatchNorm", parameters: ["g", "b"])
    let legacy = try Symbol(json: Array(old.json.utf8), label: "s")
    #expect(
      legacy.unusedNames(in: Parameters(["x_moving_mean": bias, "x_moving_var": bias, "g": bias])).isEmpty)
  }

  @Test(
    "outputs that would not fit in memory are refused",
    arguments: [[3, 65_536, 65_536], [1, 1, 65_537], [0, 1, 1], [3, 9], []])
  func absurd(_ shape: [Int]) {
    #expect(
      Self.refusal(.one("relu"), shape)
        == "s: the input's shape is \(shown(shape)); channels, height, width are expected, each from 1 to 65536, at most "
        + "1073741824 numbers")
  }
}
