import Testing

@testable import Models

@Suite struct GraphRefusalTests {
  private static func convolution(_ key: String, _ value: String) -> SymbolText {
    .one("Convolution", GraphTests.kernel.merging([key: value]) { $1 }, parameters: ["w", "b"])
  }

  private static func pooling(_ key: String, _ value: String) -> SymbolText {
    .one("Pooling", ["kernel": "(3, 3)"].merging([key: value]) { $1 })
  }

  /// The message after "s: node x (".
  static let refusals: [(text: SymbolText, sentence: String)] = [
    (.one("Deconvolution"), "Deconvolution): this operator is not implemented; those of ResNets are"),
    (convolution("dilate", "(2, 2)"), "Convolution): dilate is (2, 2); (1, 1) is expected"),
    (convolution("num_group", "0"), "Convolution): num_group is 0; 1 is expected"),
    (convolution("num_group", "32"), "Convolution): num_group is 32; 1 is expected"),
    (convolution("layout", "NHWC"), "Convolution): layout is NHWC; NCHW is expected"),
    (
      convolution("kernel", "(3,)"),
      "Convolution): kernel is (3,); a pair of numbers from 1 to 4096 is expected"
    ),
    (convolution("kernel", "3"), "Convolution): kernel is 3; a pair of numbers from 1 to 4096 is expected"),
    (
      convolution("kernel", "(3, 3]"),
      "Convolution): kernel is (3, 3]; a pair of numbers from 1 to 4096 is expected"
    ),
    (
      convolution("kernel", "(3, x)"),
      "Convolution): kernel is (3, x); a pair of numbers from 1 to 4096 is expected"
    ),
    (
      convolution("kernel", "(0, 3)"),
      "Convolution): kernel is (0, 3); a pair of numbers from 1 to 4096 is expected"
    ),
    (
      convolution("stride", "(0, 1)"),
      "Convolution): stride is (0, 1); a pair of numbers from 1 to 4096 is expected"
    ),
    (
      convolution("pad", "(-1, 0)"),
      "Convolution): pad is (-1, 0); a pair of numbers from 0 to 4096 is expected"
    ),
    (
      convolution("pad", "(9223372036854775807, 0)"),
      "Convolution): pad is (9223372036854775807, 0); a pair of numbers from 0 to 4096 is expected"
    ),
    (
      convolution("num_filter", "99999999999999999999"),
      "Convolution): num_filter is 99999999999999999999; a whole number from 1 to 16777216 is expected"
    ),
    (
      convolution("num_filter", "-3"),
      "Convolution): num_filter is -3; a whole number from 1 to 16777216 is expected"
    ),
    (
      convolution("num_filter", "16777216"),
      "Convolution): its output is (16777216, 7, 10), more than 1073741824 numbers"
    ),
    (convolution("no_bias", "yes"), "Convolution): no_bias is yes; True or False is expected"),
    (convolution("no_bias", "True"), "Convolution): it has 3 inputs; 2 expected"),
    (convolution("groups", "1"), "Convolution): the attribute groups is not known"),
    (
      convolution("kernel", "(10, 3)"),
      "Convolution): its kernel of 10 is larger than its input of 9 with a padding of 0 on each side"
    ),
    (
      .one("Convolution", ["num_filter": "1"], parameters: ["w", "b"]),
      "Convolution): kernel is missing; a pair of numbers from 1 to 4096 is expected"
    ),
    (
      .one("Convolution", ["kernel": "(1, 1)"], parameters: ["w", "b"]),
      "Convolution): num_filter is missing; a whole number is expected"
    ),
    (
      .one("Convolution", GraphTests.kernel, parameters: ["w", "b"], flat: true),
      "Convolution): its input is (324,); channels, height and width are expected"
    ),
    (
      .one("BatchNorm", ["axis": "3"], parameters: ["g", "b", "m", "v"]),
      "BatchNorm): axis is 3; 1 is expected"
    ),
    (
      .one("BatchNorm", ["eps": "nan"], parameters: ["g", "b", "m", "v"]),
      "BatchNorm): eps is nan; a number, 0 or more, is expected"
    ),
    (.one("BatchNorm", parameters: ["g"]), "BatchNorm): it has 2 inputs; 5 expected"),
    (pooling("pool_type", "sum"), "Pooling): pool_type is sum; max or avg is expected"),
    (
      pooling("pooling_convention", "same"), "Pooling): pooling_convention is same; valid or full is expected"
    ),
    (pooling("layout", "NHWC"), "Pooling): layout is NHWC; NCHW is expected"),
    (pooling("pad", "(3, 0)"), "Pooling): pad is (3, 0); less than the kernel is expected"),
    (
      .one("Pooling", ["kernel": "(1, 1)", "stride": "(9, 10)", "pooling_convention": "full"]),
      "Pooling): its last window lies beyond its input of 9"
    ),
    (.one("Activation", ["act_type": "tanh"]), "Activation): act_type is tanh; relu or sigmoid is expected"),
    (.one("Activation"), "Activation): act_type is missing; relu is expected"),
    (
      .one("sigmoid"),
      "sigmoid): its input is (3, 9, 12); one row of numbers, as Flatten gives, is expected"
    ),
    (
      .one("Reshape", ["shape": "(0, 3, -1)"]),
      "Reshape): shape is (0, 3, -1); (0, -1), which flattens, is expected"
    ),
    (.one("Cast", ["dtype": "uint8"]), "Cast): dtype is uint8; float32 or float16 or float64 is expected"),
    (.one("Dropout", ["mode": "always"]), "Dropout): mode is always; training is expected"),
    (
      .one("FullyConnected", ["num_hidden": "2", "no_bias": "True", "flatten": "False"], parameters: ["w"]),
      "FullyConnected): flatten is False; True, as its input is not one row of numbers, is expected"
    ),
    (
      .one("SoftmaxOutput", ["multi_output": "True"], parameters: ["l"]),
      "SoftmaxOutput): multi_output is True; False is expected"
    ),
    (.one("softmax", ["axis": "0"], flat: true), "softmax): axis is 0; -1 or 1 is expected"),
    (.one("softmax", ["temperature": "2"], flat: true), "softmax): temperature is 2; 1 is expected"),
    (
      .one("SoftmaxActivation", ["mode": "channel"]),
      "SoftmaxActivation): mode is channel; instance is expected"
    ),
  ]

