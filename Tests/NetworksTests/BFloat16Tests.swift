import CNetworks
import Models
import TestSupport
import Testing

@testable import Networks

/// To the nearest, ties to even; NaN stays NaN.
func bfloat16(_ number: Float) -> UInt16 {
  guard !number.isNaN else { return 0x7FC0 }
  let (upper, lower) = (number.bitPattern >> 16, number.bitPattern & 0xFFFF)
  return UInt16(upper + (lower > 0x8000 || lower == 0x8000 && upper & 1 == 1 ? 1 : 0))
}

func widened(_ half: UInt16) -> Float { Float(bitPattern: UInt32(half) << 16) }

@Suite("bfloat16") struct BFloat16Tests {
  /// Numbers at and beside every kind of tie, the ends of the range, and what is no number.
  private static let numbers: [Float] =
    [0x0000_0000, 0x3F80_0000, 0x3F80_7FFF, 0x3F80_8000, 0x3F80_8001, 0x3F81_8000, 0x7F7F_FFFF, 0x7F80_0000]
    .flatMap { [Float(bitPattern: $0), -Float(bitPattern: $0)] }
    + [.nan, Float(bitPattern: 0x7F80_0001), Float(bitPattern: 0x0001_8000), .pi, -.pi, 1e-38, 256.5, 257]

  private func isSame(_ half: UInt16, _ number: Float) -> Bool {
    number.isNaN ? widened(half).isNaN : half == bfloat16(number)
  }

  @Test("is rounded to nearest, ties to even, by every kernel", arguments: NetworkKernels.available)
  func rounding(_ set: NetworkKernels) {
    let numbers = Self.numbers + Array(repeating: 0, count: 32 - Self.numbers.count)
    var (gathered, wide) = ([UInt16](repeating: 0, count: 32), [Float](repeating: 0, count: 32))
    let (floats, bfloats) = (Int32(net_float32), Int32(net_bfloat16))
    var prologue = net_prologue()
    set.table.gather(&gathered, bfloats, numbers, floats, 16, 2, &prologue)
    for index in 0..<32 { #expect(isSame(gathered[index], numbers[index]), "\(numbers[index])") }
    set.table.gather(&wide, floats, gathered, bfloats, 16, 2, &prologue)
    for index in 0..<32 { #expect(wide[index] == widened(gathered[index]) || wide[index].isNaN) }
    var words = [UInt32](repeating: 0, count: 32)
    set.training.pair(&words, 16, numbers, Array(numbers.reversed()), 16, 2, &prologue)
    for index in 0..<32 {
      let (low, high) = (UInt16(words[index] & 0xFFFF), UInt16(words[index] >> 16))
      #expect(isSame(low, numbers[index]) && isSame(high, numbers[31 - index]), "\(words[index])")
    }
  }

  @Test(
    "sums are those of the definition for every width, and touch nothing else",
    arguments: NetworkKernels.available, [(16, 16), (6, 22), (12, 22), (2, 8), (4, 2), (10, 6), (16, 48)])
  func widths(_ set: NetworkKernels, _ step: (x: Int, run: Int)) {
    let residuals = [Sums.Residual.none, .apart, .inPlace]
    for columns in Array(1...8) + [12, 13, 14, 15, 16, 21, 28, 29] {
      for rows in 1...3 {
        let turn = columns + 2 * rows
        var sums = Sums(
          columns: columns, rows: rows, blocks: 1 + turn % 5 % (columns > 16 ? 3 : 5), xStep: step.x,
          run: step.run, taps: 1 + turn % 2, hasBias: turn % 3 != 0, relu: turn % 4 < 2,
          residual: residuals[columns / 2 % 3], gap: rows % 2 == 0 ? 0 : turn % 3 * 8)
        sums.type = .bfloat16
        sums.output = turn % 2 == 0 ? .bfloat16 : .float32
        let numbers = sums.integers(seed: UInt64(turn))
        let expected = sums.expected(numbers).values.map { sum in
          sums.output == .bfloat16 ? Double(widened(bfloat16(Float(sum)))) : sum
        }
        let untouched = sums.output == .bfloat16 ? Double(widened(bfloat16(Sums.untouched))) : -777
        let found = sums.run(set, numbers, padding: turn % 5)
        #expect(
          firstDifference(found, expected.map { $0 == Double(Sums.untouched) ? untouched : $0 }) == nil,
          "\(sums)")
      }
    }
  }

  @Test("sums of many taps round as single precision does", arguments: NetworkKernels.available)
  func longSums(_ set: NetworkKernels) {
    var sums = Sums(columns: 13, rows: 2, blocks: 2, taps: 288, residual: .apart)
    sums.type = .bfloat16
    var numbers = sums.floats(seed: 21)
    numbers.x = numbers.x.map { widened(bfloat16($0)) }
    numbers.weights = numbers.weights.map { widened(bfloat16($0)) }
    let (expected, sizes) = sums.expected(numbers)
    let found = sums.run(set, numbers)
    for index in found.indices {
      #expect(
        abs(Double(found[index]) - expected[index]) <= 4 * Double(Float.ulpOfOne) * max(sizes[index], 1e-9))
    }
  }

