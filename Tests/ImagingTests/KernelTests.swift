import CImaging
import TestSupport
import Testing

@testable import Imaging

/// A kernel, run once on `n` pixels or samples of seeded noise.
struct Kernel: CustomTestStringConvertible, Sendable {
  let testDescription: String
  let run: @Sendable (img_kernels, Int, GuardedMemory) -> Void

  init(_ name: String, _ run: @escaping @Sendable (img_kernels, Int, GuardedMemory) -> Void) {
    testDescription = name
    self.run = run
  }
}

private let linear: [Kernel] = [
  Kernel("linear_across_1") { set, n, memory in across(set.linear_across_1, 1, n, memory) },
  Kernel("linear_across_3") { set, n, memory in across(set.linear_across_3, 3, n, memory) },
  Kernel("linear_across_4") { set, n, memory in across(set.linear_across_4, 4, n, memory) },
  Kernel("linear_down") { set, n, memory in
    let (upper, lower, weight) = rows(n, memory)
    set.linear_down(memory.output(UInt8.self, n), upper, lower, weight, 2048 - weight, n)
  },
  Kernel("linear_down_3") { set, n, memory in
    let (upper, lower, weight) = rows(4 * n, memory)
    set.linear_down_3(memory.output(UInt8.self, 3 * n), upper, lower, weight, 2048 - weight, n)
  },
  Kernel("linear_planes_1") { set, n, memory in
    let (upper, lower, weight) = rows(n, memory)
    set.linear_planes_1(memory.output(Float.self, n), upper, lower, weight, 2048 - weight, n, 123.68, 0.017)
  },
  Kernel("linear_planes_3") { set, n, memory in
    let (upper, lower, weight) = rows(4 * n, memory)
    let out = (0..<3).map { _ in memory.output(Float.self, n) }
    set.linear_planes_3(out[0], out[1], out[2], upper, lower, weight, 2048 - weight, n, mean, factor)
  },
]

private let bytes: [Kernel] = [
  Kernel("planes_1") { set, n, memory in
    set.planes_1(memory.output(Float.self, n), memory.noise(n), n, 123.68, 0.017)
  },
  Kernel("planes_3") { set, n, memory in
    let out = (0..<3).map { _ in memory.output(Float.self, n) }
    set.planes_3(out[0], out[1], out[2], memory.noise(3 * n), n, mean, factor)
  },
  Kernel("split_3") { set, n, memory in
    let out = (0..<3).map { _ in memory.output(UInt8.self, n) }
    set.split_3(out[0], out[1], out[2], memory.noise(3 * n), n)
  },
  Kernel("halve_1") { set, n, memory in
    set.halve_1(memory.output(UInt8.self, n), memory.noise(2 * n), memory.noise(2 * n), n)
  },
  Kernel("halve_3") { set, n, memory in
    set.halve_3(memory.output(UInt8.self, 3 * n), memory.noise(6 * n), memory.noise(6 * n), n)
  },
  Kernel("halve_4") { set, n, memory in
    set.halve_4(memory.output(UInt8.self, 4 * n), memory.noise(8 * n), memory.noise(8 * n), n)
  },
  Kernel("shift_hls") { set, n, memory in
    set.shift_hls(
      memory.output(UInt8.self, 3 * n), memory.noise(3 * n), Int32(memory.random(-200...200)),
      Int32(memory.random(-60...60)), Int32(memory.random(-60...60)), n)
  },
  Kernel("add_weighted") { set, n, memory in
    let sum = memory.output(Float.self, n)
    for index in 0..<n { sum[index] = Float(memory.random(-1000...1000)) / 7 }
    set.add_weighted(sum, memory.input((0..<n).map { _ in Float(memory.random(0...65535)) / 3 }), 0.3, n)
  },
  Kernel("round_8") { set, n, memory in
    set.round_8(memory.output(UInt8.self, n), memory.input(halves(n, -300...800, memory)), n)
  },
  Kernel("round_16") { set, n, memory in
    set.round_16(memory.output(UInt16.self, n), memory.input(halves(n, -300...140_000, memory)), n)
  },
]

