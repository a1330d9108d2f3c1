import CNetworks
import Glibc
import Models
import TestSupport
import Testing

@testable import Networks

@Suite("Whole numbers") struct QuantizationTests {
  private static let byte = ElementType.uint8(step: 1, zero: 0)

  /// Numbers of the whole range, with the ends of it everywhere.
  private func numbers(_ sums: Sums, seed: UInt64) -> Sums.Numbers {
    var random = SplitMix64(seed: seed)
    let ends: [Float] = [0, 255, 255, 0, 1]
    var numbers = Sums.Numbers(
      x: random.bytes(sums.xCount).map { $0 % 3 == 0 ? ends[Int($0) % 5] : Float($0) },
      weights: random.bytes(sums.termCount * sums.blocks * 16).map {
        $0 % 4 == 0 ? 127 : $0 % 4 == 1 ? -127 : Float(Int8(bitPattern: $0))
      },
      bias: random.bytes(sums.blocks * 16).map { Float($0) - 128 },
      residual: random.bytes(sums.yCount).map(Float.init))
    // A filter whose sums are the largest there can be.
    for term in 0..<sums.termCount { numbers.weights[term * sums.blocks * 16] = 127 }
    return numbers
  }

  /// What stands for a sum in y.
  private func stored(_ value: Double, _ type: ElementType) -> Double {
    switch type {
    case .float32: value
    case .bfloat16: Double(widened(bfloat16(Float(value))))
    case .uint8: min(255, max(0, value)).rounded(.toNearestOrEven)
    }
  }

  @Test(
    "sums are exact for every width, and touch nothing else", arguments: NetworkKernels.available,
    [(16, 16), (4, 28), (8, 28), (12, 20), (64, 48), (4, 4)])
  func widths(_ set: NetworkKernels, _ step: (x: Int, run: Int)) {
    let residuals = [Sums.Residual.none, .apart, .inPlace]
    for columns in Array(1...8) + [12, 13, 14, 15, 16, 21, 28, 29] {
      for rows in 1...3 {
        let turn = columns + 2 * rows
        var sums = Sums(
          columns: columns, rows: rows, blocks: 1 + turn % 5 % (columns > 16 ? 3 : 5), xStep: step.x,
          run: step.run, taps: 1 + turn % 2, hasBias: turn % 3 != 0, relu: turn % 4 < 2,
          residual: residuals[columns / 2 % 3], gap: rows % 2 == 0 ? 0 : turn % 3 * 8)
        sums.type = Self.byte
        sums.output = [.float32, .bfloat16, Self.byte][turn % 3]
        // A power of two, so that the numbers are exact; small sums and large ones.
        sums.scale = turn % 2 == 0 ? 1 : 0x1p-9
        var numbers = numbers(sums, seed: UInt64(turn))
        let found = sums.run(set, numbers, padding: turn % 5)
        numbers.weights = numbers.weights.map { $0 * sums.scale }
        let expected = sums.expected(numbers).values.map { value in
          guard value == Double(Sums.untouched) else { return stored(value, sums.output) }
          return sums.output == Self.byte
            ? Double(UInt8(truncatingIfNeeded: Int(Sums.untouched))) : stored(value, sums.output)
        }
        #expect(firstDifference(found, expected) == nil, "\(sums)")
      }
    }
  }

  @Test("is rounded to the nearest, ties to even, and clipped", arguments: NetworkKernels.available)
  func rounding(_ set: NetworkKernels) {
    let numbers: [Float] = [
      -1, -0.5, 0, 0.5, 0.50001, 1.5, 2.5, 254.5, 254.4999, 255, 255.5, 300, .infinity, -.infinity, .nan, 7,
    ]
    let expected: [UInt8] = [0, 0, 0, 0, 1, 2, 2, 254, 254, 255, 255, 255, 255, 0, 0, 7]
    var bytes = [UInt8](repeating: 99, count: 16)
    var prologue = net_prologue()
    set.table.gather(&bytes, Int32(net_uint8), numbers, Int32(net_float32), 16, 1, &prologue)
    #expect(bytes == expected)
    var pixels = [UInt8](repeating: 99, count: 64)
    net_interleave(&pixels, Int32(net_uint8), 4, numbers, 16, 1, 16, [1], [0])
    #expect(stride(from: 0, to: 64, by: 4).map { pixels[$0] } == expected)
    #expect((0..<64).allSatisfy { $0 % 4 == 0 || pixels[$0] == 0 })
  }

