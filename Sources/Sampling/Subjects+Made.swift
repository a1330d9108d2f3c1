// Things that people make.

private func wheels(_ places: [Double], _ y: Double, _ radius: Double, _ palette: Palette) -> [Part] {
  places.flatMap { x in
    [
      Part(outline: .circle(Point(x, y), radius), colour: palette.dark),
      Part(outline: .circle(Point(x, y), radius * 0.5), colour: palette.light.scaled(0.8)),
      Part(outline: .circle(Point(x, y), radius * 0.18), colour: palette.dark),
    ]
  }
}

func partsOfBus(_ palette: Palette, _ chance: inout Chance) -> [Part] {
  // A short bus with a sloping front is nearly a van.
  let short = chance.happens(0.25)
  let (left, right) = short ? (-0.8, 0.8) : (-1.0, 1.0)
  let slope = short ? chance.real(0.08...0.2) : chance.real(0...0.08)
  let (top, bottom) = (chance.real(-0.62 ... -0.5), 0.36)
  var parts = [
    Part(
      outline: .polygon([
        Point(left, bottom), Point(left, top + 0.06), Point(left + 0.06, top), Point(right - slope, top),
        Point(right, top + 0.3), Point(right, bottom),
      ]), colour: palette.main)
  ]
  parts.append(
    Part(outline: .rectangle(left, 0.02, right, chance.real(0.08...0.14)), colour: palette.second))
  let count = short ? 3 : chance.integer(4...6)
  let step = (right - slope - left - 0.34) / Double(count)
  let glass = chance.happens(0.7) ? Colour(0.72, 0.85, 0.92) : palette.dark
  for i in 0..<count {
    let x = left + 0.08 + step * Double(i)
    parts.append(
      Part(outline: .rounded(x, top + 0.12, x + step * 0.82, -0.08, radius: 0.03), colour: glass, shade: 0.2))
  }
  parts.append(
    Part(
      outline: .polygon([
        Point(right - 0.2, -0.05), Point(right - 0.2, top + 0.12), Point(right - slope - 0.04, top + 0.12),
        Point(right - 0.03, top + 0.32), Point(right - 0.03, -0.05),
      ]), colour: glass, shade: 0.2))
  parts.append(Part(outline: .circle(Point(right - 0.06, 0.22), 0.05), colour: Colour(1, 0.93, 0.6)))
  return parts + wheels([left + 0.38, right - 0.38], bottom + 0.02, 0.19, palette)
}

func partsOfCar(_ palette: Palette, _ chance: inout Chance) -> [Part] {
  // One in four is as tall as a van.
  let tall = chance.happens(0.25)
  let roof = tall ? chance.real(-0.6 ... -0.5) : chance.real(-0.48 ... -0.36)
  let back = tall ? -0.9 : chance.real(-0.75 ... -0.5)
  let front = chance.real(0.18...0.38)
  let bonnet = front + chance.real(0.25...0.4)
  let sill = -0.02
  var parts = [
    Part(
      outline: .polygon([
        Point(back - 0.08, sill + 0.05), Point(back + 0.12, roof), Point(front, roof),
        Point(bonnet, sill + 0.05),
      ]), colour: palette.main),
    Part(outline: .rounded(-1, sill - 0.02, 1, 0.36, radius: 0.16), colour: palette.main),
  ]
  let glass = chance.happens(0.7) ? Colour(0.72, 0.85, 0.92) : palette.dark
  let post = (back + front) / 2 + 0.1
  parts.append(
    Part(
      outline: .polygon([
        Point(back + 0.06, sill - 0.02), Point(back + 0.18, roof + 0.08), Point(post - 0.04, roof + 0.08),
        Point(post - 0.04, sill - 0.02),
      ]), colour: glass, shade: 0.2))
  parts.append(
    Part(
      outline: .polygon([
        Point(post + 0.04, sill - 0.02), Point(post + 0.04, roof + 0.08), Point(front - 0.03, roof + 0.08),
        Point(bonnet - 0.14, sill - 0.02),
      ]), colour: glass, shade: 0.2))
  parts.append(
    Part(
      outline: .stroke([Point(post, 0.02), Point(post, 0.3)], width: 0.025), colour: palette.main.scaled(0.6))
  )
  parts.append(Part(outline: .ellipse(Point(0.93, 0.12), Point(0.06, 0.08)), colour: Colour(1, 0.93, 0.6)))
  parts.append(Part(outline: .rectangle(-0.99, 0.08, -0.9, 0.18), colour: Colour(0.8, 0.1, 0.1)))
  return parts + wheels([-0.56, 0.56], 0.36, 0.22, palette)
}

