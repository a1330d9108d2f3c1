public import Models

extension Quantization.Input {
  /// How the numbers are stored.
  var type: NumberType {
    let largest = max(range.upperBound, -range.lowerBound)
    if range.lowerBound >= 0 { return .uint8(step: largest > 0 ? largest / 255 : 1, zero: 0) }
    return .uint8(step: largest / 127, zero: 128)
  }
}

/// The weights of a convolution or fully connected layer as int8: symmetric, so that -128 is not used, with a step for
/// each filter.
struct QuantizedFilters: Sendable {
  /// In MXNet's order: filter, channel, tap.
  private(set) var weights: [Int8]
  /// What one step of a weight is worth, and the sum of all weights, for each filter.
  private(set) var steps: [Float] = [], sums: [Int32] = []
  /// What the rounding of the weights takes from each filter's output on average.
  private var losses: [Double] = []

  /// - Parameters:
  ///   - filters: the weights in MXNet's order, as many for each filter.
  ///   - scale: what each filter is multiplied by.
  ///   - area: taps of a channel.
  ///   - means: the mean of each channel of the input; 0 for those beyond its end.
  init(_ filters: [Float], scale: [Float], area: Int, means: [Float]) {
    weights = []
    weights.reserveCapacity(filters.count)
    let length = filters.count / max(scale.count, 1)
    for (filter, factor) in scale.enumerated() {
      let numbers = filters[filter * length..<(filter + 1) * length]
      var largest: Float = 0
      for number in numbers { largest = max(largest, abs(number * factor)) }
      // A filter of zeros has any step.
      let step = largest > 0 ? largest / 127 : 1
      var (sum, loss): (Int32, Double) = (0, 0)
      for (place, number) in numbers.enumerated() {
        let weight = number * factor
        let rounded = (weight / step).rounded(.toNearestOrEven)
        let quantized = Int8(exactly: min(127, max(-127, rounded))) ?? 0
        weights.append(quantized)
        sum += Int32(quantized)
        let mean = place / area < means.count ? Double(means[place / area]) : 0
        loss += mean * (Double(weight) - Double(quantized) * Double(step))
      }
      steps.append(step)
      sums.append(sum)
      losses.append(loss)
    }
  }

  /// The bias of each filter, with what the rounding of its weights takes from its output.
  func corrected(_ bias: [Float]) -> [Double] { zip(bias, losses).map { Double($0) + $1 } }

  /// What one step of a filter's sum is worth if the input is of this type.
  func unit(_ filter: Int, reading type: NumberType) -> Double { Double(type.step) * Double(steps[filter]) }
}

extension FusedNetwork {
  /// The type in which each value is stored: a quantized one where every layer that reads it wants just that and the
  /// layer that writes it can; otherwise `type`, which is float32 for the values in `floats`.
  static func types(
    _ layers: [FusedLayer], valueCount: Int, floats: Set<Int>, storing type: NumberType,
    _ quantization: Quantization?
  ) -> [NumberType] {
    var types = (0..<valueCount).map { floats.contains($0) ? NumberType.float32 : type }
    guard let quantization else { return types }
    let isConvolution = { (layer: FusedLayer) in
      if case .convolution = layer.kind { quantization.inputs[layer.name] != nil } else { false }
    }
    let isMaximum = { (layer: FusedLayer) in
      if case .pooling(let pooling) = layer.kind, case .maximum = pooling.kind { true } else { false }
    }
    // Backwards: the readers of a value come after its writer.
    for writer in layers.reversed() where !floats.contains(writer.output) {
      guard isConvolution(writer) || isMaximum(writer) else { continue }
      let readers = layers.filter { $0.input == writer.output || $0.residual == writer.output }
      let wanted = Set(
        readers.map { reader -> NumberType in
          if reader.input != writer.output { return isConvolution(reader) ? .bfloat16 : .float32 }
          if reader.prologue != nil { return .float32 }
          if isConvolution(reader) { return quantization.inputs[reader.name]?.type ?? .float32 }
          return isMaximum(reader) ? types[reader.output] : .float32
        })
      // A layer that only adds the value takes it in any type.
      let quantized = wanted.subtracting([.bfloat16])
      if let only = quantized.first, quantized.count == 1, only.isQuantized, only.zero == 0 {
        types[writer.output] = only
      }
    }
    // A maximum of whole numbers is made of whole numbers of the same kind, and needs them.
    while let pool = layers.first(where: {
      isMaximum($0) && types[$0.input] != types[$0.output]
        && (types[$0.input].isQuantized || types[$0.output].isQuantized)
    }) {
      for value in [pool.input, pool.output] where !floats.contains(value) { types[value] = type }
    }
    return types
  }
}

/// Measures the ranges of a network's activations on images.
public final class Calibrator {
  /// How a range is chosen.
  public enum Method: Hashable, Sendable {
    /// The largest number that was seen.
    case maximum
    /// So large that this part of the numbers other than zero lies within, 0...1.
    case percentile(Double)
    /// The range whose rounding and clipping have the least mean squared error.
    case leastSquares
  }

  private let network: Network
  private var observations: [String: Observation] = [:]
  private var order: [String] = []
  /// Images that were seen.
  public private(set) var imageCount = 0

  /// - Throws: as `Network`.
  public init(_ graph: Graph, _ parameters: Parameters, kernels: String? = nil) throws {
    network = try Network(graph, parameters, batch: 1, workers: Workers(count: 1), kernels: kernels)
  }

