extension Parameters {
  /// Random parameters for a network whose numbers neither vanish nor grow, however deep it is: weights after He et al.
  /// 2015 (uniform), moving variances near the variance that arrives there, everything else away from its default.
  ///
  /// - Parameters:
  ///   - inputVariance: mean square of the images' numbers.
  ///   - generator: the same numbers give the same parameters.
  /// - Complexity: one number of the generator for each parameter.
  public init(
    randomFor graph: Graph, inputVariance: Double = 1, using generator: inout some RandomNumberGenerator
  ) {
    let squares = meanSquares(graph, inputVariance: inputVariance)
    var arrays: [String: Array] = [:]
    for node in graph.nodes {
      let arriving = Float(node.inputs.first.map { squares[$0] } ?? 1)
      for parameter in graph.parameters(of: node) {
        let range: ClosedRange<Float>
        switch parameter.role {
        case .weight:
          let reach = (6 / Float(parameter.shape.dropFirst().reduce(1, *))).squareRoot()
          range = -reach...reach
        case .bias, .beta: range = -0.2...0.2
        case .gamma: range = 0.5...1.5
        case .mean: range = -0.2 * arriving.squareRoot()...0.2 * arriving.squareRoot()
        case .variance: range = 0.5 * arriving...1.5 * arriving
        }
        let count = parameter.shape.reduce(1, *)
        arrays[parameter.name] = Array(
          shape: parameter.shape, values: (0..<count).map { _ in Float.random(in: range, using: &generator) })
      }
    }
    self.init(arrays)
  }
}

/// About the mean square of the numbers that each node gives, with parameters made as above.
private func meanSquares(_ graph: Graph, inputVariance: Double) -> [Double] {
  var squares: [Double] = []
  for node in graph.nodes {
    let arriving = node.inputs.map { squares[$0] }
    switch node.operation {
    case .input: squares.append(inputVariance)
    // He's weights double what arrives; behind a ReLU that is what was there before.
    case .convolution, .dense: squares.append(2 * arriving[0])
    case .batchNorm: squares.append(1)
    case .relu: squares.append(arriving[0] / 2)
    case .add: squares.append(arriving[0] + arriving[1])
    case .pooling, .flatten, .softmax, .sigmoid: squares.append(arriving[0])
    }
  }
  return squares
}
