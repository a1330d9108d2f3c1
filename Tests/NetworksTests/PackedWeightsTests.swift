import TestSupport
import Testing

@testable import Networks

@Suite("Packed weights") struct PackedWeightsTests {
  struct Case: CustomTestStringConvertible, Sendable {
    var filters = 16, channels = 16, area = 9
    var isInterleaved = false
    /// Taps of a row of the kernel, and numbers of a pixel, if pixels are interleaved.
    var columns = 1, pixel = 0
    var testDescription: String {
      "\(channels) \(isInterleaved ? "interleaved " : "")channels, \(filters) filters, \(area) taps"
    }

    func layout(_ set: NetworkKernels) -> WeightLayout {
      WeightLayout(
        filters: filters, channels: channels, area: area, isInterleaved: isInterleaved, lanes: set.lanes,
        columns: columns)
    }

    /// In MXNet's order.
    func weights() -> [Float] {
      var random = SplitMix64(seed: 81)
      return random.floats(filters * channels * area)
    }

    static let all = [
      Case(), Case(filters: 5, channels: 7), Case(filters: 33, channels: 48, area: 1),
      Case(filters: 48, channels: 17, area: 6), Case(filters: 65, channels: 33),
      Case(filters: 33, channels: 3, area: 49, isInterleaved: true),
      Case(filters: 16, channels: 20, area: 4, isInterleaved: true),
    ]
  }

  private func numbers(_ buffer: FloatBuffer) -> [Float] {
    Array(UnsafeBufferPointer(start: buffer.start, count: buffer.count))
  }

  /// The weights in blocks, by the layout's definition.
  private func blocks(_ weights: [Float], _ layout: WeightLayout) throws -> FloatBuffer {
    let buffer = try FloatBuffer(count: layout.size)
    layout.forEachPlace { buffer.start[$1] = weights[$0] }
    return buffer
  }

  @Test("a layout has a place for each weight, and no other is used", arguments: Case.all)
  func places(_ given: Case) throws {
    let layout = given.layout(.best)
    var seen: [Int: Int] = [:]
    layout.forEachPlace { seen[$1] = $0 }
    #expect(Set(seen.values) == Set(0..<given.filters * given.channels * given.area))
    #expect(seen.count == given.filters * given.channels * given.area)
    #expect(seen.keys.allSatisfy { (0..<layout.size).contains($0) })
  }

  @Test(
    "direct order is group of filters, block of channels, tap, channel, filter",
    arguments: NetworkKernels.singlePrecision, Case.all)
  func direct(_ set: NetworkKernels, _ given: Case) throws {
    let (layout, weights) = (given.layout(set), given.weights())
    let scale = (0..<given.filters).map { Float($0 % 7) / 4 + 0.5 }
    var expected: [Float] = []
    let width = layout.width
    for first in stride(from: 0, to: layout.outputs, by: set.group) {
      for block in 0..<layout.inputs {
        for tap in 0..<given.area {
          for channel in block * width..<(block + 1) * width {
            for filter in first * set.lanes..<min(first + set.group, layout.outputs) * set.lanes {
              let isWeight = filter < given.filters && channel < given.channels
              expected.append(
                isWeight
                  ? weights[(filter * given.channels + channel) * given.area + tap] * scale[filter] : 0)
            }
          }
        }
      }
    }
    let packed = try PackedWeights(weights, scale: scale, layout, .direct, set)
    #expect(numbers(packed.buffer) == expected)
  }