private let taps: [Kernel] =
  [2, 4, 8].flatMap { (taps: Int) -> [Kernel] in
    [1, 3, 4].map { (channels: Int) -> Kernel in tapsAcross8(taps, channels) }
  }
  + [2, 4, 8].flatMap { (taps: Int) -> [Kernel] in
    [1, 3, 4].map { (channels: Int) -> Kernel in tapsAcross16(taps, channels) }
  }
  + [2, 4, 8].map { (taps: Int) -> Kernel in tapsDown8(taps) }
  + [2, 4, 8].map { (taps: Int) -> Kernel in tapsDown16(taps) } + cubic

private func tapsAcross8(_ taps: Int, _ channels: Int) -> Kernel {
  Kernel("taps_across_8, \(taps) taps, \(channels) channels") { set, n, memory in
    let (at, count) = starts(n, channels, taps, memory)
    let weights = memory.input((0..<n * taps).map { _ in Int16(memory.random(-2048...2048)) })
    let row = memory.noise(count, slack: img_slack)
    let out = memory.output(Int32.self, n * channels)
    set.taps_across_8(out, row, memory.input(at), weights, Int32(taps), Int32(channels), n)
  }
}

private func tapsAcross16(_ taps: Int, _ channels: Int) -> Kernel {
  Kernel("taps_across_16, \(taps) taps, \(channels) channels") { set, n, memory in
    let (at, count) = starts(n, channels, taps, memory)
    let weights = memory.input((0..<n * taps).map { _ in Float(memory.random(-2048...2048)) / 2048 })
    let samples = (0..<count).map { _ in UInt16(memory.random(0...65535)) }
    let row = memory.input(samples, slack: img_slack)
    let out = memory.output(Float.self, n * channels)
    set.taps_across_16(out, row, memory.input(at), weights, Int32(taps), Int32(channels), n)
  }
}

private func tapsDown8(_ taps: Int) -> Kernel {
  Kernel("taps_down_8, \(taps) taps") { set, n, memory in
    let rows = (0..<taps).map { _ in memory.input(sums(n, memory)) }
    let weights = (0..<taps).map { _ in Int16(memory.random(-900...2048)) }
    set.taps_down_8(memory.output(UInt8.self, n), rows, weights, Int32(taps), n)
  }
}

private func tapsDown16(_ taps: Int) -> Kernel {
  Kernel("taps_down_16, \(taps) taps") { set, n, memory in
    let rows = (0..<taps).map { _ in memory.input(halves(n, -9000...131_000, memory)) }
    let weights = (0..<taps).map { _ in Float(memory.random(-900...2048)) / 2048 }
    set.taps_down_16(memory.output(UInt16.self, n), rows, weights, Int32(taps), n)
  }
}

private let cubic: [Kernel] = [
  Kernel("lerp_across_16") { set, n, memory in
    for (channels, fused) in [(1, 1), (1, 0), (3, 1), (4, 1)] as [(Int, Int32)] {
      let (at, count) = starts(n, channels, 2, memory)
      let fractions = memory.input((0..<n).map { _ in Float(memory.random(0...9999)) / 10_000 })
      let row = memory.input((0..<count).map { _ in UInt16(memory.random(0...65535)) }, slack: img_slack)
      let out = memory.output(Float.self, n * channels)
      set.lerp_across_16(out, row, memory.input(at), fractions, fused, Int32(channels), n)
    }
  },
  Kernel("lerp_down_16") { set, n, memory in
    for fused in [0, 1] as [Int32] {
      let rows = (0..<2).map { _ in memory.input((0..<n).map { _ in Float(memory.random(0...999_999)) / 16 })
      }
      set.lerp_down_16(memory.output(UInt16.self, n), rows[0], rows[1], 0.3, fused, n)
    }
  },
  Kernel("cubic_down_8") { set, n, memory in
    let rows = (0..<4).map { _ in memory.input(sums(n, memory)) }
    let weights = (0..<4).map { _ in Float(memory.random(-900...2048)) * 0x1p-22 }
    set.cubic_down_8(memory.output(UInt8.self, n), rows, weights, n)
  },
  Kernel("cubic_down_16") { set, n, memory in
    let rows = (0..<4).map { _ in memory.input(halves(n, -9000...131_000, memory)) }
    let weights = (0..<4).map { _ in Float(memory.random(-900...2048)) / 2048 }
    set.cubic_down_16(memory.output(UInt16.self, n), rows, weights, n)
  },
]

