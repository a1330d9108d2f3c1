import Encodings

extension Symbol {
  /// The text that MXNet 1.9.1 saves, byte for byte.
  public var json: String {
    var nodeTexts: [String] = []
    var rows = [0]
    for node in nodes {
      nodeTexts.append(text(node))
      rows.append(rows[rows.count - 1] + Self.outputCount(node))
    }
    let variables = nodes.indices.filter { nodes[$0].isVariable }
    return """
      {
        "nodes": [
      \(nodeTexts.joined(separator: ", \n"))
        ], \n  \"arg_nodes\": \(list(variables)), \n  \"node_row_ptr\": \(list(rows)), \n  \"heads\": [[\(head.node), \
      \(head.output), 0]], \n  \"attrs\": {\"mxnet_version\": [\"int\", 10901]}
      }
      """
  }

  private func text(_ node: Node) -> String {
    var lines = [
      #"      "op": \#(jsonString(node.operation, .line))"#,
      #"      "name": \#(jsonString(node.name, .line))"#,
    ]
    let attributes = node.attributes.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }
    let pairs = attributes.map { "\(jsonString($0.key, .line)): \(jsonString($0.value, .line))" }
    if pairs.count == 1 {
      lines.append(#"      "attrs": {\#(pairs[0])}"#)
    } else if !pairs.isEmpty {
      lines.append("      \"attrs\": {\n        " + pairs.joined(separator: ", \n        ") + "\n      }")
    }
    let inputs = node.inputs.enumerated().map { index, input in
      // The version of the moving statistics, which the operator writes to.
      "[\(input.node), \(input.output), \(node.operation == "BatchNorm" && index >= 3 ? 1 : 0)]"
    }
    lines.append(#"      "inputs": [\#(inputs.joined(separator: ", "))]"#)
    return "    {\n" + lines.joined(separator: ", \n") + "\n    }"
  }

  private func list(_ numbers: [Int]) -> String {
    "[\n    " + numbers.map(String.init).joined(separator: ", \n    ") + "\n  ]"
  }

  /// Outputs that the operator has inside MXNet, of which the first is the one others read.
  private static func outputCount(_ node: Node) -> Int {
    switch node.operation {
    case "BatchNorm": 3
    case "Dropout": 2
    // A workspace, in MXNet's builds for the CPU.
    case "Pooling": node.attributes["pool_type"] == "avg" ? 1 : 2
    default: 1
    }
  }
}
