/// A configuration at random that was not there before.
enum RandomDraw {
  /// Draws before the rest is counted through.
  private static let draws = 1000

  /// - Returns: `nil` where all configurations are taken.
  static func next(_ space: Space, _ taken: Taken, _ chance: inout Chance) -> Configuration? {
    for _ in 0..<draws {
      let configuration = space.configuration(at: chance.point(space.parameters.count))
      if !taken.contains(configuration) { return configuration }
    }
    // So much is taken that only a small space can be meant.
    guard let combinations = space.combinations else { return nil }
    let first = chance.index(below: combinations)
    return Combinations(space).first(from: first) { !taken.contains($0) }
  }
}

/// All configurations of a space without continuous parameters, the last parameter changing fastest.
struct Combinations {
  private let choices: [[Value]]
  private let count: Int

  init(_ space: Space) {
    count = space.combinations ?? 0
    choices = space.parameters.map { parameter in
      switch parameter.domain {
      case .continuous: []
      case .integer(let range): range.map(Value.whole)
      case .categorical(let values): values.map(Value.choice)
      }
    }
  }

  /// - Precondition: 0 <= index < the number of configurations.
  subscript(index: Int) -> Configuration {
    var rest = index
    var values: [Value] = []
    for choice in choices.reversed() {
      values.append(choice[rest % choice.count])
      rest /= choice.count
    }
    return Configuration(values.reversed())
  }

  /// The first that will do, from one on and then from the beginning.
  func first(from start: Int, where fits: (Configuration) -> Bool) -> Configuration? {
    for offset in 0..<count {
      let configuration = self[(start + offset) % count]
      if fits(configuration) { return configuration }
    }
    return nil
  }
}
