// Things that grow or shine.

func partsOfButterfly(_ palette: Palette, _ chance: inout Chance) -> [Part] {
  let (upper, lower) = (chance.real(0.85...1.05), chance.real(0.6...0.8))
  let sharpness = chance.real(0...0.35)
  let (rise, fall) = (chance.real(0.08...0.12), chance.real(0.09...0.13))
  let spotted = chance.happens(0.6)
  var parts: [Part] = []
  for side in [1.0, -1.0] {
    func wing(_ turns: Double, _ length: Double, _ width: Double) -> Outline {
      let petal = Outline.petal(turns, length: length, width: width, sharpness: sharpness)
      return Outline(loops: petal.loops.map { $0.map { Point($0.x * side, $0.y) } })
    }
    parts.append(Part(outline: wing(fall, lower, lower * 0.75), colour: palette.second.scaled(0.8)))
    parts.append(Part(outline: wing(fall, lower * 0.8, lower * 0.5), colour: palette.second))
    parts.append(Part(outline: wing(-rise, upper, upper * 0.72), colour: palette.main.scaled(0.65)))
    parts.append(Part(outline: wing(-rise, upper * 0.87, upper * 0.52), colour: palette.main))
    if spotted {
      let tip = direction(-rise) * upper
      parts.append(Part(outline: .circle(Point(tip.x * side, tip.y) * 0.62, 0.11), colour: palette.light))
      parts.append(Part(outline: .circle(Point(tip.x * side, tip.y) * 0.62, 0.05), colour: palette.dark))
    }
    let feeler = (0...10).map { step in
      let t = Double(step) / 10
      return Point(side * (0.03 + 0.25 * t * t), -0.32 - 0.42 * t)
    }
    parts.append(Part(outline: .stroke(feeler, width: 0.03), colour: palette.dark))
    parts.append(Part(outline: .circle(Point(side * 0.28, -0.74), 0.04), colour: palette.dark))
  }
  parts.append(Part(outline: .ellipse(Point(0, 0.08), Point(0.075, 0.48)), colour: palette.dark))
  parts.append(Part(outline: .circle(Point(0, -0.36), 0.1), colour: palette.dark))
  return parts
}

func partsOfFish(_ palette: Palette, _ chance: inout Chance) -> [Part] {
  let (tall, long) = (chance.real(0.36...0.56), chance.real(0.68...0.78))
  let fork = chance.real(0.05...0.25)
  let tail = chance.real(0.3...0.45)
  var parts = [
    Part(
      outline: .polygon([
        Point(-long * 0.72, 0), Point(-1, -tail), Point(-1 + fork, 0), Point(-1, tail),
      ]), colour: palette.second),
    Part(
      outline: .polygon([Point(-0.35, -tall * 0.7), Point(0.02, -tall - 0.26), Point(0.3, -tall * 0.75)]),
      colour: palette.second),
    Part(
      outline: .polygon([Point(-0.2, tall * 0.75), Point(-0.12, tall + 0.2), Point(0.18, tall * 0.8)]),
      colour: palette.second),
  ]
  let body = Outline.petal(0, length: 2 * long, width: 2 * tall, sharpness: chance.real(0...0.3))
  let place = Placement(right: Point(1, 0), down: Point(0, 1), origin: Point(-long * 0.95, 0))
  parts.append(Part(outline: body.mapped(place), colour: palette.main, shade: 0.2))
  if chance.happens(0.6) {
    for i in 0..<chance.integer(2...4) {
      let x = 0.12 - Double(i) * 0.24
      let half = tall * (1 - ((x + 0.02) / long) * ((x + 0.02) / long)).squareRoot() * 0.86
      let stripe = (0...8).map { step in
        let t = Double(step) / 4 - 1
        return Point(x - 0.06 * t * t, half * t)
      }
      parts.append(Part(outline: .stroke(stripe, width: 0.085), colour: palette.light, opacity: 0.85))
    }
  }
  parts.append(Part(outline: .petal(0.45, length: 0.34, width: 0.2, sharpness: 0.3), colour: palette.second))
  parts.append(Part(outline: .circle(Point(long * 0.62, -tall * 0.22), 0.105), colour: palette.light))
  parts.append(Part(outline: .circle(Point(long * 0.65, -tall * 0.22), 0.055), colour: palette.dark))
  let mouth = (0...8).map { Point(long * 0.78 + Double($0) * 0.016, tall * (0.3 - Double($0) * 0.013)) }
  parts.append(Part(outline: .stroke(mouth, width: 0.03), colour: palette.dark))
  return parts
}

