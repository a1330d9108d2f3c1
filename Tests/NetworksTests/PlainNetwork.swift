import Models

/// Networks in double precision by the definitions of their operators alone, one number at a time: the oracle of the
/// engines. Slow.
struct PlainNetwork {
  let graph: Graph, parameters: Parameters
  /// What arrays are instead of what the parameters say.
  var changed: [String: [Double]] = [:]

  init(graph: Graph, parameters: Parameters) {
    self.graph = graph
    self.parameters = parameters
  }

  /// Every node's output for each image of a batch, normalised by the batch's own statistics.
  func trainingOutputs(_ images: [[Double]]) throws -> [[[Double]]] {
    var values: [[[Double]]] = []
    for node in graph.nodes {
      if case .batchNorm(let norm) = node.operation {
        values.append(try normalised(values[node.inputs[0]], norm, channels: node.shape[0]))
      } else if node.inputs.isEmpty {
        values.append(images)
      } else {
        values.append(
          try images.indices.map { image in try output(of: node, node.inputs.map { values[$0][image] }) })
      }
    }
    return values
  }

  private func normalised(_ batch: [[Double]], _ norm: BatchNorm, channels: Int) throws -> [[Double]] {
    let (beta, gamma) = (try array(norm.beta), try norm.gamma.map(array))
    let area = batch[0].count / channels
    var result = batch
    for channel in 0..<channels {
      let range = channel * area..<(channel + 1) * area
      let all = batch.flatMap { $0[range] }
      let mean = all.reduce(0, +) / Double(all.count)
      let variance = all.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(all.count)
      let factor = (gamma?[channel] ?? 1) / (variance + norm.epsilon).squareRoot()
      for image in batch.indices {
        for index in range { result[image][index] = (batch[image][index] - mean) * factor + beta[channel] }
      }
    }
    return result
  }

  /// Every node's output for one image.
  func outputs(_ image: [Double]) throws -> [[Double]] {
    var values: [[Double]] = []
    for node in graph.nodes {
      let inputs = node.inputs.map { values[$0] }
      values.append(node.inputs.isEmpty ? image : try output(of: node, inputs))
    }
    return values
  }

  func array(_ name: String) throws -> [Double] {
    try changed[name] ?? parameters.values(of: name).map(Double.init)
  }

  private func output(of node: Graph.Node, _ inputs: [[Double]]) throws -> [Double] {
    let values = inputs[0]
    let shape = graph.nodes[node.inputs[0]].shape
    switch node.operation {
    case .input, .flatten: return values
    case .relu: return values.map { $0 < 0 ? 0 : $0 }
    case .add: return values.indices.map { values[$0] + inputs[1][$0] }
    case .sigmoid: return values.map { 1 / (1 + power($0)) }
    case .softmax:
      let sum = values.reduce(0) { $0 + power(-$1) }
      return values.map { power(-$0) / sum }
    case .dense(let dense):
      let (weight, bias) = (try array(dense.weight), try dense.bias.map(array))
      return (0..<dense.outputs).map { output in
        values.indices.reduce(bias?[output] ?? 0) { $0 + values[$1] * weight[output * values.count + $1] }
      }
    case .batchNorm(let norm):
      let (mean, variance, beta) = (try array(norm.mean), try array(norm.variance), try array(norm.beta))
      let gamma = try norm.gamma.map(array)
      let area = values.count / mean.count
      return values.indices.map { index in
        let channel = index / area
        let scaled = (values[index] - mean[channel]) / (variance[channel] + norm.epsilon).squareRoot()
        return scaled * (gamma?[channel] ?? 1) + beta[channel]
      }
    case .convolution(let convolution):
      let (weight, bias) = (try array(convolution.weight), try convolution.bias.map(array))
      let window = Window(convolution.kernel, convolution.stride, convolution.padding)
      return positions(node.shape).map { filter, row, column in
        var sum = bias?[filter] ?? 0
        for channel in 0..<shape[0] {
          for tap in window.taps(row, column)
          where tap.row.isWithin(shape[1]) && tap.column.isWithin(shape[2]) {
            let place = (filter * shape[0] + channel) * window.kernel.rows * window.kernel.columns + tap.index
            sum += values[(channel * shape[1] + tap.row) * shape[2] + tap.column] * weight[place]
          }
        }
        return sum
      }
    case .pooling(let pooling):
      let whole = Extent(rows: shape[1], columns: shape[2])
      let none = Extent(rows: 0, columns: 0)
      let window =
        pooling.isGlobal
        ? Window(whole, whole, none) : Window(pooling.kernel, pooling.stride, pooling.padding)
      return positions(node.shape).map { channel, row, column in
        // Windows of a rounded-up number end where the margin ends.
        let taps = window.taps(row, column).filter {
          $0.row < shape[1] + window.padding.rows && $0.column < shape[2] + window.padding.columns
        }
        let inside = taps.filter { $0.row.isWithin(shape[1]) && $0.column.isWithin(shape[2]) }
        let found = inside.map { values[(channel * shape[1] + $0.row) * shape[2] + $0.column] }
        switch pooling.kind {
        case .maximum: return found.filter { !$0.isNaN }.max() ?? -Double(Float.greatestFiniteMagnitude)
        case .average(let countsPadding):
          return found.reduce(0, +) / Double(max(1, countsPadding ? taps.count : inside.count))
        }
      }
    }
  }

  /// e^-x by its series: the engines take exp from the system.
  private func power(_ x: Double) -> Double {
    var (sum, term) = (1.0, 1.0)
    for index in 1..<400 {
      term *= -x / Double(index)
      sum += term
    }
    return sum
  }

  private func positions(_ shape: [Int]) -> [(Int, Int, Int)] {
    (0..<shape[0]).flatMap { channel in
      (0..<shape[1]).flatMap { row in (0..<shape[2]).map { (channel, row, $0) } }
    }
  }
}

private struct Window {
  let kernel: Extent, stride: Extent, padding: Extent

  init(_ kernel: Extent, _ stride: Extent, _ padding: Extent) {
    self.kernel = kernel
    self.stride = stride
    self.padding = padding
  }

  func taps(_ row: Int, _ column: Int) -> [(row: Int, column: Int, index: Int)] {
    (0..<kernel.rows * kernel.columns).map { index in
      (
        row * stride.rows - padding.rows + index / kernel.columns,
        column * stride.columns - padding.columns + index % kernel.columns, index
      )
    }
  }
}

extension Int {
  fileprivate func isWithin(_ size: Int) -> Bool { self >= 0 && self < size }
}
