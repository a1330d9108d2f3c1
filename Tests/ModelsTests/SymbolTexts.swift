/// Makes the text of a small `symbol.json`.
struct SymbolText {
  struct Node {
    var operation: String
    var name: String
    var attributes: [String: String] = [:]
    var inputs: [[Int]] = []
  }
  var nodes: [Node] = []
  var heads: [[Int]]?
  /// What the attributes are called: `attrs`, `attr` or `param`.
  var key = "attrs"

  /// Adds a variable, returns its number.
  mutating func variable(_ name: String) -> Int { add("null", name, [:], []) }

  @discardableResult
  mutating func add(_ operation: String, _ name: String, _ attributes: [String: String], _ inputs: [Int])
    -> Int
  {
    nodes.append(
      .init(operation: operation, name: name, attributes: attributes, inputs: inputs.map { [$0, 0, 0] }))
    return nodes.count - 1
  }

  var json: String {
    let nodes = nodes.map { node in
      let attributes = node.attributes.sorted { $0.key < $1.key }.map { "\"\($0.key)\": \"\($0.value)\"" }
      return """
        {"op": "\(node.operation)", "name": "\(node.name)", "\(key)": {\(attributes.joined(separator: ", "))}, \
        "inputs": \(node.inputs)}
        """
    }
    let heads = heads ?? [[self.nodes.count - 1, 0, 0]]
    return "{\"nodes\": [\(nodes.joined(separator: ",\n"))], \"heads\": \(heads)}"
  }

  /// Data and one operator, with variables for its further inputs.
  static func one(
    _ operation: String, _ attributes: [String: String] = [:], parameters: [String] = [], flat: Bool = false
  ) -> SymbolText {
    var text = SymbolText()
    var input = text.variable("data")
    if flat { input = text.add("Flatten", "flat", [:], [input]) }
    let inputs = parameters.map { text.variable($0) }
    text.add(operation, "x", attributes, [input] + inputs)
    return text
  }
}
