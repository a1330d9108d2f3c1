import Models

private let small = """
  {"nodes":[{"op":"null","name":"data","attrs":{"__shape__":"(1, 3, 9, 9)"},"inputs":[]},
  {"op":"null","name":"w","inputs":[]},
  {"op":"Convolution","name":"c","param":{"kernel":"(3,3)","num_filter":"4","no_bias":"True","pad":"[1, 1]"},
  "inputs":[[0,0],[1,0]],"backward_source_id":-1},
  {"op":"null","name":"g","inputs":[]},{"op":"null","name":"b","inputs":[]},
  {"op":"BatchNorm","name":"n","attr":{"eps":"2e-05","fix_gamma":"False"},"inputs":[[2,0],[3,0],[4,0]]},
  {"op":"Activation","name":"r","attrs":{"act_type":"relu"},"inputs":[[5,0,0]]},
  {"op":"add_n","name":"s","attrs":{"num_args":"2"},"inputs":[[6,0,0],[2,0,0]]},
  {"op":"Pooling","name":"p","attrs":{"kernel":"(2, 2)","stride":"(2, 2)","pool_type":"avg",
  "pooling_convention":"full"},"inputs":[[7,0,0]]},
  {"op":"Flatten","name":"f","inputs":[[8,0,0]]},{"op":"null","name":"v","inputs":[]},
  {"op":"FullyConnected","name":"d","attrs":{"num_hidden":"5","no_bias":"1"},"inputs":[[9,0,0],[10,0,0]]},
  {"op":"null","name":"softmax_label","inputs":[]},
  {"op":"SoftmaxOutput","name":"softmax","inputs":[[11,0,0],[12,0,0]]}],
  "arg_nodes":[0,1,3,4,10,12],"heads":[[13,0,0]]}
  """

let symbols = FuzzTarget(
  "symbol",
  words: [
    "nodes", "heads", "inputs", "attrs", "null", "_copy", "Cast", "Dropout", "Reshape", "(0, -1)", "softmax",
    "relu",
    "ElementWiseSum", "elemwise_add", "num_group", "dilate", "global_pool", "stride", "True", "(1L, 1L)",
    "9223372036854775807", "-1", "[[[[[[[[", "1e999",
  ],
  seeds: {
    [Array(small.utf8), Array(try ResNet(depth: 20, classCount: 3, inputShape: [1, 9, 9]).symbol.json.utf8)]
  },
  check: { input, _ in
    let symbol: Symbol
    do throws(ModelError) {
      symbol = try Symbol(json: input, label: "fuzz")
    } catch {
      return try requireSentence(error)
    }
    // One shape, chosen by the length, which most mutations change.
    let shape = [symbol.inputShape ?? [3, 9, 9], [1, 28, 31], [3, 224, 224]][input.count % 3]
    if let graph = try? Graph(symbol, inputShape: shape) {
      try require(graph.inputShape == shape, "the input has the shape asked for")
      try require(graph.output == graph.nodes.count - 1, "the last node is the output")
      for (index, node) in graph.nodes.enumerated() {
        try require(node.inputs.allSatisfy { (0..<index).contains($0) }, "inputs come before their node")
        try require((node.operation == .input) == (index == 0), "the first node is the only input")
        try require(
          node.inputs.count == (index == 0 ? 0 : node.operation == .add ? 2 : 1), "each node has its inputs")
        try require(
          node.shape.allSatisfy { $0 >= 1 } && [1, 3].contains(node.shape.count), "every shape is known")
        try require(node.shape.reduce(1, *) <= Graph.largestCount, "no output is larger than allowed")
      }
      try require(graph.parameters.allSatisfy { $0.shape.allSatisfy { $0 >= 1 } }, "parameters have shapes")
    }
    let again = try require("a symbol that is written can be read") {
      try Symbol(json: Array(symbol.json.utf8), label: "fuzz")
    }
    try require(again == symbol, "a symbol that is written is read to the same")
  })
