import TestSupport
import Testing

@testable import Models

@Suite("Of ONNX files is refused") struct ONNXRefusalTests {
  private typealias Make = ONNXBytes

  private func refusal(_ bytes: [UInt8]) -> String {
    withScratchFolder { folder in
      writeScratchFile(folder + "/x.onnx", bytes)
      return message { _ = try Model(folder + "/x.onnx") }.replacing(folder + "/x.onnx: ", with: "")
    }
  }

  private static let arrays = [
    Make.array("w", [2, 3, 3, 3]), Make.array("b", [2]), Make.array("k", [2, 189]),
    Make.array("e", [3, 2, 3, 3]),
    Make.integers("axes", [1]), Make.array("long", [2], type: 6, data: []),
  ]

  @Test(
    "an operator, attribute or input that is not known, with its node",
    arguments: [
      (
        [Make.node("Elu", ["x"], "y", name: "act")],
        "node act (Elu): this operator is not implemented; those of ResNets are"
      ),
      (
        [Make.node("Relu", ["x"], "y", domain: "com.microsoft")],
        "node y (com.microsoft.Relu): this operator is not implemented; those of ResNets are"
      ),
      (
        [Make.node("QuantizeLinear", ["x", "b"], "q"), Make.node("DequantizeLinear", ["q", "b"], "y")],
        "node q (QuantizeLinear): this is a quantized ONNX graph; one in single precision is expected"
      ),
      (
        [Make.node("DequantizeLinear", ["long", "b"], "c"), Make.node("Conv", ["x", "w", "c"], "y")],
        "node c (DequantizeLinear): this is a quantized ONNX graph; one in single precision is expected"
      ),
      (
        [Make.node("QLinearConv", ["x", "b", "b", "w", "b", "b", "b", "b"], "y")],
        "node y (QLinearConv): this is a quantized ONNX graph; one in single precision is expected"
      ),
      (
        [Make.node("Relu", ["x"], "y", [("alpha", .number(1))])],
        "node y (Relu): the attribute alpha is not known"
      ),
      ([Make.node("Relu", ["z"], "y")], "node y (Relu): no node before it computes its input z"),
      (
        [Make.node("Relu", ["w"], "y")],
        "node y (Relu): its input w is an array; a value computed from the image is expected"
      ),
      ([Make.node("Relu", ["x", "x"], "y")], "node y (Relu): it has 2 inputs; 1 expected"),
      ([Make.node("Relu", ["x"], "")], "no node computes the output y from the image"),
      (
        [Make.node("Relu", ["x"], "y"), Make.node("Relu", ["y"], "y")],
        "node y (Relu): its output y is computed a second time"
      ),
      (
        [Make.node("Conv", ["x", "w"], "y", [("group", .integer(2))])],
        "node y (Conv): group is 2; 1 is expected"
      ),
      (
        [Make.node("Conv", ["x", "w"], "y", [("group", .integers([1]))])],
        "node y (Conv): group is [1]; 1 is expected"
      ),
      (
        [Make.node("Conv", ["x", "w"], "y", [("dilations", .integers([2, 2]))])],
        "node y (Conv): dilations is [2, 2]; [1, 1] is expected"
      ),
      (
        [Make.node("Conv", ["x", "w"], "y", [("pads", .integers([0, 0, 1, 1]))])],
        "node y (Conv): pads is [0, 0, 1, 1]; the same padding above and below, left and right, is expected"
      ),
      (
        [Make.node("Conv", ["x", "w"], "y", [("auto_pad", .text("SAME"))])],
        "node y (Conv): auto_pad is SAME; NOTSET, VALID, SAME_UPPER or SAME_LOWER is expected"
      ),
      (
        [Make.node("Conv", ["x", "w"], "y", [("strides", .integers([2]))])],
        "node y (Conv): strides is [2]; a pair of whole numbers is expected"
      ),
      (
        [Make.node("Conv", ["x", "w"], "y", [("kernel_shape", .integers([3, 5]))])],
        "node y (Conv): kernel_shape is [3, 5], but its weights have the shape (2, 3, 3, 3)"
      ),
      (
        [Make.node("Conv", ["x", "b"], "y")],
        "node y (Conv): its weights have the shape (2,); four dimensions are expected"
      ),
      ([Make.node("Conv", ["x", "none"], "y")], "node y (Conv): its input none is missing"),
      ([Make.node("Conv", ["x", "x"], "y")], "node y (Conv): its input x is not an array of the file"),
      (
        [Make.node("Conv", ["x", "w", "long"], "y")],
        "node y (Conv): the array long does not hold float, double, float16 or bfloat16"
      ),
      (
        [Make.node("Conv", ["x", "w", "k"], "y")],
        "node y (Conv): the array k has the shape (2, 189); one dimension is expected"
      ),
      (
        [Make.node("Conv", ["x", "w", "b"], "y", [("pads", .integers([-1, -1, -1, -1]))])],
        "node y (Convolution): pad is (-1, -1); a pair of numbers from 0 to 4096 is expected"
      ),
      (
        [Make.node("Conv", ["x", "e"], "y")],
        "the parameter e has the shape (3, 2, 3, 3); (3, 3, 3, 3) is expected"
      ),
      (
        [Make.node("MaxPool", ["x"], "y", [("strides", .integers([1, 1]))])],
        "node y (MaxPool): kernel_shape is missing; a pair of whole numbers is expected"
      ),
      (
        [Make.node("Flatten", ["x"], "y", [("axis", .integer(2))])],
        "node y (Flatten): axis is 2; 1 or -3 is expected"
      ),
      (
        [Make.node("Gemm", ["x", "k"], "y", [("transB", .integer(1))])],
        "node y (FullyConnected): flatten is False; True, as its input is not one row of numbers, is expected"
      ),
      (
        [Make.node("Gemm", ["x", "k"], "y", [("alpha", .number(0.5))])],
        "node y (Gemm): alpha is 0.5; 1.0 is expected"
      ),
      (
        [Make.node("Add", ["x", "b"], "y")],
        "node y (Add): it adds the array b; only the bias of a MatMul may be one"
      ),
      (
        [Make.node("Reshape", ["x", "b"], "y")],
        "node y (Reshape): its input b is not an array of whole numbers"
      ),
      (
        [Make.node("Reshape", ["x", "axes"], "y")],
        "node y (Reshape): shape is (1); (0, -1), which flattens, is expected"
      ),
      (
        [Make.node("ReduceMean", ["x", "axes"], "y")],
        "node y (ReduceMean): its axes are [1]; [2, 3], height and width, is expected"
      ),
      (
        [Make.node("Constant", [], "y", [("value", .integer(1))])],
        "node y (Constant): its value is not an array"
      ),
      ([Make.node("Identity", ["w"], "y")], "no node computes the output y from the image"),
      ([Make.node("Relu", ["x"], "z")], "no node computes the output y from the image"),
      ([Make.node("Identity", ["x"], "y")], "node softmax (softmax): nothing"),
    ])
  func nodes(_ nodes: [[UInt8]], _ sentence: String) {
    let found = refusal(Make.model(nodes, arrays: Self.arrays))
    // The image alone has a softmax after all.
    #expect(found == (sentence.hasSuffix(": nothing") ? "nothing" : sentence))
  }

