internal import CNetworks
import Models

/// A BatchNorm with the statistics of the batch, a ReLU, or both, forward and backward: a view of a value, which the
/// layers that read it compute.
///
/// Ioffe & Szegedy, "Batch Normalization", 2015; MXNet's BatchNorm: the variance is the biased one, in the moving
/// statistics, too.
// Written only between the calls of the workers, except for the parts, of which each worker has its own.
@safe final class Normalization: @unchecked Sendable {
  let prologue: Prologue
  private let norm: BatchNorm?
  private let relu: Bool
  let value: Value
  private let set: NetworkKernels
  private let learnt: LearntParameters
  private let gamma: LearntParameters.Slot?, beta: LearntParameters.Slot?
  private(set) var movingMean: [Float], movingVariance: [Float]
  private var inverseDeviation: [Double]
  private let mean: FloatBuffer, a: FloatBuffer, b: FloatBuffer, c: FloatBuffer
  /// Sums over each worker's part of the images.
  let parts: [Part]

  /// An object for each worker, so that no two of them write to the same array at once.
  @safe final class Part: @unchecked Sendable {  // used by one worker at a time
    var count = 0.0
    /// For each channel: forward, the mean and the sum of squared deviations; backward, the sum of the gradients and
    /// the sum of the gradients times deviations.
    let first: UnsafeMutableBufferPointer<Double>, second: UnsafeMutableBufferPointer<Double>

    init(_ channels: Int) {
      unsafe first = .allocate(capacity: channels)
      unsafe second = .allocate(capacity: channels)
      unsafe first.initialize(repeating: 0)
      unsafe second.initialize(repeating: 0)
    }

    deinit {
      unsafe first.deallocate()
      unsafe second.deallocate()
    }

    func reset() {
      count = 0
      unsafe first.update(repeating: 0)
      unsafe second.update(repeating: 0)
    }

    /// Adds the statistics of a second set: Chan, Golub & LeVeque, 1979.
    func merge(count other: Double, mean: Double, squares: Double, at channel: Int) {
      let all = count + other
      let difference = unsafe mean - first[channel]
      unsafe first[channel] += difference * other / all
      unsafe second[channel] += squares + difference * difference * count * other / all
    }
  }

  init(
    _ norm: BatchNorm?, relu: Bool, _ value: Value, _ learnt: LearntParameters, _ parameters: Parameters,
    parts: Int, _ set: NetworkKernels
  ) throws {
    self.norm = norm
    self.relu = relu
    self.value = value
    self.learnt = learnt
    self.set = set
    gamma = if let name = norm?.gamma { try learnt.slot(name) } else { nil }
    beta = if let norm { try learnt.slot(norm.beta) } else { nil }
    movingMean = []
    movingVariance = []
    if let norm {
      movingMean = try parameters.values(of: norm.mean)
      movingVariance = try parameters.values(of: norm.variance)
    }
    let channels = value.paddedChannels
    inverseDeviation = Array(repeating: 1, count: channels)
    prologue = try Prologue(value, relu: relu)
    mean = try FloatBuffer(count: channels)
    a = try FloatBuffer(count: channels)
    b = try FloatBuffer(count: channels)
    c = try FloatBuffer(count: channels)
    self.parts = (0..<parts).map { _ in Part(channels) }
    // What a ReLU without a BatchNorm needs.
    for channel in 0..<channels {
      unsafe prologue.scale?.start[channel] = 1
      unsafe a.start[channel] = 1
    }
  }

  var statistics: (mean: String, variance: String)? { norm.map { ($0.mean, $0.variance) } }

  func restore(mean: [Float], variance: [Float]) {
    movingMean = mean
    movingVariance = variance
  }

  // MARK: - Forward

  /// Forgets the parts' sums.
  func begin() { for part in parts { part.reset() } }

