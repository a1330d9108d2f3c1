import Glibc

/// The temperature at which softmax(log p / value) has the least negative log-likelihood on the scored images.
public struct Temperature: Codable, Hashable, Sendable {
  /// The temperature, 0.01...100; above 1 the model is overconfident.
  public var value: Double
  /// The mean negative log-likelihood at temperature 1, in nats.
  public var before: Double
  /// The mean negative log-likelihood at this temperature, in nats.
  public var after: Double
}

/// Temperature scaling (Guo et al. 2017): the T for which softmax(log p / T) has the least negative log-likelihood.
///
/// The likelihood is convex in 1/T, so it has one minimum. Its derivatives by 1/T are the cumulants of log p: one pass
/// over the rows gives its Taylor series, whose minimum is the next 1/T. Samples of the images give the start, so that
/// one or two passes over all rows are mostly enough. Where the minimum is beyond an end of the range, as with a model
/// that has learnt next to nothing, the slope at that end says so in one pass.
struct TemperatureFit {
  private let rows: RowStore
  private let columns: ImageColumns
  /// How many rows the passes have read, samples included.
  private(set) var readRowCount = 0
  /// The range of 1/T that is searched.
  private static let bounds = 0.01...100.0
  private static let sampleCounts = [256, 2_048]

  private enum Minimum {
    /// 1/T, and the mean likelihood there and at T = 1.
    case found(inverse: Double, value: Double, plain: Double)
    /// The likelihood rises over the whole range of 1/T.
    case below
    /// It falls over the whole range, or is the same everywhere.
    case none
  }

  init(rows: RowStore, columns: ImageColumns) {
    self.rows = rows
    self.columns = columns
  }

  /// - Parameter order: the images in an order that does not depend on how they came.
  /// - Returns: `nil` where there is no minimum within the bounds, as when every image is right.
  mutating func best(order: [Int32]) throws(SpillError) -> Temperature? {
    guard rows.width > 1, !order.isEmpty else { return nil }
    var start = 1.0
    for count in Self.sampleCounts where order.count > 2 * count {
      var part = try sample(count, order)
      let found = try part.minimum(from: start, within: 1e-2)
      readRowCount += part.readRowCount
      switch found {
      case .found(let inverse, _, _): start = inverse
      case .below: start = Self.bounds.lowerBound
      case .none: break
      }
    }
    guard case .found(let inverse, let value, let plain) = try minimum(from: start, within: 1e-13) else {
      return nil
    }
    return Temperature(value: 1 / inverse, before: plain, after: min(value, plain))
  }

  private func sample(_ count: Int, _ order: [Int32]) throws(SpillError) -> TemperatureFit {
    var sample = RowStore(width: rows.width, budget: .max, folder: nil)
    var sampled = ImageColumns()
    for place in stride(from: 0, to: order.count, by: order.count / count) {
      let index = Int(order[place])
      let values = try rows.row(index)
      sample.append(values.span)
      sampled.truths.append(columns.truths[index])
      sampled.divisors.append(columns.divisors[index])
      sampled.truthScores.append(columns.truthScores[index])
      sampled.confidences.append(columns.confidences[index])
    }
    return TemperatureFit(rows: sample, columns: sampled)
  }