  /// The names of the layers that can be quantized, in the order of the network; known once an image was seen.
  public var layers: [String] { order }

  /// Takes images into account.
  ///
  /// - Parameter images: `count` tensors (NCHW).
  /// - Throws: a `ModelError` if the fast engine cannot run the network, or a layer reads a NaN or infinity, which it
  ///   names.
  /// - Complexity: a run of the network on one thread, and a few passes over its activations.
  public func add(_ images: Span<Float>, count: Int) throws(ModelError) {
    var fault: String?
    let isFast = unsafe network.observe(images, count: count) { layer, value, numbers in
      switch layer.kind {
      case .convolution, .dense: break
      case .pooling, .affine, .add, .flatten, .softmax, .sigmoid: return
      }
      if observations[layer.name] == nil { order.append(layer.name) }
      let isFinite = unsafe observations[layer.name, default: Observation(value.channels)].add(
        numbers, value, layer.prologue)
      if !isFinite, fault == nil { fault = layer.name }
    }
    guard isFast else {
      throw ModelError("only the reference engine can run this network, and it does not quantize")
    }
    if let fault { throw ModelError("layer \(fault) reads a NaN or infinity") }
    imageCount += count
  }

  /// - Parameter kept: names of layers that stay as they are.
  public func quantization(_ method: Method, keeping kept: Set<String> = []) -> Quantization {
    var inputs: [String: Quantization.Input] = [:]
    for (name, observation) in observations where !kept.contains(name) {
      inputs[name] = Quantization.Input(range: observation.range(method), means: observation.means)
    }
    return Quantization(inputs: inputs)
  }

  /// What one layer read.
  private struct Observation {
    private static let binCount = 4096
    private var sums: [Double]
    private var positions = 0
    private var smallest: Float = 0, largest: Float = 0
    /// Sizes of numbers other than zero, in equal steps up to `limit`, which doubles when it must.
    private var bins = [Int](repeating: 0, count: binCount)
    private var limit: Float = 1

    init(_ channels: Int) { sums = Array(repeating: 0, count: channels) }

    /// - Returns: whether all numbers are finite.
    mutating func add(_ numbers: UnsafePointer<Float>, _ value: Value, _ prologue: Affine?) -> Bool {
      positions += value.positions
      for channel in 0..<value.channels {
        let (scale, shift) = (prologue?.scale[channel] ?? 1, prologue?.shift[channel] ?? 0)
        let start =
          value.isPlanar
          ? channel * value.positions : channel / value.lanes * value.blockSize + channel % value.lanes
        let step = value.isPlanar ? 1 : value.lanes
        var sum = 0.0
        for position in 0..<value.positions {
          var number = unsafe numbers[start + position * step] * scale + shift
          if prologue?.relu == true, number < 0 { number = 0 }
          guard number.isFinite else { return false }
          if number == 0 { continue }
          sum += Double(number)
          (smallest, largest) = (min(smallest, number), max(largest, number))
          count(abs(number))
        }
        sums[channel] += sum
      }
      return true
    }

    private mutating func count(_ size: Float) {
      while size >= limit {
        for bin in 0..<Self.binCount / 2 { bins[bin] = bins[2 * bin] + bins[2 * bin + 1] }
        for bin in Self.binCount / 2..<Self.binCount { bins[bin] = 0 }
        limit *= 2
      }
      let bin = Int(exactly: (size / limit * Float(Self.binCount)).rounded(.down)) ?? 0
      bins[min(bin, Self.binCount - 1)] += 1
    }

    var means: [Float] { sums.map { Float($0 / Double(max(positions, 1))) } }

    func range(_ method: Method) -> ClosedRange<Float> {
      let most = max(largest, -smallest)
      let bound: Float
      switch method {
      case .maximum: bound = most
      case .percentile(let part): bound = min(most, percentile(part))
      case .leastSquares: bound = min(most, leastSquares(levels: smallest < 0 ? 127 : 255))
      }
      return (smallest < 0 ? -bound : 0)...bound
    }

    private var width: Double { Double(limit) / Double(Self.binCount) }

    private func percentile(_ part: Double) -> Float {
      let wanted = part * Double(bins.reduce(0, +))
      var seen = 0.0
      for (bin, count) in bins.enumerated() {
        seen += Double(count)
        if seen >= wanted { return Float(Double(bin + 1) * width) }
      }
      return limit
    }

    /// A number within the bound is off by a step's uniform error; one beyond it by its distance from the bound.
    private func leastSquares(levels: Double) -> Float {
      var best = (error: Double.infinity, bins: Self.binCount)
      // Sums over the bins from each one on: of the counts, of the sizes, of their squares.
      var beyond = (count: 0.0, sum: 0.0, squares: 0.0)
      let total = Double(bins.reduce(0, +))
      for end in stride(from: Self.binCount, to: Self.binCount / 128, by: -1) {
        if end < Self.binCount {
          let (count, size) = (Double(bins[end]), (Double(end) + 0.5) * width)
          beyond = (beyond.count + count, beyond.sum + count * size, beyond.squares + count * size * size)
        }
        let bound = Double(end) * width
        let step = bound / levels
        let clipped = beyond.squares - 2 * bound * beyond.sum + bound * bound * beyond.count
        let error = clipped + (total - beyond.count) * step * step / 12
        if error < best.error { best = (error, end) }
      }
      return Float(Double(best.bins) * width)
    }
  }
}