  /// Adds an image to the statistics of a part.
  func addStatistics(of x: UnsafePointer<Float>, part: Int) {
    guard norm != nil else { return }
    if value.isPlanar { return unsafe addStatistics(ofPlanes: x, part: part) }
    let (positions, lanes) = (Double(value.positions), value.lanes)
    unsafe withUnsafeTemporaryAllocation(of: Float.self, capacity: 2 * lanes) { sums in
      guard let means = sums.baseAddress else { return }
      let squares = unsafe means + lanes
      for block in 0..<value.blocks {
        unsafe set.training.moments(means, squares, x + block * value.blockSize, value.positions)
        for lane in 0..<lanes {
          unsafe parts[part].merge(
            count: positions, mean: Double(means[lane]), squares: Double(squares[lane]),
            at: block * lanes + lane)
        }
      }
    }
    parts[part].count += positions
  }

  private func addStatistics(ofPlanes x: UnsafePointer<Float>, part: Int) {
    let positions = value.positions
    for channel in 0..<value.channels {
      let plane = unsafe x + channel * positions
      var sum = 0.0
      for index in 0..<positions { unsafe sum += Double(plane[index]) }
      let mean = sum / Double(positions)
      var squares = 0.0
      for index in 0..<positions {
        let rest = unsafe Double(plane[index]) - mean
        squares += rest * rest
      }
      parts[part].merge(count: Double(positions), mean: mean, squares: squares, at: channel)
    }
    parts[part].count += Double(positions)
  }

  /// Computes scale and shift from the parts' statistics, and updates the moving statistics.
  ///
  /// - Parameter exchange: reaches the other ranks of the batch; the statistics are those of the whole batch. nil:
  ///   there are none.
  func finish(_ exchange: (any GradientExchange)?) {
    guard let norm, let beta else { return }
    if let exchange { merge(by: exchange) }
    let count = parts.reduce(0) { $0 + $1.count }
    for channel in 0..<value.channels {
      var all = (count: 0.0, mean: 0.0, squares: 0.0)
      for part in parts where part.count > 0 {
        let next = all.count + part.count
        let difference = unsafe part.first[channel] - all.mean
        all.squares += unsafe part.second[channel] + difference * difference * all.count * part.count / next
        all.mean += difference * part.count / next
        all.count = next
      }
      let variance = all.squares / count
      let inverse = 1 / (variance + norm.epsilon).squareRoot()
      inverseDeviation[channel] = inverse
      let gamma = gamma.map { unsafe Double(learnt.values.start[$0.start + channel]) } ?? 1
      let shift = unsafe Double(learnt.values.start[beta.start + channel])
      unsafe mean.start[channel] = Float(all.mean)
      unsafe prologue.scale?.start[channel] = Float(gamma * inverse)
      unsafe prologue.shift?.start[channel] = Float(shift - all.mean * gamma * inverse)
      let kept = norm.momentum
      movingMean[channel] = Float(Double(movingMean[channel]) * kept + all.mean * (1 - kept))
      movingVariance[channel] = Float(Double(movingVariance[channel]) * kept + variance * (1 - kept))
    }
  }

  // MARK: - Backward

  /// Lends what the kernels need for one block of channels.
  private func withBlock(_ block: Int, _ body: (inout net_norm) -> Void) {
    guard let scale = prologue.scale, let shift = prologue.shift else { return }
    let at = block * value.lanes
    var norm = unsafe net_norm(
      scale: scale.start + at, shift: shift.start + at, relu: relu ? 1 : 0, mean: mean.start + at,
      a: a.start + at, b: b.start + at, c: c.start + at)
    unsafe body(&norm)
  }

  /// Adds an image's gradient to the sums of a part.
  func sum(_ dy: UnsafePointer<Float>, _ x: UnsafePointer<Float>, part: Int) {
    guard norm != nil else { return }
    let (size, lanes) = (value.blockSize, value.lanes)
    unsafe withUnsafeTemporaryAllocation(of: Float.self, capacity: 2 * lanes) { both in
      guard let sums = both.baseAddress else { return }
      let products = unsafe sums + lanes
      for block in 0..<value.blocks {
        unsafe sums.update(repeating: 0, count: 2 * lanes)
        unsafe withBlock(block) { norm in
          unsafe set.training.norm_sums(
            sums, products, dy + block * size, x + block * size, &norm, value.positions)
        }
        for lane in 0..<lanes {
          unsafe parts[part].first[block * lanes + lane] += Double(sums[lane])
          unsafe parts[part].second[block * lanes + lane] += Double(products[lane])
        }
      }
    }
  }

