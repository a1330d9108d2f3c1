/// A picture that is being drawn. Outlines are filled with the exact coverage of each pixel, so that edges are smooth.
struct Canvas {
  let width: Int, height: Int
  private(set) var pixels: [Colour]
  /// The accumulation buffer of the outline that is being filled: the signed area that its edges contribute to each
  /// pixel, as differences from the pixel to the left.
  private var coverage: [Float]
  /// Cells per row of `coverage`, which needs up to two beyond the last pixel.
  private let stride: Int

  init(width: Int, height: Int) {
    precondition(width > 0 && height > 0, "a picture has pixels")
    self.width = width
    self.height = height
    pixels = Array(repeating: .zero, count: width * height)
    stride = width + 2
    coverage = Array(repeating: 0, count: stride * height)
  }

  subscript(x: Int, y: Int) -> Colour {
    get { pixels[y * width + x] }
    set { pixels[y * width + x] = newValue }
  }

  /// Fills the whole picture.
  mutating func fill(_ paint: Paint) {
    for y in 0..<height {
      for x in 0..<width { pixels[y * width + x] = paint.colour(Double(x) + 0.5, Double(y) + 0.5) }
    }
  }

  /// Fills an outline.
  ///
  /// - Parameter opacity: the share of the paint in pixels that the outline covers completely.
  /// - Complexity: O(pixels of the outline's bounding box).
  mutating func fill(_ outline: Outline, _ paint: Paint, opacity: Float = 1) {
    let points = outline.loops.joined()
    let left = points.reduce(Double.infinity) { min($0, $1.x) }
    let right = points.reduce(-Double.infinity) { max($0, $1.x) }
    let top = points.reduce(Double.infinity) { min($0, $1.y) }
    let bottom = points.reduce(-Double.infinity) { max($0, $1.y) }
    let columns = Self.cells(left, right, width)
    let rows = Self.cells(top, bottom, height)
    guard !columns.isEmpty, !rows.isEmpty else { return }
    for loop in outline.loops {
      for (a, b) in zip(loop, loop.dropFirst() + loop.prefix(1)) { addEdge(a, b, columns) }
    }
    for y in rows {
      var sum: Float = 0
      for x in columns {
        let i = y * width + x
        sum += coverage[y * stride + x]
        coverage[y * stride + x] = 0
        let share = min(abs(sum), 1) * opacity
        if share > 0.002 {
          pixels[i] = pixels[i].mixed(with: paint.colour(Double(x) + 0.5, Double(y) + 0.5), share)
        }
      }
      coverage[y * stride + columns.upperBound] = 0
      coverage[y * stride + columns.upperBound + 1] = 0
    }
  }

  /// Replaces every pixel by what `body` makes of its position and colour.
  mutating func change(_ body: (Int, Int, Colour) -> Colour) {
    for y in 0..<height {
      for x in 0..<width { pixels[y * width + x] = body(x, y, pixels[y * width + x]) }
    }
  }

  /// Blurs: mixes each pixel with the mean of the 3x3 pixels around it.
  mutating func soften(_ share: Float) {
    guard width > 2, height > 2 else { return }
    let old = pixels
    func three(around i: Int) -> Colour { old[i - 1] + old[i] + old[i + 1] }
    for y in 1..<(height - 1) {
      for x in 1..<(width - 1) {
        let i = y * width + x
        let sum = three(around: i) + three(around: i - width) + three(around: i + width)
        pixels[i] = old[i].mixed(with: sum / 9, share)
      }
    }
  }

  /// The pixels as bytes, row by row, three per pixel.
  func rgb() -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: pixels.count * 3)
    for (i, pixel) in pixels.enumerated() {
      bytes[3 * i] = level(pixel.x)
      bytes[3 * i + 1] = level(pixel.y)
      bytes[3 * i + 2] = level(pixel.z)
    }
    return bytes
  }

  /// The pixels among the first `limit` that the span from `low` to `high` touches.
  private static func cells(_ low: Double, _ high: Double, _ limit: Int) -> Range<Int> {
    guard low < high, high > 0, low < Double(limit) else { return 0..<0 }
    return Int(max(low, 0))..<min(Int(min(high, Double(limit)).rounded(.up)), limit)
  }

  /// Adds one edge to `coverage`. In each row, the cells that it crosses get the area to its right and the next cell
  /// the rest of its height, so that the running sum from the left is the covered share of each pixel.
  private mutating func addEdge(_ a: Point, _ b: Point, _ columns: Range<Int>) {
    guard a.y != b.y else { return }
    let sign: Double = a.y < b.y ? 1 : -1
    let (upper, lower) = a.y < b.y ? (a, b) : (b, a)
    let slope = (lower.x - upper.x) / (lower.y - upper.y)
    let (first, last) = (max(upper.y, 0), min(lower.y, Double(height)))
    guard first < last else { return }
    let (left, right) = (Double(columns.lowerBound), Double(columns.upperBound))
    for row in Int(first)..<min(Int(last.rounded(.up)), height) {
      let from = max(first, Double(row))
      let to = min(last, Double(row + 1))
      let tall = (to - from) * sign
      // Parts left of the bounding box count at its border; parts right of it cover nothing.
      let x0 = min(max(upper.x + (from - upper.y) * slope, left), right)
      let x1 = min(max(upper.x + (to - upper.y) * slope, left), right)
      let (near, far) = (min(x0, x1), max(x0, x1))
      let start = row * stride
      let firstCell = Int(near)
      let lastCell = Int(far)
      if firstCell == lastCell {
        let share = 1 - ((near + far) / 2 - Double(firstCell))
        coverage[start + firstCell] += Float(tall * share)
        coverage[start + firstCell + 1] += Float(tall * (1 - share))
      } else {
        let perColumn = tall / (far - near)
        var done = 0.0
        for cell in firstCell...lastCell {
          // The edge's part left of this cell covers the whole cell; its part inside covers what lies right of it.
          let (from, to) = (max(near, Double(cell)), min(far, Double(cell + 1)))
          let inside = (to - from) * (Double(cell + 1) - (from + to) / 2)
          let area = perColumn * (max(min(Double(cell), far) - near, 0) + inside)
          coverage[start + cell] += Float(area - done)
          done = area
        }
        coverage[start + lastCell + 1] += Float(tall - done)
      }
    }
  }
}

