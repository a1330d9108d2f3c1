import CNetworks
import TestSupport
import Testing

@testable import Networks

/// The inner loops of training, each set against plain sums in double precision.
struct BackwardKernelTests {
  /// Sizes of outer products: `gap` floats lie behind each row.
  struct Positions: Sendable {
    var run = 16, blocks = 2, images = 1, rows = 1, columns = 1, gap = 0
  }

  @Test(
    "outer sums x times dy over positions, of rows and images with and without gaps",
    arguments: NetworkKernels.singlePrecision.map(\.name),
    [
      Positions(run: 1, blocks: 1), Positions(blocks: 1, columns: 7), Positions(rows: 3, columns: 5, gap: 5),
      Positions(blocks: 5, columns: 33), Positions(run: 21, blocks: 4, rows: 2, columns: 9, gap: 5),
      Positions(run: 5, blocks: 3, rows: 2, columns: 4), Positions(run: 7),
      Positions(columns: 300), Positions(images: 3, rows: 7, columns: 7),
      Positions(images: 3, rows: 5, columns: 50, gap: 5),
      Positions(images: 2, rows: 1, columns: 129, gap: 16),
    ])
  func outer(name: String, size: Positions) throws {
    let set = try #require(NetworkKernels.singlePrecision.first { $0.name == name })
    let (run, blocks, rows, columns) = (size.run, size.blocks, size.rows, size.columns)
    var random = SplitMix64(seed: UInt64(run * 100 + blocks))
    let step = run + (size.gap > 0 ? 3 : 0)
    let row = columns * step + size.gap
    let image = rows * row + size.gap
    let x = random.floats(size.images * image + run)
    let dyRow = columns * 16 + (size.gap > 0 ? 16 : 0)
    let dyImage = blocks * rows * dyRow + 32
    let dyBlock = rows * dyRow
    let dy = random.floats(size.images * dyImage)
    for begins in [true, false] {
      let before = random.floats(blocks * run * 16)
      var sums = before
      x.withUnsafeBufferPointer { x in
        dy.withUnsafeBufferPointer { dy in
          sums.withUnsafeMutableBufferPointer { sums in
            var outer = net_outer(
              x: x.baseAddress!, x_step: step, x_row: row, x_image: image, dy: dy.baseAddress!, dy_row: dyRow,
              dy_image: dyImage, dy_block: dyBlock, images: size.images, rows: rows, columns: columns,
              run: run, blocks: blocks, sums: sums.baseAddress!, sums_block: run * 16, begins: begins ? 1 : 0)
            set.training.outer(&outer)
          }
        }
      }
      for place in sums.indices {
        let (block, number, lane) = (place / (run * 16), place / 16 % run, place % 16)
        var expected = begins ? 0 : Double(before[place])
        for i in 0..<size.images {
          for r in 0..<rows {
            for c in 0..<columns {
              expected +=
                Double(x[i * image + r * row + c * step + number])
                * Double(dy[i * dyImage + block * dyBlock + r * dyRow + c * 16 + lane])
            }
          }
        }
        #expect(
          abs(Double(sums[place]) - expected) < 1e-5 * Double(size.images * rows * columns + 1), "\(place)")
      }
    }
  }

  @Test(
    "outer of bfloat16 sums the products of both numbers of each word", arguments: NetworkKernels.available,
    [
      Positions(run: 1, blocks: 1), Positions(blocks: 1, columns: 7), Positions(rows: 3, columns: 5, gap: 5),
      Positions(run: 21, blocks: 4, rows: 2, columns: 9, gap: 5), Positions(blocks: 5, columns: 300),
      Positions(images: 3, rows: 7, columns: 7), Positions(images: 2, columns: 129, gap: 16),
    ])
  func outerOfPairs(set: NetworkKernels, size: Positions) {
    let (run, blocks, rows, columns) = (size.run, size.blocks, size.rows, size.columns)
    var random = SplitMix64(seed: UInt64(run * 100 + blocks))
    let step = run + (size.gap > 0 ? 3 : 0)
    let (row, dyRow) = (columns * step + size.gap, columns * 16 + size.gap)
    let (image, dyBlock) = (rows * row + size.gap, rows * dyRow)
    let dyImage = blocks * dyBlock
    func words(_ count: Int) -> [[Float]] {
      (0..<2).map { _ in random.floats(count).map { widened(bfloat16($0)) } }
    }
    let (x, dy) = (words(size.images * image + run), words(size.images * dyImage))
    func packed(_ both: [[Float]]) -> [UInt32] {
      zip(both[0], both[1]).map { UInt32(bfloat16($0)) | UInt32(bfloat16($1)) << 16 }
    }
    for begins in [true, false] {
      let before = random.floats(blocks * run * 16)
      var sums = before
      packed(x).withUnsafeBufferPointer { x in
        packed(dy).withUnsafeBufferPointer { dy in
          sums.withUnsafeMutableBufferPointer { sums in
            var outer = net_outer(
              x: x.baseAddress!, x_step: step, x_row: row, x_image: image, dy: dy.baseAddress!, dy_row: dyRow,
              dy_image: dyImage, dy_block: dyBlock, images: size.images, rows: rows, columns: columns,
              run: run, blocks: blocks, sums: sums.baseAddress!, sums_block: run * 16, begins: begins ? 1 : 0)
            set.training.outer_bfloat16(&outer)
          }
        }
      }
      for place in sums.indices {
        let (block, number, lane) = (place / (run * 16), place / 16 % run, place % 16)
        var expected = begins ? 0 : Double(before[place])
        for i in 0..<size.images {
          for r in 0..<rows {
            for c in 0..<columns {
              let from = i * image + r * row + c * step + number
              let to = i * dyImage + block * dyBlock + r * dyRow + c * 16 + lane
              for half in 0..<2 { expected += Double(x[half][from]) * Double(dy[half][to]) }
            }
          }
        }
        #expect(
          abs(Double(sums[place]) - expected) < 2e-5 * Double(size.images * rows * columns + 1), "\(place)")
      }
    }
  }

  @Test(
    "words are made of two positions after the prologue, zeros where there is none", arguments: [true, false])
  func pair(relu: Bool) {
    var random = SplitMix64(seed: 12)
    let (low, high, scale, shift) = (
      random.floats(160), random.floats(160), random.floats(16), random.floats(16)
    )
    func after(_ numbers: [Float], _ index: Int) -> UInt32 {
      let value = numbers[index / 16 * 48 + index % 16] * scale[index % 16] + shift[index % 16]
      return UInt32(bfloat16(relu ? max(value, 0) : value))
    }
    for set in NetworkKernels.available {
      scale.withUnsafeBufferPointer { scale in
        shift.withUnsafeBufferPointer { shift in
          var prologue = net_prologue(
            scale: scale.baseAddress!, shift: shift.baseAddress!, relu: relu ? 1 : 0)
          for (hasLow, hasHigh) in [(true, true), (true, false), (false, true), (false, false)] {
            var words = [UInt32](repeating: 7, count: 96)
            low.withUnsafeBufferPointer { low in
              high.withUnsafeBufferPointer { high in
                set.training.pair(
                  &words, 32, hasLow ? low.baseAddress : nil, hasHigh ? high.baseAddress : nil, 48, 3,
                  &prologue)
              }
            }
            for index in 0..<48 {
              let expected = (hasLow ? after(low, index) : 0) | (hasHigh ? after(high, index) << 16 : 0)
              #expect(words[index / 16 * 32 + index % 16] == expected, "\(set.name), \(index)")
            }
            for index in 0..<96 where index / 16 % 2 == 1 { #expect(words[index] == 7) }
          }
        }
      }
    }
  }

  @Test(
    "moments are the mean and the squares about it, far from zero too",
    arguments: NetworkKernels.singlePrecision.map(\.name), [1, 2, 3, 4, 5, 8, 49, 130])
  func moments(name: String, count: Int) throws {
    let set = try #require(NetworkKernels.singlePrecision.first { $0.name == name })
    var random = SplitMix64(seed: UInt64(count))
    let x = random.floats(count * 16).map { $0 + 100 }
    var mean = [Float](repeating: 0, count: 16)
    var squares = mean
    set.training.moments(&mean, &squares, x, count)
    for lane in 0..<16 {
      let values = (0..<count).map { Double(x[$0 * 16 + lane]) }
      let middle = values.reduce(0, +) / Double(count)
      let expected = values.reduce(0) { $0 + ($1 - middle) * ($1 - middle) }
      #expect(abs(Double(mean[lane]) - middle) < 2e-5)
      #expect(abs(Double(squares[lane]) - expected) < 1e-4 * max(1, expected))
    }
  }

  @Test(
    "a normalisation's gradient passes where its output is above zero",
    arguments: NetworkKernels.singlePrecision.map(\.name), [(1, true), (2, true), (3, false), (20, true)])
  func norm(name: String, trial: (count: Int, relu: Bool)) throws {
    let set = try #require(NetworkKernels.singlePrecision.first { $0.name == name })
    let (count, relu) = trial
    var random = SplitMix64(seed: UInt64(count + 50))
    let (x, dy, add) = (random.floats(count * 16), random.floats(count * 16), random.floats(count * 16))
    let channels = (0..<6).map { _ in random.floats(16) }
    var sums = random.floats(16)
    var products = random.floats(16)
    let (sumsBefore, productsBefore) = (sums, products)
    var dx = dy
    var added = dy
    channels[0].withUnsafeBufferPointer { scale in
      channels[1].withUnsafeBufferPointer { shift in
        channels[2].withUnsafeBufferPointer { mean in
          channels[3].withUnsafeBufferPointer { a in
            channels[4].withUnsafeBufferPointer { b in
              channels[5].withUnsafeBufferPointer { c in
                var norm = net_norm(
                  scale: scale.baseAddress!, shift: shift.baseAddress!, relu: relu ? 1 : 0,
                  mean: mean.baseAddress!, a: a.baseAddress!, b: b.baseAddress!, c: c.baseAddress!)
                set.training.norm_sums(&sums, &products, dy, x, &norm, count)
                // In place, as it is used.
                dx.withUnsafeMutableBufferPointer {
                  set.training.norm_backward($0.baseAddress!, $0.baseAddress!, x, nil, &norm, count)
                }
                set.training.norm_backward(&added, dy, x, add, &norm, count)
              }
            }
          }
        }
      }
    }
    for lane in 0..<16 {
      var (sum, product) = (Double(sumsBefore[lane]), Double(productsBefore[lane]))
      for index in stride(from: lane, to: count * 16, by: 16) {
        let passes = !relu || x[index] * channels[0][lane] + channels[1][lane] > 0
        let g = passes ? Double(dy[index]) : 0
        let rest = Double(x[index]) - Double(channels[2][lane])
        sum += g
        product += g * rest
        let expected =
          Double(channels[3][lane]) * g + Double(channels[4][lane]) * rest + Double(channels[5][lane])
        #expect(abs(Double(dx[index]) - expected) < 1e-5)
        #expect(abs(Double(added[index]) - expected - Double(add[index])) < 1e-5)
      }
      #expect(abs(Double(sums[lane]) - sum) < 1e-5)
      #expect(abs(Double(products[lane]) - product) < 1e-5)
    }
  }

  @Test(
    "the gradient of a maximum goes to the first position that has it",
    arguments: NetworkKernels.singlePrecision.map(\.name))
  func maximum(name: String) throws {
    let set = try #require(NetworkKernels.singlePrecision.first { $0.name == name })
    // All alike: the first position of each window has it.
    let x = [Float](repeating: 3, count: 5 * 5 * 16)
    let dy = (0..<3 * 3 * 16).map { Float($0 / 16 + 1) }
    var dx = [Float](repeating: 0.5, count: x.count)
    var pool = net_pool(
      height: 5, width: 5, out_height: 3, out_width: 3, kernel_rows: 3, kernel_columns: 3, stride_rows: 2,
      stride_columns: 2, padding_rows: 1, padding_columns: 1, factors: nil, prologue: net_prologue(),
      x_type: Int32(net_float32), y_type: Int32(net_float32))
    set.training.pool_backward(&dx, dy, x, &pool)
    var expected = [Float](repeating: 0.5, count: 25)
    for row in 0..<3 {
      for column in 0..<3 {
        expected[max(0, row * 2 - 1) * 5 + max(0, column * 2 - 1)] += Float(row * 3 + column + 1)
      }
    }
    for index in dx.indices { #expect(dx[index] == expected[index / 16]) }
  }

  @Test(
    "Winograd's transposes are transposes", arguments: NetworkKernels.singlePrecision.map(\.name),
    [(4, 4), (5, 7), (9, 3)])
  func transposes(name: String, size: (height: Int, width: Int)) throws {
    let set = try #require(NetworkKernels.singlePrecision.first { $0.name == name })
    let (height, width) = size
    var random = SplitMix64(seed: UInt64(height))
    let across = (width + 3) / 4
    let count = across * ((height + 3) / 4)
    var tiles = net_tiles(
      first: 0, count: count, tiles_across: across, plane: count * 16, block: 0, blocks: 1, height: height,
      width: width, image_type: Int32(net_float32), image_block: 0, padding: 0)
    // <out(m), dy> = <m, gradient(dy)> for each lane.
    let m = random.floats(36 * count * 16)
    let dy = random.floats(height * width * 16)
    let bias = [Float](repeating: 0, count: 16)
    var y = dy
    var gradient = m
    set.table.winograd_output(&y, m, &tiles, bias, nil, Int32(net_float32), 0)
    set.training.winograd_gradient(&gradient, dy, &tiles)
    // The same for weights: <planes of w, u> = <w, gradient of u>.
    let w = random.floats(9 * 256)
    let u = random.floats(36 * 256)
    var planes = u
    var dw = random.floats(9 * 256)
    let before = dw
    set.table.winograd_weights(&planes, w, 1, 256)
    set.training.winograd_weight_gradient(&dw, u, 256, 0)
    for lane in 0..<16 {
      func product(_ one: [Float], _ other: [Float]) -> Double {
        stride(from: lane, to: one.count, by: 16).reduce(0) { $0 + Double(one[$1]) * Double(other[$1]) }
      }
      #expect(abs(product(y, dy) - product(m, gradient)) < 1e-3)
      #expect(abs(product(planes, u) - (product(w, dw) - product(w, before))) < 1e-3)
    }
  }

  @Test("positions are scattered or added", arguments: NetworkKernels.singlePrecision.map(\.name))
  func scatter(name: String) throws {
    let set = try #require(NetworkKernels.singlePrecision.first { $0.name == name })
    let numbers = (0..<48).map { Float($0) }
    var out = [Float](repeating: 100, count: 5 * 16)
    set.training.scatter(&out, 32, numbers, 3, 0)
    set.training.scatter(&out, 32, numbers, 2, 1)
    for index in out.indices {
      let place = index / 16
      let number = Float(place / 2 * 16 + index % 16)
      #expect(out[index] == (place % 2 == 1 ? 100 : place < 4 ? 2 * number : number))
    }
  }

  @Test(
    "a sum of parts may lie over one of them", arguments: NetworkKernels.singlePrecision.map(\.name),
    [1, 15, 16, 37])
  func sum(name: String, count: Int) throws {
    let set = try #require(NetworkKernels.singlePrecision.first { $0.name == name })
    var random = SplitMix64(seed: 4)
    var parts = (0..<3).map { _ in random.floats(count) }
    let expected = (0..<count).map { parts[0][$0] + parts[1][$0] + parts[2][$0] }
    let second = parts[1]
    let third = parts[2]
    second.withUnsafeBufferPointer { second in
      third.withUnsafeBufferPointer { third in
        parts[0].withUnsafeMutableBufferPointer { first in
          let pointers = [UnsafePointer(first.baseAddress!), second.baseAddress!, third.baseAddress!]
          set.training.sum(first.baseAddress!, pointers, 3, count)
        }
      }
    }
    #expect(parts[0] == expected)
  }

  /// The formulas in double precision: new weight, first and second state.
  private static func expected(
    _ rule: String, w: Double, g: Double, first: Double, second: Double
  ) -> (Double, Double, Double) {
    let (rate, decay, momentum, beta, epsilon) = (0.1, 0.01, 0.9, 0.8, 1e-3)
    let all = g * 0.25 + decay * w
    switch rule {
    case "sgd": return (w + momentum * first - rate * all, momentum * first - rate * all, second)
    case "nag":
      let new = w + momentum * (momentum * first - rate * all) - rate * all
      return (new, momentum * first - rate * (g * 0.25 + decay * new), second)
    case "adam":
      let mean = momentum * first + (1 - momentum) * all
      let square = beta * second + (1 - beta) * all * all
      return (w - rate * mean / (square.squareRoot() + epsilon), mean, square)
    default:
      let square = (1 - beta) * all * all + beta * second
      return (w - rate * all / (square + epsilon).squareRoot(), first, square)
    }
  }

  @Test(
    "updates follow their formulas", arguments: NetworkKernels.singlePrecision.map(\.name),
    ["sgd", "nag", "adam", "rmsprop"])
  func updates(name: String, rule: String) throws {
    let set = try #require(NetworkKernels.singlePrecision.first { $0.name == name })
    var random = SplitMix64(seed: 12)
    let count = 37
    let w = random.floats(count)
    let g = random.floats(count)
    let first = random.floats(count)
    let second = random.floats(count).map { abs($0) }
    var (newW, newFirst, newSecond) = (w, first, second)
    newW.withUnsafeMutableBufferPointer { w in
      newFirst.withUnsafeMutableBufferPointer { first in
        newSecond.withUnsafeMutableBufferPointer { second in
          g.withUnsafeBufferPointer { g in
            var update = net_update(
              w: w.baseAddress!, gradient: g.baseAddress!, first: first.baseAddress,
              second: second.baseAddress,
              n: count, rescale: 0.25, rate: 0.1, decay: 0.01, momentum: 0.9, beta: 0.8, epsilon: 1e-3)
            switch rule {
            case "sgd": set.training.sgd(&update)
            case "nag": set.training.nag(&update)
            case "adam": set.training.adam(&update)
            default: set.training.rmsprop(&update)
            }
          }
        }
      }
    }
    for index in 0..<count {
      let expected = Self.expected(
        rule, w: Double(w[index]), g: Double(g[index]), first: Double(first[index]),
        second: Double(second[index]))
      #expect(abs(Double(newW[index]) - expected.0) < 1e-5)
      #expect(abs(Double(newFirst[index]) - expected.1) < 1e-5)
      #expect(abs(Double(newSecond[index]) - expected.2) < 1e-5)
    }
  }
}
