import Foundation

extension Parameters {
  /// Fresh parameters to train from: MXNet's Xavier(gaussian, in, 2), which is He et al. 2015.
  ///
  /// Weights are normal with a standard deviation of sqrt(2 / inputs), where inputs are the product of the shape but its
  /// first number; biases, betas and moving means are 0, gammas and moving variances 1.
  ///
  /// - Parameters:
  ///   - seed: the same numbers give the same parameters. Each array depends on it and on its own name only, so the
  ///     layers of two networks with the same names start alike.
  /// - Complexity: a logarithm and a cosine for each weight.
  public init(initialFor graph: Graph, seed: UInt64) {
    var arrays: [String: Array] = [:]
    for parameter in graph.parameters {
      let count = parameter.shape.reduce(1, *)
      let values: [Float]
      switch parameter.role {
      case .weight:
        var normal = NormalNumbers(seed: seed, name: parameter.name)
        let deviation = (2 / Double(parameter.shape.dropFirst().reduce(1, *))).squareRoot()
        values = (0..<count).map { _ in Float(deviation * normal.next()) }
      case .bias, .beta, .mean: values = [Float](repeating: 0, count: count)
      case .gamma, .variance: values = [Float](repeating: 1, count: count)
      }
      arrays[parameter.name] = Array(shape: parameter.shape, values: values)
    }
    self.init(arrays)
  }
}

/// Normal numbers of mean 0 and deviation 1 after Box and Muller, from SplitMix64 (Steele, Lea, Flood 2014).
private struct NormalNumbers {
  private var state: UInt64

  init(seed: UInt64, name: String) {
    // FNV-1a.
    let hash = name.utf8.reduce(0xCBF2_9CE4_8422_2325 as UInt64) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
    state = seed &* 0x9E37_79B9_7F4A_7C15 ^ hash
  }

  mutating func next() -> Double {
    // Above 0, so that the logarithm is finite.
    let radius = (-2 * log(1 - uniform())).squareRoot()
    return radius * cos(2 * Double.pi * uniform())
  }

  /// 0 to 1, without 1.
  private mutating func uniform() -> Double {
    state &+= 0x9E37_79B9_7F4A_7C15
    var bits = state
    bits = (bits ^ bits >> 30) &* 0xBF58_476D_1CE4_E5B9
    bits = (bits ^ bits >> 27) &* 0x94D0_49BB_1331_11EB
    bits ^= bits >> 31
    return Double(bits >> 11) * 0x1p-53
  }
}
