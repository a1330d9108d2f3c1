import TestSupport
import Testing

@testable import Models

@Suite struct TorchvisionTests {
  /// The arrays of torchvision's ResNets by name.
  private static func shapes(_ units: [Int], isBottleneck: Bool, base: Int = 64, classes: Int = 1000)
    -> [String: [Int]]
  {
    var shapes: [String: [Int]] = [:]
    func layer(_ convolution: String, _ norm: String, _ shape: [Int]) {
      shapes[convolution + ".weight"] = shape
      for part in ["weight", "bias", "running_mean", "running_var"] { shapes["\(norm).\(part)"] = [shape[0]] }
    }
    layer("conv1", "bn1", [base, 3, 7, 7])
    var input = base
    for (stage, count) in units.enumerated() {
      let width = base << stage
      let output = isBottleneck ? 4 * width : width
      for unit in 0..<count {
        let name = "layer\(stage + 1).\(unit)"
        let kernels = isBottleneck ? [1, 3, 1] : [3, 3]
        var arriving = input
        for (index, kernel) in kernels.enumerated() {
          let filters = index + 1 < kernels.count ? width : output
          layer("\(name).conv\(index + 1)", "\(name).bn\(index + 1)", [filters, arriving, kernel, kernel])
          arriving = filters
        }
        if unit == 0 && (stage > 0 || isBottleneck) {
          layer(name + ".downsample.0", name + ".downsample.1", [output, input, 1, 1])
        }
        input = output
      }
    }
    shapes["fc.weight"] = [classes, input]
    shapes["fc.bias"] = [classes]
    return shapes
  }

