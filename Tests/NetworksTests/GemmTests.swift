import TestSupport
import Testing

@testable import Networks

@Suite("Products of matrices") struct GemmTests {
  @Test(
    "equal a plain loop in double precision",
    arguments: [(1, 1, 1), (3, 5, 7), (16, 16, 16), (33, 17, 65), (1, 129, 4), (70, 200, 1)], [false, true])
  func product(_ size: (rows: Int, inner: Int, columns: Int), _ isTransposed: Bool) {
    var random = SplitMix64(seed: 5)
    let left = random.floats(size.rows * size.inner)
    let right = random.floats(size.inner * size.columns)
    // What the product held before must not matter.
    var product = [Float](repeating: .nan, count: size.rows * size.columns)
    var out = product.mutableSpan
    Gemm.multiply(
      left.span, right.span, rightIsTransposed: isTransposed, into: &out,
      rows: size.rows, inner: size.inner, columns: size.columns)
    for row in 0..<size.rows {
      for column in 0..<size.columns {
        let expected = (0..<size.inner).reduce(0.0) { sum, index in
          let place = isTransposed ? column * size.inner + index : index * size.columns + column
          return sum + Double(left[row * size.inner + index]) * Double(right[place])
        }
        #expect(abs(Double(product[row * size.columns + column]) - expected) < 1e-5 * Double(size.inner))
      }
    }
  }

  @Test("of empty matrices are empty, or zero")
  func empty() {
    let nothing: [Float] = []
    var none: [Float] = []
    var noRows = none.mutableSpan
    Gemm.multiply(nothing.span, nothing.span, into: &noRows, rows: 0, inner: 0, columns: 3)
    var zeros: [Float] = [.nan, 4]
    var out = zeros.mutableSpan
    Gemm.multiply(nothing.span, nothing.span, into: &out, rows: 1, inner: 0, columns: 2)
    #expect(zeros == [0, 0])
  }

  @Test("use one thread of OpenBLAS")
  func threads() {
    var product: [Float] = [0]
    var out = product.mutableSpan
    let two: [Float] = [2]
    Gemm.multiply(two.span, two.span, into: &out, rows: 1, inner: 1, columns: 1)
    #expect(product == [4])
    #expect(Gemm.threadCount == 1)
  }
}