  @Test("what cannot be computed is refused by node, operator and attribute", arguments: refusals.indices)
  func refused(_ index: Int) {
    #expect(GraphTests.refusal(Self.refusals[index].text) == "s: node x (" + Self.refusals[index].sentence)
  }

  @Test("sums of different shapes are refused")
  func shapes() {
    var text = SymbolText.one("Pooling", ["kernel": "(3, 3)"])
    text.add("broadcast_add", "y", [:], [0, 1])
    #expect(
      GraphTests.refusal(text)
        == "s: node y (broadcast_add): its inputs are (3, 9, 12) and (3, 7, 10); the same shape is expected")
  }

  @Test("a weight has to be a variable, and there is one image")
  func variables() {
    var text = SymbolText.one("relu")
    text.add("Convolution", "c", ["kernel": "(1, 1)", "num_filter": "3", "no_bias": "True"], [0, 1])
    #expect(
      GraphTests.refusal(text)
        == "s: node c (Convolution): its weight is x (relu); a variable of its own is expected")
    text.nodes[2].inputs = [[1, 0, 0], [0, 0, 0]]
    #expect(
      GraphTests.refusal(text)
        == "s: node c (Convolution): its weight is data (the image); a variable of its own is expected")
    text = .one("elemwise_add", parameters: ["other"])
    #expect(
      GraphTests.refusal(text) == "s: the operators take 2 variables as images (data, other); one is expected"
    )
    text = SymbolText()
    _ = text.variable("data")
    #expect(GraphTests.refusal(text) == "s: the head is the variable data; an operator's output is expected")
    text.add("_copy", "id", [:], [0])
    #expect(GraphTests.refusal(text) == "s: the network computes nothing: its head is its input")
  }

  @Test("only the first output of a node is known")
  func outputs() {
    var text = SymbolText.one("BatchNorm", parameters: ["g", "b", "m", "v"])
    text.heads = [[5, 1, 0]]
    #expect(
      GraphTests.refusal(text) == "s: the head: it takes output 1 of node x; only output 0 is supported")
    text.heads = nil
    text.nodes.append(.init(operation: "relu", name: "y", inputs: [[5, 2, 0]]))
    #expect(
      GraphTests.refusal(text) == "s: node y (relu): it takes output 2 of node x; only output 0 is supported")
  }
}
