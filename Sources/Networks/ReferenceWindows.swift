import Models

/// The matrix that makes a convolution a product: a row for each weight of a filter, a column for each output position.
struct Columns {
  private let convolution: Convolution
  /// Channels, height, width.
  private let input: [Int], output: [Int]

  init(_ convolution: Convolution, input: [Int], output: [Int]) {
    self.convolution = convolution
    self.input = input
    self.output = output
  }

  var rowCount: Int { input[0] * convolution.kernel.rows * convolution.kernel.columns }

  func gathered(from values: [Float]) -> [Float] {
    let (kernel, stride, padding) = (convolution.kernel, convolution.stride, convolution.padding)
    let (height, width) = (output[1], output[2])
    var result = [Float](repeating: 0, count: rowCount * height * width)
    var at = 0
    for channel in 0..<input[0] {
      for kernelRow in 0..<kernel.rows {
        for kernelColumn in 0..<kernel.columns {
          for row in 0..<height {
            let y = row * stride.rows + kernelRow - padding.rows
            // Margins stay zero.
            if y >= 0, y < input[1] {
              let line = (channel * input[1] + y) * input[2]
              for column in 0..<width {
                let x = column * stride.columns + kernelColumn - padding.columns
                if x >= 0, x < input[2] { result[at + column] = values[line + x] }
              }
            }
            at += width
          }
        }
      }
    }
    return result
  }
}

/// Where the windows of a pooling lie: MXNet's rules.
struct PoolingWindows {
  private let pooling: Pooling
  /// Channels, height, width.
  private let input: [Int], output: [Int]

  init(_ pooling: Pooling, input: [Int], output: [Int]) {
    self.pooling = pooling
    self.input = input
    self.output = output
  }

  func pooled(_ values: [Float]) -> [Float] {
    let (height, width) = (output[1], output[2])
    var result: [Float] = []
    result.reserveCapacity(output.reduce(1, *))
    for channel in 0..<output[0] {
      for row in 0..<height {
        let rows = span(row, pooling.kernel.rows, pooling.stride.rows, pooling.padding.rows, size: input[1])
        for column in 0..<width {
          let columns = span(
            column, pooling.kernel.columns, pooling.stride.columns, pooling.padding.columns, size: input[2])
          result.append(pooled(values, channel, rows, columns))
        }
      }
    }
    return result
  }

  private func pooled(_ values: [Float], _ channel: Int, _ rows: Window, _ columns: Window) -> Float {
    // MXNet starts from the least finite number, and NaN is larger than nothing.
    var largest = -Float.greatestFiniteMagnitude
    var sum = 0.0
    for row in rows.inside {
      for column in columns.inside {
        let value = values[(channel * input[1] + row) * input[2] + column]
        if value > largest { largest = value }
        sum += Double(value)
      }
    }
    switch pooling.kind {
    case .maximum: return largest
    case .average(let countsPadding):
      let count = countsPadding ? rows.count * columns.count : rows.inside.count * columns.inside.count
      // A window that lies in the margin as a whole.
      return count == 0 ? 0 : Float(sum / Double(count))
    }
  }

  /// One axis of a window: the positions within the plane, and how many there are with the margin's.
  private struct Window {
    let inside: Range<Int>
    let count: Int
  }

  private func span(_ index: Int, _ kernel: Int, _ stride: Int, _ padding: Int, size: Int) -> Window {
    if pooling.isGlobal { return Window(inside: 0..<size, count: size) }
    let start = index * stride - padding
    // A window of a number that was rounded up may reach beyond the margin, where nothing counts.
    let end = min(start + kernel, size + padding)
    let first = min(max(start, 0), size)
    return Window(inside: first..<max(first, min(end, size)), count: end - start)
  }
}
