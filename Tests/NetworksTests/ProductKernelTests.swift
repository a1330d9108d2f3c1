import CNetworks
import TestSupport
import Testing

@testable import Networks

extension NetworkKernels: CustomTestStringConvertible {
  public var testDescription: String { name }

  /// Those that differ in single precision.
  static let singlePrecision = available.filter { !$0.hasFastUInt8 }
}

/// One call of `product` in memory that ends at a page which must not be touched. Its numbers are small integers, so
/// that every sum is exact and a lost, doubled or misplaced term shows, whatever the order of the sums.
struct Sums: CustomTestStringConvertible {
  var columns = 1, rows = 1, blocks = 1
  var xStep = 16, run = 16, taps = 1
  var hasBias = true, relu = false
  enum Residual { case none, apart, inPlace }
  var residual = Residual.none
  /// Floats between a row's end and the next row, of the input and of the output.
  var gap = 16
  /// nil: integers; else what one number of the input is instead.
  var special: Float?
  /// The numbers of the input and the weights, and those of the residual and the output.
  var type = NumberType.float32, output = NumberType.float32
  /// What integer sums are multiplied by.
  var scale: Float = 1

  var testDescription: String { "\(self)" }

  var termCount: Int { taps * run }
  var xRow: Int { columns * xStep + gap }
  var yRow: Int { columns * 16 + gap }
  var yBlock: Int { rows * yRow + gap }
  /// Odd numbers apart where the input is floats; every word begins at an even number.
  var tapPlaces: [Int] { (0..<taps).map { $0 * (run + (type == .float32 ? 5 : 8)) } }
  var xCount: Int { (rows - 1) * xRow + (columns - 1) * xStep + (tapPlaces.last ?? 0) + run }
  var yCount: Int { (blocks - 1) * yBlock + (rows - 1) * yRow + columns * 16 }

  struct Numbers {
    var x: [Float]
    /// Tap, channel, filter.
    var weights: [Float]
    var bias: [Float], residual: [Float]
  }

  func integers(seed: UInt64) -> Numbers {
    var random = SplitMix64(seed: seed)
    func some(_ count: Int) -> [Float] { random.bytes(count).map { Float($0 % 7) - 3 } }
    var numbers = Numbers(
      x: some(xCount), weights: some(termCount * blocks * 16), bias: some(blocks * 16), residual: some(yCount)
    )
    if let special { numbers.x[xCount / 2] = special }
    return numbers
  }

  func floats(seed: UInt64) -> Numbers {
    var random = SplitMix64(seed: seed)
    return Numbers(
      x: random.floats(xCount), weights: random.floats(termCount * blocks * 16),
      bias: random.floats(blocks * 16),
      residual: random.floats(yCount))
  }

  /// What stands in y where no output is.
  static let untouched: Float = -777

  /// By the definition, in double precision; NaN where nothing may be written. With the sum of the terms' sizes.
  func expected(_ numbers: Numbers) -> (values: [Double], sizes: [Double]) {
    var values = [Double](repeating: Double(Self.untouched), count: yCount)
    var sizes = [Double](repeating: 0, count: yCount)
    let (x, weights) = (numbers.x.map(Double.init), numbers.weights.map(Double.init))
    let filters = blocks * 16
    x.withUnsafeBufferPointer { x in
      weights.withUnsafeBufferPointer { weights in
        for row in 0..<rows {
          for column in 0..<columns {
            let position = row * xRow + column * xStep
            for filter in 0..<filters {
              var sum = hasBias ? Double(numbers.bias[filter]) : 0
              var size = abs(sum)
              var weight = filter
              for tap in tapPlaces {
                var at = position + tap
                for _ in 0..<run {
                  let term = x[at] * weights[weight]
                  sum += term
                  size += abs(term)
                  at += 1
                  weight += filters
                }
              }
              let place = filter / 16 * yBlock + row * yRow + column * 16 + filter % 16
              if residual != .none { sum += Double(numbers.residual[place]) }
              values[place] = relu && sum < 0 ? 0 : sum
              sizes[place] = size + (residual == .none ? 0 : abs(Double(numbers.residual[place])))
            }
          }
        }
      }
    }
    return (values, sizes)
  }

