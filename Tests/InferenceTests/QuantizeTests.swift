import Files
import Imaging
import Models
import Networks
import TestSupport
import Testing

@testable import Inference

@Suite("A model is quantized") struct QuantizeTests {
  /// A network that tells red images (class 0) from green ones. Its third input, blue, is 0 in all images, so that the
  /// weights on it change nothing in fp32; but they take all steps of int8.
  private struct Colours {
    let folder: String
    let preset: Preset
    let model: Model

    /// - Parameter large: the layers that have a huge weight on what is always 0.
    init(_ folder: String, large: Set<String>) throws {
      self.folder = folder
      let nodes =
        #"{"op":"null","name":"data","inputs":[]},{"op":"null","name":"w","inputs":[]},"#
        + #"{"op":"Convolution","name":"c","attrs":{"kernel":"(1,1)","num_filter":"3","no_bias":"True"},"inputs":[[0,0],[1,0]]},"#
        + #"{"op":"Pooling","name":"p","attrs":{"kernel":"(4,4)","global_pool":"True","pool_type":"avg"},"inputs":[[2,0]]},"#
        + #"{"op":"Flatten","name":"f","inputs":[[3,0]]},{"op":"null","name":"k","inputs":[]},"#
        + #"{"op":"FullyConnected","name":"d","attrs":{"num_hidden":"2","no_bias":"True"},"inputs":[[4,0],[5,0]]},"#
        + #"{"op":"softmax","name":"s","inputs":[[6,0]]}"#
      writeScratchFile(folder + "/model/m-symbol.json", #"{"nodes":[\#(nodes)],"heads":[[7,0]]}"#.utf8)
      writeScratchFile(
        folder + "/model/model-shapes.json", #"[{"name":"data","shape":[1,3,4,4]}]"#.utf8)
      var writer = try ParameterWriter(folder + "/model/m-0007.params", count: 2)
      let first: Float = large.contains("c") ? 1e6 : 1
      let last: Float = large.contains("d") ? 1e6 : 1
      let weights: [Float] = [0.1, 0, first, 0, 0.1, first, 0, 0, first]
      let rows: [Float] = [0.1, -0.1, last, -0.1, 0.1, last]
      try writer.append("arg:w", shape: [3, 3, 1, 1], weights.span)
      try writer.append("arg:k", shape: [2, 3], rows.span)
      try writer.publish()
      model = try Model(folder + "/model")
      preset = try ClassifierOptions().preset(of: model)
    }

    /// As many red as green images, some redder or greener than others.
    func writeImages(_ count: Int) throws {
      for index in 0..<count {
        let level = UInt8(40 + index * 7 % 200)
        let isRed = index % 2 == 0
        let pixel: [UInt8] = isRed ? [level, 20, 0] : [20, level, 0]
        let samples = [[UInt8]](repeating: pixel, count: 16).flatMap { $0 }
        let pixels = try Pixels(width: 4, height: 4, channels: 3, samples: samples.span)
        writeScratchFile(
          "\(folder)/images/\(isRed ? "red" : "green")/\(index).png", try encode(pixels, as: .png(level: 1)))
      }
    }

    func quantized(
      maximumDrop: Double = 0.3, labelled: Bool = true, warn: (String) -> Void = { _ in }
    ) throws -> QuantizedNetwork {
      var options = QuantizationOptions()
      options.maximumDrop = maximumDrop
      return try quantize(
        model, preset, .folder(folder + "/images"), options: options,
        label: labelled ? { $0.hasPrefix("red") ? 0 : 1 } : nil, warn: warn)
    }
  }

  private func withColours(
    large: Set<String> = [], images: Int = 60, _ body: (Colours) throws -> Void
  ) throws {
    try withScratchFolder { (folder) throws in
      let colours = try Colours(folder, large: large)
      try colours.writeImages(images)
      try body(colours)
    }
  }

  @Test("on half of few images, and compared on the other half")
  func figures() throws {
    try withColours { colours in
      var warnings: [String] = []
      let result = try colours.quantized { warnings.append($0) }
      #expect(result.calibrated == 30 && result.checked == 30 && result.labelled == 30)
      #expect(result.layers == 2 && result.kept.isEmpty && result.trials.count == 1)
      #expect(result.top1FP32 == 1 && result.top1Int8 == 1 && result.changed == 0)
      #expect(result.imagesPerSecondFP32 > 0 && result.imagesPerSecondInt8 > 0)
      #expect(warnings == ["only 30 images give the ranges; some hundred make them reliable"])
      let again = try colours.quantized()
      #expect(again.quantization == result.quantization, "the same seed gives the same ranges")
    }
  }

  @Test("with the layer that hurts kept in bf16, and named")
  func sensitiveLayer() throws {
    try withColours(large: ["c"]) { colours in
      let result = try colours.quantized()
      #expect(result.trials.map(\.kept) == [0, 1])
      #expect(result.trials[0].top1 ?? 1 < 0.9, "all in int8, it tells nothing apart")
      #expect(result.kept.map(\.name) == ["c"] && result.layers == 1)
      #expect(result.top1Int8 == 1)
    }
  }

  @Test("not at all where no number of kept layers is enough, and says what was tried")
  func hopeless() throws {
    try withColours(large: ["c", "d"]) { colours in
      let error = #expect(throws: (any Error).self) { try colours.quantized() }
      let sentence = error.map { "\($0)" } ?? ""
      #expect(sentence.contains("loses more than 0.3 points") && sentence.contains("0 kept: "), "\(sentence)")
      // It is the user's choice to lose that much, and without classes nobody can say what is lost.
      let allowed = try colours.quantized(maximumDrop: 100)
      #expect(allowed.kept.isEmpty)
      let unlabelled = try colours.quantized(labelled: false)
      #expect(unlabelled.top1FP32 == nil)
    }
  }

  @Test("into a folder that every reader takes, which computes what was measured")
  func folder() throws {
    try withColours(large: ["c"]) { colours in
      let result = try colours.quantized()
      makeScratchFolders(above: colours.folder + "/small/x")
      try result.write(
        colours.model, colours.preset, classes: ["red", "green"], to: colours.folder + "/small")
      let small = try Model(colours.folder + "/small")
      #expect(small.quantization == result.quantization && small.epoch == 7)
      let classifier = try Classifier(model: colours.folder + "/small", options: ClassifierOptions())
      #expect((classifier.network as? Network)?.precision == .int8 && classifier.classes == ["red", "green"])
      #expect(classifier.preset == colours.preset)
      var options = ClassifierOptions()
      options.precision = .fp32
      let plain = try Classifier(model: colours.folder + "/small", options: options)
      let original = try Classifier(model: colours.folder + "/model", options: ClassifierOptions())
      let image = try #require(readScratchBytes(colours.folder + "/images/red/0.png"))
      let rows = try [plain, original].map { try $0.classifyHere([image])[0].get() }
      #expect(rows[0] == rows[1])
      #expect(throws: (any Error).self) {
        var options = ClassifierOptions()
        options.precision = .int8
        _ = try Classifier(model: colours.folder + "/model", options: options)
      }
      #expect(throws: InputError.self, "it is quantized already") {
        try quantize(
          small, colours.preset, .folder(colours.folder + "/images"), options: QuantizationOptions())
      }
    }
  }

