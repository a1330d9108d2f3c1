/// A picture being drawn: outlines are filled with exact coverage of each pixel, so that edges are smooth.
struct Canvas {
  let width: Int, height: Int
  private(set) var pixels: [Colour]
  /// Signed area that the edges of the outline in work add to the pixels right of them.
  private var coverage: [Float]
  /// Cells in a row of `coverage`: the last edge spills up to two beyond the picture.
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

  /// Every pixel.
  mutating func fill(_ paint: Paint) {
    for y in 0..<height {
      for x in 0..<width { pixels[y * width + x] = paint.colour(Double(x) + 0.5, Double(y) + 0.5) }
    }
  }

  /// - Parameter opacity: share of the paint where the outline covers a pixel wholly.
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

  /// Changes every pixel for itself.
  mutating func change(_ body: (Int, Int, Colour) -> Colour) {
    for y in 0..<height {
      for x in 0..<width { pixels[y * width + x] = body(x, y, pixels[y * width + x]) }
    }
  }

  /// Mixes each pixel with the mean of its nine neighbours.
  mutating func soften(_ share: Float) {
    guard width > 2, height > 2 else { return }
    let old = pixels
    for y in 1..<(height - 1) {
      for x in 1..<(width - 1) {
        let i = y * width + x
        var sum = old[i - 1] + old[i] + old[i + 1]
        sum += old[i - width - 1] + old[i - width] + old[i - width + 1]
        sum += old[i + width - 1] + old[i + width] + old[i + width + 1]
        pixels[i] = old[i].mixed(with: sum / 9, share)
      }
    }
  }

  /// Row by row, three bytes a pixel.
  func rgb() -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: pixels.count * 3)
    for (i, pixel) in pixels.enumerated() {
      bytes[3 * i] = level(pixel.x)
      bytes[3 * i + 1] = level(pixel.y)
      bytes[3 * i + 2] = level(pixel.z)
    }
    return bytes
  }

  /// The pixels, of `limit`, that the span from `low` to `high` touches.
  private static func cells(_ low: Double, _ high: Double, _ limit: Int) -> Range<Int> {
    guard low < high, high > 0, low < Double(limit) else { return 0..<0 }
    return Int(max(low, 0))..<min(Int(min(high, Double(limit)).rounded(.up)), limit)
  }

  /// Adds one edge: in each row, the area right of it in the cells it crosses, and the whole height in the
  /// next, so that a sum from the left gives each pixel's covered share.
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
      // What is left of the box counts at its border, what is right of it covers nothing.
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
          // Edge left of this cell covers it wholly; edge inside it covers what is right of the edge.
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
  // From 0.5 to 255.5, whose fraction the conversion drops; in this order NaN becomes 0.
  UInt8(min(max(0, share * 255), 255) + 0.5)
}
