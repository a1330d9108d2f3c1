import CNetworks
import TestSupport
import Testing

@testable import Networks

/// A 3x3 convolution by the three functions of Winograd's transform and 36 products between them.
private struct Winograd {
  var height: Int, width: Int
  var padding = 1
  var channels = 16, filters = 16
  var hasPrologue = false, prologueRelu = false, hasResidual = false, relu = false
  var random = SplitMix64(seed: 31)

  var inBlocks: Int { (channels + 15) / 16 }
  var outBlocks: Int { (filters + 15) / 16 }
  var outHeight: Int { height + 2 * padding - 2 }
  var outWidth: Int { width + 2 * padding - 2 }
  var tilesAcross: Int { (outWidth + 3) / 4 }
  var tiles: Int { tilesAcross * ((outHeight + 3) / 4) }

  struct Numbers {
    /// In blocks; scale and shift of each channel.
    var x: [Float], scale: [Float], shift: [Float]
    /// Filter, channel, 3, 3; then what each filter is multiplied by.
    var weights: [Float], filterScale: [Float]
    var bias: [Float], residual: [Float]
  }

  func numbers() -> Numbers {
    var random = random
    var x = random.floats(inBlocks * height * width * 16)
    for index in x.indices where index / (height * width * 16) * 16 + index % 16 >= channels { x[index] = 0 }
    // Beyond the channels scale and shift are 0, as the engine has them.
    let scale = (0..<inBlocks * 16).map { $0 < channels ? Float(1) + Float($0 % 5) / 8 : 0 }
    let shift = (0..<inBlocks * 16).map { $0 < channels ? Float($0 % 3) / 4 - 0.25 : 0 }
    return Numbers(
      x: x, scale: scale, shift: shift, weights: random.floats(filters * channels * 9),
      filterScale: random.floats(filters).map { $0 + 1.5 },
      bias: random.floats(outBlocks * 16), residual: random.floats(outBlocks * outHeight * outWidth * 16))
  }

  /// The direct sum in double precision, with the sizes of its terms.
  func expected(_ numbers: Numbers) -> (values: [Double], sizes: [Double]) {
    var x = numbers.x.map(Double.init)
    if hasPrologue {
      for index in x.indices {
        let channel = index / (height * width * 16) * 16 + index % 16
        x[index] = x[index] * Double(numbers.scale[channel]) + Double(numbers.shift[channel])
        if prologueRelu, x[index] < 0 { x[index] = 0 }
      }
    }
    let weights = numbers.weights.indices.map {
      Double(numbers.weights[$0]) * Double(numbers.filterScale[$0 / (channels * 9)])
    }
    var values = numbers.residual.map { hasResidual ? Double($0) : 0 }
    var sizes = values.map(abs)
    x.withUnsafeBufferPointer { x in
      weights.withUnsafeBufferPointer { weights in
        for place in values.indices {
          let position = place / 16 % (outHeight * outWidth)
          let filter = place / (16 * outHeight * outWidth) * 16 + place % 16
          let (row, column) = (position / outWidth - padding, position % outWidth - padding)
          var (sum, size) = (Double(numbers.bias[filter]), abs(Double(numbers.bias[filter])))
          for tap in 0..<(filter < filters ? 9 : 0) {
            let (y, left) = (row + tap / 3, column + tap % 3)
            if y < 0 || y >= height || left < 0 || left >= width { continue }
            for channel in 0..<channels {
              let at = ((channel / 16 * height + y) * width + left) * 16 + channel % 16
              let term = x[at] * weights[(filter * channels + channel) * 9 + tap]
              sum += term
              size += abs(term)
            }
          }
          values[place] += sum
          sizes[place] += size
          if relu, values[place] < 0 { values[place] = 0 }
        }
      }
    }
    return (values, sizes)
  }

