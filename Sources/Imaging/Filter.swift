internal import Glibc

/// The interpolation methods of OpenCV's `cv2.resize`, with its arithmetic.
public enum Filter: String, CaseIterable, Codable, Sendable {
  /// INTER_LINEAR: interpolates between the two nearest samples in each direction, without averaging when it shrinks.
  /// Equal to OpenCV, bit for bit.
  case linear
  /// INTER_AREA: the mean over the area that becomes one sample; a variant of `linear` where a side grows.
  case area
  /// INTER_CUBIC: four samples in each direction, with a = -0.75.
  case cubic
  /// INTER_LANCZOS4: eight samples in each direction.
  case lanczos
  /// INTER_NEAREST: the single sample at or before the exact position.
  case nearest
}

/// One side of a picture that is resized from one length to another.
struct ResizeAxis: Hashable {
  /// In samples, at least 1.
  let source: Int, destination: Int

  /// OpenCV computes destination / source first and inverts it. The order matters for the last bit.
  private var inverse: Double { Double(destination) / Double(source) }
  /// Source samples per destination sample.
  var scale: Double { 1 / inverse }

  /// The scale if OpenCV considers it a whole number; rounding `scale` alone would not always agree.
  var wholeScale: Int? {
    let whole = scale.rounded(.toNearestOrEven)
    return whole >= 1 && abs(scale - whole) < 0x1p-52 ? Int(exactly: whole) : nil
  }

  /// With a linear filter, OpenCV treats the ends of rows and of columns differently.
  enum Direction { case across, down }

  /// Filter taps: destination sample `range.lowerBound + i` is the weighted sum of the source samples `first[i] ..<
  /// first[i] + count`, with `count` weights each. Indices outside the source mean the sample at that end.
  struct Taps {
    var count: Int
    var first: [Int] = []
    var weights: [Float] = []

    /// The weights in OpenCV's 11-bit fixed point, halves rounded to even.
    var fixedWeights: [Int16] {
      // Adding 1.5 * 2^23 rounds the number and leaves the integer in the lowest bits.
      weights.map { Int16(truncatingIfNeeded: Int32(bitPattern: ($0 * 2048 + 0x1.8p23).bitPattern)) }
    }

    /// The source samples that are used, in a source of `length` samples.
    func span(of length: Int) -> Range<Int> {
      guard let low = first.first, let high = first.last else { return 0..<0 }  // they ascend
      return min(max(low, 0), length - 1)..<min(max(high + count, 1), length)
    }
  }

  func taps(of filter: Filter, for range: Range<Int>, _ direction: Direction) -> Taps {
    var taps = Taps(count: filter == .cubic ? 4 : filter == .lanczos ? 8 : 2)
    taps.first.reserveCapacity(range.count)
    taps.weights.reserveCapacity(range.count * taps.count)
    let scale = self.scale
    let inverse = self.inverse
    for index in range {
      var (start, fraction): (Int, Float)
      if filter == .area {
        start = whole((Double(index) * scale).rounded(.down))
        fraction = Float(Double(index + 1) - Double(start + 1) * inverse)
        fraction = fraction <= 0 ? 0 : fraction - fraction.rounded(.down)
      } else {
        let place = Float((Double(index) + 0.5) * scale - 0.5)
        let floor = place.rounded(.down)
        start = whole(Double(floor))
        fraction = place - floor
      }
      switch filter {
      case .cubic:
        taps.first.append(start - 1)
        appendCubic(fraction, to: &taps.weights)
      case .lanczos:
        taps.first.append(start - 3)
        appendLanczos(fraction, to: &taps.weights)
      case .linear, .area, .nearest:
        if direction == .across, start < 0 { (start, fraction) = (0, 0) }
        if direction == .across, start >= source - 1 { (start, fraction) = (source - 1, 0) }
        taps.first.append(start)
        taps.weights.append(1 - fraction)
        taps.weights.append(fraction)
      }
    }
    return taps
  }

  /// Linear interpolation: destination sample `range.lowerBound + i` lies `fractions[i]` of the way from source sample
  /// `first[i]` to the next one. The fraction is 0 where there is no next one.
  struct Lerps {
    var first: [Int] = []
    var fractions: [Float] = []
    /// The destination samples of the whole axis that lie between two source samples; the others repeat an end.
    var inside = 0..<0

    /// The source samples that are used.
    func span(of length: Int) -> Range<Int> {
      guard let low = first.first, let high = first.last else { return 0..<0 }  // they ascend
      return low..<min(high + 2, length)
    }
  }