  private static func safetensors(_ shapes: [String: [Int]], metadata: Bool = true) -> [UInt8] {
    var fields = metadata ? [#""__metadata__": {"format": "pt", "shape": "x"}"#] : []
    var end = 0
    for (name, shape) in shapes.sorted(by: { $0.key < $1.key }) {
      let size = 4 * shape.reduce(1, *)
      fields.append(
        #""\#(name)": {"dtype": "F32", "shape": \#(shape), "data_offsets": [\#(end), \#(end + size)]}"#)
      end += size
    }
    fields.append(
      #""bn1.num_batches_tracked": {"dtype": "I64", "shape": [], "data_offsets": [\#(end), \#(end + 8)]}"#)
    let header = Array("{\(fields.joined(separator: ", "))} ".utf8)
    return number(header.count, 8) + header + [UInt8](repeating: 0, count: end) + number(1, 8)
  }

  @Test(
    "torchvision's depths have its numbers of parameters, and stride in the 3x3",
    arguments: [
      ([2, 2, 2, 2], false, 11_689_512), ([3, 4, 6, 3], false, 21_797_672), ([3, 4, 6, 3], true, 25_557_032),
      ([3, 4, 23, 3], true, 44_549_160), ([3, 8, 36, 3], true, 60_192_808),
    ])
  func counts(_ units: [Int], _ isBottleneck: Bool, _ count: Int) throws {
    let arrays = Self.shapes(units, isBottleneck: isBottleneck).mapValues {
      Parameters.Array(shape: $0, values: [Float](repeating: 0, count: $0.reduce(1, *)))
    }
    let graph = try Graph(try TorchvisionResNet(Parameters(arrays)).symbol, inputShape: [3, 224, 224])
    try graph.check(Parameters(arrays))
    let learnt = graph.parameters.filter { $0.role != .mean && $0.role != .variance }
    #expect(learnt.reduce(0) { $0 + $1.shape.reduce(1, *) } == count)
    #expect(graph.outputCount == 1000)
    #expect(graph.nodes.last { $0.operation == .add }?.shape == [isBottleneck ? 2048 : 512, 7, 7])
    let strided = graph.nodes.filter {
      if case .convolution(let convolution) = $0.operation { convolution.stride.rows == 2 } else { false }
    }
    let inner = isBottleneck ? "conv2" : "conv1"
    #expect(
      strided.map(\.name)
        == ["conv1"] + (2...4).flatMap { ["layer\($0).0.\(inner)", "layer\($0).0.downsample.0"] })
    #expect(
      graph.nodes.allSatisfy {
        if case .batchNorm(let norm) = $0.operation {
          norm.epsilon == 1e-5 && norm.gamma != nil
        } else {
          true
        }
      })
  }

  private func open(_ bytes: [UInt8], _ body: (Model) throws -> Void) throws {
    try withScratchFolder { (folder) throws in
      writeScratchFile(folder + "/x.safetensors", bytes)
      try body(try Model(folder + "/x.safetensors"))
    }
  }

  private func refusal(_ bytes: [UInt8]) -> String {
    withScratchFolder { folder in
      writeScratchFile(folder + "/x.safetensors", bytes)
      return message { _ = try Model(folder + "/x.safetensors") }.replacing(
        folder + "/x.safetensors: ", with: "")
    }
  }

  private static let small = shapes([1, 1, 1, 1], isBottleneck: true, base: 2, classes: 3)

  @Test("a file of weights is a model")
  func model() throws {
    try open(Self.safetensors(Self.small)) { (model) throws in
      #expect(model.format == .torchvision && model.shapeSource == .assumed && model.warnings.isEmpty)
      #expect(model.graph.outputCount == 3)
      #expect(try model.parameters.values(of: "fc.bias") == [0, 0, 0])
    }
    try open(Self.safetensors(Self.small, metadata: false)) { #expect($0.warnings.isEmpty) }
  }

  private static let remedy = "; export the network as ONNX, which says what is computed"

  @Test(
    "weights that the network would not use are refused by name",
    arguments: [
      (["fc2.bias"], "1 of its arrays: fc2.bias"),
      (
        ["layer1.0.se.fc1.weight", "layer1.0.se.fc1.bias"],
        "2 of its arrays: layer1.0.se.fc1.bias, layer1.0.se.fc1.weight (squeeze-and-excitation)"
      ),
      (["layer2.0.downsample.2.bias"], "1 of its arrays: layer2.0.downsample.2.bias (ResNet-D's shortcuts)"),
      (["layer2.0.aa.filt"], "1 of its arrays: layer2.0.aa.filt (anti-aliasing)"),
      (["conv1.bias"], "1 of its arrays: conv1.bias (convolutions with a bias)"),
      (["layer1.2.conv1.weight"], "1 of its arrays: layer1.2.conv1.weight"),
    ])
  func unused(_ names: [String], _ sentence: String) {
    var shapes = Self.small
    for name in names { shapes[name] = [1] }
    #expect(
      refusal(Self.safetensors(shapes))
        == "a torchvision ResNet has no place for " + sentence + Self.remedy)
  }

  @Test("a stem whose stride the weights do not say is refused, as are groups")
  func stems() {
    var shapes = Self.small
    shapes["conv1.weight"] = [2, 3, 3, 3]
    #expect(
      refusal(Self.safetensors(shapes))
        == "conv1.weight has the shape (2, 3, 3, 3): torchvision's is 7x7, and weights do not tell which stride "
        + "and pooling another kernel has" + Self.remedy)
    shapes = Self.small
    shapes["conv1.weight"] = nil
    shapes["conv1.0.weight"] = [2, 3, 3, 3]
    #expect(
      refusal(Self.safetensors(shapes))
        == "these are not the weights of a torchvision ResNet: there is no conv1.weight, but conv1.0.weight"
        + Self.remedy)
    shapes = Self.small
    shapes["layer2.0.conv2.weight"] = [4, 4, 5, 5]
    #expect(refusal(Self.safetensors(shapes)).hasPrefix("layer2.0.conv2.weight has the shape (4, 4, 5, 5): "))
  }

  @Test(
    "a prefix before all names is taken off, and said",
    arguments: ["module.", "model.", "_orig_mod.", "module._orig_mod.", "backbone."])
  func prefixes(_ prefix: String) throws {
    let shapes = Dictionary(uniqueKeysWithValues: Self.small.map { (prefix + $0.key, $0.value) })
    try open(Self.safetensors(shapes)) { (model) throws in
      #expect(try model.parameters.values(of: "fc.bias") == [0, 0, 0])
      #expect(
        model.warnings == ["\(model.path): the prefix \(prefix) is taken off the names of its arrays"])
    }
  }

  @Test("several networks in one file, and arrays beside the network, are refused by name")
  func severalNetworks() {
    var shapes = Dictionary(uniqueKeysWithValues: Self.small.map { ("student." + $0.key, $0.value) })
    shapes["loss.weight"] = [3]
    #expect(
      refusal(Self.safetensors(shapes))
        == "the network's arrays have the prefix 'student.'; 1 others would not be used: loss.weight; save the "
        + "state_dict of the network alone")
    shapes.merge(Self.small) { first, _ in first }
    #expect(
      refusal(Self.safetensors(shapes))
        == "there are 2 networks in it, with the prefixes '', 'student.'; one is expected: save the state_dict of one "
        + "alone")
  }

  /// As Hugging Face's transformers name the arrays.
  private static func huggingFace(_ shapes: [String: [Int]]) -> [String: [Int]] {
    var renamed: [String: [Int]] = [:]
    for (name, shape) in shapes {
      let parts = name.split(separator: ".").map(String.init)
      let last = parts[parts.count - 1]
      let kind =
        parts.contains { $0.hasPrefix("bn") } || name.contains("downsample.1")
        ? "normalization" : "convolution"
      let place: String
      if parts[0] == "fc" {
        renamed["classifier.1.\(last)"] = shape
        continue
      } else if parts[0].hasPrefix("layer"), let stage = Int(parts[0].dropFirst(5)) {
        let layer = parts[2] == "downsample" ? "shortcut" : "layer.\((Int(parts[2].suffix(1)) ?? 0) - 1)"
        place = "encoder.stages.\(stage - 1).layers.\(parts[1]).\(layer)"
      } else {
        place = "embedder.embedder"
      }
      renamed["resnet.\(place).\(kind).\(last)"] = shape
    }
    return renamed
  }

  @Test("Hugging Face's names are read as torchvision's, and said", arguments: [false, true])
  func huggingFace(_ isBottleneck: Bool) throws {
    let own = Self.shapes([1, 2, 1, 1], isBottleneck: isBottleneck, base: 2, classes: 3)
    var shapes = Self.huggingFace(own)
    #expect(shapes.count == own.count)
    try open(Self.safetensors(shapes)) { (model) throws in
      #expect(model.parameters.names == own.keys.sorted())
      #expect(
        model.warnings == [
          "\(model.path): the names of its arrays are Hugging Face's, read as torchvision's"
        ])
    }
    shapes["resnet.encoder.stages.0.layers.0.attention.weight"] = [1]
    #expect(
      refusal(Self.safetensors(shapes)).hasPrefix(
        "a torchvision ResNet has no place for 1 of its arrays: resnet.encoder.stages.0.layers.0.attention.weight"
      ))
    shapes = shapes.filter { !$0.key.hasPrefix("classifier") }
    #expect(refusal(Self.safetensors(shapes)).contains("there is no fc.weight"))
  }

  @Test("the settings in Hugging Face's config.json are used")
  func config() throws {
    let shapes = Self.huggingFace(Self.small)
    try withScratchFolder { (folder) throws in
      writeScratchFile(folder + "/model.safetensors", Self.safetensors(shapes))
      writeScratchFile(
        folder + "/config.json", #"{"downsample_in_bottleneck": false, "hidden_act": "relu"}"#.utf8)
      #expect(try Model(folder + "/model.safetensors").graph.outputCount == 3)
      writeScratchFile(folder + "/config.json", #"{"downsample_in_bottleneck": true}"#.utf8)
      #expect(
        message { _ = try Model(folder + "/model.safetensors") }
          == "\(folder)/config.json: downsample_in_bottleneck is true, as in no ResNet of torchvision"
          + Self.remedy)
    }
  }

  @Test("the caller, then preprocess.json says the size of the images; 224 is assumed")
  func sizes() throws {
    try withScratchFolder { (folder) throws in
      let path = folder + "/x.safetensors"
      writeScratchFile(path, Self.safetensors(Self.small))
      #expect(try Model(path).graph.inputShape == [3, 224, 224])
      writeScratchFile(folder + "/preprocess.json", #"{"shape": [3, 96, 64]}"#.utf8)
      let told = try Model(path)
      #expect(told.graph.inputShape == [3, 96, 64] && told.shapeSource == .preset)
      let asked = try Model(path, inputShape: [3, 32, 32])
      #expect(asked.graph.inputShape == [3, 32, 32] && asked.shapeSource == .caller)
      #expect(
        message { _ = try Model(path, inputShape: [1, 32, 32]) }
          == "\(path): it takes images of 3,any,any, not of 1,32,32")
      writeScratchFile(folder + "/preprocess.json", #"{"shape": [96, 64]}"#.utf8)
      #expect(
        message { _ = try Model(path) }
          == "\(folder)/preprocess.json: shape has 2 numbers; channels, height and width are expected")
    }
  }

  @Test("weights of other networks are refused")
  func others() {
    var shapes = Self.small
    shapes["fc.weight"] = nil
    #expect(
      refusal(Self.safetensors(shapes))
        == "these are not the weights of a torchvision ResNet: there is no fc.weight" + Self.remedy)
    shapes = Self.small
    shapes["layer2.0.conv2.weight"] = [4, 1, 3, 3]
    #expect(
      refusal(Self.safetensors(shapes))
        == "layer2.0.conv2.weight has the shape (4, 1, 3, 3); (4, 4, 3, 3) is expected: 4 groups, as in a ResNeXt, are "
        + "not implemented")
    shapes["layer2.0.conv2.weight"] = [4]
    #expect(refusal(Self.safetensors(shapes)) == "layer2.0.conv2.weight has 1 dimensions; four are expected")
  }

  @Test(
    "a damaged header is refused",
    arguments: [
      ("", "byte 8: 4 bytes follow the last array; the end of the file is expected"),
      (
        #"{"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 8]}}"#,
        "byte 69: a needs 8 bytes, 4 are left"
      ),
      (
        #"{"a": {"dtype": "F32", "shape": [1], "data_offsets": [4, 8]}}"#,
        "a lies at [4, 8]; it is expected to begin at 0"
      ),
      (
        #"{"a": {"dtype": "F32", "shape": [1], "data_offsets": [0]}}"#,
        "a lies at [0]; it is expected to begin at 0"
      ),
      (
        #"{"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, -4]}}"#,
        "a lies at [0, -4]; it is expected to begin at 0"
      ),
      (
        #"{"a": {"dtype": "F32", "shape": [4611686018427387904, 4], "data_offsets": [0, 4]}}"#,
        "a has 4 bytes, which does not match its shape, [4611686018427387904, 4]"
      ),
      (
        #"{"a": {"dtype": "I32", "shape": [1], "data_offsets": [0, 4]}}"#,
        "a holds I32; F32, F64, F16 or BF16 is expected"
      ),
      (
        #"{"a": {"dtype": "F32", "shape": [1]}}"#,
        #"the header: byte 6: a: the key "data_offsets" is missing"#
      ),
    ])
  func damaged(_ header: String, _ sentence: String) {
    let text = header.isEmpty ? "{}" : header
    let place = header.isEmpty ? sentence.replacing("byte 8:", with: "byte 10:") : sentence
    #expect(refusal(number(text.utf8.count, 8) + Array(text.utf8) + [0, 0, 0, 0]) == place)
    #expect(
      refusal(number(0x7f00_0001_0000_0000, 8))
        == "byte 0: the header has \(0x7f00_0001_0000_0000) bytes; at most 16777216 are expected")
    #expect(refusal(number(9, 8)) == "byte 8: the header needs 9 bytes, 0 are left")
  }
}
