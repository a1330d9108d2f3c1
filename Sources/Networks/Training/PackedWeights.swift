internal import CNetworks
import Models

/// A convolution's weights in the orders in which kernels read them: brought there anew after each update.
@safe struct PackedWeights: @unchecked Sendable {  // pieces of packing write different places
  /// How a sum reads its weights.
  enum Order: Hashable, Sendable {
    /// `net_product`'s: tap, channel, filters of a group.
    case direct
    /// The same in 36 planes.
    case winograd
    /// One direct order after the other, each with some of the taps, which count from the first one.
    case phases([[Int]])
  }
  let buffer: FloatBuffer
  private let slot: LearntParameters.Slot
  private let learnt: LearntParameters
  private let order: Order
  /// Of the sum that reads them: backward, the convolution's filters are the inputs.
  private let inputs: Int, outputs: Int
  private let area: Int
  private let isTransposed: Bool
  private let set: KernelSet

  /// - Parameter isTransposed: for the gradient of the input: channels and filters exchanged, and but for phases the
  ///   taps in reverse.
  init(
    _ slot: LearntParameters.Slot, _ learnt: LearntParameters, _ order: Order, isTransposed: Bool,
    _ set: KernelSet
  ) throws {
    self.slot = slot
    self.learnt = learnt
    self.order = order
    self.isTransposed = isTransposed
    self.set = set
    switch slot.layout {
    case .blocked(let filters, let channels, let area):
      let (first, second) = ((channels + 15) / 16, (filters + 15) / 16)
      (inputs, outputs) = isTransposed ? (second, first) : (first, second)
      self.area = area
      let planes = order == .winograd ? 36 * (inputs * outputs * 256 + 16) : area * inputs * outputs * 256
      buffer = try FloatBuffer(count: planes)
    case .pixels(let filters, let channels, let area):
      // Rows of 16 filters, however many: the number of inputs is of no interest.
      (inputs, outputs) = (1, (filters + 15) / 16)
      self.area = area * channels
      buffer = try FloatBuffer(count: slot.layout.size)
    case .plain(let count):
      (inputs, outputs, area) = (0, 0, 0)
      buffer = try FloatBuffer(count: count)
    }
  }

  /// Groups of outputs.
  var pieceCount: Int { (outputs + set.group - 1) / set.group }

  func pack(_ piece: Int) {
    let first = piece * set.group
    let group = min(set.group, outputs - first)
    if case .pixels = slot.layout { return packRows(first, group) }
    unsafe withUnsafeTemporaryAllocation(of: Float.self, capacity: area * 256) { room in
      guard let room = room.baseAddress else { return }
      for output in first..<first + group {
        for input in 0..<inputs {
          let weights = unsafe block(output: output, input: input, room)
          unsafe place(weights, first: first, group: group, output: output, input: input)
        }
      }
    }
  }

  /// The taps of a block of inputs and a block of outputs, each 16 inputs x 16 outputs.
  private func block(
    output: Int, input: Int, _ room: UnsafeMutablePointer<Float>
  ) -> UnsafePointer<Float> {
    let values = unsafe learnt.values.start + slot.start
    guard isTransposed else { return unsafe UnsafePointer(values + (output * inputs + input) * area * 256) }
    let from = unsafe values + (input * outputs + output) * area * 256
    let isReversed = if case .phases = order { false } else { true }
    for tap in 0..<area {
      unsafe net_transpose_16(room + (isReversed ? area - 1 - tap : tap) * 256, from + tap * 256)
    }
    return unsafe UnsafePointer(room)
  }

  private func place(
    _ weights: UnsafePointer<Float>, first: Int, group: Int, output: Int, input: Int
  ) {
    let lane = (output - first) * 16
    switch order {
    case .winograd:
      let start = unsafe buffer.start + first * 16 * inputs * 16 + input * 16 * group * 16 + lane
      unsafe set.backward.winograd_block(start, weights, group, inputs * outputs * 256 + 16)
    case .direct:
      let start = unsafe buffer.start + first * 16 * inputs * area * 16
      for row in 0..<area * 16 {
        unsafe (start + (input * area * 16 + row) * group * 16 + lane).update(
          from: weights + row * 16, count: 16)
      }
    case .phases(let phases):
      var start = unsafe buffer.start
      for taps in phases {
        let at = unsafe start + first * 16 * inputs * taps.count * 16
        for (place, tap) in taps.enumerated() {
          for row in 0..<16 {
            unsafe (at + ((input * taps.count + place) * 16 + row) * group * 16 + lane).update(
              from: weights + (tap * 16 + row) * 16, count: 16)
          }
        }
        unsafe start += taps.count * inputs * outputs * 256
      }
    }
  }

  private func packRows(_ first: Int, _ group: Int) {
    let values = unsafe learnt.values.start + slot.start
    let start = unsafe buffer.start + first * area * 16
    for output in first..<first + group {
      for row in 0..<area {
        unsafe (start + row * group * 16 + (output - first) * 16).update(
          from: values + (output * area + row) * 16, count: 16)
      }
    }
  }
}
