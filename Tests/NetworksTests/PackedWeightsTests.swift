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
    "as int8 and bfloat16 are words of channels, one for each filter, filled up with zeros",
    arguments: NetworkKernels.available, Case.all)
  func narrow(_ set: NetworkKernels, _ given: Case) throws {
    let (layout, weights) = (given.layout(set), given.weights())
    let scale = (0..<given.filters).map { Float($0 % 7) / 4 - 0.5 }
    let filters = QuantizedFilters(weights, scale: scale, area: given.area, means: [])
    let pixel = (given.channels + 3) / 4 * 4
    let bytes = try QuantizedWeights(filters, layout, pixel: pixel, set).buffer
    let halves = try PackedWeights(
      weights, scale: scale, layout, .direct, type: .bfloat16, pixel: pixel, set
    ).buffer
    #expect(
      [UInt8](UnsafeRawBufferPointer(start: bytes.start, count: 4 * bytes.count))
        == words(of: 4, layout, pixel, set) { plain, _ in UInt8(bitPattern: filters.weights[plain]) })
    #expect(
      Array(UnsafeRawBufferPointer(start: halves.start, count: 4 * halves.count).bindMemory(to: UInt16.self))
        == words(of: 2, layout, pixel, set) { plain, filter in bfloat16(weights[plain] * scale[filter]) })
  }

  /// Direct order as its definition says: group of filters, block of channels, tap, word, filter, number of the word.
  private func words<Number: FixedWidthInteger>(
    of count: Int, _ layout: WeightLayout, _ pixel: Int, _ set: NetworkKernels,
    _ number: (_ plain: Int, _ filter: Int) -> Number
  ) -> [Number] {
    var numbers: [Number] = []
    let inRun = layout.isInterleaved ? pixel : layout.width
    for first in stride(from: 0, to: layout.outputs, by: set.group) {
      for block in 0..<layout.inputs {
        for tap in 0..<layout.area {
          for word in stride(from: 0, to: inRun, by: count) {
            for filter in first * set.lanes..<min(first + set.group, layout.outputs) * set.lanes {
              for place in word..<word + count {
                let channel = block * layout.width + place
                let isWeight = filter < layout.filters && channel < layout.channels && place < layout.width
                numbers.append(
                  isWeight ? number((filter * layout.channels + channel) * layout.area + tap, filter) : 0)
              }
            }
          }
        }
      }
    }
    return numbers
  }

  @Test("are rounded to int8 by a step for each filter, which takes the mean of what is lost")
  func rounding() {
    var random = SplitMix64(seed: 82)
    let (channels, area) = (5, 9)
    var weights = random.floats(4 * channels * area)
    for index in 2 * channels * area..<3 * channels * area { weights[index] = 0 }
    let (scale, means): ([Float], [Float]) = ([1, -0.3, 2, 1e-20], [1, -2, 0.5, 4])
    let filters = QuantizedFilters(weights, scale: scale, area: area, means: means)
    let bias: [Float] = [1, 2, 3, 4]
    let corrected = filters.corrected(bias)
    for filter in 0..<4 {
      let range = filter * channels * area..<(filter + 1) * channels * area
      let own = weights[range].map { $0 * scale[filter] }
      let largest = own.map(abs).max() ?? 0
      #expect(filters.steps[filter] == (filter == 2 ? 1 : largest / 127))
      let whole = filters.weights[range].map(Int32.init)
      #expect(whole.map(abs).max() == (filter == 2 ? 0 : 127))
      #expect(filters.sums[filter] == whole.reduce(0, +))
      var loss = 0.0
      for (index, (weight, whole)) in zip(own, whole).enumerated() {
        let error = Double(weight) - Double(whole) * Double(filters.steps[filter])
        #expect(abs(error) <= Double(filters.steps[filter]) * 0.50001)
        // The last channel has no mean.
        if index / area < means.count { loss += error * Double(means[index / area]) }
      }
      #expect(abs(corrected[filter] - Double(bias[filter]) - loss) < 1e-12)
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
