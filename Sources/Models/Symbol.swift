import Encodings
import Files

/// MXNet's `symbol.json`: operators and variables, each after its inputs, not interpreted yet.
///
/// All generations of the file are read: up to 0.8 an operator's attributes are called `param`, in 0.9 to 0.11 `attr`,
/// since 1.0 `attrs`; inputs have two numbers or three.
public struct Symbol: Hashable, Sendable {
  struct Node: Hashable, Sendable {
    /// "null" for a variable.
    let operation: String
    let name: String
    /// As they are written in the file: "(3, 3)", "True", "2e-05".
    let attributes: [String: String]
    let inputs: [Entry]

    var isVariable: Bool { operation == "null" }
  }
  /// One of the outputs of a node.
  struct Entry: Hashable, Sendable {
    let node: Int
    let output: Int
  }
  /// The file's name in messages.
  let label: String
  let nodes: [Node]
  let head: Entry

  static let largestByteCount = 16 << 20
  /// ResNet-269 has 2,262.
  static let largestNodeCount = 100_000

  /// - Parameters:
  ///   - json: the whole file.
  ///   - label: its name in messages.
  /// - Throws: where the text is not JSON or not a symbol, with the byte; where an input or the head does not exist, or an
  ///   input comes after its node (so there are no cycles); where there is not exactly one head; where two variables have
  ///   the same name.
  public init(json: [UInt8], label: String) throws(ModelError) {
    self.label = label
    guard json.count <= Self.largestByteCount else {
      throw ModelError(
        "\(label): it has \(json.count) bytes; at most \(Self.largestByteCount) are expected of a symbol")
    }
    let document: Document
    do throws(JSONError) { document = try JSON.decode(Document.self, from: json) } catch {
      if let kind = FileKind(json.span), ![.symbol, .json, .text].contains(kind) {
        throw ModelError("\(label): \(kind.sentence(expected: FileKind.symbol.name))")
      }
      throw ModelError("\(label): \(error)")
    }
    guard document.nodes.count <= Self.largestNodeCount else {
      throw ModelError(
        "\(label): it has \(document.nodes.count) nodes; at most \(Self.largestNodeCount) are expected")
    }
    var nodes: [Node] = []
    var variables: Set<String> = []
    for (index, node) in document.nodes.enumerated() {
      let place = "\(label): node \(index) (\(shown(node.name)))"
      var inputs: [Entry] = []
      for input in node.inputs {
        let entry = try Self.entry(input, "\(place): an input")
        guard nodes.indices.contains(entry.node) else {
          throw ModelError("\(place): an input is node \(entry.node); one before this node is expected")
        }
        inputs.append(entry)
      }
      if node.op == "null" {
        guard inputs.isEmpty else { throw ModelError("\(place): a variable has inputs; none are expected") }
        guard variables.insert(node.name).inserted else {
          throw ModelError("\(place): two variables have this name")
        }
      }
      nodes.append(Node(operation: node.op, name: node.name, attributes: node.attributes, inputs: inputs))
    }
    guard document.heads.count == 1, let first = document.heads.first else {
      throw ModelError("\(label): the network has \(document.heads.count) heads; one is expected")
    }
    let head = try Self.entry(first, "\(label): the head")
    guard nodes.indices.contains(head.node) else {
      throw ModelError("\(label): the head is node \(head.node), but there are \(nodes.count) nodes")
    }
    for variable in document.argumentNodes ?? []
    where !nodes.indices.contains(variable) || !nodes[variable].isVariable {
      throw ModelError("\(label): arg_nodes names node \(variable), which is not a variable")
    }
    self.nodes = nodes
    self.head = head
  }

  /// A symbol of nodes that are each after their inputs.
  init(nodes: [Node], head: Entry, label: String = "symbol") {
    self.label = label
    self.nodes = nodes
    self.head = head
  }

  /// Channels, height, width, where the variable `data` says so in its `__shape__`.
  public var inputShape: [Int]? {
    guard let text = nodes.first(where: { $0.isVariable && $0.name == "data" })?.attributes["__shape__"],
      let shape = parseTuple(text), shape.count == 4, shape.dropFirst().allSatisfy({ $0 >= 1 })
    else { return nil }
    return Array(shape.dropFirst())
  }

