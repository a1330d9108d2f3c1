extension Parameters {
  /// What a trained network gives to one that is trained further.
  public struct Transfer: Sendable {
    public let parameters: Parameters
    /// The arrays of the last layer that were made anew, as the classes are others.
    public let renewed: [String]
  }

  /// The parameters to start with: those of a trained network, with the last layer made anew where it has another number
  /// of outputs.
  ///
  /// - Parameters:
  ///   - trained: checked against its graph.
  ///   - graph: of the network to be trained.
  ///   - label: where the trained one comes from, for messages.
  ///   - fresh: what the arrays made anew hold.
  /// - Throws: where the networks differ in any other layer, with the depths of both.
  public static func transferred(
    from trained: Parameters, of old: Graph, to graph: Graph, label: String, fresh: Parameters
  ) throws(ModelError) -> Transfer {
    // The last layer may have another name: MXNet's fine-tuning calls it `fc`, not `fc1`.
    let renamed = Dictionary(
      zip(graph.lastLayerNames, old.lastLayerNames).map { ($0, $1) }, uniquingKeysWith: { first, _ in first })
    var arrays: [String: Array] = [:]
    var renewed: [String] = []
    for parameter in graph.parameters {
      let name = renamed[parameter.name] ?? parameter.name
      let shape = trained.shape(of: name)
      if shape == parameter.shape {
        arrays[parameter.name] = Array(shape: parameter.shape, values: try trained.values(of: name))
      } else if renamed[parameter.name] != nil, shape?.dropFirst() == parameter.shape.dropFirst()[...] {
        arrays[parameter.name] = Array(
          shape: parameter.shape, values: try fresh.values(of: parameter.name))
        renewed.append(parameter.name)
      } else {
        throw difference(parameter, found: shape, old, graph, label)
      }
    }
    let known = Set(graph.parameters.map { renamed[$0.name] ?? $0.name })
    if let extra = old.parameters.first(where: { !known.contains($0.name) }) {
      throw difference(extra, found: nil, old, graph, label, isExtra: true)
    }
    return Transfer(parameters: Parameters(arrays), renewed: renewed)
  }

  private static func difference(
    _ parameter: Graph.Parameter, found shape: [Int]?, _ old: Graph, _ new: Graph, _ label: String,
    isExtra: Bool = false
  ) -> ModelError {
    let place =
      isExtra
      ? "it has the parameter \(shown(parameter.name)), which is not wanted"
      : shape.map { "its \(shown(parameter.name)) has the shape \(shown($0)), not \(shown(parameter.shape))" }
        ?? "it has no parameter \(shown(parameter.name))"
    return ModelError(
      "\(label): the pretrained model has \(old.layerCount) layers for images of shape \(shown(old.inputShape)), and "
        + "\(new.layerCount) layers for images of shape \(shown(new.inputShape)) are to be trained: \(place)")
  }
}

extension Graph {
  /// Weight and bias of the last dense layer.
  fileprivate var lastLayerNames: [String] {
    for node in nodes.reversed() {
      if case .dense(let dense) = node.operation { return [dense.weight] + (dense.bias.map { [$0] } ?? []) }
    }
    return []
  }

  /// Convolutions and dense layers, without those of the shortcuts: the depth in a ResNet's name.
  public var layerCount: Int {
    nodes.count { node in
      switch node.operation {
      case .convolution: !node.name.hasSuffix("sc")
      case .dense: true
      default: false
      }
    }
  }
}
