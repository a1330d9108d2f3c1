/// Red, green, blue from 0 to 1 as they are stored (sRGB values, not light).
typealias Colour = SIMD3<Float>

extension SIMD3<Float> {
  /// - Parameters: hue in turns (0 red, 1/3 green), saturation and value from 0 to 1.
  init(hue: Double, saturation: Double, value: Double) {
    func channel(_ shift: Double) -> Float {
      let place = (hue + shift) - (hue + shift).rounded(.down)
      let ramp = (abs(place * 6 - 3) - 1).clamped(to: 0...1)
      return Float(value * (1 - saturation * (1 - ramp)))
    }
    self.init(channel(0), channel(2.0 / 3), channel(1.0 / 3))
  }

  var luma: Float { 0.299 * x + 0.587 * y + 0.114 * z }

  func mixed(with other: Self, _ share: Float) -> Self { self + (other - self) * share }

  func scaled(_ factor: Float) -> Self { (self * factor).clamped(lowerBound: .zero, upperBound: .one) }
}

extension Double {
  func clamped(to range: ClosedRange<Double>) -> Double { min(max(self, range.lowerBound), range.upperBound) }
}

/// What an area is filled with.
enum Paint {
  case plain(Colour)
  /// From one colour at `start` to another at `end`, straight.
  case fade(Colour, Colour, start: Point, end: Point)
  /// From one colour at `centre` to another at `radius`.
  case glow(Colour, Colour, centre: Point, radius: Double)
  /// Bands across `step`, one band a step's length.
  case stripes(Colour, Colour, origin: Point, step: Point)
  case squares(Colour, Colour, origin: Point, step: Point)
  /// Clouds with features of `size` pixels.
  case clouds(Colour, Colour, size: Double, seed: UInt64)
  /// Like brushed wood or cloth: clouds drawn out along `angle` (turns).
  case grain(Colour, Colour, size: Double, angle: Double, seed: UInt64)

  func colour(_ x: Double, _ y: Double) -> Colour {
    switch self {
    case .plain(let colour): return colour
    case .fade(let a, let b, let start, let end):
      let along = end - start
      let t = ((Point(x, y) - start) * along).sum() / max((along * along).sum(), 1e-9)
      return a.mixed(with: b, Float(t.clamped(to: 0...1)))
    case .glow(let a, let b, let centre, let radius):
      let d = Point(x, y) - centre
      return a.mixed(with: b, Float(min((d * d).sum().squareRoot() / radius, 1)))
    case .stripes(let a, let b, let origin, let step):
      return a.mixed(with: b, Float(Self.band(Point(x, y) - origin, step)))
    case .squares(let a, let b, let origin, let step):
      let p = Point(x, y) - origin
      let (u, v) = (Self.band(p, step), Self.band(p, Point(-step.y, step.x)))
      return a.mixed(with: b, Float(u + v - 2 * u * v))
    case .clouds(let a, let b, let size, let seed):
      return a.mixed(with: b, Float(cloudiness(x / size, y / size, seed: seed)))
    case .grain(let a, let b, let size, let angle, let seed):
      let axis = direction(angle)
      let (u, v) = (x * axis.x + y * axis.y, y * axis.x - x * axis.y)
      return a.mixed(with: b, Float(cloudiness(u / (size * 8), v / size, seed: seed)))
    }
  }

  /// 0 in even bands, 1 in odd ones, with an edge one pixel wide.
  private static func band(_ p: Point, _ step: Point) -> Double {
    let length = max((step * step).sum().squareRoot(), 1e-9)
    let t = (p * step).sum() / (length * length)
    let place = t - 2 * (t / 2).rounded(.down)
    // Distance in pixels into the odd band; negative outside it.
    let inside = (place < 1 ? -min(place, 1 - place) : min(place - 1, 2 - place)) * length
    return (inside + 0.5).clamped(to: 0...1)
  }
}

/// Three layers of value noise, from 0 to 1, mostly near a half.
func cloudiness(_ x: Double, _ y: Double, seed: UInt64) -> Double {
  noise(x, y, seed) * 0.55 + noise(x * 2.03, y * 2.03, seed &+ 1) * 0.3 + noise(x * 4.1, y * 4.1, seed &+ 2)
    * 0.15
}

/// A smooth random surface through random heights at whole numbers.
private func noise(_ x: Double, _ y: Double, _ seed: UInt64) -> Double {
  let (left, top) = (x.rounded(.down), y.rounded(.down))
  let (u, v) = (smooth(x - left), smooth(y - top))
  // Pictures are small: the numbers fit.
  let (i, j) = (UInt64(bitPattern: Int64(left)), UInt64(bitPattern: Int64(top)))
  func height(_ i: UInt64, _ j: UInt64) -> Double {
    // Cheaper than `mixed`, and good enough for what is blurred anyway.
    var z = seed &+ i &* 0x9e37_79b9_7f4a_7c15 &+ j &* 0xc2b2_ae3d_27d4_eb4f
    z = (z ^ (z >> 29)) &* 0xbf58_476d_1ce4_e5b9
    return Double(z >> 40) * 0x1p-24
  }
  let upper = height(i, j) + (height(i &+ 1, j) - height(i, j)) * u
  let lower = height(i, j &+ 1) + (height(i &+ 1, j &+ 1) - height(i, j &+ 1)) * u
  return upper + (lower - upper) * v
}

private func smooth(_ t: Double) -> Double { t * t * (3 - 2 * t) }
