import CNetworks
import Glibc
import Models
import TestSupport
import Testing

@testable import Networks

@Suite("Whole numbers") struct QuantizationTests {
  private static let byte = NumberType.uint8(step: 1, zero: 0)

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
  private func stored(_ value: Double, _ type: NumberType) -> Double {
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

  /// A network, images, and what was measured on them, once for all tests: a calibration passes over every activation.
  private struct Case: Sendable, CustomTestStringConvertible {
    let trial: Trial, images: [Float]
    let layers: [String]
    let quantizations: [Quantization]
    let testDescription: String
    static let imageCount = 2

    init(_ depth: Int, _ version: ResNet.Version, _ input: [Int], divisor: Int) throws {
      let graph = try ResNet(depth: depth, version: version, classCount: 10, inputShape: input).graph
        .narrowed(by: divisor)
      var random = SplitMix64(seed: 61)
      let trial = Trial(graph, Parameters(randomFor: graph, inputVariance: 1.0 / 3, using: &random))
      let images = random.floats(Self.imageCount * input.reduce(1, *))
      let calibration = try Calibrator(trial.graph, trial.parameters)
      try calibration.add(images.span, count: Self.imageCount)
      let methods: [Calibrator.Method] = [.maximum, .percentile(0.9999), .leastSquares]
      (self.trial, self.images, layers) = (trial, images, calibration.layers)
      quantizations = methods.map { calibration.quantization($0) }
      testDescription = "ResNet-\(depth) \(version), \(input)"
    }

    static let all = try? [
      Case(18, .v1, [3, 48, 48], divisor: 2), Case(18, .v2, [3, 65, 75], divisor: 4),
      Case(50, .v1, [3, 65, 49], divisor: 4), Case(50, .v2, [4, 33, 47], divisor: 4),
      Case(20, .v2, [3, 20, 28], divisor: 1), Case(34, .v1, [1, 40, 40], divisor: 4),
      Case(34, .v2, [5, 40, 33], divisor: 8),
    ]
  }

  @Test(
    "networks have the same bits with every set of kernels, on any number of threads, whatever comes along",
    arguments: 0..<7)
  func sameBits(_ index: Int) throws {
    let given = try #require(Case.all)[index]
    let each = given.images.count / Case.imageCount
    var seen: Set<[UInt32]> = []
    for set in NetworkKernels.available {
      for (batch, threads) in [(1, 2), (32, 1), (32, 3)] {
        let plan = Trial.Plan(
          kernels: set.name, batch: batch, threads: threads, precision: .int8,
          quantization: given.quantizations[2])
        let network = try given.trial.network(plan)
        let all = network.outputs(given.images, count: Case.imageCount).map(\.bitPattern)
        let last = network.outputs(Array(given.images.suffix(each)), count: 1).map(\.bitPattern)
        #expect(Array(all.suffix(last.count)) == last, "\(plan)")
        seen.insert(all)
      }
    }
    #expect(seen.count == 1, "\(given)")
  }

  @Test(
    "networks give nearly what the reference engine gives, wholly quantized and in part", arguments: 0..<7)
  func agreement(_ index: Int) throws {
    let given = try #require(Case.all)[index]
    let trial = Trial(given.trial.graph.withoutSoftmax, given.trial.parameters)
    for quantization in given.quantizations {
      let plans = (1...3).map { part in
        var some = quantization
        for (place, name) in given.layers.enumerated() where part > 1 && place % part == 0 {
          some.inputs[name] = nil
        }
        return Trial.Plan(threads: 2, precision: .int8, quantization: some)
      }
      try trial.expectAgreement(given.images, count: Case.imageCount, plans: plans, tolerance: 0.12)
    }
  }

  @Test(
    "a NaN or infinity in what a layer reads is refused with the layer's name",
    arguments: [Float.nan, .infinity])
  func notFinite(_ special: Float) throws {
    let given = try #require(Case.all)[0]
    var images = given.images
    images[100] = special
    let calibration = try Calibrator(given.trial.graph, given.trial.parameters)
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