func partsOfFlower(_ palette: Palette, _ chance: inout Chance) -> [Part] {
  let count = chance.integer(5...9)
  // Pointed petals make it a star with a disc.
  let sharpness = chance.happens(0.35) ? chance.real(0.75...1) : chance.real(0...0.3)
  let width = min(5.4 / Double(count), 0.9) * chance.real(0.75...1)
  var parts: [Part] = []
  if chance.happens(0.4) {
    let green = Colour(hue: chance.real(0.25...0.4), saturation: 0.6, value: chance.real(0.35...0.6))
    parts.append(
      Part(outline: .stroke([Point(0, 0), Point(0.06, 0.6), Point(0.02, 1.35)], width: 0.1), colour: green))
    let leaf = Placement(right: Point(1, 0), down: Point(0, 1), origin: Point(0.05, 1.1))
    parts.append(
      Part(outline: Outline.petal(-0.1, length: 0.5, width: 0.22, sharpness: 0.6).mapped(leaf), colour: green)
    )
  }
  for i in 0..<count {
    let turns = Double(i) / Double(count)
    let tint: Float = i % 2 == 0 ? 1 : 0.9
    parts.append(
      Part(
        outline: .petal(turns, length: 1, width: width, sharpness: sharpness),
        colour: palette.main.scaled(tint)))
    parts.append(
      Part(
        outline: .stroke([direction(turns) * 0.3, direction(turns) * 0.7], width: 0.03),
        colour: palette.main.scaled(0.7), opacity: 0.6))
  }
  let heart = chance.real(0.22...0.36)
  parts.append(Part(outline: .circle(.zero, heart), colour: palette.second))
  parts.append(Part(outline: .circle(.zero, heart * 0.6), colour: palette.second.scaled(0.75)))
  return parts
}

func partsOfMoon(_ palette: Palette, _ chance: inout Chance) -> [Part] {
  // How far the lit side bulges over the middle: -0.85 a thin crescent, 0.6 nearly full.
  let phase = chance.happens(0.75) ? chance.real(-0.8 ... -0.35) : chance.real(0.1...0.6)
  let pale = Colour(
    hue: chance.real(0.08...0.16), saturation: chance.real(0.05...0.5), value: chance.real(0.82...1))
  let rim = (0...32).map { direction(Double($0) / 64 - 0.25) }
  let inner = (0...32).map { step in
    let p = direction(0.25 - Double(step) / 64)
    return Point(-p.x * phase, p.y)
  }
  var parts = [Part(outline: .polygon(rim + inner), colour: pale)]
  if chance.happens(0.5) {
    parts.insert(
      Part(outline: .circle(.zero, 1), colour: palette.dark.mixed(with: pale, 0.15), opacity: 0.7), at: 0)
  }
  for _ in 0..<chance.integer(3...7) {
    let y = chance.real(-0.7...0.7)
    let edge = (1 - y * y).squareRoot()
    let radius = chance.real(0.04...0.11)
    let (from, to) = (-phase * edge + radius * 1.4, edge - radius * 1.4)
    guard from < to else { continue }
    let place = Point(chance.real(from...to), y)
    parts.append(Part(outline: .circle(place, radius), colour: pale.scaled(0.78)))
    parts.append(Part(outline: .circle(place + Point(0.012, 0.012), radius * 0.7), colour: pale.scaled(0.87)))
  }
  return parts
}

