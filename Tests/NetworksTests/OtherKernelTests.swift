import CNetworks
import TestSupport
import Testing

@testable import Networks

/// NaN is NaN, and the rest is equal.
func isSame(_ one: [Float], _ other: [Float]) -> Bool {
  one.count == other.count && zip(one, other).allSatisfy { $0 == $1 || $0.isNaN && $1.isNaN }
}

@Suite("The other loops of networks") struct OtherKernelTests {
  private static let specials: [Float] = [.nan, .infinity, -.infinity, -0.0, .greatestFiniteMagnitude]

  /// Small integers, so that results are exact.
  private func integers(_ count: Int, seed: UInt64, with specials: [Float] = []) -> [Float] {
    var random = SplitMix64(seed: seed)
    var numbers = random.bytes(count).map { Float($0 % 15) - 7 }
    for (index, special) in specials.enumerated() where count > 0 {
      numbers[(index * 37 + 5) % count] = special
    }
    return numbers
  }

  private func entering(_ value: Float, _ lane: Int, _ prologue: Prologue, _ numbers: [Float]) -> Float {
    guard prologue != .none else { return value }
    let changed = Float(Double(value) * Double(numbers[lane]) + Double(numbers[16 + lane]))
    return prologue == .relu && changed < 0 ? 0 : changed
  }

  enum Prologue: CaseIterable { case none, affine, relu }

  private func prologue(_ kind: Prologue, _ memory: GuardedMemory, _ numbers: [Float]) -> net_prologue {
    kind == .none
      ? net_prologue()
      : net_prologue(
        scale: memory.input(Array(numbers[..<16])), shift: memory.input(Array(numbers[16..<32])),
        relu: kind == .relu ? 1 : 0)
  }

  @Test("gather positions at any distance", arguments: NetworkKernels.singlePrecision, Prologue.allCases)
  func gathers(_ set: NetworkKernels, _ kind: Prologue) {
    for count in 0...9 {
      for step in [16, 32, 48, 20] {
        let memory = GuardedMemory(seed: 1, padding: 0)
        let x = integers(count == 0 ? 0 : (count - 1) * step + 16, seed: 5, with: Self.specials)
        let numbers = integers(32, seed: 6)
        var prologue = prologue(kind, memory, numbers)
        let out = memory.output(Float.self, count * 16)
        let floats = Int32(net_float32)
        set.table.gather(out, floats, memory.input(x), floats, step, count, &prologue)
        let expected = (0..<count * 16).map { entering(x[$0 / 16 * step + $0 % 16], $0 % 16, kind, numbers) }
        #expect(isSame(Array(UnsafeBufferPointer(start: out, count: count * 16)), expected))
        #expect(memory.borders.allSatisfy { $0 == GuardedMemory.border })
      }
    }
  }

  struct Windows: CustomTestStringConvertible {
    var height: Int, width: Int
    var kernel: (Int, Int), stride: (Int, Int), padding: (Int, Int)
    var roundsUp = false
    var testDescription: String { "\(self)" }

    func count(_ size: Int, _ kernel: Int, _ stride: Int, _ padding: Int) -> Int {
      (size + 2 * padding - kernel + (roundsUp ? stride - 1 : 0)) / stride + 1
    }
    var outHeight: Int { count(height, kernel.0, stride.0, padding.0) }
    var outWidth: Int { count(width, kernel.1, stride.1, padding.1) }

    static let all = [
      Windows(height: 1, width: 1, kernel: (1, 1), stride: (1, 1), padding: (0, 0)),
      Windows(height: 7, width: 7, kernel: (7, 7), stride: (1, 1), padding: (0, 0)),
      Windows(height: 9, width: 12, kernel: (3, 3), stride: (2, 2), padding: (1, 1)),
      Windows(height: 8, width: 5, kernel: (2, 3), stride: (3, 1), padding: (0, 2)),
      Windows(height: 6, width: 11, kernel: (3, 2), stride: (2, 3), padding: (1, 0), roundsUp: true),
      Windows(height: 5, width: 5, kernel: (2, 2), stride: (2, 2), padding: (1, 1), roundsUp: true),
      Windows(height: 5, width: 4, kernel: (4, 4), stride: (4, 4), padding: (3, 3), roundsUp: true),
    ]
  }

  private func pooled(
    _ x: [Float], _ windows: Windows, _ factors: [Float]?, _ kind: Prologue, _ numbers: [Float]
  ) -> [Float] {
    (0..<windows.outHeight * windows.outWidth * 16).map { index in
      let (position, lane) = (index / 16, index % 16)
      let top = position / windows.outWidth * windows.stride.0 - windows.padding.0
      let left = position % windows.outWidth * windows.stride.1 - windows.padding.1
      // As MXNet does: from the least finite number on, and NaN is larger than nothing.
      var (largest, sum) = (-Float.greatestFiniteMagnitude, Float(0))
      for row in top..<top + windows.kernel.0 where row >= 0 && row < windows.height {
        for column in left..<left + windows.kernel.1 where column >= 0 && column < windows.width {
          let value = entering(x[(row * windows.width + column) * 16 + lane], lane, kind, numbers)
          if value > largest { largest = value }
          sum += value
        }
      }
      return factors.map { sum * $0[position] } ?? largest
    }
  }

