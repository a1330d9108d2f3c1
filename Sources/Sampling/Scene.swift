/// Draws one picture: a background, clutter, the subject somewhere in it, and a camera's faults over all.
///
/// - Complexity: O(pixels), about ten passes.
func draw(_ subject: Subject, width: Int, height: Int, noisy: Bool, _ chance: inout Chance) -> Canvas {
  var canvas = Canvas(width: width, height: height)
  let size = Point(Double(width), Double(height))
  let backdrop = Backdrop(&chance)
  backdrop.fill(&canvas, noisy: noisy, &chance)
  for _ in 0..<chance.integer(0...5) { addClutter(to: &canvas, size, 0.05...0.14, &chance) }

  let palette = backdrop.contrasting(subject, &chance)
  let place = placement(of: subject, size, &chance)
  let parts = subject.parts(palette, &chance)
  if chance.happens(0.5) { addShadow(of: parts, place, size, to: &canvas, &chance) }
  for part in parts {
    let paint = Paint.fade(
      part.colour.scaled(1 + part.shade), part.colour.scaled(1 - part.shade),
      start: place.apply(Point(0, -1)),
      end: place.apply(Point(0, 1)))
    canvas.fill(part.outline.turningClockwise().mapped(place), paint, opacity: part.opacity)
  }
  // A little of it may be hidden.
  for _ in 0..<chance.integer(0...2) { addClutter(to: &canvas, size, 0.03...0.09, &chance) }
  finish(&canvas, noisy: noisy, &chance)
  return canvas
}

/// The colours behind the subject.
private struct Backdrop {
  let near: Colour, far: Colour

  init(_ chance: inout Chance) {
    let hue = chance.real(0...1)
    let value = chance.real(0.25...0.95)
    near = Colour(hue: hue, saturation: chance.real(0.05...0.6), value: value)
    far = Colour(
      hue: hue + chance.real(-0.12...0.12), saturation: chance.real(0.05...0.6),
      value: min(max(value + chance.real(-0.3...0.3), 0.1), 1))
  }

  /// A palette whose main colour can be told from the background.
  func contrasting(_ subject: Subject, _ chance: inout Chance) -> Palette {
    let middle = near.mixed(with: far, 0.5)
    var best = Palette(near: subject.usualHue, &chance)
    for _ in 0..<12 where distance(best.main, middle) < 0.3 {
      best = Palette(near: subject.usualHue, &chance)
    }
    return best
  }

  private func distance(_ a: Colour, _ b: Colour) -> Float {
    abs(a.luma - b.luma) + 0.25 * (abs(a.x - b.x) + abs(a.y - b.y) + abs(a.z - b.z))
  }

  func fill(_ canvas: inout Canvas, noisy: Bool, _ chance: inout Chance) {
    let size = Point(Double(canvas.width), Double(canvas.height))
    let length = min(size.x, size.y)
    let along = direction(chance.real(0...1))
    let start = Point(chance.real(0...1), chance.real(0...1)) * size
    let seed = chance.next()
    // Textures only where the file is a JPEG: they would make a PNG large.
    switch chance.integer(noisy ? 0...8 : 0...3) {
    case 0:
      canvas.fill(.fade(near, far, start: size / 2 - along * length / 2, end: size / 2 + along * length / 2))
    case 1: canvas.fill(.glow(near, far, centre: start, radius: length * chance.real(0.6...1.2)))
    case 2:
      let step = along * length * chance.real(0.04...0.16)
      canvas.fill(.stripes(near, near.mixed(with: far, 0.6), origin: start, step: step))
    case 3: landscape(&canvas, size, &chance)
    case 4, 5: canvas.fill(.clouds(near, far, size: length * chance.real(0.06...0.4), seed: seed))
    case 6:
      canvas.fill(
        .grain(near, far, size: length * chance.real(0.02...0.08), angle: chance.real(0...1), seed: seed))
    case 7:
      let step = along * length * chance.real(0.06...0.2)
      canvas.fill(.squares(near, near.mixed(with: far, 0.5), origin: start, step: step))
    default: lights(&canvas, size, &chance)
    }
  }

