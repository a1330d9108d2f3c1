/// What the pictures of a class show.
///
/// Two pairs are similar on purpose, so that a report about a trained network has confusions to show: tall cars and
/// short buses; flowers with pointed petals and stars with a disc.
enum Subject: String, CaseIterable {
  case bus, butterfly, car, checkerboard, cup, fish, flower, house, moon, spiral, star, tree

  /// The largest rotation from upright, in turns; 0.5 for subjects without an upright position.
  var lean: Double {
    switch self {
    case .checkerboard, .flower, .moon, .spiral, .star: 0.5
    case .butterfly: 0.15
    case .fish: 0.08
    default: 0.04
    }
  }

  /// The hue, in turns, that most pictures of the class have: as in reality, colour is a hint but no proof.
  var usualHue: Double {
    switch self {
    case .bus: 0.14
    case .butterfly: 0.07
    case .car: 0.62
    case .checkerboard: 0
    case .cup: 0.55
    case .fish: 0.48
    case .flower: 0.88
    case .house: 0.03
    case .moon: 0.12
    case .spiral: 0.75
    case .star: 0.15
    case .tree: 0.33
    }
  }

  /// The parts of the subject in the square from -1 to 1, from back to front.
  func parts(_ palette: Palette, _ random: inout SampleRandom) -> [Part] {
    switch self {
    case .bus: partsOfBus(palette, &random)
    case .butterfly: partsOfButterfly(palette, &random)
    case .car: partsOfCar(palette, &random)
    case .checkerboard: partsOfCheckerboard(palette, &random)
    case .cup: partsOfCup(palette, &random)
    case .fish: partsOfFish(palette, &random)
    case .flower: partsOfFlower(palette, &random)
    case .house: partsOfHouse(palette, &random)
    case .moon: partsOfMoon(palette, &random)
    case .spiral: partsOfSpiral(palette, &random)
    case .star: partsOfStar(palette, &random)
    case .tree: partsOfTree(palette, &random)
    }
  }
}

/// An outline in one colour.
struct Part {
  var outline: Outline
  var colour: Colour
  /// How much lighter it is at the top of the subject's square, and how much darker at the bottom.
  var shade: Float = 0.12
  var opacity: Float = 1
}

/// The colours of one picture's subject.
struct Palette {
  var main: Colour, second: Colour, dark: Colour, light: Colour

  /// - Parameter usual: the usual hue of the subject, in turns.
  init(near usual: Double, _ random: inout SampleRandom) {
    let hue = random.happens(0.65) ? usual + random.real(-0.06...0.06) : random.real(0...1)
    main = Colour(hue: hue, saturation: random.real(0.45...0.95), value: random.real(0.45...1))
    second = Colour(
      hue: hue + random.real(0.12...0.88), saturation: random.real(0.4...0.9), value: random.real(0.5...1))
    dark = Colour(hue: random.real(0...1), saturation: 0.4, value: random.real(0.06...0.22))
    light = Colour(
      hue: random.real(0...1), saturation: random.real(0.04...0.22), value: random.real(0.86...1))
  }
}

// MARK: - Subjects of nature

