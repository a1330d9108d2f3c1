import TestSupport
import Testing

@testable import Models

@Suite struct ModelTests {
  /// A network small enough to write a hundred times: one dense layer on the image.
  static let symbol: SymbolText = {
    var text = SymbolText.one("FullyConnected", ["num_hidden": "2"], parameters: ["fc_weight", "fc_bias"])
    text.add("softmax", "softmax", [:], [3])
    return text
  }()

  /// - Parameter bias: the first number of `fc_bias`, which tells the files apart.
  static func parameters(bias: UInt8 = 0, count: Int = 12) -> [UInt8] {
    var file = ParameterBytes()
    file.arrays = [
      .init(shape: [2, count], data: [UInt8](repeating: 0, count: 8 * count)),
      .init(shape: [2], data: [0, 0, bias, 0x3F, 0, 0, 0, 0]),
    ]
    file.names = ["arg:fc_weight", "arg:fc_bias"]
    return file.bytes
  }

  static let shapes = #"[{"shape": [64, 3, 2, 2], "name": "data"}]"#

  static func write(_ folder: String, epochs: [Int] = [3], shapes: String? = shapes) {
    writeScratchFile(folder + "/m-symbol.json", symbol.json.utf8)
    for epoch in epochs {
      let digits = String("0000\(epoch)".suffix(max(4, "\(epoch)".count)))
      writeScratchFile("\(folder)/m-\(digits).params", parameters(bias: UInt8(epoch % 128)))
    }
    if let shapes { writeScratchFile(folder + "/model-shapes.json", shapes.utf8) }
  }

  private func refusal(_ folder: String, epoch: Int? = nil) -> String {
    let text = message { _ = try Model(folder, epoch: epoch) }
    return text.hasPrefix(folder) ? String(text.dropFirst(folder.count)) : text
  }

