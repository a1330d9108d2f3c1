import TestSupport
import Testing

@testable import Models

@Suite struct ModelWriterTests {
  private static let network = try? ResNet(depth: 20, classCount: 5, inputShape: [3, 28, 28])

  @Test("fresh weights are normal with the deviation of their inputs; all else has its neutral value")
  func initial() throws {
    let graph = try ResNet(depth: 18, classCount: 10).graph
    let parameters = Parameters(initialFor: graph, seed: 1)
    for (name, inputs) in [("conv0_weight", 147.0), ("stage2_unit1_conv2_weight", 1152), ("fc1_weight", 512)]
    {
      let values = try parameters.values(of: name).map(Double.init)
      let mean = values.reduce(0, +) / Double(values.count)
      let deviation = (values.reduce(0) { $0 + $1 * $1 } / Double(values.count)).squareRoot()
      let wanted = (2 / inputs).squareRoot()
      #expect(abs(mean) < wanted * 4 / Double(values.count).squareRoot(), "\(name)")
      #expect(abs(deviation / wanted - 1) < 3 / Double(values.count).squareRoot(), "\(name)")
      // 68.3 % of normal numbers lie within one standard deviation, and 57.7 % of uniform ones.
      let near = Double(values.count { abs($0) < wanted }) / Double(values.count)
      #expect(abs(near - 0.683) < 0.03, "\(name)")
    }
    for parameter in graph.parameters where parameter.role != .weight {
      let value: Float = parameter.role == .gamma || parameter.role == .variance ? 1 : 0
      #expect(try parameters.values(of: parameter.name).allSatisfy { $0 == value })
    }
    let same = Parameters(initialFor: graph, seed: 1)
    let other = Parameters(initialFor: graph, seed: 2)
    #expect(try same.values(of: "fc1_weight") == parameters.values(of: "fc1_weight"))
    #expect(try other.values(of: "fc1_weight") != parameters.values(of: "fc1_weight"))
  }

  @Test("a model that was written is read to the same, with every array that MXNet asks for")
  func written() throws {
    let network = try #require(Self.network)
    let graph = try network.graph
    let parameters = Parameters(initialFor: graph, seed: 3)
    try withScratchFolder { (folder) throws in
      let writer = ModelWriter(network.symbol, graph, folder: folder)
      try writer.writeNetwork(batch: 32)
      let path = try writer.writeParameters(parameters, epoch: 7)
      #expect(path == folder + "/image-classification-0007.params")
      #expect(
        readScratchFile(folder + "/model-shapes.json")
          == "[{\"name\": \"data\", \"shape\": [32, 3, 28, 28]}]\n")
      let model = try Model(folder)
      #expect(model.graph == graph && model.epoch == 7 && model.warnings.isEmpty)
      for name in parameters.names {
        #expect(try model.parameters.values(of: name) == parameters.values(of: name))
      }
      // No layer reads it, but MXNet's Module requires it.
      #expect(try model.parameters.values(of: "bn_data_gamma") == [1, 1, 1])
      let arrays = network.symbol.nodes.filter {
        $0.isVariable && !["data", "softmax_label"].contains($0.name)
      }
      #expect(Set(model.parameters.names) == Set(arrays.map(\.name)))
    }
  }

  @Test("a network for several labels ends in a sigmoid")
  func sigmoid() throws {
    let network = try ResNet(depth: 20, head: .sigmoid, classCount: 5, inputShape: [3, 28, 28])
    let symbol = try Symbol(json: Array(network.symbol.json.utf8), label: "written")
    let graph = try Graph(symbol, inputShape: [3, 28, 28])
    #expect(graph.nodes[graph.output].operation == .sigmoid)
  }

  @Test("an archive has the same bytes for the same files, flat, and is read as a model")
  func archive() throws {
    let network = try #require(Self.network)
    try withScratchFolder { (folder) throws in
      let writer = ModelWriter(network.symbol, try network.graph, folder: folder)
      try writer.writeNetwork(batch: 1)
      let path = try writer.writeParameters(Parameters(initialFor: try network.graph, seed: 3), epoch: 1)
      let files = [path, folder + "/image-classification-symbol.json", folder + "/model-shapes.json"]
      try writeModelArchive(folder + "/a.tar.gz", files: files)
      for file in files { writeScratchFile(file, readScratchBytes(file) ?? []) }
      try writeModelArchive(folder + "/b.tar.gz", files: files)
      #expect(readScratchBytes(folder + "/a.tar.gz") == readScratchBytes(folder + "/b.tar.gz"))
      #expect(try Model(folder + "/a.tar.gz").graph == network.graph)
      #expect(
        message { try writeModelArchive(folder + "/c.tar.gz", files: [folder + "/no"]) }.contains(
          "/no: there is no"))
      #expect(!scratchNames(folder).contains { $0.hasPrefix("c.tar.gz") })
    }
  }

  @Test("of a network for other classes everything is kept but the last layer")
  func transferred() throws {
    let old = try #require(Self.network).graph
    let trained = Parameters(initialFor: old, seed: 5)
    let graph = try ResNet(depth: 20, classCount: 7, inputShape: [3, 28, 28]).graph
    let fresh = Parameters(initialFor: graph, seed: 6)
    let found = try Parameters.transferred(from: trained, of: old, to: graph, label: "m", fresh: fresh)
    #expect(found.renewed == ["fc1_weight", "fc1_bias"])
    try graph.check(found.parameters)
    #expect(try found.parameters.values(of: "conv0_weight") == trained.values(of: "conv0_weight"))
    #expect(try found.parameters.values(of: "fc1_weight") == fresh.values(of: "fc1_weight"))
    let same = try Parameters.transferred(from: trained, of: old, to: old, label: "m", fresh: trained)
    #expect(same.renewed.isEmpty)
    #expect(try same.parameters.values(of: "fc1_weight") == trained.values(of: "fc1_weight"))
  }

  @Test("a network of another depth is refused, whichever is deeper", arguments: [(32, 20), (20, 32)])
  func otherDepth(_ depths: (trained: Int, wanted: Int)) throws {
    let old = try ResNet(depth: depths.trained, classCount: 5, inputShape: [3, 28, 28]).graph
    let new = try ResNet(depth: depths.wanted, classCount: 5, inputShape: [3, 28, 28]).graph
    let parameters = Parameters(initialFor: old, seed: 5)
    let fresh = Parameters(initialFor: new, seed: 6)
    let words = message {
      _ = try Parameters.transferred(from: parameters, of: old, to: new, label: "model.tar.gz", fresh: fresh)
    }
    #expect(
      words.hasPrefix(
        "model.tar.gz: the pretrained model has \(depths.trained) layers for images of shape (3, 28, 28), the network "
          + "to be trained \(depths.wanted) layers for images of shape (3, 28, 28): "), "\(words)")
  }
}