  @Test(
    "pool windows of any kind", arguments: NetworkKernels.singlePrecision, Windows.all)
  func pools(_ set: NetworkKernels, _ windows: Windows) {
    let positions = windows.outHeight * windows.outWidth
    let numbers = integers(32, seed: 8)
    for kind in Prologue.allCases {
      for factors in [nil, integers(positions, seed: 9).map { $0 / 8 }] {
        for specials in [
          [], Self.specials, [Float](repeating: .nan, count: windows.height * windows.width * 8),
        ] {
          let memory = GuardedMemory(seed: 1, padding: 0)
          let x = integers(windows.height * windows.width * 16, seed: 7, with: specials)
          let y = memory.output(Float.self, positions * 16)
          var pool = net_pool(
            height: windows.height, width: windows.width, out_height: windows.outHeight,
            out_width: windows.outWidth, kernel_rows: Int32(windows.kernel.0),
            kernel_columns: Int32(windows.kernel.1), stride_rows: Int32(windows.stride.0),
            stride_columns: Int32(windows.stride.1), padding_rows: Int32(windows.padding.0),
            padding_columns: Int32(windows.padding.1), factors: factors.map { memory.input($0) },
            prologue: prologue(kind, memory, numbers), x_type: Int32(net_float32), y_type: Int32(net_float32))
          set.table.pool(y, memory.input(x), &pool)
          let found = Array(UnsafeBufferPointer(start: y, count: positions * 16))
          #expect(isSame(found, pooled(x, windows, factors, kind, numbers)), "\(kind)")
          #expect(memory.borders.allSatisfy { $0 == GuardedMemory.border })
        }
      }
    }
  }

  @Test(
    "ignore NaN in a maximum, and never go below the lowest finite number",
    arguments: NetworkKernels.singlePrecision)
  func maximumOfNothing(_ set: NetworkKernels) {
    var pool = net_pool(
      height: 1, width: 2, out_height: 1, out_width: 1, kernel_rows: 1, kernel_columns: 2, stride_rows: 1,
      stride_columns: 1, padding_rows: 0, padding_columns: 0, factors: nil, prologue: net_prologue(),
      x_type: Int32(net_float32), y_type: Int32(net_float32))
    let least = -Float.greatestFiniteMagnitude
    for (one, other, largest) in [
      (Float.nan, Float(2), Float(2)), (2, .nan, 2), (.nan, .nan, least), (-.infinity, -.infinity, least),
      (-.infinity, .nan, least), (.infinity, .nan, .infinity),
    ] {
      var y = [Float](repeating: 0, count: 16)
      let x = [Float](repeating: one, count: 16) + [Float](repeating: other, count: 16)
      set.table.pool(&y, x, &pool)
      #expect(y == [Float](repeating: largest, count: 16), "of \(one) and \(other)")
    }
  }

  @Test(
    "add any count, also over one of the summands", arguments: NetworkKernels.singlePrecision, [false, true])
  func adds(_ set: NetworkKernels, _ relu: Bool) {
    for count in 0...50 {
      let (a, b) = (
        integers(count, seed: 1, with: Self.specials), integers(count, seed: 2, with: [.infinity])
      )
      let expected = (0..<count).map { relu && a[$0] + b[$0] < 0 ? 0 : a[$0] + b[$0] }
      for place in 0..<3 {
        let memory = GuardedMemory(seed: 1, padding: 0)
        let y = memory.output(Float.self, count)
        if place > 0 { y.update(from: place == 1 ? a : b, count: count) }
        set.table.add(
          y, place == 1 ? UnsafePointer(y) : memory.input(a), place == 2 ? UnsafePointer(y) : memory.input(b),
          count,
          relu ? 1 : 0)
        #expect(isSame(Array(UnsafeBufferPointer(start: y, count: count)), expected), "\(count), \(place)")
        #expect(memory.borders.allSatisfy { $0 == GuardedMemory.border })
      }
    }
  }

  @Test("make pixels of planes", arguments: 1...5)
  func interleaves(_ channels: Int) {
    for count in 0...20 {
      let plane = count + 3
      let x = integers((channels - 1) * plane + count, seed: 3, with: Self.specials)
      let (scale, shift) = (integers(channels, seed: 4), integers(channels, seed: 5))
      let memory = GuardedMemory(seed: 1, padding: 0)
      let out = memory.output(Float.self, count * channels)
      net_interleave(
        out, Int32(net_float32), channels, memory.input(x), plane, channels, count, memory.input(scale),
        memory.input(shift))
      let expected = (0..<count * channels).map { index in
        x[index % channels * plane + index / channels] * scale[index % channels] + shift[index % channels]
      }
      #expect(isSame(Array(UnsafeBufferPointer(start: out, count: count * channels)), expected))
      #expect(memory.borders.allSatisfy { $0 == GuardedMemory.border })
    }
  }
}