  @Test("a folder's newest parameters are taken, or those asked for")
  func epochs() throws {
    try withScratchFolder { (folder) throws in
      Self.write(folder, epochs: [1, 9, 12345, 200])
      writeScratchFile(folder + "/m-9999999.params.partial", [])
      writeScratchFile(folder + "/other-99999.params", [1])
      let model = try Model(folder)
      #expect(model.epoch == 12345)
      #expect(model.graph.inputShape == [3, 2, 2])
      #expect(model.shapeSource == .shapesFile)
      #expect(model.warnings == ["\(folder): no *-symbol.json belongs to other-99999.params; ignored"])
      #expect(model.classes == nil && model.preset == nil)
      #expect(
        try Model(folder, epoch: 9).parameters.values(of: "fc_bias") == [Float(bitPattern: 0x3F09_0000), 0])
      #expect(
        refusal(folder, epoch: 7) == ": there is no m-0007.params; the epochs there are 1, 9, 200, 12345")
    }
  }

  @Test("classes and preprocessing come along as they are")
  func beside() throws {
    try withScratchFolder { (folder) throws in
      Self.write(folder)
      writeScratchFile(folder + "/classes.txt", "a\nb\n".utf8)
      writeScratchFile(folder + "/preprocess.json", "{".utf8)
      let model = try Model(folder)
      #expect(model.classes == Array("a\nb\n".utf8))
      #expect(model.preset == Array("{".utf8))
    }
  }

  @Test("without model-shapes.json the symbol says the shape, or it is assumed; the caller may overrule")
  func shape() throws {
    try withScratchFolder { (folder) throws in
      Self.write(folder, shapes: nil)
      writeScratchFile(folder + "/m-0003.params", Self.parameters(count: 3 * 224 * 224))
      let assumed = try Model(folder)
      #expect(assumed.shapeSource == .assumed && assumed.graph.inputShape == [3, 224, 224])
      #expect(assumed.warnings == ["there is no model-shapes.json: images of 3,224,224 are assumed"])
      var text = Self.symbol
      text.nodes[0].attributes = ["__shape__": "(1, 1, 4, 3)"]
      writeScratchFile(folder + "/m-symbol.json", text.json.utf8)
      writeScratchFile(folder + "/m-0003.params", Self.parameters())
      let told = try Model(folder)
      #expect(told.shapeSource == .symbol && told.graph.inputShape == [1, 4, 3])
      let asked = try Model(folder, inputShape: [12, 1, 1])
      #expect(asked.shapeSource == .caller && asked.graph.inputShape == [12, 1, 1])
    }
  }

  @Test("a folder that holds no model, or more than one, is refused")
  func folders() {
    withScratchFolder { folder in
      #expect(refusal(folder) == ": there is no *-symbol.json; a model's folder has one and *-NNNN.params")
      #expect(refusal(folder + "/none") == ": there is no such file or folder")
      Self.write(folder, epochs: [])
      #expect(refusal(folder) == ": there is no m-NNNN.params")
      writeScratchFile(folder + "/n-symbol.json", [])
      #expect(refusal(folder) == ": there are 2 models (m-symbol.json, n-symbol.json); one is expected")
    }
  }

  @Test(
    "a file of shapes that says none is refused",
    arguments: [
      ("[]", "the list is empty; the input data is expected"),
      (
        #"[{"name": "data", "shape": [3, 2, 2]}]"#,
        "the shape of data is [3, 2, 2]; [batch, channels, height, width] is expected"
      ),
      (
        #"[{"name": "data", "shape": ["3"]}]"#,
        #"byte 28: [0].shape[0]: '"' where a whole number is expected"#
      ),
      (#"[{"name": "data"}]"#, #"byte 1: [0]: the key "shape" is missing"#),
      (
        #"[{"name": "a", "shape": [1, 3, 2, 2]}, {"name": "b", "shape": [1, 3, 9, 9]}]"#,
        "the inputs are a, b; one, or one named data, is expected"
      ),
      (#"{"name": "data"}"#, "byte 0: '{' where an array is expected"),
    ])
  func shapesFile(_ json: String, _ sentence: String) {
    withScratchFolder { folder in
      Self.write(folder, shapes: json)
      #expect(refusal(folder) == "/model-shapes.json: " + sentence)
    }
  }

  @Test("parameters that do not fit are refused, and more than needed are told")
  func unfitting() throws {
    try withScratchFolder { (folder) throws in
      Self.write(folder, shapes: #"[{"name": "data", "shape": [1, 3, 3, 3]}]"#)
      #expect(
        refusal(folder)
          == "/m-0003.params: the parameter fc_weight has the shape (2, 12); (2, 27) is expected")
      Self.write(folder)
      var file = ParameterBytes()
      file.arrays = [.init(shape: [2, 12], data: [UInt8](repeating: 0, count: 96)), .init(), .init()]
      file.names = ["fc_weight", "fc_bias", "fc1_bias"]
      writeScratchFile(folder + "/m-0003.params", file.bytes)
      #expect(
        try Model(folder).warnings == ["\(folder)/m-0003.params: 1 parameters belong to no node: fc1_bias"])
    }
  }

  @Test("a file's kind follows from its bytes, whatever its name")
  func contents() throws {
    try withScratchFolder { (folder) throws in
      writeScratchFile(folder + "/weights.onnx", ONNXTests.residual())
      writeScratchFile(folder + "/model.bin", ONNXTests.residual())
      #expect(try Model(folder + "/weights.onnx").graph == Model(folder + "/model.bin").graph)
    }
  }

  @Test(
    "a file of another kind says what it is, and what to do",
    arguments: [
      ("a.onnx", Array("<!DOCTYPE html>".utf8), "this is an HTML page; an ONNX model is expected"),
      ("a.safetensors", Array("<html>".utf8), "this is an HTML page; a .safetensors file is expected"),
      (
        "a.tar.gz", [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A],
        "this is a PNG image; a model's folder, its tar archive, a .safetensors or an .onnx file is expected"
      ),
      (
        "a.onnx", Array("version https://git-lfs.github.com/spec/v1".utf8),
        "this is a Git LFS pointer; fetch the real file with git lfs"
      ),
      (
        "a.pth", [0x80, 2, 0x8A, 0x0A, 0x6C, 0xFC, 0x9C, 0x46, 0xF9, 0x20, 0x6A, 0xA8, 0x50, 0x19],
        "this is a PyTorch checkpoint (.pth); save its state_dict as .safetensors"
      ),
      ("a.onnx", [], "this is an empty file; an ONNX model is expected"),
    ] as [(String, [UInt8], String)])
  func otherKinds(_ name: String, _ bytes: [UInt8], _ sentence: String) {
    withScratchFolder { folder in
      writeScratchFile("\(folder)/\(name)", bytes)
      #expect(refusal("\(folder)/\(name)") == ": " + sentence)
    }
  }

  @Test("a part of a model given alone asks for the folder, and a folder of other models for the file")
  func parts() throws {
    withScratchFolder { folder in
      Self.write(folder)
      for (name, kind) in [
        ("m-symbol.json", "an MXNet symbol (-symbol.json)"),
        ("m-0003.params", "an MXNet parameter file (.params)"),
      ] {
        #expect(
          message { _ = try Model("\(folder)/\(name)") }
            == "\(folder)/\(name): this is \(kind), a part of a model; its folder, \(folder), with both *-symbol.json and "
            + "*-NNNN.params in it, is expected")
      }
      let other = folder + "/other"
      writeScratchFile(other + "/pytorch_model.bin", [0x80, 2, 0x7D, 0x71])
      #expect(refusal(other) == ": there is no *-symbol.json; pytorch_model.bin is a Python pickle")
      writeScratchFile(other + "/model.safetensors", [1])
      #expect(
        refusal(other) == ": there is no *-symbol.json; name the model itself: \(other)/model.safetensors")
    }
  }

  @Test(
    "a folder's litter is passed over; parameters of other names are named where none belong to the symbol")
  func litter() throws {
    try withScratchFolder { (folder) throws in
      Self.write(folder)
      for name in ["._m-symbol.json", "._m-0003.params", "._n-0009.params"] {
        writeScratchFile("\(folder)/\(name)", [0, 5, 0x16, 7])
      }
      let model = try Model(folder)
      #expect(model.epoch == 3 && model.warnings.isEmpty)
      let other = folder + "/other"
      writeScratchFile(other + "/m-symbol.json", Self.symbol.json.utf8)
      for name in ["a-0001.params", "b-0001.params"] { writeScratchFile("\(other)/\(name)", [1]) }
      #expect(
        refusal(other)
          == ": there is no m-NNNN.params; the parameters there have other names: a-0001.params, b-0001.params"
      )
    }
  }
}