  func lerps(for range: Range<Int>) -> Lerps {
    let scale = Double(source) / Double(destination)  // IPP does not compute the inverse first
    func place(_ index: Int) -> Double { (-0.5).addingProduct(Double(index) + 0.5, scale) }
    var lerps = Lerps()
    var (begin, end) = (0, destination)
    while begin < end, place(begin) < 0 { begin += 1 }
    while end > begin, place(end - 1) >= Double(source - 1) { end -= 1 }
    lerps.inside = begin..<end
    for index in range {
      let floor = place(index).rounded(.down)
      let isInside = lerps.inside.contains(index)
      lerps.first.append(min(max(whole(floor), 0), source - 1))
      lerps.fractions.append(isInside ? Float(place(index) - floor) : 0)
    }
    return lerps
  }

  /// The source sample of each destination sample.
  func nearest(for range: Range<Int>) -> [Int] {
    let scale = self.scale
    return range.map { min(whole((Double($0) * scale).rounded(.down)), source - 1) }
  }

  /// Area averaging for a side that shrinks: destination sample `range.lowerBound + i` is the weighted sum of the
  /// source samples `first[i] ..< first[i] + (start[i + 1] - start[i])`, whose weights begin at `start[i]`.
  struct Areas {
    var first: [Int] = []
    var start: [Int] = [0]
    var weights: [Float] = []

    /// The source samples that are used.
    var span: Range<Int> {
      guard let low = first.first, let last = first.last else { return 0..<0 }
      return low..<last + start[first.count] - start[first.count - 1]
    }
  }

  func areas(for range: Range<Int>) -> Areas {
    var areas = Areas()
    let scale = self.scale
    for index in range {
      let low = Double(index) * scale
      let high = low + scale
      let width = min(scale, Double(source) - low)
      let end = min(whole(high.rounded(.down)), source - 1)
      let begin = min(whole(low.rounded(.up)), end)
      var first = begin
      if Double(begin) - low > 1e-3 {
        first = begin - 1
        areas.weights.append(Float((Double(begin) - low) / width))
      }
      for _ in begin..<end { areas.weights.append(Float(1 / width)) }
      if high - Double(end) > 1e-3 {
        areas.weights.append(Float(min(min(high - Double(end), 1), width) / width))
      }
      areas.first.append(first)
      areas.start.append(areas.weights.count)
    }
    return areas
  }

  /// Converts a whole number that lies within the source or one sample outside it, and therefore fits.
  private func whole(_ value: Double) -> Int { Int(exactly: value) ?? 0 }
}

/// Appends the weights of Keys' cubic kernel, with a = -0.75, at the distances 1 + x, x, 1 - x and 2 - x. The last
/// one is chosen so that the sum is 1.
private func appendCubic(_ x: Float, to weights: inout [Float]) {
  let a: Float = -0.75
  let y = x + 1
  let far = ((a * y - 5 * a) * y + 8 * a) * y - 4 * a
  let near = ((a + 2) * x - (a + 3)) * x * x + 1
  let z = 1 - x
  let next = ((a + 2) * z - (a + 3)) * z * z + 1
  weights.append(far)
  weights.append(near)
  weights.append(next)
  weights.append(1 - far - near - next)
}

/// Appends the weights sinc(d) * sinc(d / 4) at the eight distances d = x + 3 ... x - 4, normalized to the sum 1. The
/// arguments of the sine differ by multiples of 45 degrees, so one sine and one cosine serve all eight.
private func appendLanczos(_ x: Float, to weights: inout [Float]) {
  let half = 0.70710678118654752440084436210485
  let turns: [8 of (Double, Double)] = [
    (1, 0), (-half, -half), (0, 1), (half, -half), (-1, 0), (half, half), (0, -1), (-half, half),
  ]
  let angle = -Double(x + 3) * Double.pi * 0.25
  let (sine, cosine) = (sin(angle), cos(angle))
  let start = weights.count
  var sum: Float = 0
  for index in turns.indices {
    let distance = x + 3 - Float(index)
    var value: Float = 1e30  // at the sample itself: outweighs all others
    if abs(distance) >= 1e-6 {
      let turned = -Double(distance) * Double.pi * 0.25
      value = Float((turns[index].0 * sine + turns[index].1 * cosine) / (turned * turned))
    }
    weights.append(value)
    sum += value
  }
  let factor = 1 / sum
  for index in start..<weights.count { weights[index] *= factor }
}
