import Foundation
import TestSupport
import Testing

@testable import Models

/// Models that MXNet made, with what MXNet says of them: a few in Goldens, and those of the folder IMREC_MODELS, which
/// the comparison with MXNet fills (tools/oracle/models/models.py).
@Suite struct MXNetModelTests {
  private struct Expected: Decodable {
    let shape: [Int]
    /// All arrays of the symbol but data and labels.
    let parameters: [String: [Int]]
    /// The gammas that are 1, whatever the file stores.
    let fixed: [String]
    /// The output of each node for one image.
    let outputs: [String: [Int]]
    /// Checksums of the values as float32.
    let values: [String: String]
    /// The arrays in the order of a file that `ParameterWriter` would make.
    let written: [String]
  }

  private struct Network: Decodable {
    let depth: Int
    let version: Int
    let classes: Int
    let shape: [Int]
  }

  private static let goldens =
    URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("Goldens").path

  @Test("models that MXNet made are read as MXNet reads them", arguments: scratchNames(goldens))
  func golden(_ name: String) throws {
    #expect(try difference(Self.goldens + "/" + name) == "")
  }

  @Test(
    "models that MXNet makes now are read as MXNet reads them",
    .enabled(if: ProcessInfo.processInfo.environment["IMREC_MODELS"] != nil))
  func made() throws {
    let folder = try #require(ProcessInfo.processInfo.environment["IMREC_MODELS"])
    let names = scratchNames(folder).filter { !scratchNames("\(folder)/\($0)").isEmpty }
    var lines = ""
    for name in names {
      let text = message {
        let found = try difference("\(folder)/\(name)")
        if !found.isEmpty { throw ModelError(found) }
      }
      #expect(text == "nothing", "\(name)")
      lines += "\(name)\t\(text == "nothing" ? "" : text)\n"
    }
    writeScratchFile(folder + "/results.txt", lines.utf8)
  }

  /// Empty where there is none.
  private func difference(_ folder: String) throws -> String {
    let decoder = JSONDecoder()
    if let json = readScratchBytes(folder + "/resnet.json") {
      let asked = try decoder.decode(Network.self, from: Data(json))
      let network = try ResNet(
        depth: asked.depth, version: asked.version == 1 ? .v1 : .v2, classCount: asked.classes,
        inputShape: asked.shape)
      let text = try #require(readScratchBytes(folder + "/m-symbol.json"))
      let own = Array(network.symbol.json.utf8)
      if let place = zip(own, text).enumerated().first(where: { $1.0 != $1.1 })?.offset {
        return
          "the symbol's text differs at byte \(place): \(String(decoding: own[place...].prefix(60), as: UTF8.self))"
      }
      if own.count != text.count { return "the symbol's text has \(own.count) bytes, not \(text.count)" }
      let symbol = try Symbol(json: text, label: "m")
      return try Graph(symbol, inputShape: asked.shape) == network.graph ? "" : "the graph is another"
    }
    let expected = try decoder.decode(
      Expected.self, from: Data(try #require(readScratchBytes(folder + "/expected.json"))))
    let model = try Model(folder)
    if model.graph.inputShape != expected.shape { return "the input is \(model.graph.inputShape)" }
    if !model.warnings.isEmpty { return model.warnings.joined(separator: "; ") }
    let wanted = expected.parameters.filter { !expected.fixed.contains($0.key) }
    let found = Dictionary(model.graph.parameters.map { ($0.name, $0.shape) }) { first, _ in first }
    if found != wanted { return "the parameters are \(found)" }
    for node in model.graph.nodes.dropFirst() where node.operation != .flatten {
      if expected.outputs[node.name] != node.shape { return "\(node.name) gives \(node.shape)" }
    }
    for (name, sum) in expected.values {
      let values = try model.parameters.values(of: name)
      if checksum(values.withUnsafeBytes { Array($0) }) != sum { return "the values of \(name) are others" }
    }
    if expected.written.isEmpty { return "" }
    return try withScratchFolder { (scratch) throws in
      var writer = try ParameterWriter(scratch + "/x.params", count: expected.written.count)
      for name in expected.written {
        let own = String(name.dropFirst(4))
        let values = try model.parameters.values(of: own)
        try writer.append(name, shape: try #require(model.parameters.shape(of: own)), values.span)
      }
      try writer.publish()
      return readScratchBytes(scratch + "/x.params") == readScratchBytes(folder + "/m-0000.params")
        ? "" : "the file that is written is another"
    }
  }
}
