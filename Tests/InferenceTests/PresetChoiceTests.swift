import Imaging
import Models
import Networks
import TestSupport
import Testing

@testable import Inference

@Suite("How a model's pictures become tensors is said by")
struct PresetChoiceTests {
  private func classifier(
    _ folder: String, _ change: (inout ClassifierOptions) -> Void = { _ in }
  ) throws -> Classifier {
    var options = ClassifierOptions()
    options.engine = .reference
    change(&options)
    return try Classifier(model: folder + "/x.safetensors", options: options)
  }

  @Test("torchvision's evaluation for its weights, where neither preprocess.json nor an option says it")
  func torchvision() throws {
    try withScratchFolder { (folder) throws in
      writeScratchFile(folder + "/x.safetensors", torchvisionFile())
      let mean: [Float] = [123.675, 116.28, 103.53]
      let std: [Float] = [58.395, 57.12, 57.375]
      let own = try Preset(mode: .crop, resize: 256, mean: mean, std: std)
      #expect(try classifier(folder).preset == own)
      #expect(
        try classifier(folder) { $0.mode = .squash }.preset == Preset(mode: .squash, mean: mean, std: std))
      #expect(
        try classifier(folder) { $0.resize = 232 }.preset
          == Preset(mode: .crop, resize: 232, mean: mean, std: std))
      #expect(try classifier(folder) { $0.mode = .crop }.preset == own)
    }
  }

  @Test("preprocess.json beside the weights, all of it; classes.txt there names the outputs")
  func beside() throws {
    try withScratchFolder { (folder) throws in
      writeScratchFile(folder + "/x.safetensors", torchvisionFile())
      writeScratchFile(folder + "/preprocess.json", #"{"mode":"squash","std":[2,2,2]}"#.utf8)
      writeScratchFile(folder + "/classes.txt", "a\nb\nc\n".utf8)
      let found = try classifier(folder)
      #expect(try found.preset == Preset(mode: .squash, std: [2, 2, 2]) && found.classes == ["a", "b", "c"])
      #expect(try classifier(folder) { $0.mode = .crop }.preset == Preset(mode: .crop, std: [2, 2, 2]))
      writeScratchFile(folder + "/preprocess.json", #"{"resize":0}"#.utf8)
      let error = #expect(throws: ClassifierError.self) { _ = try classifier(folder) }
      #expect(error?.description == "\(folder)/preprocess.json: resize is 0; from 1 to 65535 is expected")
      writeScratchFile(folder + "/preprocess.json", "{}".utf8)
      writeScratchFile(folder + "/classes.txt", "a\nb\n".utf8)
      let other = #expect(throws: ClassifierError.self) { _ = try classifier(folder) }
      #expect(other?.description == "\(folder)/classes.txt: it names 2 classes, the network has 3 outputs")
    }
  }

  @Test("it for every number: a picture of one colour is that colour, normalised")
  func numbers() throws {
    try withScratchFolder { (folder) throws in
      writeScratchFile(folder + "/x.safetensors", torchvisionFile())
      let colour: [UInt8] = [200, 100, 30]
      let samples = (0..<300 * 400).flatMap { _ in colour }
      let pixels = try Pixels(width: 400, height: 300, channels: 3, samples: samples.span)
      let classifier = try classifier(folder)
      let found = try classifier.classifyHere([try encode(pixels, as: .png(level: 1))])[0].get()
      let (mean, std): ([Double], [Double]) = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
      var tensor: [Float] = []
      for channel in 0..<3 {
        let value = (Double(colour[channel]) / 255 - mean[channel]) / std[channel]
        tensor += [Float](repeating: Float(value), count: 224 * 224)
      }
      var expected = [Float](repeating: 0, count: 3)
      var row = expected.mutableSpan
      classifier.network.run(tensor.span, count: 1, into: &row)
      #expect(zip(found, expected).allSatisfy { abs($0 - $1) < 1e-5 } && Set(found).count == 3)
    }
  }

  @Test("torchvision's proportions where the network takes another shape")
  func otherShapes() throws {
    #expect(try Preset.torchvision(shape: [3, 224, 224]).resize == 256)
    #expect(try Preset.torchvision(shape: [3, 384, 448]).resize == 439)
    #expect(try Preset.torchvision(shape: [3, 1, 1]).resize == 1)
    #expect(throws: PresetError.self) { try Preset.torchvision(shape: [3, .min, .max]) }
    #expect(try Preset.torchvision(shape: [3, 65_535, 2_000]).resize == 2_286)
  }
}

/// A `.safetensors` file of random numbers, named as torchvision's: one unit in each stage, few channels.
func torchvisionFile(classes: Int = 3) -> [UInt8] {
  var random = SplitMix64(seed: 90)
  var (fields, data): ([String], [UInt8]) = ([], [])
  func append(_ name: String, _ shape: [Int], from low: Float = -1, to high: Float = 1) {
    let start = data.count
    for _ in 0..<shape.reduce(1, *) {
      let bits = Float.random(in: low...high, using: &random).bitPattern
      data += (0..<4).map { UInt8(truncatingIfNeeded: bits >> (8 * $0)) }
    }
    fields.append(#""\#(name)":{"dtype":"F32","shape":\#(shape),"data_offsets":[\#(start),\#(data.count)]}"#)
  }
  func layer(_ convolution: String, _ norm: String, _ shape: [Int]) {
    append(convolution + ".weight", shape)
    append(norm + ".weight", [shape[0]])
    append(norm + ".bias", [shape[0]])
    append(norm + ".running_mean", [shape[0]])
    append(norm + ".running_var", [shape[0]], from: 0.5, to: 2)
  }
  layer("conv1", "bn1", [2, 3, 7, 7])
  for stage in 1...4 {
    let (input, width) = stage == 1 ? (2, 2) : (1 << (stage - 1), 1 << stage)
    layer("layer\(stage).0.conv1", "layer\(stage).0.bn1", [width, input, 3, 3])
    layer("layer\(stage).0.conv2", "layer\(stage).0.bn2", [width, width, 3, 3])
    if stage > 1 {
      layer("layer\(stage).0.downsample.0", "layer\(stage).0.downsample.1", [width, input, 1, 1])
    }
  }
  append("fc.weight", [classes, 16])
  append("fc.bias", [classes])
  let header = Array("{\(fields.joined(separator: ","))}".utf8)
  return (0..<8).map { UInt8(truncatingIfNeeded: header.count >> (8 * $0)) } + header + data
}