func partsOfSpiral(_ palette: Palette, _ chance: inout Chance) -> [Part] {
  let turns = chance.real(2...4)
  let sense = chance.happens(0.5) ? 1.0 : -1.0
  let steps = Int(turns * 40)
  let path = (0...steps).map { step in
    let t = Double(step) / Double(steps)
    return direction(sense * t * turns) * (0.07 + 0.9 * t)
  }
  let width = 0.9 / turns * chance.real(0.3...0.6)
  var parts = [Part(outline: .stroke(path, width: width), colour: palette.main)]
  if chance.happens(0.35) { parts.insert(Part(outline: .circle(.zero, 1.05), colour: palette.light), at: 0) }
  return parts
}

func partsOfStar(_ palette: Palette, _ chance: inout Chance) -> [Part] {
  let points = chance.pick([5, 5, 5, 6, 7, 8])
  let notch = chance.real(0.36...0.55)
  let outline = Outline.star(points: points, notch: notch)
  var parts = [Part(outline: outline, colour: palette.main)]
  func smaller(_ scale: Double) -> Outline {
    outline.mapped(Placement(right: Point(scale, 0), down: Point(0, scale), origin: .zero))
  }
  switch chance.integer(0...3) {
  case 0: parts.append(Part(outline: smaller(0.72), colour: palette.second))
  case 1: parts.append(Part(outline: .circle(.zero, notch * 0.6), colour: palette.second))
  case 2:
    // One half of each point in shadow.
    for i in 0..<points {
      let tip = direction(Double(i) / Double(points) - 0.25)
      let valley = direction((Double(i) + 0.5) / Double(points) - 0.25) * notch
      parts.append(Part(outline: .polygon([.zero, tip, valley]), colour: palette.main.scaled(0.72)))
    }
  default: break
  }
  return parts
}

func partsOfTree(_ palette: Palette, _ chance: inout Chance) -> [Part] {
  let bark = Colour(
    hue: chance.real(0.05...0.1), saturation: chance.real(0.4...0.7), value: chance.real(0.25...0.5))
  let hue = chance.happens(0.75) ? chance.real(0.2...0.42) : chance.real(0.02...0.14)
  let leaf = Colour(hue: hue, saturation: chance.real(0.45...0.9), value: chance.real(0.35...0.75))
  let thick = chance.real(0.09...0.15)
  var parts = [
    Part(
      outline: .polygon([
        Point(-thick * 0.7, -0.2), Point(thick * 0.7, -0.2), Point(thick * 1.2, 1), Point(-thick * 1.2, 1),
      ]), colour: bark)
  ]
  if chance.happens(0.45) {
    let tiers = chance.integer(2...4)
    for i in 0..<tiers {
      let t = Double(i) / Double(tiers)
      let (top, half) = (0.2 - 1.2 * (t + 0.45 / Double(tiers)) - 0.1, 0.72 * (1 - t * 0.65))
      parts.append(
        Part(
          outline: .polygon([
            Point(0, top - 0.15), Point(half, 0.55 - 1.15 * t), Point(-half, 0.55 - 1.15 * t),
          ]),
          colour: leaf.scaled(Float(0.8 + 0.25 * t))))
    }
    return parts
  }
  for i in 0..<chance.integer(7...11) {
    let place = direction(Double(i) * 0.381966) * chance.real(0.2...0.48) + Point(0, -0.38)
    parts.append(
      Part(
        outline: .circle(place, chance.real(0.28...0.42)),
        colour: leaf.scaled(Float(chance.real(0.78...1.12)))))
  }
  if chance.happens(0.3) {
    for _ in 0..<6 {
      let place = direction(chance.real(0...1)) * chance.real(0...0.6) + Point(0, -0.38)
      parts.append(Part(outline: .circle(place, 0.06), colour: Colour(0.85, 0.12, 0.1)))
    }
  }
  return parts
}