  /// `lots`: the tiles are made in so many calls.
  func run(_ set: NetworkKernels, _ numbers: Numbers, lots: Int = 1) -> [Float] {
    let memory = GuardedMemory(seed: 1, padding: 0)
    let plane = inBlocks * 16 * outBlocks * 16 + 16
    let weights = memory.output(Float.self, 36 * plane - 16)
    for output in 0..<outBlocks {
      let first = output / set.group * set.group
      let group = min(set.group, outBlocks - first)
      for input in 0..<inBlocks {
        // Tap, channel, filter.
        let block = (0..<9 * 256).map { index in
          let (filter, channel) = (output * 16 + index % 16, input * 16 + index / 16 % 16)
          guard filter < filters, channel < channels else { return Float(0) }
          return numbers.weights[(filter * channels + channel) * 9 + index / 256]
            * numbers.filterScale[filter]
        }
        set.table.winograd_weights(
          weights + first * 16 * inBlocks * 16 + input * 16 * group * 16 + (output - first) * 16,
          memory.input(block), group, plane)
      }
    }
    let (x, bias) = (memory.input(numbers.x), memory.input(numbers.bias))
    let residual = hasResidual ? memory.input(numbers.residual) : nil
    var prologue = net_prologue()
    if hasPrologue {
      prologue = net_prologue(
        scale: memory.input(numbers.scale), shift: memory.input(numbers.shift), relu: prologueRelu ? 1 : 0)
    }
    let y = memory.output(Float.self, outBlocks * outHeight * outWidth * 16)
    for lot in 0..<lots {
      let range = tiles * lot / lots..<tiles * (lot + 1) / lots
      guard !range.isEmpty else { continue }
      // No gap between blocks here, a gap of one position there.
      let (inBlock, outBlock) = (range.count * 16, (range.count + 1) * 16)
      let (inPlane, outPlane) = (inBlocks * inBlock, outBlocks * outBlock)
      let v = memory.output(Float.self, 36 * inPlane)
      let m = memory.output(Float.self, 36 * outPlane)
      var tiles = net_tiles(
        first: range.lowerBound, count: range.count, tiles_across: tilesAcross, plane: inPlane,
        block: inBlock,
        blocks: inBlocks, height: height, width: width, image_type: Int32(net_float32),
        image_block: height * width * 16,
        padding: Int32(padding))
      set.table.winograd_input(v, x, &tiles, &prologue)
      let taps = memory.input((0..<inBlocks).map { $0 * inBlock })
      for number in 0..<36 {
        var product = net_product(
          x: UnsafePointer(v) + number * inPlane, x_step: 16, x_row: 0, taps: taps, tap_count: inBlocks,
          run: 16,
          weights: UnsafePointer(weights) + number * plane, next: UnsafePointer(weights), bias: nil,
          residual: nil, residual_type: Int32(net_float32), scales: nil, residual_scale: 1,
          y: m + number * outPlane, y_type: Int32(net_float32),
          y_row: 0, y_block: outBlock, rows: 1, columns: range.count, blocks: outBlocks, relu: 0)
        set.table.product(&product)
      }
      tiles = net_tiles(
        first: range.lowerBound, count: range.count, tiles_across: tilesAcross, plane: outPlane,
        block: outBlock,
        blocks: outBlocks, height: outHeight, width: outWidth, image_type: Int32(net_float32),
        image_block: outHeight * outWidth * 16,
        padding: 0)
      set.table.winograd_output(y, m, &tiles, bias, residual, Int32(net_float32), relu ? 1 : 0)
    }
    #expect(memory.borders.allSatisfy { $0 == GuardedMemory.border })
    return Array(UnsafeBufferPointer(start: y, count: outBlocks * outHeight * outWidth * 16))
  }
}

@Suite("Winograd's transform") struct WinogradKernelTests {
  /// The transform multiplies by numbers up to 8 and subtracts the products again, which costs about ten times the
  /// error of a direct sum; a single term is more than a hundred times this bound.
  private static let units = 80.0