private func sums(_ n: Int, _ memory: GuardedMemory) -> [Int32] {
  (0..<n).map { _ in Int32(memory.random(-522_240...522_240)) }
}

private let mean: [Float] = [123.68, 116.779, 0]
private let factor: [Float] = [1 / 58.393, 1, 1 / 57.375]

private func across(
  _ kernel: (
    UnsafeMutablePointer<Int16>, UnsafePointer<UInt8>, UnsafePointer<Int32>, UnsafePointer<Int16>, Int
  ) -> Void, _ channels: Int, _ n: Int, _ memory: GuardedMemory
) {
  let (at, count) = starts(n, channels, 1, memory)
  let weights = (0..<n).flatMap { _ -> [Int16] in
    let weight = Int16(memory.random(0...2048))
    return [weight, 2048 - weight]
  }
  let row = memory.noise(count, slack: img_slack)
  kernel(
    memory.output(Int16.self, n * (channels == 1 ? 1 : 4)), row, memory.input(at), memory.input(weights), n)
}

/// Where n pixels start in a row of some length, so that `taps` of them are inside; the last possible one is among them.
private func starts(_ n: Int, _ channels: Int, _ taps: Int, _ memory: GuardedMemory) -> ([Int32], Int) {
  let last = 2 * n
  let at = (0..<n).map { Int32(($0 == n - 1 ? last : memory.random(0...last)) * channels) }
  return (at, (last + taps) * channels)
}

private func rows(_ count: Int, _ memory: GuardedMemory) -> (
  UnsafePointer<Int16>, UnsafePointer<Int16>, Int32
) {
  func row() -> UnsafePointer<Int16> {
    memory.input((0..<count).map { _ in Int16(memory.random(0...32_640)) })
  }
  return (row(), row(), Int32(memory.random(0...2048)))
}

private func halves(_ n: Int, _ range: ClosedRange<Int>, _ memory: GuardedMemory) -> [Float] {
  (0..<n).map { _ in Float(memory.random(range)) / 2 }
}

@Suite struct KernelTests {
  private static let lengths = Array(0...33) + [47, 48, 49, 63, 64, 65, 95, 97, 127, 128, 129, 200]

  @Test(
    "every kernel set agrees with the portable one and stays in its bounds",
    arguments: linear + bytes + taps + jpegKernels)
  func agreement(_ kernel: Kernel) {
    var wrong: [String] = []
    for length in Self.lengths {
      for padding in [0, 1, 3, 16] {
        let expected = GuardedMemory(seed: UInt64(length), padding: padding)
        kernel.run(KernelSet.available[0].table, length, expected)
        for set in KernelSet.available.dropFirst() {
          let made = GuardedMemory(seed: UInt64(length), padding: padding)
          kernel.run(set.table, length, made)
          let isRight = made.outputs == expected.outputs && made.borders == expected.borders
          if !isRight { wrong.append("\(set.name): \(length) long, \(padding) from the end") }
        }
        if expected.borders.contains(where: { $0 != GuardedMemory.border }) {
          wrong.append("borders: \(length) long")
        }
      }
    }
    #expect(wrong.isEmpty)
  }

  @Test("the portable set exists, and the best one comes last")
  func sets() {
    #expect(KernelSet.available.first?.name == "portable")
    #expect(KernelSet.best.name == KernelSet.available.last?.name)
  }
}