  @Test("sums have the same bits whichever part of them a call makes", arguments: NetworkKernels.available)
  func divided(_ set: NetworkKernels) {
    var sums = Sums(columns: 23, rows: 5, blocks: 4, taps: 40, relu: true, residual: .apart)
    (sums.type, sums.output) = (.bfloat16, .bfloat16)
    let numbers = sums.floats(seed: 22)
    let whole = sums.run(set, numbers)
    let untouched = widened(bfloat16(Sums.untouched))
    var pieces = [Float](repeating: untouched, count: whole.count)
    for (blocks, rows, columns) in [
      (0..<2, 0..<5, 0..<1), (0..<2, 0..<5, 1..<23), (2..<4, 0..<2, 0..<23),
      (2..<4, 2..<5, 0..<23),
    ] {
      let piece = sums.run(set, numbers, rows: rows, columns: columns, blocks: blocks)
      for index in piece.indices where piece[index] != untouched { pieces[index] = piece[index] }
    }
    #expect(pieces.map(\.bitPattern) == whole.map(\.bitPattern))
  }

  private static func trial(_ depth: Int, _ version: ResNet.Version, _ input: [Int], divisor: Int) throws
    -> (Trial, images: [Float])
  {
    let graph = try ResNet(depth: depth, version: version, classCount: 10, inputShape: input).graph
      .narrowed(by: divisor).withoutSoftmax
    var random = SplitMix64(seed: 61)
    let trial = Trial(graph, Parameters(randomFor: graph, inputVariance: 1.0 / 3, using: &random))
    return (trial, random.floats(2 * input.reduce(1, *)))
  }

  /// 8 bits of fraction, of which each layer rounds its output once: the error of a sum of many terms is a small part
  /// of that, and grows with the root of the depth.
  @Test(
    "networks give nearly what the reference engine gives", arguments: NetworkKernels.available,
    [
      (18, ResNet.Version.v1, [3, 64, 64], 1), (18, .v2, [3, 97, 131], 2), (50, .v1, [3, 97, 131], 4),
      (50, .v2, [4, 33, 47], 4), (20, .v2, [3, 20, 28], 1), (34, .v2, [1, 64, 64], 4),
    ])
  func networks(_ set: NetworkKernels, _ given: (Int, ResNet.Version, [Int], Int)) throws {
    let (trial, images) = try Self.trial(given.0, given.1, given.2, divisor: given.3)
    let plans = [1, 32].map { Trial.Plan(kernels: set.name, batch: $0, threads: 2, precision: .bf16) }
    try trial.expectAgreement(images, count: 2, plans: plans, tolerance: 0.03)
  }

  @Test("an image's outputs have the same bits on one to four threads, and whatever images come along")
  func independence() throws {
    let (trial, images) = try Self.trial(18, .v2, [3, 40, 40], divisor: 4)
    let each = images.count / 2
    let alone = try trial.network(Trial.Plan(threads: 1, precision: .bf16)).outputs(
      Array(images[each...]), count: 1)
    for threads in 1...4 {
      let both = try trial.network(Trial.Plan(threads: threads, precision: .bf16)).outputs(images, count: 2)
      #expect(both.suffix(10).map(\.bitPattern) == alone.map(\.bitPattern), "\(threads) threads")
    }
  }
}
