/// What the pictures of a class show.
///
/// Two pairs are alike on purpose, so that a report on a trained network has something to tell: tall cars and
/// short buses, flowers with pointed petals and stars with a disc.
enum Subject: String, CaseIterable {
  case bus, butterfly, car, checkerboard, cup, fish, flower, house, moon, spiral, star, tree

  /// Largest turn from upright, in turns; half a turn for what has no upright.
  var lean: Double {
    switch self {
    case .checkerboard, .flower, .moon, .spiral, .star: 0.5
    case .butterfly: 0.15
    case .fish: 0.08
    default: 0.04
    }
  }

  /// The hue in turns that most have, as in life: a colour is a hint, but no proof.
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

  /// The subject in its square from -1 to 1, back to front.
  func parts(_ palette: Palette, _ chance: inout Chance) -> [Part] {
    switch self {
    case .bus: partsOfBus(palette, &chance)
    case .butterfly: partsOfButterfly(palette, &chance)
    case .car: partsOfCar(palette, &chance)
    case .checkerboard: partsOfCheckerboard(palette, &chance)
    case .cup: partsOfCup(palette, &chance)
    case .fish: partsOfFish(palette, &chance)
    case .flower: partsOfFlower(palette, &chance)
    case .house: partsOfHouse(palette, &chance)
    case .moon: partsOfMoon(palette, &chance)
    case .spiral: partsOfSpiral(palette, &chance)
    case .star: partsOfStar(palette, &chance)
    case .tree: partsOfTree(palette, &chance)
    }
  }
}

/// An outline in one colour.
struct Part {
  var outline: Outline
  var colour: Colour
  /// How much lighter it is at the top of the subject's square, and darker at the bottom.
  var shade: Float = 0.12
  var opacity: Float = 1
}

/// The colours of one picture's subject.
struct Palette {
  var main: Colour, second: Colour, dark: Colour, light: Colour

  /// - Parameter usual: the hue that most pictures of the class are near.
  init(near usual: Double, _ chance: inout Chance) {
    let hue = chance.happens(0.65) ? usual + chance.real(-0.06...0.06) : chance.real(0...1)
    main = Colour(hue: hue, saturation: chance.real(0.45...0.95), value: chance.real(0.45...1))
    second = Colour(
      hue: hue + chance.real(0.12...0.88), saturation: chance.real(0.4...0.9), value: chance.real(0.5...1))
    dark = Colour(hue: chance.real(0...1), saturation: 0.4, value: chance.real(0.06...0.22))
    light = Colour(
      hue: chance.real(0...1), saturation: chance.real(0.04...0.22), value: chance.real(0.86...1))
  }
}
