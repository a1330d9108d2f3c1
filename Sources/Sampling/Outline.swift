/// A position in the picture, or a direction. x points right, y down.
typealias Point = SIMD2<Double>

/// The sine of an angle in turns, computed with basic arithmetic. The system's `sin` may differ in the last bit between
/// machines, and the files must be the same on all of them.
func sine(_ turns: Double) -> Double {
  // Reduce the angle to half a turn around 0, then to a quarter.
  var t = turns - turns.rounded()
  if t > 0.25 { t = 0.5 - t } else if t < -0.25 { t = -0.5 - t }
  let x = t * 2 * Double.pi
  let s = x * x
  // The Taylor series; the first omitted term is below 1e-11.
  return x
    * (1 - s / 6 * (1 - s / 20 * (1 - s / 42 * (1 - s / 72 * (1 - s / 110 * (1 - s / 156 * (1 - s / 210)))))))
}

func cosine(_ turns: Double) -> Double { sine(turns + 0.25) }

/// The unit vector at an angle in turns: 0 points right, 0.25 down.
func direction(_ turns: Double) -> Point { Point(cosine(turns), sine(turns)) }

/// Closed polygons that are filled together. Where two overlap, the picture is covered once; a polygon of opposite
/// orientation makes a hole.
struct Outline {
  var loops: [[Point]] = []

  static func polygon(_ points: [Point]) -> Outline { Outline(loops: [points]) }

  static func rectangle(_ left: Double, _ top: Double, _ right: Double, _ bottom: Double) -> Outline {
    polygon([Point(left, top), Point(right, top), Point(right, bottom), Point(left, bottom)])
  }

  /// A rectangle whose corners are quarter circles.
  static func rounded(_ left: Double, _ top: Double, _ right: Double, _ bottom: Double, radius: Double)
    -> Outline
  {
    let centres = [
      Point(right - radius, bottom - radius), Point(left + radius, bottom - radius),
      Point(left + radius, top + radius), Point(right - radius, top + radius),
    ]
    var points: [Point] = []
    for (corner, centre) in centres.enumerated() {
      for step in 0...6 {
        points.append(centre + radius * direction((Double(corner) + Double(step) / 6) / 4))
      }
    }
    return polygon(points)
  }

  static func ellipse(_ centre: Point, _ radii: Point, turned: Double = 0) -> Outline {
    let axis = direction(turned)
    return polygon(
      (0..<48).map { step in
        let p = radii * direction(Double(step) / 48)
        return centre + Point(p.x * axis.x - p.y * axis.y, p.x * axis.y + p.y * axis.x)
      })
  }

  static func circle(_ centre: Point, _ radius: Double) -> Outline { ellipse(centre, Point(radius, radius)) }

  /// A star around the origin with `points` tips at the distance 1 and notches at the distance `notch`.
  static func star(points: Int, notch: Double) -> Outline {
    polygon(
      (0..<(2 * points)).map { step in
        let turns = Double(step) / Double(2 * points) - 0.25
        return direction(turns) * (step % 2 == 0 ? 1 : notch)
      })
  }

  /// A petal from the origin in the direction `turns`: round if `sharpness` is 0, pointed if it is 1.
  static func petal(_ turns: Double, length: Double, width: Double, sharpness: Double) -> Outline {
    let along = direction(turns)
    let across = Point(-along.y, along.x)
    func edge(_ t: Double) -> Double {
      let round = (4 * t * (1 - t)).squareRoot()
      let sharp = t < 0.5 ? 2 * t : 2 - 2 * t
      return width / 2 * (round + (sharp - round) * sharpness)
    }
    let steps = (0...20).map { Double($0) / 20 }
    let near = steps.map { along * ($0 * length) + across * edge($0) }
    let far = steps.reversed().map { along * ($0 * length) - across * edge($0) }
    return polygon(near + far)
  }

  /// A polyline with a width and round caps.
  static func stroke(_ path: [Point], width: Double) -> Outline {
    guard path.count > 1, let first = path.first, let last = path.last else { return Outline() }
    var left: [Point] = []
    var right: [Point] = []
    for (i, p) in path.enumerated() {
      let along = path[min(i + 1, path.count - 1)] - path[max(i - 1, 0)]
      let length = max((along * along).sum().squareRoot(), 1e-9)
      let across = Point(-along.y, along.x) / length * (width / 2)
      left.append(p + across)
      right.append(p - across)
    }
    // The body needs the orientation of the caps; otherwise they would cut holes where they overlap it.
    var outline = Outline(loops: [left + right.reversed()]).turningClockwise()
    outline.loops += circle(first, width / 2).loops + circle(last, width / 2).loops
    return outline
  }

  /// The outline with all loops clockwise, so that none makes a hole.
  func turningClockwise() -> Outline {
    Outline(
      loops: loops.map { loop in
        var area = 0.0
        for (a, b) in zip(loop, loop.dropFirst() + loop.prefix(1)) { area += a.x * b.y - b.x * a.y }
        return area < 0 ? loop.reversed() : loop
      })
  }

  func mapped(_ place: Placement) -> Outline { Outline(loops: loops.map { $0.map(place.apply) }) }

  static func + (a: Outline, b: Outline) -> Outline { Outline(loops: a.loops + b.loops) }
}

/// An affine map from a subject's own square (-1...1 both ways) to the picture.
struct Placement {
  var right: Point, down: Point, origin: Point

  func apply(_ p: Point) -> Point { origin + right * p.x + down * p.y }
}