func partsOfCheckerboard(_ palette: Palette, _ chance: inout Chance) -> [Part] {
  let count = chance.integer(3...7)
  let border = chance.real(0...0.12)
  // Seen at a slant: the far side is shorter.
  let slant = chance.real(0...0.3)
  func seen(_ x: Double, _ y: Double) -> Point { Point(x * (1 - slant * (1 - y) / 2), y * (1 - slant * 0.4)) }
  func quad(_ left: Double, _ top: Double, _ right: Double, _ bottom: Double) -> Outline {
    .polygon([seen(left, top), seen(right, top), seen(right, bottom), seen(left, bottom)])
  }
  let (even, odd) =
    chance.happens(0.5) ? (palette.light, palette.dark) : (palette.light, palette.main.scaled(0.7))
  var parts = [
    Part(outline: quad(-1, -1, 1, 1), colour: palette.second.scaled(0.6)),
    Part(outline: quad(border - 1, border - 1, 1 - border, 1 - border), colour: even),
  ]
  let side = (2 - 2 * border) / Double(count)
  for row in 0..<count {
    for column in 0..<count where (row + column) % 2 == 0 {
      let (x, y) = (border - 1 + side * Double(column), border - 1 + side * Double(row))
      parts.append(Part(outline: quad(x, y, x + side, y + side), colour: odd))
    }
  }
  return parts
}

func partsOfCup(_ palette: Palette, _ chance: inout Chance) -> [Part] {
  let taper = chance.real(0.05...0.3)
  let (rim, foot) = (chance.real(0.5...0.68), 0.62)
  var parts: [Part] = []
  if chance.happens(0.5) {
    parts.append(Part(outline: .ellipse(Point(-0.08, foot), Point(0.95, 0.17)), colour: palette.light))
    parts.append(
      Part(outline: .ellipse(Point(-0.08, foot - 0.02), Point(0.6, 0.1)), colour: palette.light.scaled(0.82)))
  }
  let handle = (0...24).map { step in
    Point(-0.12 + rim, 0.02) + Point(0.34, 0.27) * direction(Double(step) / 24 * 0.6 - 0.3)
  }
  parts.append(Part(outline: .stroke(handle, width: 0.13), colour: palette.main.scaled(0.85)))
  let bottom = (0...16).map { step in
    Point(-0.08, foot) + Point(rim * (1 - taper), 0.1) * direction(Double(step) / 32)
  }
  parts.append(
    Part(
      outline: .polygon([Point(-0.08 - rim, -0.45), Point(-0.08 + rim, -0.45)] + bottom), colour: palette.main
    ))
  if chance.happens(0.5) {
    let shrunk = rim * (1 - taper * 0.45)
    parts.append(
      Part(outline: .rectangle(-0.08 - shrunk, -0.04, -0.08 + shrunk, 0.12), colour: palette.second))
  }
  parts.append(
    Part(outline: .ellipse(Point(-0.08, -0.45), Point(rim, 0.15)), colour: palette.main.scaled(1.15)))
  parts.append(
    Part(outline: .ellipse(Point(-0.08, -0.44), Point(rim * 0.88, 0.11)), colour: Colour(0.26, 0.15, 0.08)))
  guard chance.happens(0.55) else { return parts }
  for x in [-0.32, -0.02, 0.24] {
    let steam = (0...16).map { step in
      let t = Double(step) / 16
      return Point(x + 0.06 * sine(t * 1.1), -0.55 - 0.42 * t)
    }
    parts.append(Part(outline: .stroke(steam, width: 0.05), colour: palette.light, opacity: 0.6))
  }
  return parts
}

func partsOfHouse(_ palette: Palette, _ chance: inout Chance) -> [Part] {
  let (wide, top) = (chance.real(0.6...0.85), chance.real(-0.25...0.05))
  let peak = top - chance.real(0.45...0.7)
  let roof = palette.second.scaled(0.75)
  var parts: [Part] = []
  if chance.happens(0.7) {
    let x = wide * chance.real(0.25...0.5)
    parts.append(Part(outline: .rectangle(x, peak + 0.05, x + 0.16, top), colour: roof.scaled(0.7)))
  }
  parts.append(Part(outline: .rectangle(-wide, top - 0.02, wide, 0.85), colour: palette.main))
  let flat = chance.happens(0.3) ? wide * 0.5 : 0
  parts.append(
    Part(
      outline: .polygon([
        Point(-wide - 0.15, top), Point(-flat, peak), Point(flat, peak), Point(wide + 0.15, top),
      ]), colour: roof))
  let door = chance.real(-0.5...0.5) * wide
  parts.append(Part(outline: .rectangle(door - 0.13, 0.35, door + 0.13, 0.85), colour: palette.dark))
  parts.append(Part(outline: .circle(Point(door + 0.08, 0.6), 0.025), colour: palette.light))
  let glass = chance.happens(0.5) ? Colour(1, 0.9, 0.55) : Colour(0.72, 0.85, 0.92)
  for x in [-0.62, 0, 0.62].map({ $0 * wide }) where abs(x - door) > 0.3 {
    parts.append(Part(outline: .rectangle(x - 0.14, 0.2, x + 0.14, 0.5), colour: palette.light))
    parts.append(Part(outline: .rectangle(x - 0.11, 0.23, x + 0.11, 0.47), colour: glass, shade: 0.2))
    parts.append(Part(outline: .rectangle(x - 0.015, 0.2, x + 0.015, 0.5), colour: palette.light))
  }
  return parts
}