/// The nearest of 256 levels.
private func level(_ share: Float) -> UInt8 {
  // The sum is from 0.5 to 255.5, and the conversion truncates it. In this order, NaN becomes 0.
  UInt8(min(max(0, share * 255), 255) + 0.5)
}

/// Red, green and blue from 0 to 1, as stored (gamma-encoded sRGB, not linear light).
typealias Colour = SIMD3<Float>

extension SIMD3<Float> {
  /// - Parameters:
  ///   - hue: in turns: 0 is red, 1/3 green.
  ///   - saturation: 0...1.
  ///   - value: 0...1.
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
  /// A linear gradient from one colour at `start` to another at `end`.
  case fade(Colour, Colour, start: Point, end: Point)
  /// A radial gradient from one colour at `centre` to another at the distance `radius`.
  case glow(Colour, Colour, centre: Point, radius: Double)
  /// Alternating bands perpendicular to `step`, each as wide as `step` is long.
  case stripes(Colour, Colour, origin: Point, step: Point)
  /// A checkerboard whose squares have the side `step`.
  case squares(Colour, Colour, origin: Point, step: Point)
  /// Noise with features of `size` pixels.
  case clouds(Colour, Colour, size: Double, seed: UInt64)
  /// Like brushed wood or cloth: noise stretched along `angle` (in turns).
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

  /// 0 in even bands and 1 in odd ones, with a transition one pixel wide.
  private static func band(_ p: Point, _ step: Point) -> Double {
    let length = max((step * step).sum().squareRoot(), 1e-9)
    let t = (p * step).sum() / (length * length)
    let place = t - 2 * (t / 2).rounded(.down)
    // The distance in pixels into the odd band; negative outside it.
    let inside = (place < 1 ? -min(place, 1 - place) : min(place - 1, 2 - place)) * length
    return (inside + 0.5).clamped(to: 0...1)
  }
}

/// Three octaves of value noise, from 0 to 1, mostly near 0.5.
func cloudiness(_ x: Double, _ y: Double, seed: UInt64) -> Double {
  noise(x, y, seed) * 0.55 + noise(x * 2.03, y * 2.03, seed &+ 1) * 0.3 + noise(x * 4.1, y * 4.1, seed &+ 2)
    * 0.15
}

/// Value noise: a smooth surface through random heights at integer coordinates.
private func noise(_ x: Double, _ y: Double, _ seed: UInt64) -> Double {
  let (left, top) = (x.rounded(.down), y.rounded(.down))
  let (u, v) = (smooth(x - left), smooth(y - top))
  // Pictures are small: the numbers fit.
  let (i, j) = (UInt64(bitPattern: Int64(left)), UInt64(bitPattern: Int64(top)))
  func height(_ i: UInt64, _ j: UInt64) -> Double {
    // Cheaper than SplitMix64's finalizer, and good enough for heights that are interpolated.
    var z = seed &+ i &* 0x9e37_79b9_7f4a_7c15 &+ j &* 0xc2b2_ae3d_27d4_eb4f
    z = (z ^ (z >> 29)) &* 0xbf58_476d_1ce4_e5b9
    return Double(z >> 40) * 0x1p-24
  }
  let upper = height(i, j) + (height(i &+ 1, j) - height(i, j)) * u
  let lower = height(i, j &+ 1) + (height(i &+ 1, j &+ 1) - height(i, j &+ 1)) * u
  return upper + (lower - upper) * v
}

private func smooth(_ t: Double) -> Double { t * t * (3 - 2 * t) }