func partsOfButterfly(_ palette: Palette, _ random: inout SampleRandom) -> [Part] {
  let (upper, lower) = (random.real(0.85...1.05), random.real(0.6...0.8))
  let sharpness = random.real(0...0.35)
  let (rise, fall) = (random.real(0.08...0.12), random.real(0.09...0.13))
  let spotted = random.happens(0.6)
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

func partsOfFish(_ palette: Palette, _ random: inout SampleRandom) -> [Part] {
  let (tall, long) = (random.real(0.36...0.56), random.real(0.68...0.78))
  let fork = random.real(0.05...0.25)
  let tail = random.real(0.3...0.45)
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
  let body = Outline.petal(0, length: 2 * long, width: 2 * tall, sharpness: random.real(0...0.3))
  let place = Placement(right: Point(1, 0), down: Point(0, 1), origin: Point(-long * 0.95, 0))
  parts.append(Part(outline: body.mapped(place), colour: palette.main, shade: 0.2))
  if random.happens(0.6) {
    for i in 0..<random.integer(2...4) {
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

func partsOfFlower(_ palette: Palette, _ random: inout SampleRandom) -> [Part] {
  let count = random.integer(5...9)
  // With pointed petals it looks like a star with a disc.
  let sharpness = random.happens(0.35) ? random.real(0.75...1) : random.real(0...0.3)
  let width = min(5.4 / Double(count), 0.9) * random.real(0.75...1)
  var parts: [Part] = []
  if random.happens(0.4) {
    let green = Colour(hue: random.real(0.25...0.4), saturation: 0.6, value: random.real(0.35...0.6))
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
  let heart = random.real(0.22...0.36)
  parts.append(Part(outline: .circle(.zero, heart), colour: palette.second))
  parts.append(Part(outline: .circle(.zero, heart * 0.6), colour: palette.second.scaled(0.75)))
  return parts
}

func partsOfMoon(_ palette: Palette, _ random: inout SampleRandom) -> [Part] {
  // How far the lit side reaches over the center: -0.85 for a thin crescent, 0.6 for nearly full.
  let phase = random.happens(0.75) ? random.real(-0.8 ... -0.35) : random.real(0.1...0.6)
  let pale = Colour(
    hue: random.real(0.08...0.16), saturation: random.real(0.05...0.5), value: random.real(0.82...1))
  let rim = (0...32).map { direction(Double($0) / 64 - 0.25) }
  let inner = (0...32).map { step in
    let p = direction(0.25 - Double(step) / 64)
    return Point(-p.x * phase, p.y)
  }
  var parts = [Part(outline: .polygon(rim + inner), colour: pale)]
  if random.happens(0.5) {
    parts.insert(
      Part(outline: .circle(.zero, 1), colour: palette.dark.mixed(with: pale, 0.15), opacity: 0.7), at: 0)
  }
  for _ in 0..<random.integer(3...7) {
    let y = random.real(-0.7...0.7)
    let edge = (1 - y * y).squareRoot()
    let radius = random.real(0.04...0.11)
    let (from, to) = (-phase * edge + radius * 1.4, edge - radius * 1.4)
    guard from < to else { continue }
    let place = Point(random.real(from...to), y)
    parts.append(Part(outline: .circle(place, radius), colour: pale.scaled(0.78)))
    parts.append(Part(outline: .circle(place + Point(0.012, 0.012), radius * 0.7), colour: pale.scaled(0.87)))
  }
  return parts
}

func partsOfSpiral(_ palette: Palette, _ random: inout SampleRandom) -> [Part] {
  let turns = random.real(2...4)
  let sense = random.happens(0.5) ? 1.0 : -1.0
  let steps = Int(turns * 40)
  let path = (0...steps).map { step in
    let t = Double(step) / Double(steps)
    return direction(sense * t * turns) * (0.07 + 0.9 * t)
  }
  let width = 0.9 / turns * random.real(0.3...0.6)
  var parts = [Part(outline: .stroke(path, width: width), colour: palette.main)]
  if random.happens(0.35) { parts.insert(Part(outline: .circle(.zero, 1.05), colour: palette.light), at: 0) }
  return parts
}

func partsOfStar(_ palette: Palette, _ random: inout SampleRandom) -> [Part] {
  let points = random.pick([5, 5, 5, 6, 7, 8])
  let notch = random.real(0.36...0.55)
  let outline = Outline.star(points: points, notch: notch)
  var parts = [Part(outline: outline, colour: palette.main)]
  func smaller(_ scale: Double) -> Outline {
    outline.mapped(Placement(right: Point(scale, 0), down: Point(0, scale), origin: .zero))
  }
  switch random.integer(0...3) {
  case 0: parts.append(Part(outline: smaller(0.72), colour: palette.second))
  case 1: parts.append(Part(outline: .circle(.zero, notch * 0.6), colour: palette.second))
  case 2:
    // Shade one half of each point.
    for i in 0..<points {
      let tip = direction(Double(i) / Double(points) - 0.25)
      let valley = direction((Double(i) + 0.5) / Double(points) - 0.25) * notch
      parts.append(Part(outline: .polygon([.zero, tip, valley]), colour: palette.main.scaled(0.72)))
    }
  default: break
  }
  return parts
}

func partsOfTree(_ palette: Palette, _ random: inout SampleRandom) -> [Part] {
  let bark = Colour(
    hue: random.real(0.05...0.1), saturation: random.real(0.4...0.7), value: random.real(0.25...0.5))
  let hue = random.happens(0.75) ? random.real(0.2...0.42) : random.real(0.02...0.14)
  let leaf = Colour(hue: hue, saturation: random.real(0.45...0.9), value: random.real(0.35...0.75))
  let thick = random.real(0.09...0.15)
  var parts = [
    Part(
      outline: .polygon([
        Point(-thick * 0.7, -0.2), Point(thick * 0.7, -0.2), Point(thick * 1.2, 1), Point(-thick * 1.2, 1),
      ]), colour: bark)
  ]
  if random.happens(0.45) {
    let tiers = random.integer(2...4)
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
  for i in 0..<random.integer(7...11) {
    let place = direction(Double(i) * 0.381966) * random.real(0.2...0.48) + Point(0, -0.38)
    parts.append(
      Part(
        outline: .circle(place, random.real(0.28...0.42)),
        colour: leaf.scaled(Float(random.real(0.78...1.12)))))
  }
  if random.happens(0.3) {
    for _ in 0..<6 {
      let place = direction(random.real(0...1)) * random.real(0...0.6) + Point(0, -0.38)
      parts.append(Part(outline: .circle(place, 0.06), colour: Colour(0.85, 0.12, 0.1)))
    }
  }
  return parts
}

// MARK: - Subjects made by people

private func wheels(_ places: [Double], _ y: Double, _ radius: Double, _ palette: Palette) -> [Part] {
  places.flatMap { x in
    [
      Part(outline: .circle(Point(x, y), radius), colour: palette.dark),
      Part(outline: .circle(Point(x, y), radius * 0.5), colour: palette.light.scaled(0.8)),
      Part(outline: .circle(Point(x, y), radius * 0.18), colour: palette.dark),
    ]
  }
}

func partsOfBus(_ palette: Palette, _ random: inout SampleRandom) -> [Part] {
  // A short bus with a sloping front resembles a van.
  let short = random.happens(0.25)
  let (left, right) = short ? (-0.8, 0.8) : (-1.0, 1.0)
  let slope = short ? random.real(0.08...0.2) : random.real(0...0.08)
  let (top, bottom) = (random.real(-0.62 ... -0.5), 0.36)
  var parts = [
    Part(
      outline: .polygon([
        Point(left, bottom), Point(left, top + 0.06), Point(left + 0.06, top), Point(right - slope, top),
        Point(right, top + 0.3), Point(right, bottom),
      ]), colour: palette.main)
  ]
  parts.append(
    Part(outline: .rectangle(left, 0.02, right, random.real(0.08...0.14)), colour: palette.second))
  let count = short ? 3 : random.integer(4...6)
  let step = (right - slope - left - 0.34) / Double(count)
  let glass = random.happens(0.7) ? Colour(0.72, 0.85, 0.92) : palette.dark
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

func partsOfCar(_ palette: Palette, _ random: inout SampleRandom) -> [Part] {
  // One car in four is as tall as a van.
  let tall = random.happens(0.25)
  let roof = tall ? random.real(-0.6 ... -0.5) : random.real(-0.48 ... -0.36)
  let back = tall ? -0.9 : random.real(-0.75 ... -0.5)
  let front = random.real(0.18...0.38)
  let bonnet = front + random.real(0.25...0.4)
  let sill = -0.02
  var parts = [
    Part(
      outline: .polygon([
        Point(back - 0.08, sill + 0.05), Point(back + 0.12, roof), Point(front, roof),
        Point(bonnet, sill + 0.05),
      ]), colour: palette.main),
    Part(outline: .rounded(-1, sill - 0.02, 1, 0.36, radius: 0.16), colour: palette.main),
  ]
  let glass = random.happens(0.7) ? Colour(0.72, 0.85, 0.92) : palette.dark
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

func partsOfCheckerboard(_ palette: Palette, _ random: inout SampleRandom) -> [Part] {
  let count = random.integer(3...7)
  let border = random.real(0...0.12)
  // In perspective, the far side is shorter.
  let slant = random.real(0...0.3)
  func seen(_ x: Double, _ y: Double) -> Point { Point(x * (1 - slant * (1 - y) / 2), y * (1 - slant * 0.4)) }
  func quad(_ left: Double, _ top: Double, _ right: Double, _ bottom: Double) -> Outline {
    .polygon([seen(left, top), seen(right, top), seen(right, bottom), seen(left, bottom)])
  }
  let (even, odd) =
    random.happens(0.5) ? (palette.light, palette.dark) : (palette.light, palette.main.scaled(0.7))
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

func partsOfCup(_ palette: Palette, _ random: inout SampleRandom) -> [Part] {
  let taper = random.real(0.05...0.3)
  let (rim, foot) = (random.real(0.5...0.68), 0.62)
  var parts: [Part] = []
  if random.happens(0.5) {
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
  if random.happens(0.5) {
    let shrunk = rim * (1 - taper * 0.45)
    parts.append(
      Part(outline: .rectangle(-0.08 - shrunk, -0.04, -0.08 + shrunk, 0.12), colour: palette.second))
  }
  parts.append(
    Part(outline: .ellipse(Point(-0.08, -0.45), Point(rim, 0.15)), colour: palette.main.scaled(1.15)))
  parts.append(
    Part(outline: .ellipse(Point(-0.08, -0.44), Point(rim * 0.88, 0.11)), colour: Colour(0.26, 0.15, 0.08)))
  guard random.happens(0.55) else { return parts }
  for x in [-0.32, -0.02, 0.24] {
    let steam = (0...16).map { step in
      let t = Double(step) / 16
      return Point(x + 0.06 * sine(t * 1.1), -0.55 - 0.42 * t)
    }
    parts.append(Part(outline: .stroke(steam, width: 0.05), colour: palette.light, opacity: 0.6))
  }
  return parts
}

func partsOfHouse(_ palette: Palette, _ random: inout SampleRandom) -> [Part] {
  let (wide, top) = (random.real(0.6...0.85), random.real(-0.25...0.05))
  let peak = top - random.real(0.45...0.7)
  let roof = palette.second.scaled(0.75)
  var parts: [Part] = []
  if random.happens(0.7) {
    let x = wide * random.real(0.25...0.5)
    parts.append(Part(outline: .rectangle(x, peak + 0.05, x + 0.16, top), colour: roof.scaled(0.7)))
  }
  parts.append(Part(outline: .rectangle(-wide, top - 0.02, wide, 0.85), colour: palette.main))
  let flat = random.happens(0.3) ? wide * 0.5 : 0
  parts.append(
    Part(
      outline: .polygon([
        Point(-wide - 0.15, top), Point(-flat, peak), Point(flat, peak), Point(wide + 0.15, top),
      ]), colour: roof))
  let door = random.real(-0.5...0.5) * wide
  parts.append(Part(outline: .rectangle(door - 0.13, 0.35, door + 0.13, 0.85), colour: palette.dark))
  parts.append(Part(outline: .circle(Point(door + 0.08, 0.6), 0.025), colour: palette.light))
  let glass = random.happens(0.5) ? Colour(1, 0.9, 0.55) : Colour(0.72, 0.85, 0.92)
  for x in [-0.62, 0, 0.62].map({ $0 * wide }) where abs(x - door) > 0.3 {
    parts.append(Part(outline: .rectangle(x - 0.14, 0.2, x + 0.14, 0.5), colour: palette.light))
    parts.append(Part(outline: .rectangle(x - 0.11, 0.23, x + 0.11, 0.47), colour: glass, shade: 0.2))
    parts.append(Part(outline: .rectangle(x - 0.015, 0.2, x + 0.015, 0.5), colour: palette.light))
  }
  return parts
}