  /// Computes, from the parts' sums, the gradients of gamma and beta, and the coefficients of the input's gradient.
  ///
  /// - Parameters:
  ///   - images: the images of all ranks.
  ///   - exchange: reaches the other ranks of the batch. The gradients of gamma and beta are those of this rank's
  ///     images.
  func finishSums(images: Int, _ exchange: (any GradientExchange)?) {
    guard norm != nil, let beta else { return }
    let shared = exchange.map(totals(by:))
    let count = Double(images * value.positions)
    for channel in 0..<value.channels {
      var sum = parts.reduce(0) { unsafe $0 + $1.first[channel] }
      var product = parts.reduce(0) { unsafe $0 + $1.second[channel] }
      let inverse = inverseDeviation[channel]
      unsafe learnt.gradient.start[beta.start + channel] = Float(sum)
      var factor = inverse
      if let gamma {
        unsafe learnt.gradient.start[gamma.start + channel] = Float(product * inverse)
        factor *= unsafe Double(learnt.values.start[gamma.start + channel])
      }
      if let shared { (sum, product) = shared[channel] }
      unsafe a.start[channel] = Float(factor)
      unsafe b.start[channel] = Float(-factor * inverse * inverse * product / count)
      unsafe c.start[channel] = Float(-factor * sum / count)
    }
  }

  /// Sets the gradient of beta, for a BatchNorm whose input's gradient is not computed.
  func setBetaGradient(_ channel: Int, to sum: Double) {
    guard let beta else { return }
    unsafe learnt.gradient.start[beta.start + channel] = Float(sum)
  }

  /// Computes the gradient of one image's input.
  ///
  /// - Parameters:
  ///   - dx: may be `dy` or `add`.
  ///   - add: is added to the gradient.
  func backward(
    _ dx: UnsafeMutablePointer<Float>, _ dy: UnsafePointer<Float>, _ x: UnsafePointer<Float>,
    add: UnsafePointer<Float>?
  ) {
    let size = value.blockSize
    for block in 0..<value.blocks {
      unsafe withBlock(block) { norm in
        unsafe set.training.norm_backward(
          dx + block * size, dy + block * size, x + block * size, add.map { unsafe $0 + block * size }, &norm,
          value.positions)
      }
    }
  }
}

/// A batch that several ranks share has the statistics of all its images, as if one rank had them all.
extension Normalization {
  /// Replaces the statistics of the parts by those of the whole batch.
  ///
  /// Sums are taken around the moving mean, which all ranks have alike: around 0, small deviations would be lost beside
  /// large means.
  private func merge(by exchange: any GradientExchange) {
    let channels = value.channels
    let own = Part(channels)
    for part in parts where part.count > 0 {
      for channel in 0..<channels {
        let (mean, squares) = unsafe (part.first[channel], part.second[channel])
        own.merge(count: part.count, mean: mean, squares: squares, at: channel)
      }
      own.count += part.count
    }
    var sums = [Double](repeating: 0, count: 2 * channels + 1)
    sums[2 * channels] = own.count
    for channel in 0..<channels where own.count > 0 {
      let distance = unsafe own.first[channel] - Double(movingMean[channel])
      sums[channel] = own.count * distance
      sums[channels + channel] = unsafe own.second[channel] + own.count * distance * distance
    }
    exchange.sum(&sums)
    begin()
    parts[0].count = sums[2 * channels]
    for channel in 0..<channels {
      let distance = sums[channel] / parts[0].count
      unsafe parts[0].first[channel] = Double(movingMean[channel]) + distance
      unsafe parts[0].second[channel] = max(0, sums[channels + channel] - distance * sums[channel])
    }
  }

  /// For each channel, the sums over all ranks of the gradients and of the gradients times deviations.
  private func totals(by exchange: any GradientExchange) -> [(Double, Double)] {
    let channels = value.channels
    var sums = [Double](repeating: 0, count: 2 * channels)
    for part in parts {
      for channel in 0..<channels {
        sums[channel] += unsafe part.first[channel]
        sums[channels + channel] += unsafe part.second[channel]
      }
    }
    exchange.sum(&sums)
    return (0..<channels).map { (sums[$0], sums[channels + $0]) }
  }
}