  /// Weights as `product` reads them: groups of blocks; tap, word, block of the group, lane, number of the word.
  func packed(_ weights: [Float], _ group: Int) -> [Float] {
    var packed: [Float] = []
    packed.reserveCapacity(weights.count)
    for first in stride(from: 0, to: blocks, by: group) {
      let count = min(group, blocks - first) * 16
      for word in 0..<termCount / type.perWord {
        for lane in 0..<count {
          for term in word * type.perWord..<(word + 1) * type.perWord {
            packed.append(weights[(term * blocks + first) * 16 + lane])
          }
        }
      }
    }
    return packed
  }

  /// Numbers in memory, as those of a type.
  func stored(_ numbers: [Float], as type: NumberType, _ memory: GuardedMemory) -> UnsafeRawPointer {
    switch type {
    case .float32: UnsafeRawPointer(memory.input(numbers))
    case .bfloat16: UnsafeRawPointer(memory.input(numbers.map(bfloat16)))
    // Weights are negative, too; the bits of a byte are the same.
    case .uint8: UnsafeRawPointer(memory.input(numbers.map { UInt8(truncatingIfNeeded: Int($0)) }))
    }
  }

  /// The rows, columns and blocks given, of the whole product. `padding`: floats before the page that must not be
  /// touched.
  func run(
    _ set: NetworkKernels, _ numbers: Numbers, padding: Int = 0, rows part: Range<Int>? = nil,
    columns columnPart: Range<Int>? = nil, blocks blockPart: Range<Int>? = nil
  ) -> [Float] {
    let memory = GuardedMemory(seed: 1, padding: padding)
    let (rowPart, columnPart) = (part ?? 0..<rows, columnPart ?? 0..<columns)
    let blockPart = blockPart ?? 0..<blocks
    let written = expectedPlaces()
    let before = (0..<yCount).map {
      written[$0] && residual == .inPlace ? numbers.residual[$0] : Self.untouched
    }
    let y: UnsafeMutableRawPointer
    switch output {
    case .float32:
      let floats = memory.output(Float.self, yCount)
      for index in 0..<yCount { floats[index] = before[index] }
      y = UnsafeMutableRawPointer(floats)
    case .bfloat16:
      let halves = memory.output(UInt16.self, yCount)
      for index in 0..<yCount { halves[index] = bfloat16(before[index]) }
      y = UnsafeMutableRawPointer(halves)
    case .uint8:
      let bytes = memory.output(UInt8.self, yCount)
      for index in 0..<yCount { bytes[index] = UInt8(truncatingIfNeeded: Int(before[index])) }
      y = UnsafeMutableRawPointer(bytes)
    }
    let start = blockPart.lowerBound * yBlock + rowPart.lowerBound * yRow + columnPart.lowerBound * 16
    let other = residual == .none ? nil : stored(numbers.residual, as: output, memory)
    let weights =
      stored(packed(numbers.weights, set.group), as: type, memory)
      + blockPart.lowerBound * 16 * termCount * type.byteCount
    let x =
      stored(numbers.x, as: type, memory)
      + (rowPart.lowerBound * xRow + columnPart.lowerBound * xStep) * type.byteCount
    let place = start * output.byteCount
    let word = type.perWord
    var product = net_product(
      x: x, x_step: xStep / word, x_row: xRow / word, taps: memory.input(tapPlaces.map { $0 / word }),
      tap_count: taps, run: run / word, weights: weights, next: weights,
      bias: hasBias ? memory.input(numbers.bias) + blockPart.lowerBound * 16 : nil,
      residual: residual == .inPlace ? UnsafeRawPointer(y + place) : other.map { $0 + place },
      residual_type: output.kernelType,
      scales: type.isQuantized
        ? memory.input([Float](repeating: scale, count: blocks * 16)) + blockPart.lowerBound * 16 : nil,
      residual_scale: 1, y: y + place, y_type: output.kernelType, y_row: yRow, y_block: yBlock,
      rows: rowPart.count, columns: columnPart.count, blocks: blockPart.count, relu: relu ? 1 : 0)
    set.product(of: type)(&product)
    #expect(memory.borders.allSatisfy { $0 == GuardedMemory.border })
    switch output {
    case .float32:
      return Array(UnsafeBufferPointer(start: y.assumingMemoryBound(to: Float.self), count: yCount))
    case .bfloat16:
      return UnsafeBufferPointer(start: y.assumingMemoryBound(to: UInt16.self), count: yCount).map(widened)
    case .uint8:
      return UnsafeBufferPointer(start: y.assumingMemoryBound(to: UInt8.self), count: yCount).map(Float.init)
    }
  }

