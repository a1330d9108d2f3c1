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
  private let parameters: [Parameter]
  private let count: Int

  /// None, for a space that has too many to count.
  init(_ space: Space) {
    parameters = space.parameters
    count = space.combinations ?? 0
  }

  /// - Precondition: 0 <= index < the number of configurations.
  subscript(index: Int) -> Configuration {
    var rest = index
    var values: [Value] = []
    for parameter in parameters.reversed() {
      let choices = parameter.valueCount ?? 1
      switch parameter.domain {
      case .continuous(let range): values.append(.real(range.lowerBound))
      case .integer(let range): values.append(.whole(range.lowerBound + rest % choices))
      case .categorical(let words): values.append(.choice(words[rest % choices]))
      }
      rest /= choices
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
