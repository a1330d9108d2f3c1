import Imaging

/// Draws one picture: a background, clutter, the subject somewhere in it, and the defects of a camera over everything.
///
/// - Complexity: O(pixels), about ten passes.
func draw(_ subject: Subject, width: Int, height: Int, noisy: Bool, _ random: inout SampleRandom) -> Canvas {
  var canvas = Canvas(width: width, height: height)
  let size = Point(Double(width), Double(height))
  let backdrop = Backdrop(&random)
  backdrop.fill(&canvas, noisy: noisy, &random)
  for _ in 0..<random.integer(0...5) { addClutter(to: &canvas, size, 0.05...0.14, &random) }

  let palette = backdrop.contrasting(subject, &random)
  let place = placement(of: subject, size, &random)
  let parts = subject.parts(palette, &random)
  if random.happens(0.5) { addShadow(of: parts, place, size, to: &canvas, &random) }
  for part in parts {
    let paint = Paint.fade(
      part.colour.scaled(1 + part.shade), part.colour.scaled(1 - part.shade),
      start: place.apply(Point(0, -1)),
      end: place.apply(Point(0, 1)))
    canvas.fill(part.outline.turningClockwise().mapped(place), paint, opacity: part.opacity)
  }
  // Clutter may hide a little of the subject.
  for _ in 0..<random.integer(0...2) { addClutter(to: &canvas, size, 0.03...0.09, &random) }
  finish(&canvas, noisy: noisy, &random)
  return canvas
}

/// The colours behind the subject.
private struct Backdrop {
  let near: Colour, far: Colour

  init(_ random: inout SampleRandom) {
    let hue = random.real(0...1)
    let value = random.real(0.25...0.95)
    near = Colour(hue: hue, saturation: random.real(0.05...0.6), value: value)
    far = Colour(
      hue: hue + random.real(-0.12...0.12), saturation: random.real(0.05...0.6),
      value: min(max(value + random.real(-0.3...0.3), 0.1), 1))
  }

  /// A palette whose main colour stands out from the background.
  func contrasting(_ subject: Subject, _ random: inout SampleRandom) -> Palette {
    let middle = near.mixed(with: far, 0.5)
    var best = Palette(near: subject.usualHue, &random)
    for _ in 0..<12 where distance(best.main, middle) < 0.3 {
      best = Palette(near: subject.usualHue, &random)
    }
    return best
  }

  private func distance(_ a: Colour, _ b: Colour) -> Float {
    abs(a.luma - b.luma) + 0.25 * (abs(a.x - b.x) + abs(a.y - b.y) + abs(a.z - b.z))
  }

  func fill(_ canvas: inout Canvas, noisy: Bool, _ random: inout SampleRandom) {
    let size = Point(Double(canvas.width), Double(canvas.height))
    let length = min(size.x, size.y)
    let along = direction(random.real(0...1))
    let start = Point(random.real(0...1), random.real(0...1)) * size
    let seed = random.next()
    // Textures are drawn only for JPEG files; they would make a PNG large.
    switch random.integer(noisy ? 0...8 : 0...3) {
    case 0:
      canvas.fill(.fade(near, far, start: size / 2 - along * length / 2, end: size / 2 + along * length / 2))
    case 1: canvas.fill(.glow(near, far, centre: start, radius: length * random.real(0.6...1.2)))
    case 2:
      let step = along * length * random.real(0.04...0.16)
      canvas.fill(.stripes(near, near.mixed(with: far, 0.6), origin: start, step: step))
    case 3: landscape(&canvas, size, &random)
    case 4, 5: canvas.fill(.clouds(near, far, size: length * random.real(0.06...0.4), seed: seed))
    case 6:
      canvas.fill(
        .grain(near, far, size: length * random.real(0.02...0.08), angle: random.real(0...1), seed: seed))
    case 7:
      let step = along * length * random.real(0.06...0.2)
      canvas.fill(.squares(near, near.mixed(with: far, 0.5), origin: start, step: step))
    default: lights(&canvas, size, &random)
    }
  }

  /// Sky, hills and ground.
  private func landscape(_ canvas: inout Canvas, _ size: Point, _ random: inout SampleRandom) {
    let horizon = size.y * random.real(0.45...0.75)
    canvas.fill(.fade(far, near.mixed(with: Colour(1, 1, 1), 0.4), start: .zero, end: Point(0, horizon)))
    for layer in 0..<random.integer(1...3) {
      let rise = size.y * random.real(0.03...0.16)
      let (shift, waves) = (random.real(0...1), random.real(0.6...2))
      let line = horizon + size.y * 0.1 * Double(layer)
      var hills = (0...40).map { step in
        let t = Double(step) / 40
        return Point(t * size.x, line - rise * sine(shift + waves * t) - rise * 0.3 * sine(3.1 * waves * t))
      }
      hills += [Point(size.x, size.y + 1), Point(0, size.y + 1)]
      let colour = near.scaled(0.85 - 0.15 * Float(layer))
      canvas.fill(
        .polygon(hills), .fade(colour, colour.scaled(0.75), start: Point(0, line), end: Point(0, size.y)))
    }
  }