  private func expectedPlaces() -> [Bool] {
    var places = [Bool](repeating: false, count: yCount)
    for block in 0..<blocks {
      for row in 0..<rows {
        let start = block * yBlock + row * yRow
        for index in start..<start + columns * 16 { places[index] = true }
      }
    }
    return places
  }
}

/// The index of the first number that is another one; NaN is NaN.
func firstDifference(_ found: [Float], _ expected: [Double]) -> Int? {
  guard found.count == expected.count else { return -1 }
  return found.withUnsafeBufferPointer { found in
    expected.withUnsafeBufferPointer { expected in
      for index in 0..<found.count {
        let (ours, right) = (Double(found[index]), expected[index])
        if ours != right, !(ours.isNaN && right.isNaN) { return index }
      }
      return nil
    }
  }
}

@Suite("Sums over taps and channels") struct ProductKernelTests {
  private func expectExact(_ sums: Sums, seed: UInt64, padding: Int = 0) {
    let numbers = sums.integers(seed: seed)
    let expected = sums.expected(numbers).values
    for set in NetworkKernels.singlePrecision {
      let found = sums.run(set, numbers, padding: padding)
      #expect(firstDifference(found, expected) == nil, "\(set.name): \(sums), seed \(seed)")
    }
  }

  @Test(
    "are those of the definition for every width, and touch nothing else",
    arguments: [(16, 16), (3, 21), (6, 21), (1, 7), (4, 3), (9, 5), (16, 48)])
  func widths(_ xStep: Int, _ run: Int) {
    let residuals = [Sums.Residual.none, .apart, .inPlace]
    for columns in 1...30 {
      for rows in 1...5 {
        let turn = columns + 2 * rows
        let sums = Sums(
          columns: columns, rows: rows, blocks: 1 + turn % 5 % (columns > 16 ? 3 : 5), xStep: xStep, run: run,
          taps: 1 + turn % 2, hasBias: turn % 3 != 0, relu: turn % 4 < 2,
          residual: residuals[columns / 2 % 3],
          // Without a gap several rows are one.
          gap: rows % 2 == 0 ? 0 : turn % 3 * 8)
        expectExact(sums, seed: UInt64(turn), padding: turn % 5)
      }
    }
  }

  @Test("are exact for every number of blocks and taps", arguments: 1...5, [1, 2, 3, 9])
  func blocks(_ blocks: Int, _ taps: Int) {
    for (columns, rows) in [(1, 1), (2, 3), (7, 2), (15, 1)] {
      expectExact(Sums(columns: columns, rows: rows, blocks: blocks, taps: taps, relu: true), seed: 3)
      expectExact(
        Sums(columns: columns, rows: rows, blocks: blocks, xStep: 6, run: 3, taps: taps, hasBias: false),
        seed: 4)
    }
  }

