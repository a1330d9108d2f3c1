internal import CKernels

/// What a layer does to its input on the way in, as the kernels take it: scale and shift filled up to whole blocks of 16
/// channels, and perhaps a ReLU; or nothing.
struct Prologue: Sendable {
  /// Empty where nothing is done.
  let scale: [Float], shift: [Float]
  private let relu: Bool

  init(_ affine: Affine?, blocks: Int) {
    scale = affine.map { padded($0.scale, to: blocks * 16) } ?? []
    shift = affine.map { padded($0.shift, to: blocks * 16) } ?? []
    relu = affine?.relu ?? false
  }

  /// Lends the C form for the blocks from `block` on.
  func withBlocks(from block: Int, _ body: (inout n_prologue) -> Void) {
    unsafe scale.withUnsafeBufferPointer { scale in
      unsafe shift.withUnsafeBufferPointer { shift in
        var prologue = unsafe n_prologue()
        if !self.scale.isEmpty, let scale = scale.baseAddress, let shift = shift.baseAddress {
          unsafe prologue = n_prologue(
            scale: scale + block * 16, shift: shift + block * 16, relu: relu ? 1 : 0)
        }
        unsafe body(&prologue)
      }
    }
  }
}

/// With zeros at the end.
func padded(_ numbers: [Float], to count: Int) -> [Float] {
  numbers + Array(repeating: 0, count: max(0, count - numbers.count))
}
