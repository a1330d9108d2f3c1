import Scoring
import TestSupport
import Testing

@Suite("Calibration, coverage and slices")
struct CalibrationTests {
  @Test("a confidence on the edge of a bin belongs to the bin below", arguments: 1...15)
  func edges(_ bin: Int) throws {
    let edge = Double(bin) / 15
    var tally = Tally(classes: ["a", "b"])
    // One image on the edge, one just above; the rest of the row keeps them the largest.
    for (name, value) in [("on", edge), ("above", edge.nextUp)] where value <= 1 {
      try tally.add(name, truth: 0, row: [value, min(1 - value, value / 2)])
    }
    let calibration = try #require(tally.score().calibration)
    let sum = edge + min(1 - edge, edge / 2)
    guard abs(sum - 1) <= 1e-3 else { return }  // divided by its sum, the value is no edge any more
    #expect(calibration.equalWidth[bin - 1].count == 1)
    if bin < 15 { #expect(calibration.equalWidth[bin].count == 1) }
  }

  @Test("bins hold all images, and equal confidences share a bin of equal mass")
  func bins() throws {
    var tally = Tally(classes: ["a", "b"])
    for image in 0..<100 {
      let value = image < 60 ? 0.95 : 0.5 + Double(image - 60) / 100
      try tally.add("\(image)", truth: image % 2, row: [value, 1 - value])
    }
    let score = tally.score()
    let calibration = try #require(score.calibration)
    #expect(calibration.equalWidth.count == 15)
    #expect(calibration.equalWidth.reduce(0) { $0 + $1.count } == 100)
    #expect(calibration.equalMass.reduce(0) { $0 + $1.count } == 100)
    #expect(calibration.equalMass.last?.count == 60)
    #expect(calibration.equalMass.allSatisfy { $0.count > 0 })
    // The 60 images of confidence 0.95 come into the curve together.
    #expect(score.coverage?.first?.count == 60)
    #expect(score.coverage?.last?.coverage == 1)
    #expect(score.coverage?.last?.accuracy == score.top1)
  }

  @Test("the temperature that was applied to the logits is found again", arguments: [0.5, 1, 2.5])
  func temperature(_ applied: Double) throws {
    var samples = Samples(seed: 3, classes: 6, images: 4_000)
    samples.bits = 12
    let rows = samples.rows
    // Labels drawn from the rows themselves make them calibrated; then they are sharpened or flattened.
    var generator = SplitMix64(seed: 9)
    var tally = Tally(classes: samples.names)
    for row in rows {
      var rest = Double(generator.next() >> 11) * 0x1p-53
      var truth = 0
      while truth < 5, rest >= row.probabilities[truth] {
        rest -= row.probabilities[truth]
        truth += 1
      }
      let powers = row.probabilities.map { power($0, 1 / applied) }
      let sum = powers.reduce(0, +)
      try tally.add(row.path, truth: truth, row: powers.map { $0 / sum })
    }
    let fitted = try #require(tally.score().calibration?.temperature)
    #expect(abs(fitted.value * applied - 1) < 0.05)
    #expect(fitted.after <= fitted.before)
  }

  /// x to a power that is a multiple of 1/10, by roots of products, without a mathematics library.
  private func power(_ x: Double, _ exponent: Double) -> Double {
    switch exponent {
    case 1: x
    case 2: x * x
    default: x == 0 ? 0 : (x * x * x * x * x * x).squareRoot().squareRoot().squareRoot() / root40(x)
    }
  }

  /// x^(0.75 - 0.4) = x^0.35 by Newton's method on y^20 = x^7.
  private func root40(_ x: Double) -> Double {
    var y = 1.0
    let target = x * x * x * x * x * x * x
    for _ in 0..<400 {
      var product = 1.0
      for _ in 0..<19 { product *= y }
      y = (19 * y + target / product) / 20
    }
    return y
  }

  @Test("when every image is right no temperature is best")
  func perfect() throws {
    var tally = Tally(classes: ["a", "b"])
    for image in 0..<50 { try tally.add("\(image)", truth: 0, row: [0.9, 0.1]) }
    let score = tally.score()
    #expect(score.calibration?.temperature == nil)
    #expect(score.omitted.contains { $0.metric == "calibration.temperature" })
  }

  private func sliced(_ attributes: [Attribute?]) throws -> [Slice] {
    var tally = Tally(classes: ["a", "b"])
    for (image, attribute) in attributes.enumerated() {
      try tally.add(
        "\(image)", truth: 0, predicted: image % 2, attributes: attribute.map { ["x": $0] } ?? [:])
    }
    return tally.score(ScoreOptions(draws: 0)).slices
  }

  @Test("numbers are cut into fifths, equal ones together, and few values stand for themselves")
  func numericSlices() throws {
    let fifths = try sliced((0..<100).map { .number(Double($0)) })
    #expect(fifths.map(\.count) == [20, 20, 20, 20, 20])
    #expect(fifths.map(\.value) == ["0...19", "20...39", "40...59", "60...79", "80...99"])
    #expect(fifths.map(\.kind) == Array(repeating: .quantile, count: 5))
    #expect(fifths[0].top1 == fifths[4].top1 && fifths[0].correct == 10)
    let few = try sliced((0..<100).map { .number(Double($0 % 4) / 2) })
    #expect(few.map(\.value) == ["0", "0.5", "1", "1.5"])
    #expect(few.map(\.kind) == Array(repeating: .value, count: 4))
    let heavy = try sliced((0..<100).map { .number($0 < 60 ? 7 : Double($0)) })
    #expect(heavy.map(\.count) == [60, 20, 20])
    let odd = try sliced([.number(.nan), .number(-0.0), .number(0), nil, .number(.infinity)])
    #expect(odd.map(\.value) == ["0", ""])
    #expect(odd.map(\.count) == [2, 3])
    #expect(odd.map(\.kind) == [.value, .missing])
  }

  @Test("texts stand by frequency, the rare ones together, numbers among them as texts")
  func textSlices() throws {
    let many = try sliced((0..<200).map { .text("t\($0 < 100 ? 0 : $0)") } + [.number(5)])
    #expect(many.count == 50)
    #expect((many[0].value, many[0].count) == ("t0", 100))
    #expect((many[49].kind, many[49].count) == (.other, 101 - 48))
    #expect(many[1].value == "5")
  }
}
