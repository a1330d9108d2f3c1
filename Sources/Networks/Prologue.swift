internal import CNetworks

/// What a layer does to its input on the way in, as the kernels take it: scale and shift filled up to whole blocks of 16
/// channels, and perhaps a ReLU; or nothing.
struct Prologue: Sendable {
  /// nil where nothing is done. A BatchNorm in training writes them anew at each step.
  let scale: FloatBuffer?, shift: FloatBuffer?
  private let relu: Bool

  /// Nothing is done.
  init() {
    scale = nil
    shift = nil
    relu = false
  }

  init(_ affine: Affine?, blocks: Int) throws(OutOfMemory) {
    guard let affine else {
      (scale, shift, relu) = (nil, nil, false)
      return
    }
    scale = try FloatBuffer(affine.scale, blocks: blocks)
    shift = try FloatBuffer(affine.shift, blocks: blocks)
    relu = affine.relu
  }

  /// With zeros, to be written.
  init(blocks: Int, relu: Bool) throws(OutOfMemory) {
    scale = try FloatBuffer(count: blocks * 16)
    shift = try FloatBuffer(count: blocks * 16)
    self.relu = relu
  }

  var changesNothing: Bool { scale == nil }

  /// Lends the C form for the blocks from `block` on.
  func withBlocks(from block: Int, _ body: (inout net_prologue) -> Void) {
    var prologue = unsafe net_prologue()
    if let scale, let shift {
      unsafe prologue = net_prologue(
        scale: scale.start + block * 16, shift: shift.start + block * 16, relu: relu ? 1 : 0)
    }
    unsafe body(&prologue)
  }
}

extension FloatBuffer {
  /// These numbers, one a channel, with zeros up to whole blocks of 16.
  convenience init(_ numbers: [Float], blocks: Int) throws(OutOfMemory) {
    try self.init(count: blocks * 16)
    for channel in numbers.indices { unsafe start[channel] = numbers[channel] }
  }
}

/// With zeros at the end.
func padded(_ numbers: [Float], to count: Int) -> [Float] {
  numbers + Array(repeating: 0, count: max(0, count - numbers.count))
}