  @Test(
    "have the same bits from MXNet's order and from blocks", arguments: NetworkKernels.singlePrecision,
    Case.all)
  func sources(_ set: NetworkKernels, _ given: Case) throws {
    let (layout, weights) = (given.layout(set), given.weights())
    let learnt = try blocks(weights, layout)
    for order in given.area == 9 ? [PackedWeights.Order.direct, .winograd] : [.direct] {
      let packed = try PackedWeights(layout, order, isTransposed: false, set)
      // As after an earlier update.
      packed.buffer.start.update(repeating: 1, count: packed.buffer.count)
      for piece in 0..<packed.pieceCount { packed.pack(piece, from: .blocks(learnt.start)) }
      let lanes = set.lanes
      let stride = PackedWeights.planeStride(inputs: layout.inputs, outputs: layout.outputs, lanes: lanes)
      // The gap between two planes is never read.
      func isGap(_ index: Int) -> Bool { order == .winograd && index % stride >= stride - lanes }
      let one = try numbers(PackedWeights(weights, layout, order, set).buffer)
      let other = numbers(packed.buffer)
      #expect(one.count == other.count)
      #expect(one.indices.allSatisfy { isGap($0) || one[$0].bitPattern == other[$0].bitPattern }, "\(order)")
    }
  }

  @Test(
    "transposed, are those of a convolution with channels and filters exchanged and the taps reversed",
    arguments: NetworkKernels.singlePrecision, Case.all.filter { !$0.isInterleaved })
  func transposed(_ set: NetworkKernels, _ given: Case) throws {
    let (layout, weights) = (given.layout(set), given.weights())
    let learnt = try blocks(weights, layout)
    let packed = try PackedWeights(layout, .direct, isTransposed: true, set)
    for piece in 0..<packed.pieceCount { packed.pack(piece, from: .blocks(learnt.start)) }
    var exchanged: [Float] = []
    for channel in 0..<given.channels {
      for filter in 0..<given.filters {
        for tap in (0..<given.area).reversed() {
          exchanged.append(weights[(filter * given.channels + channel) * given.area + tap])
        }
      }
    }
    var other = given
    swap(&other.filters, &other.channels)
    #expect(
      try numbers(packed.buffer) == numbers(PackedWeights(exchanged, other.layout(set), .direct, set).buffer))
  }

  @Test(
    "words of bfloat16 have two rows of weights each, and zeros beyond a row of pixels",
    arguments: NetworkKernels.available,
    Case.all.filter { !$0.isInterleaved } + [
      Case(filters: 33, channels: 3, area: 49, isInterleaved: true, columns: 7, pixel: 3),
      Case(filters: 16, channels: 3, area: 9, isInterleaved: true, columns: 3, pixel: 4),
      Case(filters: 20, channels: 1, area: 10, isInterleaved: true, columns: 5, pixel: 2),
    ])
  func words(_ set: NetworkKernels, _ given: Case) throws {
    let (layout, weights) = (given.layout(set), given.weights())
    let floats = numbers(try PackedWeights(weights, layout, .direct, set).buffer)
    let packed = try PackedWeights(weights, layout, .direct, type: .bfloat16, pixel: given.pixel, set)
    let words = numbers(packed.buffer).map(\.bitPattern)
    var (at, expected) = (0, [UInt32]())
    for first in stride(from: 0, to: layout.outputs, by: set.group) {
      let width = min(set.group, layout.outputs - first) * set.lanes
      for _ in 0..<layout.inputs * layout.taps {
        // The numbers of one run; those of a pixel beyond the channels, and one beyond the last pixel, are 0.
        let pixel = given.isInterleaved ? given.pixel : layout.run
        var run: [[UInt32]] = []
        for number in 0..<(given.isInterleaved ? given.columns * pixel : pixel) {
          let row = number / pixel * layout.width + number % pixel
          run.append(
            number % pixel < layout.width
              ? floats[at + row * width..<at + (row + 1) * width].map { UInt32(bfloat16($0)) }
              : Array(repeating: 0, count: width))
        }
        if run.count % 2 == 1 { run.append(Array(repeating: 0, count: width)) }
        for word in 0..<run.count / 2 {
          expected += zip(run[2 * word], run[2 * word + 1]).map { $0 | $1 << 16 }
        }
        at += layout.run * width
      }
    }
    #expect(words == expected)
  }
}
