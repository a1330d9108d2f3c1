import Models

/// `x * scale + shift` a channel, then perhaps the larger of it and 0: a BatchNorm with moving statistics, a ReLU, or
/// both.
struct Affine: Sendable {
  var scale: [Float]
  var shift: [Float]
  var relu = false

  init(scale: [Float], shift: [Float], relu: Bool = false) {
    self.scale = scale
    self.shift = shift
    self.relu = relu
  }

  /// What changes nothing.
  static func identity(channels: Int) -> Affine {
    Affine(scale: Array(repeating: 1, count: channels), shift: Array(repeating: 0, count: channels))
  }

  /// In double precision, as the scale of a channel multiplies whole rows of weights later.
  init(_ norm: BatchNorm, _ parameters: Parameters) throws(ModelError) {
    let mean = try parameters.values(of: norm.mean)
    let variance = try parameters.values(of: norm.variance)
    let beta = try parameters.values(of: norm.beta)
    let gamma: [Float]? = if let name = norm.gamma { try parameters.values(of: name) } else { nil }
    scale = []
    shift = []
    for channel in mean.indices {
      let factor = Double(gamma?[channel] ?? 1) / (Double(variance[channel]) + norm.epsilon).squareRoot()
      scale.append(Float(factor))
      shift.append(Float(Double(beta[channel]) - Double(mean[channel]) * factor))
    }
  }

  /// This one, then `next`; this one has no ReLU.
  func then(_ next: Affine) -> Affine {
    Affine(
      scale: scale.indices.map { scale[$0] * next.scale[$0] },
      shift: scale.indices.map { shift[$0] * next.scale[$0] + next.shift[$0] }, relu: next.relu)
  }
}
