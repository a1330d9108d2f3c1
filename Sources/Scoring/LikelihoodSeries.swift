import Glibc

/// The mean negative log-likelihood of softmax(b log p) round one b: its value, and its derivatives by b.
///
/// Of an image it is log(sum e^(b z)) - b z_truth with z = log p: the derivatives are the cumulants of z under the
/// softmax, the first less z_truth.
struct LikelihoodSeries {
  /// Value, slope, curvature, and so on to the eighth derivative.
  private var derivatives: [Double]
  /// The likelihood at b = 1.
  let plain: Double

  var slope: Double { derivatives[1] }
  var curvature: Double { derivatives[2] }

  /// One pass over the rows. Sums do not depend on the order of the images.
  init(rows: RowStore, columns: ImageColumns, inverse: Double) throws(SpillError) {
    let width = rows.width
    let useCount = (width + 7) / 8
    var sums = Array(repeating: ExactSum(), count: 9)
    var plainSum = ExactSum()
    let (truths, divisors) = (columns.truths, columns.divisors)
    try rows.forEachBlock { first, block in
      var logarithms = Array(repeating: Elementary.Lanes.zero, count: useCount)
      for row in 0..<block.count / width {
        let image = first + row
        var largest = Elementary.Lanes(repeating: -.infinity)
        var total = Elementary.Lanes.zero
        for use in 0..<useCount {
          let lanes = Self.probabilities(
            block, from: row * width + use * 8, to: row * width + width, divisor: divisors[image],
            width: width)
          total += use == useCount - 1 ? Self.withoutFilling(lanes, width) : lanes
          let logarithm = Elementary.log(lanes)
          logarithms[use] = logarithm
          largest.replace(with: logarithm, where: logarithm .> largest)
        }
        let top = largest.max()
        var moments = Moments()
        for use in 0..<useCount {
          let distance = logarithms[use] - top
          let weight = Elementary.exp(distance * inverse)
          moments.add(distance * Self.unit, use == useCount - 1 ? Self.withoutFilling(weight, width) : weight)
        }
        let truth = Int(truths[image])
        let own = logarithms[truth / 8][truth % 8]
        plainSum.add(log(total.sum()) - own)
        let cumulants = moments.cumulants
        sums[0].add(cumulants[0] - inverse * (own - top))
        sums[1].add(cumulants[1] - Self.unit * (own - top))
        for order in 2..<9 { sums[order].add(cumulants[order]) }
      }
    }
    let count = Double(rows.rowCount)
    derivatives = sums.map { $0.value / count }
    var power = 1.0
    for order in derivatives.indices {
      derivatives[order] /= power
      power *= Self.unit
    }
    plain = plainSum.value / count
  }

  /// Logarithms are taken in units of 32, so that their eighth powers stay small; no probability is below 2^-52.
  private static let unit = 0x1p-5

  /// Eight probabilities, none below 2^-52: as for log-loss, one of 0 has no logarithm. Beyond the last class they are
  /// that.
  @inline(__always)
  private static func probabilities(
    _ block: Span<Double>, from start: Int, to end: Int, divisor: Double, width: Int
  ) -> Elementary.Lanes {
    var lanes = Elementary.Lanes.zero
    for lane in 0..<min(8, end - start) { lanes[lane] = block[start + lane] }
    if divisor == 0 {
      lanes = Elementary.Lanes(repeating: 1 / Double(width))
    } else if divisor != 1 {
      lanes /= divisor
    }
    return lanes.replacing(with: Double.ulpOfOne, where: lanes .< Double.ulpOfOne)
  }

  /// The last eight with 0 beyond the last class.
  @inline(__always)
  private static func withoutFilling(_ lanes: Elementary.Lanes, _ width: Int) -> Elementary.Lanes {
    let numbers = SIMD8<Int64>(0, 1, 2, 3, 4, 5, 6, 7)
    return lanes.replacing(with: 0, where: numbers .>= Int64((width - 1) % 8 + 1))
  }

  /// The likelihood a step further on.
  func value(after step: Double) -> Double { series(from: 0, step) }

  /// Where the slope of the series is 0: Newton's method on it, from the parabola's.
  var stepToMinimum: Double {
    guard curvature > 0 else { return .infinity }
    var step = -slope / curvature
    for _ in 0..<30 {
      let bend = series(from: 2, step)
      // Far off the series says nothing; the parabola at least goes downhill.
      guard bend > 0 else { return -slope / curvature }
      let change = series(from: 1, step) / bend
      step -= change
      if abs(change) <= 1e-16 * abs(step) { break }
    }
    return step.isFinite ? step : -slope / curvature
  }

  /// How far off the step may be: what the series leaves out, were its terms to fall on as they have fallen so far.
  func error(after step: Double) -> Double {
    guard curvature > 0, step.isFinite else { return .infinity }
    if step == 0 { return 0 }
    var terms: [Double] = []
    var factor = 1.0
    for order in 2..<derivatives.count {
      factor *= abs(step) / Double(order - 1)
      terms.append(abs(derivatives[order]) * factor)
    }
    // The last two are looked at: one may be small by chance.
    let (last, other) = (terms[terms.count - 1], terms[terms.count - 2])
    let ratio = max(
      pow(last / terms[0], 1 / Double(terms.count - 1)), pow(other / terms[0], 1 / Double(terms.count - 2)))
    guard ratio < 0.5 else { return .infinity }
    return max(last, other * ratio) * ratio / (1 - ratio) / curvature
  }

  /// The derivative of order `first` a step further on.
  private func series(from first: Int, _ step: Double) -> Double {
    var sum = 0.0
    for order in (first..<derivatives.count).reversed() {
      sum = derivatives[order] + sum * step / Double(order - first + 1)
    }
    return sum
  }
}

/// Weighted sums of powers, eight lanes each.
private struct Moments {
  private var sums = InlineArray<9, Elementary.Lanes>(repeating: .zero)

  @inline(__always)
  mutating func add(_ value: Elementary.Lanes, _ weight: Elementary.Lanes) {
    var power = weight
    sums[0] += power
    for order in 1..<9 {
      power *= value
      sums[order] += power
    }
  }

  /// The logarithm of the weight, then the cumulants from the first on, each from the moments and those before it.
  var cumulants: InlineArray<9, Double> {
    let total = sums[0].sum()
    let moments = InlineArray<9, Double> { sums[$0].sum() / total }
    var cumulants = InlineArray<9, Double>(repeating: log(total))
    for order in 1..<9 {
      var value = moments[order]
      var choose = 1.0
      for part in 1..<order {
        value -= choose * cumulants[part] * moments[order - part]
        choose = choose * Double(order - part) / Double(part)
      }
      cumulants[order] = value
    }
    return cumulants
  }
}
