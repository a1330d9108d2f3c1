import Foundation
import TestSupport
import Testing

@testable import Scoring

@Suite("Logarithms and powers of e, eight at a time")
struct ElementaryTests {
  @Test("the logarithm is the C library's within 1e-14, from 2^-52 to 1 and beyond")
  func logarithm() {
    var generator = SplitMix64(seed: 1)
    var worst = 0.0
    for round in 0..<20_000 {
      var x = Elementary.Lanes.zero
      for lane in 0..<8 {
        let mantissa = 1 + Double(generator.next() >> 12) * 0x1p-52
        x[lane] = mantissa * Double(sign: .plus, exponent: round % 60 - 52, significand: 1)
      }
      // Near 1 and at the ends of the range the mantissa is brought to.
      if round < 100 { x[0] = 1 + Double(round - 50) * 0x1p-52 }
      if round < 100 { x[1] = 0.5.squareRoot() + Double(round - 50) * 0x1p-53 }
      let result = Elementary.log(x)
      for lane in 0..<8 {
        worst = max(worst, abs(result[lane] - log(x[lane])) / max(1e-14, abs(log(x[lane]))))
      }
    }
    #expect(worst < 1e-14)
    #expect(Elementary.log(Elementary.Lanes(repeating: 1)) == .zero)
  }

  @Test("the power is the C library's within 1e-14, and does not fall below that of -700")
  func power() {
    var generator = SplitMix64(seed: 2)
    var worst = 0.0
    for round in 0..<20_000 {
      var x = Elementary.Lanes.zero
      for lane in 0..<8 { x[lane] = -Double(generator.next() >> 11) * 0x1p-53 * (round % 2 == 0 ? 1 : 700) }
      let result = Elementary.exp(x)
      for lane in 0..<8 { worst = max(worst, abs(result[lane] / exp(x[lane]) - 1)) }
    }
    #expect(worst < 1e-14)
    #expect(Elementary.exp(.zero) == Elementary.Lanes(repeating: 1))
    let low = Elementary.exp(Elementary.Lanes(repeating: -3_600))
    #expect(abs(low[0] / exp(-700) - 1) < 1e-14)
  }

  @Test("a sum of any order of terms is the same, and right to 2^-80 a term")
  func exactSum() {
    var generator = SplitMix64(seed: 3)
    var terms = (0..<5_000).map { _ in Double(Int64(bitPattern: generator.next())) * 0x1p-50 }
    terms += terms.map { -$0 } + [0x1p-80, 1e-300, -1e-300, 4_194_303, -4_194_303]
    let sum = ExactSum(terms)
    #expect(ExactSum(terms.shuffled(using: &generator)) == sum)
    #expect(abs(sum.value - 0x1p-80) <= 0x1p-79)
    var merged = ExactSum(terms[..<3_000])
    merged.add(ExactSum(terms[3_000...]))
    #expect(merged == sum)
  }
}
