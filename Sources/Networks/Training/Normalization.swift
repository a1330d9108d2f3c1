internal import CNetworks
import Models

/// What is done to a value on the way into what follows, forward and backward: a BatchNorm with the statistics of the
/// batch, a ReLU, or both.
///
/// Ioffe & Szegedy, "Batch Normalization", 2015; MXNet's BatchNorm: the variance is the biased one, in the moving
/// statistics, too.
// Written between the calls of the workers only, but for what the parts hold, of which each worker has its own.
@safe final class Normalization: @unchecked Sendable {
  let prologue: Prologue
  private let norm: BatchNorm?
  private let relu: Bool
  let value: Value
  private let set: KernelSet
  private let learnt: LearntParameters
  private let gamma: LearntParameters.Slot?, beta: LearntParameters.Slot?
  private(set) var movingMean: [Float], movingVariance: [Float]
  private var inverseDeviation: [Double]
  private let mean: FloatBuffer, a: FloatBuffer, b: FloatBuffer, c: FloatBuffer
  /// What each part of the images found.
  let parts: [Part]

  /// An object for each worker, so that no two of them change parts of one variable at once.
  @safe final class Part: @unchecked Sendable {  // used by one worker at a time
    var count = 0.0
    /// Forward, the mean and the sum of squared deviations of each channel; backward, the sum of its gradients and the
    /// sum of its gradients times deviations.
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

    /// Chan, Golub & LeVeque 1979: statistics of two sets to those of both.
    func merge(count other: Double, mean: Double, squares: Double, at channel: Int) {
      let all = count + other
      let difference = unsafe mean - first[channel]
      unsafe first[channel] += difference * other / all
      unsafe second[channel] += squares + difference * difference * count * other / all
    }
  }

  init(
    _ norm: BatchNorm?, relu: Bool, _ value: Value, _ learnt: LearntParameters, _ parameters: Parameters,
    parts: Int, _ set: KernelSet
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
    let room = value.blocks * 16
    inverseDeviation = Array(repeating: 1, count: room)
    prologue = try Prologue(blocks: value.blocks, relu: relu)
    mean = try FloatBuffer(count: room)
    a = try FloatBuffer(count: room)
    b = try FloatBuffer(count: room)
    c = try FloatBuffer(count: room)
    self.parts = (0..<parts).map { _ in Part(room) }
    // A ReLU alone.
    for channel in 0..<room {
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

  func begin() { for part in parts { part.reset() } }

  /// Takes an image into the statistics of a part.
  func watch(_ x: UnsafePointer<Float>, part: Int) {
    guard norm != nil else { return }
    if value.isPlanar { return unsafe watchPlanes(x, part: part) }
    let positions = Double(value.positions)
    unsafe withUnsafeTemporaryAllocation(of: Float.self, capacity: 32) { room in
      guard let start = room.baseAddress else { return }
      for block in 0..<value.blocks {
        unsafe set.backward.moments(
          start, start + 16, x + block * value.positions * 16, value.positions)
        for lane in 0..<16 {
          unsafe parts[part].merge(
            count: positions, mean: Double(start[lane]), squares: Double(start[16 + lane]),
            at: block * 16 + lane)
        }
      }
    }
    parts[part].count += positions
  }

  private func watchPlanes(_ x: UnsafePointer<Float>, part: Int) {
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

  /// From the parts' statistics to scale and shift, and to the moving statistics.
  ///
  /// - Parameter exchange: with whom a batch is shared; the statistics are of the whole of it.
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
    let at = block * 16
    var norm = unsafe net_norm(
      scale: scale.start + at, shift: shift.start + at, relu: relu ? 1 : 0, mean: mean.start + at,
      a: a.start + at, b: b.start + at, c: c.start + at)
    unsafe body(&norm)
  }

  /// Takes an image's gradient into the sums of a part.
  func sum(_ dy: UnsafePointer<Float>, _ x: UnsafePointer<Float>, part: Int) {
    guard norm != nil else { return }
    let size = value.positions * 16
    unsafe withUnsafeTemporaryAllocation(of: Float.self, capacity: 32) { room in
      guard let start = room.baseAddress else { return }
      for block in 0..<value.blocks {
        unsafe start.update(repeating: 0, count: 32)
        unsafe withBlock(block) { norm in
          unsafe set.backward.norm_sums(
            start, start + 16, dy + block * size, x + block * size, &norm, value.positions)
        }
        for lane in 0..<16 {
          unsafe parts[part].first[block * 16 + lane] += Double(start[lane])
          unsafe parts[part].second[block * 16 + lane] += Double(start[16 + lane])
        }
      }
    }
  }

  /// From the parts' sums to the gradients of gamma and beta, and to what each gradient is made of.
  ///
  /// - Parameters:
  ///   - images: how many there are, of all ranks.
  ///   - exchange: with whom the batch is shared. The gradients of gamma and beta are of the own part of it.
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

  /// Sets the gradient of beta where the gradient of what is normalised is not wanted.
  func setBetaGradient(_ channel: Int, to sum: Double) {
    guard let beta else { return }
    unsafe learnt.gradient.start[beta.start + channel] = Float(sum)
  }

  /// One image: dx = what passes of dy, and `add`; dx may be either of them.
  func backward(
    _ dx: UnsafeMutablePointer<Float>, _ dy: UnsafePointer<Float>, _ x: UnsafePointer<Float>,
    add: UnsafePointer<Float>?
  ) {
    let size = value.positions * 16
    for block in 0..<value.blocks {
      unsafe withBlock(block) { norm in
        unsafe set.backward.norm_backward(
          dx + block * size, dy + block * size, x + block * size, add.map { unsafe $0 + block * size }, &norm,
          value.positions)
      }
    }
  }
}
