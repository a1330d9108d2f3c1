/// Collects the nodes of a symbol as MXNet's Python does: variables get their operator's attributes.
struct SymbolMaker {
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
