internal import CNetworks
import Models

/// `x * scale + shift` for each channel, then perhaps ReLU: a BatchNorm with moving statistics, a ReLU, or both.
struct Affine: Sendable {
  var scale: [Float]
  var shift: [Float]
  var relu = false

  init(scale: [Float], shift: [Float], relu: Bool = false) {
    self.scale = scale
    self.shift = shift
    self.relu = relu
  }

  /// Changes nothing.
  static func identity(channels: Int) -> Affine {
    Affine(scale: Array(repeating: 1, count: channels), shift: Array(repeating: 0, count: channels))
  }

  /// Computed in double precision, as the scale of a channel may multiply whole rows of weights later.
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

  /// This one, which has no ReLU, and `next` after it, in one.
  func then(_ next: Affine) -> Affine {
    Affine(
      scale: scale.indices.map { scale[$0] * next.scale[$0] },
      shift: scale.indices.map { shift[$0] * next.scale[$0] + next.shift[$0] }, relu: next.relu)
  }
}

/// What a layer does to its input as it reads it, in the form that the kernels take: scale and shift, filled up with
/// zeros to whole blocks of channels, and perhaps ReLU; or nothing.
struct Prologue: Sendable {
  /// nil if nothing is done. In training, a BatchNorm writes them anew at each step.
  private(set) var scale: FloatBuffer?, shift: FloatBuffer?
  private let relu: Bool
  private let lanes: Int

  /// Nothing is done.
  init() { (scale, shift, relu, lanes) = (nil, nil, false, 0) }

  /// - Parameter value: what the layer reads.
  /// - Throws: `OutOfMemory`.
  init(_ affine: Affine?, _ value: Value) throws(OutOfMemory) {
    guard let affine else {
      (scale, shift, relu, lanes) = (nil, nil, false, 0)
      return
    }
    scale = try FloatBuffer(affine.scale, count: value.paddedChannels)
    shift = try FloatBuffer(affine.shift, count: value.paddedChannels)
    relu = affine.relu
    lanes = value.lanes
  }

  /// A prologue whose scale and shift are zeros, to be written.
  ///
  /// - Throws: `OutOfMemory`.
  init(_ value: Value, relu: Bool) throws(OutOfMemory) {
    scale = try FloatBuffer(count: value.paddedChannels)
    shift = try FloatBuffer(count: value.paddedChannels)
    self.relu = relu
    lanes = value.lanes
  }

  var changesNothing: Bool { scale == nil }

  /// The same from the stored numbers of one type to those of another, one of which is quantized.
  ///
  /// - Throws: `OutOfMemory`.
  func quantizing(_ from: NumberType, to: NumberType) throws(OutOfMemory) -> Prologue {
    guard let scale, let shift else { return self }
    var changed = self
    let (newScale, newShift) = (try FloatBuffer(count: scale.count), try FloatBuffer(count: shift.count))
    for index in 0..<scale.count {
      let (factor, offset) = unsafe (Double(scale.start[index]), Double(shift.start[index]))
      let ratio = factor * Double(from.step) / Double(to.step)
      unsafe newScale.start[index] = Float(ratio)
      unsafe newShift.start[index] = Float(
        offset / Double(to.step) + Double(to.zero) - ratio * Double(from.zero))
    }
    (changed.scale, changed.shift) = (newScale, newShift)
    return changed
  }

  /// Lends the C form for the blocks from `block` on.
  func withBlocks(from block: Int, _ body: (inout net_prologue) -> Void) {
    var prologue = unsafe net_prologue()
    if let scale, let shift {
      unsafe prologue = net_prologue(
        scale: scale.start + block * lanes, shift: shift.start + block * lanes, relu: relu ? 1 : 0)
    }
    unsafe body(&prologue)
  }
}