  private static func trial(_ depth: Int, _ version: ResNet.Version, _ input: [Int], divisor: Int) throws
    -> (Trial, images: [Float])
  {
    let graph = try ResNet(depth: depth, version: version, classCount: 10, inputShape: input).graph
      .narrowed(by: divisor)
    var random = SplitMix64(seed: 61)
    let trial = Trial(graph, Parameters(randomFor: graph, inputVariance: 1.0 / 3, using: &random))
    return (trial, random.floats(3 * input.reduce(1, *)))
  }

  private static func quantization(
    _ trial: Trial, _ images: [Float], _ method: Calibration.Method,
    keeping kept: (Int) -> Bool = { _ in false }
  ) throws -> Quantization {
    let calibration = try Calibration(trial.graph, trial.parameters)
    try calibration.add(images.span, count: 3)
    let names = calibration.layers.enumerated().filter { kept($0.offset) }.map(\.element)
    return calibration.quantization(method, keeping: Set(names))
  }

  private static let networks: [(Int, ResNet.Version, [Int], Int)] = [
    (18, .v1, [3, 64, 64], 1), (18, .v2, [3, 97, 131], 2), (50, .v1, [3, 97, 131], 4),
    (50, .v2, [4, 33, 47], 4), (20, .v2, [3, 20, 28], 1), (34, .v1, [1, 64, 64], 4),
    (34, .v2, [5, 40, 33], 8),
  ]

  @Test(
    "networks have the same bits with every set of kernels, on any number of threads, whatever comes along",
    arguments: networks)
  func sameBits(_ given: (Int, ResNet.Version, [Int], Int)) throws {
    let (trial, images) = try Self.trial(given.0, given.1, given.2, divisor: given.3)
    let quantization = try Self.quantization(trial, images, .leastSquares)
    let each = images.count / 3
    var seen: Set<[UInt32]> = []
    for set in NetworkKernels.available {
      for (batch, threads) in [(1, 1), (1, 2), (32, 1), (32, 3)] {
        let plan = Trial.Plan(
          kernels: set.name, batch: batch, threads: threads, precision: .int8, quantization: quantization)
        let network = try trial.network(plan)
        let all = network.outputs(images, count: 3).map(\.bitPattern)
        let last = network.outputs(Array(images[(2 * each)...]), count: 1).map(\.bitPattern)
        #expect(Array(all.suffix(last.count)) == last, "\(plan)")
        seen.insert(all)
      }
    }
    #expect(seen.count == 1)
  }

  @Test(
    "networks give nearly what the reference engine gives, wholly quantized and in part", arguments: networks,
    [Calibration.Method.maximum, .percentile(0.9999), .leastSquares])
  func agreement(_ given: (Int, ResNet.Version, [Int], Int), _ method: Calibration.Method) throws {
    let (probable, images) = try Self.trial(given.0, given.1, given.2, divisor: given.3)
    let trial = Trial(probable.graph.withoutSoftmax, probable.parameters)
    for part in 1...3 {
      let quantization = try Self.quantization(trial, images, method) { part > 1 && $0 % part == 0 }
      let plan = Trial.Plan(threads: 2, precision: .int8, quantization: quantization)
      try trial.expectAgreement(images, count: 3, plans: [plan], tolerance: 0.12)
    }
  }

  @Test(
    "a NaN or infinity in what a layer reads is refused with the layer's name",
    arguments: [Float.nan, .infinity])
  func notFinite(_ special: Float) throws {
    var (trial, images) = try Self.trial(18, .v1, [3, 64, 64], divisor: 4)
    images[100] = special
    let calibration = try Calibration(trial.graph, trial.parameters)
    let error = #expect(throws: ModelError.self) { try calibration.add(images.span, count: 1) }
    #expect(
      error?.description.contains("layer conv0 reads a NaN or infinity") == true,
      "\(error?.description ?? "")")
  }

  @Test("the exponential has the same bits everywhere, and is e's power")
  func exponential() {
    for index in -1100...900 {
      let x = Float(index) / 10
      #expect(abs(Double(portableExponential(x)) / exp(Double(x)) - 1) < 1e-7 || x < -87 || x > 88, "\(x)")
    }
    #expect(portableExponential(0) == 1 && portableExponential(.infinity) == .infinity)
    #expect(portableExponential(-.infinity) == 0 && portableExponential(.nan).isNaN)
    #expect(portableExponential(1).bitPattern == 0x402D_F854)
  }
}