  /// - Parameter tolerance: the relative error that 1/T may have.
  private mutating func minimum(
    from start: Double, within tolerance: Double
  ) throws(SpillError) -> Minimum {
    // Where the true class has the largest value in every row, a lower T is always better.
    let hasWrong = columns.truthScores.indices.contains { columns.truthScores[$0] < columns.confidences[$0] }
    guard hasWrong else { return .none }
    let (lowest, highest) = (Self.bounds.lowerBound, Self.bounds.upperBound)
    // The minimum is between these; each is an end of the range until the slope at another point is known.
    var (low, high) = (lowest, highest)
    // Whether the slope was looked at where the range ends.
    var (isLowSeen, isHighSeen) = (false, false)
    var inverse = start
    for _ in 0..<200 {
      let here = try LikelihoodSeries(rows: rows, columns: columns, inverse: inverse)
      readRowCount += rows.rowCount
      // Rows without a difference between the classes have the same likelihood at every T.
      if here.slope == 0 && here.curvature <= 0 { return .none }
      if inverse == lowest {
        if here.slope >= 0 { return .below }
        isLowSeen = true
      } else if inverse == highest {
        if here.slope <= 0 { return .none }
        isHighSeen = true
      }
      if here.slope > 0 { high = inverse } else { low = inverse }
      let step = here.stepToMinimum
      let next = inverse + step
      if here.error(after: step) <= tolerance * inverse {
        guard next > lowest else { return .below }
        guard next < highest else { return .none }
        return .found(inverse: next, value: here.value(after: step), plain: here.plain)
      }
      if next > low && next < high {
        inverse = next
      } else if here.slope > 0 && low == lowest && !isLowSeen {
        inverse = lowest
      } else if here.slope <= 0 && high == highest && !isHighSeen {
        inverse = highest
      } else {
        inverse = (low * high).squareRoot()
      }
      if high / low < 1 + 1e-15 { return .none }
    }
    return .none
  }
}

/// The mean negative log-likelihood of softmax(b log p) as a Taylor series around one b.
///
/// For one image the likelihood is log(sum e^(b z)) - b z_truth with z = log p. Its derivatives are the cumulants of z
/// under the softmax, the first one less z_truth.
struct LikelihoodSeries {
  /// The value and the first to eighth derivatives.
  private var derivatives: [Double]
  /// The mean negative log-likelihood at b = 1.
  let plain: Double

  var slope: Double { derivatives[1] }
  var curvature: Double { derivatives[2] }

  /// Makes one pass over the rows. The sums do not depend on the order of the images.
  /// - Parameter inverse: b, the inverse of the temperature.
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

  /// Logarithms are counted in units of 32, so that their eighth powers stay small: no probability is below 2^-52.
  private static let unit = 0x1p-5

  /// Eight probabilities, none below 2^-52, for log-loss clips them there too; lanes after the last class hold that
  /// value.
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

  /// The last eight lanes of a row, with 0 in those after the last class.
  @inline(__always)
  private static func withoutFilling(_ lanes: Elementary.Lanes, _ width: Int) -> Elementary.Lanes {
    let numbers = SIMD8<Int64>(0, 1, 2, 3, 4, 5, 6, 7)
    return lanes.replacing(with: 0, where: numbers .>= Int64((width - 1) % 8 + 1))
  }

  /// The likelihood at b + step, by the series.
  func value(after step: Double) -> Double { series(from: 0, step) }

  /// The step to the minimum of the series, by Newton's method that starts from the parabola's minimum.
  var stepToMinimum: Double {
    guard curvature > 0 else { return .infinity }
    var step = -slope / curvature
    for _ in 0..<30 {
      let bend = series(from: 2, step)
      // Far away the series means nothing; the parabola at least goes downhill.
      guard bend > 0 else { return -slope / curvature }
      let change = series(from: 1, step) / bend
      step -= change
      if abs(change) <= 1e-16 * abs(step) { break }
    }
    return step.isFinite ? step : -slope / curvature
  }

  /// An estimate of the error of the step: the terms that the series leaves out, if they go on falling as those it has.
  func error(after step: Double) -> Double {
    guard curvature > 0, step.isFinite else { return .infinity }
    if step == 0 { return 0 }
    var terms: [Double] = []
    var factor = 1.0
    for order in 2..<derivatives.count {
      factor *= abs(step) / Double(order - 1)
      terms.append(abs(derivatives[order]) * factor)
    }
    // Two terms are used, because one may be small by chance.
    let (last, other) = (terms[terms.count - 1], terms[terms.count - 2])
    let ratio = max(
      pow(last / terms[0], 1 / Double(terms.count - 1)), pow(other / terms[0], 1 / Double(terms.count - 2)))
    guard ratio < 0.5 else { return .infinity }
    return max(last, other * ratio) * ratio / (1 - ratio) / curvature
  }