  private func expectDirect(_ winograd: Winograd) {
    let numbers = winograd.numbers()
    let (expected, sizes) = winograd.expected(numbers)
    for set in NetworkKernels.singlePrecision {
      let found = winograd.run(set, numbers)
      let worst = found.indices.map { abs(Double(found[$0]) - expected[$0]) / max(1, sizes[$0]) }.max() ?? 1
      #expect(
        worst < Self.units * Double(Float.ulpOfOne / 2),
        "\(set.name), \(winograd): \(worst / Double(Float.ulpOfOne / 2)) units")
    }
  }

  @Test("gives the direct sum for every size", arguments: 1...20)
  func sizes(_ height: Int) {
    for padding in [0, 1] where height + 2 * padding > 2 {
      for width in [height * 7 % 20 + 1, height * 3 % 5 + 1, height * 11 % 8 + 1]
      where width + 2 * padding > 2 {
        expectDirect(
          Winograd(
            height: height, width: width, padding: padding, channels: 7, filters: 16,
            hasPrologue: height % 2 == 0,
            prologueRelu: height % 4 == 0, hasResidual: width % 2 == 0, relu: width % 3 == 0))
      }
    }
  }

  @Test(
    "gives the direct sum for every number of blocks",
    arguments: [(16, 32), (32, 48), (33, 16), (5, 65), (48, 5), (17, 40), (80, 16)])
  func blocks(_ channels: Int, _ filters: Int) {
    for (hasPrologue, prologueRelu, hasResidual, relu) in [
      (false, false, false, false), (true, false, true, false), (true, true, true, true),
    ] {
      expectDirect(
        Winograd(
          height: 7, width: 9, channels: channels, filters: filters, hasPrologue: hasPrologue,
          prologueRelu: prologueRelu, hasResidual: hasResidual, relu: relu))
    }
  }

  @Test(
    "gives the same bits in however many calls the tiles are made", arguments: NetworkKernels.singlePrecision)
  func lots(_ set: NetworkKernels) {
    let winograd = Winograd(
      height: 18, width: 13, channels: 20, filters: 40, hasPrologue: true, prologueRelu: true,
      hasResidual: true,
      relu: true)
    let numbers = winograd.numbers()
    let whole = winograd.run(set, numbers).map(\.bitPattern)
    for lots in [2, 3, 7, 20] { #expect(winograd.run(set, numbers, lots: lots).map(\.bitPattern) == whole) }
  }

  @Test("may write over what it adds", arguments: NetworkKernels.singlePrecision)
  func inPlace(_ set: NetworkKernels) {
    var random = SplitMix64(seed: 4)
    let numbers = random.floats(36 * 16 + 3 * 4 * 16 + 16)
    let (m, residual) = (Array(numbers.prefix(36 * 16)), Array(numbers.dropFirst(36 * 16).prefix(3 * 4 * 16)))
    var tiles = net_tiles(
      first: 0, count: 1, tiles_across: 1, plane: 16, block: 16, blocks: 1, height: 3, width: 4,
      image_type: Int32(net_float32), image_block: 3 * 4 * 16, padding: 0)
    var apart = [Float](repeating: .nan, count: residual.count)
    set.table.winograd_output(&apart, m, &tiles, Array(numbers.suffix(16)), residual, Int32(net_float32), 1)
    var over = residual
    over.withUnsafeMutableBufferPointer { over in
      guard let y = over.baseAddress else { return }
      set.table.winograd_output(
        y, m, &tiles, Array(numbers.suffix(16)), UnsafePointer(y), Int32(net_float32), 1)
    }
    #expect(over == apart)
  }

  @Test("turns a tile with a NaN into NaN, and no other", arguments: NetworkKernels.singlePrecision)
  func notANumber(_ set: NetworkKernels) {
    let winograd = Winograd(height: 12, width: 12, channels: 16, filters: 16, relu: true)
    var numbers = winograd.numbers()
    // Row 5 and column 6 are read by the tile in the middle alone.
    numbers.x[(5 * 12 + 6) * 16 + 3] = .nan
    let clean = winograd.run(set, winograd.numbers())
    let found = winograd.run(set, numbers)
    for index in found.indices {
      let (row, column) = (index / 16 / 12, index / 16 % 12)
      if (4...6).contains(row), (5...7).contains(column) { #expect(found[index].isNaN) }
      if !(4..<8).contains(row) || !(4..<8).contains(column) { #expect(found[index] == clean[index]) }
    }
  }
}