  /// `[node, output]` or `[node, output, version]`; the version tells states of one array apart and changes no value.
  private static func entry(_ numbers: [Int], _ what: String) throws(ModelError) -> Entry {
    guard (2...3).contains(numbers.count), numbers[1] >= 0 else {
      throw ModelError("\(what) is \(numbers.prefix(8)); [node, output, version] is expected")
    }
    return Entry(node: numbers[0], output: numbers[1])
  }
}

/// The parts of the file that describe the network.
private struct Document: Decodable {
  let nodes: [DocumentNode]
  let heads: [[Int]]
  let argumentNodes: [Int]?

  enum CodingKeys: String, CodingKey {
    case nodes, heads
    case argumentNodes = "arg_nodes"
  }
}

private struct DocumentNode: Decodable {
  let op: String
  let name: String
  let inputs: [[Int]]
  let attributes: [String: String]

  enum CodingKeys: String, CodingKey { case op, name, inputs, attrs, attr, param }

  init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    op = try values.decode(String.self, forKey: .op)
    name = try values.decode(String.self, forKey: .name)
    inputs = try values.decode([[Int]].self, forKey: .inputs)
    // Up to MXNet 0.8 `param` has the operator's attributes, and `attr` the user's.
    var all: [String: String] = [:]
    for key in [CodingKeys.attrs, .attr, .param] {
      all.merge(try values.decodeIfPresent([String: String].self, forKey: key) ?? [:]) { first, _ in first }
    }
    attributes = all
  }
}

/// Builds a symbol node by node as MXNet's Python does: variables get their operator's attributes.
struct SymbolBuilder {
  private(set) var nodes: [Symbol.Node] = []
  private var sumCount = 0

  mutating func variable(_ name: String, _ attributes: [String: String] = [:]) -> Symbol.Entry {
    add("null", name, attributes, [])
  }

  mutating func add(
    _ operation: String, _ name: String, _ attributes: [String: String], _ inputs: [Symbol.Entry]
  ) -> Symbol.Entry {
    nodes.append(Symbol.Node(operation: operation, name: name, attributes: attributes, inputs: inputs))
    return Symbol.Entry(node: nodes.count - 1, output: 0)
  }

  mutating func convolution(
    _ name: String, _ input: Symbol.Entry, _ filters: Int, kernel: Int, stride: Int, hasPadding: Bool = true
  ) -> Symbol.Entry {
    var attributes = [
      "kernel": "(\(kernel), \(kernel))", "no_bias": "True", "num_filter": "\(filters)",
      "stride": "(\(stride), \(stride))", "workspace": "256",
    ]
    // The scripts give a shortcut no pad.
    if hasPadding { attributes["pad"] = "(\(kernel / 2), \(kernel / 2))" }
    return add("Convolution", name, attributes, [input, variable(name + "_weight", attributes)])
  }

  mutating func batchNorm(_ name: String, _ input: Symbol.Entry, isGammaFixed: Bool = false) -> Symbol.Entry {
    let attributes = ["eps": "2e-05", "fix_gamma": isGammaFixed ? "True" : "False", "momentum": "0.9"]
    let zero = ["__init__": #"["zero", {}]"#]
    let one = ["__init__": #"["one", {}]"#]
    return add(
      "BatchNorm", name, attributes,
      [
        input, variable(name + "_gamma", attributes), variable(name + "_beta", attributes),
        variable(name + "_moving_mean", attributes.merging(zero) { first, _ in first }),
        variable(name + "_moving_var", attributes.merging(one) { first, _ in first }),
      ])
  }

  mutating func dense(_ name: String, _ input: Symbol.Entry, outputs: Int) -> Symbol.Entry {
    let attributes = ["num_hidden": "\(outputs)"]
    return add(
      "FullyConnected", name, attributes,
      [input, variable(name + "_weight", attributes), variable(name + "_bias", attributes)])
  }

  mutating func relu(_ name: String, _ input: Symbol.Entry) -> Symbol.Entry {
    add("Activation", name, ["act_type": "relu"], [input])
  }

  mutating func sum(_ left: Symbol.Entry, _ right: Symbol.Entry) -> Symbol.Entry {
    sumCount += 1
    return add("elemwise_add", "_plus\(sumCount - 1)", [:], [left, right])
  }
}
