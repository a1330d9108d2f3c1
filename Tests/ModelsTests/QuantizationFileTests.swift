import Testing

@testable import Models

@Suite("quantization.json") struct QuantizationFileTests {
  private func graph() throws -> Graph {
    try ResNet(depth: 20, classCount: 5, inputShape: [3, 28, 28]).graph
  }

  @Test("is read as it was written, every bit of it")
  func roundTrip() throws {
    let graph = try graph()
    let quantization = Quantization(inputs: [
      "conv0": .init(range: -0.1...Float(1.0 / 3), means: [0.1, 1e-20, -7]),
      "fc1": .init(range: 0...5.000_001),
    ])
    let text = try quantization.text(for: graph)
    let read = try Quantization(json: Array(text.utf8), for: graph, label: "q")
    #expect(read == quantization)
    #expect(
      text.hasPrefix(#"{"layers":[{"means":[0.1,1e-20,-7],"name":"conv0","range":[-0.1,0.33333334]},"#),
      "\(text)")
  }

  @Test(
    "is refused with the layer and the reason",
    arguments: [
      (#"{"version":2,"layers":[]}"#, "version is 2"), ("[]", "q: "), (#"{"version":1}"#, "layers"),
      (#"{"version":1,"layers":[{"name":"bn0","range":[0,1],"means":[]}]}"#, "no convolution"),
      (#"{"version":1,"layers":[{"name":"conv0","range":[1,0],"means":[]}]}"#, "[smallest, largest]"),
      (#"{"version":1,"layers":[{"name":"conv0","range":[1],"means":[]}]}"#, "[smallest, largest]"),
      (#"{"version":1,"layers":[{"name":"conv0","range":[0,1],"means":[1]}]}"#, "1 means; 3 are expected"),
      (#"{"version":1,"layers":[{"name":"conv0","range":[0,1e-38],"means":[]}]}"#, "1e-30"),
      (#"{"version":1,"layers":[{"name":"conv0","range":[0,1e38],"means":[]}]}"#, "1e30"),
      (#"{"version":1,"layers":[{"name":"conv0","range":[0,1e99],"means":[]}]}"#, "range"),
      (
        #"{"version":1,"layers":[{"name":"fc1","range":[0,1],"means":[]},{"name":"fc1","range":[0,1],"means":[]}]}"#,
        "twice"
      ),
    ])
  func refused(_ json: String, _ words: String) throws {
    let graph = try graph()
    let error = #expect(throws: ModelError.self) {
      try Quantization(json: Array(json.utf8), for: graph, label: "q")
    }
    #expect(error?.description.contains(words) == true, "\(error?.description ?? "")")
  }
}