  @Test("anything but a network for one image")
  func ends() {
    let relu = [Make.node("Relu", ["x"], "y")]
    func refusal(
      inputs: [[UInt8]] = [Make.input("x", [1, 3, 2, 2])], outputs: [String] = ["y"], version: Int = 17
    ) -> String {
      self.refusal(Make.model(relu, arrays: [], inputs: inputs, outputs: outputs, version: version))
    }
    #expect(refusal(version: 6) == "its operators are those of version 6; 7 or later is expected")
    #expect(refusal(inputs: []) == "it takes 0 inputs (); one, the image, is expected")
    let two = [Make.input("x", [1, 3, 2, 2]), Make.input("z", [1])]
    #expect(refusal(inputs: two) == "it takes 2 inputs (x, z); one, the image, is expected")
    #expect(
      refusal(inputs: [Make.input("x", [1, 3, 2, 2], type: 2)]) == "the input x is uint8; float is expected")
    #expect(
      refusal(inputs: [Make.input("x", [1, 12])])
        == "the input x has 2 dimensions; batch, channels, height and width are expected")
    #expect(refusal(outputs: ["y", "z"]) == "it has 2 outputs (y, z); one is expected")
    #expect(
      refusal(inputs: [Make.input("x", [1, 3, 1 << 40, 2])])
        == "the input's shape is (3, 1099511627776, 2); channels, height, width are expected, each "
        + "from 1 to 65536, at most 1073741824 numbers")
  }

  private static func arrayed(_ array: [UInt8]) -> [UInt8] {
    Make.model([Make.node("Relu", ["x"], "y")], arrays: [array])
  }

  @Test(
    "an array that is not in the file as its shape says",
    arguments: [
      (
        Make.array("a", [2], data: Make.field(9, [1, 2])),
        "has 2 bytes, which does not match its shape, (2,)"
      ),
      (
        Make.array("a", [1 << 40, 1 << 40], data: []),
        "has the shape (1099511627776, 1099511627776), which is larger than any file"
      ),
      (Make.array("a", [-1], data: []), "has the shape (-1,), which is larger than any file"),
      (
        Make.array("a", [1 << 40], data: Make.field(9, [])),
        "has 0 bytes, which does not match its shape, (1099511627776,)"
      ),
      (Make.array("a", [2], data: []), "has no bytes of its type, float; raw_data is expected"),
      (
        Make.array("a", [1], type: 10, data: Make.field(5, [0])),
        "has no bytes of its type, float16; raw_data is expected"
      ),
      (
        Make.array("a", [2], data: Make.field(14, 1) + Make.field(13, [])),
        "is stored in another file; a model with its weights in one file is expected"
      ),
    ])
  func arrays(_ array: [UInt8], _ sentence: String) {
    let found = refusal(Self.arrayed(array))
    #expect(found.hasPrefix("byte ") && found.hasSuffix(": the array a \(sentence)"), "\(found)")
  }

  @Test(
    "an invalid message, with the place",
    arguments: [
      ([], "this is an empty file; an ONNX model is expected"),
      ([0x08, 0x08], "byte 2: this is not an ONNX model: there is no graph"),
      ([0x08], "byte 1: 1 bytes are expected, the message has 0 left"),
      ([0x3A, 0x05, 0x00], "byte 0: field 7 needs 5 bytes, its message has 1 left"),
      (
        [0x3A, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x01],
        "byte 0: field 7 needs 18446744073709551615 bytes, its message has 0 left"
      ),
      (
        [0x3A, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x02],
        "byte 1: a number goes beyond 64 bits"
      ),
      ([0x00, 0x01], "byte 0: a field has the number 0; from 1 to 536870911 is expected"),
      ([0x0B], "byte 0: field 1 has wire type 3; 0, 1, 2 or 5 is expected"),
      ([0x38, 0x01], "byte 0: the graph is a number; bytes are expected"),
      ([0x3A, 0x00, 0x3A, 0x00], "byte 2: a second graph begins; one is expected"),
      ([0x3A, 0x05, 0x0A, 0x03, 0x0A, 0x01, 0xFF], "byte 6: an input's name is not UTF-8"),
      ([0x09, 0x00], "byte 1: 8 bytes are expected, the message has 1 left"),
      ([0x0D, 0x00], "byte 1: 4 bytes are expected, the message has 1 left"),
    ] as [([UInt8], String)])
  func wire(_ bytes: [UInt8], _ sentence: String) {
    #expect(refusal(bytes) == sentence)
  }

  @Test("repeated names and attributes, and names that are too long")
  func twice() {
    let array = Make.array("a", [1])
    let relu = Make.node("Relu", ["x"], "y")
    #expect(refusal(Make.model([relu], arrays: [array, array])).hasSuffix(": the array a appears twice"))
    let node = Make.node("Flatten", ["x"], "y", [("axis", .integer(1)), ("axis", .integer(1))])
    #expect(refusal(Make.model([node], arrays: [])).hasSuffix(": the attribute axis appears twice"))
    let long = Make.node("Relu", [String(repeating: "x", count: 4097)], "y")
    #expect(
      refusal(Make.model([long], arrays: [])).hasSuffix(
        ": an input's name has 4097 bytes; at most 4096 are expected"))
    let pieces = Make.array("a", [2], data: Make.field(9, [0, 0, 0, 0]) + Make.field(9, [0, 0, 0, 0]))
    #expect(
      refusal(Self.arrayed(pieces)).hasSuffix(": an array's numbers are in several pieces; one is expected"))
  }

  @Test("a damaged file, unless all parameters can still be read")
  func mutations() throws {
    var random = SplitMix64(seed: 77)
    let sound = ONNXTests.residual()
    try withScratchFolder { (folder) throws in
      let path = folder + "/x.onnx"
      var accepted = 0
      for _ in 0..<300 {
        var bytes = sound
        for _ in 0..<Int.random(in: 1...4, using: &random) {
          let place = Int.random(in: 0..<bytes.count, using: &random)
          switch Int.random(in: 0..<4, using: &random) {
          case 0: bytes[place] ^= 1 << UInt8.random(in: 0...7, using: &random)
          case 1: bytes[place] = [0, 1, 0x7F, 0x80, 0xFF].randomElement(using: &random) ?? 0
          case 2:
            bytes.removeSubrange(place..<min(bytes.count, place + Int.random(in: 1...9, using: &random)))
          default: bytes.insert(contentsOf: random.bytes(Int.random(in: 1...5, using: &random)), at: place)
          }
          if bytes.isEmpty { bytes = [0] }
        }
        writeScratchFile(path, bytes)
        let model: Model
        do throws(ModelError) { model = try Model(path) } catch {
          #expect(!error.description.isEmpty)
          continue
        }
        accepted += 1
        for parameter in model.graph.parameters {
          #expect(try model.parameters.values(of: parameter.name).count == parameter.shape.reduce(1, *))
        }
      }
      #expect(accepted > 10 && accepted < 290)
    }
  }
}