  /// A product of more than 512 channels is summed in parts, and y holds the sums between them.
  @Test(
    "are exact where they are made in parts",
    arguments: [Sums.Residual.none, .apart, .inPlace], [31, 32, 33, 48, 65])
  private func parts(_ residual: Sums.Residual, _ taps: Int) {
    for (columns, rows, blocks, relu) in [
      (1, 1, 1, true), (7, 3, 3, true), (15, 1, 2, false), (5, 4, 1, true), (29, 1, 1, true),
    ] {
      expectExact(
        Sums(
          columns: columns, rows: rows, blocks: blocks, taps: taps, relu: relu, residual: residual),
        seed: UInt64(taps))
    }
  }

  @Test("are exact for long runs", arguments: [15, 17, 255, 256, 257, 512, 513, 1030])
  func runs(_ run: Int) {
    for (columns, blocks, residual) in [(1, 3, Sums.Residual.none), (3, 2, .inPlace), (17, 1, .apart)] {
      for xStep in [3, 16, 40, run + 16] {
        expectExact(
          Sums(
            columns: columns, rows: 2, blocks: blocks, xStep: xStep, run: run, taps: 2, residual: residual),
          seed: 9)
      }
    }
  }

  @Test("propagate NaN and infinity as IEEE arithmetic does", arguments: [Float.nan, .infinity, -.infinity])
  func specials(_ special: Float) {
    for columns in [1, 2, 5, 6, 7, 13, 14, 16] {
      for relu in [false, true] {
        expectExact(
          Sums(columns: columns, rows: 3, blocks: 3, taps: 2, relu: relu, residual: .apart, special: special),
          seed: 12)
        expectExact(
          Sums(columns: columns, rows: 3, blocks: 1, xStep: 3, run: 9, taps: 3, relu: relu, special: special),
          seed: 13)
      }
    }
  }

  /// Each step of a sum rounds by half a unit of what it has so far; those errors are independent, so that a few units
  /// of the sizes of all terms together are more than they come to, and far less than one term.
  @Test(
    "round no more than single precision must", arguments: NetworkKernels.singlePrecision,
    [1, 2, 20, 40, 288])
  private func rounding(_ set: NetworkKernels, _ taps: Int) {
    for (columns, rows) in [(13, 2), (4, 3)] {
      let sums = Sums(columns: columns, rows: rows, blocks: 2, taps: taps, residual: .apart)
      let numbers = sums.floats(seed: 21)
      let (expected, sizes) = sums.expected(numbers)
      let found = sums.run(set, numbers)
      let worst =
        found.indices.map { abs(Double(found[$0]) - expected[$0]) / max(sizes[$0], 1e-9) }.max() ?? 1
      #expect(worst < 4 * Double(Float.ulpOfOne / 2), "\(worst / Double(Float.ulpOfOne / 2)) units")
    }
  }

  @Test(
    "have the same bits whichever part of them a call makes", arguments: NetworkKernels.singlePrecision,
    [2, 40])
  private func divided(_ set: NetworkKernels, _ taps: Int) {
    for residual in [Sums.Residual.none, .apart] {
      let sums = Sums(columns: 23, rows: 5, blocks: 4, taps: taps, relu: true, residual: residual)
      let numbers = sums.floats(seed: 22)
      let whole = sums.run(set, numbers)
      var pieces = [Float](repeating: Sums.untouched, count: whole.count)
      for (blocks, rows, columns) in [
        (0..<2, 0..<1, 0..<23), (0..<2, 1..<5, 0..<1), (0..<2, 1..<5, 1..<23), (2..<4, 0..<5, 0..<9),
        (2..<4, 0..<2, 9..<23), (2..<4, 2..<5, 9..<23),
      ] {
        let piece = sums.run(set, numbers, rows: rows, columns: columns, blocks: blocks)
        for index in piece.indices where piece[index] != Sums.untouched { pieces[index] = piece[index] }
      }
      #expect(pieces.map(\.bitPattern) == whole.map(\.bitPattern))
    }
  }
}
