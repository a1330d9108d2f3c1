extension Graph {
  /// An array that the network reads.
  public struct Parameter: Hashable, Sendable {
    public enum Role: Hashable, Sendable {
      case weight, bias, gamma, beta
      /// A BatchNorm's moving statistics: learnt by watching, MXNet's `aux:`.
      case mean, variance
    }
    public let name: String
    public let role: Role
    public let shape: [Int]
  }

  /// Every array that the network reads, node by node; one that several nodes read comes several times.
  public var parameters: [Parameter] { nodes.flatMap(parameters(of:)) }

  package func parameters(of node: Node) -> [Parameter] {
    let input = node.inputs.first.map { nodes[$0].shape } ?? []
    switch node.operation {
    case .convolution(let convolution):
      let kernel = [convolution.kernel.rows, convolution.kernel.columns]
      return [
        Parameter(
          name: convolution.weight, role: .weight, shape: [convolution.filters] + input.prefix(1) + kernel)
      ] + bias(convolution.bias, convolution.filters)
    case .dense(let dense):
      return [Parameter(name: dense.weight, role: .weight, shape: [dense.outputs] + input)]
        + bias(dense.bias, dense.outputs)
    case .batchNorm(let norm):
      let shape = Array(input.prefix(1))
      let gamma = norm.gamma.map { [Parameter(name: $0, role: .gamma, shape: shape)] } ?? []
      return gamma + [
        Parameter(name: norm.beta, role: .beta, shape: shape),
        Parameter(name: norm.mean, role: .mean, shape: shape),
        Parameter(name: norm.variance, role: .variance, shape: shape),
      ]
    case .input, .relu, .pooling, .add, .flatten, .softmax, .sigmoid: return []
    }
  }

  private func bias(_ name: String?, _ count: Int) -> [Parameter] {
    name.map { [Parameter(name: $0, role: .bias, shape: [count])] } ?? []
  }

  /// Whether every parameter is there in the right shape.
  ///
  /// - Throws: naming those that are missing, or the first one whose shape is not what its operator asks for.
  public func check(_ parameters: Parameters) throws(ModelError) {
    let missing = self.parameters.map(\.name).filter { parameters.shape(of: $0) == nil }
    guard missing.isEmpty else {
      throw ModelError("\(missing.count) parameters of the network are missing: \(shown(missing))")
    }
    for parameter in self.parameters {
      let found = parameters.shape(of: parameter.name) ?? []
      guard found == parameter.shape else {
        throw ModelError(
          "the parameter \(shown(parameter.name)) has the shape \(shown(found)); \(shown(parameter.shape)) is expected"
        )
      }
    }
  }
}

extension Symbol {
  /// The arrays that no variable of the symbol names, for example the head of the network it was tuned from.
  public func unusedNames(in parameters: Parameters) -> [String] {
    var known: Set<String> = []
    for node in nodes {
      if node.isVariable { known.insert(node.name) }
      if node.operation.hasPrefix("BatchNorm") && node.inputs.count == 3 {
        known.formUnion([node.name + "_moving_mean", node.name + "_moving_var"])
      }
    }
    return parameters.names.filter { !known.contains($0) }
  }
}