  @Test("not from no image, one image, images of no class, or a broken one only")
  func badInput() throws {
    for count in [0, 1] {
      try withColours(images: count) { colours in
        makeScratchFolders(above: colours.folder + "/images/x")
        let error = #expect(throws: InputError.self) { try colours.quantized() }
        #expect(error?.description.contains("at least 2 are needed") == true)
      }
    }
    try withColours { colours in
      let error = #expect(throws: InputError.self) {
        try quantize(
          colours.model, colours.preset, .folder(colours.folder + "/images"), options: QuantizationOptions(),
          label: { _ in nil })
      }
      #expect(error?.description.contains("none of the 30 images") == true)
      var warnings: [String] = []
      _ = try quantize(
        colours.model, colours.preset, .folder(colours.folder + "/images"), options: QuantizationOptions(),
        label: { _ in 1 }, warn: { warnings.append($0) })
      #expect(warnings.contains { $0.contains("are of one class") })
    }
    try withColours(images: 0) { colours in
      for name in ["a", "b", "c"] {
        writeScratchFile("\(colours.folder)/images/\(name).jpg", [0xFF, 0xD8, 0xFF] as [UInt8])
      }
      let error = #expect(throws: InputError.self) { try colours.quantized() }
      #expect(error?.description.contains("could be read") == true)
    }
  }
}