  /// The derivative of order `first` at b + step.
  private func series(from first: Int, _ step: Double) -> Double {
    var sum = 0.0
    for order in (first..<derivatives.count).reversed() {
      sum = derivatives[order] + sum * step / Double(order - first + 1)
    }
    return sum
  }
}

/// Weighted sums of the powers 0 to 8, in eight lanes.
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

  /// The logarithm of the total weight, then the cumulants 1 to 8, each computed from the moments and the cumulants
  /// before it.
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

/// Eight logarithms or powers of e at once, with errors below 10^-14, the same on every machine.
///
/// The temperature needs one of each for every probability. The C library computes one at a time, which would take most
/// of the fit.
enum Elementary {
  typealias Lanes = SIMD8<Double>
  private typealias Bits = SIMD8<UInt64>

  // The logarithm of 2 in two parts: multiples of the first by whole numbers below 2^11 are exact.
  private static let ln2High = 0x1.62e42fefa38p-1
  private static let ln2Low = 0x1.ef35793c7673p-45
  /// Adding this rounds a number to a whole one, which is then in the lowest bits of the sum.
  private static let rounder = 0x1.8p52

  /// e^x for x of at most 0; below -700, e^-700.
  @inline(__always)
  static func exp(_ x: Lanes) -> Lanes {
    let x = x.replacing(with: -700, where: x .< -700)
    let shifted = x * 1.4426950408889634 + rounder
    let whole = shifted - rounder
    let r = (x - whole * ln2High) - whole * ln2Low
    // The series of e^r - 1 - r; |r| is at most ln 2 / 2.
    var p = Lanes(repeating: 1.0 / 479_001_600)
    p = p * r + 1.0 / 39_916_800
    p = p * r + 1.0 / 3_628_800
    p = p * r + 1.0 / 362_880
    p = p * r + 1.0 / 40_320
    p = p * r + 1.0 / 5_040
    p = p * r + 1.0 / 720
    p = p * r + 1.0 / 120
    p = p * r + 1.0 / 24
    p = p * r + 1.0 / 6
    p = p * r + 0.5
    p = p * r * r + r + 1
    // Times 2^whole: the whole number is added to the exponent.
    let exponent = unsafe unsafeBitCast(shifted, to: Bits.self) &<< 52
    return unsafe unsafeBitCast(unsafeBitCast(p, to: Bits.self) &+ exponent, to: Lanes.self)
  }

  /// The natural logarithm of positive normal numbers.
  @inline(__always)
  static func log(_ x: Lanes) -> Lanes {
    // x = 2^k m with m from sqrt(1/2) to sqrt(2).
    let root = UInt64(0x3FE6_A09E_667F_3BCD)
    let one = UInt64(0x3FF0_0000_0000_0000)
    let moved = unsafe unsafeBitCast(x, to: Bits.self) &+ Bits(repeating: one &- root)
    let mantissa = (moved & Bits(repeating: 0x000F_FFFF_FFFF_FFFF)) &+ Bits(repeating: root)
    let m = unsafe unsafeBitCast(mantissa, to: Lanes.self)
    // The biased exponent, below 2^11, as the lowest bits of a number of 2^52.
    let biased = (moved &>> 52) | Bits(repeating: 0x4330_0000_0000_0000)
    let k = unsafe unsafeBitCast(biased, to: Lanes.self) - (0x1p52 + 1023)
    // log m = 2 artanh s, s = (m - 1) / (m + 1).
    let f = m - 1
    let s = f / (f + 2)
    let z = s * s
    var p = Lanes(repeating: 2.0 / 19)
    p = p * z + 2.0 / 17
    p = p * z + 2.0 / 15
    p = p * z + 2.0 / 13
    p = p * z + 2.0 / 11
    p = p * z + 2.0 / 9
    p = p * z + 2.0 / 7
    p = p * z + 2.0 / 5
    p = p * z + 2.0 / 3
    // f - s * f is 2s without its rounding error.
    return k * ln2High + (f - (s * (f - z * p) - k * ln2Low))
  }
}