  /// Sky, hills and ground.
  private func landscape(_ canvas: inout Canvas, _ size: Point, _ chance: inout Chance) {
    let horizon = size.y * chance.real(0.45...0.75)
    canvas.fill(.fade(far, near.mixed(with: Colour(1, 1, 1), 0.4), start: .zero, end: Point(0, horizon)))
    for layer in 0..<chance.integer(1...3) {
      let rise = size.y * chance.real(0.03...0.16)
      let (shift, waves) = (chance.real(0...1), chance.real(0.6...2))
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

  /// Lights out of focus.
  private func lights(_ canvas: inout Canvas, _ size: Point, _ chance: inout Chance) {
    canvas.fill(.fade(near.scaled(0.8), far.scaled(0.7), start: .zero, end: size))
    for _ in 0..<chance.integer(12...28) {
      let centre = Point(chance.real(0...1), chance.real(0...1)) * size
      let radius = min(size.x, size.y) * chance.real(0.04...0.16)
      let colour = near.mixed(with: far, Float(chance.real(0...1))).scaled(Float(chance.real(1...1.5)))
      canvas.fill(.circle(centre, radius), .plain(colour), opacity: Float(chance.real(0.12...0.4)))
    }
  }
}

private func placement(of subject: Subject, _ size: Point, _ chance: inout Chance) -> Placement {
  let length = min(size.x, size.y)
  let half = length * chance.real(0.3...0.46)
  let turn = direction(chance.real(-subject.lean...subject.lean))
  let mirrored = chance.happens(0.5) ? -1.0 : 1.0
  let stretch = chance.real(0.87...1.15)
  let shear = chance.real(-0.08...0.08)
  let right = Point(turn.x, turn.y) * (half * stretch * mirrored)
  let down = Point(-turn.y, turn.x) * (half / stretch) + Point(turn.x, turn.y) * (half * shear)
  // Anywhere, as long as at most a little is cut off.
  let room = 0.8 * (size / 2 - Point(half, half) * 0.9).clamped(lowerBound: .zero, upperBound: size)
  let shift = Point(chance.real(-1...1), chance.real(-1...1)) * room
  return Placement(right: right, down: down, origin: size / 2 + shift)
}

/// A soft shadow: the same outlines, moved and grown in steps, each a little dark.
private func addShadow(
  of parts: [Part], _ place: Placement, _ size: Point, to canvas: inout Canvas, _ chance: inout Chance
) {
  let shift = direction(chance.real(0.05...0.45)) * min(size.x, size.y) * chance.real(0.02...0.05)
  let silhouette = Outline(loops: parts.filter { $0.opacity == 1 }.flatMap(\.outline.loops))
    .turningClockwise()
  for step in 0..<4 {
    let grown = 1 + 0.03 * Double(step)
    let moved = Placement(right: place.right * grown, down: place.down * grown, origin: place.origin + shift)
    canvas.fill(silhouette.mapped(moved), .plain(.zero), opacity: 0.08)
  }
}

/// Something that is no subject: a bar, a triangle, a dot or a curve.
private func addClutter(
  to canvas: inout Canvas, _ size: Point, _ lengths: ClosedRange<Double>, _ chance: inout Chance
) {
  let length = min(size.x, size.y) * chance.real(lengths)
  let centre = Point(chance.real(0...1), chance.real(0...1)) * size
  let colour = Colour(
    hue: chance.real(0...1), saturation: chance.real(0.1...0.8), value: chance.real(0.2...1))
  let along = direction(chance.real(0...1)) * length
  let across = Point(-along.y, along.x)
  let outline: Outline =
    switch chance.integer(0...3) {
    case 0: .stroke([centre - along, centre + along], width: length * chance.real(0.15...0.5))
    case 1: .polygon([centre + along, centre + across * chance.real(0.4...1), centre - along])
    case 2:
      .ellipse(centre, Point(length * 0.7, length * chance.real(0.3...0.7)), turned: chance.real(0...0.5))
    default:
      .stroke(
        (0...12).map { step in
          let t = Double(step) / 6 - 1
          return centre + along * t * 1.4 + across * (0.5 * sine(t * 0.6))
        }, width: length * chance.real(0.1...0.2))
    }
  canvas.fill(outline.turningClockwise(), .plain(colour), opacity: Float(chance.real(0.35...0.85)))
}

/// Uneven light, a lens that is not quite sharp, and a sensor's noise.
private func finish(_ canvas: inout Canvas, noisy: Bool, _ chance: inout Chance) {
  if chance.happens(0.4) { canvas.soften(Float(chance.real(0.3...1))) }
  let along = direction(chance.real(0...1))
  let size = Point(Double(canvas.width), Double(canvas.height))
  let (bright, dark) = (Float(chance.real(0.97...1.12)), Float(chance.real(0.72...1)))
  let grain = noisy ? Float(chance.real(0...0.035)) : 0
  let seed = chance.next()
  let width = canvas.width
  let slope = along / size
  canvas.change { x, y, pixel in
    let t = (Double(x) * slope.x + Double(y) * slope.y - (along.x + along.y) / 2 + 0.71) / 1.42
    var result = pixel * (bright + (dark - bright) * Float(t))
    if grain > 0 {
      // The sum of four even numbers is nearly a bell.
      let bits = mixed(seed &+ UInt64(y * width + x))
      let near = Float(bits & 0xffff) + Float(bits >> 16 & 0xffff)
      let far = Float(bits >> 32 & 0xffff) + Float(bits >> 48)
      let sum = (near + far) / 65535 - 2
      result += sum * grain
    }
    return result.clamped(lowerBound: .zero, upperBound: .one)
  }
}