  /// Out-of-focus lights.
  private func lights(_ canvas: inout Canvas, _ size: Point, _ random: inout SampleRandom) {
    canvas.fill(.fade(near.scaled(0.8), far.scaled(0.7), start: .zero, end: size))
    for _ in 0..<random.integer(12...28) {
      let centre = Point(random.real(0...1), random.real(0...1)) * size
      let radius = min(size.x, size.y) * random.real(0.04...0.16)
      let colour = near.mixed(with: far, Float(random.real(0...1))).scaled(Float(random.real(1...1.5)))
      canvas.fill(.circle(centre, radius), .plain(colour), opacity: Float(random.real(0.12...0.4)))
    }
  }
}

private func placement(of subject: Subject, _ size: Point, _ random: inout SampleRandom) -> Placement {
  let length = min(size.x, size.y)
  let half = length * random.real(0.3...0.46)
  let turn = direction(random.real(-subject.lean...subject.lean))
  let mirrored = random.happens(0.5) ? -1.0 : 1.0
  let stretch = random.real(0.87...1.15)
  let shear = random.real(-0.08...0.08)
  let right = Point(turn.x, turn.y) * (half * stretch * mirrored)
  let down = Point(-turn.y, turn.x) * (half / stretch) + Point(turn.x, turn.y) * (half * shear)
  // Anywhere, as long as the border cuts off only a little.
  let room = 0.8 * (size / 2 - Point(half, half) * 0.9).clamped(lowerBound: .zero, upperBound: size)
  let shift = Point(random.real(-1...1), random.real(-1...1)) * room
  return Placement(right: right, down: down, origin: size / 2 + shift)
}

/// Adds a soft shadow: the same outlines, shifted and enlarged in steps, each slightly dark.
private func addShadow(
  of parts: [Part], _ place: Placement, _ size: Point, to canvas: inout Canvas, _ random: inout SampleRandom
) {
  let shift = direction(random.real(0.05...0.45)) * min(size.x, size.y) * random.real(0.02...0.05)
  let silhouette = Outline(loops: parts.filter { $0.opacity == 1 }.flatMap(\.outline.loops))
    .turningClockwise()
  for step in 0..<4 {
    let grown = 1 + 0.03 * Double(step)
    let moved = Placement(right: place.right * grown, down: place.down * grown, origin: place.origin + shift)
    canvas.fill(silhouette.mapped(moved), .plain(.zero), opacity: 0.08)
  }
}

/// Adds something that is not a subject: a bar, a triangle, a dot or a curve.
private func addClutter(
  to canvas: inout Canvas, _ size: Point, _ lengths: ClosedRange<Double>, _ random: inout SampleRandom
) {
  let length = min(size.x, size.y) * random.real(lengths)
  let centre = Point(random.real(0...1), random.real(0...1)) * size
  let colour = Colour(
    hue: random.real(0...1), saturation: random.real(0.1...0.8), value: random.real(0.2...1))
  let along = direction(random.real(0...1)) * length
  let across = Point(-along.y, along.x)
  let outline: Outline =
    switch random.integer(0...3) {
    case 0: .stroke([centre - along, centre + along], width: length * random.real(0.15...0.5))
    case 1: .polygon([centre + along, centre + across * random.real(0.4...1), centre - along])
    case 2:
      .ellipse(centre, Point(length * 0.7, length * random.real(0.3...0.7)), turned: random.real(0...0.5))
    default:
      .stroke(
        (0...12).map { step in
          let t = Double(step) / 6 - 1
          return centre + along * t * 1.4 + across * (0.5 * sine(t * 0.6))
        }, width: length * random.real(0.1...0.2))
    }
  canvas.fill(outline.turningClockwise(), .plain(colour), opacity: Float(random.real(0.35...0.85)))
}

/// Adds uneven light, slight blur and sensor noise.
private func finish(_ canvas: inout Canvas, noisy: Bool, _ random: inout SampleRandom) {
  if random.happens(0.4) { canvas.soften(Float(random.real(0.3...1))) }
  let along = direction(random.real(0...1))
  let size = Point(Double(canvas.width), Double(canvas.height))
  let (bright, dark) = (Float(random.real(0.97...1.12)), Float(random.real(0.72...1)))
  let grain = noisy ? Float(random.real(0...0.035)) : 0
  let seed = random.next()
  let width = canvas.width
  let slope = along / size
  canvas.change { x, y, pixel in
    let t = (Double(x) * slope.x + Double(y) * slope.y - (along.x + along.y) / 2 + 0.71) / 1.42
    var result = pixel * (bright + (dark - bright) * Float(t))
    if grain > 0 {
      // The sum of four uniform numbers is nearly normal.
      let bits = KeyedGenerator.mixed(seed &+ UInt64(y * width + x))
      let near = Float(bits & 0xffff) + Float(bits >> 16 & 0xffff)
      let far = Float(bits >> 32 & 0xffff) + Float(bits >> 48)
      let sum = (near + far) / 65535 - 2
      result += sum * grain
    }
    return result.clamped(lowerBound: .zero, upperBound: .one)
  }
}
