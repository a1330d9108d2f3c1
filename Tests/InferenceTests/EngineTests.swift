import Models
import Networks
import TestSupport
import Testing

@testable import Inference

@Suite("The engine that runs is said")
struct EngineTests {
  /// A fully connected layer on the image itself, where the fast engine needs a convolution first; or on one.
  private func writeModel(_ folder: String, hasConvolution: Bool) throws {
    let convolution =
      #"{"op":"Convolution","name":"c","attrs":{"kernel":"(1,1)","num_filter":"3","no_bias":"True"},"#
    let nodes =
      #"{"op":"null","name":"data","inputs":[]},{"op":"null","name":"w","inputs":[]},"#
      + (hasConvolution
        ? convolution + #""inputs":[[0,0],[1,0]]},"# : #"{"op":"_copy","name":"c","inputs":[[0,0]]},"#)
      + #"{"op":"Flatten","name":"f","inputs":[[2,0]]},{"op":"null","name":"k","inputs":[]},"#
      + #"{"op":"FullyConnected","name":"d","attrs":{"num_hidden":"2","no_bias":"True"},"inputs":[[3,0],[4,0]]},"#
      + #"{"op":"softmax","name":"s","inputs":[[5,0]]}"#
    writeScratchFile(folder + "/m-symbol.json", #"{"nodes":[\#(nodes)],"heads":[[6,0]]}"#.utf8)
    writeScratchFile(folder + "/model-shapes.json", #"[{"name":"data","shape":[1,3,4,4]}]"#.utf8)
    var writer = try ParameterWriter(folder + "/m-0000.params", count: 2)
    var random = SplitMix64(seed: 8)
    for (name, shape) in [("w", [3, 3, 1, 1]), ("k", [2, 48])] {
      try writer.append("arg:" + name, shape: shape, random.floats(shape.reduce(1, *)).span)
    }
    try writer.publish()
  }

  private static let sentence =
    "the reference engine runs, which is slower: the fast one cannot run node f"

  @Test("with its reason, where the fast one has no way for the network", arguments: [true, false])
  func fallback(_ hasConvolution: Bool) throws {
    try withScratchFolder { (folder) throws in
      try writeModel(folder, hasConvolution: hasConvolution)
      for engine in Network.Engine.allCases {
        var options = ClassifierOptions()
        options.engine = engine
        var sentences: [String] = []
        let classifier = try Classifier(model: folder, options: options) { sentences.append($0) }
        let runs = (classifier.network as? Network)?.engine
        let isFallback = engine == .fast && !hasConvolution
        #expect(runs == (isFallback ? .reference : engine))
        #expect(
          sentences.filter { $0.contains("engine") } == (isFallback ? ["\(folder): \(Self.sentence)"] : []))
      }
    }
  }

  @Test("by a benchmark, whichever was asked for")
  func benchmark() throws {
    try withScratchFolder { (folder) throws in
      try writeModel(folder, hasConvolution: false)
      let model = try BenchModel(folder)
      var options = InferenceBenchmarkOptions()
      (options.batches, options.runs, options.runTime) = ([1], 1, .zero)
      options.precisions = [.fp32, .bf16]
      let result = try benchmarkInference(
        { try Network(model.graph, model.parameters, engine: .fast, batch: $0, precision: $1) },
        options: options)
      #expect(result.engine == "reference" && result.kernels == "openblas")
      #expect(result.batches.count == 1 && result.otherPrecisions.isEmpty)
    }
  }

  @Test("in all its precisions by a benchmark, each compared with the first, layer by layer")
  func precisions() throws {
    let model = try BenchModel("resnet-20")
    let quantization = try model.quantization()
    var options = InferenceBenchmarkOptions()
    (options.batches, options.runs, options.runTime, options.timesLayers) = ([1, 3], 2, .zero, true)
    options.precisions = Network.Precision.allCases
    var progress: [[Int]] = []
    let makeNetwork = {
      try Network(model.graph, model.parameters, batch: $0, precision: $1, quantization: quantization)
    }
    let result = try benchmarkInference(makeNetwork, options: options) { progress.append([$0, $1]) }
    #expect(progress == (1...12).map { [$0, 12] })
    #expect(result.precision == "fp32" && result.batches.map(\.precision) == ["fp32", "fp32"])
    #expect(result.batches.map(\.batch) == [1, 3] && result.batches.allSatisfy { $0.ratio == nil })
    #expect(result.otherPrecisions.map(\.precision) == ["bf16", "int8", "bf16", "int8"])
    #expect(result.otherPrecisions.map(\.batch) == [1, 1, 3, 3])
    for figures in result.otherPrecisions {
      let first = try #require(result.batches.first { $0.batch == figures.batch })
      let ratios = zip(figures.runs, first.runs).map { $0 / $1 }
      #expect(figures.ratio.map { abs($0 * 2 / ratios.reduce(0, +) - 1) < 1e-9 } == true)
      #expect(figures.layers?.map(\.name) == first.layers?.map(\.name))
    }
    let layers = try #require(result.batches[0].layers)
    #expect(layers.contains { $0.gflopPerSecond == 0 })
    // Each operation of the graph belongs to one layer.
    let operations = layers.reduce(0) { $0 + $1.gflopPerSecond * $1.milliseconds * 1e-3 }
    #expect(abs(operations / result.gflop - 1) < 1e-9)
  }
}
