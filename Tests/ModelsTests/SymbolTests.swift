import Testing

@testable import Models

@Suite struct SymbolTests {
  private func refusal(_ json: String) -> String {
    message { _ = try Symbol(json: Array(json.utf8), label: "s") }
  }

  @Test("attributes have three names in three generations", arguments: ["attrs", "attr", "param"])
  func generations(_ key: String) throws {
    var text = SymbolText.one("Convolution", GraphTests.kernel, parameters: ["w", "b"])
    text.key = key
    let symbol = try Symbol(json: Array(text.json.utf8), label: "s")
    #expect(symbol.nodes[3].attributes == GraphTests.kernel)
    #expect(symbol.nodes[3].inputs.map(\.node) == [0, 1, 2])
  }

  @Test("the shape of the input is that of the variable data")
  func inputShape() throws {
    var text = SymbolText.one("relu")
    #expect(try Symbol(json: Array(text.json.utf8), label: "s").inputShape == nil)
    text.nodes[0].attributes = ["__shape__": "(0, 3, 97, 131)"]
    #expect(try Symbol(json: Array(text.json.utf8), label: "s").inputShape == [3, 97, 131])
    text.nodes[0].attributes = ["__shape__": "(0, 3, 0, 131)"]
    #expect(try Symbol(json: Array(text.json.utf8), label: "s").inputShape == nil)
  }

  static let refusals = [
    (#"{"nodes": []}"#, #"s: byte 0: the key "heads" is missing"#),
    (#"{"heads": []}"#, #"s: byte 0: the key "nodes" is missing"#),
    (#"{"nodes": [], "heads": []}"#, "s: the network has 0 heads; one is expected"),
    (#"{"nodes": [], "heads": [[0, 0], [1, 0]]}"#, "s: the network has 2 heads; one is expected"),
    (#"{"nodes": [], "heads": [[0, 0, 0]]}"#, "s: the head is node 0, but there are 0 nodes"),
    (#"{"nodes": [], "heads": [[-1, 0, 0]]}"#, "s: the head is node -1, but there are 0 nodes"),
    (#"{"nodes": [], "heads": [[0]]}"#, "s: the head is [0]; [node, output, version] is expected"),
    (#"{"nodes": [], "heads": [[0, -1]]}"#, "s: the head is [0, -1]; [node, output, version] is expected"),
    (
      #"{"nodes": [{"op": "relu", "name": "x", "inputs": [[0, 0, 0]]}], "heads": [[0, 0, 0]]}"#,
      "s: node 0 (x): an input is node 0; one before this node is expected"
    ),
    (
      #"{"nodes": [{"op": "null", "name": "a", "inputs": []}, {"op": "relu", "name": "x", "inputs": [[-9, 0]]}], "heads": []}"#,
      "s: node 1 (x): an input is node -9; one before this node is expected"
    ),
    (
      #"{"nodes": [{"op": "null", "name": "a", "inputs": []}, {"op": "null", "name": "a", "inputs": []}], "heads": []}"#,
      "s: node 1 (a): two variables have this name"
    ),
    (
      #"{"nodes": [{"op": "null", "name": "a", "inputs": []}, {"op": "null", "name": "b", "inputs": [[0, 0]]}], "heads": []}"#,
      "s: node 1 (b): a variable has inputs; none are expected"
    ),
    (
      #"{"nodes": [{"op": "null", "name": "a", "inputs": []}], "arg_nodes": [7], "heads": [[0, 0]]}"#,
      "s: arg_nodes names node 7, which is not a variable"
    ),
    (
      #"{"nodes": [{"op": "null", "name": 7, "inputs": []}], "heads": []}"#,
      "s: byte 34: nodes[0].name: '7' where a string is expected"
    ),
    (
      #"{"nodes": [{"op": "null", "name": "a"}], "heads": []}"#,
      #"s: byte 11: nodes[0]: the key "inputs" is missing"#
    ),
    (
      #"{"nodes": [{"op": "null", "name": "a", "inputs": [["x"]]}], "heads": []}"#,
      #"s: byte 51: nodes[0].inputs[0][0]: '"' where a whole number is expected"#
    ),
    (
      #"{"nodes": [{"op": "null", "name": "a", "inputs": [], "attrs": {"k": 1}}], "heads": []}"#,
      "s: byte 68: nodes[0].attrs.k: '1' where a string is expected"
    ),
  ]

  @Test("a file that is not a symbol is refused in one sentence", arguments: refusals)
  func refused(_ json: String, _ sentence: String) {
    #expect(refusal(json) == sentence)
  }

  @Test(
    "invalid JSON is refused",
    arguments: ["{", "[", "nodes", "{\"nodes\": [}", String(repeating: "[", count: 1 << 20)])
  func notJSON(_ json: String) {
    #expect(refusal(json).hasPrefix("s: byte "), "\(refusal(json))")
  }

  @Test("a file of another kind is named")
  func otherKinds() {
    #expect(refusal("") == "s: this is an empty file; an MXNet symbol (-symbol.json) is expected")
    #expect(refusal("<html>") == "s: this is an HTML page; an MXNet symbol (-symbol.json) is expected")
    #expect(
      refusal("version https://git-lfs.github.com/spec/v1\n")
        == "s: this is a Git LFS pointer; fetch the real file with git lfs")
  }

  @Test("nesting without end, a great many nodes and a great many bytes are refused")
  func bombs() {
    let deep =
      #"{"nodes": "# + String(repeating: "[", count: 100_000) + String(repeating: "]", count: 100_000) + "}"
    #expect(refusal(deep) == "s: byte 73: arrays and objects are nested more than 64 deep")
    let node = #"{"op":"null","name":"a","inputs":[]}"#
    let many =
      #"{"nodes": ["# + Array(repeating: node, count: 100_001).joined(separator: ",") + #"], "heads": []}"#
    #expect(refusal(many) == "s: it has 100001 nodes; at most 100000 are expected")
    #expect(
      refusal(String(repeating: " ", count: (16 << 20) + 1))
        == "s: it has 16777217 bytes; at most 16777216 are expected of a symbol")
  }

  @Test("names cannot send control characters to a terminal")
  func escapes() {
    let json = #"{"nodes": [{"op": "relu", "name": "\u001b[2J", "inputs": [[9, 0]]}], "heads": []}"#
    #expect(
      refusal(json) == #"s: node 0 (\u{1B}[2J): an input is node 9; one before this node is expected"#)
  }
}
